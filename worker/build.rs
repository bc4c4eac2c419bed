//! Lets the executables and tests of this package find libtorch without `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    // torch-sys says which folder it has linked against.
    if let Some(folder) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        let folder = std::path::PathBuf::from(folder);
        let folder = folder.canonicalize().unwrap_or(folder);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    // A tree that was moved after building, with the executable in target/PROFILE or target/PROFILE/deps; then an
    // installation that carries its libraries beside the executable or in the prefix's lib folder.
    for place in ["../../.libtorch/lib", "../../../.libtorch/lib", "lib", "../lib/compt"] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/{place}");
    }
}
