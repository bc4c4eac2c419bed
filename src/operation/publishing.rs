//! Copies what publishing stages made out of the cache into the pipeline's output folder, with a note of what ran.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::edited::LastRun;
use crate::base::canonical::Encoder;
use crate::base::files::{clear_unfinished, write_and_look, write_atomically};
use crate::base::{Digest, many};
use crate::plan::catalog::SourceRef;
use crate::plan::pins::{Pin, Pins};
use crate::plan::{Instance, Parameters, Plan};
use crate::store::{Store, StoreError};

/// One stage's result in the output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The operation that made it.
    pub operation: String,
    /// Where its files lie.
    pub folder: PathBuf,
    /// Their names, in alphabetical order.
    pub files: Vec<String>,
    /// Those that somebody had changed since the last run, and that were replaced.
    pub replaced: Vec<String>,
}

/// The file in an output folder that says what ran.
pub const NOTE: &str = "run.json";

/// Brings `outputs/<pipeline>/` up to date: a folder for each publishing stage that has a result, and `run.json`. Files
/// whose content is right already are not touched. Returns what was published, in plan order.
///
/// # Errors
/// The output folder can't be written, or the cache can't be read.
pub fn publish(
    plan: &Plan,
    store: &Store,
    results: &[Option<(Digest, Digest)>],
    pins: &Pins,
    folder: &Path,
) -> Result<Vec<Published>, PublishError> {
    let mut published = Vec::new();
    let note = folder.join(NOTE);
    let last = LastRun::new(store, &note);
    clear_unfinished(folder);
    let mut named: HashMap<String, usize> = HashMap::new();
    for instance in plan.instances.iter().filter(|instance| instance.publishes) {
        *named.entry(folder_name(instance)).or_default() += 1;
    }
    for instance in plan.instances.iter().filter(|instance| instance.publishes) {
        let Some((key, _)) = results.get(instance.id).copied().flatten() else { continue };
        let Some(record) = store.record(&key)? else { continue };
        let mut name = folder_name(instance);
        if named.get(&name).is_some_and(|instances| *instances > 1) {
            // Values that differ in what no folder's name may have: `a/b` and `a b`.
            name = format!("{name},{}", Digest::of(instance.name().as_bytes()).short());
        }
        let target = folder.join(name);
        clear_unfinished(&target);
        let (made, mut replaced) = (store.files(&record), Vec::new());
        for name in record.files.keys() {
            let before = copy(&made.file(name), &target.join(name))?;
            replaced
                .extend(before.filter(|bytes| last.left_otherwise(instance.name(), name, bytes)).map(|_| name.clone()));
        }
        let files = record.files.keys().cloned().collect();
        published.push(Published { operation: instance.operation.clone(), folder: target, files, replaced });
    }
    write_note(store, &note, &Note::new(plan, results, pins)).map_err(PublishError::Unwritten)?;
    Ok(published)
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The cache.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of a result in the cache.
    #[error(transparent)]
    Unread(std::io::Error),
    /// The output folder.
    #[error(transparent)]
    Unwritten(std::io::Error),
}

/// `table`, or `table,seed=1` for a stage with axes: a name that every file system takes. A stage of an included pipeline
/// is in that pipeline's folder: `glue_fewshot/table`.
fn folder_name(instance: &Instance) -> String {
    let mut name = instance.stage.replace('.', "/");
    for (axis, value) in &instance.coordinates {
        let plain: String =
            value.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        name.push_str(&format!(",{axis}={plain}"));
    }
    name
}

/// Copies a file, unless the same is there; returns what it has replaced.
fn copy(from: &Path, to: &Path) -> Result<Option<Vec<u8>>, PublishError> {
    let (bytes, present) = (fs_err::read(from).map_err(PublishError::Unread)?, fs_err::read(to).ok());
    if present.as_ref() == Some(&bytes) {
        return Ok(None);
    }
    write_atomically(to, &bytes).map_err(PublishError::Unwritten)?;
    Ok(present)
}

/// Writes a note, unless the same one is there: as the cache remembers, or else as its bytes say.
fn write_note(store: &Store, path: &Path, note: &Note<'_>) -> std::io::Result<()> {
    let said = note.digest();
    if store.says(note.pipeline, path, &said) {
        return Ok(());
    }
    let file = match has(path, note)? {
        Some(file) => file,
        None => {
            let mut bytes = Vec::new();
            note.write(&mut bytes)?;
            write_and_look(path, &bytes)?
        }
    };
    store.note_said(note.pipeline, path, &file, said);
    Ok(())
}

