//! What a program reads, as it finds it: below `inputs/` a folder for each result ([`InputFolders`]), and beside it a note of them,
//! `inputs.json`.
//!
//! A disk is slow to make folders, files and links and to remove them, and thousands of short programs read as many results
//! each. So the folders, the copies and the note of a program that has ended are set aside for the next one, where they get other
//! names and another text. And nobody looks through folders that stand as they were made: they get a time of their own, which
//! changes when something in them is added, replaced or removed.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fs_err as fs;

use super::input_folders::{Changed, Contents, Entry, InputFolders, Left};
use crate::store::Stat;

/// The folder with what the stage reads; of a tree that was set aside, the ending.
pub(super) const INPUTS: &str = "inputs";

/// What is in `inputs/`.
pub(super) const INPUTS_NOTE: &str = "inputs.json";

/// The note in a tree that was set aside; no stage is called so.
const NOTE_ASIDE: &str = ".note";

/// For each folder below `inputs/` what is in it, by path inside.
pub(super) type Results = BTreeMap<String, BTreeMap<String, Entry>>;

/// Trees of folders without links, of all runs in this process.
static SPARE: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

/// Trees that were set aside.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The tree that a program was given.
#[derive(Debug)]
pub(super) struct Inputs {
    /// Where it is, in the program's folder.
    path: PathBuf,
    folders: InputFolders,
    /// What is in each, by name.
    contents: BTreeMap<String, Contents>,
    /// When its folders got their time; nothing if they have none, or have folders in them, which few results have.
    changed: Option<Changed>,
}

/// A tree that was set aside.
#[derive(Debug)]
struct Spare {
    path: PathBuf,
    folders: InputFolders,
    /// What is left in each, by name.
    left: BTreeMap<String, Left>,
    changed: Option<Changed>,
}

impl Inputs {
    /// Makes the tree and the note in a program's folder, out of those that were set aside beside it or anew. Returns it with
    /// what the file system says of the note.
    ///
    /// # Errors
    /// What the file system returns.
    pub(super) fn make(program: &Path, results: &Results, note: &[u8]) -> io::Result<(Self, Metadata)> {
        let path = program.join(INPUTS);
        if let Some(Spare { path: aside, folders, left, changed }) = take(program) {
            let stands = changed.is_some() && folders.changed(left.keys()) == changed;
            let make = || {
                fs::rename(&aside, &path)?;
                fs::rename(path.join(NOTE_ASIDE), program.join(INPUTS_NOTE))?;
                let inputs = Self::fill(path.clone(), folders, results, left)?;
                Ok::<_, io::Error>((inputs, write(program, note)?))
            };
            if stands && let Ok(made) = make() {
                return Ok(made);
            }
            // Somebody has changed it meanwhile.
            let _ = fs::remove_dir_all(&aside);
            let _ = fs::remove_dir_all(&path);
            let _ = fs::remove_file(program.join(INPUTS_NOTE));
        }
        fs::create_dir(&path)?;
        let folders = InputFolders::at(&path)?;
        Ok((Self::fill(path, folders, results, BTreeMap::new())?, write(program, note)?))
    }

    /// The copies of files, each by its folder's name and its path inside, with what the file system said when it was made.
    pub(super) fn copies(&self) -> impl Iterator<Item = (&String, &String, &Stat)> {
        self.contents
            .iter()
            .flat_map(|(name, contents)| contents.copies().iter().map(move |(inside, stat)| (name, inside, stat)))
    }

    /// Whether the tree is where it was made and as it was made, as far as its folders and copies tell; what its links lead to,
    /// they don't know.
    pub(super) fn stand(&self) -> bool {
        self.changed.is_some()
            && self.folders.are_at(&self.path)
            && self.folders.changed(self.contents.keys()) == self.changed
            && self.contents.iter().all(|(name, contents)| self.folders.has_copies(name, contents))
    }

