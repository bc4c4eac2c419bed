//! Two runs, or a run and a published table, cell by cell: the difference A less B and where it may lie.
//!
//! **Intervals** hold 95 %. They come from, in this order:
//!
//! * `paired`: two or more seeds that both runs have. The differences d of the seeds have mean m and deviation s; the
//!   interval is `m ± t(n - 1) s / sqrt(n)`, Student's t.
//! * `unpaired`: two or more seeds each, none in common: `± t(f) sqrt(sa² / na + sb² / nb)`, f after Welch, rounded down.
//! * `examples`: one seed on a side, or one in common: `± 1.96 sqrt(va + vb)` with the sampling variance of each score
//!   ([`noise::sampling`]). Both runs often have the same test examples, which makes this too wide, never too narrow.
//!
//! An interval from seeds of an accuracy is never narrower than a difference of its size needs on so many examples
//! ([`noise::least_sampling`]). Predictions are not read: they are not in the output folders. Of 20 cells without any
//! difference about one is beyond noise by chance.

use std::collections::BTreeSet;

use super::comparison::{self, Comparison};
use super::frame::{Results, Score};
use super::layout::Layout;
use super::statistics::{Runs, mean, sd};
use super::student::t95;
use super::table::Table;
use super::{AVERAGE, ReportError, TASK, noise, quoted};

mod shown;

/// The central 95 % of a normal distribution end here.
const NORMAL: f64 = 1.96;

/// One run: its scores and the shape of its table.
#[derive(Clone, Debug)]
pub struct Side {
    /// What messages call it.
    pub name: String,
    /// All scores.
    pub results: Results,
    /// Which of them count, and what tells cells and runs apart.
    pub layout: Layout,
}

/// One cell of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The values of [`Differences::names`].
    pub keys: Vec<String>,
    /// The metric.
    pub metric: String,
    /// A's number; of seeds that both have, where there are any.
    pub a: Option<f64>,
    /// B's number, likewise.
    pub b: Option<f64>,
    /// How many seeds are compared: those in common, otherwise those of the side that has fewer.
    pub n: usize,
    /// A less B.
    pub difference: Option<f64>,
    /// Half the width of its interval.
    pub margin: Option<f64>,
    /// `paired`, `unpaired` or `examples`; empty without an interval.
    pub interval: &'static str,
}

impl Difference {
    /// Whether the interval leaves 0 out; none where it is not known.
    pub fn beyond_noise(&self) -> Option<bool> {
        Some(self.difference?.abs() > self.margin?)
    }

    /// Lower and upper end of the interval.
    pub fn ends(&self) -> Option<(f64, f64)> {
        let (difference, margin) = (self.difference?, self.margin?);
        Some((difference - margin, difference + margin))
    }
}

/// Everything that was compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Differences {
    /// What A is.
    pub a: String,
    /// What B is.
    pub b: String,
    /// The axes of a cell, the task last.
    pub names: Vec<String>,
    /// A's cells in their order, then those that only B has; the average over a cell's common tasks after them.
    pub lines: Vec<Difference>,
}

/// The scores of one task in one cell of one run.
#[derive(Clone, Debug, Default)]
struct Part {
    metric: String,
    runs: Runs,
    examples: u64,
}

/// Cell -> task -> scores, both in the order in which the results name them.
type Cells = Vec<(Vec<String>, Vec<(String, Part)>)>;

impl Differences {
    /// Compares two runs on the cells of the table's axes.
    ///
    /// # Errors
    /// The layout does not fit the scores; the runs have different axes, no cell in common, or a task in two metrics.
    pub fn of_runs(a: &Side, b: &Side) -> Result<Self, ReportError> {
        let names = common_axes(a, b)?;
        let (of_a, of_b) = (cells(a, &names)?, cells(b, &names)?);
        let mut lines = Vec::new();
        let mut common = 0;
        for (key, tasks) in &of_a {
            let other = of_b.iter().find(|(other, _)| other == key).map_or(&[][..], |(_, tasks)| tasks);
            let mut pairs = Vec::new();
            for (task, part) in tasks {
                let partner = other.iter().find(|(name, _)| name == task).map(|(_, part)| part);
                if let Some(partner) = partner {
                    one_metric(task, part, partner, a, b)?;
                    pairs.push((part, partner));
                }
                lines.push(line(key, task, Some(part), partner));
            }
            let only_b = other.iter().filter(|(name, _)| tasks.iter().all(|(task, _)| task != name));
            lines.extend(only_b.map(|(task, part)| line(key, task, None, Some(part))));
            common += pairs.len();
            if pairs.len() > 1 {
                lines.push(average(key, &pairs, &a.layout));
            }
        }
        for (key, tasks) in of_b.iter().filter(|(key, _)| of_a.iter().all(|(other, _)| other != key)) {
            lines.extend(tasks.iter().map(|(task, part)| line(key, task, None, Some(part))));
        }
        if common == 0 {
            return Err(ReportError::layout(
                format!("`{}` and `{}` have no cell in common", a.name, b.name),
                format!(
                    "cells agree on {}; both runs need one with the same values",
                    quoted(names.iter().chain([&TASK.to_owned()]))
                ),
            ));
        }
        let names = names.into_iter().chain([TASK.to_owned()]).collect();
        Ok(Self { a: a.name.clone(), b: b.name.clone(), names, lines })
    }

