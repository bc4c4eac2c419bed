//! Files that are whole or absent: written under a private name, flushed to disk, then renamed.

use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to `path` so that a reader sees the old content or the new one, never a part.
///
/// # Errors
/// What the file system returns, with the path; the private file is removed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(folder)
        .map_err(|error| with_path(error, "create a file in", folder))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|error| with_path(error, "write", path))?;
    file.persist(path).map_err(|error| with_path(error.error, "rename into", path))?;
    sync_folder(folder)
}

/// Makes a rename inside `folder` durable.
///
/// # Errors
/// What opening or flushing the folder returns.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// `error` with what was being done to which path.
pub fn with_path(error: io::Error, doing: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("failed to {doing} `{}`: {error}", path.display()))
}
