//! Children that die with their parent.
//!
//! A killed runner (`kill -9`, out of memory) can't tell its workers to leave, so the kernel must. This is one of two
//! places of the package with `unsafe` code (the other is `disk`): `pre_exec` runs between fork and exec, where only
//! async-signal-safe calls are allowed, which `prctl`, `getppid` and `_exit` are; and the standard library can neither signal
//! a process group nor look whether a child has ended without forgetting its number.
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

/// Kills every process of the group that `leader` leads. Its number must not have been given back to the system yet: call
/// this before waiting for the leader.
pub(super) fn kill_group(leader: u32) {
    // A number that is no process number would mean another group, or all processes.
    let Some(group) = i32::try_from(leader).ok().filter(|group| *group > 1) else { return };
    // SAFETY: a system call without memory. It fails when the group is empty, which is what is wanted.
    unsafe {
        libc::kill(-group, libc::SIGKILL);
    }
}

/// Whether a child has ended; it still has to be waited for, and until then nobody else gets its number.
pub(super) fn has_ended(child: u32) -> bool {
    // SAFETY: the call writes into a value of ours that is large enough and that zero bytes make a valid one.
    unsafe {
        let mut found: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_PID, child, &raw mut found, options) != 0 || found.si_pid() != 0
    }
}
