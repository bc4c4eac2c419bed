//! `compt gc`: removes from the cache what is not wanted any more; without `--delete` it only shows what that is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::arguments::{CACHE, PipelineArguments};
use super::failure::Failure;
use super::fsck::there_is;
use super::session::{Missing, Session};
use crate::base::Digest;
use crate::base::moment::now;
use crate::operation::lineage::Lineage;
use crate::operation::publishing::NOTE;
use crate::plan::State;
use crate::spec;
use crate::store::Store;
use crate::store::census::{Census, Kind};
use crate::store::gc::{Choice, Wish, choose};

/// What `compt gc --help` ends with.
pub const EXAMPLES: &str = "\
Examples:
  compt gc                                     what no record names, and what dead processes left
  compt gc --older-than 30d                    also what was not used for 30 days
  compt gc --keep-size 20G                     the least recently used, until 20 GiB are left
  compt gc --unreachable --older-than 7d       what no pipeline of this project and no run in outputs/ reaches
  compt gc --keep pipelines/paper.yaml --delete
                                               all but what this pipeline and the runs in outputs/ reach";

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub struct GcArguments {
    /// Results that were not used for so long: `90s`, `45m`, `12h`, `30d`, `8w`
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<u64>,
    /// The least recently used, until the cache has this size: `500M`, `20G` (powers of 1024)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub keep_size: Option<u64>,
    /// Results that no pipeline in pipelines/, with any profile, and no run in the output folder reaches
    #[arg(long)]
    pub unreachable: bool,
    /// Like `--unreachable`, with this pipeline in place of those in pipelines/; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub keep: Vec<PathBuf>,
    /// Remove it; without this it is only shown
    #[arg(long)]
    pub delete: bool,
    /// The folder with the results of runs
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub outputs: PathBuf,
    /// The cache folder
    #[arg(long, value_name = "DIR", env = "COMPT_CACHE", default_value = CACHE)]
    pub cache: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows what would be removed, or removes it.
pub fn gc(arguments: &GcArguments) -> Result<(), Failure> {
    there_is(&arguments.cache)?;
    let store = match arguments.delete {
        true => Store::open_alone(&arguments.cache)?,
        false => Store::open_to_read(&arguments.cache)?,
    };
    let wish = Wish {
        older_than: arguments.older_than,
        keep_size: arguments.keep_size,
        reachable: reachable(arguments, &store)?,
    };
    let census = store.census()?;
    let choice = choose(&census, &wish, now());
    if arguments.delete {
        store.remove(&census, &choice)?;
    }
    super::print(&match arguments.json {
        true => format!("{:#}\n", as_json(&census, &choice, arguments.delete)),
        false => describe(&census, &choice, arguments),
    });
    Ok(())
}

/// The keys that are reached; `None` when reaching plays no part.
fn reachable(arguments: &GcArguments, store: &Store) -> Result<Option<BTreeSet<Digest>>, Failure> {
    if !arguments.unreachable && arguments.keep.is_empty() {
        return Ok(None);
    }
    let files = if arguments.keep.is_empty() { in_folder(Path::new("pipelines"))? } else { arguments.keep.clone() };
    let mut keys = BTreeSet::new();
    for file in &files {
        keys.extend(reached_by(file, store, arguments)?);
    }
    for entry in fs_err::read_dir(&arguments.outputs).into_iter().flatten().flatten() {
        if entry.path().join(NOTE).is_file() {
            keys.extend(Lineage::read(&entry.path())?.made.iter().filter_map(|made| made.key));
        }
    }
    Ok(Some(keys))
}

/// What a pipeline finds in the cache, with each of its profiles and without; and the latest result of each of its
/// instances, since other devices, threads and `--set` give other keys.
fn reached_by(file: &Path, store: &Store, arguments: &GcArguments) -> Result<BTreeSet<Digest>, Failure> {
    let mut keys = BTreeSet::new();
    let profiles = spec::profiles(file)?;
    for profile in std::iter::once(None).chain(profiles.into_iter().map(Some)) {
        let asked = PipelineArguments::of(file, &arguments.cache, profile);
        let session = Session::with(&asked, store.reader(), Missing::IsShown)?;
        keys.extend(session.assess().iter().filter_map(|state| match state {
            State::Cached { key, .. } => Some(*key),
            State::Run { .. } => None,
        }));
        keys.extend(store.latest_keys(&session.plan.pipeline)?);
    }
    Ok(keys)
}

/// The pipelines in a folder.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    files.sort();
    match files.is_empty() {
        false => Ok(files),
        true => Err(Failure::usage(
            format!("there is no pipeline in `{}/`, so nothing would be reachable", folder.display()),
            "stand in the project's folder, or name the pipelines whose results you want with `--keep FILE`",
        )),
    }
}

