use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::census;
use super::super::fsck::{Depth, Kind};
use super::super::store_test::{FILES, finish_as, locked, open, preimage, publish, whole, write_all};
use super::super::{Found, Store};
use super::{MOST, is_one, note, record};
use crate::base::{Digest, files};
use crate::plan::Instance;
use crate::plan::instance::tests::small;

const PIPELINES: [&str; 2] = ["p", "q"];

/// So many instances, called as those of [`small`] but for their stage.
pub(in crate::store) fn instances(count: u32) -> Vec<Instance> {
    (0..count).map(|k| Instance { stage: format!("stage{k}"), ..small().instances[0].clone() }).collect()
}

/// Publishes a result of this instance in each of the pipelines.
pub(in crate::store) fn publish_in(store: &Store, pipelines: &[&str], k: u32, instance: &Instance) {
    for (number, pipeline) in (0u32..).zip(pipelines) {
        let number = 10 * k + number;
        let work = store.begin(&locked(store, &preimage(number).key())).unwrap();
        write_all(work.folder(), &[("k", &k.to_string())]);
        finish_as(store, work, number, pipeline, instance).unwrap();
    }
}

fn inode(path: &Path) -> u64 {
    fs_err::metadata(path).unwrap().ino()
}

fn inodes(store: &Store) -> BTreeSet<u64> {
    let paths = ["records", "names"].map(|kind| store.fanned_entries(kind).unwrap());
    paths.iter().flatten().map(|path| inode(path)).collect()
}

#[test]
fn sixteen_results_share_a_file_and_each_is_found_with_its_instance() {
    let (_folder, store) = open();
    let instances = instances(17);
    for (k, instance) in (0..).zip(&instances) {
        publish_in(&store, &PIPELINES, k, instance);
    }
    // 34 records.
    assert_eq!((MOST, inodes(&store).len()), (16, 3));
    let reader = Store::open_to_read(store.root()).unwrap();
    for (k, instance) in (0..).zip(&instances) {
        for (number, pipeline) in (0..).zip(PIPELINES) {
            let preimage = preimage(10 * k + number);
            assert_eq!(whole(&reader, 10 * k + number).unwrap().preimage, preimage);
            assert_eq!(reader.latest(pipeline, instance).unwrap().unwrap().key, preimage.key(), "{pipeline} {k}");
        }
    }
    assert_eq!(reader.keys("").unwrap().len(), 34);
    assert_eq!(reader.latest_keys("q").unwrap().len(), 17);
    assert_eq!(store.check(Depth::Deep).unwrap().findings, []);
    // When nobody writes to it any more, nothing is left of a bundle but its names.
    let root = store.root().to_owned();
    drop((store, reader));
    assert_eq!(
        fs_err::read_dir(root.join(super::unflushed::FOLDER)).unwrap().count(),
        1,
        "the note of what was not flushed"
    );
}

