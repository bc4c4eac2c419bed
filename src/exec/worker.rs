//! One `compt-worker` process: started, greeted, given jobs, and explained when it dies.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::log::Log;
use crate::base::{death, orphans, secrets};
use crate::protocol::{FromWorker, Hello, Job, PROTOCOL, Reporter, StageError, ToWorker};

/// How long a worker may take to introduce itself: libtorch from a cold network disk is slow.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How long a worker that was told to leave may take.
const GRACE: Duration = Duration::from_secs(2);
/// How long the end of a dying worker, and its last words, are waited for.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What can't change while a worker process lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Threads of one operator.
    pub threads: usize,
    /// The GPUs that it sees; none hides them all.
    pub gpus: Vec<String>,
}

/// A worker process. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    program: PathBuf,
    setting: Setting,
    child: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: Arc<Mutex<Log>>,
    errors_read: Receiver<()>,
    hello: Option<Hello>,
    /// Whether it answers texts; otherwise it runs stages, which have checkpoints.
    answers: bool,
}

/// Starts a worker only to hear its introduction: where it is, which libtorch and devices it has.
///
/// # Errors
/// When there is none, or it does not fit to this program.
pub fn hello() -> Result<(PathBuf, Hello), StageError> {
    let program = super::locate::worker()?;
    let mut worker = Worker::start(&program, Setting { threads: 1, gpus: super::resources::visible_gpus() })?;
    let hello = worker.greet(PATIENCE)?;
    worker.leave();
    Ok((program, hello))
}

/// Kills a worker from another thread than the one that waits for it.
#[derive(Clone, Debug)]
pub struct Killer(Arc<Mutex<Child>>);

/// Why a job on a worker ended without a result.
#[derive(Debug)]
pub enum Fault {
    /// The job failed; the worker lives and takes the next one.
    Job(StageError),
    /// The worker is of no use any more.
    Worker(StageError),
}

impl Killer {
    /// Kills the process; nothing happens when it is gone already.
    pub fn kill(&self) {
        // The only failure is that it has ended.
        let _ = locked(&self.0).kill();
    }
}

impl Worker {
    /// Starts a process and returns at once. Call it from a thread that lives as long as the run: on Linux the kernel
    /// kills the worker when the thread that started it ends.
    ///
    /// # Errors
    /// When the program can't be started.
    pub fn start(program: &Path, setting: Setting) -> Result<Self, StageError> {
        let mut command = Command::new(program);
        let threads = setting.threads.to_string();
        command
            .env("OMP_NUM_THREADS", &threads)
            .env("MKL_NUM_THREADS", &threads)
            // Idle OpenMP threads that spin take the core from the worker beside them.
            .env("OMP_WAIT_POLICY", "PASSIVE")
            .env("CUDA_VISIBLE_DEVICES", setting.gpus.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Data and models are fetched by the runner: a worker has nothing to prove to anybody.
        for name in secrets::variables() {
            command.env_remove(name);
        }
        #[cfg(unix)]
        {
            // A group of its own: the terminal's Ctrl-C reaches the runner only, which decides what it means.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        death::die_with_parent(&mut command);
        let mut child = command.spawn().map_err(|error| {
            StageError::environment(format!("failed to start `{}`: {error}", program.display()))
                .with_hint("build it with `make build`")
        })?;
        orphans::started(child.id());
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let log = Arc::new(Mutex::new(Log::nowhere()));
        let sink = log.clone();
        Ok(Self {
            program: program.to_owned(),
            setting,
            child: Arc::new(Mutex::new(child)),
            input,
            lines: read_lines(output),
            errors_read: drain_errors(errors, sink),
            log,
            hello: None,
            answers: false,
        })
    }

    /// From now on it answers texts: when it dies, advice about stages would be wrong.
    pub(super) fn will_answer(&mut self) {
        self.answers = true;
    }

    /// What it was started with.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        locked(&self.child).id()
    }

    /// For killing it while another thread waits for its answer.
    pub fn killer(&self) -> Killer {
        Killer(self.child.clone())
    }

    /// Waits for its introduction, the first time, and checks that both programs were built from the same sources.
    ///
    /// # Errors
    /// When it says nothing for `patience`, something else, or has another version.
    pub fn greet(&mut self, patience: Duration) -> Result<Hello, StageError> {
        if let Some(hello) = &self.hello {
            return Ok(hello.clone());
        }
        let program = self.program.display().to_string();
        let line = match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                self.killer().kill();
                return Err(StageError::environment(format!(
                    "`{program}` did not introduce itself within {} seconds",
                    patience.as_secs_f64()
                ))
                .with_hint("see whether the machine is overloaded and whether `compt doctor` finds libtorch"));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(self.obituary()),
        };
        let Ok(FromWorker::Hello(hello)) = serde_json::from_str(&line) else {
            self.killer().kill();
            return Err(StageError::environment(format!(
                "`{program}` began with `{}` instead of an introduction",
                shortened(&line)
            ))
            .with_hint("build `compt` and `compt-worker` together with `make build`"));
        };
        let ours = env!("CARGO_PKG_VERSION");
        if hello.protocol != PROTOCOL || hello.version != ours {
            self.killer().kill();
            return Err(StageError::environment(format!(
                "`{program}` is version {} (protocol {}), but this `compt` is version {ours} (protocol {PROTOCOL})",
                hello.version, hello.protocol
            ))
            .with_hint("build both together with `make build`"));
        }
        self.hello = Some(hello.clone());
        Ok(hello)
    }

