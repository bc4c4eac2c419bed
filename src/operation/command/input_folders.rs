//! The folders below `inputs/`, each with the files of one result: small ones are copies, the others links to where they are kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use rustix::fs::{AtFlags, Mode, OFlags, RawMode, Timespec, Timestamps};
use rustix::io::Errno;

use super::inputs::INPUTS;
use crate::store::Stat;

/// Of each folder so many copies are kept for the next program.
const MOST_KEPT: usize = 8;

/// The mode of a copy: nobody but root can write to it by mistake.
const READ_ONLY: RawMode = 0o444;

/// What a mode says of who may do what.
const PERMISSIONS: RawMode = 0o7777;

/// How a file of a result comes to a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// As a file of its own with this content, which only root could write to.
    Copy(Vec<u8>),
    /// As a link to the file at this path.
    Link(PathBuf),
}

/// What is in one folder, by path inside.
#[derive(Debug, Default)]
pub(super) struct Contents {
    links: Vec<String>,
    /// With what the file system said when they were made.
    copies: BTreeMap<String, Stat>,
}

/// The copies that are left in a folder, with what the file system said when they were made.
pub(super) type Left = BTreeMap<String, Stat>;

/// When the file system saw the last change of a folder, and of those in it. A program can give a folder the time that it had
/// before; this one, it can't.
pub(super) type Changed = Vec<(i64, i64)>;

/// The time of folders that stand as they were made: one of this process, which no other program gives to anything. Where a
/// file system does not keep all of it, folders are looked through.
static STILL: LazyLock<Timespec> = LazyLock::new(|| {
    let bits = RandomState::new().build_hasher().finish();
    // Somewhere in the twenty years from 2000 on: no archive knows times before 1980.
    let (second, rest) = (bits % (20 * 365 * 86_400), (bits >> 32) % 999_999_999);
    Timespec { tv_sec: 946_684_800 + second as i64, tv_nsec: 1 + rest as i64 }
});

/// The mode of a new folder, as the umask wants it. Where another cache gives its folders another one, they are looked through.
static USUAL: OnceLock<RawMode> = OnceLock::new();

/// The folder around those of one program, wherever it is moved.
#[derive(Debug)]
pub(super) struct InputFolders {
    around: OwnedFd,
    inode: u64,
}

