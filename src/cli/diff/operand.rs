//! What `compt diff` compares: which kind a name means is told by what is there.

use std::path::Path;

use super::DiffArguments;
use crate::base::Digest;
use crate::base::suggest;
use crate::cli::failure::Failure;
use crate::operation::lineage::Lineage;
use crate::operation::publishing::NOTE;
use crate::plan::pins::Pins;
use crate::store::{Record, Store};

/// Fewer digits of a key are more likely a name.
const FEWEST_DIGITS: usize = 4;

/// So many keys are shown where several begin in the same way.
const SHOWN: usize = 5;

/// One of the things that can be compared.
pub enum Operand {
    /// A result in the cache, by its key.
    Key(Box<Record>),
    /// A run, by its note.
    Run(Lineage),
    /// A lock file.
    Lock(Pins),
}

impl Operand {
    /// With its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "a stage key",
            Self::Run(_) => "a run",
            Self::Lock(_) => "a lock file",
        }
    }

    /// For a heading: what was typed, and what it is.
    pub fn describe(&self, typed: &str) -> String {
        match self {
            Self::Key(record) => format!("{}  {} of {}", record.key, record.name, record.pipeline),
            Self::Run(run) => format!("{typed}  {} instances of {}", run.made.len(), run.pipeline),
            Self::Lock(pins) => format!("{typed}  {} sources", pins.iter().count()),
        }
    }
}

/// What `typed` means: a path first, then a run by its name, then the digits of a key.
pub fn find(typed: &str, arguments: &DiffArguments, store: &Store) -> Result<Operand, Failure> {
    let path = Path::new(typed);
    if path.is_dir() {
        return Ok(Operand::Run(Lineage::read(path)?));
    }
    if path.is_file() {
        return file(path);
    }
    let folder = arguments.outputs.join(typed);
    if folder.join(NOTE).is_file() {
        return Ok(Operand::Run(Lineage::read(&folder)?));
    }
    let digits = typed.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits && typed.len() >= FEWEST_DIGITS {
        return key(typed, store);
    }
    let runs: Vec<String> = fs_err::read_dir(&arguments.outputs)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    Err(Failure::Input {
        message: format!("`{typed}` is no run, no lock file and no stage key"),
        hint: Some(match suggest::nearest(typed, runs.iter().map(String::as_str)) {
            // One letter is near to every other one.
            Some(near) if typed.len() > 1 => format!("did you mean `{near}`?"),
            _ if digits && !typed.is_empty() => {
                format!("the beginning of a key has {FEWEST_DIGITS} digits or more; `compt why FILE STAGE` prints keys")
            }
            _ => "a run is a folder with `run.json` (`outputs/NAME`), a lock file stands beside its pipeline, and \
                  `compt why FILE STAGE` prints keys"
                .to_owned(),
        }),
    })
}

fn file(path: &Path) -> Result<Operand, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("lock") => Ok(Operand::Lock(Pins::read(path)?)),
        Some("json") => Ok(Operand::Run(Lineage::read_file(path)?)),
        Some("yaml" | "yml") => Err(Failure::usage(
            format!("`{}` is a pipeline file; `diff` compares what was made with it", path.display()),
            format!("name its run, `outputs/NAME`, or its lock file, `{}`", path.with_extension("lock").display()),
        )),
        _ => Err(Failure::usage(
            format!("`{}` is no run and no lock file", path.display()),
            "a run is a folder with `run.json` (`outputs/NAME`), and the name of a lock file ends in `.lock`",
        )),
    }
}

fn key(typed: &str, store: &Store) -> Result<Operand, Failure> {
    let keys = store.keys(typed)?;
    match keys.as_slice() {
        [] => Err(Failure::Input {
            message: format!("no key in the cache `{}` begins with `{typed}`", store.root().display()),
            hint: Some("`compt why FILE STAGE` prints keys; `--cache DIR` names another cache".to_owned()),
        }),
        [one] => match store.record(one)? {
            Some(record) => Ok(Operand::Key(Box::new(record))),
            None => Err(Failure::Cache {
                message: format!("the record of {one} can't be read"),
                hint: Some("`compt run` with its pipeline file makes the result again".to_owned()),
            }),
        },
        many => {
            let shown: Vec<String> = many.iter().take(SHOWN).map(|key| candidate(key, store)).collect();
            let more = many.len() - shown.len();
            let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
            Err(Failure::usage(
                format!("`{typed}` begins {} keys", many.len()),
                format!("type more of one of them:\n  {}{more}", shown.join("\n  ")),
            ))
        }
    }
}

/// A key with the stage that it was made for.
fn candidate(key: &Digest, store: &Store) -> String {
    match store.record(key) {
        Ok(Some(record)) => format!("{key}  {} of {}", record.name, record.pipeline),
        _ => key.to_string(),
    }
}