    /// A comparison with published numbers in the same form. `published_first` makes the published table A.
    pub fn of_published(comparison: &Comparison, [a, b]: [&str; 2], published_first: bool) -> Self {
        let line = |line: &comparison::Line| {
            let ours = line.ours.map(|ours| ours.mean);
            let (a, b) = if published_first { (line.published, ours) } else { (ours, line.published) };
            let sign = if published_first { -1.0 } else { 1.0 };
            Difference {
                keys: line.keys.clone(),
                metric: line.known_metric().clone(),
                a,
                b,
                n: line.ours.map_or(0, |ours| ours.n),
                difference: line.difference.map(|difference| sign * difference),
                margin: line.error.map(|error| 2.0 * error),
                interval: if line.error.is_some() { "examples" } else { "" },
            }
        };
        Self {
            a: a.to_owned(),
            b: b.to_owned(),
            names: comparison.names.clone(),
            lines: comparison.lines.iter().map(line).collect(),
        }
    }

    /// Cells that both have, as numbers that compare.
    pub fn compared(&self) -> usize {
        self.lines.iter().filter(|line| line.difference.is_some()).count()
    }

    /// Differences that are more than noise.
    pub fn beyond_noise(&self) -> usize {
        self.lines.iter().filter(|line| line.beyond_noise() == Some(true)).count()
    }

    /// Cells that are not the same number on both sides, those that one side lacks among them.
    pub fn unequal(&self) -> usize {
        self.lines.iter().filter(|line| line.difference != Some(0.0)).count()
    }
}

/// The axes that cells are told apart by: those of both tables. An axis that one side lacks is left out when the other
/// has one value on it.
fn common_axes(a: &Side, b: &Side) -> Result<Vec<String>, ReportError> {
    let axes = |side: &Side| side.layout.axes().filter(|axis| *axis != TASK).cloned().collect::<Vec<_>>();
    let (of_a, of_b) = (axes(a), axes(b));
    for (side, own, other, others) in [(a, &of_a, b, &of_b), (b, &of_b, a, &of_a)] {
        for axis in own.iter().filter(|axis| !others.contains(axis)) {
            let values: BTreeSet<&str> = side.results.scores.iter().map(|score| score.axis(axis)).collect();
            if values.len() > 1 {
                return Err(ReportError::layout(
                    format!(
                        "the table of `{}` has the axis `{axis}` with {}, that of `{}` has no such axis",
                        side.name,
                        quoted(values),
                        other.name
                    ),
                    "compare tables of the same axes, or narrow one to a value with `only` in its `aggregate` stage",
                ));
            }
        }
    }
    Ok(of_a.into_iter().filter(|axis| of_b.contains(axis)).collect())
}

fn cells(side: &Side, names: &[String]) -> Result<Cells, ReportError> {
    // Two scores for one place are found here.
    Table::build(&side.results, &side.layout)?;
    // Runs of both sides are paired by these values, in whatever order the tables name the axes.
    let mut run_axes = side.layout.run_axes();
    run_axes.sort();
    let mut cells: Cells = Vec::new();
    for score in side.layout.select(&side.results)? {
        let key = score.axis_values(names);
        let at = place(&mut cells, key);
        let tasks = &mut cells[at].1;
        let at = place(tasks, score.task.clone());
        tasks[at].1.add(score, &run_axes, &side.layout);
    }
    Ok(cells)
}

/// The place of a name in a list that keeps its order.
fn place<K: PartialEq, V: Default>(list: &mut Vec<(K, V)>, name: K) -> usize {
    list.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
        list.push((name, V::default()));
        list.len() - 1
    })
}

impl Part {
    fn add(&mut self, score: &Score, run_axes: &[String], layout: &Layout) {
        self.examples = if self.runs.is_empty() { score.examples } else { self.examples.min(score.examples) };
        layout.shown_metric(score).clone_into(&mut self.metric);
        self.runs.insert(score.axis_values(run_axes), score.value);
    }

    fn values(&self) -> Vec<f64> {
        self.runs.values().copied().collect()
    }
}

fn one_metric(task: &str, part: &Part, partner: &Part, a: &Side, b: &Side) -> Result<(), ReportError> {
    if part.metric == partner.metric {
        return Ok(());
    }
    Err(ReportError::layout(
        format!(
            "the task `{task}` is in `{}` in `{}` and in `{}` in `{}`",
            part.metric, a.name, partner.metric, b.name
        ),
        format!("type `--metric {task}={}` to compare it by that one in both", part.metric),
    ))
}

