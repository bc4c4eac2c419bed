//! The borders of the design: which module may use which. Rust checks the border between the two packages; this test
//! reads the `crate::` paths of the root package and fails on any edge that `ARCHITECTURE.md` does not allow.

use std::collections::BTreeSet;
use std::path::Path;

/// Module -> the modules it may use, besides itself and `base`.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("base", &[]),
    ("protocol", &[]),
    ("spec", &[]),
    ("metric", &[]),
    ("figure", &[]),
    ("task", &["spec", "protocol"]),
    ("plan", &["spec", "protocol"]),
    ("store", &["plan", "protocol"]),
    ("exec", &["plan", "store", "protocol"]),
    ("verify", &["plan", "store", "protocol"]),
    ("report", &["store", "metric", "protocol"]),
    ("page", &["metric", "report", "figure", "protocol"]),
    ("operation", &["plan", "store", "task", "metric", "report", "figure", "page", "protocol", "spec"]),
    (
        "cli",
        &[
            "spec",
            "plan",
            "store",
            "exec",
            "task",
            "metric",
            "report",
            "figure",
            "page",
            "operation",
            "verify",
            "protocol",
        ],
    ),
];

#[test]
fn modules_use_only_what_the_design_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (module, allowed) in ALLOWED {
        for file in rust_files(&root.join(module)) {
            let text = fs_err::read_to_string(&file).unwrap();
            for used in modules_used(&text) {
                let known = ALLOWED.iter().any(|(name, _)| *name == used);
                if known && used != module && used != "base" && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{} uses `{used}`", file.strip_prefix(&root).unwrap().display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "edges that ARCHITECTURE.md does not allow: {wrong:#?}");
}

#[test]
fn only_one_file_sees_serde_yaml_and_only_the_cli_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Test code may print why it skips.
    let tests = ["fixtures.rs", "testing.rs"];
    let is_test = |file: &Path| {
        tests.iter().any(|name| file.ends_with(name))
            || file.to_string_lossy().ends_with("_test.rs")
            || file.components().any(|part| part.as_os_str() == "tests")
    };
    for file in rust_files(&root).into_iter().filter(|file| !is_test(file)) {
        let text = fs_err::read_to_string(&file).unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let name = file.strip_prefix(&root).unwrap();
        if code.contains("serde_yaml::") {
            assert!(name.starts_with("spec"), "{} uses serde_yaml; `spec` is the only place for it", name.display());
        }
        let production = code.split("#[cfg(test)]").next().unwrap_or_default();
        if ["println!", "eprintln!", "print!(", "eprint!("].iter().any(|call| production.contains(call)) {
            assert!(name.starts_with("cli"), "{} prints; `cli` is the only place for it", name.display());
        }
    }
}

/// The first path segments after `crate::` in a file's code.
fn modules_used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")) {
        for rest in line.split("crate::").skip(1) {
            match rest.strip_prefix('{') {
                // `use crate::{base, plan::key}`
                Some(group) => {
                    let parts = group.split([',', '}']).map(str::trim);
                    used.extend(parts.map(first_segment).filter(|segment| !segment.is_empty()));
                }
                None => {
                    used.insert(first_segment(rest));
                }
            }
        }
    }
    used
}

fn first_segment(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
