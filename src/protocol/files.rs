//! Where the files of a result are.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the files of a result are: in a folder, or, of a program that wrote one file, that file beside the place where its folder
/// would be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    folder: PathBuf,
    /// The name of the only file, if there is no folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bare: Option<String>,
}

impl Files {
    /// One file without a folder: it would be `name` in that folder, and is `FOLDER.NAME`.
    pub fn bare(folder: PathBuf, name: &str) -> Self {
        Self { folder, bare: Some(name.to_owned()) }
    }

    /// The folder with the files. Only programs have results without one, so only those that read results of programs have to do
    /// without it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a file, which may not be there.
    pub fn file(&self, inside: &str) -> PathBuf {
        match &self.bare {
            Some(name) if name == inside => self.whole(),
            _ => self.folder.join(inside),
        }
    }

    /// All of it: the folder, or the file that stands for it.
    pub fn whole(&self) -> PathBuf {
        let mut path = self.folder.clone();
        if let Some(name) = &self.bare {
            path.as_mut_os_string().push(format!(".{name}"));
        }
        path
    }

    /// The name of the only file, if there is no folder.
    pub fn name(&self) -> Option<&str> {
        self.bare.as_deref()
    }

    /// The same from the root of the file system on.
    ///
    /// # Errors
    /// When there is no current folder.
    pub fn absolute(&self) -> std::io::Result<Self> {
        Ok(Self { folder: std::path::absolute(&self.folder)?, bare: self.bare.clone() })
    }
}

impl From<PathBuf> for Files {
    fn from(folder: PathBuf) -> Self {
        Self { folder, bare: None }
    }
}

#[cfg(test)]
mod tests {
    use super::Files;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_file_is_in_the_folder_or_stands_for_it() {
        let folder = PathBuf::from("objects/a/abc");
        let files = Files::from(folder.clone());
        assert_eq!((files.file("x.csv"), files.whole()), (folder.join("x.csv"), folder.clone()));
        let bare = Files::bare(folder.clone(), "x.tar.gz");
        assert_eq!(bare.file("x.tar.gz"), Path::new("objects/a/abc.x.tar.gz"));
        assert_eq!((bare.whole(), bare.name()), (bare.file("x.tar.gz"), Some("x.tar.gz")));
        // Of what is not there, an error names a path that could be.
        assert_eq!(bare.file("y"), folder.join("y"));
        for files in [files, bare] {
            let text = serde_json::to_string(&files).unwrap();
            assert_eq!(serde_json::from_str::<Files>(&text).unwrap(), files);
        }
    }
}
