//! Sources that are folders of this machine: a mirror in hub layout, and plain files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Located, Repository, SourceError, Wanted};

/// Finds files of a repository in a mirror.
pub(super) fn mirror(mirror: &Path, repository: &Repository, wanted: &Wanted) -> Result<Located, SourceError> {
    let folder = mirror.join(repository.kind.plural()).join(&repository.id);
    if !folder.is_dir() {
        return Err(SourceError::NotMirrored {
            what: format!("{} `{}`", repository.kind.name(), repository.id),
            mirror: mirror.to_owned(),
            folder,
        });
    }
    inside(&folder, wanted)
}

/// Finds files below a path; a path to a file is a source with this one file.
pub(super) fn local(path: &Path, wanted: &Wanted) -> Result<Located, SourceError> {
    if path.is_dir() {
        return inside(path, wanted);
    }
    let (Some(name), true) = (path.file_name().and_then(|name| name.to_str()), path.is_file()) else {
        return Err(SourceError::NoPath { path: path.to_owned() });
    };
    let available = BTreeSet::from([name.to_owned()]);
    let place = format!("`{}`", path.display());
    let names = wanted.select(&place, &available, |_| Ok(path.to_owned()))?;
    Ok(Located { revision: None, files: names.into_iter().map(|name| (name, path.to_owned())).collect() })
}

fn inside(folder: &Path, wanted: &Wanted) -> Result<Located, SourceError> {
    let found = walk(folder)?;
    let available: BTreeSet<String> = found.keys().cloned().collect();
    let place = format!("`{}`", folder.display());
    let names = wanted.select(&place, &available, |name| Ok(folder.join(name)))?;
    Ok(Located { revision: None, files: found.into_iter().filter(|(name, _)| names.contains(name)).collect() })
}

/// Every file below `folder`, by its path with `/`; hidden entries are left out.
pub(super) fn walk(folder: &Path) -> Result<BTreeMap<String, PathBuf>, SourceError> {
    let mut found = BTreeMap::new();
    let mut open = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = open.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let path = entry.path();
            // Links are followed: the hub's cache is made of them. A link to nothing is no file.
            let Ok(metadata) = fs_err::metadata(&path) else { continue };
            if metadata.is_dir() {
                open.push((format!("{prefix}{name}/"), path));
            } else {
                found.insert(format!("{prefix}{name}"), path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::{SourceError, SourceSettings, dataset_request, file_request, locate, model_request};
    use crate::task::fixtures;
    use std::path::Path;

    fn touch(path: &Path, content: &str) {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    fn settings(mirror: Option<&Path>) -> SourceSettings {
        SourceSettings::from_variables(|_| None).with_mirror(mirror.map(Path::to_owned))
    }

    #[test]
    fn a_mirror_in_hub_layout() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = folder.path();
        let rte = dataset_request(&fixtures::dataset("rte"), mirror);
        let error = locate(&rte, &settings(Some(mirror)), &mut ()).unwrap_err();
        assert!(matches!(error, SourceError::NotMirrored { .. }), "{error}");
        touch(&mirror.join("datasets/nyu-mll/glue/rte/train-00000-of-00001.parquet"), "");
        let error = locate(&rte, &settings(Some(mirror)), &mut ()).unwrap_err();
        assert!(error.to_string().contains("has no file `rte/validation-*.parquet`, only rte/train-00000"), "{error}");
        touch(&mirror.join("datasets/nyu-mll/glue/rte/validation-00000-of-00001.parquet"), "");
        touch(&mirror.join("datasets/nyu-mll/glue/cola/train-00000-of-00001.parquet"), "");
        let located = locate(&rte, &settings(Some(mirror)), &mut ()).unwrap();
        let names: Vec<&String> = located.files.keys().collect();
        assert_eq!(names, ["rte/train-00000-of-00001.parquet", "rte/validation-00000-of-00001.parquet"]);
        assert_eq!(located.revision, None);
    }

    #[test]
    fn models_need_configuration_tokenizer_and_weights() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let request = model_request("./m", root).unwrap();
        let names = || {
            locate(&request, &settings(None), &mut ())
                .map(|located| located.files.into_keys().collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert!(names().unwrap_err().starts_with("there is no file or folder"));
        touch(&root.join("m/config.json"), "{}");
        touch(&root.join("m/tokenizer.json"), "{}");
        touch(&root.join("m/README.md"), "");
        assert!(names().unwrap_err().contains("has no file `model.safetensors`"));
        touch(
            &root.join("m/model.safetensors.index.json"),
            r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#,
        );
        touch(&root.join("m/model-1.safetensors"), "");
        assert!(names().unwrap_err().contains("has no file `model-2.safetensors`"));
        touch(&root.join("m/model-2.safetensors"), "");
        let sharded = [
            "config.json",
            "model-1.safetensors",
            "model-2.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json",
        ];
        assert_eq!(names().unwrap(), sharded);
        touch(&root.join("m/model.safetensors"), "");
        assert_eq!(names().unwrap(), ["config.json", "model.safetensors", "tokenizer.json"]);
    }

    #[test]
    fn a_single_file_is_a_source() {
        let folder = tempfile::tempdir().unwrap();
        touch(&folder.path().join("published/t.csv"), "a\n");
        let located = locate(&file_request("published/t.csv", folder.path()), &settings(None), &mut ()).unwrap();
        assert_eq!(located.files.into_keys().collect::<Vec<_>>(), ["t.csv"]);
    }

    #[test]
    fn model_names() {
        for bad in ["", "a/b/c", "a/..", "a b", "a/b@"] {
            assert!(model_request(bad, Path::new("/")).is_err(), "{bad}");
        }
        assert!(model_request("google-t5/t5-base@refs/pr/1", Path::new("/")).is_ok());
    }
}
