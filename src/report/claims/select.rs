//! From a claim's words to numbers: which cells each term means, and with which coefficient each cell counts.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answers, Cell, DEFAULTS};
use super::parse::{Selection, Statement, Term};
use super::{Across, ReportError};
use crate::base::suggest;
use crate::report::{TASK, quoted};

/// What is scored on a resample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A cell of [`Answers`].
    Cell(usize),
    /// The most frequent gold text of a task.
    Chance(usize),
}

/// A claim's left side minus its right one, without its numbers, as a weighted sum of scores for each seed. The effect is
/// the mean over the seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrast {
    /// For each seed what is summed.
    pub seeds: Vec<Vec<(Place, f64)>>,
}

/// The values of the axes that a claim is checked at.
pub type At = BTreeMap<String, String>;

/// Whether two spellings mean one axis value: `0.00001` and `1e-5` do.
fn same(a: &str, b: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    a == b || number(a).is_some_and(|a| number(b) == Some(a))
}

/// Every place that a claim is checked at: one without axes, or each combination of the values of `across`.
///
/// # Errors
/// An axis or a value that no cell has.
pub fn places(answers: &Answers, across: &Across) -> Result<Vec<At>, ReportError> {
    let mut places = vec![At::new()];
    for (axis, wanted) in &across.0 {
        check_axis(answers, axis, "`for`")?;
        let values = match wanted {
            None => answers.values(axis),
            Some(wanted) => wanted.iter().map(|value| known_value(answers, axis, value)).collect::<Result<_, _>>()?,
        };
        let with = |place: &At, value: &str| {
            let mut place = place.clone();
            place.insert(axis.clone(), value.to_owned());
            place
        };
        places = places.iter().flat_map(|place| values.iter().map(move |value| with(place, value))).collect();
    }
    Ok(places)
}

/// Works out a claim at one place.
///
/// # Errors
/// A term names an axis or a value that no cell has, or chooses nothing; the terms are about different tasks without
/// saying so; they have no seed in common.
pub fn contrast(
    answers: &Answers,
    statement: &Statement,
    at: &At,
    seed_axes: &[String],
) -> Result<Contrast, ReportError> {
    let mut means = Vec::new();
    for (sign, term) in statement.terms() {
        if let Term::Mean(selection) = term {
            means.push((sign, selection, Groups::of(answers, choose(answers, selection, at)?, seed_axes)));
        }
    }
    let tasks = common_tasks(answers, &means)?;
    let seeds = common_seeds(&means)?;
    let mut sums: Vec<BTreeMap<Place, f64>> = vec![BTreeMap::new(); seeds.len()];
    for (sign, _, groups) in &means {
        for (sum, seed) in sums.iter_mut().zip(&seeds) {
            for (place, coefficient) in groups.coefficients(seed) {
                *sum.entry(place).or_default() += sign * coefficient;
            }
        }
    }
    for (sign, _) in statement.terms().filter(|(_, term)| matches!(term, Term::Chance)) {
        let Some(tasks) = &tasks else {
            return Err(ReportError::layout(
                "`chance` has no meaning where the terms of a claim are about different tasks",
                "write the same `task=` in every `mean(...)` of the claim",
            ));
        };
        for sum in &mut sums {
            for &task in tasks {
                *sum.entry(Place::Chance(task)).or_default() += sign / tasks.len() as f64;
            }
        }
    }
    Ok(Contrast { seeds: sums.into_iter().map(|sum| sum.into_iter().collect()).collect() })
}

/// Seed -> cell. The seed of a cell without the axes of seeds is empty.
type Seeds = BTreeMap<Vec<String>, usize>;

/// The cells of one term: task -> what is repeated (a cell's coordinates without seed and task) -> its seeds.
struct Groups(BTreeMap<usize, BTreeMap<Vec<String>, Seeds>>);

impl Groups {
    fn of(answers: &Answers, cells: Vec<usize>, seed_axes: &[String]) -> Self {
        let mut groups = Self(BTreeMap::new());
        for position in cells {
            let cell = &answers.cells[position];
            let is_seed = |axis: &String| seed_axes.contains(axis);
            let seed = seed_axes.iter().filter_map(|axis| cell.on(axis)).map(str::to_owned).collect();
            let rest = cell.coordinates.iter().filter(|(axis, _)| !is_seed(axis) && *axis != TASK);
            let series = rest.map(|(axis, value)| format!("{axis}={value}")).collect();
            groups.0.entry(cell.task).or_default().entry(series).or_default().insert(seed, position);
        }
        groups
    }

