//! What running stages share: named integers, and GPUs that are handed out by name.
//!
//! Three names have a meaning here. `worker` counts worker processes and commands at work (`--jobs`), `cpu` counts their
//! threads, so that their sum never passes the cores (OpenMP threads of two workers on one core slow each other down many
//! times), and `light` counts stages on threads of the runner, which are short or wait for a disk or a network and therefore
//! have their own limit. `gpu` is counted, and each unit has a name for `CUDA_VISIBLE_DEVICES`. Any other name is the
//! user's: `mem_gb`, `licence`.

use std::collections::BTreeMap;

pub use crate::plan::{LIGHT, WORKER};

/// Threads of worker processes.
pub const CPU: &str = "cpu";
/// GPUs.
pub const GPU: &str = "gpu";

/// How much of each name.
pub type Amounts = BTreeMap<String, u64>;

/// Whether `needs` can be taken out of `free`. A name that `free` lacks has none.
pub fn fits(needs: &Amounts, free: &Amounts) -> bool {
    needs.iter().all(|(name, amount)| *amount <= free.get(name).copied().unwrap_or(0))
}

/// Takes `needs` out of `free`; the caller has checked that they fit.
pub fn subtract(free: &mut Amounts, needs: &Amounts) {
    for (name, amount) in needs {
        let left = free.entry(name.clone()).or_insert(0);
        *left = left.saturating_sub(*amount);
    }
}

/// The resources of a run: all there are, and who has what.
#[derive(Debug)]
pub struct Ledger {
    total: Amounts,
    free: Amounts,
    gpus: Vec<String>,
}

/// A stage needs more of something than there is in all, so that it could never start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Of what.
    pub name: String,
    /// How much the stage needs.
    pub needed: u64,
    /// How much there is; nothing when nobody said.
    pub total: Option<u64>,
}

/// What a running stage holds; given back with [`Ledger::give`].
#[derive(Debug)]
#[must_use]
pub struct Grant {
    amounts: Amounts,
    /// The GPUs that it may use.
    pub gpus: Vec<String>,
}

impl Ledger {
    /// `total` of everything, with the names of the GPUs, which decide how many there are.
    pub fn new(mut total: Amounts, gpus: Vec<String>) -> Self {
        total.insert(GPU.to_owned(), gpus.len() as u64);
        Self { free: total.clone(), total, gpus }
    }

    /// All there is.
    pub fn total(&self) -> &Amounts {
        &self.total
    }

    /// What is free now.
    pub fn free(&self) -> &Amounts {
        &self.free
    }

    /// What keeps a stage with these needs from ever starting.
    pub fn shortage(&self, needs: &Amounts) -> Option<Shortage> {
        needs.iter().find_map(|(name, needed)| {
            let total = self.total.get(name).copied();
            (*needed > total.unwrap_or(0)).then(|| Shortage { name: name.clone(), needed: *needed, total })
        })
    }

    /// Hands out what is needed, with the GPUs in `liked` first (a warm worker has its weights there). `None` when it
    /// does not fit now.
    pub fn take(&mut self, needs: &Amounts, liked: &[String]) -> Option<Grant> {
        if !fits(needs, &self.free) {
            return None;
        }
        subtract(&mut self.free, needs);
        let count = usize::try_from(needs.get(GPU).copied().unwrap_or(0)).unwrap_or(usize::MAX);
        // A stable sort: without a liking, the lowest free GPU comes first.
        self.gpus.sort_by_key(|gpu| !liked.contains(gpu));
        let mut gpus: Vec<String> = self.gpus.drain(..count.min(self.gpus.len())).collect();
        gpus.sort();
        self.gpus.sort();
        Some(Grant { amounts: needs.clone(), gpus })
    }

    /// Takes a grant back.
    pub fn give(&mut self, grant: Grant) {
        for (name, amount) in grant.amounts {
            *self.free.entry(name).or_insert(0) += amount;
        }
        self.gpus.extend(grant.gpus);
        self.gpus.sort();
    }
}

