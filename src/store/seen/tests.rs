use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::bundle::tests::{instances, publish_in};
use super::super::memo::Stat;
use super::super::store_test::{FILES, finish, locked, open, preimage, write_all};
use super::super::{Brief, Found, Record, Store};
use super::FOLDER;
use crate::base::Digest;
use crate::plan::Plan;
use crate::plan::instance::tests::small;

/// A plan called as the tests of the store call their pipeline.
fn plan() -> Plan {
    Plan { pipeline: "p".to_owned(), ..small() }
}

/// A cache with one result that was seen.
fn seen() -> (tempfile::TempDir, PathBuf, Record) {
    let (folder, store) = open();
    let work = store.begin(&locked(&store, &preimage(1).key())).unwrap();
    write_all(work.folder(), &FILES);
    let record = finish(&store, work, 1).unwrap();
    store.keep_seen(&plan());
    let root = store.root().to_owned();
    (folder, root, record)
}

fn recalled(root: &Path, key: &Digest) -> Option<Brief> {
    Store::open(root).unwrap().recall("p", &plan().instances[0], key)
}

/// Looks as a run does, and keeps what was seen.
fn look(root: &Path, key: &Digest) -> Found {
    let store = Store::open(root).unwrap();
    let sought = store.find_latest("p", &plan().instances[0], key, || Some(preimage(1)));
    sought.noted.unwrap();
    store.keep_seen(&plan());
    sought.found.unwrap()
}

