//! What survives a loss of power: everything that was flushed, and how to tell that there was one.
//!
//! One flush of a whole file system costs about as much as one of a single file, and a thousand results need thousands of
//! the latter. The standard library has no call for it, hence the `unsafe` code here.
#![allow(unsafe_code)]

use std::io;
use std::path::Path;

/// Waits until everything that was written to the file system of `folder` is on its disk. What other programs have written
/// there is waited for too.
///
/// # Errors
/// The folder can't be opened, or something that was written can't be brought to the disk.
#[cfg(target_os = "linux")]
pub fn flush_file_system(folder: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let folder = fs_err::File::open(folder)?;
    // SAFETY: a system call on a file that is open until the end of this function, without memory of ours.
    match unsafe { libc::syncfs(folder.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(super::files::with_path(io::Error::last_os_error(), "flush the file system of", folder.path())),
    }
}

/// Other systems can only flush all of their disks.
#[cfg(not(target_os = "linux"))]
pub fn flush_file_system(_: &Path) -> io::Result<()> {
    // SAFETY: a system call without arguments.
    unsafe { libc::sync() };
    Ok(())
}

/// Names the time since this machine was started: the same name means that the kernel has forgotten nothing. `None` where
/// the system has no such name.
pub fn boot() -> Option<String> {
    let name = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{boot, flush_file_system};

    #[test]
    fn a_folder_that_is_there_can_be_flushed() {
        let folder = tempfile::tempdir().unwrap();
        flush_file_system(folder.path()).unwrap();
        let error = flush_file_system(&folder.path().join("absent")).unwrap_err();
        assert!(error.to_string().contains("absent"), "{error}");
    }

    #[test]
    fn the_boot_has_one_name_while_the_machine_runs() {
        assert_eq!(boot(), boot());
        assert_eq!(boot().is_some(), cfg!(target_os = "linux"));
    }
}