    /// Sets the tree and the note aside, without links, where the program's checkpoints would be, with a name that goes on.
    /// Returns whether it has done so; otherwise the tree is still there, perhaps with fewer files and with the note in it. Call
    /// it when the tree and the note stand.
    pub(super) fn set_aside(self, program: &Path, checkpoints: &Path) -> bool {
        let Self { path: tree, folders, contents, .. } = self;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = checkpoints.with_extension(format!("{}-{number}.{INPUTS}", std::process::id()));
        // Links go now and not when the next program waits for its own: a disk may take its time to free them. What changes there
        // from now on is seen.
        let emptied = contents.into_iter().map(|(name, contents)| {
            let left = folders.empty(&name, &contents)?;
            Ok((name, left))
        });
        let Ok(left) = emptied.collect::<io::Result<BTreeMap<_, _>>>() else { return false };
        let is_moved =
            fs::rename(program.join(INPUTS_NOTE), tree.join(NOTE_ASIDE)).is_ok() && fs::rename(&tree, &path).is_ok();
        if !is_moved || folders.still().is_err() {
            return false;
        }
        let changed = folders.changed(left.keys());
        spare().push(Spare { path, folders, left, changed });
        true
    }

    /// Makes the folders with what is in them, out of those that are there.
    fn fill(
        path: PathBuf,
        folders: InputFolders,
        results: &Results,
        mut left: BTreeMap<String, Left>,
    ) -> io::Result<Self> {
        let mut others: Vec<String> = left.keys().filter(|name| !results.contains_key(*name)).cloned().collect();
        let mut contents = BTreeMap::new();
        for (name, entries) in results {
            let mut there = left.remove(name);
            if there.is_none()
                && let Some(other) = others.pop()
            {
                folders.rename(&other, name)?;
                there = left.remove(&other);
            }
            contents.insert(name.clone(), folders.fill(name, entries, there)?);
        }
        for other in others {
            folders.remove(&other, &left[&other])?;
        }
        let is_flat = results.values().flat_map(BTreeMap::keys).all(|inside| !inside.contains('/'));
        let changed = if is_flat && folders.still().is_ok() { folders.changed(results.keys()) } else { None };
        Ok(Self { path, folders, contents, changed })
    }
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

    use super::{Entry, INPUTS, INPUTS_NOTE, Inputs, Results, put_away, spare};

