//! Any bytes as a pipeline file, with any `--set`: read, checked and planned, or refused with a rendered message. Nothing
//! may panic, hang or take more memory than the limit that a plan has.
//!
//! What follows a line `---set` in the input are the command line's settings, one `NAME=VALUE` a line; `profile=NAME`
//! chooses a profile.

#![no_main]
#![allow(dead_code, missing_docs, unused_imports)] // the modules are used by more than this

#[path = "../../src/base/mod.rs"]
mod base;
mod operations;
#[path = "../../src/plan/mod.rs"]
mod plan;
#[path = "../../src/protocol/mod.rs"]
mod protocol;
#[path = "../../src/spec/mod.rs"]
mod spec;

use libfuzzer_sys::fuzz_target;
use operations::Anything;

/// From so many bytes on, two parsers read a file side by side.
const LONG: usize = 16 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("p.yaml");
    let text = String::from_utf8_lossy(bytes);
    let (yaml, set) = text.split_once("\n---set\n").unwrap_or((&text, ""));
    // Where there is no `---set` the bytes go in as they are, so that broken UTF-8 is met too.
    let file = if set.is_empty() { bytes } else { yaml.as_bytes() };
    if fs_err::write(&path, file).is_err() {
        return;
    }
    let mut settings = spec::Settings::default();
    for (name, value) in set.lines().filter_map(|line| line.split_once('=')) {
        match name {
            "profile" => settings.profile = Some(value.to_owned()),
            _ => settings.set.push((name.to_owned(), value.to_owned())),
        }
    }
    let planned = spec::load(&path, &settings).and_then(|pipeline| plan::expand(&pipeline, &Anything, folder.path()));
    match planned {
        Ok(plan) => {
            for (place, instance) in plan.instances.iter().enumerate() {
                assert_eq!(instance.id, place);
                assert!(instance.inputs.iter().all(|&input| input < place), "a stage reads a later one");
            }
        }
        Err(invalid) => assert!(!spec::render(&invalid, false).is_empty()),
    }
    // Of a long file, the places are sought whatever becomes of its values.
    if fs_err::write(&path, [file, b"\n#", &[b'-'; LONG]].concat()).is_ok()
        && let Err(invalid) = spec::load(&path, &settings)
    {
        assert!(!spec::render(&invalid, false).is_empty());
    }
});
