//! What is removed and what stays: laws of the choice for any cache, and a real cache swept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::census::{Census, Kept, Kind, Rest, Shared};
use super::gc::{Choice, Wish, choose};
use super::store_test::{FILES, locked, open, preimage, publish, whole};
use super::{Store, StoreError};
use crate::base::Digest;

const NOW: u64 = 1000;

fn digest(of: &str, number: u8) -> Digest {
    Digest::of(format!("{of}{number}").as_bytes())
}

fn any_kind() -> impl Strategy<Value = Kind> {
    use Kind::{Checkpoint, Lock, Log, Name, Quarantine, Run, Unfinished, Work};
    prop::sample::select(vec![Work, Unfinished, Lock, Checkpoint, Log, Quarantine, Name, Run])
}

/// None, or one of a few files, each of another size.
fn any_shared() -> impl Strategy<Value = Option<Shared>> {
    prop::option::of((0u64..4).prop_map(|inode| Shared { file: (1, inode), bytes: 3 + 5 * inode }))
}

/// Results that share folders, records and notes that share files, keys that have logs, orphans, leftovers; times from 0 to [`NOW`].
fn any_census() -> impl Strategy<Value = Census> {
    let results = prop::collection::btree_map(0u8..20, (0u8..8, 1u64..5, 0..=NOW, any_shared()), 0..12);
    let orphans = prop::collection::btree_map(0u8..12, 0u64..50, 0..10);
    let rests = prop::collection::vec((any_kind(), prop::option::of(0u8..25), 0u64..20, 0..=NOW, any_shared()), 0..12);
    (results, orphans, rests).prop_map(|(results, sizes, rests)| {
        let size = |output: u8| sizes.get(&output).copied().unwrap_or(7);
        let objects = results.values().map(|(output, ..)| *output).chain(sizes.keys().copied());
        let mut census = Census {
            results: results
                .iter()
                .map(|(key, (output, bytes, used, shared))| Kept {
                    key: digest("key", *key),
                    pipeline: "p".into(),
                    name: "fit".into(),
                    output: digest("output", *output),
                    object: digest("output", *output).to_string(),
                    bytes: *bytes,
                    used: *used,
                    shared: *shared,
                })
                .collect(),
            objects: objects.map(|output| (digest("output", output).to_string(), size(output))).collect(),
            rests: rests
                .iter()
                .map(|(kind, key, bytes, used, shared)| Rest {
                    kind: *kind,
                    key: key.filter(|_| !matches!(kind, Kind::Quarantine | Kind::Run)).map(|key| digest("key", key)),
                    path: PathBuf::from("x"),
                    bytes: *bytes,
                    used: *used,
                    shared: *shared,
                })
                .collect(),
        };
        census.results.sort_by_key(|result| result.key);
        census
    })
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let reachable = prop::option::of(prop::collection::btree_set(0u8..20, 0..10));
    (prop::option::of(0..=NOW), prop::option::of(0u64..200), reachable).prop_map(
        |(older_than, keep_size, reachable)| {
            let reachable = reachable.map(|keys| keys.into_iter().map(|key| digest("key", key)).collect());
            Wish { older_than, keep_size, reachable }
        },
    )
}

/// The census after the removal.
fn after(census: &Census, choice: &Choice) -> Census {
    let keep = |gone: &[usize], position: usize| !gone.contains(&position);
    let mut left = census.clone();
    let mut position = 0..;
    left.results.retain(|_| keep(&choice.results, position.next().unwrap()));
    let mut position = 0..;
    left.rests.retain(|_| keep(&choice.rests, position.next().unwrap()));
    left.objects.retain(|output, _| !choice.objects.contains(output));
    left
}

