//! The log file of one stage attempt: the job, what its body and its process said, and how it ended.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fs_err::File;

use crate::base::secrets::Secrets;
use crate::protocol::{Job, StageError};

/// Lines of standard error that an error message repeats.
const TAIL: usize = 8;

/// What the line of an attempt's end begins with.
const END: &str = "end: ";
/// What follows there before an error.
const FAILED: &str = "failed: ";
/// The end of a log is looked for in so many bytes: a long error message has many lines.
const LAST_BYTES: u64 = 1 << 16;

/// A log that the stage's thread and the reader of the worker's standard error write to. Losing a log line must not fail
/// a stage, so writing returns nothing.
#[derive(Clone, Debug)]
pub struct Log(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    target: Target,
    /// What comes before the next line, in one write with it.
    unwritten: String,
    start: Instant,
    tail: VecDeque<String>,
    secrets: Secrets,
}

impl Log {
    /// A new log at `path`.
    ///
    /// # Errors
    /// What creating or writing the file returns, with its path.
    pub fn create(path: &Path, stage: &str, attempt: u32, secrets: Secrets) -> io::Result<Self> {
        let log = Self::if_needed(path, stage, attempt, secrets);
        log.inner().open()?;
        Ok(log)
    }

    /// The same, but the file is made when something is to be read there that the record of the result does not say. An
    /// attempt that was silent until it ended well leaves none: among thousands of short programs these would be most of the
    /// files that a disk has to make, and that a quota of files counts.
    pub fn if_needed(path: &Path, stage: &str, attempt: u32, secrets: Secrets) -> Self {
        Self::of(path.to_owned(), Target::Unopened, format!("stage {stage}, attempt {attempt}\n"), secrets)
    }

    /// Makes the file now if it isn't there: for an attempt that is looked at while it goes on.
    pub fn settle(&self) {
        let mut inner = self.inner();
        if matches!(inner.target, Target::Unopened) && inner.open().is_err() {
            inner.target = Target::Nowhere;
        }
    }

    /// A log without a file: it only keeps the last lines of standard error.
    pub fn nowhere() -> Self {
        Self::of(PathBuf::new(), Target::Nowhere, String::new(), Secrets::default())
    }

    fn of(path: PathBuf, target: Target, unwritten: String, secrets: Secrets) -> Self {
        let (start, tail) = (Instant::now(), VecDeque::new());
        Self(Arc::new(Mutex::new(Inner { path, target, unwritten, start, tail, secrets })))
    }

    /// Where it is, if it could be made.
    pub fn path(&self) -> Option<PathBuf> {
        let inner = self.inner();
        matches!(inner.target, Target::Open(_)).then(|| inner.path.clone())
    }

    /// The job, so that a failed attempt can be looked into.
    pub fn job(&self, job: &Job) {
        if let Ok(text) = serde_json::to_string_pretty(job) {
            let mut inner = self.inner();
            inner.add_block(&format!("job {text}"));
            if matches!(inner.target, Target::Open(_)) {
                inner.flush();
            }
        }
    }

    /// What the body said.
    pub fn say(&self, text: &str) {
        self.inner().write("", text);
    }

    /// A line of the process's standard error.
    pub fn error_line(&self, line: &str) {
        let mut inner = self.inner();
        if inner.tail.len() == TAIL {
            inner.tail.pop_front();
        }
        let line = inner.secrets.masked(line).into_owned();
        inner.tail.push_back(line.clone());
        inner.write("stderr: ", &line);
    }

    /// The last lines of standard error.
    pub fn tail(&self) -> Vec<String> {
        self.inner().tail.iter().cloned().collect()
    }

