//! The cache as a whole: what is published is found, what is damaged is not, what fails leaves nothing behind.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::fsck::Depth;
use super::{Brief, Finished, Found, KeyAttempt, KeyLock, Record, Store, StoreError, Work};
use crate::base::Digest;
use crate::base::holder::Holder;
use crate::plan::Instance;
use crate::plan::instance::tests::small;
use crate::plan::key::Preimage;
use crate::plan::key::tests::full;

pub(super) fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("cache")).unwrap();
    (folder, store)
}

/// A preimage whose key differs with `k`.
pub(super) fn preimage(k: u32) -> Preimage {
    Preimage { parameters: json!({"k": k}), ..full() }
}

pub(super) fn locked(store: &Store, key: &Digest) -> KeyLock {
    match store.try_lock(key).unwrap() {
        KeyAttempt::Taken(lock) => lock,
        KeyAttempt::Held(holder) => panic!("held by {holder:?}"),
    }
}

pub(super) fn write_all(folder: &Path, files: &[(&str, &str)]) {
    for (inside, text) in files {
        let path = folder.join(inside);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
}

pub(super) fn publish(store: &Store, k: u32, files: &[(&str, &str)]) -> Result<Record, StoreError> {
    let work = store.begin(&locked(store, &preimage(k).key())).unwrap();
    write_all(work.folder(), files);
    finish(store, work, k)
}

pub(super) fn finish(store: &Store, work: Work, k: u32) -> Result<Record, StoreError> {
    finish_as(store, work, k, "p", &small().instances[0])
}

pub(super) fn finish_as(
    store: &Store,
    work: Work,
    k: u32,
    pipeline: &str,
    instance: &Instance,
) -> Result<Record, StoreError> {
    let finished = Finished {
        pipeline,
        instance,
        preimage: preimage(k),
        facts: BTreeMap::new(),
        started: 1,
        seconds: 2.5,
        versions: BTreeMap::new(),
    };
    store.publish(work, finished)
}

pub(super) fn whole(store: &Store, k: u32) -> Option<Box<Record>> {
    match store.find(&preimage(k).key()).unwrap() {
        Found::Whole(brief) => {
            let record = store.record(&preimage(k).key()).unwrap().unwrap();
            assert_eq!(Brief::from(&record), brief);
            Some(Box::new(record))
        }
        Found::Missing => None,
        Found::Damaged(damage) => panic!("{damage}"),
    }
}

pub(super) fn count(folder: &Path) -> usize {
    fs_err::read_dir(folder).unwrap().count()
}

pub(super) const FILES: [(&str, &str); 2] = [("scores.csv", "a,b\n"), ("deep/er/x.bin", "xyz")];

#[test]
fn what_is_published_is_found() {
    let (_folder, store) = open();
    assert_eq!(whole(&store, 1), None);
    let key = preimage(1).key();
    fs_err::write(store.scratch(&key).unwrap().join("checkpoint"), "half").unwrap();
    let record = publish(&store, 1, &FILES).unwrap();
    assert_eq!(whole(&store, 1).as_deref(), Some(&record));
    let folder = store.object_folder(&record.output);
    assert_eq!(fs_err::read_to_string(folder.join("deep/er/x.bin")).unwrap(), "xyz");
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("deep")), mode(&folder.join("scores.csv"))), (0o555, 0o555, 0o444));
    let latest = store.latest("p", &small().instances[0]).unwrap().unwrap();
    assert_eq!((latest.key, latest.preimage), (key, preimage(1)));
    assert_eq!(store.durations().of_key(&key), Some(2.5));
    let root = store.root().to_owned();
    drop(store);
    for empty in ["work", "scratch", "locks", "quarantine"] {
        assert_eq!(count(&root.join(empty)), 0, "`{empty}` is not empty");
    }
}