    /// The mean over tasks of the mean over what is repeated, at one seed.
    fn coefficients<'a>(&'a self, seed: &'a [String]) -> impl Iterator<Item = (Place, f64)> + 'a {
        self.0.values().flat_map(move |series| {
            let share = 1.0 / (self.0.len() * series.len()) as f64;
            let cell = |seeds: &Seeds| seeds.get(seed).or_else(|| seeds.get(&[][..])).copied();
            series.values().filter_map(cell).map(move |cell| (Place::Cell(cell), share))
        })
    }

    /// The seeds of everything that is repeated; cells without a seed go with any.
    fn seeds(&self) -> impl Iterator<Item = BTreeSet<&Vec<String>>> {
        let all = self.0.values().flat_map(BTreeMap::values);
        all.filter(|seeds| !seeds.contains_key(&[][..])).map(|seeds| seeds.keys().collect())
    }
}

/// The tasks that all terms are about; `None` where every term names its own.
fn common_tasks(answers: &Answers, means: &[(f64, &Selection, Groups)]) -> Result<Option<Vec<usize>>, ReportError> {
    let tasks = |groups: &Groups| groups.0.keys().copied().collect::<Vec<_>>();
    let Some((_, first, groups)) = means.first() else { return Ok(None) };
    let of_first = tasks(groups);
    let Some((_, other, groups)) = means.iter().find(|(_, _, groups)| tasks(groups) != of_first) else {
        return Ok(Some(of_first));
    };
    let names_task = |selection: &Selection| selection.choices.iter().any(|(axis, _)| axis == TASK);
    if means.iter().all(|(_, selection, _)| names_task(selection)) {
        return Ok(None);
    }
    let names = |tasks: &[usize]| quoted(tasks.iter().map(|&task| &answers.tasks[task].name));
    Err(ReportError::layout(
        format!(
            "`{}` is over the tasks {}, but `{}` over {}",
            first.text,
            names(&of_first),
            other.text,
            names(&tasks(groups))
        ),
        "write `task=` in every `mean(...)` of the claim; with the same tasks they can be compared",
    ))
}

fn common_seeds(means: &[(f64, &Selection, Groups)]) -> Result<Vec<Vec<String>>, ReportError> {
    let mut all = means.iter().flat_map(|(_, _, groups)| groups.seeds());
    let Some(first) = all.next() else { return Ok(vec![Vec::new()]) };
    let common = all.fold(first, |common, seeds| common.intersection(&seeds).copied().collect());
    if common.is_empty() {
        return Err(ReportError::layout(
            "its terms have no seed in common",
            "compare what was trained with the same seeds: differences are taken seed by seed",
        ));
    }
    Ok(common.into_iter().cloned().collect())
}

/// The cells that a term means at a place. What the term names wins over the place; the place narrows only cells that
/// have its axes; an axis that neither names has its default, if it has one.
fn choose(answers: &Answers, selection: &Selection, at: &At) -> Result<Vec<usize>, ReportError> {
    let named = |axis: &str| selection.choices.iter().any(|(name, _)| name == axis);
    for (axis, values) in &selection.choices {
        check_axis(answers, axis, &format!("`{}`", selection.text))?;
        for value in values {
            known_value(answers, axis, value)?;
        }
    }
    let mut chosen: Vec<usize> = (0..answers.cells.len()).collect();
    let defaults = DEFAULTS.iter().filter(|(axis, _)| !named(axis) && !at.contains_key(*axis));
    let written = selection.choices.iter().map(|(axis, values)| (axis.as_str(), values.clone(), true));
    let place =
        at.iter().filter(|(axis, _)| !named(axis)).map(|(axis, value)| (axis.as_str(), vec![value.clone()], false));
    let defaults = defaults.map(|(axis, value)| (*axis, vec![(*value).to_owned()], false));
    for (axis, values, must_have) in written.chain(place).chain(defaults) {
        let fits = |cell: &Cell| match cell.on(axis) {
            Some(value) => values.iter().any(|wanted| same(wanted, value)),
            None => !must_have,
        };
        let narrowed: Vec<usize> = chosen.iter().copied().filter(|&cell| fits(&answers.cells[cell])).collect();
        if narrowed.is_empty() {
            return Err(nothing(answers, selection, at, axis, &chosen));
        }
        chosen = narrowed;
    }
    Ok(chosen)
}