proptest! {
    #[test]
    fn what_is_kept_is_closed_and_nothing_else_is(census in any_census(), wish in any_wish()) {
        let left = after(&census, &choose(&census, &wish, NOW));
        let named: BTreeSet<&String> = left.results.iter().map(|result| &result.object).collect();
        prop_assert_eq!(named, left.objects.keys().collect::<BTreeSet<_>>());
    }

    #[test]
    fn the_bytes_are_those_of_what_is_left(census in any_census(), wish in any_wish()) {
        let choice = choose(&census, &wish, NOW);
        prop_assert_eq!(choice.before, census.bytes());
        prop_assert_eq!(choice.after, after(&census, &choice).bytes());
    }

    #[test]
    fn a_second_time_removes_nothing(census in any_census(), wish in any_wish()) {
        let left = after(&census, &choose(&census, &wish, NOW));
        let again = choose(&left, &wish, NOW);
        prop_assert_eq!(&again.results, &Vec::<usize>::new());
        prop_assert_eq!(&again.objects, &Vec::<String>::new());
        prop_assert_eq!(&again.rests, &Vec::<usize>::new());
    }

    #[test]
    fn the_size_is_kept_unless_what_is_reachable_is_larger(census in any_census(), wish in any_wish()) {
        let Some(most) = wish.keep_size else { return Ok(()) };
        let choice = choose(&census, &wish, NOW);
        let left = after(&census, &choice);
        if choice.after > most {
            let reachable = wish.reachable.as_ref();
            let all_reachable = left.results.iter().all(|result| reachable.is_some_and(|keys| keys.contains(&result.key)));
            prop_assert!(all_reachable, "{} bytes of {} at most, and some could go", choice.after, most);
        }
    }

    #[test]
    fn for_the_sake_of_space_the_least_recently_used_goes_first(census in any_census(), most in 0u64..200) {
        let left = after(&census, &choose(&census, &Wish { keep_size: Some(most), ..Wish::default() }, NOW));
        let oldest_kept = left.results.iter().map(|result| result.used).min();
        let gone = census.results.iter().filter(|result| !left.results.contains(result));
        let newest_gone = gone.map(|result| result.used).max();
        prop_assert!(newest_gone.is_none() || oldest_kept.is_none() || newest_gone <= oldest_kept);
    }

    #[test]
    fn what_is_reachable_or_young_stays(census in any_census(), wish in any_wish()) {
        let wish = Wish { keep_size: None, ..wish };
        let left = after(&census, &choose(&census, &wish, NOW));
        for result in &census.results {
            let young = wish.older_than.is_some_and(|seconds| NOW - result.used < seconds);
            let reachable = wish.reachable.as_ref().is_some_and(|keys| keys.contains(&result.key));
            let unconditional = wish.older_than.is_none() && wish.reachable.is_none();
            prop_assert_eq!(left.results.contains(result), young || reachable || unconditional);
        }
    }
}

/// Says that a result was last used at this time, in seconds since 1970.
fn used(store: &Store, k: u32, seconds: u64) {
    let output = store.record(&preimage(k).key()).unwrap().unwrap().output;
    let folder = std::fs::File::open(store.object_folder(&output)).unwrap();
    folder.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

fn sweep(store: Store, wish: &Wish) -> (Store, Choice) {
    let root = store.root().to_owned();
    drop(store);
    let alone = Store::open_alone(&root).unwrap();
    let census = alone.census().unwrap();
    let choice = choose(&census, wish, NOW);
    alone.remove(&census, &choice).unwrap();
    assert_eq!(alone.census().unwrap().bytes(), choice.after);
    drop(alone);
    (Store::open(&root).unwrap(), choice)
}

#[test]
fn a_real_cache_loses_what_is_old_and_nothing_else() {
    let (_folder, store) = open();
    // Two with equal files, and so of one age. All records are in one file.
    let young = [1, 2].map(|k| publish(&store, k, &FILES).unwrap());
    let old = publish(&store, 3, &[("old", "x")]).unwrap();
    used(&store, 1, 900);
    used(&store, 3, 10);
    for k in 1..=3 {
        fs_err::write(store.next_log(&preimage(k).key()).unwrap().1, "log").unwrap();
    }
    fs_err::create_dir(store.root().join("work/left")).unwrap();
    for seconds in [10, 900] {
        let run = store.begin_run().unwrap();
        let file = std::fs::File::open(store.root().join(format!("runs/{}.jsonl", run.id()))).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    let (store, first) = sweep(store, &Wish { older_than: Some(500), ..Wish::default() });
    let left = store.census().unwrap();
    let keys: BTreeSet<Digest> = left.results.iter().map(|result| result.key).collect();
    assert_eq!(keys, young.iter().map(|record| record.key).collect());
    assert_eq!(left.objects.into_keys().collect::<Vec<_>>(), [young[0].output.to_string()]);
    assert!(!store.object_folder(&old.output).exists() && !store.root().join("work/left").exists());
    assert_eq!((store.logs(&young[0].key).unwrap().len(), store.logs(&old.key).unwrap().len()), (1, 0));
    assert_eq!(store.runs().unwrap().len(), 1, "of the journals the old one is gone");
    assert!(first.after < first.before);
    let (store, second) = sweep(store, &Wish { older_than: Some(500), ..Wish::default() });
    assert_eq!((second.before, second.after), (first.after, first.after));
    assert!(whole(&store, 2).is_some() && store.check(super::fsck::Depth::Deep).unwrap().findings.is_empty());
}

#[test]
fn a_file_with_several_records_goes_with_the_last_of_them() {
    let (_folder, store) = open();
    (1..=3).for_each(|k| assert!(publish(&store, k, &[("k", &k.to_string())]).is_ok()));
    let keep =
        |keys: &[u32]| Wish { reachable: Some(keys.iter().map(|k| preimage(*k).key()).collect()), ..Wish::default() };
    // `sweep` compares the bytes that were told with those that are left. The note is that of the third.
    let records = |store: &Store| store.fanned_entries("records").unwrap().len();
    let (store, first) = sweep(store, &keep(&[2, 3]));
    assert!(whole(&store, 1).is_none() && whole(&store, 2).is_some() && whole(&store, 3).is_some());
    let (store, second) = sweep(store, &keep(&[3]));
    assert_eq!((records(&store), first.after), (1, second.before));
    // A folder with a file: the record's bytes are those of the file, which is still there.
    assert_eq!(first.before - first.after, second.before - second.after);
    let (store, last) = sweep(store, &Wish { older_than: Some(0), ..Wish::default() });
    assert_eq!((records(&store), last.after), (0, 0));
    assert!(last.before - last.after > second.before - second.after);
}

#[test]
fn making_equal_files_again_is_using_them() {
    let (_folder, store) = open();
    publish(&store, 1, &FILES).unwrap();
    used(&store, 1, 10);
    publish(&store, 2, &FILES).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(store.census().unwrap().results.iter().all(|result| now - result.used < 60));
    // Nor does it matter which time a program gives its folder.
    let work = store.begin(&locked(&store, &preimage(3).key())).unwrap();
    std::fs::File::open(work.folder()).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1 << 40)).unwrap();
    super::store_test::finish(&store, work, 3).unwrap();
    assert!(store.census().unwrap().results.iter().all(|result| result.used <= now + 60));
}

