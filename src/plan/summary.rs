//! A plan in a few lines: for each stage how much is there, and which part of its axes has to run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::assess::State;
use super::instance::{Instance, Plan, StagePlan};

/// A description of instances by axes has no more parts than this; otherwise some of them are named.
const MOST_PARTS: usize = 3;

/// So many instances are named when no short description fits.
const NAMED: usize = 3;

/// Where one stage stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageSummary {
    /// The stage's name.
    pub stage: String,
    /// Its operation.
    pub operation: String,
    /// All instances.
    pub total: usize,
    /// Those whose result is there.
    pub cached: usize,
    /// Those that run, and which they are.
    pub to_run: Part,
    /// Those that run only if something that they read turns out to be changed.
    pub may_run: Part,
    /// Why, with the number of instances that have this reason; the most frequent first.
    pub reasons: Vec<(String, usize)>,
}

/// Some instances of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// How many.
    pub count: usize,
    /// Which, by their axes: `method=scp`; empty when they are all instances of the stage.
    pub cells: String,
}

/// Where each stage of the plan stands, in the plan's order.
pub fn summarize(plan: &Plan, states: &[State]) -> Vec<StageSummary> {
    plan.stages
        .iter()
        .map(|stage| {
            let instances = &plan.instances[stage.instances.clone()];
            let states = &states[stage.instances.clone()];
            let part = |chosen: &dyn Fn(&State) -> bool| {
                let chosen: Vec<bool> = states.iter().map(chosen).collect();
                let count = chosen.iter().filter(|chosen| **chosen).count();
                Part { count, cells: describe(stage, instances, &chosen) }
            };
            StageSummary {
                stage: stage.name.clone(),
                operation: stage.operation.clone(),
                total: instances.len(),
                cached: states.iter().filter(|state| state.output().is_some()).count(),
                to_run: part(&|state| state.output().is_none() && !state.may_be_unchanged()),
                may_run: part(&State::may_be_unchanged),
                reasons: reasons(states),
            }
        })
        .collect()
}

/// The summary as aligned lines, one for each stage, with the reasons below it, indented.
pub fn lines(summary: &[StageSummary]) -> Vec<String> {
    let width = |text: fn(&StageSummary) -> &str| summary.iter().map(|stage| text(stage).len()).max().unwrap_or(0);
    let (stages, operations) = (width(|stage| &stage.stage), width(|stage| &stage.operation));
    let mut lines = Vec::new();
    for stage in summary {
        lines.push(format!("{:stages$}  {:operations$}  {stage}", stage.stage, stage.operation));
        for (reason, count) in &stage.reasons {
            let times = if stage.total > 1 { format!(" ({count})") } else { String::new() };
            lines.push(format!("{:stages$}    {reason}{times}", ""));
        }
    }
    lines
}

impl fmt::Display for StageSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} cached", self.cached, self.total)?;
        for (part, doing) in [(&self.to_run, "to run"), (&self.may_run, "may run")] {
            if part.count > 0 {
                write!(f, "; {} {doing}", part.count)?;
            }
            if !part.cells.is_empty() {
                write!(f, ": {}", part.cells)?;
            }
        }
        Ok(())
    }
}

fn reasons(states: &[State]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for state in states {
        if let State::Run { reasons, .. } = state {
            let sentences: BTreeSet<String> = reasons.iter().map(ToString::to_string).collect();
            for sentence in sentences {
                *counts.entry(sentence).or_default() += 1;
            }
        }
    }
    let mut reasons: Vec<(String, usize)> = counts.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons
}

/// The chosen instances of a stage by their axes: `method=scp, seed=1|2`; empty when they are all or none.
pub fn describe(stage: &StagePlan, instances: &[Instance], chosen: &[bool]) -> String {
    let cells: Vec<Cell<'_>> = instances.iter().zip(chosen).map(|(instance, chosen)| (instance, *chosen)).collect();
    let wanted: Vec<&Instance> = cells.iter().filter(|(_, chosen)| *chosen).map(|(instance, _)| *instance).collect();
    if wanted.is_empty() || wanted.len() == cells.len() {
        return String::new();
    }
    if let Some(parts) = parts(&stage.axes, cells) {
        return parts.join(" and ");
    }
    let names: Vec<String> = wanted.iter().take(NAMED).map(|instance| format!("`{}`", instance.label)).collect();
    match wanted.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// An instance, and whether it is chosen.
type Cell<'a> = (&'a Instance, bool);

/// Covers the chosen cells by at most [`MOST_PARTS`] products of axis values, if that can be done by taking away one
/// product after the other.
fn parts(axes: &[String], mut cells: Vec<Cell<'_>>) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    while cells.iter().any(|(_, chosen)| *chosen) {
        if parts.len() == MOST_PARTS {
            return None;
        }
        if let Some(product) = product(axes, &cells) {
            parts.push(product);
            break;
        }
        let (axis, values) = axes
            .iter()
            .map(|axis| (axis, whole_values(axis, &cells)))
            .filter(|(_, values)| !values.is_empty())
            .max_by_key(|(axis, values)| cells.iter().filter(|(i, _)| values.contains(&value(i, axis))).count())?;
        let part = listed(axis, &values);
        cells.retain(|(instance, _)| !values.contains(&value(instance, axis)));
        parts.push(part);
    }
    Some(parts)
}