impl InputFolders {
    /// In the new folder at `path`.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let around = rustix::fs::open(path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&around)?;
        USUAL.get_or_init(|| stat.st_mode);
        Ok(Self { around, inode: stat.st_ino })
    }

    /// Whether the folder around them is the one at `path`.
    pub(super) fn are_at(&self, path: &Path) -> bool {
        let there = rustix::fs::statat(rustix::fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW);
        there.is_ok_and(|stat| stat.st_ino == self.inode)
    }

    /// Gives a folder another name.
    pub(super) fn rename(&self, name: &str, new: &str) -> io::Result<()> {
        rustix::fs::renameat(&self.around, name, &self.around, new).map_err(|error| failed(error, new))
    }

    /// Fills a folder: one that has nothing in it but what is left of others, or a new one.
    ///
    /// # Errors
    /// What the file system returns, and when somebody has touched what was left.
    pub(super) fn fill(
        &self,
        name: &str,
        entries: &BTreeMap<String, Entry>,
        left: Option<Left>,
    ) -> io::Result<Contents> {
        let mut is_changed = left.is_none();
        if left.is_none() {
            rustix::fs::mkdirat(&self.around, name, Mode::from_raw_mode(0o777)).map_err(|error| failed(error, name))?;
        }
        // What is not wanted goes first: a link may be called the same.
        let is_wanted = |inside: &str| matches!(entries.get(inside), Some(Entry::Copy(_)));
        let (wanted, others): (Left, Left) =
            left.unwrap_or_default().into_iter().partition(|(inside, _)| is_wanted(inside));
        self.unlink(name, others.keys())?;
        is_changed |= !others.is_empty();
        let mut contents = Contents::default();
        for (inside, entry) in entries {
            let path = within(name, inside);
            self.make_parents(name, inside).map_err(|error| failed(error, &path))?;
            match entry {
                Entry::Copy(content) => {
                    let over = wanted.get(inside);
                    is_changed |= over.is_none();
                    let stat = self.copy(&path, content, over).map_err(|error| failed(error, &path))?;
                    contents.copies.insert(inside.clone(), stat);
                }
                Entry::Link(target) => {
                    is_changed = true;
                    rustix::fs::symlinkat(target, &self.around, &path).map_err(|error| failed(error, &path))?;
                    contents.links.push(inside.clone());
                }
            }
        }
        if is_changed {
            // A folder without that time is looked through.
            let _ = self.still_in(name);
        }
        Ok(contents)
    }

    /// Takes links and all but some copies out of a folder; returns what is left.
    pub(super) fn empty(&self, name: &str, contents: &Contents) -> io::Result<Left> {
        let Contents { links, copies } = contents;
        let removed: Vec<&String> = links.iter().chain(copies.keys().skip(MOST_KEPT)).collect();
        if !removed.is_empty() {
            self.unlink(name, removed.into_iter())?;
            self.still_in(name)?;
        }
        Ok(copies.iter().take(MOST_KEPT).map(|(inside, stat)| (inside.clone(), *stat)).collect())
    }

    /// Removes a folder with what is left in it.
    pub(super) fn remove(&self, name: &str, left: &Left) -> io::Result<()> {
        self.unlink(name, left.keys())?;
        rustix::fs::unlinkat(&self.around, name, AtFlags::REMOVEDIR).map_err(|error| failed(error, name))
    }

    /// Gives the folder around them the time of folders that stand.
    pub(super) fn still(&self) -> Result<(), Errno> {
        rustix::fs::futimens(&self.around, &times())
    }

    /// When they were changed, if all of those with these names, and the one around them, have the time and the mode that they
    /// were given.
    pub(super) fn changed<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Option<Changed> {
        let (usual, still) = (USUAL.get().copied(), (STILL.tv_sec, STILL.tv_nsec));
        let changed = |stat: rustix::fs::Stat| {
            let is_still = Some(stat.st_mode) == usual && (stat.st_mtime, stat.st_mtime_nsec as i64) == still;
            is_still.then_some((stat.st_ctime, stat.st_ctime_nsec as i64))
        };
        let folders = names.into_iter().map(|name| self.look_at(name));
        std::iter::once(rustix::fs::fstat(&self.around)).chain(folders).map(|stat| changed(stat.ok()?)).collect()
    }

    /// Whether the copies in a folder are as they were made: nobody has written to one, may do so, or has given it another name,
    /// under which it could be seen what others read.
    pub(super) fn has_copies(&self, name: &str, contents: &Contents) -> bool {
        contents.copies.iter().all(|(inside, stat)| self.has_copy(&within(name, inside), stat))
    }

    fn has_copy(&self, path: &str, made: &Stat) -> bool {
        self.look_at(path)
            .is_ok_and(|now| seen(&now) == *made && now.st_nlink == 1 && now.st_mode & PERMISSIONS == READ_ONLY)
    }

    fn look_at(&self, path: &str) -> Result<rustix::fs::Stat, Errno> {
        rustix::fs::statat(&self.around, path, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Writes a copy, over one that was made before if there is one: to cut that off first would make some disks write at once.
    fn copy(&self, path: &str, content: &[u8], over: Option<&Stat>) -> io::Result<Stat> {
        if over.is_some_and(|made| !self.has_copy(path, made)) {
            return Err(io::Error::other("somebody has changed what was there"));
        }
        let read_only = Mode::from_raw_mode(READ_ONLY);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.around, path, flags, read_only);
        let mut opened = open();
        // Only root may write to what is read-only.
        let is_closed = over.is_some() && matches!(opened, Err(Errno::ACCESS));
        if is_closed {
            rustix::fs::chmodat(&self.around, path, Mode::from_raw_mode(0o644), AtFlags::empty())?;
            opened = open();
        }
        let mut file = File::from(opened?);
        file.write_all(content)?;
        let length = content.len() as u64;
        if over.is_some_and(|made| made.size > length) {
            file.set_len(length)?;
        }
        if is_closed || over.is_none() {
            rustix::fs::fchmod(&file, read_only)?;
        }
        // Some file systems say what they say when a file is closed.
        drop(file);
        let made = seen(&self.look_at(path)?);
        if made.size == length { Ok(made) } else { Err(io::Error::other("somebody else writes to it")) }
    }

    fn make_parents(&self, name: &str, inside: &str) -> Result<(), Errno> {
        for (end, _) in inside.match_indices('/') {
            match rustix::fs::mkdirat(&self.around, within(name, &inside[..end]), Mode::from_raw_mode(0o777)) {
                Err(Errno::EXIST) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn unlink<'a>(&self, name: &str, files: impl Iterator<Item = &'a String>) -> io::Result<()> {
        for path in files.map(|inside| within(name, inside)) {
            rustix::fs::unlinkat(&self.around, &path, AtFlags::empty()).map_err(|error| failed(error, &path))?;
        }
        Ok(())
    }

    /// Gives a folder the time of those that stand.
    fn still_in(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::utimensat(&self.around, name, &times(), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

impl Contents {
    /// What was copied, by path inside, with what the file system said when it was made.
    pub(super) fn copies(&self) -> &BTreeMap<String, Stat> {
        &self.copies
    }
}

/// What the file system says of a file.
fn seen(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        size: stat.st_size as u64,
        modified: Stat::nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64),
        changed: Stat::nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64),
        inode: stat.st_ino,
    }
}

fn times() -> Timestamps {
    Timestamps { last_access: *STILL, last_modification: *STILL }
}

/// A path in the folder around them.
fn within(name: &str, inside: &str) -> String {
    format!("{name}/{inside}")
}

fn failed(error: impl Into<io::Error>, path: &str) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("`{INPUTS}/{path}` can't be made: {error}"))
}
