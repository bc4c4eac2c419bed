//! Files that are whole or absent: written under a private name, flushed to disk, then renamed.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What the private names of files begin with that are being written.
pub const UNFINISHED: &str = ".writing-";

/// Writes `bytes` to `path` so that a reader sees the old content or the new one, never a part. Who may read it is what the
/// umask says, as for any new file.
///
/// # Errors
/// What the file system returns, with the path; the private file is removed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        // Without this a temporary file is private to its owner, and stays so under its final name.
        .permissions(Permissions::from_mode(0o666))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::write_atomically;

    #[test]
    fn whoever_may_read_a_plain_file_may_read_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, whole) = (folder.path().join("plain"), folder.path().join("whole"));
        fs_err::write(&plain, "x").unwrap();
        write_atomically(&whole, b"x").unwrap();
        // A file that could not be read by others is replaced by one that can.
        fs_err::set_permissions(&whole, PermissionsExt::from_mode(0o600)).unwrap();
        write_atomically(&whole, b"y").unwrap();
        let mode = |path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&whole), mode(&plain));
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
    }
}
