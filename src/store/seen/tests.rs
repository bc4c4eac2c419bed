use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::bundle::tests::{instances, publish_in};
use super::super::store_test::{FILES, finish, finish_as, locked, open, preimage, write_all};
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
    let folder = Store::open(&root).unwrap().object_folder(&record.output);
    let age = || SystemTime::now().duration_since(fs_err::metadata(&folder).unwrap().modified().unwrap()).unwrap();
    let make_old = || {
        let old = SystemTime::now() - Duration::from_secs(3600);
        std::fs::File::open(&folder).unwrap().set_modified(old).unwrap();
    };
    let is_recent = || age() < Duration::from_secs(60);
    // Whoever looks in full sees the time of the folder.
    make_old();
    let found = Store::open(&root).unwrap().find(&record.key);
    assert!(matches!(found, Ok(Found::Whole(_))) && is_recent());
    // Who recalls believes what is known, so that there is nothing to look at.
    make_old();
    assert!(recalled(&root, &record.key).is_some() && !is_recent());
    rewrite(&Store::open(&root).unwrap(), |sight| sight.used -= 3600);
    assert!(Store::open_to_read(&root).unwrap().recall("p", &plan().instances[0], &record.key).is_some());
    assert!(!is_recent(), "who only looks notes nothing");
    let store = Store::open(&root).unwrap();
    assert!(store.recall("p", &plan().instances[0], &record.key).is_some() && is_recent());
    store.keep_seen(&plan());
    make_old();
    assert!(recalled(&root, &record.key).is_some() && !is_recent(), "it is known that it was noted");
}

/// Changes what is known of the only result.
fn rewrite(store: &Store, change: impl FnOnce(&mut super::Sight<'_>)) {
    let (sights, identity) = (store.sights("p"), plan().instances[0].identity());
    let mut sight = sights.before.get(&identity).unwrap();
    change(&mut sight);
    sights.note(identity, &sight);
    store.keep_seen(&plan());
}

/// Twenty results, whose records stand in two files.
#[test]
fn results_that_share_a_file_are_known_again_though_one_of_them_is_made_anew() {
    let (_folder, store) = open();
    let plan = Plan { instances: instances(20), ..plan() };
    (0..).zip(&plan.instances).for_each(|(k, instance)| publish_in(&store, &["p"], k, instance));
    store.keep_seen(&plan);
    let root = store.root().to_owned();
    drop(store);
    let known = |store: &Store, changed: &[u32]| {
        let key = |k: u32| preimage(10 * k + if changed.contains(&k) { 1000 } else { 0 }).key();
        (0..).zip(&plan.instances).filter(|(k, instance)| store.recall("p", instance, &key(*k)).is_some()).count()
    };
    assert_eq!(known(&Store::open(&root).unwrap(), &[]), 20);
    // Two results of the first file and one of the second are made with another key, as after a change of the pipeline, and found
    // is another one, whose note is written.
    let store = Store::open(&root).unwrap();
    for k in [3, 7, 18] {
        publish_in(&store, &["p"], k + 100, &plan.instances[k as usize]);
    }
    publish_in(&store, &["q"], 105, &plan.instances[5]);
    // And one that has grown, so that its record has a file of its own; and one that is made again with the same key.
    let work = store.begin(&locked(&store, &preimage(1090).key())).unwrap();
    (0..50).for_each(|number| write_all(work.folder(), &[(&format!("file{number}"), "x")]));
    finish_as(&store, work, 1090, "p", &plan.instances[9]).unwrap();
    publish_in(&store, &["p"], 12, &plan.instances[12]);
    let found = store.find_latest("p", &plan.instances[5], &preimage(1050).key(), || Some(preimage(1050)));
    assert!(matches!(found.found, Ok(Found::Whole(_))));
    store.keep_seen(&plan);
    drop(store);
    assert_eq!(known(&Store::open(&root).unwrap(), &[3, 5, 7, 9, 18]), 20);
    // Another program's hand is seen.
    let store = Store::open(&root).unwrap();
    let path = store.record_path(&preimage(0).key());
    fs_err::hard_link(&path, root.join("another")).unwrap();
    publish_in(&store, &["p"], 104, &plan.instances[4]);
    store.keep_seen(&plan);
    drop(store);
    assert_eq!(known(&Store::open(&root).unwrap(), &[3, 4, 5, 7, 9, 18]), 20 - 10, "the others of the first file");
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