#[test]
fn equal_results_share_a_folder_and_publishing_twice_is_harmless() {
    let (_folder, store) = open();
    let one = publish(&store, 1, &FILES).unwrap();
    let two = publish(&store, 2, &FILES).unwrap();
    let again = publish(&store, 1, &FILES).unwrap();
    assert_eq!((one.output, two.output), (two.output, again.output));
    assert_eq!(one.files, again.files);
    let moved = publish(&store, 3, &[("scores.csv", "xyz"), ("deep/er/x.bin", "a,b\n")]).unwrap();
    assert_ne!(moved.output, one.output);
    assert!((1..=3).all(|k| whole(&store, k).is_some()));
}

/// Publishes, damages by `harm` (which gets the record's path and the result's folder), and expects a miss that says
/// `what`, nothing the second time, and that the same can then be published again.
fn harmed(harm: impl Fn(&Path, &Path), what: &str) {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    let folder = store.object_folder(&record.output);
    for path in [folder.clone(), folder.join("deep/er"), folder.join("scores.csv")] {
        fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    harm(&store.record_path(&record.key), &folder);
    let looking = Store::open_to_read(store.root()).unwrap();
    for (store, moves) in [(&looking, false), (&store, true)] {
        match store.find(&record.key).unwrap() {
            Found::Damaged(damage) => {
                assert!(damage.what.contains(what), "`{what}` is not in `{}`", damage.what);
                assert_eq!(damage.moved_to.is_some_and(|path| path.exists()), moves);
            }
            other => panic!("{what}: expected damage, got {other:?}"),
        }
    }
    assert_eq!(whole(&store, 1), None);
    publish(&store, 1, &FILES).unwrap();
    assert!(whole(&store, 1).is_some());
}

#[test]
fn what_does_not_verify_is_a_miss_that_says_why() {
    let write = |path: PathBuf, text: &str| fs_err::write(path, text).unwrap();
    harmed(|_, folder| fs_err::remove_file(folder.join("deep/er/x.bin")).unwrap(), "`deep/er/x.bin` is gone");
    harmed(|_, folder| write(folder.join("scores.csv"), "a"), "`scores.csv` has 1 bytes instead of 4");
    harmed(|_, folder| write(folder.join("scores.csv"), "a,c\n"), "`scores.csv` has another content");
    harmed(|_, folder| fs_err::remove_dir_all(folder).unwrap(), "its files are gone");
    harmed(|record, _| write(record.to_owned(), "{\"schema\": 1, \"key\""), "its record can't be read");
    harmed(|record, _| write(record.to_owned(), ""), "its record can't be read");
    let other_key = |record: &Path| {
        let text = fs_err::read_to_string(record).unwrap();
        let key = |k| format!("\"key\":\"{}", preimage(k).key());
        text.replace(&key(1), &key(2))
    };
    harmed(|record, _| write(record.to_owned(), &other_key(record)), "its record is the one of key");
}

#[test]
fn a_record_of_another_format_is_no_result_and_no_damage() {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    fs_err::write(store.record_path(&record.key), "{\"schema\": 99, \"new\": true}").unwrap();
    assert_eq!(store.find(&record.key).unwrap(), Found::Missing);
}

#[test]
fn files_that_were_only_touched_are_read_again_and_stay() {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    let path = store.object_folder(&record.output).join("scores.csv");
    fs_err::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(whole(&store, 1).is_some());
}

#[test]
fn the_next_attempt_clears_what_a_dead_one_left_but_its_checkpoints() {
    let (_folder, store) = open();
    let key = preimage(1).key();
    fs_err::write(store.scratch(&key).unwrap().join("checkpoint"), "half").unwrap();
    let lock = locked(&store, &key);
    let left = store.begin(&lock).unwrap();
    fs_err::write(left.folder().join("x"), "x").unwrap();
    let left_at = left.folder().to_owned();
    // As after `kill -9`: nobody cleans up, and the lock file has the name of its holder.
    std::mem::forget(left);
    drop(lock);
    let dead = Holder { host: "elsewhere".into(), pid: 7, started: 1 };
    fs_err::write(store.lock_path(&key), serde_json::to_vec(&dead).unwrap()).unwrap();
    let lock = locked(&store, &key);
    let work = store.begin(&lock).unwrap();
    assert!(!left_at.exists() && work.folder().exists());
    assert_eq!(fs_err::read_to_string(store.scratch(&key).unwrap().join("checkpoint")).unwrap(), "half");
    let abandoned = work.folder().to_owned();
    drop(work);
    assert!(!abandoned.exists());
}

#[test]
fn a_key_has_one_builder() {
    let (_folder, store) = open();
    let key = preimage(1).key();
    let lock = locked(&store, &key);
    match store.try_lock(&key).unwrap() {
        KeyAttempt::Held(Some(holder)) => assert_eq!(holder.pid, std::process::id()),
        other => panic!("expected a holder, got {other:?}"),
    }
    drop(lock);
    assert!(locked(&store, &key).left_by().is_none());
}

#[test]
fn a_failure_on_the_way_publishes_nothing() {
    let (_folder, store) = open();
    // Where the record has to go there is a file instead of a folder: the files can be kept, the record can't.
    let records = store.record_path(&preimage(1).key()).parent().unwrap().to_owned();
    fs_err::write(&records, "in the way").unwrap();
    publish(&store, 1, &FILES).unwrap_err();
    fs_err::remove_file(&records).unwrap();
    assert_eq!(whole(&store, 1), None);
    assert_eq!(store.latest("p", &small().instances[0]).unwrap(), None);
    assert_eq!(count(&store.root().join("work")), 0);
    publish(&store, 1, &FILES).unwrap();
    assert!(whole(&store, 1).is_some());
}

#[test]
fn results_under_a_key_that_is_not_theirs_are_refused() {
    let (_folder, store) = open();
    let work = store.begin(&locked(&store, &preimage(2).key())).unwrap();
    assert!(matches!(finish(&store, work, 1), Err(StoreError::WrongKey { .. })));
}

#[test]
fn links_are_refused() {
    let (_folder, store) = open();
    let work = store.begin(&locked(&store, &preimage(1).key())).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", work.folder().join("link")).unwrap();
    let error = finish(&store, work, 1).unwrap_err().to_string();
    assert!(error.contains("link` is no plain file"), "{error}");
}

#[test]
fn attempts_are_counted_by_their_logs() {
    let (_folder, store) = open();
    let key = preimage(1).key();
    assert_eq!(store.logs(&key).unwrap(), []);
    for attempt in 1..=11 {
        let (number, path) = store.next_log(&key).unwrap();
        assert_eq!(number, attempt);
        fs_err::write(path, "x").unwrap();
    }
    assert_eq!(store.logs(&key).unwrap().len(), 11);
    // As `gc` leaves them, when only the first one is old.
    fs_err::remove_file(&store.logs(&key).unwrap()[0].1).unwrap();
    assert_eq!(store.next_log(&key).unwrap().0, 12);
}

#[test]
fn looking_makes_nothing_and_another_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    let store = Store::open_to_read(&root).unwrap();
    assert_eq!(whole(&store, 1), None);
    assert!(!root.exists());
    Store::open(&root).unwrap();
    fs_err::write(root.join("layout"), "7\n").unwrap();
    let error = Store::open_to_read(&root).unwrap_err();
    assert!(error.to_string().contains("has layout `7`, this program uses layout 4"), "{error}");
    assert!(!error.help().unwrap().contains("delete"), "a later program has made it");
    // A folder of somebody else's, perhaps: nothing in it is touched.
    for text in ["notes on the layout\n", "\u{feff}"] {
        fs_err::write(root.join("layout"), text).unwrap();
        assert!(Store::open(&root).unwrap_err().help().unwrap().contains("delete that"));
        assert_eq!(fs_err::read_to_string(root.join("layout")).unwrap(), text);
    }
}