    /// Runs a job and waits for its end. What the process writes to standard error goes into `log`.
    ///
    /// # Errors
    /// The job's failure, or why the worker can't go on.
    pub fn run(&mut self, job: &Job, log: &Log, reporter: &mut dyn Reporter) -> Result<(), Fault> {
        *locked(&self.log) = log.clone();
        let ended = self.converse(job, log, reporter);
        *locked(&self.log) = Log::nowhere();
        ended
    }

    fn converse(&mut self, job: &Job, log: &Log, reporter: &mut dyn Reporter) -> Result<(), Fault> {
        self.tell(&ToWorker::Run(Box::new(job.clone()))).map_err(Fault::Worker)?;
        loop {
            match self.hear(log, job.id).map_err(Fault::Worker)? {
                FromWorker::Progress(progress) if progress.id == job.id => {
                    reporter.progress(progress.done, progress.total, &progress.unit, &progress.remark);
                }
                FromWorker::Log { id, text } if id == job.id => reporter.log(&text),
                FromWorker::Done { id, facts } if id == job.id => {
                    facts.into_iter().for_each(|(name, value)| reporter.fact(&name, value));
                    return Ok(());
                }
                FromWorker::Failed { id, error } if id == job.id => return Err(Fault::Job(error)),
                other => return Err(Fault::Worker(self.out_of_turn(&other, job.id))),
            }
        }
    }

    /// The next message. A native library that prints a remark must not cost hours of training; a broken message must.
    pub(super) fn hear(&mut self, log: &Log, id: u64) -> Result<FromWorker, StageError> {
        loop {
            let Ok(line) = self.lines.recv() else { return Err(self.obituary()) };
            if !line.trim_start().starts_with('{') {
                log.say(&format!("stdout: {line}"));
                continue;
            }
            return serde_json::from_str(&line).map_err(|_| self.stray(&line, id));
        }
    }

    /// The error for a message that makes no sense; the process is of no use any more.
    fn stray(&self, line: &str, id: u64) -> StageError {
        self.killer().kill();
        let program = self.program.display();
        StageError::bug(format!("`{program}` sent `{}`, which is no message of job {id}", shortened(line)))
    }

    /// The same for a message that is understood but answers nothing that was asked.
    pub(super) fn out_of_turn(&self, message: &FromWorker, id: u64) -> StageError {
        self.stray(&serde_json::to_string(message).unwrap_or_default(), id)
    }

    /// Sends a message.
    pub(super) fn tell(&mut self, message: &ToWorker) -> Result<(), StageError> {
        self.send(message).map_err(|_| self.obituary())
    }

