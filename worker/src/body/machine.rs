//! The machine: devices, threads, and how much memory was used.

use compt::protocol::{Compute, StageError};
use tch::Device;

/// The devices of this machine, as a [`Compute`] names them.
pub fn devices() -> Vec<String> {
    let mut names = vec!["cpu".to_owned()];
    names.extend((0..tch::Cuda::device_count()).map(|index| format!("cuda:{index}")));
    names
}

/// Sets the number of threads and finds the device.
///
/// # Errors
/// A device that this machine does not have.
pub fn prepare(compute: &Compute) -> Result<Device, StageError> {
    tch::set_num_threads(i32::try_from(compute.threads.max(1)).unwrap_or(i32::MAX));
    let (kind, index) = compute.device.split_once(':').unwrap_or((&compute.device, "0"));
    let known = || devices().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (kind, index.parse::<usize>()) {
        ("cpu", _) => Ok(Device::Cpu),
        ("cuda", Ok(index)) if (index as i64) < tch::Cuda::device_count() => Ok(Device::Cuda(index)),
        ("cuda", Ok(_)) => {
            Err(StageError::environment(format!("the device `{}` was asked for; there is {}", compute.device, known()))
                .with_hint("use `--device cpu`, or run `compt doctor` to see what CUDA lacks"))
        }
        _ => Err(StageError::environment(format!("`{}` is no device; there is {}", compute.device, known()))
            .with_hint("use `--device cpu` or `--device cuda`")),
    }
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
    use super::*;

    #[test]
    fn devices_are_found_by_name() {
        let of = |device: &str| prepare(&Compute { device: device.to_owned(), threads: 1 });
        assert_eq!(of("cpu").unwrap(), Device::Cpu);
        assert!(of("cuda:999").unwrap_err().message.contains("`cuda:999`"));
        assert!(of("tpu").unwrap_err().message.contains("`tpu` is no device"));
    }
}
