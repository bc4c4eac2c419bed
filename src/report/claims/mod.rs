//! Statements about results, checked: the effect, how sure it is over seeds and test examples, and what follows.
//!
//! [`parse`] reads a claim, [`answers`] the evaluations, [`select`] brings the two together, [`bootstrap`] draws resamples,
//! [`verdict`] decides; [`sheet`] and [`screen`] are what people read.

use std::collections::BTreeMap;

use super::ReportError;

pub mod answers;
pub mod bootstrap;
pub mod parse;
pub mod scored;
pub mod screen;
pub mod select;
pub mod sheet;
pub mod verdict;

use answers::Answers;
use parse::{Relation, Statement};
use verdict::{Outcome, SeedsNeeded, Verdict};

/// Axes over whose values a claim is checked; `None` for all values that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Across(pub BTreeMap<String, Option<Vec<String>>>);

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Its short name.
    pub name: String,
    /// Where it is from, for example the section of a paper; may be empty.
    pub section: String,
    /// In words; may be empty.
    pub says: String,
    /// As an expression, as it was written.
    pub expect: String,
    /// The expression.
    pub statement: Statement,
    /// At which places it must hold.
    pub across: Across,
}

/// A claim at one place, checked: a row of `claims.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The claim's name.
    pub name: String,
    /// Where it is from.
    pub section: String,
    /// In words.
    pub says: String,
    /// As an expression.
    pub expect: String,
    /// The place: `k=16`; empty for a claim without places.
    pub at: String,
    /// Left minus right, in points; without the numbers of the expression, unless its relation is `~`.
    pub effect: f64,
    /// Where the 95 % interval of the effect begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// What the effect is compared with.
    pub margin: f64,
    /// What follows.
    pub outcome: Outcome,
    /// Over how many seeds.
    pub seeds: usize,
    /// How many seeds would decide it.
    pub seeds_needed: SeedsNeeded,
}

/// Checks claims on answers.
///
/// # Errors
/// Everything that is wrong with any of the claims, in one message; see [`select::contrast`].
pub fn check(
    answers: &Answers,
    claims: &[Claim],
    seed_axes: &[String],
    resamples: usize,
) -> Result<Vec<Checked>, ReportError> {
    let mut faults: Vec<(String, ReportError)> = Vec::new();
    let axes = seed_axes.iter().try_for_each(|axis| select::check_axis(answers, axis, "`seeds`"));
    if let Err(fault) = axes {
        faults.push((String::new(), fault));
    }
    let mut places = Vec::new();
    let mut contrasts = Vec::new();
    for claim in claims {
        let mut work = || {
            for at in select::places(answers, &claim.across)? {
                contrasts.push(select::contrast(answers, &claim.statement, &at, seed_axes)?);
                places.push((claim, at));
            }
            Ok(())
        };
        if let Err(fault) = work() {
            faults.push((format!("claim `{}`: ", claim.name), fault));
        }
    }
    if !faults.is_empty() {
        return Err(together(&faults));
    }
    let resampled = bootstrap::resample(answers, &contrasts, resamples);
    let rows = places.iter().zip(&resampled).map(|((claim, at), resampled)| {
        let number = claim.statement.number();
        // For `~` the numbers shift the effect; otherwise they are what it is compared with. Subtracting from a positive
        // zero, so that no number is not a negative zero.
        let (shift, margin) = match claim.statement.relation {
            Relation::Within(margin) => (number, margin),
            Relation::Above | Relation::Below => (0.0, 0.0 - number),
        };
        let verdict = Verdict::of(claim.statement.relation, margin, shift, resampled);
        Checked {
            name: claim.name.clone(),
            section: claim.section.clone(),
            says: claim.says.clone(),
            expect: claim.expect.clone(),
            at: select::shown(at),
            effect: verdict.effect,
            low: verdict.low,
            high: verdict.high,
            margin,
            outcome: verdict.outcome,
            seeds: resampled.seeds.len(),
            seeds_needed: verdict.seeds_needed,
        }
    });
    Ok(rows.collect())
}

/// Several faults as one, each on a line.
fn together(faults: &[(String, ReportError)]) -> ReportError {
    let messages: Vec<String> = faults.iter().map(|(place, fault)| format!("{place}{fault}")).collect();
    let mut hints: Vec<&str> = faults.iter().filter_map(|(_, fault)| fault.hint()).collect();
    hints.dedup();
    let hint = (!hints.is_empty()).then(|| hints.join("\n"));
    ReportError::Layout { message: messages.join("\n"), hint }
}

