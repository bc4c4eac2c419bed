//! Choosing a device. The executable links libtorch's CPU libraries only; for a GPU it opens `libtorch_cuda.so` of the same
//! version at run time, so that one executable serves both.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tch::Device;

/// The version of libtorch that this program is built for.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// Where to look for `libtorch_cuda.so` first: the file, or the folder it is in.
pub const VARIABLE: &str = "COMPT_LIBTORCH_CUDA";

const LIBRARY: &str = "libtorch_cuda.so";

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The name is not that of a device.
    #[error("`{0}` is not a device; `cpu`, `cuda` and `cuda:N` (N counts from 0) are")]
    Unknown(String),
    /// There is no CUDA library.
    #[error(
        "cannot use the GPU: `{LIBRARY}` is not in {}; install torch {LIBTORCH_VERSION} with pip and set `{VARIABLE}` to the `torch/lib` folder of that installation, or use `--device cpu`",
        list(places)
    )]
    NoLibrary {
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// The CUDA library belongs to another version.
    #[error("cannot use the GPU: `{}` belongs to torch {found}, but this program is built for torch {LIBTORCH_VERSION}; install that version with pip, or use `--device cpu`", library.display())]
    Version {
        /// The library.
        library: PathBuf,
        /// The version found beside it.
        found: String,
    },
    /// The dynamic linker refused the library.
    #[error("cannot use the GPU: opening `{}` failed: {message}; if it misses other CUDA libraries, install torch {LIBTORCH_VERSION} with pip, which brings them, or use `--device cpu`", library.display())]
    Open {
        /// The library.
        library: PathBuf,
        /// What the linker says.
        message: String,
    },
    /// The library is there, the GPU is not.
    #[error(
        "cannot use `cuda:{index}`: the CUDA library is loaded, but the driver offers {count} devices; see `nvidia-smi` and CUDA_VISIBLE_DEVICES, or use `--device cpu`"
    )]
    NoDevice {
        /// The device asked for.
        index: usize,
        /// How many there are.
        count: i64,
    },
}

fn list(places: &[PathBuf]) -> String {
    places.iter().map(|place| format!("`{}`", place.display())).collect::<Vec<_>>().join(" or ")
}

/// The device called `cpu`, `cuda` or `cuda:N`, ready for use.
///
/// # Errors
/// When the name is not that of a device, or its library or hardware is missing.
pub fn device(name: &str) -> Result<Device, DeviceError> {
    let unknown = || DeviceError::Unknown(name.to_owned());
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => 0,
        Some(("cuda", number)) => number.parse::<u16>().map_err(|_| unknown())?.into(),
        _ => return Err(unknown()),
    };
    if !tch::Cuda::is_available() {
        open(&candidates())?;
    }
    let count = if tch::Cuda::is_available() { tch::Cuda::device_count() } else { 0 };
    if index as i64 >= count {
        return Err(DeviceError::NoDevice { index, count });
    }
    Ok(Device::Cuda(index))
}

/// The files to try, best first: what the user names, the folder that `LIBTORCH` names (a Python's `torch`, perhaps), and
/// the folder that the CPU library was loaded from.
fn candidates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(named) = std::env::var_os(VARIABLE) {
        // What is named explicitly is not silently replaced by something else.
        let named = PathBuf::from(named);
        return vec![if named.is_dir() { named.join(LIBRARY) } else { named }];
    }
    if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        found.push(PathBuf::from(libtorch).join("lib").join(LIBRARY));
    }
    found.extend(loaded_from().map(|folder| folder.join(LIBRARY)));
    found.dedup();
    found
}

/// The folder of the `libtorch_cpu.so` that is loaded.
fn loaded_from() -> Option<PathBuf> {
    let maps = fs_err::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    let path = line.get(line.find('/')?..)?;
    Path::new(path).parent().map(Path::to_path_buf)
}

