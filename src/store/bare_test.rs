//! Results of one file that a program wrote: kept without a folder, found, shared, set aside and removed as others are.

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::fsck::{Depth, Kind};
use super::gc::{Wish, choose};
use super::programs::likeness;
use super::store_test::{count, finish, locked, open, preimage, publish, whole, write_all};
use super::usage::{self, Uses};
use super::{Found, Record, Store};
use crate::base::{Digest, moment};
use crate::plan::instance::tests::small;

const NAME: &str = "scores.tar.gz";

/// Publishes what a program would write.
fn program(store: &Store, k: u32, files: &[(&str, &str)]) -> Record {
    let work = store.begin_program(&locked(store, &preimage(k).key())).unwrap();
    assert_eq!(count(work.folder()), 0, "an empty folder");
    write_all(work.folder(), files);
    finish(store, work, k).unwrap()
}

fn place(store: &Store, record: &Record) -> PathBuf {
    store.files(record).whole()
}

/// Everything below `objects/`, by name.
fn objects(store: &Store) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    store.fanned_entries("objects").unwrap().into_iter().map(name).collect()
}

/// As somebody who may.
fn overwrite(path: &Path, text: &str) {
    fs_err::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    fs_err::write(path, text).unwrap();
}

#[test]
fn one_file_of_a_program_needs_no_folder() {
    let (_folder, store) = open();
    let record = program(&store, 1, &[(NAME, "1")]);
    assert_eq!(whole(&store, 1).as_deref(), Some(&record));
    assert!(record.bare);
    let path = store.files_of(&record.key, &record.output).file(NAME);
    assert_eq!(path, place(&store, &record));
    assert_eq!(objects(&store), [format!("{}.{NAME}", record.output)]);
    assert_eq!(fs_err::read_to_string(&path).unwrap(), "1");
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
    // Nothing is read again: what the record says of the file is what the file system says now.
    assert_eq!(record.files[NAME].stat, super::Stat::of(&fs_err::metadata(&path).unwrap()));
    assert_eq!(store.bare_names().unwrap(), HashMap::from([(record.output, vec![NAME.to_owned()])]));
    store.flush().unwrap();
    assert_eq!(count(&store.root().join("scratch")), 0);
    // The digest does not depend on how it is kept.
    let (_folder, other) = open();
    let same = publish(&other, 1, &[(NAME, "1")]).unwrap();
    assert_eq!((same.output, same.bare), (record.output, false));
    assert!(store.check(Depth::Deep).unwrap().findings.is_empty());
}

#[test]
fn everything_else_has_a_folder() {
    let (_folder, store) = open();
    let long = "x".repeat(29);
    for (k, files) in
        [vec![], vec![("a", "1"), ("b", "2")], vec![("a/b", "1")], vec![(long.as_str(), "1")]].into_iter().enumerate()
    {
        let record = program(&store, k as u32, &files);
        assert!(!record.bare && place(&store, &record).is_dir());
    }
    let record = program(&store, 9, &[(&long[1..], "1")]);
    // The name that it gets when it is set aside is not too long either for file systems that encrypt names.
    overwrite(&place(&store, &record), "2");
    let Found::Damaged(damage) = store.find(&record.key).unwrap() else { panic!("it was damaged") };
    assert!(record.bare && damage.moved_to.unwrap().file_name().unwrap().len() <= 143);
    assert!(store.check(Depth::Deep).unwrap().findings.is_empty());
    // Earlier programs would not find it.
    let (folder, _) = open();
    let root = folder.path().join("earlier");
    drop(Store::open(&root).unwrap());
    fs_err::write(root.join("layout"), "3\n").unwrap();
    assert!(!program(&Store::open(&root).unwrap(), 1, &[(NAME, "1")]).bare);
}

