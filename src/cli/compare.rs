//! `compt compare`: two runs, or a run and a published table, with the differences and where they may lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::arguments::{CompareArguments, FailOn};
use super::failure::Failure;
use crate::base::{files, suggest};
use crate::metric;
use crate::operation::aggregate::stage_error;
use crate::report::comparison::{Comparison, Join, cells_of};
use crate::report::differences::{Difference, Differences, Side};
use crate::report::layout::{self, Layout};
use crate::report::published::Published;
use crate::report::table::Table;
use crate::report::{ReportError, sheet, terminal, tidy};

/// One of the two things that are compared.
enum Operand {
    Run(Side),
    Published(Published),
}

/// Prints and writes the differences; fails as `--fail-on` says.
pub fn compare(arguments: &CompareArguments) -> Result<(), Failure> {
    let a = operand(&arguments.a, arguments)?;
    let b = operand(&arguments.b, arguments)?;
    let names = [arguments.a.as_str(), arguments.b.as_str()];
    let differences = match (&a, &b) {
        (Operand::Run(a), Operand::Run(b)) => {
            if !arguments.chosen.is_empty() || !arguments.keys.is_empty() {
                return Err(Failure::usage(
                    "`--where` and `--key` are about a published table, but both sides are runs",
                    "leave them out",
                ));
            }
            Differences::of_runs(a, b)
        }
        (Operand::Run(ours), Operand::Published(published)) => {
            beside(ours, published, arguments).map(|found| Differences::of_published(&found, names, false))
        }
        (Operand::Published(published), Operand::Run(ours)) => {
            beside(ours, published, arguments).map(|found| Differences::of_published(&found, names, true))
        }
        (Operand::Published(_), Operand::Published(_)) => {
            return Err(Failure::usage(
                format!("`{}` and `{}` are both published tables", arguments.a, arguments.b),
                "one of the two must be a run: `compt compare outputs/NAME TABLE.csv`",
            ));
        }
    }
    .map_err(stage_error)?;
    if differences.lines.iter().all(|line| line.a.is_none() || line.b.is_none()) {
        return Err(Failure::Input {
            message: format!("`{}` and `{}` have no cell in common", arguments.a, arguments.b),
            hint: Some("`--key OURS=THEIRS` says which published column goes with one of our axes".to_owned()),
        });
    }
    if let Some(folder) = &arguments.output {
        let frame = differences.frame().map_err(stage_error)?;
        sheet::write(&folder.join("comparison.csv"), frame).map_err(stage_error)?;
        let page = differences.markdown(arguments.digits);
        files::write_atomically(&folder.join("comparison.md"), page.as_bytes())?;
    }
    if arguments.json {
        super::print(&format!("{:#}\n", as_json(&differences)));
    } else {
        let keys = differences.names.len() + 1;
        let table = terminal::aligned(&differences.rows(arguments.digits), keys);
        super::print(&format!("{table}\nA is {}, B is {}\n{}\n", differences.a, differences.b, differences.summary()));
    }
    verdict(&differences, arguments.fail_on)
}

/// The exit code for CI.
fn verdict(differences: &Differences, fail_on: Option<FailOn>) -> Result<(), Failure> {
    let (count, of, what) = match fail_on {
        None => return Ok(()),
        Some(FailOn::Difference) => (differences.beyond_noise(), differences.compared(), "differ beyond noise"),
        Some(FailOn::Any) => (differences.unequal(), differences.lines.len(), "are not the same number in both"),
    };
    match count {
        0 => Ok(()),
        count => Err(Failure::Differs { message: format!("{count} of {of} cells {what}") }),
    }
}

fn beside(ours: &Side, published: &Published, arguments: &CompareArguments) -> Result<Comparison, ReportError> {
    let table = Table::build(&ours.results, &ours.layout)?;
    let (names, cells) = cells_of(&table, &BTreeMap::new());
    let join = Join {
        keys: arguments.keys.iter().cloned().collect(),
        published_examples: arguments.published_examples,
        alike: Vec::new(),
    };
    Comparison::of(&names, &cells, published, &join)
}

