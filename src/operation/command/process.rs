//! The program itself: started, listened to, ended with everything that it has started.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::environment::Environment;
use crate::base::group::{Group, Seen};
use crate::base::leader::stirs;
use crate::base::program::Program;
use crate::protocol::{Reporter, StageError};

/// How often it is looked whether the stage is still wanted.
const POLL: Duration = Duration::from_millis(50);
/// How long a program is waited for that somebody has open for writing, and how often it is tried meanwhile.
const BUSY: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);
/// What has left the group of a program that has ended may hold its output open; it is not listened to for longer.
const GRACE: Duration = Duration::from_secs(1);
/// Lines that an error message repeats.
const TAIL: usize = 8;
/// A longer line is cut in two.
const LONGEST_LINE: usize = 16 * 1024;
/// So much is read at a time.
const CHUNK: usize = 4 * 1024;

/// How a program ended, and its last words.
pub(super) struct Ended {
    status: ExitStatus,
    tail: VecDeque<String>,
}

/// Runs a program to its end. What it writes to standard output and standard error goes to the log line by line, in the
/// order in which it comes.
///
/// # Errors
/// When it can't be started.
pub(super) fn run(
    program: &[String],
    folder: &Path,
    environment: &Environment,
    reporter: &mut dyn Reporter,
) -> Result<Ended, StageError> {
    let (reader, writer) = io::pipe()?;
    let nothing = fs_err::File::open("/dev/null")?;
    let name = program.first().map(String::as_str).unwrap_or_default();
    let program = Program {
        words: program.iter().map(OsString::from).collect(),
        environment: environment.variables.clone(),
        folder: Some(folder),
        input: nothing.as_fd(),
        output: writer.as_fd(),
    };
    let mut group = start(&program, reporter).map_err(|error| unstartable(name, &error))?;
    let mut lines = Lines::of(reader);
    let mut tail = VecDeque::new();
    let mut hear = |line: String, reporter: &mut dyn Reporter| {
        let line = environment.censor(line);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        reporter.log(&line);
        tail.push_back(line);
    };
    loop {
        match group.watch(lines.pipe(), POLL) {
            Seen::End => break,
            Seen::Output => lines.read()?.into_iter().for_each(|line| hear(line, reporter)),
            Seen::Nothing => {}
        }
        reporter.still_wanted();
    }
    let status = group.end()?;
    if status.success() {
        reporter.computed();
    }
    let ended = Instant::now();
    // Without our own end of the pipe it ends when the last process closes it. Until now, that would have been one more moment
    // to wake up for.
    drop(writer);
    while let Some(pipe) = lines.pipe() {
        if !stirs([Some(pipe)], GRACE.saturating_sub(ended.elapsed()))[0] {
            break;
        }
        lines.read()?.into_iter().for_each(|line| hear(line, reporter));
    }
    Ok(Ended { status, tail })
}

/// What a program says, line by line. A carriage return ends a line too: progress bars write them. Bytes that are not UTF-8
/// are replaced.
struct Lines {
    /// Absent when its end was read.
    pipe: Option<PipeReader>,
    /// What is no whole line yet.
    bytes: Vec<u8>,
}

impl Lines {
    fn of(pipe: PipeReader) -> Self {
        Self { pipe: Some(pipe), bytes: Vec::new() }
    }

    /// The pipe, as long as something may come.
    fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads once; waits, if nothing is there. Returns the lines that are whole now, or too long to wait for their end.
    fn read(&mut self) -> io::Result<Vec<String>> {
        let Some(pipe) = &mut self.pipe else { return Ok(Vec::new()) };
        let mut chunk = [0; CHUNK];
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(count) => self.bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        let mut lines = Vec::new();
        let mut rest = &self.bytes[..];
        loop {
            let near = &rest[..rest.len().min(LONGEST_LINE)];
            let length = match near.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if near.len() == LONGEST_LINE || self.pipe.is_none() && !near.is_empty() => near.len(),
                None => break,
            };
            let text = String::from_utf8_lossy(&rest[..length]);
            let whole = text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty());
            lines.extend(whole.map(str::to_owned));
            rest = &rest[length..];
        }
        self.bytes.drain(..self.bytes.len() - rest.len());
        Ok(lines)
    }
}