#[test]
fn equal_files_are_one_file_and_a_result_with_a_folder_keeps_its_own() {
    let (_folder, store) = open();
    let one = program(&store, 1, &[(NAME, "1")]);
    let inode = |record: &Record| fs_err::metadata(place(&store, record)).unwrap().ino();
    let before = inode(&one);
    let (two, again) = (program(&store, 2, &[(NAME, "1")]), program(&store, 1, &[(NAME, "1")]));
    assert_eq!((inode(&two), inode(&again)), (before, before));
    let third = publish(&store, 3, &[(NAME, "1")]).unwrap();
    assert_eq!((third.output, third.bare, objects(&store).len()), (one.output, false, 2));
    assert!((1..=3).all(|k| whole(&store, k).is_some()));
    // Each is missed by itself.
    fs_err::remove_file(place(&store, &one)).unwrap();
    assert!(matches!(store.find(&one.key).unwrap(), Found::Damaged(damage) if damage.what == "its files are gone"));
    assert!(whole(&store, 3).is_some());
    let found = store.check(Depth::Quick).unwrap();
    assert_eq!(found.damaged(), 1, "the second: {found:?}");
    assert_eq!(program(&store, 1, &[(NAME, "1")]).output, one.output);
    assert!(whole(&store, 1).is_some());
}

#[test]
fn what_is_damaged_is_set_aside_and_what_is_new_takes_its_place() {
    let (_folder, store) = open();
    let damaged = |store: &Store| match store.find(&preimage(1).key()).unwrap() {
        Found::Damaged(damage) => (damage.what, damage.moved_to.is_some_and(|path| path.is_file())),
        other => panic!("{other:?}"),
    };
    let record = program(&store, 1, &[(NAME, "1")]);
    overwrite(&place(&store, &record), "22");
    assert_eq!(damaged(&store), (format!("`{NAME}` has 2 bytes instead of 1"), true));
    assert_eq!((store.find(&record.key).unwrap(), objects(&store).len()), (Found::Missing, 0));
    // Found by the next one that publishes it, by `fsck`, and by a run that had seen it whole.
    program(&store, 1, &[(NAME, "1")]);
    overwrite(&place(&store, &record), "2");
    program(&store, 2, &[(NAME, "1")]);
    assert!(whole(&store, 1).is_some() && whole(&store, 2).is_some());
    assert_eq!(count(&store.root().join("quarantine")), 3, "two files and a record");
    overwrite(&place(&store, &record), "2");
    let found = store.check(Depth::Deep).unwrap();
    assert_eq!(found.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [Kind::Object]);
    assert_eq!((whole(&store, 1), whole(&store, 2), objects(&store).len()), (None, None, 0));
    // Nothing else may stand in its place.
    program(&store, 1, &[(NAME, "1")]);
    fs_err::remove_file(place(&store, &record)).unwrap();
    fs_err::create_dir(place(&store, &record)).unwrap();
    assert_eq!(damaged(&store).0, format!("`{NAME}` is no plain file"));
}

/// Whoever comes later takes what is there: others read it by now, and its record knows its number.
#[test]
fn many_that_publish_the_same_share_one_file() {
    let (_folder, store) = open();
    let records: Vec<Record> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let store = &store;
                scope.spawn(move || {
                    (0..20).map(|k| program(store, thread * 20 + k, &[(NAME, &k.to_string())])).collect()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<Record> { thread.join().unwrap() }).collect()
    });
    assert_eq!((records.len(), objects(&store).len()), (160, 20));
    for record in records {
        let metadata = fs_err::metadata(place(&store, &record)).unwrap();
        assert_eq!(record.files[NAME].stat.inode, metadata.ino());
    }
    assert!(store.check(Depth::Deep).unwrap().findings.is_empty());
}

#[test]
fn a_run_that_has_seen_it_sees_what_became_of_it() {
    let (_folder, store) = open();
    let record = program(&store, 1, &[(NAME, "1")]);
    let (root, plan) = (store.root().to_owned(), small());
    let seen = |store: &Store| store.recall("p", &plan.instances[0], &record.key);
    let plan_p = crate::plan::Plan { pipeline: "p".to_owned(), ..small() };
    store.keep_seen(&plan_p);
    drop(store);
    let store = Store::open(&root).unwrap();
    assert_eq!(seen(&store).map(|brief| brief.bare), Some(Some(NAME.to_owned())));
    assert_eq!(store.files_of(&record.key, &record.output), store.files(&record));
    overwrite(&place(&store, &record), "2");
    assert!(seen(&store).is_none());
    fs_err::remove_file(place(&store, &record)).unwrap();
    assert!(seen(&store).is_none());
}

