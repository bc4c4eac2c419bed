//! From what a program has written to the stage's result.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fs_err as fs;

use super::quoted;
use crate::base::suggest;
use crate::protocol::StageError;
use crate::task::source::glob;

/// What was written besides the declared outputs.
///
/// # Errors
/// A declared output is not there.
pub(super) fn undeclared(written: &[String], declared: &[String]) -> Result<Vec<String>, StageError> {
    if let Some(missing) = declared.iter().find(|pattern| !written.iter().any(|path| names(pattern, path))) {
        return Err(absent(missing, written));
    }
    let undeclared = written.iter().filter(|path| !declared.iter().any(|pattern| names(pattern, path)));
    Ok(undeclared.cloned().collect())
}

/// Moves files of the program's folder into a new folder, which takes its place.
///
/// # Errors
/// One of them is something that can't be kept.
pub(super) fn keep<'a>(folder: &Path, kept: impl Iterator<Item = &'a String>, result: &Path) -> Result<(), StageError> {
    fs::create_dir(result)?;
    for inside in kept {
        if let Some((parent, _)) = inside.rsplit_once('/') {
            fs::create_dir_all(result.join(parent))?;
        }
        take(folder, inside, &result.join(inside))?;
    }
    Ok(())
}

/// Whether a declared output means this file: its own path, or that of a folder above it.
fn names(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_end_matches('/');
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    ends.into_iter().any(|end| glob::matches(pattern, &path[..end]))
}

fn take(folder: &Path, inside: &str, to: &Path) -> Result<(), StageError> {
    let from = folder.join(inside);
    let metadata = fs::symlink_metadata(&from)?;
    if metadata.is_symlink() {
        let target = fs::canonicalize(&from)
            .map_err(|_| StageError::input(format!("the output `{inside}` is a link to nothing")))?;
        if !target.starts_with(fs::canonicalize(folder)?) || !target.is_file() {
            return Err(StageError::input(format!(
                "the output `{inside}` is a link to `{}`; a result is made of files of the program's folder",
                target.display()
            ))
            .with_hint("let the program write a copy"));
        }
        fs::copy(target, to)?;
    } else if !metadata.is_file() {
        return Err(StageError::input(format!("the output `{inside}` is neither a file nor a folder")));
    } else if metadata.nlink() > 1 {
        // Another name of the same file could be written to later.
        fs::copy(&from, to)?;
    } else {
        fs::rename(&from, to)?;
    }
    Ok(())
}

fn absent(missing: &str, written: &[String]) -> StageError {
    let instead = if written.is_empty() { "nothing".to_owned() } else { quoted(written) };
    let hint = match suggest::nearest(missing, written.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? `outputs` are paths in the folder where the program starts"),
        None => "`outputs` are paths in the folder where the program starts; let it write there, under these names"
            .to_owned(),
    };
    StageError::input(format!("the program ended well, but its output `{missing}` is not there; it wrote {instead}"))
        .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_folder_stands_for_all_that_is_in_it() {
        for (pattern, path) in [
            ("m.json", "m.json"),
            ("figures/", "figures/a/b.png"),
            ("figures", "figures/a.png"),
            ("run-*", "run-1/log/x"),
            ("a/*.png", "a/é.png"),
            ("**", "a/b"),
        ] {
            assert!(names(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [("m.json", "m.json.bak"), ("figures", "figures2/a"), ("a/*.png", "a/b/c.png")] {
            assert!(!names(pattern, path), "{pattern} {path}");
        }
    }
}