/// A term chooses nothing: which values the last axis has among what was left before it.
fn nothing(answers: &Answers, selection: &Selection, at: &At, axis: &str, before: &[usize]) -> ReportError {
    let values: BTreeSet<&str> = before.iter().filter_map(|&cell| answers.cells[cell].on(axis)).collect();
    let there = match values.is_empty() {
        true => format!("what it chooses has no axis `{axis}`"),
        false => format!("what it chooses has {} on the axis `{axis}`", quoted(&values)),
    };
    let place = if at.is_empty() { String::new() } else { format!(" at {}", shown(at)) };
    ReportError::layout(
        format!("`{}` chooses nothing{place}: {there}", selection.text),
        format!("write `{axis}=` with a value that is there, or let the stage read the evaluations that are missing"),
    )
}

/// A place as people read it: `k=16 task=rte`.
pub fn shown(at: &At) -> String {
    at.iter().map(|(axis, value)| format!("{axis}={value}")).collect::<Vec<_>>().join(" ")
}

/// Whether some cell has the axis.
///
/// # Errors
/// None has it.
pub fn check_axis(answers: &Answers, axis: &str, place: &str) -> Result<(), ReportError> {
    if answers.axes.iter().any(|known| known == axis) {
        return Ok(());
    }
    let message = format!("{place} names the axis `{axis}`, but the evaluations have {}", quoted(&answers.axes));
    Err(match suggest::nearest(axis, answers.axes.iter().map(String::as_str)) {
        Some(near) => ReportError::layout(message, format!("did you mean `{near}`?")),
        None => ReportError::layout(message, "name one of these, or let the stage read evaluations that have it"),
    })
}