/// The chosen cells as one product of axis values, if they are one: `method=scp, seed=1|2`.
fn product(axes: &[String], cells: &[Cell<'_>]) -> Option<String> {
    let mut restricted: Vec<(&String, Vec<&str>)> = Vec::new();
    for axis in axes {
        let all = values(axis, cells.iter());
        let chosen = values(axis, cells.iter().filter(|(_, chosen)| *chosen));
        if chosen.len() < all.len() {
            restricted.push((axis, chosen));
        }
    }
    let inside = |instance: &Instance| restricted.iter().all(|(axis, values)| values.contains(&value(instance, axis)));
    let whole = cells.iter().all(|(instance, chosen)| *chosen == inside(instance));
    whole.then(|| restricted.iter().map(|(axis, values)| listed(axis, values)).collect::<Vec<_>>().join(", "))
}

/// The values of `axis` all of whose cells are chosen.
fn whole_values<'a>(axis: &str, cells: &[Cell<'a>]) -> Vec<&'a str> {
    let spoiled: BTreeSet<&str> =
        cells.iter().filter(|(_, chosen)| !chosen).map(|(instance, _)| value(instance, axis)).collect();
    values(axis, cells.iter()).into_iter().filter(|value| !spoiled.contains(value)).collect()
}

/// The values of `axis` among `cells`, in the order in which they come, each once.
fn values<'a, 'c>(axis: &str, cells: impl Iterator<Item = &'c Cell<'a>>) -> Vec<&'a str>
where
    'a: 'c,
{
    let mut seen = BTreeSet::new();
    cells.map(|(instance, _)| value(instance, axis)).filter(|value| seen.insert(*value)).collect()
}

fn value<'a>(instance: &'a Instance, axis: &str) -> &'a str {
    instance.coordinates.get(axis).map_or("", String::as_str)
}

fn listed(axis: &str, values: &[&str]) -> String {
    format!("{axis}={}", values.join("|"))
}

#[cfg(test)]
mod tests {
    use super::{describe, lines, summarize};
    use crate::base::Digest;
    use crate::plan::assess::State;
    use crate::plan::instance::tests::small;
    use crate::plan::instance::{Instance, StagePlan};
    use crate::plan::matrix::Table;
    use crate::plan::matrix::tests::axis;
    use crate::plan::reason::Reason;

    /// A stage with a 2 x 2 x 3 matrix.
    fn stage() -> (StagePlan, Vec<Instance>) {
        let axes = vec![axis("m", &["spp", "scp"]), axis("i", &["none", "mnli"]), axis("s", &["1", "2", "3"])];
        let table = Table::product(axes, &[]);
        let template = &small().instances[0];
        let instance = |id: usize| Instance {
            id,
            label: table.name("fit", &table.rows[id]),
            coordinates: table.coordinates(&table.rows[id]),
            ..template.clone()
        };
        let instances: Vec<Instance> = (0..table.rows.len()).map(instance).collect();
        let stage = StagePlan {
            name: "fit".into(),
            title: None,
            operation: "train".into(),
            axes: ["m", "i", "s"].map(str::to_owned).to_vec(),
            instances: 0..instances.len(),
        };
        (stage, instances)
    }

    fn described(chosen: impl Fn(&Instance) -> bool) -> String {
        let (stage, instances) = stage();
        let chosen: Vec<bool> = instances.iter().map(chosen).collect();
        describe(&stage, &instances, &chosen)
    }

    #[test]
    fn parts_are_named_by_their_axes() {
        let is = |instance: &Instance, axis: &str, text: &str| instance.coordinates[axis] == text;
        assert_eq!(described(|_| true), "");
        assert_eq!(described(|_| false), "");
        assert_eq!(described(|x| is(x, "m", "scp")), "m=scp");
        assert_eq!(described(|x| is(x, "m", "scp") && !is(x, "s", "2")), "m=scp, s=1|3");
        assert_eq!(described(|x| is(x, "m", "scp") || is(x, "s", "2")), "m=scp and s=2");
        assert_eq!(described(|x| x.id == 4), "m=spp, i=mnli, s=2");
        assert_eq!(
            described(|x| [0, 4, 8, 9, 1].contains(&x.id)),
            "`fit[m=spp,i=none,s=1]`, `fit[m=spp,i=none,s=2]`, `fit[m=spp,i=mnli,s=2]` and 2 more"
        );
    }

    #[test]
    fn the_lines_of_a_plan() {
        let plan = small();
        let cached = State::Cached { key: Digest::of(b"k"), output: Digest::of(b"o") };
        let upstream = Reason::Upstream { stages: [("fit".to_owned(), 1)].into() };
        let states = vec![
            cached.clone(),
            cached.clone(),
            cached,
            State::Run { key: Some(Digest::of(b"x")), certain: true, reasons: vec![Reason::NeverRun] },
            State::Run { key: None, certain: false, reasons: vec![upstream] },
        ];
        assert_eq!(
            lines(&summarize(&plan, &states)),
            [
                "data   make_data   2 of 2 cached",
                "fit    make_fit    1 of 2 cached; 1 to run: method=scp",
                "         it has never run (1)",
                "table  make_table  0 of 1 cached; 1 may run",
                "         it waits for `fit`, and its result may turn out to be there",
            ]
        );
    }
}
