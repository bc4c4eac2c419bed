//! The first process of a group: started, watched, killed with its group, waited for.
//!
//! The standard library can either do what a killed runner needs between fork and exec (`pre_exec`), and then copies the page
//! tables of the runner for each program, which takes longer than most programs; or start it without a copy, and then do
//! nothing there. So this is done here, with `unsafe` code: on Linux the child runs in the memory of its parent, which
//! stands still until the program has memory of its own (`CLONE_VM | CLONE_VFORK`, as in `posix_spawn`). Until then it makes
//! system calls only, on a stack of its own, without signals, and allocates nothing.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::program::{Image, Program};

/// Without a notice from the kernel it is looked this often whether a program has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A running program that leads a group.
#[derive(Debug)]
pub(super) struct Leader {
    number: i32,
    /// Can be read from when it has ended; absent where the kernel has no such thing.
    end: Option<OwnedFd>,
    status: Option<ExitStatus>,
}

impl Leader {
    /// Starts `image`, which is one of the files that `program` can mean. The kernel kills it when the thread that starts it
    /// ends (Linux ties that to the thread, not to its process). Before it runs, its number stands in the file and
    /// at the place of `note`.
    ///
    /// # Errors
    /// When it can't be started.
    #[cfg(target_os = "linux")]
    pub fn start(image: &Image, program: &Program<'_>, note: Option<(BorrowedFd<'_>, u64)>) -> Result<Self, Unstarted> {
        linux::start(image, program, note)
    }

    /// Other systems can't tie it to its parent: there only the guard kills it.
    #[cfg(not(target_os = "linux"))]
    pub fn start(image: &Image, program: &Program<'_>, note: Option<(BorrowedFd<'_>, u64)>) -> Result<Self, Unstarted> {
        let started = image.command(program).and_then(|mut command| command.spawn());
        let number = started.map_err(|error| Unstarted { error, leader: None })?.id() as i32;
        if let Some((Ok(file), place)) = note.map(|(file, place)| (file.try_clone_to_owned(), place)) {
            let file = std::fs::File::from(file);
            let _ = std::os::unix::fs::FileExt::write_all_at(&file, &super::guard::spelled(number), place);
        }
        Ok(Self { number, end: None, status: None })
    }

    /// The number of its process and of its group.
    pub fn number(&self) -> i32 {
        self.number
    }

    /// Waits until it has ended or there is something to read in `pipe`, but not for long. Returns both.
    pub fn watch(&self, pipe: Option<BorrowedFd<'_>>, at_most: Duration) -> (bool, bool) {
        let [ended, readable] = match &self.end {
            Some(end) => stirs([Some(end.as_fd()), pipe], at_most),
            None => stirs([None, pipe], at_most.min(LOOK)),
        };
        (ended || self.end.is_none() && self.has_ended(), readable)
    }

    /// Whether it has ended; until it is waited for, nobody else gets its number.
    fn has_ended(&self) -> bool {
        // SAFETY: the call writes into a value of ours that is large enough and that zero bytes make a valid one.
        self.status.is_some()
            || unsafe {
                let mut found: libc::siginfo_t = std::mem::zeroed();
                let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
                libc::waitid(libc::P_PID, self.number as libc::id_t, &raw mut found, options) != 0
                    || found.si_pid() != 0
            }
    }

    /// Kills every process of its group. Nothing happens once it was waited for: its number may be somebody else's.
    pub fn kill_group(&self) {
        // A number that is no process number would mean another group, or all processes.
        if self.status.is_none() && self.number > 1 {
            // SAFETY: a system call without memory. It fails when the group is empty, which is what is wanted.
            unsafe {
                libc::kill(-self.number, libc::SIGKILL);
            }
        }
    }

    /// Waits for its end; the second time it says the same.
    ///
    /// # Errors
    /// None on a program that was started here.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.status {
                return Ok(status);
            }
            let mut status = 0;
            // SAFETY: the call writes into an integer of ours.
            if unsafe { libc::waitpid(self.number, &raw mut status, 0) } == self.number {
                self.status = Some(ExitStatus::from_raw(status));
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

/// Why a program does not run.
#[derive(Debug)]
pub(super) struct Unstarted {
    pub error: io::Error,
    /// What the guard was told of, and what is still to be waited for.
    pub leader: Option<Leader>,
}

/// Waits until one of these files has something to read, or has ended, but not for long. Returns which have.
pub fn stirs<const N: usize>(files: [Option<BorrowedFd<'_>>; N], at_most: Duration) -> [bool; N] {
    // The kernel passes over a number below zero.
    let mut asked = files.map(|file| libc::pollfd {
        fd: file.map_or(-1, |file| file.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    let milliseconds = i32::try_from(at_most.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the call reads and writes the array, whose length it is told; the files are open as long as they are borrowed.
    // When it fails (a signal came), it has found nothing.
    let found = unsafe { libc::poll(asked.as_mut_ptr(), N as libc::nfds_t, milliseconds) };
    asked.map(|file| found > 0 && file.revents != 0)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{CStr, c_char, c_int, c_void};
    use std::io;
    use std::mem::{MaybeUninit, zeroed};
    use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
    use std::ptr::{null, null_mut};
    use std::sync::OnceLock;

    use super::{Leader, Unstarted};
    use crate::base::guard::spelled;
    use crate::base::program::{Image, Program};

    /// Bytes of the stack on which the child makes its few calls.
    const STACK: usize = 16 * 1024;

    /// The end of that stack must lie on a multiple of this.
    const ALIGNED: usize = 64;

    /// Signals have numbers up to here.
    const LAST_SIGNAL: c_int = 64;

    /// What the child is told, and what it says.
    struct Start<'a> {
        path: &'a CStr,
        /// As `execve` wants them: ended by null.
        words: &'a [*const c_char],
        variables: &'a [*const c_char],
        folder: Option<&'a CStr>,
        input: c_int,
        output: c_int,
        note: Option<(c_int, libc::off_t)>,
        /// Signals that get their usual meaning back.
        signals: &'a [c_int],
        parent: libc::pid_t,
        /// What went wrong.
        error: c_int,
    }

    pub fn start(
        image: &Image,
        program: &Program<'_>,
        note: Option<(BorrowedFd<'_>, u64)>,
    ) -> Result<Leader, Unstarted> {
        let mut start = Start {
            path: image.path.as_c_str(),
            words: &image.words(),
            variables: &image.variables(),
            folder: image.folder.as_deref(),
            input: program.input.as_raw_fd(),
            output: program.output.as_raw_fd(),
            note: note.map(|(file, place)| (file.as_raw_fd(), place as libc::off_t)),
            signals: own_signals(),
            // SAFETY: a system call without memory.
            parent: unsafe { libc::getpid() },
            error: 0,
        };
        let mut stack = [const { MaybeUninit::<u8>::uninit() }; STACK];
        let mut end: c_int = -1;
        // SAFETY: the stack and what `start` borrows live until this function returns; this thread stands still until the
        // child has memory of its own or is gone, so that nothing is used by two at once. Signals are blocked meanwhile, so
        // that no handler of this process runs in the child.
        let number = unsafe {
            let top = stack.as_mut_ptr().add(STACK);
            let top = top.sub(top as usize % ALIGNED);
            let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = (zeroed(), zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
            let number = libc::clone(child, top.cast(), flags, (&raw mut start).cast(), &raw mut end);
            let failed = io::Error::last_os_error();
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, null_mut());
            if number < 0 {
                return Err(Unstarted { error: failed, leader: None });
            }
            number
        };
        // SAFETY: the kernel has opened it for us, if it is one that knows of such files.
        let end = (end >= 0).then(|| unsafe { OwnedFd::from_raw_fd(end) });
        let leader = Leader { number, end, status: None };
        match start.error {
            0 => Ok(leader),
            error => Err(Unstarted { error: io::Error::from_raw_os_error(error), leader: Some(leader) }),
        }
    }

    extern "C" fn child(start: *mut c_void) -> c_int {
        // SAFETY: the parent made it, and does nothing until this process has left its memory.
        let start = unsafe { &mut *start.cast::<Start<'_>>() };
        let Err(error) = become_program(start);
        start.error = error.raw_os_error().unwrap_or(libc::EINVAL);
        // SAFETY: ends this process without anything that its parent has registered for its own end.
        unsafe { libc::_exit(127) }
    }

    /// Returns only when it fails.
    fn become_program(start: &Start<'_>) -> io::Result<std::convert::Infallible> {
        // SAFETY: system calls only, on what `start` borrows; none of them allocates.
        unsafe {
            // A group of its own: the terminal's Ctrl-C reaches the runner only, which decides what it means.
            checked(libc::setpgid(0, 0))?;
            checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            // The parent may have died before the call above; then nobody would ever send the signal.
            if libc::getppid() != start.parent {
                libc::_exit(1);
            }
            // What the program starts is known to the guard before there is anything.
            if let Some((file, place)) = start.note {
                let line = spelled(libc::getpid());
                libc::pwrite(file, line.as_ptr().cast(), line.len(), place);
            }
            reset_signals(start.signals);
            checked(libc::dup2(start.input, 0))?;
            checked(libc::dup2(start.output, 1))?;
            checked(libc::dup2(start.output, 2))?;
            if let Some(folder) = start.folder {
                checked(libc::chdir(folder.as_ptr()))?;
            }
            libc::execve(start.path.as_ptr(), start.words.as_ptr(), start.variables.as_ptr());
        }
        Err(io::Error::last_os_error())
    }

    /// The signals to which this program has given another meaning, asked when the first program starts. What the user has
    /// made this program ignore (`nohup`), the child ignores too, but for what Rust ignores in every program.
    fn own_signals() -> &'static [c_int] {
        static SIGNALS: OnceLock<Vec<c_int>> = OnceLock::new();
        SIGNALS.get_or_init(|| {
            let has_another = |signal: &c_int| {
                // SAFETY: the call writes into a value of ours that zero bytes make a valid one.
                let (known, now) = unsafe {
                    let mut now: libc::sigaction = zeroed();
                    (libc::sigaction(*signal, null(), &raw mut now) == 0, now.sa_sigaction)
                };
                let stays = now == libc::SIG_DFL || now == libc::SIG_IGN && *signal != libc::SIGPIPE;
                known && !stays
            };
            (1..=LAST_SIGNAL).filter(has_another).collect()
        })
    }

    /// Gives these signals back their usual meaning, and lets all of them come. A handler that was set later would not
    /// outlive `execve` either.
    unsafe fn reset_signals(signals: &[c_int]) {
        // SAFETY: system calls on values of ours; the child's handlers are not its parent's.
        unsafe {
            let mut usual: libc::sigaction = zeroed();
            usual.sa_sigaction = libc::SIG_DFL;
            for signal in signals {
                libc::sigaction(*signal, &raw const usual, null_mut());
            }
            let mut none: libc::sigset_t = zeroed();
            libc::sigemptyset(&raw mut none);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, null_mut());
        }
    }

    fn checked(returned: c_int) -> io::Result<()> {
        if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
