//! Whether programs that have ended left processes behind: those that have left their group, which nobody kills.
//!
//! On Linux a process can ask to become the parent of all orphans among its descendants. Then whatever lives on of a program
//! that has ended is below one of the children that this process did not start. Elsewhere nothing is known.

#[cfg(target_os = "linux")]
pub use linux::{are_none, ended, gather, started};

/// Makes this process the parent of what its programs leave behind from now on.
#[cfg(not(target_os = "linux"))]
pub fn gather() {}

/// Whether nothing is left that programs have started which have ended; `false` if nobody can tell.
#[cfg(not(target_os = "linux"))]
pub fn are_none() -> bool {
    false
}

/// Notes that a process was started, which somebody will wait for.
#[cfg(not(target_os = "linux"))]
pub fn started(_: u32) {}

/// Notes that a process was waited for.
#[cfg(not(target_os = "linux"))]
pub fn ended(_: u32) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::io;
    use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

    use rustix::io::Errno;
    use rustix::process::{Pid, WaitIdOptions, WaitOptions};
    use rustix::process::{WaitId, getpgid, getpgrp, getpid, set_child_subreaper, waitid, waitpid};

    /// Whether this process gets the orphans, if it has asked for them.
    static GATHERS: OnceLock<bool> = OnceLock::new();

    /// What this process has started in groups of their own, and not waited for yet: when the thread ends that has started one, it
    /// is no orphan.
    static STARTED: LazyLock<Mutex<HashSet<u32>>> = LazyLock::new(Mutex::default);

    /// Notes that a process was started, which somebody will wait for.
    pub fn started(number: u32) {
        all_started().insert(number);
    }

    /// Notes that a process was waited for.
    pub fn ended(number: u32) {
        all_started().remove(&number);
    }

    fn all_started() -> MutexGuard<'static, HashSet<u32>> {
        STARTED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So often the children are listed at most; a system that says the same each time is asked no more.
    const ROUNDS: usize = 100;

    /// Makes this process the parent of what its programs leave behind from now on.
    pub fn gather() {
        GATHERS.get_or_init(|| set_child_subreaper(Some(getpid())).is_ok());
    }

    /// Whether nothing is left that programs have started which have ended; `false` if nobody can tell. Where several programs
    /// run, it does not say whose it is.
    pub fn are_none() -> bool {
        // One at a time: the kernel's list may pass over one when another one goes.
        static ASKING: Mutex<()> = Mutex::new(());
        let _asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        if GATHERS.get() != Some(&true) {
            return false;
        }
        for _ in 0..ROUNDS {
            let Ok(children) = adopted() else { return false };
            // Each is looked at, so that each that has ended is waited for.
            let states: Vec<State> = children.into_iter().map(look).collect();
            if states.contains(&State::Lives) {
                return false;
            }
            // When one ends, its own children become ours, perhaps after they were listed.
            if !states.contains(&State::Ended) {
                return true;
            }
        }
        false
    }

    /// What a child is.
    #[derive(PartialEq, Eq)]
    enum State {
        /// One that somebody here has started and waits for.
        Ours,
        /// An orphan.
        Lives,
        /// One that was an orphan until now.
        Ended,
    }

    /// The children of the first thread, which gets the orphans; it starts no programs itself, but takes over the children of
    /// threads that have ended.
    fn adopted() -> io::Result<Vec<Pid>> {
        let number = getpid();
        let children = fs_err::read_to_string(format!("/proc/self/task/{number}/children"))?;
        Ok(children.split_ascii_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect())
    }

    /// Looks at a child. An orphan that has ended is waited for, so that it does not stay in the kernel's tables.
    fn look(child: Pid) -> State {
        let number = child.as_raw_nonzero().get().cast_unsigned();
        if all_started().contains(&number) {
            return State::Ours;
        }
        let looked = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(child), looked) {
            Ok(None) => State::Lives,
            // Whoever started it from here, in our group, waits for it.
            Ok(Some(_)) if getpgid(Some(child)).is_ok_and(|group| group == getpgrp()) => State::Ours,
            Ok(Some(_)) => {
                let _ = waitpid(Some(child), WaitOptions::NOHANG);
                State::Ended
            }
            // Somebody has waited for it in this moment.
            Err(Errno::CHILD) => State::Ended,
            Err(_) => State::Lives,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{are_none, gather};
        use crate::base::group::testing::{dies, number};
        use std::process::{Command, Stdio};

        /// Set where the test has a process of its own: in this one, other tests leave orphans.
        const ALONE: &str = "COMPT_TEST_ALONE";

        #[test]
        fn what_has_left_its_group_is_seen_until_it_ends_and_then_waited_for() {
            if std::env::var_os(ALONE).is_none() {
                let name = std::thread::current().name().unwrap().to_owned();
                let mut own = Command::new(std::env::current_exe().unwrap());
                let output = own.args(["--exact", &name]).env(ALONE, "1").output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success() && said.contains("1 passed"), "{said}");
                return;
            }
            gather();
            assert!(are_none());
            // The shell ends at once; what it started has a session of its own, and no output of it.
            let line = "setsid sh -c 'echo $$; exec sleep 600 > /dev/null 2>&1' &";
            let mut shell = Command::new("sh").args(["-c", line]).stdout(Stdio::piped()).spawn().unwrap();
            let orphan = number(shell.stdout.take().unwrap());
            shell.wait().unwrap();
            assert!(!are_none() && !are_none());
            let killed = Command::new("kill").arg("-KILL").arg(orphan.to_string()).status().unwrap();
            assert!(killed.success() && dies(orphan) && are_none());
            assert!(!std::path::Path::new(&format!("/proc/{orphan}")).exists(), "nobody has waited for it");
        }
    }
}
