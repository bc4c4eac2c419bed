//! The energy that the processors of this machine use, where Linux shows their counters (RAPL) to this user.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where Linux keeps them.
const COUNTERS: &str = "/sys/class/powercap";

/// Counters start over after some hundred kilojoules, which takes a busy machine many minutes.
const PACE: Duration = Duration::from_secs(30);

/// Counts from its start.
#[derive(Debug)]
pub struct Meter {
    stop: Sender<()>,
    thread: JoinHandle<f64>,
}

/// The counter of one processor package, in microjoules.
#[derive(Debug)]
struct Counter {
    file: PathBuf,
    range: u64,
    last: u64,
}

impl Meter {
    /// Begins to count; `None` where there is no counter that can be read.
    pub fn start() -> Option<Self> {
        let mut counters = counters(Path::new(COUNTERS));
        if counters.is_empty() {
            return None;
        }
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut microjoules = 0;
            loop {
                let waited = stopped.recv_timeout(PACE);
                microjoules += counters.iter_mut().map(Counter::advance).sum::<u64>();
                if waited != Err(RecvTimeoutError::Timeout) {
                    return microjoules as f64 / 1e6;
                }
            }
        });
        Some(Self { stop, thread })
    }

    /// Joules since the start.
    pub fn joules(self) -> Option<f64> {
        drop(self.stop);
        self.thread.join().ok()
    }
}

/// One for each package (`intel-rapl:0`, also on AMD); what is inside a package (`intel-rapl:0:1`) is counted there.
fn counters(folder: &Path) -> Vec<Counter> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let packages = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("intel-rapl:") && name.matches(':').count() == 1
    });
    let counter = |folder: PathBuf| {
        let file = folder.join("energy_uj");
        Some(Counter { range: read(&folder.join("max_energy_range_uj"))?, last: read(&file)?, file })
    };
    packages.filter_map(|entry| counter(entry.path())).collect()
}

impl Counter {
    /// Microjoules since it was last asked.
    fn advance(&mut self) -> u64 {
        let Some(now) = read(&self.file) else { return 0 };
        let used = if now >= self.last { now - self.last } else { self.range.saturating_sub(self.last) + now };
        self.last = now;
        used
    }
}

fn read(path: &Path) -> Option<u64> {
    fs_err::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files;

    #[test]
    fn packages_are_counted_and_counters_start_over() {
        let folder = tempfile::tempdir().unwrap();
        let set = |name: &str, value: u64| {
            for (file, value) in [("energy_uj", value), ("max_energy_range_uj", 1000)] {
                files::write_atomically(&folder.path().join(name).join(file), format!("{value}\n").as_bytes()).unwrap();
            }
        };
        set("intel-rapl:0", 900);
        set("intel-rapl:0:0", 5);
        fs_err::create_dir(folder.path().join("intel-rapl")).unwrap();
        let mut counters = counters(folder.path());
        assert_eq!(counters.len(), 1);
        set("intel-rapl:0", 950);
        assert_eq!(counters[0].advance(), 50);
        set("intel-rapl:0", 20);
        assert_eq!(counters[0].advance(), 70);
        assert!(super::counters(&folder.path().join("absent")).is_empty());
    }
}
