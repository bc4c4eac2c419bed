//! Where a run's results lie.

use std::path::{Path, PathBuf};

use crate::base::suggest;
use crate::cli::arguments::PredictArguments;
use crate::cli::failure::Failure;
use crate::cli::session::project_folder;
use crate::operation::publishing::NOTE;
use crate::protocol::StageError;
use crate::spec;

/// A run on this machine.
pub struct Place {
    /// Its output folder.
    pub folder: PathBuf,
    /// The folder that paths in its pipeline are read against.
    pub root: PathBuf,
    /// Whether that folder is known to be the project's; otherwise it is the current folder.
    pub is_project: bool,
}

/// The output folder that `--run` means: itself, its `run.json`, or the one of a pipeline file.
///
/// # Errors
/// A pipeline file that can't be read, or nothing of that name.
pub fn find(arguments: &PredictArguments) -> Result<Place, Failure> {
    let path = &arguments.run;
    if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
        let pipeline = spec::load(path, &spec::Settings::default())?;
        return Ok(Place {
            folder: arguments.outputs.join(&pipeline.name),
            root: project_folder(path),
            is_project: true,
        });
    }
    let folder = match path.file_name() {
        Some(name) if name == NOTE => path.parent().unwrap_or(Path::new("")).to_owned(),
        _ => path.clone(),
    };
    if !folder.is_dir() {
        return Err(unknown(&folder).into());
    }
    Ok(Place { folder, root: PathBuf::new(), is_project: false })
}

/// The error for a folder that isn't there, with the runs beside it.
fn unknown(folder: &Path) -> StageError {
    let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("outputs"));
    let entries = fs_err::read_dir(beside).into_iter().flatten().flatten();
    let mut runs: Vec<String> = entries
        .filter(|entry| entry.path().join(NOTE).is_file())
        .map(|entry| entry.path().display().to_string())
        .collect();
    runs.sort();
    let typed = folder.display().to_string();
    let near = suggest::nearest(&typed, runs.iter().map(String::as_str));
    let hint = match (near, runs.as_slice()) {
        (Some(near), _) => format!("did you mean `--run {near}`?"),
        (None, []) => "`compt run FILE` makes one in `outputs/NAME`; name that folder, or the pipeline file".to_owned(),
        (None, runs) => format!("there are {}", runs.join(", ")),
    };
    StageError::input(format!("there is no run `{typed}`")).with_hint(hint)
}
