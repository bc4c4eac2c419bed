//! The few calls of the system that have no safe form.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Takes standard output for messages alone: what any library prints from now on goes to standard error.
///
/// # Errors
/// What the system returns.
pub fn take_standard_output() -> io::Result<File> {
    let messages: OwnedFd = io::stdout().as_fd().try_clone_to_owned()?;
    // SAFETY: both numbers are open descriptors of this process; dup2 replaces the first atomically.
    if unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(File::from(messages))
}

/// Leaves at once: other threads may be inside libtorch, so that no destructor may run.
pub fn leave_at_once(code: i32) -> ! {
    // SAFETY: _exit does not return and touches no memory of ours.
    unsafe { libc::_exit(code) }
}
