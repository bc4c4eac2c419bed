//! `compt init`: a folder to begin in, with a commented pipeline that runs as it is.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::{schema, shell_word};
use crate::base::files::write_atomically;

/// The pipeline, under this name until it gets another.
const STARTER: &str = include_str!("init/starter.yaml");
const NAME: &str = "starter";

/// What `datasets/` is for.
const DATASETS: &str = include_str!("init/datasets.md");

/// What git shall not keep: both can be made again.
const IGNORED: [&str; 2] = [".compt/", "outputs/"];

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// The folder to begin in; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// The pipeline's name
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub name: String,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Writes what is not there; a pipeline that is there is an error, other files are left as they are.
pub fn init(arguments: &InitArguments) -> Result<(), Failure> {
    let InitArguments { folder, name, .. } = arguments;
    check_name(name)?;
    let pipeline = PathBuf::from("pipelines").join(format!("{name}.yaml"));
    if folder.join(&pipeline).exists() {
        return Err(Failure::usage(
            format!("`{}` is there already, and `init` overwrites nothing", folder.join(&pipeline).display()),
            "choose another name, for example `compt init --name study`, or another folder, `compt init DIR`",
        ));
    }
    let mut files = vec![(pipeline.clone(), starter(name)), ("datasets/README.md".into(), DATASETS.to_owned())];
    files.extend(schema::files().map(|(name, text)| (Path::new("schema").join(name), text)));
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let target = folder.join(&path);
        if target.exists() {
            kept.push(path);
        } else {
            write_atomically(&target, text.as_bytes())?;
            written.push(path);
        }
    }
    let ignore = folder.join(".gitignore");
    match with_ignored(&if ignore.exists() { fs_err::read_to_string(&ignore)? } else { String::new() }) {
        Some(text) => {
            write_atomically(&ignore, text.as_bytes())?;
            written.push(".gitignore".into());
        }
        None => kept.push(".gitignore".into()),
    }
    if arguments.json {
        super::print(&super::as_json(&json!({
            "folder": folder, "pipeline": pipeline, "written": written, "kept": kept,
        })));
        return Ok(());
    }
    super::print(&told(folder, &pipeline, &written, &kept));
    Ok(())
}

/// The names of pipelines, as the format has them.
fn check_name(name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("`{name}` can't be the name of a pipeline"),
        "a name has lower-case letters, digits and `_`, for example `--name first_study`",
    ))
}

/// The pipeline under a name.
fn starter(name: &str) -> String {
    let mut text = STARTER.replace(&format!("\nname: {NAME}\n"), &format!("\nname: {name}\n"));
    for place in ["pipelines/NAME.yaml", "outputs/NAME/"] {
        text = text.replace(&place.replace("NAME", NAME), &place.replace("NAME", name));
    }
    text
}

/// A `.gitignore` with the entries that are missing; nothing when it has them all.
fn with_ignored(present: &str) -> Option<String> {
    let has = |entry: &str| {
        let bare = entry.trim_end_matches('/');
        present
            .lines()
            .map(str::trim)
            .any(|line| line.trim_matches('/') == bare || line.starts_with(&format!("/{bare}/")))
    };
    let missing: Vec<&str> = IGNORED.into_iter().filter(|entry| !has(entry)).collect();
    if missing.is_empty() {
        return None;
    }
    let mut text = present.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    missing.iter().for_each(|entry| text.push_str(&format!("{entry}\n")));
    Some(text)
}

/// What was done, and what to type next.
fn told(folder: &Path, pipeline: &Path, written: &[PathBuf], kept: &[PathBuf]) -> String {
    let mut text = String::new();
    let is_here = folder == Path::new(".");
    let shown = |path: &PathBuf| if is_here { path.clone() } else { folder.join(path) };
    for (paths, doing) in [(written, "wrote"), (kept, "kept ")] {
        paths.iter().for_each(|path| text.push_str(&format!("{doing} {}\n", shown(path).display())));
    }
    text.push_str("\nnext:\n");
    if !is_here {
        text.push_str(&format!("  cd {}\n", shell_word(&folder.display().to_string())));
    }
    let file = shell_word(&pipeline.display().to_string());
    for command in ["compt plan FILE", "compt run FILE --profile smoke", "compt run FILE", "compt list"] {
        text.push_str(&format!("  {}\n", command.replace("FILE", &file)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_ignored;

    #[test]
    fn entries_are_added_once() {
        assert_eq!(with_ignored("").as_deref(), Some(".compt/\noutputs/\n"));
        assert_eq!(with_ignored("target").as_deref(), Some("target\n.compt/\noutputs/\n"));
        assert_eq!(with_ignored("/.compt/\n/outputs/*\n!/outputs/README.md\n"), None);
        assert_eq!(with_ignored("outputs\n").as_deref(), Some("outputs\n.compt/\n"));
        assert_eq!(with_ignored(&with_ignored("a\n").unwrap()), None);
    }
}