/// What becomes of a claim over all its places: it fails when it fails at one, and passes when it passes at all.
pub fn outcome<'a>(rows: impl IntoIterator<Item = &'a Checked>) -> Outcome {
    rows.into_iter().map(|row| row.outcome).max().unwrap_or(Outcome::Undecided)
}

/// The rows of each claim, in order.
pub fn by_claim(rows: &[Checked]) -> impl Iterator<Item = &[Checked]> {
    rows.chunk_by(|a, b| a.name == b.name)
}

#[cfg(test)]
mod tests {
    use super::answers::tests::answers;
    use super::*;

    fn claim(name: &str, expect: &str, across: &[&str]) -> Claim {
        Claim {
            name: name.to_owned(),
            section: "4.1".to_owned(),
            says: String::new(),
            expect: expect.to_owned(),
            statement: Statement::parse(expect).unwrap(),
            across: Across(across.iter().map(|axis| ((*axis).to_owned(), None)).collect()),
        }
    }

    fn right(of: usize, right: usize) -> Vec<bool> {
        (0..of).map(|i| i < right).collect()
    }

    #[test]
    fn effects_by_hand() {
        // `pt`: 50 and 60 % of 10 examples; `spp`: 80 and 90 %: 85 - 55 = 30 points.
        let cells = [("method=spp seed=1 task=a", 8), ("method=spp seed=2 task=a", 9)];
        let cells = cells.into_iter().chain([("method=pt seed=1 task=a", 5), ("method=pt seed=2 task=a", 6)]);
        let cells: Vec<(&str, Vec<bool>)> = cells.map(|(axes, n)| (axes, right(10, n))).collect();
        let cells: Vec<(&str, &[bool])> = cells.iter().map(|(axes, right)| (*axes, right.as_slice())).collect();
        let claims = [
            claim("above", "mean(method=spp) > mean(method=pt) + 5", &[]),
            claim("below", "mean(method=spp) - 5 < mean(method=pt)", &[]),
            claim("near", "mean(method=spp) ~ mean(method=pt) + 28 within 90", &[]),
            claim("chance", "mean() > chance + 1", &["method"]),
        ];
        let rows = check(&answers(&cells), &claims, &["seed".to_owned()], 400).unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(rows[0].effect, 30.0) && close(rows[0].margin, 5.0), "{:?}", rows[0]);
        assert!(close(rows[1].effect, 30.0) && close(rows[1].margin, 5.0), "{:?}", rows[1]);
        assert!(close(rows[2].effect, 2.0) && close(rows[2].margin, 90.0), "{:?}", rows[2]);
        // The most frequent gold text is half of the examples.
        assert!(close(rows[3].effect, 35.0) && rows[3].at == "method=spp", "{:?}", rows[3]);
        assert!(close(rows[4].effect, 5.0) && rows[4].at == "method=pt", "{:?}", rows[4]);
        assert_eq!(rows.iter().map(|row| row.seeds).collect::<Vec<_>>(), [2; 5]);
        assert_eq!(rows[2].outcome, Outcome::Pass);
        assert_eq!(by_claim(&rows).map(outcome).count(), 4);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let cells = answers(&[("method=spp seed=1 task=a", &[true])]);
        let claims = [claim("one", "mean(k=3) > 1", &[]), claim("two", "mean() > 1", &["method", "kk"])];
        let error = check(&cells, &claims, &["sede".to_owned()], 100).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`seeds` names the axis `sede`, but the evaluations have `method`, `seed`, `task`\n\
             claim `one`: `mean(k=3)` names the axis `k`, but the evaluations have `method`, `seed`, `task`\n\
             claim `two`: `for` names the axis `kk`, but the evaluations have `method`, `seed`, `task`"
        );
        assert!(error.hint().unwrap().starts_with("did you mean `seed`?\n"));
    }

    #[test]
    fn one_failure_fails_a_claim_and_one_doubt_leaves_it_undecided() {
        use Outcome::{Fail, Pass, Undecided};
        let cells = answers(&[("method=spp task=a", &[true, false])]);
        let row = check(&cells, &[claim("x", "mean() > 1", &[])], &[], 100).unwrap().remove(0);
        let of = |outcomes: &[Outcome]| {
            let rows: Vec<Checked> = outcomes.iter().map(|&outcome| Checked { outcome, ..row.clone() }).collect();
            outcome(&rows)
        };
        assert_eq!((of(&[Pass, Pass]), of(&[Pass, Undecided]), of(&[Undecided, Fail, Pass])), (Pass, Undecided, Fail));
    }
}
