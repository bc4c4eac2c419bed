//! What a program reads, as it finds it: below `inputs/` a folder for each result, with a link to each of its files, and
//! beside it a note of them, `inputs.json`.
//!
//! A disk is slow to make folders and files and to remove them, and thousands of short programs read as many results each. So
//! the folders and the note of a program that has ended are set aside for the next one, where they get other names, other links
//! and another text. And nobody looks through folders that stand as they were made: they get a time of their own, which
//! changes when something in them is added, replaced or removed.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawMode, Stat, Timespec, Timestamps};
use rustix::io::Errno;

/// The folder with what the stage reads; of a tree that was set aside, the ending.
pub(super) const INPUTS: &str = "inputs";

/// What is in `inputs/`.
pub(super) const INPUTS_NOTE: &str = "inputs.json";

/// The note in a tree that was set aside; no stage is called so.
const NOTE_ASIDE: &str = ".note";

/// For each folder below `inputs/` its links: what each is called, and the file that it leads to.
pub(super) type Links = BTreeMap<String, BTreeMap<String, PathBuf>>;

/// The time of folders that stand as they were made: one of this process, which no other program gives to anything. Where a
/// file system does not keep all of it, folders are looked through.
static STILL: LazyLock<Timespec> = LazyLock::new(|| {
    let bits = RandomState::new().build_hasher().finish();
    // Somewhere in the twenty years from 2000 on: no archive knows times before 1980.
    let (second, rest) = (bits % (20 * 365 * 86_400), (bits >> 32) % 999_999_999);
    Timespec { tv_sec: 946_684_800 + second as i64, tv_nsec: 1 + rest as i64 }
});

/// Trees of empty folders, of all runs in this process.
static SPARE: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

/// Trees that were set aside.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The mode of a new folder, as the umask wants it. Where another cache gives its folders another one, they are looked through.
static USUAL: OnceLock<RawMode> = OnceLock::new();

/// The tree that a program was given.
#[derive(Debug)]
pub(super) struct Inputs {
    /// Where it is, in the program's folder.
    path: PathBuf,
    folder: Open,
    /// What is in it.
    links: Links,
    /// When its folders got their time; nothing if they have none, or have folders in them, which few results have.
    changed: Option<Changed>,
}

/// Of the folder around a tree and of those in it, by name, when the file system saw their last change. A program can give a
/// folder the time that it had before; this one, it can't.
type Changed = Vec<(i64, i64)>;

/// The folder around a tree, wherever it is moved.
#[derive(Debug)]
struct Open {
    file: OwnedFd,
    inode: u64,
}

#[derive(Debug)]
struct Spare {
    path: PathBuf,
    folder: Open,
    /// The names of the folders in it, in their order.
    folders: Vec<String>,
    changed: Option<Changed>,
}

impl Inputs {
    /// Makes the tree and the note in a program's folder, out of those that were set aside beside it or anew. Returns it with
    /// what the file system says of the note.
    ///
    /// # Errors
    /// What the file system returns.
    pub(super) fn make(program: &Path, links: Links, note: &[u8]) -> io::Result<(Self, Metadata)> {
        let path = program.join(INPUTS);
        let links = match take(program) {
            None => links,
            Some(Spare { path: aside, folder, folders, changed }) => {
                let stands = changed.is_some() && folder.changed(&folders) == changed;
                let mut inputs = Self { path: path.clone(), folder, links, changed: None };
                let mut make = || {
                    fs::rename(&aside, &path)?;
                    fs::rename(path.join(NOTE_ASIDE), program.join(INPUTS_NOTE))?;
                    inputs.fill(&folders)?;
                    write(program, note)
                };
                if stands && let Ok(note) = make() {
                    return Ok((inputs, note));
                }
                // Somebody has changed it meanwhile.
                let _ = fs::remove_dir_all(&aside);
                let _ = fs::remove_dir_all(&path);
                let _ = fs::remove_file(program.join(INPUTS_NOTE));
                inputs.links
            }
        };
        fs::create_dir(&path)?;
        let mut inputs = Self { folder: Open::at(&path)?, path, links, changed: None };
        inputs.fill(&[])?;
        Ok((inputs, write(program, note)?))
    }