/// A use does not touch the file, whose times say that its content is what it was.
#[test]
fn the_last_use_is_when_it_was_made_or_what_the_journal_says() {
    let (_folder, store) = open();
    let record = program(&store, 1, &[(NAME, "1")]);
    let used = |store: &Store| store.census().unwrap().results[0].used;
    let made = record.started + record.seconds as u64;
    assert_eq!(used(&store), made);
    let root = store.root().to_owned();
    drop(store);
    let store = Store::open_to_read(&root).unwrap();
    whole(&store, 1).unwrap();
    drop(store);
    let store = Store::open(&root).unwrap();
    assert_eq!(used(&store), made, "who only looks leaves no trace");
    (0..3).for_each(|_| assert_eq!(whole(&store, 1).as_deref(), Some(&record)));
    store.uses.settle();
    assert!(moment::now() - used(&store) < 60);
    let text = fs_err::read_to_string(root.join(usage::FILE)).unwrap();
    assert_eq!(text.split_whitespace().count(), 1, "noted once: {text}");
    // Equal files grow old together.
    program(&store, 2, &[(NAME, "2")]);
    program(&store, 3, &[(NAME, "2")]);
    store.uses.settle();
    assert!(store.census().unwrap().results.iter().all(|result| moment::now() - result.used < 60));
}

/// Whatever a file is called.
#[test]
fn what_was_set_aside_is_no_folder_for_a_program() {
    let (_folder, store) = open();
    let record = program(&store, 1, &[("r.spare-1", "1")]);
    overwrite(&place(&store, &record), "2");
    assert_eq!(store.check(Depth::Deep).unwrap().damaged(), 1);
    // The one that waits for the next program here.
    store.flush().unwrap();
    let rests = |store: &Store| -> Vec<super::census::Kind> {
        let all = store.census().unwrap().rests;
        all.iter().map(|rest| rest.kind).filter(|kind| *kind != super::census::Kind::Lock).collect()
    };
    use super::census::Kind::{Checkpoint, Name, Quarantine, Work};
    assert_eq!(rests(&store), [Quarantine, Quarantine, Name]);
    // The folder of a program that failed, and one that waited for a program when its runner was killed.
    let scratch = store.root().join("scratch");
    for name in ["folder", "spare-1-2-3"] {
        fs_err::create_dir(scratch.join(format!("{}.{name}", record.key))).unwrap();
    }
    assert_eq!(rests(&store), [Checkpoint, Work, Quarantine, Quarantine, Name]);
}

#[test]
fn what_nobody_wants_goes_with_its_uses() {
    let (_folder, store) = open();
    let records = [1, 2].map(|k| program(&store, k, &[(NAME, &k.to_string())]));
    publish(&store, 3, &[(NAME, "1")]).unwrap();
    let orphan = store.place(&Digest::of(b"x"), Some("y")).whole();
    fs_err::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs_err::write(orphan, "an orphan").unwrap();
    records.iter().for_each(|record| store.uses.note(&record.output));
    let root = store.root().to_owned();
    drop(store);
    let alone = Store::open_alone(&root).unwrap();
    let mut uses = fs_err::OpenOptions::new().append(true).open(root.join(usage::FILE)).unwrap();
    std::io::Write::write_all(&mut uses, b"torn").unwrap();
    assert_eq!(alone.uses.torn(), 1);
    // What a program has put beside a file that it reads.
    let beside = place(&alone, &records[1]).with_extension("idx");
    fs_err::write(&beside, "index").unwrap();
    let census = alone.census().unwrap();
    assert_eq!((census.objects.len(), objects(&alone).len()), (5, 5), "one in two forms, an orphan, an index");
    let wish = Wish { reachable: Some([records[1].key].into()), ..Wish::default() };
    let choice = choose(&census, &wish, moment::now());
    alone.remove(&census, &choice).unwrap();
    assert_eq!(alone.census().unwrap().bytes(), choice.after);
    assert_eq!(objects(&alone), [format!("{}.{NAME}", records[1].output)]);
    assert_eq!((alone.uses.latest().into_keys().collect::<Vec<_>>(), alone.uses.torn()), (vec![records[1].output], 0));
}