/// Opens the first candidate that exists.
fn open(candidates: &[PathBuf]) -> Result<(), DeviceError> {
    let Some(library) = candidates.iter().find(|candidate| candidate.is_file()) else {
        return Err(DeviceError::NoLibrary { places: candidates.to_vec() });
    };
    if let Some(found) = version_beside(library).filter(|version| version != LIBTORCH_VERSION) {
        return Err(DeviceError::Version { library: library.clone(), found });
    }
    let failed = |message: String| DeviceError::Open { library: library.clone(), message };
    let path = CString::new(library.as_os_str().as_bytes()).map_err(|error| failed(error.to_string()))?;
    // Libtorch's deterministic mode asks for this setting of cuBLAS, which is read when cuBLAS is first used.
    // SAFETY: both texts end in a zero byte; a device is chosen before a worker starts other threads, and a value that the
    // user has set is kept.
    unsafe { libc::setenv(c"CUBLAS_WORKSPACE_CONFIG".as_ptr(), c":4096:8".as_ptr(), 0) };
    // SAFETY: the path ends in a zero byte. Opening runs the library's constructors, which register its kernels with the CPU
    // library of the same version that this process has loaded; that is what it is made for. The symbols have to be
    // global, because libtorch's CUDA libraries look for each other's. The handle is never closed.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if handle.is_null() {
        return Err(failed(last_error()));
    }
    Ok(())
}

/// What the dynamic linker has to say about its last failure.
fn last_error() -> String {
    // SAFETY: the returned text, if any, is valid until the next call of the linker on this thread; it is copied at once.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() { "no reason given".to_owned() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    }
}

/// The version of the installation that a library is part of: `torch/version.py` of a Python package, or `build-version` of
/// a libtorch archive. Without its local part (`+cu130`). `None` where neither is there to tell.
fn version_beside(library: &Path) -> Option<String> {
    let root = library.parent()?.parent()?;
    let text = match fs_err::read_to_string(root.join("version.py")) {
        Ok(text) => text.lines().find_map(|line| line.strip_prefix("__version__ = ").map(str::to_owned))?,
        Err(_) => fs_err::read_to_string(root.join("build-version")).ok()?,
    };
    let version = text.trim().trim_matches(['\'', '"']);
    Some(version.split('+').next().unwrap_or(version).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(device("cpu").unwrap(), Device::Cpu);
        for name in ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "", "cpu:0"] {
            let message = device(name).unwrap_err().to_string();
            assert!(message.contains(&format!("`{name}`")) && message.contains("`cuda:N`"), "{message}");
        }
    }

    #[test]
    fn a_missing_library_says_where_it_was_looked_for() {
        let places = [PathBuf::from("/nowhere/a/libtorch_cuda.so"), PathBuf::from("/nowhere/b/libtorch_cuda.so")];
        let message = open(&places).unwrap_err().to_string();
        assert!(message.contains("`/nowhere/a/libtorch_cuda.so` or `/nowhere/b/libtorch_cuda.so`"), "{message}");
        assert!(message.contains(VARIABLE), "{message}");
    }

    #[test]
    fn another_version_or_a_file_that_is_no_library_is_refused() {
        let folder = std::env::temp_dir().join(format!("compt-cuda-{}", std::process::id()));
        let library = folder.join("lib").join(LIBRARY);
        fs_err::create_dir_all(folder.join("lib")).unwrap();
        fs_err::write(&library, "not a library").unwrap();
        fs_err::write(folder.join("version.py"), "x = 1\n__version__ = '2.9.1+cu130'\n").unwrap();
        let other = open(std::slice::from_ref(&library)).unwrap_err().to_string();
        fs_err::write(folder.join("version.py"), "__version__ = '2.11.0+cu130'\n").unwrap();
        let broken = open(std::slice::from_ref(&library)).unwrap_err().to_string();
        fs_err::remove_dir_all(&folder).unwrap();
        assert!(other.contains("torch 2.9.1,") && other.contains(LIBTORCH_VERSION), "{other}");
        assert!(broken.contains("failed: ") && broken.contains("--device cpu"), "{broken}");
    }

    #[test]
    fn the_loaded_library_is_found() {
        // Touching a tensor makes sure that libtorch is linked.
        let _ = tch::Tensor::from_slice(&[1.0_f32]);
        assert!(loaded_from().is_some_and(|folder| folder.join("libtorch_cpu.so").exists()));
    }
}