    /// Whether the tree is where it was made and as it was made, as far as its folders tell; what its links lead to, they don't
    /// know.
    pub(super) fn stand(&self) -> bool {
        let there = rustix::fs::statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW);
        self.changed.is_some()
            && there.is_ok_and(|stat| stat.st_ino == self.folder.inode)
            && self.folder.changed(self.links.keys()) == self.changed
    }

    /// Sets the tree and the note aside, without links, where the program's checkpoints would be, with a name that goes on.
    /// Returns whether it has done so; otherwise the tree is still there, perhaps with fewer links and with the note in it. Call
    /// it when the tree and the note stand.
    pub(super) fn set_aside(self, program: &Path, checkpoints: &Path) -> bool {
        let Self { path: tree, folder, links, .. } = self;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = checkpoints.with_extension(format!("{}-{number}.{INPUTS}", std::process::id()));
        // The links go now and not when the next program waits for its own: a disk may take its time to free them. Whoever
        // writes there from now on is seen.
        let is_emptied = links.iter().all(|(name, files)| {
            let unlink = |inside| rustix::fs::unlinkat(&folder.file, inner(name, inside), AtFlags::empty());
            files.keys().all(|inside| unlink(inside).is_ok()) && folder.still_in(name).is_ok()
        });
        let is_moved =
            || fs::rename(program.join(INPUTS_NOTE), tree.join(NOTE_ASIDE)).is_ok() && fs::rename(&tree, &path).is_ok();
        if !is_emptied || !is_moved() || folder.still().is_err() {
            return false;
        }
        let folders: Vec<String> = links.into_keys().collect();
        let changed = folder.changed(&folders);
        spare().push(Spare { path, folder, folders, changed });
        true
    }

    /// Makes the folders with their links, out of empty ones where there are any.
    fn fill(&mut self, empty: &[String]) -> io::Result<()> {
        let tree = &self.folder.file;
        let (same, mut others): (Vec<_>, Vec<_>) = empty.iter().partition(|name| self.links.contains_key(*name));
        for (name, files) in &self.links {
            if !same.contains(&name) {
                match others.pop() {
                    Some(other) => rustix::fs::renameat(tree, other, tree, name),
                    None => rustix::fs::mkdirat(tree, name, Mode::from_raw_mode(0o777)),
                }
                .map_err(|error| self.fail(error, name))?;
            }
            for (inside, target) in files {
                if let Some((deep, _)) = inside.rsplit_once('/') {
                    fs::create_dir_all(self.path.join(inner(name, deep)))?;
                }
                let link = inner(name, inside);
                rustix::fs::symlinkat(target, tree, &link).map_err(|error| self.fail(error, &link))?;
            }
        }
        for other in others {
            rustix::fs::unlinkat(tree, other, AtFlags::REMOVEDIR).map_err(|error| self.fail(error, other))?;
        }
        let is_flat = self.links.values().flat_map(BTreeMap::keys).all(|inside| !inside.contains('/'));
        let are_still =
            || self.links.keys().all(|name| self.folder.still_in(name).is_ok()) && self.folder.still().is_ok();
        self.changed = (is_flat && are_still()).then(|| self.folder.changed(self.links.keys())).flatten();
        Ok(())
    }

    fn fail(&self, error: Errno, inside: &str) -> io::Error {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("`{}` can't be made: {error}", self.path.join(inside).display()))
    }
}

impl Open {
    /// The new folder at `path`.
    fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        USUAL.get_or_init(|| stat.st_mode);
        Ok(Self { file, inode: stat.st_ino })
    }

    /// Gives itself the time of folders that stand.
    fn still(&self) -> Result<(), Errno> {
        rustix::fs::futimens(&self.file, &times())
    }

    /// Gives it to a folder in it.
    fn still_in(&self, name: &str) -> Result<(), Errno> {
        rustix::fs::utimensat(&self.file, name, &times(), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// When it and the folders in it that have these names were changed, if all of them have the time and the mode that they
    /// were given.
    fn changed<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Option<Changed> {
        let (usual, still) = (USUAL.get().copied(), (STILL.tv_sec, STILL.tv_nsec));
        let changed = |stat: Stat| {
            let is_still = Some(stat.st_mode) == usual && (stat.st_mtime, stat.st_mtime_nsec as i64) == still;
            is_still.then_some((stat.st_ctime, stat.st_ctime_nsec as i64))
        };
        let folders = names.into_iter().map(|name| rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW));
        std::iter::once(rustix::fs::fstat(&self.file)).chain(folders).map(|stat| changed(stat.ok()?)).collect()
    }
}

