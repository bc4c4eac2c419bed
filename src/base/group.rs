//! Programs with all that they start: one process group, killed as a whole.
//!
//! When the runner is killed, nobody else knows what its programs have started. So there is one guard: a small shell that is
//! told which groups run and that reads until the runner's end of a pipe closes, however that comes about. Then it kills
//! what it was told of. A process that leaves its group on purpose (`setsid`) is out of reach. The program itself is killed by
//! the kernel ([`death`]), with a shell or without.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::death;

/// Numbers of groups come a line each, with `-` before one that is over.
const GUARD: &str = r#"
groups=" "
while read -r line; do
  case $line in
    -*) gone=${line#-}; groups="${groups%% "$gone" *} ${groups#* "$gone" }" ;;
    *) groups="$groups$line " ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

/// A running program and whatever it has started. Dropping it kills them all.
#[derive(Debug)]
pub struct Group {
    leader: Child,
    over: bool,
}

impl Group {
    /// Starts a program as the leader of a new group. Call it from a thread that outlives the program: it dies with it.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        // A group of its own: the terminal's Ctrl-C reaches the runner only, which decides what it means.
        command.process_group(0);
        // The guard kills the leader too, but hears of it only when it runs; the kernel knows from the start.
        death::die_with_parent(command);
        let leader = command.spawn()?;
        tell_guard(&format!("{}\n", leader.id()));
        Ok(Self { leader, over: false })
    }

    /// Whether the program has ended; what it has started may go on.
    pub fn has_ended(&self) -> bool {
        self.over || death::has_ended(self.leader.id())
    }

    /// Kills everything that is left, and says how the program ended.
    ///
    /// # Errors
    /// None on a program that was started here.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        if !self.over {
            // In this order: the number is ours until the leader is waited for.
            death::kill_group(self.leader.id());
            tell_guard(&format!("-{}\n", self.leader.id()));
            self.over = true;
        }
        self.leader.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It fails only for a process that was waited for.
        let _ = self.end();
    }
}

/// Sends the guard a line. Without a guard (there is no shell) programs still die with the runner, but not what they
/// have started.
fn tell_guard(line: &str) {
    if let Some(pipe) = pipe() {
        let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = pipe.write_all(line.as_bytes());
    }
}

/// The way to the guard, which is started when it is needed first.
fn pipe() -> Option<&'static Mutex<ChildStdin>> {
    static PIPE: OnceLock<Option<Mutex<ChildStdin>>> = OnceLock::new();
    PIPE.get_or_init(|| guard().map(Mutex::new)).as_ref()
}

/// Starts the guard, in a group of its own, so that nothing that is meant for the runner reaches it.
fn guard() -> Option<ChildStdin> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", GUARD]).process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().ok()?.stdin
}

#[cfg(test)]
mod tests {
    use super::{GUARD, Group};
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// A shell that has started a `sleep` and has said its number.
    fn family(command: &mut Command) -> &mut Command {
        command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped())
    }

    fn number(leader: &mut Child) -> u32 {
        let mut line = String::new();
        BufReader::new(leader.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// Waits until a process is gone or only waits to be waited for.
    fn dies(pid: u32) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            match fs_err::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) if !stat.contains(") Z") => std::thread::sleep(Duration::from_millis(2)),
                _ => return true,
            }
        }
        false
    }

    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let mut group = Group::spawn(family(&mut Command::new("sh"))).unwrap();
        let child = number(&mut group.leader);
        assert!(!group.has_ended());
        drop(group);
        assert!(dies(child));

        let mut group = Group::spawn(Command::new("sh").args(["-c", "exit 3"])).unwrap();
        while !group.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(group.end().unwrap().code(), Some(3));
        assert_eq!(group.end().unwrap().code(), Some(3));
    }

    #[test]
    fn the_guard_kills_what_runs_when_the_pipe_closes_and_nothing_else() {
        let mut guard = Command::new("/bin/sh").args(["-c", GUARD]).stdin(Stdio::piped()).spawn().unwrap();
        let mut families: Vec<Child> =
            (0..3).map(|_| family(&mut Command::new("sh")).process_group(0).spawn().unwrap()).collect();
        let children: Vec<u32> = families.iter_mut().map(number).collect();
        let mut pipe = guard.stdin.take().unwrap();
        for family in &families {
            writeln!(pipe, "{}", family.id()).unwrap();
        }
        writeln!(pipe, "-{}", families[1].id()).unwrap();
        drop(pipe);
        guard.wait().unwrap();
        assert!(dies(children[0]) && dies(children[2]));
        assert!(families[1].try_wait().unwrap().is_none());
        super::death::kill_group(families[1].id());
        assert!(dies(children[1]));
        families.iter_mut().for_each(|family| drop(family.wait()));
    }
}