    /// What is below a folder: each path inside, and nothing for a folder.
    fn below(folder: &Path, prefix: &str) -> BTreeMap<String, Option<Entry>> {
        let mut found = BTreeMap::new();
        for entry in fs_err::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let inside = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().unwrap();
            let path = entry.path();
            let what = if kind.is_dir() {
                found.extend(below(&path, &format!("{inside}/")));
                None
            } else if kind.is_symlink() {
                Some(Entry::Link(fs_err::read_link(path).unwrap()))
            } else {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o444, "{inside}");
                Some(Entry::Copy(fs_err::read(path).unwrap()))
            };
            found.insert(inside, what);
        }
        found
    }

    /// The same as it should be.
    fn wanted(results: &Results) -> BTreeMap<String, Option<Entry>> {
        let mut all = BTreeMap::new();
        for (name, entries) in results {
            all.insert(name.clone(), None);
            for (inside, entry) in entries {
                all.extend(inside.rsplit_once('/').map(|(deep, _)| (format!("{name}/{deep}"), None)));
                all.insert(format!("{name}/{inside}"), Some(entry.clone()));
            }
        }
        all
    }

    /// One result with one file.
    fn one(entry: Entry) -> Results {
        Results::from([("a".to_owned(), BTreeMap::from([("x".to_owned(), entry)]))])
    }

    fn link() -> Entry {
        Entry::Link(PathBuf::from("/x"))
    }

    fn copy(content: &str) -> Entry {
        Entry::Copy(content.into())
    }

    /// What a program reads, how long its note is, and what it does with what it reads: nothing, or one of [`CHANGES`].
    fn readers() -> impl Strategy<Value = Vec<(Results, usize, Option<usize>)>> {
        let entry =
            prop_oneof!["/[a-c]".prop_map(|path| Entry::Link(path.into())), "[ab]{0,3}".prop_map(|text| copy(&text))];
        // More than are kept, too.
        let files = prop_oneof![
            prop::collection::btree_map("[xyz]|d/x", entry.clone(), 0..3),
            prop::collection::btree_map("[m-z]", entry, 8..12)
        ];
        let results = prop::collection::btree_map("[abcd]", files, 1..4);
        prop::collection::vec((results, 0usize..9, prop::option::of(0..CHANGES.len())), 1..6)
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
            // Another one of the same name.
            let there = fs_err::read_dir(folder).unwrap().next().map(|entry| entry.unwrap().path());
            let there = there.unwrap_or_else(|| folder.join("new"));
            let _ = fs_err::remove_dir_all(&there);
            let _ = fs_err::remove_file(&there);
            symlink("/elsewhere", there).unwrap();
        },
    ];

    proptest! {
        #[test]
        fn whoever_read_before_a_program_finds_what_it_reads(readers in readers()) {
            let folder = tempfile::tempdir().unwrap();
            for (number, (results, note, change)) in readers.into_iter().enumerate() {
                let program = folder.path().join(format!("{number}.folder"));
                fs_err::create_dir(&program).unwrap();
                let note = "x".repeat(note);
                let (inputs, said) = Inputs::make(&program, &results, note.as_bytes()).unwrap();
                prop_assert_eq!(said.len(), note.len() as u64);
                prop_assert_eq!(fs_err::read_to_string(program.join(INPUTS_NOTE)).unwrap(), note);
                let tree = program.join(INPUTS);
                prop_assert_eq!(below(&tree, ""), wanted(&results));
                let plain = fs_err::metadata(&program).unwrap().permissions().mode();
                for folder in results.keys().map(|name| tree.join(name)).chain([tree.clone()]) {
                    prop_assert_eq!(fs_err::metadata(folder).unwrap().permissions().mode(), plain);
                }
                let is_flat = results.values().flat_map(BTreeMap::keys).all(|inside| !inside.contains('/'));
                prop_assert_eq!(inputs.stand(), is_flat);
                if let Some(change) = change {
                    CHANGES[change](&tree, &tree.join(results.keys().next().unwrap()));
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
        let results = one(copy("abc"));
        let read = |name: String| {
            let program = folder.path().join(&name);
            fs_err::create_dir(&program).unwrap();
            let (inputs, _) = Inputs::make(&program, &results, b"[]").unwrap();
            assert_eq!(below(&program.join(INPUTS), ""), wanted(&results), "{name}");
            assert!(inputs.stand() && inputs.set_aside(&program, &folder.path().join("key")));
        };
        let changes: [fn(&Path); 7] = [
            |aside| fs_err::write(aside.join("more"), "").unwrap(),
            |aside| fs_err::write(aside.join("a/more"), "").unwrap(),
            |aside| {
                fs_err::remove_file(aside.join("a/x")).unwrap();
                symlink("/elsewhere", aside.join("a/x")).unwrap();
            },
            // What a folder would not tell.
            |aside| overwrite(&aside.join("a/x"), "longer than before"),
            |aside| overwrite(&aside.join("a/x"), "xyz"),
            |aside| fs_err::set_permissions(aside.join("a/x"), PermissionsExt::from_mode(0o600)).unwrap(),
            |aside| fs_err::hard_link(aside.join("a/x"), aside.with_extension("kept")).unwrap(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            read(format!("before-{number}"));
            let aside = aside(folder.path());
            assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("key."));
            change(&aside);
            read(format!("after-{number}"));
            if let Ok(kept) = fs_err::read_to_string(aside.with_extension("kept")) {
                assert_eq!(kept, "abc");
            }
        }
    }

    /// Other content of other readers, and a file that somebody has kept: nobody has written to that.
    #[test]
    fn a_copy_with_another_name_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        for (name, content) in [("one", "abc"), ("two", "xyz")] {
            let program = folder.path().join(name);
            fs_err::create_dir(&program).unwrap();
            let (inputs, _) = Inputs::make(&program, &one(copy(content)), b"").unwrap();
            let _ = fs_err::hard_link(program.join(INPUTS).join("a/x"), &kept);
            assert_eq!(inputs.stand(), name == "two");
            assert!(inputs.set_aside(&program, &folder.path().join("key")));
        }
        assert_eq!(fs_err::read_to_string(kept).unwrap(), "abc");
    }

    /// As somebody who may.
    fn overwrite(file: &Path, content: &str) {
        fs_err::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
        fs_err::write(file, content).unwrap();
        fs_err::set_permissions(file, PermissionsExt::from_mode(0o444)).unwrap();
    }

    #[test]
    fn the_next_program_gets_the_same_files_with_another_text() {
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        let mut numbers = Vec::new();
        for content in ["abc", "a", "abcdef", ""] {
            let program = folder.path().join(format!("of {content}"));
            fs_err::create_dir(&program).unwrap();
            let (inputs, _) = Inputs::make(&program, &one(copy(content)), b"[]").unwrap();
            let file = program.join(INPUTS).join("a/x");
            assert_eq!(fs_err::read_to_string(&file).unwrap(), content);
            let metadata = fs_err::metadata(file).unwrap();
            let told: Vec<_> = inputs.copies().map(|(_, _, stat)| (stat.inode, stat.size)).collect();
            assert_eq!(told, [(metadata.ino(), content.len() as u64)]);
            numbers.push(metadata.ino());
            assert!(inputs.set_aside(&program, &folder.path().join("key")));
        }
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    }

    /// Written to, made writable, or given another name, by which somebody could read what others are given.
    #[test]
    fn a_tree_with_a_copy_that_was_touched_does_not_stand() {
        let changes: [fn(&Path); 3] = [
            |copy| overwrite(copy, "b"),
            |copy| fs_err::set_permissions(copy, PermissionsExt::from_mode(0o600)).unwrap(),
            |copy| fs_err::hard_link(copy, copy.ancestors().nth(3).unwrap().join("another")).unwrap(),
        ];
        for change in changes {
            let folder = tempfile::tempdir().unwrap();
            let (inputs, _) = Inputs::make(folder.path(), &one(copy("a")), b"").unwrap();
            assert!(inputs.stand());
            wait_a_tick();
            change(&folder.path().join(INPUTS).join("a/x"));
            assert!(!inputs.stand());
        }
    }

    /// Longer than a file system's clock ticks.
    fn wait_a_tick() {
        std::thread::sleep(std::time::Duration::from_millis(30));
    }

    /// Whatever it was that a program has done, and with the times put back.
    #[test]
    fn a_folder_with_the_time_that_it_had_does_not_stand() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, _) = Inputs::make(folder.path(), &one(link()), b"").unwrap();
        let within = folder.path().join(INPUTS).join("a");
        let time = fs_err::metadata(&within).unwrap().modified().unwrap();
        assert!(time < SystemTime::now() && inputs.stand());
        wait_a_tick();
        fs_err::remove_file(within.join("x")).unwrap();
        std::fs::File::open(&within).unwrap().set_modified(time).unwrap();
        assert!(!inputs.stand());
    }

    /// One that is the same to look at, in its place.
    #[test]
    fn another_tree_does_not_stand() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results::from([("a".to_owned(), BTreeMap::new())]);
        let (inputs, _) = Inputs::make(folder.path(), &results, b"").unwrap();
        let tree = folder.path().join(INPUTS);
        fs_err::rename(&tree, tree.with_extension("moved")).unwrap();
        fs_err::create_dir_all(tree.join("a")).unwrap();
        assert!(!inputs.stand());
    }

    #[test]
    fn what_was_set_aside_is_put_away() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs_err::create_dir(&program).unwrap();
        let (inputs, _) = Inputs::make(&program, &one(link()), b"[]").unwrap();
        assert!(inputs.set_aside(&program, &folder.path().join("key")));
        let aside = aside(folder.path());
        assert!(aside.exists());
        put_away();
        assert!(!aside.exists());
    }
}