/// Made before there were fewer folders; and one that has lost the file which says so, or has it spoilt.
#[test]
fn a_cache_of_an_earlier_layout_goes_on_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (layout, length, guessed) in [("1\n", 2, "1\n"), ("2\n", 1, "4\n"), ("3\n", 1, "4\n"), ("4\n", 1, "4\n")] {
        let root = folder.path().join(layout.trim());
        fs_err::create_dir(&root).unwrap();
        fs_err::write(root.join("layout"), layout).unwrap();
        assert!(whole(&Store::open(&root).unwrap(), 1).is_none());
        publish(&Store::open(&root).unwrap(), 1, &FILES).unwrap();
        // As it is, lost, and as a disk may leave it.
        for left in [Some(layout), None, Some(""), Some("\0\0")] {
            fs_err::remove_file(root.join("layout")).unwrap();
            left.iter().for_each(|text| fs_err::write(root.join("layout"), text).unwrap());
            assert!(whole(&Store::open_to_read(&root).unwrap(), 1).is_some());
            let store = Store::open(&root).unwrap();
            assert!(whole(&store, 1).is_some() && whole(&store.reader(), 1).is_some());
            assert_eq!(store.check(Depth::Deep).unwrap().findings.len(), 0);
            // Where two are alike as far as one can see, it is the later one, whose records may stand in files of their own.
            let expected = if left == Some(layout) { layout } else { guessed };
            assert_eq!(fs_err::read_to_string(root.join("layout")).unwrap(), expected);
        }
        for kind in ["records", "objects"] {
            let folders = fs_err::read_dir(root.join(kind)).unwrap().map(|entry| entry.unwrap().file_name().len());
            assert_eq!(folders.collect::<Vec<_>>(), [length], "{kind}");
        }
    }
}

