//! What a selection means in a plan.

use std::collections::BTreeSet;

use super::parse::{Expression, Filter, Term, Word};
use super::{InstanceSet, SelectionError};
use crate::base::suggest;
use crate::plan::{Plan, StagePlan};
use crate::spec;

/// So many names are listed when none is near.
const LISTED: usize = 20;

impl Expression {
    /// The instances that it means.
    ///
    /// # Errors
    /// A stage, axis or value that the plan lacks, or cells that no stage has.
    pub fn apply(&self, plan: &Plan) -> Result<InstanceSet, SelectionError> {
        let mut chosen = InstanceSet::none(plan.instances.len());
        for group in &self.groups {
            let mut both = InstanceSet::all(plan.instances.len());
            for factor in group {
                let term = self.term(&factor.term, plan)?;
                both = both.and(&if factor.others { term.others() } else { term });
            }
            chosen = chosen.or(&both);
        }
        Ok(chosen)
    }

    fn term(&self, term: &Term, plan: &Plan) -> Result<InstanceSet, SelectionError> {
        let cells = self.cells(term, plan)?;
        let mut all = cells.clone();
        if let Some(depth) = term.read {
            all = all.or(&cells.with_read(plan, depth));
        }
        if let Some(depth) = term.readers {
            all = all.or(&cells.with_readers(plan, depth));
        }
        Ok(all)
    }

    /// The instances of the stages that are named, with the values that are asked for.
    fn cells(&self, term: &Term, plan: &Plan) -> Result<InstanceSet, SelectionError> {
        let named: Vec<&StagePlan> = plan.stages.iter().filter(|stage| is_like(&term.name.text, &stage.name)).collect();
        if named.is_empty() {
            return Err(self.unknown_stage(&term.name, plan));
        }
        let wanted =
            term.filters.iter().map(|filter| self.wanted(filter, &named, plan)).collect::<Result<Vec<_>, _>>()?;
        let ids = named.iter().flat_map(|stage| stage.instances.clone()).filter(|&id| {
            let coordinates = &plan.instances[id].coordinates;
            let is_wanted = |(filter, values): (&Filter, &BTreeSet<&str>)| {
                coordinates.get(&filter.axis.text).is_some_and(|value| values.contains(value.as_str()))
            };
            term.filters.iter().zip(&wanted).all(is_wanted)
        });
        let cells = InstanceSet::of(plan.instances.len(), ids);
        if cells.is_empty() {
            let help = "each value is there, but not together with the others".to_owned();
            return Err(self.error("no stage has such a cell".to_owned(), term.at.clone(), help));
        }
        Ok(cells)
    }

    /// The values that a filter asks for, as the stages that are named spell them. Of several stages, those without the
    /// axis are not meant.
    fn wanted<'a>(
        &self,
        filter: &Filter,
        named: &[&StagePlan],
        plan: &'a Plan,
    ) -> Result<BTreeSet<&'a str>, SelectionError> {
        let axis = filter.axis.text.as_str();
        let stages: Vec<&&StagePlan> = named.iter().filter(|stage| stage.axes.iter().any(|own| own == axis)).collect();
        if stages.is_empty() {
            return Err(self.unknown_axis(&filter.axis, named));
        }
        let mut known: Vec<&str> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for id in stages.iter().flat_map(|stage| stage.instances.clone()) {
            let value = plan.instances[id].coordinates.get(axis).map(String::as_str);
            known.extend(value.filter(|value| seen.insert(value)));
        }
        let find = |word: &Word| {
            let spelled = || spec::spelling(&word.text);
            let found = seen.get(word.text.as_str()).copied();
            let found = found.or_else(|| seen.get(spelled()?.as_str()).copied());
            found.ok_or_else(|| {
                let message = format!("`{}` is no value of the axis `{axis}`", word.text);
                self.error(message, word.at.clone(), advice(&word.text, &known, &format!("`{axis}` has the values")))
            })
        };
        filter.values.iter().map(find).collect()
    }

    fn unknown_stage(&self, name: &Word, plan: &Plan) -> SelectionError {
        let stages: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        let message = match name.text.contains('*') {
            true => format!("no stage has a name like `{}`", name.text),
            false => format!("there is no stage `{}`", name.text),
        };
        // A stage of an included pipeline is named with that pipeline.
        let inside = format!(".{}", name.text);
        let included: Vec<&str> = stages.iter().copied().filter(|stage| stage.ends_with(&inside)).collect();
        let help = match included.is_empty() {
            true => advice(&name.text, &stages, "the stages are"),
            false => format!("included pipelines have {}", listed(&included)),
        };
        self.error(message, name.at.clone(), help)
    }

    fn unknown_axis(&self, axis: &Word, named: &[&StagePlan]) -> SelectionError {
        let mut axes: Vec<&str> = named.iter().flat_map(|stage| stage.axes.iter().map(String::as_str)).collect();
        let mut seen = BTreeSet::new();
        axes.retain(|axis| seen.insert(*axis));
        let (message, have) = match named {
            [stage] => (format!("the stage `{}` has no axis `{}`", stage.name, axis.text), "it has the axes"),
            _ => {
                (format!("none of the {} stages meant has an axis `{}`", named.len(), axis.text), "they have the axes")
            }
        };
        let help = match axes.is_empty() {
            true => "leave the brackets out".to_owned(),
            false => advice(&axis.text, &axes, have),
        };
        self.error(message, axis.at.clone(), help)
    }

    fn error(&self, message: String, at: std::ops::Range<usize>, help: String) -> SelectionError {
        SelectionError { message, expression: self.text.clone(), at, help: Some(help) }
    }
}

/// Whether `name` is `pattern`, in which each `*` stands for any characters.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else { return name == pattern };
    let Some(inside) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    // The leftmost place for each part leaves the most room for the next.
    let mut rest = inside;
    parts.all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// The nearest name, and what there is.
fn advice(typed: &str, known: &[&str], are: &str) -> String {
    let all = format!("{are} {}", listed(known));
    match suggest::nearest(typed, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    }
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, name, fits) in [
            ("fit", "fit", true),
            ("fit", "fit_pt", false),
            ("fit*", "fit", true),
            ("*", "tables.fit", true),
            ("tables.*", "tables.fit", true),
            ("*.fit", "fit", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*b*b*", "abcb", true),
            ("*b*b*", "abc", false),
            ("**", "", true),
        ] {
            assert_eq!(is_like(pattern, name), fits, "{pattern} {name}");
        }
    }
}