#[test]
fn a_large_record_has_a_file_of_its_own() {
    let (_folder, store) = open();
    publish_in(&store, &["p"], 0, &small().instances[0]);
    let many: Vec<(String, &str)> = (0..50).map(|number| (format!("file{number}"), "x")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let large = publish(&store, 30, &many).unwrap();
    let text = fs_err::read(store.record_path(&large.key)).unwrap();
    assert!(!is_one(&text) && text.len() > 4096);
    assert_ne!(inode(&store.record_path(&large.key)), inode(&store.record_path(&preimage(0).key())));
    assert!(whole(&store, 30).is_some());
}

#[test]
fn a_file_that_ends_anywhere_has_whole_records_only() {
    let (_folder, store) = open();
    let instances = instances(3);
    (0..).zip(&instances).for_each(|(k, instance)| publish_in(&store, &["p"], k, instance));
    let keys: Vec<Digest> = (0..3).map(|k| preimage(10 * k).key()).collect();
    let bytes = fs_err::read(store.record_path(&keys[0])).unwrap();
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    assert_eq!(ends.len(), 3);
    for length in 0..=bytes.len() {
        for ((key, instance), end) in keys.iter().zip(&instances).zip(&ends) {
            let found = record(&bytes[..length], key);
            assert_eq!(found.is_empty(), length <= *end, "{length}");
            assert_eq!(found, note(&bytes[..length], "p", &instance.identity()));
            assert!(found.is_empty() || serde_json::from_slice::<super::super::Record>(found).unwrap().key == *key);
        }
    }
    // The same written again stands further on.
    let twice = [bytes.as_slice(), &bytes[..=ends[0]]].concat();
    assert_eq!(record(&twice, &keys[0]).as_ptr(), twice[bytes.len() + super::RECORD..].as_ptr());
    // A record in a file of its own is what its name says.
    assert_eq!(record(b"{}", &keys[0]), b"{}");
}

#[test]
fn harm_to_one_record_is_harm_to_that_one() {
    let (_folder, store) = open();
    let instances = instances(4);
    (0..).zip(&instances).for_each(|(k, instance)| publish_in(&store, &["p"], k, instance));
    let path = |k: u32| store.record_path(&preimage(10 * k).key());
    // One is removed, one replaced, and one line spoilt on the disk.
    fs_err::remove_file(path(0)).unwrap();
    let text = fs_err::read(path(1)).unwrap();
    files::replace(&path(1), record(&text, &preimage(10).key())).unwrap();
    let key = format!("\"key\":\"{}", preimage(20).key());
    let spoilt = String::from_utf8(text).unwrap().replace(&key, &key.replace("key", "kex"));
    fs_err::write(path(2), spoilt).unwrap();
    let reader = Store::open_to_read(store.root()).unwrap();
    assert!(whole(&reader, 0).is_none() && whole(&reader, 10).is_some() && whole(&reader, 30).is_some());
    let found = store.check(Depth::Deep).unwrap();
    // The record, its note, and the two results that no record names then.
    let kinds: Vec<Kind> = found.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::Record, Kind::Name, Kind::Orphan, Kind::Orphan], "{found:?}");
    assert!(whole(&store, 20).is_none() && whole(&store, 30).is_some());
    (0..).zip(&instances).for_each(|(k, instance)| publish_in(&store, &["p"], k, instance));
    assert!((0..4).all(|k| whole(&store, 10 * k).is_some()));
    assert_eq!(store.check(Depth::Deep).unwrap().findings, []);
}

#[test]
fn a_file_that_is_cut_off_costs_the_results_whose_records_are_gone() {
    let (_folder, store) = open();
    let instances = instances(4);
    (0..).zip(&instances).for_each(|(k, instance)| publish_in(&store, &["p"], k, instance));
    let path = store.record_path(&preimage(0).key());
    let length = fs_err::metadata(&path).unwrap().len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(length - 2).unwrap();
    let reader = Store::open_to_read(store.root()).unwrap();
    assert!((0..3).all(|k| whole(&reader, 10 * k).is_some()));
    match reader.find(&preimage(30).key()).unwrap() {
        Found::Damaged(damage) => assert!(damage.what.contains("is gone from the file"), "{damage}"),
        other => panic!("{other:?}"),
    }
    let found = store.check(Depth::Quick).unwrap();
    assert!(found.findings[0].what.contains("is gone from the file") && found.damaged() == 2, "{found:?}");
    publish_in(&store, &["p"], 3, &instances[3]);
    assert!((0..4).all(|k| whole(&store, 10 * k).is_some()));
}