fn operand(name: &str, arguments: &CompareArguments) -> Result<Operand, Failure> {
    let typed = Path::new(name);
    if typed.is_file() {
        let mut published = Published::read(typed).map_err(stage_error)?;
        published.narrow(&arguments.chosen.iter().cloned().collect()).map_err(stage_error)?;
        if published.rows.is_empty() {
            let wanted: Vec<String> = arguments.chosen.iter().map(|(name, value)| format!("{name}={value}")).collect();
            return Err(Failure::usage(
                format!("no row of `{name}` has {}", wanted.join(" ")),
                "look into the file for the values that it has",
            ));
        }
        return Ok(Operand::Published(published));
    }
    let folder = run_folder(name, typed, &arguments.outputs)?;
    let layout = with_metrics(Layout::read(&folder).map_err(stage_error)?, &arguments.metrics)?;
    let results = tidy::read(&folder).map_err(stage_error)?;
    Ok(Operand::Run(Side { name: name.to_owned(), results, layout }))
}

/// The folder of the table that a name means: that of a stage, or of a pipeline with one table; below `outputs` too.
fn run_folder(name: &str, typed: &Path, outputs: &Path) -> Result<PathBuf, Failure> {
    let Some(folder) = [typed.to_owned(), outputs.join(name)].into_iter().find(|folder| folder.is_dir()) else {
        let known = folders(outputs);
        let hint = match suggest::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "`compt run FILE` makes a run".to_owned(),
            None => format!("there are {}", list(&known)),
        };
        return Err(Failure::Input {
            message: format!("there is no run and no file `{name}`, here or in `{}`", outputs.display()),
            hint: Some(hint),
        });
    };
    let is_table = |folder: &Path| folder.join(tidy::FILE).is_file() && folder.join(layout::FILE).is_file();
    if is_table(&folder) {
        return Ok(folder);
    }
    let tables: Vec<String> = folders(&folder).into_iter().filter(|stage| is_table(&folder.join(stage))).collect();
    match tables.as_slice() {
        [one] => Ok(folder.join(one)),
        [] => Err(Failure::Input {
            message: format!("`{}` holds no table of a run", folder.display()),
            hint: Some(
                "a run has one when its pipeline has an `aggregate` stage; `compt run FILE` writes it".to_owned(),
            ),
        }),
        [first, ..] => Err(Failure::usage(
            format!("`{}` holds {} tables: {}", folder.display(), tables.len(), list(&tables)),
            format!("name one of them, for example `{}`", folder.join(first).display()),
        )),
    }
}

/// Names of the folders in a folder, sorted; none when it can't be read.
fn folders(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `accuracy` for all tasks, `cola=matthews` for one.
fn with_metrics(mut layout: Layout, metrics: &[String]) -> Result<Layout, Failure> {
    for written in metrics {
        let (task, name) = match written.split_once('=') {
            Some((task, name)) => (Some(task), name),
            None => (None, written.as_str()),
        };
        if metric::find(name).is_none() {
            let known: Vec<&str> = metric::METRICS.iter().map(|metric| metric.name).collect();
            let hint = match suggest::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the metrics are {}", known.join(", ")),
            };
            return Err(Failure::usage(format!("there is no metric `{name}`"), hint));
        }
        match task {
            Some(task) => drop(layout.metrics.insert(task.to_owned(), name.to_owned())),
            None => {
                layout.metrics.clear();
                name.clone_into(&mut layout.metric);
            }
        }
    }
    Ok(layout)
}

fn as_json(differences: &Differences) -> Value {
    let row = |line: &Difference| {
        let keys = differences.names.iter().cloned().zip(line.keys.iter().map(|value| Value::from(value.as_str())));
        let mut row: serde_json::Map<String, Value> = keys.collect();
        let ends = line.ends();
        let numbers = json!({
            "metric": line.metric,
            "a": line.a,
            "b": line.b,
            "n": line.n,
            "difference": line.difference,
            "low": ends.map(|ends| ends.0),
            "high": ends.map(|ends| ends.1),
            "interval": line.interval,
            "beyond_noise": line.beyond_noise(),
        });
        row.extend(numbers.as_object().cloned().unwrap_or_default());
        Value::Object(row)
    };
    json!({
        "a": differences.a,
        "b": differences.b,
        "beyond_noise": differences.beyond_noise(),
        "unequal": differences.unequal(),
        "rows": differences.lines.iter().map(row).collect::<Vec<_>>(),
    })
}
