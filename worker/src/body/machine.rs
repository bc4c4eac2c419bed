//! The machine: devices, threads, and how much memory was used.

use compt::protocol::{Compute, StageError};
use tch::Device;

use crate::cuda;
use crate::model::runtime::make_deterministic;

/// The devices of this machine, as a [`Compute`] names them.
pub fn devices() -> Vec<String> {
    // Asking for the first GPU opens the CUDA half of libtorch, where there is one.
    let count = cuda::device("cuda").map_or(0, |_| tch::Cuda::device_count());
    std::iter::once("cpu".to_owned()).chain((0..count).map(|index| format!("cuda:{index}"))).collect()
}

/// Makes results repeatable, sets the number of threads and finds the device.
///
/// # Errors
/// A device that this machine does not have.
pub fn prepare(compute: &Compute) -> Result<Device, StageError> {
    make_deterministic(i32::try_from(compute.threads).unwrap_or(i32::MAX));
    cuda::device(&compute.device).map_err(|error| StageError::environment(error.to_string()))
}

/// Begins to measure the peak of this process's memory anew, where the system allows it.
pub fn forget_peak_memory() {
    // Linux: "5" resets the peak (proc(5), clear_refs). Elsewhere the peak is of the whole process; that is said nowhere
    // but costs nothing, since it is a fact and not a result.
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}

/// The most memory this process has had, in bytes; `None` where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

#[cfg(test)]
mod tests {
    use compt::protocol::StageErrorKind;

    use super::*;

    #[test]
    fn devices_are_found_by_name() {
        let of = |device: &str| prepare(&Compute { device: device.to_owned(), threads: 1 });
        assert_eq!(of("cpu").unwrap(), Device::Cpu);
        for absent in ["cuda:999", "tpu"] {
            let error = of(absent).unwrap_err();
            assert_eq!(error.kind, StageErrorKind::Environment);
            assert!(error.message.contains("--device cpu") || error.message.contains("`tpu`"), "{error}");
        }
    }
}