#[test]
fn a_copy_of_the_cache_whose_files_have_one_name_each_is_as_good_and_shrinks_when_it_is_used() {
    let (folder, store) = open();
    let instances = instances(3);
    (0..).zip(&instances).for_each(|(k, instance)| publish_in(&store, &["p"], k, instance));
    let copy = folder.path().join("copy");
    let copied = std::process::Command::new("cp").arg("-r").arg(store.root()).arg(&copy).status().unwrap();
    assert!(copied.success());
    // While somebody writes to them, nobody else may take them apart.
    let other = Store::open(store.root()).unwrap();
    assert!((0..3).all(|k| whole(&other, 10 * k).is_some()) && inodes(&store).len() == 1);
    let size = |store: &Store, kind: &str| {
        let paths = store.fanned_entries(kind).unwrap();
        paths.iter().map(|path| fs_err::metadata(path).unwrap().len()).collect::<BTreeSet<u64>>()
    };
    let (long, reader) = (size(&store, "records"), Store::open_to_read(&copy).unwrap());
    assert!((0..3).all(|k| whole(&reader, 10 * k).is_some()));
    assert_eq!((size(&reader, "records"), inodes(&reader).len()), (long.clone(), 6), "who only looks changes nothing");
    let copy = Store::open(&copy).unwrap();
    for (k, instance) in (0..).zip(&instances) {
        let found = copy.find_latest("p", instance, &preimage(10 * k).key(), || None);
        assert!(matches!(found.found, Ok(Found::Whole(_))));
        assert_eq!(copy.latest("p", instance).unwrap().unwrap().key, preimage(10 * k).key());
    }
    for kind in ["records", "names"] {
        assert!(size(&copy, kind).last() < long.first() && copy.fanned_entries(kind).unwrap().len() == 3, "{kind}");
    }
    assert!((0..3).all(|k| whole(&copy, 10 * k).is_some()));
    assert_eq!(copy.check(Depth::Deep).unwrap().findings, []);
}

#[test]
fn where_no_bundle_can_be_made_records_are_files() {
    let (_folder, store) = open();
    publish(&store, 1, &FILES).unwrap();
    store.close_bundle();
    // It is the folder of the notes of what is not flushed, too, of which there is one already.
    fs_err::remove_dir_all(store.root().join(super::unflushed::FOLDER)).unwrap();
    (2..=3).for_each(|k| assert!(publish(&store, k, &FILES).is_ok()));
    let path = |k| store.record_path(&preimage(k).key());
    assert_ne!(inode(&path(2)), inode(&path(3)));
    assert!(!is_one(&fs_err::read(path(3)).unwrap()) && (1..=3).all(|k| whole(&store, k).is_some()));
    assert_eq!(store.latest("p", &small().instances[0]).unwrap().unwrap().key, preimage(3).key());
}

#[test]
fn one_that_somebody_has_cleared_away_or_written_to_is_followed_by_another() {
    let (_folder, store) = open();
    let instances = instances(3);
    let publish = |k: u32| publish_in(&store, &["p"], k, &instances[k as usize]);
    let path = |k: u32| store.record_path(&preimage(10 * k).key());
    publish(0);
    let private = || {
        let mut unfinished = store.unfinished().unwrap();
        assert_eq!(unfinished.len(), 1);
        unfinished.pop().unwrap()
    };
    // Neither `gc` nor `fsck` takes it for something that the dead have left.
    assert_eq!(store.census().unwrap().rests.iter().filter(|rest| rest.kind == census::Kind::Unfinished).count(), 0);
    assert_eq!(store.check(Depth::Quick).unwrap().findings, []);
    fs_err::remove_file(private()).unwrap();
    publish(1);
    std::fs::File::options().append(true).open(private()).unwrap().write_all(b"torn").unwrap();
    publish(2);
    assert_eq!(BTreeSet::from([0, 1, 2].map(|k| inode(&path(k)))).len(), 3);
    assert!([0, 1, 2].iter().all(|k| is_one(&fs_err::read(path(*k)).unwrap()) && whole(&store, 10 * k).is_some()));
}

#[test]
fn threads_that_publish_at_once_lose_nothing() {
    let (_folder, store) = open();
    let instances = instances(40);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, instances) = (&store, &instances);
            scope.spawn(move || {
                (thread * 10..thread * 10 + 10).for_each(|k| publish_in(store, &["p"], k, &instances[k as usize]))
            });
        }
    });
    assert_eq!(inodes(&store).len(), 3);
    assert!((0..40).all(|k| whole(&store, 10 * k).is_some()));
    assert_eq!(store.latest_keys("p").unwrap().len(), 40);
}
