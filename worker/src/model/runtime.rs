//! Settings of the whole process that decide how fast libtorch computes, and whether it repeats itself.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::sync::Once;

/// Makes results repeatable and the allocator suitable; call it once, before the first tensor.
///
/// * `threads` threads work on one operation, and their number is part of what a result depends on: sums are split by it. One thread
///   runs operations.
/// * Libtorch's deterministic algorithms are on. On the CPU all operations in use repeat themselves anyway; on CUDA this
///   replaces the ones that add in the order of arrival.
/// * Denormal numbers are kept, which is libtorch's default: frozen T5 weights and prompts do not produce so many that
///   flushing them would pay, and results then agree with the reference to the last digits.
pub fn make_deterministic(threads: i32) {
    static PROCESS: Once = Once::new();
    PROCESS.call_once(|| {
        keep_freed_memory();
        keep_few_kernels();
        use_deterministic_algorithms();
        // Libtorch takes this setting once, before its first use.
        if tch::get_num_interop_threads() != 1 {
            tch::set_num_interop_threads(1);
        }
    });
    tch::set_num_threads(threads.max(1));
}

/// Lets the C library keep freed memory. By default it gives every matrix of more than 128 KiB back to the
/// system and takes fresh, zeroed pages for the next, which costs as much as many of the operations on them.
fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    {
        /// The largest size that glibc takes from its heap (`HEAP_MAX_SIZE / 2`).
        const LARGEST_ON_HEAP: i32 = 32 << 20;
        // SAFETY: `mallopt` only sets parameters of the allocator, and refuses values that it cannot take.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_ON_HEAP);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
            // With an arena for each thread, every one of them would keep its own freed memory.
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}

/// Lets oneDNN keep 64 compiled kernels and not 1024. Every number of tokens has kernels of its own, and few batches have
/// equally many: in 38 training steps of a T5-small the default kept 170 MiB of code, and saved no measurable time.
fn keep_few_kernels() {
    // SAFETY: both texts end in a zero byte; this runs once, before libtorch starts threads or reads the variable, and a
    // value that the user has set is kept.
    unsafe { libc::setenv(c"ONEDNN_PRIMITIVE_CACHE_CAPACITY".as_ptr(), c"64".as_ptr(), 0) };
}

/// `torch.use_deterministic_algorithms(True)`: tch has no function for it, but libtorch exports the methods of its context.
/// Where a build of libtorch does not, nothing is lost on the CPU.
fn use_deterministic_algorithms() {
    const CONTEXT: &CStr = c"_ZN2at13globalContextEv";
    const ALGORITHMS: &CStr = c"_ZN2at7Context26setDeterministicAlgorithmsEbb";
    const FILL: &CStr = c"_ZN2at7Context39setDeterministicFillUninitializedMemoryEb";
    const CUDNN: &CStr = c"_ZN2at7Context21setDeterministicCuDNNEb";
    // SAFETY: the symbols are looked up by their full mangled names, which spell the types of the parameters, so a symbol
    // that is found has the signature used here. Methods take the context as their first argument, as the Itanium ABI says, and
    // `globalContext` returns a reference to a value that lives as long as the process.
    unsafe {
        let (Some(context), Some(algorithms)) = (symbol(CONTEXT), symbol(ALGORITHMS)) else { return };
        let context: extern "C" fn() -> *mut c_void = std::mem::transmute(context);
        let algorithms: extern "C" fn(*mut c_void, bool, bool) = std::mem::transmute(algorithms);
        let context = context();
        algorithms(context, true, false);
        // The mode would also fill every new tensor with NaN, to expose reads of memory that nobody has written.
        if let Some(fill) = symbol(FILL) {
            let fill: extern "C" fn(*mut c_void, bool) = std::mem::transmute(fill);
            fill(context, false);
        }
        if let Some(cudnn) = symbol(CUDNN) {
            let cudnn: extern "C" fn(*mut c_void, bool) = std::mem::transmute(cudnn);
            cudnn(context, true);
        }
    }
}

/// Looks a symbol up among all that the process has loaded.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends in a zero byte, and `RTLD_DEFAULT` is always a valid handle.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Libtorch has one generator for the whole process; a test that seeds or draws holds this while it does.
#[cfg(test)]
pub(crate) fn generator_alone() -> std::sync::MutexGuard<'static, ()> {
    static GENERATOR: std::sync::Mutex<()> = std::sync::Mutex::new(());
    GENERATOR.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
