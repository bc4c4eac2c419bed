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

/// The files of a built-in backbone; `None` where `name` is no such backbone.
pub fn builtin_files(name: &str) -> Option<impl Iterator<Item = (&'static str, &'static [u8])>> {
    let plain = name.strip_prefix(PREFIX)?;
    BACKBONES.iter().find(|(known, _)| *known == plain).map(|(_, files)| files.iter().copied())
}

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
    use std::collections::BTreeMap;
    use std::path::Path;

    use safetensors::SafeTensors;
    use serde_json::Value;
    use sha2::{Digest as _, Sha256};

    use super::{BACKBONES, File, builtin_request, unpack};
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

    fn nano() -> BTreeMap<&'static str, &'static [u8]> {
        BACKBONES.iter().find(|(name, _)| *name == "nano").unwrap().1.iter().copied().collect()
    }

    /// The first table of `assets/nano/README.md`.
    fn card() -> BTreeMap<String, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/nano/README.md");
        let text = fs_err::read_to_string(path).unwrap();
        let rows = text.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| row.trim_matches('|').split_once('|'));
        cells.map(|(name, said)| (name.trim().to_owned(), said.trim().to_owned())).collect()
    }

    /// `805088` as `805,088`.
    fn grouped(number: usize) -> String {
        let digits = number.to_string();
        let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
        groups.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn the_committed_backbone_is_the_one_of_its_card() {
        let (card, nano) = (card(), nano());
        let mut said = BTreeMap::new();
        for entry in card["SHA-256"].split("; ") {
            let (name, digest) = entry.trim_start_matches('`').split_once("` ").unwrap();
            said.insert(name, digest.to_owned());
        }
        let found = nano.iter().map(|(name, bytes)| {
            let digest = Sha256::digest(bytes);
            (*name, digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        });
        assert_eq!(said, found.collect(), "digests of the card and of the files");

        let config: Value = serde_json::from_slice(nano["config.json"]).unwrap();
        let weights = SafeTensors::deserialize(nano["model.safetensors"]).unwrap();
        let numbers: usize = weights.tensors().iter().map(|(_, tensor)| tensor.shape().iter().product::<usize>()).sum();
        assert_eq!(config["tie_word_embeddings"], true);
        assert_eq!(config["feed_forward_proj"], "relu");
        assert_eq!(config["num_decoder_layers"], 1);
        let shape = format!(
            "d_model {}, {} heads of {}, d_ff {}, {} encoder blocks and 1 decoder block, tied embeddings, ReLU: {} numbers",
            config["d_model"],
            config["num_heads"],
            config["d_kv"],
            config["d_ff"],
            config["num_layers"],
            grouped(numbers),
        );
        assert_eq!(card["shape"], shape);
        let pieces = grouped(config["vocab_size"].as_u64().unwrap() as usize);
        assert!(card["vocabulary"].starts_with(&format!("{pieces} byte-pair pieces")), "{}", card["vocabulary"]);
    }

    #[test]
    fn what_the_repository_carries_is_small() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/nano");
        let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        let bytes: u64 = files.sum();
        assert!(bytes <= 5_000_000, "{bytes} bytes in assets/nano, more than 5 MB");
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