/// The cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The machine's memory in GiB, rounded down; `None` where `/proc` does not tell.
pub fn memory_gb() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / (1024 * 1024))
}

/// The name of the processor; `None` where `/proc` does not tell.
pub fn processor() -> Option<String> {
    let text = fs_err::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The GPUs that this process may use: `CUDA_VISIBLE_DEVICES` where it is set, otherwise what the NVIDIA driver shows.
pub fn visible_gpus() -> Vec<String> {
    match std::env::var("CUDA_VISIBLE_DEVICES") {
        Ok(list) => parse_gpus(&list),
        Err(_) => {
            let Ok(devices) = fs_err::read_dir("/dev") else { return Vec::new() };
            let mut numbers: Vec<u32> = devices
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("nvidia")?.parse().ok())
                .collect();
            numbers.sort_unstable();
            numbers.iter().map(u32::to_string).collect()
        }
    }
}

/// GPU names of a comma-separated list. As the driver reads it, a negative number ends the list. One that is named again is
/// there once.
pub fn parse_gpus(list: &str) -> Vec<String> {
    let mut gpus = Vec::new();
    for name in list.split(',').map(str::trim).take_while(|name| !name.is_empty() && !name.starts_with('-')) {
        if !gpus.iter().any(|known| known == name) {
            gpus.push(name.to_owned());
        }
    }
    gpus
}

#[cfg(test)]
mod tests {
    use super::{Amounts, GPU, Ledger, Shortage, parse_gpus};

    fn amounts(of: &[(&str, u64)]) -> Amounts {
        of.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
    }

    #[test]
    fn hands_out_gpus_by_name_and_takes_them_back() {
        let mut ledger = Ledger::new(amounts(&[("cpu", 4)]), vec!["0".into(), "1".into(), "2".into()]);
        let one = ledger.take(&amounts(&[(GPU, 1), ("cpu", 1)]), &["2".into()]).unwrap();
        assert_eq!(one.gpus, ["2"]);
        let two = ledger.take(&amounts(&[(GPU, 2)]), &[]).unwrap();
        assert_eq!(two.gpus, ["0", "1"]);
        assert!(ledger.take(&amounts(&[(GPU, 1)]), &[]).is_none());
        assert_eq!(ledger.free(), &amounts(&[("cpu", 3), (GPU, 0)]));
        ledger.give(one);
        ledger.give(two);
        assert_eq!(ledger.free(), &amounts(&[("cpu", 4), (GPU, 3)]));
        assert_eq!(ledger.take(&amounts(&[(GPU, 1)]), &[]).unwrap().gpus, ["0"]);
    }

    #[test]
    fn says_what_can_never_fit() {
        let ledger = Ledger::new(amounts(&[("mem_gb", 8)]), Vec::new());
        let shortage = |name: &str, needed, total| Some(Shortage { name: name.into(), needed, total });
        assert_eq!(ledger.shortage(&amounts(&[("mem_gb", 8)])), None);
        assert_eq!(ledger.shortage(&amounts(&[("mem_gb", 9)])), shortage("mem_gb", 9, Some(8)));
        assert_eq!(ledger.shortage(&amounts(&[("licence", 1)])), shortage("licence", 1, None));
        assert_eq!(ledger.shortage(&amounts(&[(GPU, 1)])), shortage(GPU, 1, Some(0)));
    }

    #[test]
    fn reads_gpu_lists_as_the_driver_does() {
        assert_eq!(parse_gpus("0, 2"), ["0", "2"]);
        assert_eq!(parse_gpus("GPU-8932f937,1"), ["GPU-8932f937", "1"]);
        assert!(parse_gpus("").is_empty());
        assert_eq!(parse_gpus("1,-1,0"), ["1"]);
        assert_eq!(parse_gpus("1,0,1"), ["1", "0"]);
    }
}
