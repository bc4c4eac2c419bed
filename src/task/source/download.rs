//! One file into the hub's cache: resumed where it broke off, verified, then renamed; never visible in part.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err::File;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use ureq::http::{StatusCode, header};

use super::http::{Client, Failure, Subject};
use super::{SourceError, Watch};

/// What the hub says about a file.
pub(super) struct Remote {
    /// Bytes.
    pub(super) size: u64,
    /// How its content is verified; also its name in the cache.
    pub(super) check: Check,
}

/// A digest that the hub publishes.
pub(super) enum Check {
    /// SHA-256 of a large file.
    Sha256(String),
    /// Git's name of a small one: SHA-1 of `blob <length>\0` and the content.
    GitBlob(String),
}

impl Check {
    /// The digest, which is the file's name in the cache.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Sha256(digest) | Self::GitBlob(digest) => digest,
        }
    }

    fn holds(&self, file: &mut File, size: u64) -> std::io::Result<bool> {
        file.seek(SeekFrom::Start(0))?;
        Ok(match self {
            Self::Sha256(wanted) => {
                let mut hasher = Sha256::new();
                std::io::copy(file, &mut hasher)?;
                hexadecimal(&hasher.finalize()) == *wanted
            }
            Self::GitBlob(wanted) => {
                let mut hasher = Sha1::new();
                hasher.update(format!("blob {size}\0"));
                std::io::copy(file, &mut hasher)?;
                hexadecimal(&hasher.finalize()) == *wanted
            }
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Downloads `url` to `blob`. What an earlier attempt, or an earlier run, left in `<blob>.incomplete` is continued.
pub(super) fn download(
    client: &Client,
    subject: &Subject<'_>,
    url: &str,
    blob: &Path,
    name: &str,
    remote: &Remote,
    watch: &mut dyn Watch,
) -> Result<(), SourceError> {
    let partial = with_ending(blob, ".incomplete");
    if let Some(folder) = blob.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let mut file = fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&partial)?;
    // Another process may be at the same file; it is waited for. Where the file system has no locks, the digest still
    // catches two writers that hurt each other.
    let _ = file.file().lock();
    if fs_err::metadata(blob).is_ok_and(|metadata| metadata.len() == remote.size) {
        let _ = fs_err::remove_file(&partial);
        return Ok(());
    }
    // The furthest byte reached so far; passing it is progress.
    let mut reached = file.metadata()?.len();
    client.retry(subject, watch, |watch| {
        let outcome = attempt(client, subject, url, &mut file, name, remote, watch);
        let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        let progress = length > reached;
        reached = reached.max(length);
        outcome.map_err(|failure| (failure, progress))
    })?;
    file.sync_all()?;
    fs_err::rename(&partial, blob)?;
    Ok(())
}

fn attempt(
    client: &Client,
    subject: &Subject<'_>,
    url: &str,
    file: &mut File,
    name: &str,
    remote: &Remote,
    watch: &mut dyn Watch,
) -> Result<(), Failure> {
    let mut have = file.metadata()?.len();
    if have > remote.size {
        file.set_len(0)?;
        have = 0;
    }
    if have < remote.size {
        let mut response = client.get(subject, url, (have > 0).then_some(have))?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            file.set_len(0)?;
            return Err(Failure::again("the server can't continue the file"));
        }
        let continues = response.status() == StatusCode::PARTIAL_CONTENT
            && response
                .headers()
                .get(header::CONTENT_RANGE)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
        if !continues {
            file.set_len(0)?;
            have = 0;
        }
        file.seek(SeekFrom::Start(have))?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 256 << 10];
        watch.received(name, have, remote.size);
        loop {
            let count =
                body.read(&mut buffer).map_err(|error| Failure::again(format!("the file breaks off: {error}")))?;
            if count == 0 {
                break;
            }
            have += count as u64;
            if have > remote.size {
                file.set_len(0)?;
                return Err(Failure::again(format!("more than the {} bytes that the hub announced", remote.size)));
            }
            file.write_all(&buffer[..count])?;
            watch.received(name, have, remote.size);
        }
        if have < remote.size {
            return Err(Failure::again(format!("only {have} of {} bytes came", remote.size)));
        }
    }
    if !remote.check.holds(file, remote.size)? {
        file.set_len(0)?;
        return Err(Failure::again("the content does not match the digest that the hub announced"));
    }
    Ok(())
}

/// Puts `pointer` in place of whatever is there: a relative link to `blob`, or a copy where links can't be made.
pub(super) fn point(pointer: &Path, blob: &Path) -> Result<(), SourceError> {
    let Some(folder) = pointer.parent() else { return Ok(()) };
    fs_err::create_dir_all(folder)?;
    // Unique in this process and among processes, so that two that link the same file don't meet.
    static LINKS: AtomicU64 = AtomicU64::new(0);
    let number = LINKS.fetch_add(1, Ordering::Relaxed);
    let private = with_ending(pointer, &format!(".{}-{number}.linking", std::process::id()));
    let _ = fs_err::remove_file(&private);
    if !linked(&relative(folder, blob), &private) {
        fs_err::copy(blob, &private)?;
    }
    fs_err::rename(&private, pointer)?;
    Ok(())
}

#[cfg(unix)]
fn linked(target: &Path, link: &Path) -> bool {
    fs_err::os::unix::fs::symlink(target, link).is_ok()
}

#[cfg(not(unix))]
fn linked(_: &Path, _: &Path) -> bool {
    false
}

/// The way from `folder` to `target`, so that a cache can be moved as a whole.
fn relative(folder: &Path, target: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), target.components().collect());
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    std::iter::repeat_n(std::path::Component::ParentDir, from.len() - shared)
        .chain(to[shared..].iter().copied())
        .collect()
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::{Check, relative};
    use std::io::Write;
    use std::path::Path;

    #[test]
    fn digests_are_the_hubs() {
        // `printf hello | git hash-object --stdin` and `printf hello | sha256sum`.
        let git = Check::GitBlob("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0".to_owned());
        let large = Check::Sha256("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut file = fs_err::OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
        file.write_all(b"hello").unwrap();
        assert!(git.holds(&mut file, 5).unwrap() && large.holds(&mut file, 5).unwrap());
        file.write_all(b"!").unwrap();
        assert!(!git.holds(&mut file, 6).unwrap() && !large.holds(&mut file, 6).unwrap());
    }

    #[test]
    fn links_are_relative() {
        let path = relative(Path::new("/c/snapshots/abc/rte"), Path::new("/c/blobs/1"));
        assert_eq!(path, Path::new("../../../blobs/1"));
    }
}