fn line(key: &[String], task: &str, a: Option<&Part>, b: Option<&Part>) -> Difference {
    let keys = key.iter().cloned().chain([task.to_owned()]).collect();
    let metric = a.or(b).map(|part| part.metric.clone()).unwrap_or_default();
    let of = |part: Option<&Part>| part.and_then(|part| mean(&part.values()));
    let alone = Difference {
        keys,
        metric: metric.clone(),
        a: of(a),
        b: of(b),
        n: a.or(b).map_or(0, |part| part.runs.len()),
        difference: None,
        margin: None,
        interval: "",
    };
    let (Some(a), Some(b)) = (a, b) else { return alone };
    let examples = a.examples.min(b.examples);
    let sampled = |part: &Part, value: f64| noise::sampling(&metric, value, part.examples);
    compare(&a.runs, &b.runs, alone, &|first, second| Some(sampled(a, first)? + sampled(b, second)?), &|difference| {
        noise::least_sampling(&metric, difference, Some(examples))
    })
}

/// The average over the tasks that both have, taken within each run first.
fn average(key: &[String], pairs: &[(&Part, &Part)], layout: &Layout) -> Difference {
    let metrics: BTreeSet<&str> = pairs.iter().map(|(part, _)| part.metric.as_str()).collect();
    let count = pairs.len() as f64;
    let by_run = |side: fn(&(&Part, &Part)) -> Runs| -> Runs {
        let parts: Vec<Runs> = pairs.iter().map(side).collect();
        let names = parts[0].keys().filter(|name| parts.iter().all(|runs| runs.contains_key(*name)));
        names.map(|name| (name.clone(), parts.iter().map(|runs| runs[name]).sum::<f64>() / count)).collect()
    };
    let (a, b) = (by_run(|pair| pair.0.runs.clone()), by_run(|pair| pair.1.runs.clone()));
    let values = |runs: &Runs| runs.values().copied().collect::<Vec<_>>();
    let empty = Difference {
        keys: key.iter().cloned().chain([AVERAGE.to_owned()]).collect(),
        metric: layout.common_metric(&metrics),
        a: mean(&values(&a)),
        b: mean(&values(&b)),
        n: a.len().min(b.len()),
        difference: None,
        margin: None,
        interval: "",
    };
    // Errors of independent tasks: their variances add up, and the mean divides by the count.
    let sampling = || {
        let of = |part: &Part| noise::sampling(&part.metric, mean(&part.values())?, part.examples);
        let sum: Option<f64> = pairs.iter().map(|(a, b)| Some(of(a)? + of(b)?)).sum();
        Some(sum? / (count * count))
    };
    let least: f64 = pairs
        .iter()
        .map(|(a, b)| {
            let difference = mean(&a.values()).unwrap_or_default() - mean(&b.values()).unwrap_or_default();
            noise::least_sampling(&a.metric, difference, Some(a.examples.min(b.examples)))
        })
        .sum();
    compare(&a, &b, empty, &|_, _| sampling(), &|_| least / (count * count))
}

/// Fills in numbers, difference and interval from the runs of both sides. `sampling` is the variance of the difference
/// of two single scores, `least` the smallest that a difference needs.
fn compare(
    a: &Runs,
    b: &Runs,
    blank: Difference,
    sampling: &dyn Fn(f64, f64) -> Option<f64>,
    least: &dyn Fn(f64) -> f64,
) -> Difference {
    let shared: Vec<(f64, f64)> = a.iter().filter_map(|(run, first)| Some((*first, *b.get(run)?))).collect();
    let values = |runs: &Runs| runs.values().copied().collect::<Vec<f64>>();
    let (of_a, of_b): (Vec<f64>, Vec<f64>) =
        if shared.is_empty() { (values(a), values(b)) } else { shared.iter().copied().unzip() };
    let (Some(first), Some(second)) = (mean(&of_a), mean(&of_b)) else { return blank };
    let difference = first - second;
    let (n, from_seeds) = if shared.is_empty() {
        (of_a.len().min(of_b.len()), welch(&of_a, &of_b).map(|margin| (margin, "unpaired")))
    } else {
        let differences: Vec<f64> = shared.iter().map(|(a, b)| a - b).collect();
        let margin = sd(&differences).map(|sd| t95(shared.len() - 1) * sd / (shared.len() as f64).sqrt());
        (shared.len(), margin.map(|margin| (margin, "paired")))
    };
    let interval = match from_seeds {
        Some((margin, kind)) => Some((margin.max(NORMAL * least(difference).sqrt()), kind)),
        None => sampling(first, second).map(|variance| (NORMAL * variance.sqrt(), "examples")),
    };
    Difference {
        a: Some(first),
        b: Some(second),
        n,
        difference: Some(difference),
        margin: interval.map(|(margin, _)| margin),
        interval: interval.map_or("", |(_, kind)| kind),
        ..blank
    }
}

/// Half the interval of a difference of means of two groups; none when one has a single value.
fn welch(a: &[f64], b: &[f64]) -> Option<f64> {
    let (of_a, of_b) = (sd(a)?.powi(2) / a.len() as f64, sd(b)?.powi(2) / b.len() as f64);
    let variance = of_a + of_b;
    if variance == 0.0 {
        return Some(0.0);
    }
    let degrees = variance.powi(2) / (of_a.powi(2) / (a.len() - 1) as f64 + of_b.powi(2) / (b.len() - 1) as f64);
    Some(t95(degrees as usize) * variance.sqrt())
}

#[cfg(test)]
mod tests;
