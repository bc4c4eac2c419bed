//! A check finds every kind of harm and touches nothing that is whole.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fsck::{Checkup, Depth, Kind, Outcome};
use super::store_test::{FILES, count, locked, open, preimage, publish, whole};
use super::{Record, Store};
use crate::base::holder::Holder;

/// Every file of the cache with its content and its time.
fn contents(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let changed = fs_err::metadata(&path).unwrap().modified().unwrap();
                    all.insert(path.clone(), (fs_err::read(&path).unwrap(), changed));
                }
            }
        }
    }
    all
}

fn check(store: &Store, depth: Depth) -> Checkup {
    store.check(depth).unwrap()
}

fn kinds(checkup: &Checkup) -> Vec<Kind> {
    checkup.findings.iter().map(|finding| finding.kind).collect()
}

fn writable(folder: &Path) {
    for path in [folder.to_owned(), folder.join("deep/er"), folder.join("scores.csv"), folder.join("deep/er/x.bin")] {
        fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_healthy_cache_has_no_findings_and_stays_as_it_is() {
    let (_folder, store) = open();
    assert_eq!(check(&store, Depth::Deep), Checkup::default());
    publish(&store, 1, &FILES).unwrap();
    publish(&store, 2, &FILES).unwrap();
    publish(&store, 3, &[]).unwrap();
    let before = contents(store.root());
    for depth in [Depth::Quick, Depth::Deep] {
        let checkup = check(&store, depth);
        assert_eq!(checkup.findings, []);
        // Two of the three share their files: 4 and 3 bytes.
        assert_eq!((checkup.records, checkup.objects, checkup.files, checkup.bytes), (3, 2, 2, 7));
    }
    assert_eq!(contents(store.root()), before);
}

/// Damages the first of two results by `harm`, which gets its record and the path of its folder; a check must say
/// `what`, once, set that one aside and leave the other alone. Publishing heals.
fn harmed(depth: Depth, kind: Kind, what: &str, harm: impl Fn(&Path, &Path, &Record)) {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    publish(&store, 2, &[("other", "x")]).unwrap();
    let folder = store.object_folder(&record.output);
    writable(&folder);
    harm(&store.record_path(&record.key), &folder, &record);

    let before = contents(store.root());
    let looked = check(&Store::open_to_read(store.root()).unwrap(), depth);
    assert_eq!(contents(store.root()), before, "{what}: looking changed something");
    let checkup = check(&store, depth);
    for (checkup, moved) in [(looked, false), (checkup, true)] {
        assert_eq!(checkup.damaged(), 1, "{what}: {checkup:?}");
        let finding = &checkup.findings[0];
        assert_eq!(finding.kind, kind);
        assert!(finding.what.contains(what), "`{what}` is not in `{}`", finding.what);
        assert_eq!(matches!(&finding.outcome, Outcome::Moved(path) if path.exists()), moved, "{:?}", finding.outcome);
    }
    assert_eq!(whole(&store, 1), None);
    assert!(whole(&store, 2).is_some());
    assert_eq!(check(&store, depth).damaged(), 0);
    publish(&store, 1, &FILES).unwrap();
    assert!(whole(&store, 1).is_some());
    assert_eq!(check(&store, Depth::Deep).findings, []);
}

#[test]
fn every_harm_is_found() {
    let write = |path: PathBuf, text: &str| fs_err::write(path, text).unwrap();
    for depth in [Depth::Quick, Depth::Deep] {
        harmed(depth, Kind::Record, "its record can't be read", |record, _, _| {
            crate::base::files::replace(record, b"{").unwrap();
        });
        harmed(depth, Kind::Record, "not the digest of what it says", |path, _, record| {
            let text = fs_err::read_to_string(path).unwrap();
            assert!(text.contains(&record.preimage.operation));
            write(path.to_owned(), &text.replacen("\"version\":3", "\"version\":4", 1));
        });
        harmed(depth, Kind::Record, "do not make up its output digest", |path, _, _| {
            let text = fs_err::read_to_string(path).unwrap();
            write(path.to_owned(), &text.replace("scores.csv", "scored.csv"));
        });
        harmed(depth, Kind::Object, "`scores.csv` is gone", |_, folder, _| {
            fs_err::remove_file(folder.join("scores.csv")).unwrap();
        });
        harmed(depth, Kind::Object, "`scores.csv` has 1 bytes instead of 4", |_, folder, _| {
            write(folder.join("scores.csv"), "a");
        });
        harmed(depth, Kind::Object, "its files are gone", |_, folder, _| fs_err::remove_dir_all(folder).unwrap());
        harmed(depth, Kind::Object, "`more` was not published with it", |_, folder, _| write(folder.join("more"), "x"));
    }
}

#[test]
fn a_changed_byte_under_unchanged_times_is_found_by_reading() {
    harmed(Depth::Deep, Kind::Object, "`scores.csv` has another content", |_, folder, _| {
        let path = folder.join("scores.csv");
        let changed = fs_err::metadata(&path).unwrap().modified().unwrap();
        fs_err::write(&path, "a,c\n").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    });
}

#[test]
fn what_is_being_made_again_is_left_to_its_maker() {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    let folder = store.object_folder(&record.output);
    writable(&folder);
    fs_err::write(folder.join("scores.csv"), "a").unwrap();
    let lock = locked(&store, &record.key);
    let checkup = check(&store, Depth::Deep);
    assert_eq!(kinds(&checkup), [Kind::Object]);
    assert!(matches!(checkup.findings[0].outcome, Outcome::Held(_)), "{checkup:?}");
    assert!(folder.exists());
    drop(lock);
    check(&store, Depth::Deep);
    assert!(!folder.exists());
}

#[test]
fn what_the_dead_leave_is_cleared_and_harms_nobody() {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    let living = preimage(2).key();
    let lock = locked(&store, &living);
    let at_work = store.begin(&lock).unwrap();
    // As after `kill -9`: a result half made, a lock with the name of its holder, files without their names.
    let dead = preimage(3).key();
    let dead_lock = store.lock_path(&dead);
    let holder = Holder { host: "elsewhere".into(), pid: 7, started: 1 };
    fs_err::write(&dead_lock, serde_json::to_vec(&holder).unwrap()).unwrap();
    let half = store.root().join("work").join(format!("{dead}-7-1-0"));
    fs_err::create_dir(&half).unwrap();
    let torn = store.record_path(&record.key).with_file_name(".writing-abc");
    fs_err::write(&torn, "{").unwrap();
    fs_err::write(store.root().join("memo"), "[\"torn\n").unwrap();
    let orphan = store.root().join("objects/0").join("0".repeat(64));
    fs_err::create_dir_all(&orphan).unwrap();

    let checkup = check(&store, Depth::Deep);
    assert_eq!(kinds(&checkup), [Kind::Orphan, Kind::Work, Kind::Unfinished, Kind::Lock, Kind::Torn], "{checkup:?}");
    assert_eq!(checkup.damaged(), 0);
    assert!(!half.exists() && !dead_lock.exists() && !torn.exists());
    assert!(at_work.folder().exists() && store.lock_path(&living).exists());
    assert!(orphan.exists(), "`gc` removes this, when nobody else is there");
    assert_eq!(count(&store.root().join("quarantine")), 0);
    assert!(whole(&store, 1).is_some());
}

#[test]
fn a_note_that_makes_no_sense_is_set_aside_and_one_without_record_is_kept() {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    fs_err::remove_file(store.record_path(&record.key)).unwrap();
    assert_eq!(kinds(&check(&store, Depth::Quick)), [Kind::Orphan]);
    let names = store.fanned_entries("names").unwrap();
    fs_err::write(&names[0], "{\"name\"").unwrap();
    assert_eq!(kinds(&check(&store, Depth::Quick)), [Kind::Name, Kind::Orphan]);
    assert!(!names[0].exists());
}
