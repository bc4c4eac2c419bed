//! What to remove from the cache: a pure choice. [`Census`] says what there is, [`super::Store::remove`] does it.
//!
//! * What no record names, and what dead processes left half made, is always removed.
//! * A result is removed when it fails every condition that was given: it was not used for so long, nobody reaches it.
//! * Then, if the cache is still too large, what was used least recently goes first; what is reachable stays.
//!
//! What is kept is closed: the files of every record that is kept are kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::census::{Census, Kind, Names};
use crate::base::Digest;

/// What shall be removed.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// What was not used for so many seconds.
    pub older_than: Option<u64>,
    /// The oldest, until not more bytes than these are left.
    pub keep_size: Option<u64>,
    /// Every result but those with these keys.
    pub reachable: Option<BTreeSet<Digest>>,
}

/// What is to be removed: positions in the census, and digests of results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Results whose records go.
    pub results: Vec<usize>,
    /// Folders and files of results that no record names then.
    pub objects: Vec<String>,
    /// Everything else.
    pub rests: Vec<usize>,
    /// Bytes of the cache before.
    pub before: u64,
    /// Bytes of the cache afterwards.
    pub after: u64,
}

/// A result or a rest that is still kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Result(usize),
    Rest(usize),
}

/// The choice at the time `now`, in seconds since 1970.
pub fn choose(census: &Census, wish: &Wish, now: u64) -> Choice {
    let mut kept = Kept::all(census);
    let is_old = |used: u64| wish.older_than.is_some_and(|seconds| now.saturating_sub(used) >= seconds);
    let is_reachable = |key: &Digest| wish.reachable.as_ref().is_some_and(|reachable| reachable.contains(key));

    let is_conditional = wish.older_than.is_some() || wish.reachable.is_some();
    for (position, result) in census.results.iter().enumerate() {
        let old_enough = wish.older_than.is_none() || is_old(result.used);
        if is_conditional && old_enough && !is_reachable(&result.key) {
            kept.remove(Item::Result(position));
        }
    }
    for (position, rest) in census.rests.iter().enumerate() {
        let goes = match rest.kind {
            Kind::Work | Kind::Unfinished | Kind::Lock => true,
            // Success removes checkpoints; these remained because the process died in between.
            Kind::Checkpoint if kept.has_record(rest.key.as_ref()) => true,
            Kind::Log | Kind::Name if kept.has_record(rest.key.as_ref()) => false,
            Kind::Log if census.has_record(rest.key.as_ref()) => true,
            Kind::Log | Kind::Name | Kind::Checkpoint | Kind::Quarantine | Kind::Run => is_old(rest.used),
        };
        if goes {
            kept.remove(Item::Rest(position));
        }
    }
    if let Some(most) = wish.keep_size {
        let rests = census.rests_by_key();
        let mut by_use: Vec<(u64, Item)> = kept.removable(&is_reachable);
        by_use.sort_unstable();
        for (_, item) in by_use {
            if kept.bytes <= most {
                break;
            }
            kept.remove_with_rests(item, &rests);
        }
    }
    kept.choice()
}

/// What of a census is kept so far.
struct Kept<'a> {
    census: &'a Census,
    results: Vec<bool>,
    rests: Vec<bool>,
    /// How many of the kept records name a folder or a file of a result.
    readers: BTreeMap<String, usize>,
    /// Of files that have several, those that are kept.
    names: Names,
    /// The keys of the kept records.
    keys: BTreeSet<Digest>,
    bytes: u64,
}

impl<'a> Kept<'a> {
    /// Everything but the results that no record names.
    fn all(census: &'a Census) -> Self {
        let mut readers: BTreeMap<String, usize> = BTreeMap::new();
        for result in &census.results {
            *readers.entry(result.object.clone()).or_default() += 1;
        }
        let orphans = census.objects.iter().filter(|(object, _)| !readers.contains_key(*object));
        let bytes = census.bytes() - orphans.map(|(_, bytes)| bytes).sum::<u64>();
        Self {
            census,
            results: vec![true; census.results.len()],
            rests: vec![true; census.rests.len()],
            readers,
            names: census.names(),
            keys: census.results.iter().map(|result| result.key).collect(),
            bytes,
        }
    }

    fn has_record(&self, key: Option<&Digest>) -> bool {
        key.is_some_and(|key| self.keys.contains(key))
    }

    fn remove(&mut self, item: Item) {
        match item {
            Item::Rest(position) if self.rests[position] => {
                let rest = &self.census.rests[position];
                self.rests[position] = false;
                self.bytes -= self.names.free(rest.bytes, rest.shared);
            }
            Item::Result(position) if self.results[position] => {
                let result = &self.census.results[position];
                self.results[position] = false;
                self.keys.remove(&result.key);
                self.bytes -= self.names.free(result.bytes, result.shared);
                if let Some(readers) = self.readers.get_mut(&result.object) {
                    *readers -= 1;
                    if *readers == 0 {
                        self.bytes -= self.census.objects.get(&result.object).unwrap_or(&0);
                    }
                }
            }
            Item::Rest(_) | Item::Result(_) => {}
        }
    }

    /// Removes it, and with a result all that belongs to it.
    fn remove_with_rests(&mut self, item: Item, rests: &BTreeMap<Digest, Vec<usize>>) {
        self.remove(item);
        if let Item::Result(position) = item {
            for rest in rests.get(&self.census.results[position].key).into_iter().flatten() {
                self.remove(Item::Rest(*rest));
            }
        }
    }

    /// What may go for the sake of space, with the time of its last use.
    fn removable(&self, is_reachable: &impl Fn(&Digest) -> bool) -> Vec<(u64, Item)> {
        let results = self.census.results.iter().enumerate();
        let results = results.filter(|(position, result)| self.results[*position] && !is_reachable(&result.key));
        let rests = self.census.rests.iter().enumerate();
        // Logs and notes of a result go with it.
        let rests = rests.filter(|(position, rest)| self.rests[*position] && !self.has_record(rest.key.as_ref()));
        let results = results.map(|(position, result)| (result.used, Item::Result(position)));
        results.chain(rests.map(|(position, rest)| (rest.used, Item::Rest(position)))).collect()
    }

    fn choice(self) -> Choice {
        let gone = |kept: &[bool]| (0..kept.len()).filter(|position| !kept[*position]).collect();
        let unread = |object: &&String| self.readers.get(*object).is_none_or(|readers| *readers == 0);
        Choice {
            results: gone(&self.results),
            objects: self.census.objects.keys().filter(unread).cloned().collect(),
            rests: gone(&self.rests),
            before: self.census.bytes(),
            after: self.bytes,
        }
    }
}
