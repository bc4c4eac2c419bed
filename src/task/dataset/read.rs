//! Finds and reads `datasets/NAME.yaml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Dataset, DatasetFile, builtin, check};
use crate::base::suggest;
use crate::spec::{Document, Invalid};

/// The folder of data set files inside a project.
pub const FOLDER: &str = "datasets";

/// Why a data set can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// No file of this name.
    #[error("there is no data set `{name}`: `{}` does not exist", path.display())]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where it would be.
        path: PathBuf,
        /// Names there are.
        known: Vec<String>,
    },
    /// The file is not what it should be; every fault with its place.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl DatasetError {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        let (name, known) = match self {
            Self::Unknown { name, known, .. } => (name, known),
            Self::Invalid(invalid) => {
                return invalid.problems.iter().find_map(|problem| problem.help().map(str::to_owned));
            }
        };
        if let Some(near) = suggest::nearest(name, known.iter().map(String::as_str)) {
            return Some(format!("did you mean `{near}`?"));
        }
        Some(match known.as_slice() {
            [] => format!("add `{FOLDER}/{name}.yaml` to the project folder"),
            known => format!("known data sets: {}; a new one is a new file in `{FOLDER}/`", known.join(", ")),
        })
    }
}

impl From<DatasetError> for crate::protocol::StageError {
    fn from(error: DatasetError) -> Self {
        let hint = error.hint();
        let failed = Self::input(error.to_string());
        match hint {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        }
    }
}

/// The data sets that a project at `root` can name, its own and the built-in ones, sorted.
pub fn names(root: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(root.join(FOLDER)).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".yaml").map(str::to_owned))
        .chain(builtin::names().map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Reads and checks the data set `name` of the project at `root`, or the built-in one of this name.
///
/// # Errors
/// No such data set, or all faults of its file at once.
pub fn read(root: &Path, name: &str) -> Result<Dataset, DatasetError> {
    let (file, _) = describe(root, name)?;
    Ok(Dataset {
        name: name.to_owned(),
        source: file.source,
        files: file.files,
        splits: file.splits,
        hold_out: file.hold_out,
        columns: file.columns,
        template: file.template,
        column_chars: file.column_chars,
        kind: file.kind,
        label: file.label,
        label_sets: file.label_sets,
        metrics: file.metrics,
        score: file.score,
    })
}

/// All that the file of the data set `name` says, and where it is; nowhere, for a built-in one.
///
/// # Errors
/// As [`read`].
pub fn describe(root: &Path, name: &str) -> Result<(DatasetFile, Option<PathBuf>), DatasetError> {
    let path = root.join(FOLDER).join(format!("{name}.yaml"));
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    match builtin::text(name) {
        _ if plain && path.is_file() => Ok((read_file(&path)?, Some(path))),
        Some(text) => Ok((built_in(&path, name, text)?, None)),
        None => Err(DatasetError::Unknown { name: name.to_owned(), path, known: names(root) }),
    }
}

/// The built-in data set of this name, read once: a plan asks for it for every instance of a stage.
fn built_in(path: &Path, name: &str, text: &str) -> Result<DatasetFile, DatasetError> {
    static READ: Mutex<BTreeMap<String, DatasetFile>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = read.get(name) {
        return Ok(file.clone());
    }
    let file = checked(Document::parse(path, text)?)?;
    read.insert(name.to_owned(), file.clone());
    Ok(file)
}

/// Reads and checks one data set file.
///
/// # Errors
/// All faults of the file at once.
pub fn read_file(path: &Path) -> Result<DatasetFile, DatasetError> {
    checked(Document::read(path)?)
}

fn checked(document: Document) -> Result<DatasetFile, DatasetError> {
    let file: DatasetFile = document.interpret()?;
    let text = document.file;
    let problem = |(field, message): check::Fault| text.problem(&field, "compt::dataset::invalid", message);
    Invalid::check(check::faults(&file).into_iter().map(problem).collect())?;
    Ok(file)
}

/// The JSON Schema of a data set file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(DatasetFile)
}

#[cfg(test)]
mod tests {
    use super::{DatasetError, names, read, read_file};
    use std::path::Path;

    /// The thirteen tasks that METHODS 4 names.
    const TASKS: [&str; 13] = [
        "cola",
        "imdb",
        "mnli",
        "mrpc",
        "multinli",
        "paws",
        "qnli",
        "qqp",
        "rte",
        "scitail",
        "sst2",
        "stsb",
        "yelp_polarity",
    ];

    #[test]
    fn the_projects_data_sets_are_sound() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let known = names(root);
        for task in TASKS {
            assert!(known.iter().any(|name| name == task), "{task} is missing");
        }
        for name in known {
            read(root, &name).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn a_slip_gets_a_suggestion() {
        let error = read(Path::new(env!("CARGO_MANIFEST_DIR")), "mnil").unwrap_err();
        assert!(matches!(error, DatasetError::Unknown { .. }));
        assert_eq!(error.hint().unwrap(), "did you mean `mnli`?");
        assert!(read(Path::new(env!("CARGO_MANIFEST_DIR")), "../datasets/mnli").is_err());
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.yaml");
        let text = "source: { hub: a/b/c }\nfiles: { train: [train.xml], test: [t.csv] }\nsplits: halve_validation\n\
             columns: [premise, extra]\ntemplate: \"p: {premse}\"\nkind: classification\n\
             label: { column: label, words: [{ value: 0, word: yes_ }, { value: 0, word: yes_ }] }\n\
             label_sets: { short: [y] }\nmetrics: [accuracy, pearson]\nscore: f1\n";
        fs_err::write(&path, text).unwrap();
        let error = read_file(&path).unwrap_err().to_string().replace(path.to_str().unwrap(), "bad.yaml");
        let expected = [
            "bad.yaml:1:16: `a/b/c` is no id of the hub, expected `owner/name`",
            "bad.yaml:2:1: `splits: halve_validation` needs validation files",
            "bad.yaml:2:18: `train.xml` must end in .parquet, .csv, .tsv, .jsonl or .json",
            "bad.yaml:2:36: `splits: halve_validation` makes the test rows from the validation rows",
            "bad.yaml:4:11: the template does not use `premise`",
            "bad.yaml:4:20: the template does not use `extra`",
            "bad.yaml:5:11: `{premse}` is not one of `columns`; did you mean `premise`?",
            "bad.yaml:7:32: the value `0` is given twice",
            "bad.yaml:7:32: `yes_` stands for two labels",
            "bad.yaml:8:22: expected 2 words, one for each label, found 1",
            "bad.yaml:9:10: `pearson` does not suit a classification",
            "bad.yaml:10:8: `f1` is not one of `metrics`",
        ];
        assert_eq!(error, expected.join("\n"));
    }
}
