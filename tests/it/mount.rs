//! Small file systems of a test's own, for disks that are full or can only be read.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set where a test runs once more in a name space in which it may mount.
const INSIDE: &str = "COMPT_TEST_MOUNTS";

/// A file system in memory that is gone with it.
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts one on a folder, with options of tmpfs. Where this user may not, the whole test runs once more in a user's
    /// name space of its own; then, and where that can't be had either, there is none, and the test that asked is
    /// over.
    pub fn new(folder: &Path, options: &str) -> Option<Self> {
        fs_err::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).output();
        let refused = match mounted {
            Ok(output) if output.status.success() => return Some(Self(folder.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        if std::env::var_os(INSIDE).is_some() || !tried_inside() {
            println!("skipped: no small file system can be mounted: {refused}");
        }
        None
    }

    /// Changes its options: `ro`, `size=64m`.
    pub fn remount(&self, options: &str) {
        // With its type and source, `mount` does not repeat the options that it has, some of which only root of all may
        // set.
        let option = format!("remount,{options}");
        let mut remount = Command::new("mount");
        remount.args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(&self.0);
        assert!(remount.status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Runs this test alone in a name space in which its user is root; false where there is none to be had.
fn tried_inside() -> bool {
    const SPACE: [&str; 2] = ["--map-root-user", "--mount"];
    let current = std::thread::current();
    let (Some(test), Ok(program)) = (current.name(), std::env::current_exe()) else { return false };
    let has_space = Command::new("unshare").args(SPACE).arg("true").output().is_ok_and(|tried| tried.status.success());
    if !has_space || !test.contains("::") {
        return false;
    }
    let mut inside = Command::new("unshare");
    inside.args(SPACE).arg(program).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = inside.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "in a name space of its own: {said}");
    true
}
