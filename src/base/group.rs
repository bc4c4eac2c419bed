//! Programs with all that they start: one process group, killed as a whole.
//!
//! When the runner is killed, nobody else knows what its programs have started. So there is one guard (`guard.rs`), which then
//! kills the groups that were noted for it. A group notes its number itself, before its program runs. A process that leaves
//! its group on purpose (`setsid`) is out of reach; whether there is one, [`super::orphans`] tells. The program itself is
//! killed by the kernel ([`super::leader`]), with a guard or without.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use super::guard::{Guard, Note};
use super::leader::{Leader, Unstarted};
use super::orphans;
use super::program::Program;

/// A running program and whatever it has started. Dropping it kills them all.
#[derive(Debug)]
pub struct Group {
    leader: Leader,
    note: Option<Note<'static>>,
}

/// What became of a program that was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It has ended; what it has started may go on.
    End,
    /// There is something to read, or nothing will ever come.
    Output,
    /// Nothing yet.
    Nothing,
}

impl Group {
    /// Starts a program as the leader of a new group. Call it from a thread that outlives the program: it dies with it.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(program: &Program<'_>) -> io::Result<Self> {
        // As a shell goes through the `PATH`: the first file that can be run.
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for file in program.files() {
            match Self::start(program, &file, false) {
                Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
                    return Self::start(program, &file, true);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                    failed = error;
                }
                Ok(group) => {
                    program.is_started_from(&file);
                    return Ok(group);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    fn start(program: &Program<'_>, file: &Path, script: bool) -> io::Result<Self> {
        let image = program.image(file, script)?;
        let note = Guard::of_this_process().and_then(|guard| guard.note().ok());
        match Leader::start(&image, program, note.as_ref().map(Note::place)) {
            Ok(leader) => {
                orphans::started(leader.number().cast_unsigned());
                Ok(Self { leader, note })
            }
            Err(Unstarted { error, leader }) => {
                drop(leader.map(|leader| Self { leader, note }));
                Err(error)
            }
        }
    }

    /// Waits until the program has ended or there is something to read in `pipe`, but not for long.
    pub fn watch(&self, pipe: Option<BorrowedFd<'_>>, at_most: Duration) -> Seen {
        match self.leader.watch(pipe, at_most) {
            (true, _) => Seen::End,
            (false, true) => Seen::Output,
            (false, false) => Seen::Nothing,
        }
    }

    /// Kills everything that is left, and says how the program ended.
    ///
    /// # Errors
    /// None on a program that was started here.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        // In this order: the number is ours until the leader is waited for, and nothing is killed after that.
        self.leader.kill_group();
        self.note = None;
        let status = self.leader.wait();
        orphans::ended(self.leader.number().cast_unsigned());
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It fails only for a process that was waited for.
        let _ = self.end();
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io::{BufRead, BufReader, Read};
    use std::time::{Duration, Instant};

    /// A shell's line that starts a `sleep` and says its number.
    pub const FAMILY: &str = "sleep 600 & echo $!; wait";

    /// The number that comes first.
    pub fn number(output: impl Read) -> u32 {
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    /// Waits until a process is gone or only waits to be waited for.
    pub fn dies(pid: u32) -> bool {
        let start = Instant::now();
        loop {
            // Before the look: this thread may sleep for long between the two.
            let is_late = start.elapsed() > Duration::from_secs(120);
            match fs_err::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) if stat.contains(") Z") => return true,
                Ok(_) if is_late => return false,
                Ok(_) => std::thread::sleep(Duration::from_millis(2)),
                Err(_) => return true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{FAMILY, dies, number};
    use super::{Group, Program, Seen};
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::io::{ErrorKind, PipeReader, Read, Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    /// Starts a program in a folder, with these variables; what it says comes out of the pipe.
    fn spawn(
        words: &[&str],
        folder: Option<&Path>,
        variables: &[(&str, &str)],
    ) -> std::io::Result<(Group, PipeReader)> {
        let null = std::fs::File::open("/dev/null")?;
        let (reader, writer) = std::io::pipe()?;
        let path = std::env::var_os("PATH").map(|path| ("PATH".into(), path));
        let mut environment: BTreeMap<OsString, OsString> = path.into_iter().collect();
        environment.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let words = words.iter().map(OsString::from).collect();
        let program = Program { words, environment, folder, input: null.as_fd(), output: writer.as_fd() };
        Ok((Group::spawn(&program)?, reader))
    }

    /// Runs a program to its end: its code, and what it said.
    fn run(
        words: &[&str],
        folder: Option<&Path>,
        variables: &[(&str, &str)],
    ) -> std::io::Result<(Option<i32>, String)> {
        let (mut group, mut output) = spawn(words, folder, variables)?;
        let mut said = String::new();
        output.read_to_string(&mut said)?;
        while group.watch(None, Duration::from_secs(10)) != Seen::End {}
        Ok((group.end()?.code(), said))
    }

    /// Writes a program. Another process does: what this one has open for writing, a test beside this one may hold open that is
    /// starting a program just now.
    fn save(path: &Path, text: &str) {
        let line = "printf %s \"$1\" > \"$0\"";
        assert!(Command::new("sh").args(["-c", line]).arg(path).arg(text).status().unwrap().success());
    }

    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let (group, output) = spawn(&["sh", "-c", FAMILY], None, &[]).unwrap();
        assert_eq!(group.watch(Some(output.as_fd()), Duration::from_secs(10)), Seen::Output);
        let child = number(output);
        assert_eq!(group.watch(None, Duration::from_millis(1)), Seen::Nothing);
        drop(group);
        assert!(dies(child));

        let (mut group, output) = spawn(&["sh", "-c", "exit 3"], None, &[]).unwrap();
        while group.watch(Some(output.as_fd()), Duration::from_secs(10)) != Seen::End {}
        assert_eq!(group.end().unwrap().code(), Some(3));
        assert_eq!(group.end().unwrap().code(), Some(3));
        let (mut group, _output) = spawn(&["sh", "-c", "kill -SEGV $$"], None, &[]).unwrap();
        while group.watch(None, Duration::from_secs(10)) != Seen::End {}
        assert_eq!(group.end().unwrap().signal(), Some(libc::SIGSEGV));
    }

    #[test]
    fn a_program_gets_its_words_its_folder_and_nothing_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        let (code, said) =
            run(&["sh", "-c", "pwd; printf '<%s>' \"$@\"; echo", "-", "a b", "", "$x"], Some(&here), &[]).unwrap();
        assert_eq!((code, said), (Some(0), format!("{}\n<a b><><$x>\n", here.display())));
        // `env -i` would say the same but for the variable that shells set themselves.
        let (_, said) = run(&["env"], None, &[("A", "1\n2"), ("PATH", "/usr/bin:/bin")]).unwrap();
        assert_eq!(said, "A=1\n2\nPATH=/usr/bin:/bin\n");
        // A group of its own, no signal kept back, none ignored but what was ignored when this program began: numbers, and
        // masks as /proc shows them.
        let line = "echo $$; cut -d' ' -f5 /proc/$$/stat; grep -E '^Sig(Blk|Ign):' /proc/$$/status | cut -f2";
        let (_, said) = run(&["sh", "-c", line], None, &[]).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], lines[1]);
        let ours = fs_err::read_to_string("/proc/self/status").unwrap();
        let ignored = ours.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        // Rust ignores signal 13, a broken pipe, in every program.
        let inherited = u64::from_str_radix(ignored, 16).unwrap() & !(1 << 12);
        assert_eq!(lines[2..], ["0000000000000000".to_owned(), format!("{inherited:016x}")], "{said}");
    }

    #[test]
    fn a_name_is_looked_up_as_a_shell_does() {
        let folder = tempfile::tempdir().unwrap();
        let tool = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            save(&path, text);
            fs_err::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        };
        tool("a/tool", "echo may not be run", 0o644);
        tool("b/tool", "#!/bin/sh\necho b $0", 0o755);
        tool("c/tool", "echo c", 0o755);
        tool("bare", "echo bare $1", 0o755);
        let here = |words: &[&str], path: &str| run(words, Some(folder.path()), &[("PATH", path)]);
        let at = |name: &str| folder.path().join(name).display().to_string();
        let absolute = format!("/nowhere:{}:{}", at("a"), at("b"));
        assert_eq!(here(&["tool"], &absolute).unwrap().1, format!("b {}\n", at("b/tool")));
        assert_eq!(here(&["tool"], "c:b").unwrap().1, "c\n", "a folder from the program's on");
        assert_eq!(here(&["bare", "x"], "").unwrap().1, "bare x\n", "an empty entry is the folder itself");
        assert_eq!(here(&["./bare", "y"], "/nowhere").unwrap().1, "bare y\n", "a script without a first line");
        assert_eq!(here(&["c/tool"], "/nowhere").unwrap().1, "c\n");
        let kind = |words: &[&str], path: &str| here(words, path).unwrap_err().kind();
        assert_eq!(kind(&["tool"], "a"), ErrorKind::PermissionDenied);
        assert_eq!(kind(&["./a/tool"], "b"), ErrorKind::PermissionDenied);
        assert_eq!(kind(&["tool"], "/nowhere"), ErrorKind::NotFound);
        assert_eq!(kind(&["./tool"], "b"), ErrorKind::NotFound);
        assert_eq!(kind(&["true", "a\0b"], "/bin:/usr/bin"), ErrorKind::InvalidInput);
        assert_eq!(run(&["true"], Some(Path::new("/nowhere")), &[]).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_name_is_looked_up_again_when_its_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let tool = |name: &str| folder.path().join(name).join("a-tool-of-this-test");
        let write = |name: &str| {
            fs_err::create_dir_all(folder.path().join(name)).unwrap();
            save(&tool(name), &format!("#!/bin/sh\necho {name}\n"));
            fs_err::set_permissions(tool(name), PermissionsExt::from_mode(0o755)).unwrap();
        };
        let path = format!("{}:{}", folder.path().join("a").display(), folder.path().join("b").display());
        let said = || run(&["a-tool-of-this-test"], None, &[("PATH", &path)]).map(|(_, said)| said);
        write("b");
        assert_eq!(said().unwrap(), "b\n");
        write("a");
        assert_eq!(said().unwrap(), "b\n", "as in a shell");
        fs_err::remove_file(tool("b")).unwrap();
        assert_eq!(said().unwrap(), "a\n");
        fs_err::remove_file(tool("a")).unwrap();
        assert_eq!(said().unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn programs_of_many_threads_do_not_disturb_each_other() {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for round in 0..25 {
                        let word = format!("{thread}-{round}");
                        let (code, said) = run(&["sh", "-c", "echo $A; exit 7"], None, &[("A", &word)]).unwrap();
                        assert_eq!((code, said), (Some(7), format!("{word}\n")));
                    }
                });
            }
        });
    }

    /// What the group notes for the guard is there before its program can start anything.
    #[test]
    fn a_group_is_noted_before_its_program_runs() {
        let mut noted = tempfile::tempfile().unwrap();
        noted.write_all(b"1          \n").unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        let program = Program {
            words: ["sleep", "600"].map(OsString::from).to_vec(),
            environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
            folder: None,
            input: null.as_fd(),
            output: null.as_fd(),
        };
        let image = program.image(&program.files().next().unwrap(), false).unwrap();
        let leader = super::Leader::start(&image, &program, Some((noted.as_fd(), 12))).unwrap();
        let mut text = String::new();
        noted.rewind().unwrap();
        noted.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("1          \n{:<11}\n", leader.number()));
        drop(Group { leader, note: None });
    }
}