fn times() -> Timestamps {
    Timestamps { last_access: *STILL, last_modification: *STILL }
}

/// Removes all that was set aside: the run is over.
pub(super) fn put_away() {
    for Spare { path, .. } in std::mem::take(&mut *spare()) {
        // What is left of it, `gc` removes.
        let _ = fs::remove_dir_all(path);
    }
}

/// The tree that was set aside beside this folder last.
fn take(program: &Path) -> Option<Spare> {
    let mut spare = spare();
    let place = spare.iter().rposition(|spare| spare.path.parent() == program.parent())?;
    Some(spare.remove(place))
}

/// Writes the note, over another one if it is there: to cut that off first would make some disks write at once.
fn write(program: &Path, note: &[u8]) -> io::Result<Metadata> {
    let path = program.join(INPUTS_NOTE);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
    file.write_all(note)?;
    if file.metadata()?.len() != note.len() as u64 {
        file.set_len(note.len() as u64)?;
    }
    drop(file);
    // Some file systems say what they say when a file is closed.
    fs::metadata(path)
}

/// A path below the tree.
fn inner(name: &str, inside: &str) -> String {
    format!("{name}/{inside}")
}

fn spare() -> MutexGuard<'static, Vec<Spare>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::{INPUTS, INPUTS_NOTE, Inputs, Links, put_away, spare};

    /// What is below a folder: each path inside with the target of a link, and nothing for a folder.
    fn below(folder: &Path, prefix: &str) -> BTreeMap<String, Option<PathBuf>> {
        let mut found = BTreeMap::new();
        for entry in fs_err::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let inside = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                found.extend(below(&entry.path(), &format!("{inside}/")));
                found.insert(inside, None);
            } else {
                found.insert(inside, Some(fs_err::read_link(entry.path()).unwrap()));
            }
        }
        found
    }

    /// The same as it should be.
    fn wanted(links: &Links) -> BTreeMap<String, Option<PathBuf>> {
        let mut all = BTreeMap::new();
        for (name, files) in links {
            all.insert(name.clone(), None);
            for (inside, target) in files {
                all.extend(inside.rsplit_once('/').map(|(deep, _)| (format!("{name}/{deep}"), None)));
                all.insert(format!("{name}/{inside}"), Some(target.clone()));
            }
        }
        all
    }

    /// What a program reads, how long its note is, and what it does with what it reads: nothing, or one of [`CHANGES`].
    fn readers() -> impl Strategy<Value = Vec<(Links, usize, Option<usize>)>> {
        let files = prop::collection::btree_map("[xyz]|d/x", "/[a-c]".prop_map(PathBuf::from), 0..3);
        let links = prop::collection::btree_map("[abcd]", files, 1..4);
        prop::collection::vec((links, 0usize..9, prop::option::of(0..CHANGES.len())), 1..6)
    }

    /// Each changes the tree, or the first folder in it.
    const CHANGES: [fn(&Path, &Path); 8] = [
        |tree, _| fs_err::set_permissions(tree, PermissionsExt::from_mode(0o700)).unwrap(),
        |_, folder| fs_err::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap(),
        |tree, _| fs_err::write(tree.join("more"), "").unwrap(),
        |_, folder| fs_err::write(folder.join("more"), "").unwrap(),
        |_, folder| fs_err::create_dir(folder.join("more")).unwrap(),
        |_, folder| fs_err::remove_dir_all(folder).unwrap(),
        |tree, _| fs_err::rename(tree, tree.with_extension("moved")).unwrap(),
        |_, folder| {
            // Another link of the same name.
            let link = fs_err::read_dir(folder).unwrap().next().map(|entry| entry.unwrap().path());
            let link = link.unwrap_or_else(|| folder.join("new"));
            let _ = fs_err::remove_dir_all(&link);
            let _ = fs_err::remove_file(&link);
            symlink("/elsewhere", link).unwrap();
        },
    ];

    proptest! {
        #[test]
        fn whoever_read_before_a_program_finds_what_it_reads(readers in readers()) {
            let folder = tempfile::tempdir().unwrap();
            for (number, (links, note, change)) in readers.into_iter().enumerate() {
                let program = folder.path().join(format!("{number}.folder"));
                fs_err::create_dir(&program).unwrap();
                let note = "x".repeat(note);
                let (inputs, said) = Inputs::make(&program, links.clone(), note.as_bytes()).unwrap();
                prop_assert_eq!(said.len(), note.len() as u64);
                prop_assert_eq!(fs_err::read_to_string(program.join(INPUTS_NOTE)).unwrap(), note);
                let tree = program.join(INPUTS);
                prop_assert_eq!(below(&tree, ""), wanted(&links));
                let plain = fs_err::metadata(&program).unwrap().permissions().mode();
                for folder in links.keys().map(|name| tree.join(name)).chain([tree.clone()]) {
                    prop_assert_eq!(fs_err::metadata(folder).unwrap().permissions().mode(), plain);
                }
                let is_flat = links.values().flat_map(BTreeMap::keys).all(|inside| !inside.contains('/'));
                prop_assert_eq!(inputs.stand(), is_flat);
                if let Some(change) = change {
                    CHANGES[change](&tree, &tree.join(links.keys().next().unwrap()));
                    prop_assert!(!inputs.stand(), "change {change}");
                } else if is_flat {
                    prop_assert!(inputs.set_aside(&program, &folder.path().join("key")));
                    prop_assert!(!tree.exists() && !program.join(INPUTS_NOTE).exists());
                }
            }
            // Of other tests in this process, nothing is known here.
            let ours: Vec<_> = spare().iter().map(|spare| spare.path.clone()).collect();
            let left = ours.iter().filter(|path| path.starts_with(folder.path())).count();
            prop_assert!(left <= 1, "one after the other, there is never more than one");
        }
    }

    /// The last tree that was set aside in a folder.
    fn aside(folder: &Path) -> PathBuf {
        let spare = spare();
        spare.iter().rev().map(|spare| spare.path.clone()).find(|path| path.starts_with(folder)).unwrap()
    }

    /// By a process that has outlived its program.
    #[test]
    fn what_is_written_into_a_tree_that_was_set_aside_reaches_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let links = Links::from([("a".to_owned(), BTreeMap::new())]);
        for (name, place) in [("one", "more"), ("two", "a/more"), ("three", "more")] {
            let program = folder.path().join(name);
            fs_err::create_dir(&program).unwrap();
            let (inputs, _) = Inputs::make(&program, links.clone(), b"[]").unwrap();
            assert_eq!(below(&program.join(INPUTS), ""), wanted(&links));
            assert!(inputs.stand() && inputs.set_aside(&program, &folder.path().join("key")));
            let aside = aside(folder.path());
            assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("key."));
            fs_err::write(aside.join(place), "").unwrap();
        }
    }

    /// Whatever it was that a program has done, and with the times put back.
    #[test]
    fn a_folder_with_the_time_that_it_had_does_not_stand() {
        let folder = tempfile::tempdir().unwrap();
        let links = Links::from([("a".to_owned(), BTreeMap::from([("x".to_owned(), PathBuf::from("/x"))]))]);
        let (inputs, _) = Inputs::make(folder.path(), links, b"").unwrap();
        let within = folder.path().join(INPUTS).join("a");
        let time = fs_err::metadata(&within).unwrap().modified().unwrap();
        assert!(time < SystemTime::now() && inputs.stand());
        // Longer than a file system's clock ticks.
        std::thread::sleep(std::time::Duration::from_millis(30));
        fs_err::remove_file(within.join("x")).unwrap();
        std::fs::File::open(&within).unwrap().set_modified(time).unwrap();
        assert!(!inputs.stand());
    }

    /// Another tree in its place.
    #[test]
    fn a_copy_does_not_stand() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, _) = Inputs::make(folder.path(), Links::from([("a".to_owned(), BTreeMap::new())]), b"").unwrap();
        let tree = folder.path().join(INPUTS);
        fs_err::rename(&tree, tree.with_extension("moved")).unwrap();
        fs_err::create_dir_all(tree.join("a")).unwrap();
        assert!(!inputs.stand());
    }

    #[test]
    fn what_was_set_aside_is_put_away() {
        let folder = tempfile::tempdir().unwrap();
        let links = Links::from([("a".to_owned(), BTreeMap::from([("x".to_owned(), PathBuf::from("/x"))]))]);
        let program = folder.path().join("program");
        fs_err::create_dir(&program).unwrap();
        let (inputs, _) = Inputs::make(&program, links, b"[]").unwrap();
        assert!(inputs.set_aside(&program, &folder.path().join("key")));
        let aside = aside(folder.path());
        assert!(aside.exists());
        put_away();
        assert!(!aside.exists());
    }
}