#[test]
fn a_long_journal_of_uses_keeps_the_latest_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(usage::FILE);
    let digest = |number: u64| Digest::of(&number.to_le_bytes());
    let lines: Vec<String> =
        (0..30_000u64).map(|line| serde_json::to_string(&(digest(line % 100), 1_000_000 - line)).unwrap()).collect();
    fs_err::write(&path, lines.join("\n")).unwrap();
    let uses = Uses::new(path.clone());
    let before = uses.latest();
    uses.settle();
    assert!(fs_err::metadata(&path).unwrap().len() < 10_000);
    assert_eq!((uses.latest().len(), uses.latest()[&digest(7)]), (100, 1_000_000 - 7));
    assert_eq!(uses.latest(), before);
}

/// What a program leaves in its folder reaches no other one. (Which folders are handed on, `tests/it` sees: here, other tests
/// of this process leave programs behind.)
#[test]
fn each_program_gets_an_empty_folder_as_new_ones_are() {
    let (_folder, store) = open();
    let changes: [fn(&Path); 7] = [
        |_| {},
        // On some disks, a folder gets longer by that.
        |folder| {
            (0..3000).for_each(|number| fs_err::write(folder.join(number.to_string()), "").unwrap());
            (0..3000).for_each(|number| fs_err::remove_file(folder.join(number.to_string())).unwrap());
        },
        |folder| fs_err::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap(),
        |folder| fs_err::write(folder.join("more"), "").unwrap(),
        |folder| fs_err::create_dir(folder.join("more")).unwrap(),
        |folder| {
            // What access lists are; not every file system has them.
            let _ = rustix::fs::lsetxattr(folder, "user.compt", b"1", rustix::fs::XattrFlags::empty());
        },
        |_folder| {
            #[cfg(target_os = "linux")]
            let _ = rustix::fs::ioctl_setflags(fs_err::File::open(_folder).unwrap(), rustix::fs::IFlags::NOATIME);
        },
    ];
    let usual = likeness(&store.root().join("work"));
    for change in changes.iter().chain(&changes) {
        let work = store.begin_program(&locked(&store, &preimage(1).key())).unwrap();
        let folder = work.folder().to_owned();
        assert_eq!(folder, store.scratch_path(work.key()).with_extension("folder"));
        assert_eq!((likeness(&folder), count(&folder)), (usual, 0));
        write_all(&folder, &[(NAME, "1")]);
        change(&folder);
        finish(&store, work, 1).unwrap();
        assert!(!folder.exists());
    }
    // Nor what a failed attempt has left.
    let work = store.begin_program(&locked(&store, &preimage(1).key())).unwrap();
    write_all(work.folder(), &[("deep/left", "1")]);
    drop(work);
    assert_eq!(program(&store, 1, &[(NAME, "1")]).files.len(), 1);
    let root = store.root().to_owned();
    drop(store);
    assert_eq!(count(&root.join("scratch")), 0);
}

proptest! {
    /// Whatever programs and others publish, in whatever order: all of it is there, and nothing else.
    #[test]
    fn what_was_published_last_is_found(
        steps in prop::collection::vec((0u32..4, any::<bool>(), "[ab]", "[xy]{1,2}"), 1..12)
    ) {
        let (_folder, store) = open();
        let mut latest: HashMap<u32, Record> = HashMap::new();
        for (k, is_programs, name, text) in steps {
            let files = [(name.as_str(), text.as_str())];
            let record = if is_programs { program(&store, k, &files) } else { publish(&store, k, &files).unwrap() };
            prop_assert_eq!(record.bare, is_programs);
            prop_assert_eq!(fs_err::read_to_string(store.files(&record).file(&name)).unwrap(), text);
            latest.insert(k, record);
        }
        for (k, record) in &latest {
            let found = whole(&store, *k);
            prop_assert_eq!(found.as_deref(), Some(record));
        }
        let found = store.check(Depth::Deep).unwrap();
        prop_assert!(found.findings.iter().all(|finding| finding.kind == Kind::Orphan));
        let mut named: Vec<PathBuf> = latest.values().map(|record| place(&store, record)).collect();
        named.sort();
        named.dedup();
        prop_assert_eq!(named.len() + found.findings.len(), objects(&store).len());
    }
}