/// What the file system says of a file with this note, if it has it. Both may have megabytes, so neither is held in memory
/// to be compared.
fn has(path: &Path, note: &Note<'_>) -> std::io::Result<Option<Metadata>> {
    let Ok(file) = fs_err::File::open(path) else { return Ok(None) };
    let metadata = file.metadata()?;
    let mut same = Same { there: BufReader::with_capacity(1 << 16, file), piece: Vec::new() };
    let is_same = note.write(&mut BufWriter::with_capacity(1 << 16, &mut same)).is_ok() && same.is_over()?;
    Ok(is_same.then_some(metadata))
}

/// Takes bytes as long as they are those that can be read.
struct Same<R> {
    there: R,
    piece: Vec<u8>,
}

impl<R: Read> Same<R> {
    /// Whether everything was read.
    fn is_over(&mut self) -> std::io::Result<bool> {
        Ok(self.there.read(&mut [0])? == 0)
    }
}

impl<R: Read> Write for Same<R> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.piece.resize(bytes.len(), 0);
        self.there.read_exact(&mut self.piece)?;
        if self.piece == bytes { Ok(bytes.len()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Which keys and digests the results have, and from which sources: no times, so that equal runs give equal notes. Every map
/// has its keys in alphabetical order.
#[derive(Serialize)]
struct Note<'a> {
    compt: &'static str,
    pipeline: &'a str,
    sources: Vec<Value>,
    stages: Vec<Made<'a>>,
}

#[derive(Serialize)]
struct Made<'a> {
    inputs: Vec<&'a str>,
    key: Option<Digest>,
    operation: &'a str,
    output: Option<Digest>,
    parameters: &'a Parameters,
    stage: &'a str,
    version: u32,
}

impl Made<'_> {
    fn digest(&self) -> Digest {
        let Self { inputs, key, operation, output, parameters, stage, version } = self;
        let mut all = Encoder::new("compt run note, a stage");
        all.list(inputs.len());
        inputs.iter().for_each(|input| all.string(input));
        for digest in [key, output] {
            all.string(&digest.map(|digest| digest.to_string()).unwrap_or_default());
        }
        [*operation, parameters.text(), *stage].iter().for_each(|text| all.string(text));
        all.whole(i128::from(*version));
        all.digest()
    }
}

impl<'a> Note<'a> {
    fn new(plan: &'a Plan, results: &[Option<(Digest, Digest)>], pins: &Pins) -> Self {
        let made = |instance: &'a Instance| {
            let (key, output) = results.get(instance.id).copied().flatten().unzip();
            Made {
                inputs: instance.inputs.iter().map(|&input| plan.instances[input].name()).collect(),
                key,
                operation: &instance.operation,
                output,
                parameters: &instance.parameters,
                stage: instance.name(),
                version: instance.version,
            }
        };
        let source = |(source, pin): (&SourceRef, &Pin)| json!({ "source": source, "revision": pin.revision, "files": pin.files });
        Self {
            compt: env!("CARGO_PKG_VERSION"),
            pipeline: &plan.pipeline,
            sources: pins.iter().map(source).collect(),
            stages: plan.instances.iter().map(made).collect(),
        }
    }

    /// A digest of all that it says, in less time than it takes to write it.
    fn digest(&self) -> Digest {
        let mut all = Encoder::new("compt run note");
        all.string(self.compt);
        all.string(self.pipeline);
        all.list(self.sources.len());
        self.sources.iter().for_each(|source| all.value(source));
        let stages = many::map(&self.stages, Made::digest);
        all.list(stages.len());
        stages.iter().for_each(|stage| all.string(&stage.to_string()));
        all.digest()
    }

    fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut *to, self)?;
        to.write_all(b"\n")?;
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Same;
    use std::io::Write;

    #[test]
    fn only_the_same_bytes_are_the_same() {
        let same = |there: &str, pieces: &[&str]| {
            let mut same = Same { there: there.as_bytes(), piece: Vec::new() };
            pieces.iter().all(|piece| same.write_all(piece.as_bytes()).is_ok()) && same.is_over().unwrap()
        };
        assert!(same("one two", &["one", " ", "two"]) && same("", &[]));
        for other in ["one tw", "one two ", "one twO", ""] {
            assert!(!same(other, &["one", " ", "two"]), "{other}");
        }
    }
}