/// What goes, by kind.
fn tally(census: &Census, choice: &Choice) -> Vec<(&'static str, usize, u64)> {
    let mut names = census.names();
    let mut rests: BTreeMap<Kind, (usize, u64)> = BTreeMap::new();
    for rest in choice.rests.iter().map(|position| &census.rests[*position]) {
        let (count, bytes) = rests.entry(rest.kind).or_default();
        *count += 1;
        *bytes += names.free(rest.bytes, rest.shared);
    }
    // After their notes: a file is counted with the last of its names, and is one of records if there is one.
    let results = choice.results.iter().map(|position| &census.results[*position]);
    let results = results.map(|result| names.free(result.bytes, result.shared)).sum();
    let objects = choice.objects.iter().filter_map(|output| census.objects.get(output)).sum();
    let mut lines = vec![
        ("results", choice.results.len(), results),
        ("their files, and files without a result", choice.objects.len(), objects),
    ];
    lines.extend(rests.into_iter().map(|(kind, (count, bytes))| (word(kind), count, bytes)));
    lines.retain(|(_, count, _)| *count > 0);
    lines
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Work => "results half made",
        Kind::Unfinished => "files half written",
        Kind::Lock => "stale locks",
        Kind::Checkpoint => "checkpoints",
        Kind::Log => "logs",
        Kind::Quarantine => "set aside as damaged",
        Kind::Name => "notes for `compt why`",
        Kind::Run => "journals of runs",
    }
}

fn describe(census: &Census, choice: &Choice, arguments: &GcArguments) -> String {
    let mut text = String::new();
    let mut stages: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for result in choice.results.iter().map(|position| &census.results[*position]) {
        let stage = result.name.split('[').next().unwrap_or_default();
        *stages.entry((&result.pipeline, stage)).or_default() += 1;
    }
    for ((pipeline, stage), count) in stages {
        text.push_str(&format!("  {count:>6}  {pipeline}: {stage}\n"));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    for (what, count, bytes) in tally(census, choice) {
        text.push_str(&format!("  {count:>6}  {:>9}  {what}\n", human(bytes)));
    }
    let freed = human(choice.before - choice.after);
    text.push_str(&match (choice.before == choice.after && tally(census, choice).is_empty(), arguments.delete) {
        (true, _) => format!("nothing to remove; the cache has {}\n", human(choice.before)),
        (false, true) => format!("{freed} removed; {} are left\n", human(choice.after)),
        (false, false) => format!(
            "{freed} of {} would be removed, {} would be left; `--delete` removes them\n",
            human(choice.before),
            human(choice.after)
        ),
    });
    if let Some(most) = arguments.keep_size.filter(|most| choice.after > *most) {
        text.push_str(&format!("what is reachable is larger than the {} that were asked for\n", human(most)));
    }
    text
}

fn as_json(census: &Census, choice: &Choice, deleted: bool) -> serde_json::Value {
    json!({
        "deleted": deleted,
        "bytes_before": choice.before,
        "bytes_after": choice.after,
        "results": choice.results.iter().map(|position| &census.results[*position]).collect::<Vec<_>>(),
        "objects": choice.objects,
        "rests": choice.rests.iter().map(|position| &census.rests[*position]).collect::<Vec<_>>(),
    })
}

/// Bytes as a person reads them.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// `30d` in seconds.
fn age(text: &str) -> Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    scaled(text, &units).ok_or_else(|| "expected a number and s, m, h, d or w, for example `30d`".to_owned())
}