    /// How the attempt ended: the last line.
    pub fn end(&self, result: Result<(), &StageError>) {
        let mut inner = self.inner();
        match result {
            Ok(()) if matches!(inner.target, Target::Unopened) => {}
            Ok(()) => inner.write("", &format!("{END}done")),
            Err(error) => {
                inner.write("", &format!("{END}{FAILED}{}", error.message));
                if let Some(hint) = &error.hint {
                    inner.write("hint: ", hint);
                }
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked between two lines leaves nothing half-changed that matters to a log.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where lines go.
#[derive(Debug)]
enum Target {
    Unopened,
    Open(File),
    Nowhere,
}

/// How the attempt that wrote a log ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    Done,
    /// With this error; its first line.
    Failed(String),
    /// Not yet, or with the process that wrote the log.
    Open,
}

impl Ending {
    /// What the last lines of the log at `path` say.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let said = text.lines().rev().find_map(|line| line.split_once("] ")?.1.strip_prefix(END));
        Ok(match said.map(|said| (said, said.strip_prefix(FAILED))) {
            None => Self::Open,
            Some((_, Some(message))) => Self::Failed(message.to_owned()),
            Some((_, None)) => Self::Done,
        })
    }
}

impl Inner {
    fn write(&mut self, prefix: &str, text: &str) {
        self.add(prefix, text);
        self.flush();
    }

    /// Adds lines, each with the moment.
    fn add(&mut self, prefix: &str, text: &str) {
        if matches!(self.target, Target::Nowhere) {
            return;
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let text = self.secrets.masked(text);
        let prefix = format!("[{seconds:9.3}] {prefix}");
        self.unwritten.reserve(text.len() + (text.lines().count() + 1) * (prefix.len() + 1));
        for line in text.lines() {
            self.unwritten.extend([prefix.as_str(), line, "\n"]);
        }
    }

    /// Adds lines of one moment, which stands before the first.
    fn add_block(&mut self, text: &str) {
        if matches!(self.target, Target::Nowhere) {
            return;
        }
        let seconds = self.start.elapsed().as_secs_f64();
        self.unwritten.push_str(&format!("[{seconds:9.3}] {}\n", self.secrets.masked(text)));
    }

    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.unwritten);
        if let Target::Unopened = self.target {
            self.unwritten = lines;
            if self.open().is_err() {
                self.target = Target::Nowhere;
            }
        } else if let Target::Open(file) = &mut self.target
            && file.write_all(lines.as_bytes()).is_err()
        {
            self.target = Target::Nowhere;
        }
    }

    /// Makes the file, with what was not written before.
    fn open(&mut self) -> io::Result<()> {
        let mut file = match (File::create(&self.path), self.path.parent()) {
            // Usually the folder is there.
            (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
                fs_err::create_dir_all(folder)?;
                File::create(&self.path)?
            }
            (file, _) => file?,
        };
        file.write_all(std::mem::take(&mut self.unwritten).as_bytes())?;
        self.target = Target::Open(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Log};
    use crate::base::secrets::Secrets;
    use crate::exec::testing::job;
    use crate::protocol::StageError;

    #[test]
    fn tells_the_job_what_was_said_and_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/attempt.log");
        let log =
            Log::create(&path, "fit", 2, Secrets::of([("A_TOKEN".to_owned(), "lines".to_owned() + "!!")])).unwrap();
        log.job(&job(7, folder.path()));
        log.say("two\nlines and lines!!");
        for number in 0..20 {
            log.error_line(&format!("problem {number}"));
        }
        assert_eq!(Ending::of(&path).unwrap(), Ending::Open);
        log.end(Err(&StageError::input("no rows\nat all").with_hint("add some")));
        assert_eq!(Ending::of(&path).unwrap(), Ending::Failed("no rows".to_owned()));
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.starts_with("stage fit, attempt 2\n["));
        for wanted in [
            "] job {",
            "\"id\": 7",
            "] two\n",
            "] lines and ***\n",
            "] stderr: problem 0\n",
            "] end: failed: no rows\n",
            "add some",
        ] {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert_eq!(log.tail().first().map(String::as_str), Some("problem 12"));
        assert_eq!(log.tail().len(), 8);
    }

    #[test]
    fn silence_that_ends_well_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = |name: &str| {
            let log = Log::if_needed(&folder.path().join(name), "fit", 1, Secrets::default());
            log.job(&job(7, folder.path()));
            assert_eq!(log.path(), None);
            log
        };
        let (silent, failing, heard, long) = (log("silent"), log("failing"), log("heard"), log("long"));
        silent.end(Ok(()));
        failing.end(Err(&StageError::input("no")));
        heard.say("a word");
        long.settle();
        heard.end(Ok(()));
        long.end(Ok(()));
        assert_eq!(silent.path(), None);
        assert!(!folder.path().join("silent").exists());
        assert_eq!(Ending::of(&failing.path().unwrap()).unwrap(), Ending::Failed("no".to_owned()));
        for log in [heard, long] {
            let path = log.path().unwrap();
            assert_eq!(Ending::of(&path).unwrap(), Ending::Done);
            assert!(fs_err::read_to_string(&path).unwrap().contains("] job {"));
        }
    }
}
