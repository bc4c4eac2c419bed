//! What a program reads, as it finds it: below `inputs/` a folder for each result, with a link to each of its files.
//!
//! A disk is slow to make folders and to remove them, and thousands of short programs read as many results each. So the folders
//! of a program that has ended are set aside for the next one, where they get other names and other links.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fs_err as fs;
use fs_err::os::unix::fs::symlink;

/// The folder with what the stage reads; of a tree that was set aside, the ending.
pub(super) const INPUTS: &str = "inputs";

/// For each folder below `inputs/` its links: what each is called, and the file that it leads to.
pub(super) type Links = BTreeMap<String, BTreeMap<String, PathBuf>>;

/// Trees of empty folders, of all runs in this process.
static SPARE: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

struct Spare {
    path: PathBuf,
    /// The names of its folders.
    folders: Vec<String>,
}

/// The mode of a new folder, as the umask wants it.
static USUAL: OnceLock<u32> = OnceLock::new();

/// Makes the tree in a program's folder, out of one that was set aside beside it or anew.
///
/// # Errors
/// What the file system returns.
pub(super) fn make(program: &Path, links: &Links) -> io::Result<()> {
    let tree = program.join(INPUTS);
    if let Some(spare) = take(program) {
        if fs::rename(&spare.path, &tree).and_then(|()| fill(&tree, spare.folders, links)).is_ok() {
            return Ok(());
        }
        // Somebody has changed it meanwhile.
        let _ = fs::remove_dir_all(&tree);
    }
    fs::create_dir(&tree)?;
    USUAL.get_or_init(|| mode(&tree).unwrap_or_default());
    fill(&tree, Vec::new(), links)
}

/// Sets the tree in a program's folder aside, without links, where its checkpoints would be but with another ending. Returns
/// whether it has done so; otherwise the tree is still there, perhaps with fewer links. Call it when the links, and nothing
/// else, are there as they were made.
pub(super) fn set_aside(program: &Path, checkpoints: &Path, links: &Links) -> bool {
    let (tree, path) = (program.join(INPUTS), checkpoints.with_extension(INPUTS));
    let is_flat = links.values().flat_map(BTreeMap::keys).all(|inside| !inside.contains('/'));
    let mut folders = links.keys().map(|name| tree.join(name)).chain([tree.clone()]);
    let is_as_made = is_flat && folders.all(|folder| mode(&folder) == USUAL.get().copied());
    // The links go now and not when the next program waits for its own: a disk may take its time to free them.
    let is_emptied = |(name, files): (&String, &BTreeMap<String, PathBuf>)| {
        let folder = tree.join(name);
        files.keys().all(|inside| fs::remove_file(folder.join(inside)).is_ok())
    };
    let is_moved = || {
        // A runner that was killed may have left one there.
        fs::rename(&tree, &path).or_else(|_| fs::remove_dir_all(&path).and_then(|()| fs::rename(&tree, &path))).is_ok()
    };
    let is_set_aside = is_as_made && links.iter().all(is_emptied) && is_moved();
    if is_set_aside {
        spare().push(Spare { path, folders: links.keys().cloned().collect() });
    }
    is_set_aside
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

/// Makes the folders with their links, out of empty ones where there are any.
fn fill(tree: &Path, empty: Vec<String>, links: &Links) -> io::Result<()> {
    let (same, mut others): (Vec<_>, Vec<_>) = empty.into_iter().partition(|name| links.contains_key(name));
    for (name, files) in links {
        let folder = tree.join(name);
        if !same.contains(name) {
            match others.pop() {
                Some(other) => fs::rename(tree.join(other), &folder)?,
                None => fs::create_dir(&folder)?,
            }
        }
        for (inside, target) in files {
            if let Some((deep, _)) = inside.rsplit_once('/') {
                fs::create_dir_all(folder.join(deep))?;
            }
            symlink(target, folder.join(inside))?;
        }
    }
    others.iter().try_for_each(|other| fs::remove_dir(tree.join(other)))
}

fn mode(folder: &Path) -> Option<u32> {
    Some(fs::symlink_metadata(folder).ok()?.permissions().mode())
}

fn spare() -> MutexGuard<'static, Vec<Spare>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::{INPUTS, Links, make, put_away, set_aside, spare};

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

    /// What a program reads, and what it does with that: nothing, or change a mode.
    fn readers() -> impl Strategy<Value = Vec<(Links, bool)>> {
        let files = prop::collection::btree_map("[xyz]|d/x", "/[a-c]".prop_map(PathBuf::from), 0..3);
        let links = prop::collection::btree_map("[abcd]", files, 1..4);
        prop::collection::vec((links, any::<bool>()), 1..6)
    }

    proptest! {
        #[test]
        fn whoever_read_before_a_program_finds_what_it_reads(readers in readers()) {
            let folder = tempfile::tempdir().unwrap();
            for (number, (links, changes)) in readers.iter().enumerate() {
                let program = folder.path().join(format!("{number}.folder"));
                fs_err::create_dir(&program).unwrap();
                make(&program, links).unwrap();
                let tree = program.join(INPUTS);
                prop_assert_eq!(below(&tree, ""), wanted(links));
                let plain = fs_err::metadata(&program).unwrap().permissions().mode();
                let folders = links.keys().map(|name| tree.join(name)).chain([tree.clone()]);
                for folder in folders.clone() {
                    prop_assert_eq!(fs_err::metadata(folder).unwrap().permissions().mode(), plain);
                }
                if *changes {
                    folders.take(1).for_each(|folder| fs_err::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap());
                }
                let is_flat = links.values().flat_map(BTreeMap::keys).all(|inside| !inside.contains('/'));
                let aside = set_aside(&program, &folder.path().join(number.to_string()), links);
                prop_assert_eq!(aside, is_flat && !changes);
                prop_assert_eq!(tree.exists(), !aside);
            }
            // Of other tests in this process, nothing is known here.
            let ours: Vec<_> = spare().iter().map(|spare| spare.path.clone()).collect();
            let left = ours.iter().filter(|path| path.starts_with(folder.path())).count();
            prop_assert!(left <= 1, "one after the other, there is never more than one");
        }
    }

    #[test]
    fn what_was_set_aside_is_put_away() {
        let folder = tempfile::tempdir().unwrap();
        let links = Links::from([("a".to_owned(), BTreeMap::from([("x".to_owned(), PathBuf::from("/x"))]))]);
        make(folder.path(), &links).unwrap();
        let key = folder.path().parent().unwrap().join("key-of-this-test");
        assert!(set_aside(folder.path(), &key, &links) && key.with_extension(INPUTS).exists());
        put_away();
        assert!(!key.with_extension(INPUTS).exists());
    }
}