#[test]
fn finding_a_result_is_using_it() {
    let (_folder, store) = open();
    publish(&store, 1, &FILES).unwrap();
    let last_use = |store: &Store| store.census().unwrap().results[0].used;
    used(&store, 1, 10);
    // Those who only look leave no trace.
    whole(&Store::open_to_read(store.root()).unwrap(), 1).unwrap();
    assert_eq!(last_use(&store), 10);
    whole(&store, 1).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now - last_use(&store) < 60);
    // A recent use is not noted again: a run that finds everything writes nothing.
    used(&store, 1, now - 5);
    whole(&store, 1).unwrap();
    assert_eq!(last_use(&store), now - 5);
    // Earlier programs note it at the record, which has a file of its own then.
    let path = store.record_path(&preimage(1).key());
    let own = super::bundle::record(&fs_err::read(&path).unwrap(), &preimage(1).key()).to_vec();
    crate::base::files::replace(&path, &own).unwrap();
    used(&store, 1, 10);
    std::fs::File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(50)).unwrap();
    assert_eq!(last_use(&store), 50);
}

#[test]
fn nothing_is_removed_while_others_use_the_cache() {
    let (_folder, store) = open();
    let _lock = locked(&store, &preimage(1).key());
    match Store::open_alone(store.root()) {
        Err(StoreError::InUse { by, .. }) => assert_eq!(by[0].pid, std::process::id()),
        other => panic!("expected a refusal, got {other:?}"),
    }
    let looking = Store::open_to_read(store.root()).unwrap();
    let root = store.root().to_owned();
    drop((_lock, store));
    assert!(matches!(Store::open_alone(&root), Err(StoreError::InUse { .. })));
    drop(looking);
    let alone = Store::open_alone(&root).unwrap();
    // What it lends out is under its protection, and waits for nobody.
    assert_eq!(alone.reader().census().unwrap(), alone.census().unwrap());
}

#[test]
fn a_record_of_another_version_keeps_its_files() {
    let (_folder, store) = open();
    let record = publish(&store, 1, &FILES).unwrap();
    let path = store.record_path(&record.key);
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(
        &path,
        text.replacen("\"schema\":1", "\"schema\":99,\"new\":true", 1)
            .replace("\"seconds\":2.5", "\"seconds\":\"long\""),
    )
    .unwrap();
    let (store, choice) = sweep(store, &Wish::default());
    assert_eq!((choice.objects.len(), store.object_folder(&record.output).exists()), (0, true));
}
