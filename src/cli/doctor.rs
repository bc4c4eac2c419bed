//! `compt doctor`: what was found on this machine, and how to mend what is missing.

use std::path::Path;

use serde_json::{Value, json};

use super::arguments::DoctorArguments;
use super::failure::Failure;
use crate::exec::worker;
use crate::store::Store;
use crate::task::source::SourceSettings;

/// One line of the diagnosis.
struct Finding {
    name: &'static str,
    found: String,
    /// How to mend it; `None` when all is well.
    mend: Option<String>,
}

/// Prints every finding; fails when something that a run needs is missing.
pub fn doctor(arguments: &DoctorArguments) -> Result<(), Failure> {
    let mut findings = vec![Finding {
        name: "compt",
        found: format!("{} for {}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS),
        mend: None,
    }];
    findings.extend(worker_findings());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    findings.push(Finding { name: "cores", found: cores.to_string(), mend: None });
    let cache = Store::probe(&arguments.cache).map_err(Failure::from);
    findings.push(cache_finding(&arguments.cache, &cache));
    findings.extend(hub_findings());

    super::print(&if arguments.json { as_json(&findings) } else { as_text(&findings) });
    let missing = findings.iter().filter(|finding| finding.mend.is_some()).count();
    let message = format!("{missing} of the things above must be mended");
    match (missing, cache) {
        (0, _) => Ok(()),
        (1, Err(Failure::Cache { .. })) => Err(Failure::Cache { message, hint: None }),
        _ => Err(Failure::Environment { message, hint: None }),
    }
}

/// The worker says what it is linked to and which devices it can use.
fn worker_findings() -> Vec<Finding> {
    match worker::hello() {
        Ok((path, hello)) => vec![
            Finding { name: "worker", found: format!("{} ({})", path.display(), hello.version), mend: None },
            Finding { name: "libtorch", found: hello.libtorch, mend: None },
            Finding { name: "devices", found: hello.devices.join(", "), mend: None },
        ],
        Err(error) => vec![Finding {
            name: "worker",
            found: error.message,
            mend: Some(error.hint.unwrap_or_else(|| "type `make build`".to_owned())),
        }],
    }
}

fn cache_finding(folder: &Path, cache: &Result<(), Failure>) -> Finding {
    let name = "cache";
    match cache {
        Ok(()) => Finding { name, found: format!("{} (writable)", folder.display()), mend: None },
        Err(failure) => {
            let mend = failure.hint().unwrap_or("choose another folder with `--cache DIR`").to_owned();
            Finding { name, found: failure.to_string(), mend: Some(mend) }
        }
    }
}

fn hub_findings() -> Vec<Finding> {
    let settings = SourceSettings::from_environment();
    let token = if settings.token.is_some() { "set" } else { "none (needed for gated models only)" };
    let mode = if settings.offline { "offline: only what is in its cache" } else { "online; it was not asked" };
    vec![
        Finding { name: "hub", found: format!("{} ({mode})", settings.endpoint), mend: None },
        Finding { name: "hub token", found: token.to_owned(), mend: None },
        Finding { name: "hub cache", found: settings.cache.display().to_string(), mend: None },
    ]
}

fn as_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = if finding.mend.is_some() { "!!" } else { "ok" };
        text.push_str(&format!("{mark}  {:<10} {}\n", finding.name, finding.found));
        if let Some(mend) = &finding.mend {
            text.push_str(&format!("    {:<10} -> {mend}\n", ""));
        }
    }
    text
}

fn as_json(findings: &[Finding]) -> String {
    let list: Vec<Value> = findings
        .iter()
        .map(|finding| json!({ "name": finding.name, "found": finding.found, "mend": finding.mend }))
        .collect();
    format!("{:#}\n", Value::from(list))
}
