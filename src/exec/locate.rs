//! Where the worker's executable is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::protocol::StageError;

/// The executable's file name.
pub const NAME: &str = "compt-worker";
/// The environment variable that names another one.
pub const VARIABLE: &str = "COMPT_WORKER";

/// Finds the worker: at `COMPT_WORKER`, beside this executable, or on `PATH`.
///
/// # Errors
/// When it is at none of these places, with what to build.
pub fn worker() -> Result<PathBuf, StageError> {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    search(std::env::var_os(VARIABLE), beside, std::env::var_os("PATH"))
}

fn search(named: Option<OsString>, beside: Option<PathBuf>, path: Option<OsString>) -> Result<PathBuf, StageError> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return if named.is_file() {
            Ok(named)
        } else {
            Err(StageError::environment(format!("`{VARIABLE}` names `{}`, which is not a file", named.display()))
                .with_hint(format!("build it with `make build`, or unset `{VARIABLE}`")))
        };
    }
    // Test executables lie one folder below the one that cargo puts programs into.
    let near = beside.iter().flat_map(|folder| [Some(folder.as_path()), folder.parent()]).flatten();
    let folders: Vec<PathBuf> = near
        .map(Path::to_owned)
        .chain(path.iter().flat_map(|path| std::env::split_paths(path).collect::<Vec<_>>()))
        .collect();
    folders.iter().map(|folder| folder.join(NAME)).find(|file| file.is_file()).ok_or_else(|| {
        let place = beside.map_or_else(|| "this program".to_owned(), |folder| format!("`{}`", folder.display()));
        StageError::environment(format!(
            "`{NAME}`, which runs training and evaluation, is neither in {place} nor on `PATH`"
        ))
        .with_hint(format!("build it with `make build`, or set `{VARIABLE}` to where it is"))
    })
}

#[cfg(test)]
mod tests {
    use super::{NAME, search};

    #[test]
    fn looks_at_the_variable_then_beside_then_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let place = folder.path().join(name);
            fs_err::create_dir_all(&place).unwrap();
            fs_err::write(place.join(NAME), "").unwrap();
            place
        };
        let (named, beside, on_path) = (make("a"), make("b"), make("c"));
        let variable = Some(named.join(NAME).into_os_string());
        let path = Some(on_path.clone().into_os_string());
        assert_eq!(search(variable, Some(beside.clone()), path.clone()).unwrap(), named.join(NAME));
        assert_eq!(search(None, Some(beside.clone()), path.clone()).unwrap(), beside.join(NAME));
        assert_eq!(search(None, Some(beside.join("deps")), path.clone()).unwrap(), beside.join(NAME));
        assert_eq!(search(None, None, path).unwrap(), on_path.join(NAME));
    }

    #[test]
    fn says_what_to_build() {
        let missing = search(None, Some("/nowhere/bin".into()), None).unwrap_err();
        assert_eq!(
            missing.message,
            "`compt-worker`, which runs training and evaluation, is neither in `/nowhere/bin` nor on `PATH`"
        );
        assert!(missing.hint.unwrap().contains("make build"));
        let wrong = search(Some("/nowhere/worker".into()), None, None).unwrap_err();
        assert_eq!(wrong.message, "`COMPT_WORKER` names `/nowhere/worker`, which is not a file");
    }
}
