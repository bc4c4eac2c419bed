//! How the folders of a cache are laid out. A cache keeps the layout that it was begun with.

use std::io;
use std::path::Path;

use fs_err as fs;

use super::StoreError;
use crate::base::files;

/// What tells one layout from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// What stands in the file `layout`.
    number: &'static str,
    /// How many digits of its name say in which folder a record or a result is: 256 folders are more work for a disk than a
    /// thousand small results are worth, and no disk of today minds many files in one.
    pub digits: usize,
    /// Whether records may stand in [`super::bundle`]s, which earlier programs would take for damaged.
    pub has_bundles: bool,
    /// Whether a program's only file may be kept without a folder ([`super::object`]).
    pub has_bare_files: bool,
}

/// All that there were, the latest one last.
const LAYOUTS: [Layout; 4] = [
    Layout { number: "1", digits: 2, has_bundles: false, has_bare_files: false },
    Layout { number: "2", digits: 1, has_bundles: false, has_bare_files: false },
    Layout { number: "3", digits: 1, has_bundles: true, has_bare_files: false },
    LATEST,
];

/// What a new cache gets.
const LATEST: Layout = Layout { number: "4", digits: 1, has_bundles: true, has_bare_files: true };

/// The file that names the layout.
const FILE: &str = "layout";

/// What the cache's own `.gitignore` says.
const IGNORE: &str = "*\n";

/// What backup programs look for to leave a folder out (bford.info/cachedir).
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Results of compt that can be computed again.\n";

impl Layout {
    /// The layout of the cache at `root`; `None` if no file says it and nothing is to be written.
    ///
    /// # Errors
    /// When it can't be read, or is that of another program.
    pub fn read(root: &Path) -> Result<Option<Self>, StoreError> {
        let written = match fs::read(root.join(FILE)).map(|bytes| number(&bytes)) {
            Ok(text) if !text.is_empty() => text,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(root, error)),
            // Lost, or emptied by a disk.
            _ => return Ok(None),
        };
        let known = LAYOUTS.into_iter().find(|layout| layout.number == written);
        known.map(Some).ok_or_else(|| {
            let found = written.chars().take(20).collect();
            StoreError::Layout { root: root.to_owned(), found, known: LATEST.number }
        })
    }

    /// What the folders of a cache say, whose layout nothing names: the latest one in which records are where they are.
    pub fn guessed(root: &Path) -> Self {
        let folders = fs::read_dir(root.join("records")).into_iter().flatten();
        let mut names = folders.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let found = names.find_map(|name| LAYOUTS.into_iter().rev().find(|layout| layout.digits == name.len()));
        found.unwrap_or(LATEST)
    }

    /// Something in `root` that says that it is somebody's folder and no cache, not even one that has lost its layout.
    pub fn foreign(root: &Path) -> Option<String> {
        let is_ours = |name: &str, text: &str| fs::read(root.join(name)).is_ok_and(|bytes| bytes == text.as_bytes());
        let has = |name: &str| root.join(name).is_dir();
        let is_cache = || is_ours("CACHEDIR.TAG", CACHE_TAG) || has("records") && has("objects");
        if is_cache() {
            return None;
        }
        let names = fs::read_dir(root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.file_name()));
        let found = names.map(|name| name.to_string_lossy().into_owned()).find(|name| match name.as_str() {
            // What another process may be writing that begins this cache, and what a new file system has.
            FILE | "lost+found" => false,
            ".gitignore" => !is_ours(name, IGNORE),
            _ => !files::is_unfinished(Path::new(name)),
        });
        // That process may have gone on meanwhile; of a cache the tag is there before any folder.
        found.filter(|_| !is_cache())
    }

    /// Makes `root` a cache of this layout.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn write(self, root: &Path) -> io::Result<()> {
        for (name, text) in [(".gitignore", IGNORE), ("CACHEDIR.TAG", CACHE_TAG)] {
            files::write_atomically(&root.join(name), text.as_bytes())?;
        }
        files::write_atomically(&root.join(FILE), format!("{}\n", self.number).as_bytes())
    }
}

/// What is written in a layout file; nothing if it holds nothing, or what a disk leaves of a file that it has lost.
fn number(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()
}