#[test]
fn a_read_only_cache_can_be_looked_at() {
    let (_folder, store) = open();
    publish(&store, 1, &FILES).unwrap();
    let root = store.root().to_owned();
    let permit = |mode| {
        for folder in [root.clone(), root.join("work")] {
            fs_err::set_permissions(folder, PermissionsExt::from_mode(mode)).unwrap();
        }
    };
    permit(0o555);
    let refused = Store::open(&root);
    let looked = Store::open_to_read(&root).map(|store| whole(&store, 1).is_some());
    permit(0o755);
    assert!(looked.unwrap());
    match refused {
        Err(error) => assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}"),
        Ok(_) => println!("skipped: this user may write into read-only folders"),
    }
}

#[test]
fn a_full_disk_publishes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "compt-test"]).arg(folder.path()).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: this user may not mount a small file system");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let store = Store::open(&folder.path().join("cache")).unwrap();
        publish(&store, 1, &FILES).unwrap();
        // The file of these records has room on the disk for a part of the next one.
        let length = || fs_err::metadata(store.record_path(&preimage(1).key())).unwrap().len();
        let size = length();
        let records = (10..).find(|k| publish(&store, *k, &FILES).is_ok() && 4096 - length() % 4096 < size).unwrap();
        assert!(records < 20 && length() > size);
        let lock = locked(&store, &preimage(2).key());
        let work = store.begin(&lock).unwrap();
        write_all(work.folder(), &[("x", "as the last thing that fits")]);
        let filled = (0..).find(|i| fs_err::write(folder.path().join(format!("filler-{i}")), [0; 4096]).is_err());
        assert!(filled > Some(10));
        let error = finish(&store, work, 2).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert_eq!(whole(&store, 2), None);
        let is_there = || whole(&store, 1).is_some() && (10..=records).all(|k| whole(&store, k).is_some());
        assert!(is_there());
        (0..10).for_each(|i| fs_err::remove_file(folder.path().join(format!("filler-{i}"))).unwrap());
        drop(lock);
        publish(&store, 2, &FILES).unwrap();
        assert!(is_there() && whole(&store, 2).is_some());
    });
    // Another test may be starting a program, which has a file in it open until it begins.
    let unmounted = Command::new("umount").arg("-l").arg(folder.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    outcome.unwrap();
}

#[test]
fn many_begin_a_cache_at_once() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cache");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| Store::open(&root).unwrap());
            }
        });
    }
}
