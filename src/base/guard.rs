//! The guard: a small shell that outlives the runner by a moment, to kill what the runner's programs have started.
//!
//! It sleeps on a pipe until the runner's end of it closes, however that comes about. Which groups run then stands in a file
//! without a name, which both have open: so nobody has to wake the guard while programs come and go.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::NamedTempFile;

use super::orphans;
use super::program::SHELL;

/// Reads the pipe to its end, then the file, which is its standard output: a number in each line, or nothing.
const SCRIPT: &str = r#"
read -r line
while read -r group; do
  case $group in ?*) kill -s KILL -- "-$group" ;; esac
done <&1
"#;

/// Bytes of a line: the longest number of a process, and its end.
const LINE: usize = 12;

/// The runner's side of the guard. When it is dropped, or its process ends, the guard kills what is noted.
#[derive(Debug)]
pub(super) struct Guard {
    _pipe: ChildStdin,
    groups: File,
    /// Which lines of the file are in use.
    taken: Mutex<Vec<bool>>,
}

/// A line of the guard's file, for one group. Dropping it tells the guard that the group is over.
#[derive(Debug)]
pub(super) struct Note<'a> {
    guard: &'a Guard,
    line: usize,
}

impl Guard {
    /// The one guard of this process, which is started when it is needed first. Without a guard (there is no shell, or no
    /// room for temporary files) programs still die with the runner, but not what they have started.
    pub fn of_this_process() -> Option<&'static Self> {
        static GUARD: OnceLock<Option<Guard>> = OnceLock::new();
        GUARD.get_or_init(|| Self::start().ok()).as_ref()
    }

    /// Starts a guard, in a group of its own, so that nothing that is meant for the runner reaches it.
    pub(super) fn start() -> io::Result<Self> {
        let named = NamedTempFile::new()?;
        let read = named.reopen()?;
        let mut shell = Command::new(SHELL);
        shell.args(["-c", SCRIPT]).process_group(0).stdin(Stdio::piped()).stdout(read).stderr(Stdio::null());
        let shell = shell.spawn()?;
        orphans::started(shell.id());
        let pipe = shell.stdin.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { _pipe: pipe, groups: named.into_file(), taken: Mutex::default() })
    }

    /// An empty line for a group that is about to be started.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn note(&self) -> io::Result<Note<'_>> {
        let mut taken = self.taken();
        let line = match taken.iter().position(|taken| !taken) {
            Some(line) => line,
            None => {
                blank(&self.groups, taken.len())?;
                taken.push(false);
                taken.len() - 1
            }
        };
        taken[line] = true;
        Ok(Note { guard: self, line })
    }

    fn taken(&self) -> MutexGuard<'_, Vec<bool>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Note<'_> {
    /// The file, and where in it the number belongs, in the form of [`spelled`].
    pub fn place(&self) -> (BorrowedFd<'_>, u64) {
        (self.guard.groups.as_fd(), offset(self.line))
    }
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        // A line that can't be emptied is never used again: the group is over, and so is all that it had started.
        if blank(&self.guard.groups, self.line).is_ok() {
            self.guard.taken()[self.line] = false;
        }
    }
}

/// The line of a group. Allocates nothing: it is called where nothing may be.
pub(super) fn spelled(number: i32) -> [u8; LINE] {
    let mut line = [b' '; LINE];
    // The longest number fits.
    let _ = write!(&mut line[..LINE - 1], "{number}");
    line[LINE - 1] = b'\n';
    line
}

fn blank(groups: &File, line: usize) -> io::Result<()> {
    let mut blank = [b' '; LINE];
    blank[LINE - 1] = b'\n';
    groups.write_all_at(&blank, offset(line))
}

fn offset(line: usize) -> u64 {
    (line * LINE) as u64
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::{Guard, spelled};
    use crate::base::group::testing::{FAMILY, dies, number};

    #[test]
    fn a_line_has_room_for_every_number() {
        assert_eq!(&spelled(7), b"7          \n");
        assert_eq!(&spelled(i32::MAX), b"2147483647 \n");
    }

    /// Lines are given out again, and what was on them is gone.
    #[test]
    fn kills_what_is_noted_when_its_runner_is_gone_and_nothing_else() {
        let guard = Guard::start().unwrap();
        let family =
            || Command::new("sh").args(["-c", FAMILY]).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let mut families: Vec<Child> = (0..4).map(|_| family()).collect();
        let children: Vec<u32> = families.iter_mut().map(|family| number(family.stdout.take().unwrap())).collect();
        let tell = |family: &Child| {
            let note = guard.note().unwrap();
            let (_, place) = note.place();
            guard.groups.write_all_at(&spelled(family.id() as i32), place).unwrap();
            note
        };
        let [first, over, third] = [0, 1, 2].map(|family| tell(&families[family]));
        drop(over);
        let again = tell(&families[3]);
        assert_eq!([&first, &again, &third].map(|note| note.line), [0, 1, 2]);
        // As when the process ends: nothing more is written, and the pipe closes.
        [first, again, third].into_iter().for_each(std::mem::forget);
        drop(guard);
        assert!(dies(children[0]) && dies(children[2]) && dies(children[3]));
        assert!(families[1].try_wait().unwrap().is_none());
        Command::new("kill").args(["-KILL", "--", &format!("-{}", families[1].id())]).status().unwrap();
        assert!(dies(children[1]));
        families.iter_mut().for_each(|family| drop(family.wait()));
    }
}
