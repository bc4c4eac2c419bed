//! Backbones that the program carries with it, `builtin/NAME`: their files lie in `assets/NAME/` and are part of the
//! executable, so that something real runs without network and wherever the executable is copied.

use std::path::{Path, PathBuf};

use super::{Origin, SourceError, SourceRequest, Wanted};
use crate::base::Digest;
use crate::base::files::write_atomically;

/// What the names of built-in backbones begin with.
const PREFIX: &str = "builtin/";

/// A file by its name in the backbone's folder.
type File = (&'static str, &'static [u8]);

/// A file of `assets/`.
macro_rules! asset {
    ($folder:literal, $name:literal) => {
        ($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $folder, "/", $name)))
    };
}

/// The built-in backbones by name, with their files.
const BACKBONES: &[(&str, &[File])] = &[(
    "nano",
    &[asset!("nano", "config.json"), asset!("nano", "tokenizer.json"), asset!("nano", "model.safetensors")],
)];

/// What a built-in backbone needs: its files, unpacked below `folder`; `None` where `name` is not `builtin/NAME`.
///
/// # Errors
/// There is no such backbone, or the files can't be written.
pub fn builtin_request(name: &str, folder: &Path) -> Option<Result<SourceRequest, SourceError>> {
    let plain = name.strip_prefix(PREFIX)?;
    Some(match BACKBONES.iter().find(|(known, _)| *known == plain) {
        Some((_, files)) => unpack(plain, files, folder)
            .map(|folder| SourceRequest { origin: Origin::Local(folder), wanted: Wanted::Model })
            .map_err(SourceError::from),
        None => Err(SourceError::NoBuiltin {
            name: name.to_owned(),
            known: BACKBONES.iter().map(|(known, _)| format!("{PREFIX}{known}")).collect(),
        }),
    })
}

/// Writes the files where they are missing or were changed. The folder is named by their content: an executable of
/// another version, with other files, leaves these alone.
fn unpack(name: &str, files: &[File], folder: &Path) -> std::io::Result<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    for (file, bytes) in files {
        hasher.update(file.as_bytes()).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    let digest = Digest::from(hasher).to_string();
    let folder = folder.join(format!("{name}-{}", &digest[..16.min(digest.len())]));
    for (file, bytes) in files {
        let path = folder.join(file);
        if !fs_err::read(&path).is_ok_and(|present| present == *bytes) {
            write_atomically(&path, bytes)?;
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::{File, builtin_request, unpack};
    use crate::task::source::{SourceSettings, locate};

    const FILES: &[File] = &[("config.json", b"{}"), ("model.safetensors", b"numbers")];

    #[test]
    fn files_are_unpacked_once_and_mended() {
        let root = tempfile::tempdir().unwrap();
        let folder = unpack("tiny", FILES, root.path()).unwrap();
        assert_eq!(fs_err::read(folder.join("model.safetensors")).unwrap(), b"numbers");
        let written = fs_err::metadata(folder.join("config.json")).unwrap().modified().unwrap();
        fs_err::write(folder.join("model.safetensors"), "cut").unwrap();
        assert_eq!(unpack("tiny", FILES, root.path()).unwrap(), folder);
        assert_eq!(fs_err::read(folder.join("model.safetensors")).unwrap(), b"numbers");
        assert_eq!(fs_err::metadata(folder.join("config.json")).unwrap().modified().unwrap(), written);
        let other: &[File] = &[("config.json", b"{ }"), ("model.safetensors", b"numbers")];
        assert_ne!(unpack("tiny", other, root.path()).unwrap(), folder, "other content, another folder");
    }

    #[test]
    fn only_known_names_are_taken() {
        let root = tempfile::tempdir().unwrap();
        assert!(builtin_request("google-t5/t5-base", root.path()).is_none());
        let nano = builtin_request("builtin/nano", root.path()).unwrap().unwrap();
        let located = locate(&nano, &SourceSettings::from_variables(|_| None), &mut ()).unwrap();
        let names: Vec<&str> = located.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json"]);
        let unknown = builtin_request("builtin/nanno", root.path()).unwrap();
        let error = unknown.unwrap_err();
        assert_eq!(error.to_string(), "there is no backbone `builtin/nanno` in this executable, only builtin/nano");
        assert_eq!(error.hint().as_deref(), Some("did you mean `builtin/nano`?"));
    }
}
