//! Children that die with their parent.
//!
//! A killed runner (`kill -9`, out of memory) can't tell its workers to leave, so the kernel must. This is one of three
//! places of the package with `unsafe` code (the others are `disk` and `leader`, which starts the programs of stages):
//! `pre_exec` runs between fork and exec, where only async-signal-safe calls are allowed, which `prctl`, `getppid` and
//! `_exit` are.
#![allow(unsafe_code)]

use std::process::Command;

/// Makes the kernel kill the child when the thread that spawns it ends: spawn from a thread that lives as long as the
/// child may (Linux ties the signal to the parent's thread, not to its process).
#[cfg(target_os = "linux")]
pub fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    let parent = std::process::id();
    // SAFETY: the closure makes system calls only, touches no memory of the parent but a copied integer, and allocates
    // nothing.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            // The parent may have died before the call above; then nobody would ever send the signal.
            if u32::try_from(libc::getppid()) != Ok(parent) {
                libc::_exit(1);
            }
            Ok(())
        });
    }
}

/// Other systems have no such request; there a worker leaves when its standard input closes.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_: &mut Command) {}
