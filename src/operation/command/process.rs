//! The program itself: started, listened to, ended with everything that it has started.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::environment::Environment;
use crate::base::group::Group;
use crate::protocol::{Reporter, StageError};

/// How often it is looked whether the stage is still wanted.
const POLL: Duration = Duration::from_millis(50);
/// What has left the group of a program that has ended may hold its output open; it is not listened to for longer.
const GRACE: Duration = Duration::from_secs(1);
/// Lines that an error message repeats.
const TAIL: usize = 8;
/// A longer line is cut in two.
const LONGEST_LINE: u64 = 16 * 1024;

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
    let (mut group, lines) = start(program, folder, environment)?;
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
        match lines.recv_timeout(POLL) {
            Ok(line) => hear(line, reporter),
            Err(RecvTimeoutError::Timeout) if group.has_ended() => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        reporter.still_wanted();
    }
    // Usually it ends in the moment in which it closes its output; one that goes on in silence is waited for.
    let mut pause = Duration::from_micros(100);
    while !group.has_ended() {
        std::thread::sleep(pause);
        pause = (pause * 2).min(POLL);
        reporter.still_wanted();
    }
    let status = group.end()?;
    let ended = Instant::now();
    while let Ok(line) = lines.recv_timeout(GRACE.saturating_sub(ended.elapsed())) {
        hear(line, reporter);
    }
    Ok(Ended { status, tail })
}

fn start(
    program: &[String],
    folder: &Path,
    environment: &Environment,
) -> Result<(Group, Receiver<String>), StageError> {
    let name = program.first().map(String::as_str).unwrap_or_default();
    // A name with `/` is a path in the folder, any other is looked up on the PATH that the program gets.
    let place = if name.contains('/') { folder.join(name).into_os_string() } else { name.into() };
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(place);
    command.args(&program[1..]).current_dir(folder).env_clear().envs(&environment.variables);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let group = Group::spawn(&mut command).map_err(|error| unstartable(name, &error))?;
    // With the command our own ends of the pipe are closed, so that it ends when the last process closes it.
    drop(command);
    Ok((group, read_lines(reader)))
}

/// The lines of a pipe over a channel that closes with it. A carriage return ends a line too: progress bars write them.
/// Bytes that are not UTF-8 are replaced.
fn read_lines(pipe: PipeReader) -> Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(1024);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&bytes);
            for line in text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty()) {
                if sender.send(line.to_owned()).is_err() {
                    return;
                }
            }
            bytes.clear();
        }
    });
    lines
}

fn unstartable(name: &str, error: &io::Error) -> StageError {
    let failed = StageError::environment(format!("`{name}` can't be started: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound if name.contains('/') => {
            failed.with_hint(format!("add `{name}` to the stage's `files`; if it is a script, see that its first line names a program that is there"))
        }
        io::ErrorKind::NotFound => failed.with_hint("install it, or add its folder to `PATH`"),
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