/// Starts a program when nobody has its file open for writing. When this process has just written that, another thread may be
/// starting a program, which has open what is open here until it begins.
fn start(program: &Program<'_>, reporter: &mut dyn Reporter) -> io::Result<Group> {
    let start = Instant::now();
    loop {
        match Group::spawn(program) {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && start.elapsed() < BUSY => {
                std::thread::sleep(PAUSE);
                reporter.still_wanted();
            }
            started => return started,
        }
    }
}

fn unstartable(name: &str, error: &io::Error) -> StageError {
    let failed = StageError::environment(format!("`{name}` can't be started: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound if name.contains('/') => {
            failed.with_hint(format!("add `{name}` to the stage's `files`; if it is a script, see that its first line names a program that is there"))
        }
        io::ErrorKind::NotFound => failed.with_hint("install it, or add its folder to `PATH`"),
        io::ErrorKind::ExecutableFileBusy => {
            failed.with_hint("something has it open for writing: run the same command again when that has ended")
        }
        io::ErrorKind::PermissionDenied => failed.with_hint(format!("make it executable: `chmod +x {name}`")),
        _ => failed,
    }
}

impl Ended {
    /// Whether it ended well.
    ///
    /// # Errors
    /// How it ended otherwise, with its last words.
    pub(super) fn check(&self, program: &[String], folder: &Path) -> Result<(), StageError> {
        if self.status.success() {
            return Ok(());
        }
        let name = program.first().map(String::as_str).unwrap_or_default();
        let (mut message, machine) = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => (format!("`{name}` ended with code {code}"), false),
            (None, Some(libc::SIGKILL)) => {
                (format!("`{name}` was killed by signal 9, perhaps because the machine ran out of memory"), true)
            }
            (None, Some(signal @ (libc::SIGSEGV | libc::SIGABRT | libc::SIGBUS | libc::SIGILL | libc::SIGFPE))) => {
                (format!("`{name}` crashed with signal {signal}"), false)
            }
            (None, signal) => (format!("`{name}` was ended by signal {}", signal.unwrap_or(0)), true),
        };
        if !self.tail.is_empty() {
            let tail: Vec<&str> = self.tail.iter().map(String::as_str).collect();
            message.push_str(&format!("; its last words:\n  {}", tail.join("\n  ")));
        }
        let failed = if machine { StageError::environment(message) } else { StageError::input(message) };
        Err(failed.with_hint(format!("its folder is kept until the next attempt: `{}`", folder.display())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{CHUNK, LONGEST_LINE, Lines};

    #[test]
    fn lines_come_whole_whatever_they_arrive_in() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut lines = Lines::of(reader);
        let mut say = |bytes: &[u8]| {
            writer.write_all(bytes).unwrap();
            lines.read().unwrap()
        };
        assert_eq!(say(b"one\ntw"), ["one"]);
        assert_eq!(say(b"o"), [""; 0]);
        assert_eq!(say(b" \n\n 10 %\r 20 %\rthree\xff\n"), ["two", " 10 %", " 20 %", "three\u{fffd}"]);
        // What has no end is cut; its rest waits for one.
        let long: Vec<String> = (0..LONGEST_LINE / CHUNK).flat_map(|_| say(&[b'x'; CHUNK])).collect();
        assert_eq!(long, ["x".repeat(LONGEST_LINE)]);
        assert_eq!(say(b"end"), [""; 0]);
        drop(writer);
        assert_eq!(lines.read().unwrap(), ["end"]);
        assert!(lines.pipe().is_none() && lines.read().unwrap().is_empty());
    }
}
