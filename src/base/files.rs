//! Files that are whole or absent: written under a private name, flushed to disk where that is wanted, then renamed; or given
//! further names as they grow.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::NamedTempFile;

use super::locked::{LockedFile, lock_own};
use super::moment;

/// What the private names of files begin with that are being written.
const UNFINISHED: &str = ".writing-";
/// How often a file is written anew that was cleared away.
const ATTEMPTS: u32 = 5;

/// Private names that were given.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` to `path` so that a reader sees the old content or the new one, never a part, even after a loss of power.
/// Who may read it is what the umask says, as for any new file.
///
/// # Errors
/// What the file system returns, with the path; the private file is removed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_and_look(path, bytes).map(drop)
}

/// The same for a path that somebody typed: a link is followed, and what is no plain file (a device, a pipe) is written to.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_where_told(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // They may lead to a file that holds something already. `/dev/shm` has plain files.
    let is_open = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"].iter().any(|open| path.starts_with(open));
    match fs_err::metadata(path) {
        Ok(there) if is_open || !there.is_file() => {
            fs_err::OpenOptions::new().append(true).open(path)?.write_all(bytes)
        }
        Ok(_) => write_atomically(&fs_err::canonicalize(path)?, bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => fs_err::write(path, bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_atomically(path, bytes),
        Err(error) => Err(error),
    }
}

/// As [`write_atomically`]; returns what the file system says of the file that was written, whoever has replaced it since.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_and_look(path: &Path, bytes: &[u8]) -> io::Result<Metadata> {
    write_locked(path, bytes)?.metadata().map_err(|error| with_path(error, "look at", path))
}

/// The same without waiting for the disk: whatever kills this process, a reader sees the old content or the new one. After
/// a loss of power the file may be neither, so this is for what is made again or checked then. Returns what the file system
/// says of the file that was written.
///
/// # Errors
/// As [`write_atomically`].
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<Metadata> {
    // The new name has changed what the file system says of it.
    write(path, bytes, |_| Ok(()))?.metadata().map_err(|error| with_path(error, "look at", path))
}

/// As [`write_atomically`]; returns the file, which is locked since before it had its name.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_locked(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let written = write(path, bytes, |file| file.sync_all())?;
    sync_folder(folder_of(path))?;
    Ok(written)
}

/// Moves a file to a name, whose folder is made if it isn't there, and replaces nothing.
///
/// # Errors
/// What the file system returns: [`io::ErrorKind::AlreadyExists`] if the name is given.
pub fn move_to(path: &Path, name: &Path) -> io::Result<()> {
    match move_alone(path, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs_err::create_dir_all(folder_of(name))?;
            move_alone(path, name)
        }
        moved => moved,
    }
}

fn move_alone(path: &Path, name: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};

        match renameat_with(CWD, path, CWD, name, RenameFlags::NOREPLACE) {
            // This file system can't.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            moved => return moved.map_err(|error| with_path(error.into(), "move a file to", name)),
        }
    }
    match fs_err::hard_link(path, name) {
        Ok(()) => fs_err::remove_file(path),
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => Err(error),
        // Nor can it give a file two names; then somebody else may do the same between these two steps.
        Err(_) if name.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs_err::rename(path, name),
    }
}

/// Gives the file at `path` one more name, instead of whatever has that name now; its folder is made if it isn't there. A
/// reader sees the old content or the new one, never a part.
///
/// # Errors
/// What the file system returns; some have no files with several names.
pub fn name_again(path: &Path, name: &Path) -> io::Result<()> {
    let folder = folder_of(name);
    let named = match fs_err::hard_link(path, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs_err::create_dir_all(folder)?;
            fs_err::hard_link(path, name)
        }
        named => named,
    };
    match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let last = name.file_name().unwrap_or_default().to_string_lossy();
            // What another process has left, perhaps with our number, is in nobody's way.
            let (process, now) = (std::process::id(), moment::since_1970());
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let private = folder.join(unfinished_name(&format!("{process}-{}-{number}-{last}", now.as_nanos())));
            fs_err::hard_link(path, &private)?;
            let renamed = fs_err::rename(&private, name);
            // Where both were names of one file already, renaming has done nothing.
            let _ = fs_err::remove_file(&private);
            renamed
        }
        named => named,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write(path: &Path, bytes: &[u8], settle: impl Fn(&File) -> io::Result<()>) -> io::Result<File> {
    let folder = folder_of(path);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let made = match private(folder) {
            // Usually the folder is there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs_err::create_dir_all(folder)?;
                private(folder)
            }
            made => made,
        };
        let mut file = made.map_err(|error| with_path(error, "create a file in", folder))?;
        file.write_all(bytes).and_then(|()| settle(file.as_file())).map_err(|error| with_path(error, "write", path))?;
        match file.persist(path) {
            Ok(file) => return Ok(file),
            // Someone cleared it in the moment before it was locked.
            Err(error) if error.error.kind() == io::ErrorKind::NotFound && attempts < ATTEMPTS => {}
            Err(error) => return Err(with_path(error.error, "rename into", path)),
        }
    }
}

/// A new file under a private name, which goes when it is dropped. It is locked, which says that its writer lives; where
/// locks are not to be had, nobody clears.
///
/// # Errors
/// When it can't be made.
pub fn private(folder: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        // Without this a temporary file is private to its owner, and stays so under its final name.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    lock_own(file.as_file());
    Ok(file)
}