fn make_writable(path: &Path) {
    fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn what_was_seen_is_what_the_record_says() {
    let (_folder, root, record) = seen();
    assert_eq!(recalled(&root, &record.key), Some(Brief::from(&record)));
    // Of another key, instance or pipeline nothing was seen.
    let store = Store::open_to_read(&root).unwrap();
    assert_eq!(store.recall("p", &plan().instances[0], &preimage(2).key()), None);
    assert_eq!(store.recall("p", &plan().instances[1], &record.key), None);
    assert_eq!(store.recall("q", &plan().instances[0], &record.key), None);
}

#[test]
fn whatever_was_touched_is_read_and_seen_anew() {
    type Harm = fn(&Store, &Record);
    let path = |store: &Store, record: &Record| store.object_folder(&record.output).join("scores.csv");
    let harms: [(&str, Harm, bool); 7] = [
        (
            "a record written anew",
            |store, record| {
                let path = store.record_path(&record.key);
                fs_err::write(&path, fs_err::read(&path).unwrap()).unwrap();
            },
            true,
        ),
        (
            "a note written anew",
            |store, _| {
                let path = store.name_path("p", &plan().instances[0].identity());
                fs_err::write(&path, fs_err::read(&path).unwrap()).unwrap();
            },
            true,
        ),
        (
            "a note of another key",
            |store, _| {
                store.note_latest("p", &plan().instances[0], &preimage(2).key(), || Some(preimage(2))).unwrap();
            },
            true,
        ),
        (
            "a note that is gone",
            |store, _| {
                fs_err::remove_file(store.name_path("p", &plan().instances[0].identity())).unwrap();
            },
            true,
        ),
        ("a record that is gone", |store, record| fs_err::remove_file(store.record_path(&record.key)).unwrap(), false),
        (
            "a record of another output",
            |store, record| {
                let other = Record { output: Digest::of(b"other"), ..record.clone() };
                fs_err::write(store.record_path(&record.key), serde_json::to_vec(&other).unwrap()).unwrap();
            },
            false,
        ),
        (
            "files that are gone",
            |store, record| {
                let folder = store.object_folder(&record.output);
                [folder.clone(), folder.join("deep"), folder.join("deep/er")]
                    .iter()
                    .for_each(|path| make_writable(path));
                fs_err::remove_dir_all(folder).unwrap();
            },
            false,
        ),
    ];
    for (what, harm, stays) in harms {
        let (_folder, root, record) = seen();
        harm(&Store::open(&root).unwrap(), &record);
        assert_eq!(recalled(&root, &record.key), None, "{what}");
        let found = look(&root, &record.key);
        assert_eq!(matches!(&found, Found::Whole(brief) if *brief == Brief::from(&record)), stays, "{what}: {found:?}");
        assert_eq!(recalled(&root, &record.key).is_some(), stays, "{what}");
        let latest = Store::open(&root).unwrap().latest("p", &plan().instances[0]).unwrap();
        assert!(!stays || latest.is_some_and(|latest| latest.key == record.key), "{what}");
    }
    // A file of the result with the same length, and with its times set back.
    let (_folder, root, record) = seen();
    let file = path(&Store::open(&root).unwrap(), &record);
    let modified = fs_err::metadata(&file).unwrap().modified().unwrap();
    make_writable(&file);
    fs_err::write(&file, "a,c\n").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    assert_eq!(recalled(&root, &record.key), None);
    assert!(matches!(look(&root, &record.key), Found::Damaged(_)));
}

#[test]
fn a_damaged_file_is_none() {
    let (_folder, root, record) = seen();
    let path = root.join(FOLDER).join("p");
    let whole = fs_err::read(&path).unwrap();
    let recalled_from = |bytes: &[u8]| {
        fs_err::write(&path, bytes).unwrap();
        Store::open_to_read(&root).unwrap().recall("p", &plan().instances[0], &record.key)
    };
    for at in 0..whole.len() {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 4;
        assert_eq!(recalled_from(&spoilt), None, "byte {at}");
        assert_eq!(recalled_from(&whole[..at]), None, "length {at}");
    }
    assert!(recalled_from(&whole).is_some());
    fs_err::remove_file(&path).unwrap();
    assert!(matches!(look(&root, &record.key), Found::Whole(_)));
    assert!(recalled(&root, &record.key).is_some(), "it is written again");
}

#[test]
fn a_use_is_noted_once_a_minute_and_seen() {
    let (_folder, root, record) = seen();
    let path = Store::open(&root).unwrap().record_path(&record.key);
    let age = || SystemTime::now().duration_since(fs_err::metadata(&path).unwrap().modified().unwrap()).unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    assert!(matches!(look(&root, &record.key), Found::Whole(_)) && age() < Duration::from_secs(60));
    assert!(recalled(&root, &record.key).is_some());
    // Now what is known of the record is an hour old.
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let store = Store::open(&root).unwrap();
    let seen = super::super::Stat::of(&fs_err::metadata(&path).unwrap());
    // The note of its instance is the same file under another name.
    rewrite(&store, |sight| (sight.record, sight.note) = (seen, seen));
    assert!(Store::open_to_read(&root).unwrap().recall("p", &plan().instances[0], &record.key).is_some());
    assert!(age() > Duration::from_secs(60), "who only looks notes nothing");
    let store = Store::open(&root).unwrap();
    assert!(store.recall("p", &plan().instances[0], &record.key).is_some() && age() < Duration::from_secs(60));
    store.keep_seen(&plan());
    assert!(recalled(&root, &record.key).is_some());
}

/// Changes what is known of the only result.
fn rewrite(store: &Store, change: impl FnMut(&mut super::Sight<'_>)) {
    rewrite_all(store, &plan(), change);
}

fn rewrite_all(store: &Store, plan: &Plan, mut change: impl FnMut(&mut super::Sight<'_>)) {
    let sights = store.sights("p");
    for instance in &plan.instances {
        let Some(mut sight) = sights.before.get(&instance.identity()) else { continue };
        change(&mut sight);
        sights.note(instance.identity(), &sight);
    }
    store.keep_seen(plan);
}

/// Twenty results, whose records stand in two files.
#[test]
fn the_use_of_a_file_with_several_records_is_noted_once_and_all_are_known_before_and_after() {
    let (_folder, store) = open();
    let plan = Plan { instances: instances(20), ..plan() };
    let keys: Vec<Digest> = (0..20).map(|k| preimage(10 * k).key()).collect();
    (0..).zip(&plan.instances).for_each(|(k, instance)| publish_in(&store, &["p"], k, instance));
    store.keep_seen(&plan);
    let root = store.root().to_owned();
    drop(store);
    let known = |store: &Store| {
        plan.instances.iter().zip(&keys).filter(|(instance, key)| store.recall("p", instance, key).is_some()).count()
    };
    assert_eq!(known(&Store::open(&root).unwrap()), 20);
    // An hour passes. `seen` knows the files as they are now, whose last use is to be noted again.
    let store = Store::open(&root).unwrap();
    let paths: Vec<PathBuf> = keys.iter().map(|key| store.record_path(key)).collect();
    let old = SystemTime::now() - Duration::from_secs(3600);
    for path in &paths {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let stat = |path: &Path| Stat::of(&fs_err::metadata(path).unwrap());
    let of_files: HashMap<u64, Stat> = paths.iter().map(|path| (stat(path).inode, stat(path))).collect();
    assert_eq!(of_files.len(), 2);
    rewrite_all(&store, &plan, |sight| {
        (sight.record, sight.note) = (of_files[&sight.record.inode], of_files[&sight.note.inode]);
    });
    drop(store);
    let store = Store::open(&root).unwrap();
    assert_eq!(known(&store), 20);
    assert!(paths.iter().all(|path| stat(path) != of_files[&stat(path).inode]));
    store.keep_seen(&plan);
    drop(store);
    assert_eq!(known(&Store::open(&root).unwrap()), 20);
    // Read and not recalled, they are noted as well.
    paths.iter().for_each(|path| std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap());
    let store = Store::open(&root).unwrap();
    assert_eq!(known(&store), 0);
    for (instance, key) in plan.instances.iter().zip(&keys) {
        assert!(matches!(store.find_latest("p", instance, key, || None).found, Ok(Found::Whole(_))));
    }
    store.keep_seen(&plan);
    assert_eq!(known(&Store::open(&root).unwrap()), 20);
}

#[test]
fn a_written_file_is_known_until_it_is_touched() {
    let (folder, root, _) = seen();
    let path = folder.path().join("run.json");
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let says = |said: &Digest| Store::open(&root).unwrap().says("p", &path, said);
    let write = |text: &str| {
        let written = crate::base::files::replace(&path, text.as_bytes()).unwrap();
        let store = Store::open(&root).unwrap();
        store.note_said("p", &path, &written, one);
        store.keep_seen(&plan());
    };
    assert!(!says(&one));
    write("one");
    assert_eq!((says(&one), says(&two)), (true, false));
    fs_err::write(&path, "two").unwrap();
    assert!(!says(&one), "the same length");
    write("one");
    assert!(says(&one));
    fs_err::remove_file(&path).unwrap();
    assert!(!says(&one));
}
