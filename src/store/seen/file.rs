//! The file of what was seen: a line that names the format, the digest of the rest, a head, and one entry for each instance.
//!
//! It is read as a whole and its entries only when they are asked for, each without copying: a run that has nothing to do
//! does little else. Numbers are 64 bits, little end first; texts and entries have their length before them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::store::bundle::Change;
use crate::store::memo::Stat;
use crate::store::record::Maker;

/// The first line. The number is that of this format; another one takes the next, as does another format of records.
const FORMAT: &[u8] = b"compt seen 3\n";

/// What is said once for all instances.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Head {
    /// Who has made the results.
    pub makers: Vec<Arc<Maker>>,
    /// Files that a run has written beside the cache: what the file system said of each, and the digest of what it says.
    pub written: BTreeMap<PathBuf, (Stat, Digest)>,
}

/// A file as it was read.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub head: Head,
    bytes: Vec<u8>,
    /// Where the entries stand, by the identities of instances.
    places: HashMap<Digest, Range<usize>>,
}

/// What was seen of one instance.
pub(super) struct Sight<'a> {
    pub key: Digest,
    pub output: Digest,
    /// Of the record.
    pub record: Stat,
    /// Of the note of the instance's latest result.
    pub note: Stat,
    /// When the use of the result was last noted, in seconds since 1970.
    pub used: u64,
    /// Whether its only file is kept without a folder.
    pub is_bare: bool,
    pub seconds: f64,
    /// The position in the head.
    pub maker: u64,
    /// As JSON.
    pub facts: &'a str,
    /// As [`write_file`] writes them, one after the other.
    pub files: &'a [u8],
}

impl Contents {
    /// What a file contains; `None` when it is none, or was not written to its end.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut rest = Fields(bytes.strip_prefix(FORMAT)?);
        let digest = rest.digest()?;
        if Digest::of(rest.0) != digest {
            return None;
        }
        let head = serde_json::from_slice(rest.piece()?).ok()?;
        let count = usize::try_from(rest.number()?).ok()?;
        let mut places = HashMap::with_capacity(count.min(rest.0.len()));
        while !rest.0.is_empty() {
            let identity = rest.digest()?;
            let sight = rest.piece()?;
            let end = bytes.len() - rest.0.len();
            places.insert(identity, end - sight.len()..end);
        }
        Some(Self { head, places, bytes })
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The entry of an instance.
    pub fn bytes(&self, identity: &Digest) -> Option<&[u8]> {
        self.bytes.get(self.places.get(identity)?.clone())
    }

    /// What was seen of an instance.
    pub fn get(&self, identity: &Digest) -> Option<Sight<'_>> {
        Sight::read(self.bytes(identity)?)
    }
}

/// A file of these entries.
///
/// # Errors
/// The head can't be JSON: a path is not UTF-8.
pub(super) fn written<'a>(
    head: &Head,
    sights: impl Iterator<Item = (Digest, Cow<'a, [u8]>)>,
) -> serde_json::Result<Vec<u8>> {
    let start = FORMAT.len() + 32;
    let mut bytes = [FORMAT, &[0; 32]].concat();
    write_piece(&mut bytes, &serde_json::to_vec(head)?);
    let place_of_count = bytes.len();
    write_number(&mut bytes, 0);
    let mut count = 0u64;
    for (identity, sight) in sights {
        bytes.extend_from_slice(identity.as_bytes());
        write_piece(&mut bytes, &sight);
        count += 1;
    }
    bytes[place_of_count..place_of_count + 8].copy_from_slice(&count.to_le_bytes());
    let digest = Digest::of(&bytes[start..]);
    bytes[FORMAT.len()..start].copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

impl<'a> Sight<'a> {
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.key.as_bytes());
        to.extend_from_slice(self.output.as_bytes());
        write_stat(to, &self.record);
        write_stat(to, &self.note);
        write_number(to, self.used);
        write_number(to, u64::from(self.is_bare));
        write_number(to, self.seconds.to_bits());
        write_number(to, self.maker);
        write_piece(to, self.facts.as_bytes());
        to.extend_from_slice(self.files);
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            key: fields.digest()?,
            output: fields.digest()?,
            record: fields.stat()?,
            note: fields.stat()?,
            used: fields.number()?,
            is_bare: fields.number()? != 0,
            seconds: f64::from_bits(fields.number()?),
            maker: fields.number()?,
            facts: fields.text()?,
            files: fields.0,
        })
    }

    pub fn has_no_files(&self) -> bool {
        self.files.is_empty()
    }

    /// The files by their path inside the result, and what the file system said of each.
    pub fn files(&self) -> impl Iterator<Item = (&'a str, Stat)> {
        let mut fields = Fields(self.files);
        std::iter::from_fn(move || Some((fields.text()?, fields.stat()?)))
    }
}

/// An entry with what the file system says now of its record and its note, where what was seen is what it said before.
pub(super) fn settled<'a>(bytes: &'a [u8], changes: &HashMap<u64, Change>) -> Cow<'a, [u8]> {
    let now =
        |seen: Stat| changes.get(&seen.inode).filter(|change| change.before == seen).map_or(seen, |change| change.now);
    let Some(sight) = Sight::read(bytes).filter(|_| !changes.is_empty()) else { return Cow::Borrowed(bytes) };
    let (record, note) = (now(sight.record), now(sight.note));
    if (record, note) == (sight.record, sight.note) {
        return Cow::Borrowed(bytes);
    }
    let mut settled = Vec::with_capacity(bytes.len());
    Sight { record, note, ..sight }.write(&mut settled);
    Cow::Owned(settled)
}

/// Writes one file of a result.
pub(super) fn write_file(to: &mut Vec<u8>, inside: &str, stat: &Stat) {
    write_piece(to, inside.as_bytes());
    write_stat(to, stat);
}

fn write_number(to: &mut Vec<u8>, number: u64) {
    to.extend_from_slice(&number.to_le_bytes());
}

fn write_piece(to: &mut Vec<u8>, piece: &[u8]) {
    write_number(to, piece.len() as u64);
    to.extend_from_slice(piece);
}

fn write_stat(to: &mut Vec<u8>, stat: &Stat) {
    let Stat { size, modified, changed, inode } = *stat;
    for number in [size, modified.cast_unsigned(), changed.cast_unsigned(), inode] {
        write_number(to, number);
    }
}

/// Bytes that are read from their front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take().map(Digest::from)
    }

    fn piece(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.piece()?).ok()
    }

    fn stat(&mut self) -> Option<Stat> {
        let [size, modified, changed, inode] = [self.number()?, self.number()?, self.number()?, self.number()?];
        Some(Stat { size, modified: modified.cast_signed(), changed: changed.cast_signed(), inode })
    }
}