/// Removes the private files in `folder` whose writers died; best effort, since they harm nobody.
pub fn clear_unfinished(folder: &Path) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        if is_unfinished(&entry.path()) && !is_being_written(&entry.path()) {
            let _ = fs_err::remove_file(entry.path());
        }
    }
}

/// A private name for a file that will be called `name` when it is whole.
fn unfinished_name(name: &str) -> String {
    format!("{UNFINISHED}{name}")
}

/// Whether this is a file under a private name, by that name.
pub fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

/// Whether this is a file under a private name, or one that a network file system keeps for a program that has it open.
pub fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether the writer of a private file lives, as far as can be told.
pub fn is_being_written(path: &Path) -> bool {
    let Ok(file) = open_to_lock(path) else { return true };
    LockedFile::new(file).try_lock().is_err()
}

/// Opens a file to lock it: NFS locks only what may be written.
///
/// # Errors
/// When it can't even be read.
pub fn open_to_lock(path: &Path) -> io::Result<fs_err::File> {
    fs_err::OpenOptions::new().read(true).write(true).open(path).or_else(|_| fs_err::File::open(path))
}

/// Makes a rename inside `folder` durable.
///
/// # Errors
/// What opening or flushing the folder returns.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// `error` with what was being done to which path.
pub fn with_path(error: io::Error, doing: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("failed to {doing} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::move_to;
    use std::os::unix::fs::PermissionsExt;

    use super::{clear_unfinished, name_again, replace, write_atomically};

    #[test]
    fn whoever_may_read_a_plain_file_may_read_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, whole) = (folder.path().join("plain"), folder.path().join("whole"));
        fs_err::write(&plain, "x").unwrap();
        write_atomically(&whole, b"x").unwrap();
        // A file that could not be read by others is replaced by one that can.
        fs_err::set_permissions(&whole, PermissionsExt::from_mode(0o600)).unwrap();
        write_atomically(&whole, b"y").unwrap();
        let mode = |path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&whole), mode(&plain));
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_gets_a_name_that_was_free_or_another_ones_or_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (path, name) = (folder.path().join("file"), folder.path().join("deep/name"));
        let names = || fs_err::read_dir(folder.path().join("deep")).unwrap().count();
        assert_eq!(name_again(&path, &name).unwrap_err().kind(), std::io::ErrorKind::NotFound);
        for content in ["one", "two"] {
            // A new file each time, as a record is.
            replace(&path, content.as_bytes()).unwrap();
            for _ in 0..2 {
                name_again(&path, &name).unwrap();
                assert_eq!((fs_err::read_to_string(&name).unwrap().as_str(), names()), (content, 1));
            }
        }
    }

    #[test]
    fn what_the_dead_were_writing_is_cleared_and_the_living_are_not_disturbed() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(".writing-dead"), "half").unwrap();
        fs_err::write(folder.path().join("whole"), "x").unwrap();
        std::thread::scope(|scope| {
            for name in ["a", "b"] {
                let path = folder.path().join(name);
                scope.spawn(move || (0..50).for_each(|_| assert!(replace(&path, b"y").unwrap().is_file())));
            }
            (0..200).for_each(|_| clear_unfinished(folder.path()));
        });
        let mut names: Vec<_> =
            fs_err::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a", "b", "whole"]);
    }

    #[test]
    fn a_file_is_moved_to_a_free_name_only() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "deep/to"].map(|name| folder.path().join(name));
        fs_err::write(&from, "1").unwrap();
        move_to(&from, &to).unwrap();
        assert!(!from.exists() && fs_err::read_to_string(&to).unwrap() == "1");
        assert_eq!(move_to(&from, &to).unwrap_err().kind(), std::io::ErrorKind::NotFound);
        fs_err::write(&from, "2").unwrap();
        assert_eq!(move_to(&from, &to).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(
            (fs_err::read_to_string(&to).unwrap(), fs_err::read_to_string(&from).unwrap()),
            ("1".into(), "2".into())
        );
        // A folder is a name, too.
        assert!(move_to(&from, to.parent().unwrap()).is_err() && from.exists());
    }

    /// Whoever looks first and then replaces would sometimes let two have it.
    #[test]
    fn of_many_that_move_a_file_to_one_name_one_does() {
        const MANY: usize = 4;
        let folder = tempfile::tempdir().unwrap();
        let start = std::sync::Barrier::new(MANY);
        let moved: Vec<Vec<bool>> = std::thread::scope(|scope| {
            let move_all = |thread: usize| {
                let (folder, start) = (folder.path(), &start);
                scope.spawn(move || {
                    let own = folder.join(format!("own-{thread}"));
                    let once = |round: usize| {
                        fs_err::write(&own, thread.to_string()).unwrap();
                        start.wait();
                        move_to(&own, &folder.join(round.to_string())).is_ok()
                    };
                    (0..2000).map(once).collect()
                })
            };
            let threads: Vec<_> = (0..MANY).map(move_all).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        (0..2000).for_each(|round| {
            let by: Vec<usize> = (0..MANY).filter(|thread| moved[*thread][round]).collect();
            let there = fs_err::read_to_string(folder.path().join(round.to_string())).unwrap();
            assert_eq!(by, [there.parse::<usize>().unwrap()], "round {round}");
        });
    }
}