    fn send(&mut self, message: &ToWorker) -> std::io::Result<()> {
        let input = self.input.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        let mut line = serde_json::to_string(message).map_err(std::io::Error::other)?;
        line.push('\n');
        input.write_all(line.as_bytes())?;
        input.flush()
    }

    /// Asks it to leave and gives it a moment to do so.
    pub fn leave(mut self) {
        // When it can't be told, it is gone or will be killed on drop.
        let _ = self.send(&ToWorker::Leave);
        self.input = None;
        self.wait(GRACE);
    }

    /// Waits up to `limit` for the process to end.
    fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = locked(&self.child).try_wait() {
                return Some(status);
            }
            if start.elapsed() >= limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Why a worker that closed its output is gone.
    fn obituary(&self) -> StageError {
        let status = self.wait(LAST_WORDS);
        self.killer().kill();
        // The last words may still be on their way from the pipe to the log.
        let _ = self.errors_read.recv_timeout(LAST_WORDS);
        let name = format!("`{}`", self.program.display());
        let (mut message, hint) = match status {
            None => (format!("{name} closed its output without ending"), None),
            Some(status) => explain(&name, status, self.answers),
        };
        let tail = locked(&self.log).tail();
        if !tail.is_empty() {
            let _ = write!(message, "; its last words:\n  {}", tail.join("\n  "));
        }
        let error = StageError::environment(message);
        hint.map_or(error.clone(), |hint| error.with_hint(hint))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut child = locked(&self.child);
        // Both fail only when it has ended and was waited for.
        let _ = child.kill();
        let _ = child.wait();
        orphans::ended(child.id());
    }
}

/// An exit status in words, with advice.
fn explain(name: &str, status: ExitStatus, answers: bool) -> (String, Option<&'static str>) {
    let (less, again) = match answers {
        true => ("answer fewer texts at once with `--batch 1`", "the same command with `--batch 1` needs least memory"),
        false => (
            "run fewer stages at once with `--jobs 1`, or lower the batch size; the next run goes on from the last checkpoint",
            "the next run goes on from the last checkpoint",
        ),
    };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return match signal {
            libc::SIGKILL => {
                (format!("{name} was killed by signal 9, perhaps because the machine ran out of memory"), Some(less))
            }
            libc::SIGSEGV | libc::SIGABRT | libc::SIGBUS | libc::SIGILL | libc::SIGFPE => {
                (format!("{name} crashed with signal {signal}"), Some(again))
            }
            _ => (format!("{name} was ended by signal {signal}"), Some(again)),
        };
    }
    match status.code() {
        Some(0) => (format!("{name} left before its work was done"), None),
        // What the dynamic loader answers when a library is missing.
        Some(127) => (format!("{name} ended with code 127"), Some("see whether `compt doctor` finds libtorch")),
        code => (format!("{name} ended with code {}", code.unwrap_or(-1)), None),
    }
}

/// The lines of a stream over a channel that closes with it.
fn read_lines(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    if let Some(stream) = stream {
        std::thread::spawn(move || {
            each_line(stream, |line| sender.send(line).is_ok());
        });
    }
    lines
}

/// Copies standard error into whatever log is the current one; the channel closes at its end.
fn drain_errors(stream: Option<impl Read + Send + 'static>, log: Arc<Mutex<Log>>) -> Receiver<()> {
    let (sender, ended) = mpsc::channel();
    if let Some(stream) = stream {
        std::thread::spawn(move || {
            each_line(stream, |line| {
                locked(&log).error_line(&line);
                true
            });
            drop(sender);
        });
    }
    ended
}

/// Calls `take` with each line until the stream ends or `take` has enough; bytes that are not UTF-8 are replaced.
fn each_line(stream: impl Read, mut take: impl FnMut(String) -> bool) {
    let mut stream = BufReader::new(stream);
    let mut bytes = Vec::new();
    while stream.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if !take(line) {
            return;
        }
    }
}

fn shortened(line: &str) -> String {
    const MOST: usize = 80;
    if line.chars().count() <= MOST { line.to_owned() } else { line.chars().take(MOST).chain("...".chars()).collect() }
}

/// The value; a thread that panicked while it held it changes nothing here.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