/// `20G` in bytes.
fn size(text: &str) -> Result<u64, String> {
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30), ('T', 1 << 40)];
    let plain = text.parse().ok();
    plain
        .or_else(|| scaled(text, &units))
        .ok_or_else(|| "expected bytes, or a number and K, M, G or T, for example `20G`".to_owned())
}

fn scaled(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let last = text.chars().next_back()?;
    let (_, factor) = units.iter().find(|(unit, _)| *unit == last)?;
    let number: f64 = text[..text.len() - 1].parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * *factor as f64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::{age, human, size, tally};
    use crate::base::Digest;
    use crate::store::census::{Census, Kept, Kind, Rest, Shared};
    use crate::store::gc::{Choice, Wish, choose};

    /// The file of two records and their notes, one that only has notes any more, and a stale lock with two names.
    #[test]
    fn what_goes_by_kind_adds_up() {
        let key = |number: u8| Digest::of(&[number]);
        let shared = |number, bytes| Some(Shared { file: (1, number), bytes });
        let result = |number, used| Kept {
            key: key(number),
            pipeline: "p".into(),
            name: "fit".into(),
            output: key(100 + number),
            object: key(100 + number).to_string(),
            bytes: 4096 / 4,
            used,
            shared: shared(1, 4096),
        };
        let rest = |kind, number: Option<u8>, shared| Rest {
            kind,
            key: number.map(key),
            path: PathBuf::from("x"),
            bytes: 1,
            used: 0,
            shared,
        };
        let census = Census {
            results: vec![result(1, 0), result(2, 90)],
            objects: BTreeMap::from([(key(101).to_string(), 10), (key(102).to_string(), 20)]),
            rests: vec![
                rest(Kind::Name, Some(1), shared(1, 4096)),
                rest(Kind::Name, Some(2), shared(1, 4096)),
                rest(Kind::Name, Some(3), shared(2, 8192)),
                rest(Kind::Lock, None, shared(3, 512)),
                rest(Kind::Lock, None, shared(3, 512)),
                rest(Kind::Log, Some(3), None),
            ],
        };
        let goes = |older_than| {
            let choice: Choice = choose(&census, &Wish { older_than: Some(older_than), ..Wish::default() }, 100);
            let lines = tally(&census, &choice);
            assert_eq!(lines.iter().map(|(.., bytes)| bytes).sum::<u64>(), choice.before - choice.after);
            lines.into_iter().map(|(what, count, bytes)| format!("{count} {what}: {bytes}")).collect::<Vec<_>>()
        };
        let files = "their files, and files without a result";
        let old = [
            "1 results: 0".to_owned(),
            format!("1 {files}: 10"),
            "2 stale locks: 512".into(),
            "1 logs: 1".into(),
            "2 notes for `compt why`: 8192".into(),
        ];
        assert_eq!(goes(50), old);
        assert_eq!((&goes(0)[0][..], &goes(0)[1][..]), ("2 results: 4096", &format!("2 {files}: 30")[..]));
    }

    #[test]
    fn ages_and_sizes_have_units() {
        assert_eq!((age("90s"), age("1.5h"), age("30d"), age("2w")), (Ok(90), Ok(5400), Ok(2_592_000), Ok(1_209_600)));
        assert_eq!((size("512"), size("1K"), size("1.5G")), (Ok(512), Ok(1024), Ok(1_610_612_736)));
        for wrong in ["", "d", "30", "30x", "-1d", "infd", "1é"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "G", "20GB", "-1", "é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!([human(3), human(2048), human(1_610_612_736)], ["3 B", "2.0 KiB", "1.5 GiB"]);
    }
}
