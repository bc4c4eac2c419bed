//! Who holds a lock: a process of a machine, as others are told of it.

use std::io;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::moment;

/// A process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// Since when it has been locking in this folder, in seconds since 1970.
    pub started: u64,
}

impl Holder {
    /// This process, now.
    fn here() -> Self {
        Self { host: host(), pid: std::process::id(), started: moment::now() }
    }

    /// What stands in a file of this process.
    pub(super) fn written() -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(&Self::here())?)
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on `{}`", self.pid, self.host)
    }
}

/// This machine's name, as far as it can be told.
pub fn host() -> String {
    static HOST: OnceLock<String> = OnceLock::new();
    let ask = || {
        fs_err::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .or_else(|| std::env::var("HOSTNAME").ok())
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unknown".to_owned())
    };
    HOST.get_or_init(ask).clone()
}
