//! `compt fsck`: is everything in the cache as it was published?

use std::path::{Path, PathBuf};

use clap::Args;

use super::arguments::CACHE;
use super::failure::Failure;
use crate::store::Store;
use crate::store::fsck::{Checkup, Depth, Finding, Kind, Outcome};

/// Arguments of `fsck`.
#[derive(Debug, Args)]
pub struct FsckArguments {
    /// The cache folder
    #[arg(long, value_name = "DIR", env = "COMPT_CACHE", default_value = CACHE)]
    pub cache: PathBuf,
    /// Read every file and compare its digest (the default)
    #[arg(long, conflicts_with = "quick")]
    pub deep: bool,
    /// Compare the lengths of files, and read none of them
    #[arg(long)]
    pub quick: bool,
    /// Only look: nothing is moved or removed
    #[arg(long)]
    pub dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints what is not as it should be, and fails when that is damage.
pub fn fsck(arguments: &FsckArguments) -> Result<(), Failure> {
    there_is(&arguments.cache)?;
    let store = match arguments.dry_run {
        true => Store::open_to_read(&arguments.cache)?,
        false => Store::open(&arguments.cache)?,
    };
    let checkup = store.check(if arguments.quick { Depth::Quick } else { Depth::Deep })?;
    if arguments.json {
        super::print(&format!("{:#}\n", serde_json::json!(checkup)));
    } else {
        super::print(&describe(&checkup, arguments));
    }
    match checkup.damaged() {
        0 => Ok(()),
        damaged => Err(Failure::Cache {
            message: format!("{damaged} {} damaged", if damaged == 1 { "thing is" } else { "things are" }),
            hint: Some(match arguments.dry_run {
                true => "the same without `--dry-run` sets them aside; then `compt run` makes them again".to_owned(),
                false => "`compt run` makes again what was set aside".to_owned(),
            }),
        }),
    }
}

/// Refuses a cache folder that isn't there: its name is more likely wrong than its health of interest.
///
/// # Errors
/// There is no such folder.
pub fn there_is(cache: &Path) -> Result<(), Failure> {
    match cache.is_dir() {
        true => Ok(()),
        false => Err(Failure::Input {
            message: format!("there is no cache `{}`", cache.display()),
            hint: Some("`compt run FILE` makes one; `--cache DIR` names another".to_owned()),
        }),
    }
}

fn describe(checkup: &Checkup, arguments: &FsckArguments) -> String {
    let mut text = String::new();
    for finding in &checkup.findings {
        text.push_str(&format!(
            "{:<10} {}: {}{}\n",
            word(finding.kind),
            finding.path.display(),
            finding.what,
            outcome(finding, arguments.dry_run)
        ));
    }
    let read = if arguments.quick { "measured" } else { "read" };
    text.push_str(&format!(
        "{} records, {} results, {} files ({} bytes) {read}: {} damaged, {} left over\n",
        checkup.records,
        checkup.objects,
        checkup.files,
        checkup.bytes,
        checkup.damaged(),
        checkup.findings.len() - checkup.damaged()
    ));
    text
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Record | Kind::Object | Kind::Name => "damaged",
        Kind::Foreign => "foreign",
        Kind::Orphan | Kind::Work | Kind::Unfinished => "left over",
        Kind::Lock => "stale lock",
        Kind::Torn => "torn",
    }
}

fn outcome(finding: &Finding, dry_run: bool) -> String {
    match &finding.outcome {
        Outcome::Told if dry_run && finding.kind.is_damage() => " (would be moved to `quarantine/`)".to_owned(),
        Outcome::Told => String::new(),
        Outcome::Moved(path) => format!(" (moved to `{}`)", path.display()),
        Outcome::Removed => " (removed)".to_owned(),
        Outcome::Held(holder) => format!(" (left alone: {holder} is making it)"),
        Outcome::Mended => " (mended meanwhile)".to_owned(),
    }
}