/// The value as cells spell it.
fn known_value<'a>(answers: &'a Answers, axis: &str, value: &str) -> Result<&'a str, ReportError> {
    let values = answers.values(axis);
    values.iter().find(|known| same(known, value)).copied().ok_or_else(|| {
        let message = format!("the axis `{axis}` has no value `{value}`; it has {}", quoted(&values));
        match suggest::nearest(value, values) {
            Some(near) => ReportError::layout(message, format!("did you mean `{near}`?")),
            None => ReportError::layout(message, "name one of these, or let the stage read evaluations that have it"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::answers::tests::answers;
    use super::*;

    /// Two methods, two seeds, tasks `a` and `b`; one more method without seeds on `a` alone.
    fn sample() -> Answers {
        let mut cells = Vec::new();
        for method in ["spp", "pt"] {
            for seed in ["1", "2"] {
                for task in ["a", "b"] {
                    for prompt in ["learned", "untrained"] {
                        cells.push(format!("method={method} seed={seed} task={task} prompt={prompt}"));
                    }
                }
            }
        }
        cells.push("method=zero task=a prompt=learned".to_owned());
        let cells: Vec<(&str, &[bool])> = cells.iter().map(|axes| (axes.as_str(), &[true, false][..])).collect();
        answers(&cells)
    }

    fn of(text: &str, at: &[(&str, &str)]) -> Result<Contrast, ReportError> {
        let at = at.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect();
        contrast(&sample(), &Statement::parse(text).unwrap(), &at, &["seed".to_owned()])
    }

    /// What is summed at the first seed, by the names of the cells.
    fn summed(text: &str, at: &[(&str, &str)]) -> Vec<(String, f64)> {
        let answers = sample();
        let name = |place: &Place| match place {
            Place::Cell(cell) => ["method", "task"].map(|axis| answers.cells[*cell].on(axis).unwrap_or("-")).join(" "),
            Place::Chance(task) => format!("chance {}", answers.tasks[*task].name),
        };
        of(text, at).unwrap().seeds[0].iter().map(|(place, coefficient)| (name(place), *coefficient)).collect()
    }

    fn expected(sums: &[(&str, f64)]) -> Vec<(String, f64)> {
        sums.iter().map(|(name, coefficient)| ((*name).to_owned(), *coefficient)).collect()
    }

    #[test]
    fn tasks_weigh_the_same_and_defaults_hold() {
        // Learned prompts only, although untrained ones are there.
        assert_eq!(
            summed("mean(method=spp) > mean(method=pt) + 3", &[]),
            expected(&[("spp a", 0.5), ("spp b", 0.5), ("pt a", -0.5), ("pt b", -0.5)])
        );
        assert_eq!(
            summed("mean(method=spp) > chance", &[("task", "b")]),
            expected(&[("spp b", 1.0), ("chance b", -1.0)])
        );
        // Two methods on one task: half each, as many as there are.
        assert_eq!(summed("mean(task=b, method=[spp, pt]) < 10", &[]), expected(&[("spp b", 0.5), ("pt b", 0.5)]));
    }

    #[test]
    fn what_a_term_names_wins_over_the_place() {
        assert_eq!(
            summed("mean(method=spp) > mean(method=spp, task=a)", &[("task", "a")]),
            expected(&[("spp a", 0.0)])
        );
        let there = summed("mean(method=spp, task=b) > mean(method=spp, task=a)", &[("task", "a")]);
        assert_eq!(there, expected(&[("spp a", -1.0), ("spp b", 1.0)]));
    }

    #[test]
    fn seeds_are_paired_and_cells_without_one_go_with_any() {
        assert_eq!(of("mean(method=spp) > 3", &[]).unwrap().seeds.len(), 2);
        assert_eq!(of("mean(method=zero) > 3", &[]).unwrap().seeds.len(), 1);
        assert_eq!(of("mean(method=spp, task=a) > mean(method=zero, task=a)", &[]).unwrap().seeds.len(), 2);
        let apart = of("mean(method=spp, seed=1) > mean(method=spp, seed=2)", &[]).unwrap_err();
        assert_eq!(apart.to_string(), "its terms have no seed in common");
    }

    #[test]
    fn faults_say_what_there_is() {
        let said = |text: &str, at: &[(&str, &str)]| {
            let error = of(text, at).unwrap_err();
            format!("{error} | {}", error.hint().unwrap_or_default())
        };
        assert_eq!(
            said("mean(methd=spp) > 3", &[]),
            "`mean(methd=spp)` names the axis `methd`, but the evaluations have `method`, `prompt`, `seed`, `task` | did \
             you mean `method`?"
        );
        assert_eq!(
            said("mean(method=sppp) > 3", &[]),
            "the axis `method` has no value `sppp`; it has `spp`, `pt`, `zero` | did you mean `spp`?"
        );
        assert_eq!(
            said("mean(method=zero) > 3", &[("task", "b")]),
            "`mean(method=zero)` chooses nothing at task=b: what it chooses has `a` on the axis `task` | write `task=` \
             with a value that is there, or let the stage read the evaluations that are missing"
        );
        assert_eq!(
            said("mean(method=zero, seed=1) > 3", &[]),
            "`mean(method=zero, seed=1)` chooses nothing: what it chooses has no axis `seed` | write `seed=` with a value \
             that is there, or let the stage read the evaluations that are missing"
        );
        assert!(said("mean(method=spp) > mean(method=zero)", &[]).starts_with(
            "`mean(method=spp)` is over the tasks `a`, `b`, but `mean(method=zero)` over `a` | write `task=`"
        ));
        assert!(said("mean(task=a) - mean(task=b) > chance", &[]).starts_with("`chance` has no meaning"));
    }

    #[test]
    fn places_are_the_values_or_those_that_are_named() {
        let across = |axis: &str, values: Option<&[&str]>| {
            let values = values.map(|values| values.iter().map(|value| (*value).to_owned()).collect());
            places(&sample(), &Across([(axis.to_owned(), values)].into()))
                .map(|places| places.iter().map(shown).collect::<Vec<_>>())
        };
        assert_eq!(places(&sample(), &Across::default()).unwrap(), [At::new()]);
        assert_eq!(across("method", None).unwrap(), ["method=spp", "method=pt", "method=zero"]);
        assert_eq!(across("seed", Some(&["2.0", "1"])).unwrap(), ["seed=2", "seed=1"]);
        assert!(across("tsak", None).unwrap_err().to_string().starts_with("`for` names the axis `tsak`"));
        assert!(across("task", Some(&["c"])).unwrap_err().to_string().starts_with("the axis `task` has no value `c`"));
    }
}
