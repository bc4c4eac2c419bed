//! Checked claims as `claims.csv` and `claims.md`.

use std::path::Path;

use polars::prelude::DataFrame;

use super::parse::{Relation, Statement};
use super::verdict::{Outcome, SeedsNeeded};
use super::{Checked, by_claim, outcome};
use crate::report::sheet::{Sheet, count_column, frame, number_column, text_column};
use crate::report::{ReportError, fixed, quoted};

/// The frame of `claims.csv`, unrounded: a row for each claim and place.
///
/// # Errors
/// None on rows that were checked.
pub fn table(rows: &[Checked]) -> Result<DataFrame, ReportError> {
    let texts = |name: &str, of: &dyn Fn(&Checked) -> String| text_column(name, rows.iter().map(of));
    let numbers = |name: &str, of: &dyn Fn(&Checked) -> f64| number_column(name, rows.iter().map(|row| Some(of(row))));
    frame(vec![
        texts("name", &|row| row.name.clone()),
        texts("section", &|row| row.section.clone()),
        texts("says", &|row| row.says.clone()),
        texts("expect", &|row| row.expect.clone()),
        texts("at", &|row| row.at.clone()),
        numbers("effect", &|row| row.effect),
        numbers("low", &|row| row.low),
        numbers("high", &|row| row.high),
        numbers("margin", &|row| row.margin),
        texts("outcome", &|row| row.outcome.name().to_owned()),
        count_column("seeds", rows.iter().map(|row| Some(row.seeds as u64))),
        texts("seeds_needed", &|row| spelled(row.seeds_needed)),
    ])
}

/// Reads `claims.csv` back.
///
/// # Errors
/// The file is not one that was written from [`table`].
pub fn read(path: &Path) -> Result<Vec<Checked>, ReportError> {
    let sheet = Sheet::read(path)?;
    let text = |name: &str| sheet.texts(name);
    let (names, sections, says, expects, places) =
        (text("name")?, text("section")?, text("says")?, text("expect")?, text("at")?);
    let (outcomes, needed) = (text("outcome")?, text("seeds_needed")?);
    let number = |name: &str| sheet.numbers::<f64>(name);
    let (effects, lows, highs, margins) = (number("effect")?, number("low")?, number("high")?, number("margin")?);
    let seeds = sheet.numbers::<usize>("seeds")?;
    let row = |at: usize| {
        let missing = || sheet.fault(at, "a number is missing");
        let known = || quoted(Outcome::ALL.map(Outcome::name));
        Ok(Checked {
            name: names[at].clone(),
            section: sections[at].clone(),
            says: says[at].clone(),
            expect: expects[at].clone(),
            at: places[at].clone(),
            effect: effects[at].ok_or_else(missing)?,
            low: lows[at].ok_or_else(missing)?,
            high: highs[at].ok_or_else(missing)?,
            margin: margins[at].ok_or_else(missing)?,
            outcome: Outcome::ALL.into_iter().find(|outcome| outcome.name() == outcomes[at]).ok_or_else(|| {
                sheet.fault(at, format!("column `outcome`: `{}` is none of {}", outcomes[at], known()))
            })?,
            seeds: seeds[at].ok_or_else(missing)?,
            seeds_needed: needed_of(&needed[at]).ok_or_else(|| {
                sheet
                    .fault(at, format!("column `seeds_needed`: `{}` is neither a number nor a word for it", needed[at]))
            })?,
        })
    };
    (0..sheet.height()).map(row).collect()
}

fn spelled(needed: SeedsNeeded) -> String {
    match needed {
        SeedsNeeded::Decided => String::new(),
        SeedsNeeded::About(seeds) => seeds.to_string(),
        SeedsNeeded::Never => "never".to_owned(),
        SeedsNeeded::Unknown => "unknown".to_owned(),
    }
}

fn needed_of(text: &str) -> Option<SeedsNeeded> {
    match text {
        "" => Some(SeedsNeeded::Decided),
        "never" => Some(SeedsNeeded::Never),
        "unknown" => Some(SeedsNeeded::Unknown),
        number => number.parse().ok().map(SeedsNeeded::About),
    }
}

/// A number with its sign.
pub fn signed(value: f64, digits: usize) -> String {
    let text = fixed(value, digits);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

/// The number with as many decimals as it needs, up to six.
fn short(value: f64) -> String {
    let text = fixed(value, 6);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the effect should be: `> 5`, `< 0`, `within 2`.
pub fn wanted(row: &Checked) -> String {
    // The expression was read when the claim was planned.
    match Statement::parse(&row.expect).map(|statement| statement.relation) {
        Ok(Relation::Above) => format!("> {}", short(row.margin)),
        Ok(Relation::Below) => format!("< {}", short(row.margin)),
        Ok(Relation::Within(_)) => format!("within {}", short(row.margin)),
        Err(_) => short(row.margin),
    }
}

/// What more seeds would do for a row; nothing for one that is decided.
pub fn remedy(row: &Checked) -> Option<String> {
    match row.seeds_needed {
        SeedsNeeded::Decided => None,
        SeedsNeeded::About(seeds) => Some(format!("about {seeds} seeds would decide")),
        SeedsNeeded::Never => Some("more seeds alone would not decide: it takes more test examples".to_owned()),
        SeedsNeeded::Unknown => Some("one seed: how much seeds differ is not known".to_owned()),
    }
}

/// What a claim says, in words if it has some.
pub fn title(row: &Checked) -> &str {
    if row.says.is_empty() { &row.expect } else { &row.says }
}

/// `3 of 6 claims pass, 1 fails, 2 are undecided`.
pub fn summary(rows: &[Checked]) -> String {
    let count = |wanted: Outcome| by_claim(rows).filter(|rows| outcome(*rows) == wanted).count();
    let (failed, open) = (count(Outcome::Fail), count(Outcome::Undecided));
    let all = by_claim(rows).count();
    let mut text = format!("{} of {all} {} pass", count(Outcome::Pass), if all == 1 { "claim" } else { "claims" });
    if failed > 0 {
        text += &format!(", {failed} {}", if failed == 1 { "fails" } else { "fail" });
    }
    if open > 0 {
        text += &format!(", {open} {} undecided", if open == 1 { "is" } else { "are" });
    }
    text
}

/// What the numbers are.
pub fn caption(rows: &[Checked]) -> String {
    let seeds = || rows.iter().map(|row| row.seeds);
    let (low, high) = (seeds().min().unwrap_or_default(), seeds().max().unwrap_or_default());
    let seeds = match (low, high) {
        (1, 1) => "one seed".to_owned(),
        (low, high) if low == high => format!("{high} seeds"),
        (low, high) => format!("{low} to {high} seeds"),
    };
    format!("effects in points, with 95 % bootstrap intervals over {seeds} and the test examples")
}

/// `claims.md`: a table, a line for each claim and place.
pub fn markdown(rows: &[Checked]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut text = format!("{}\n\n", summary(rows));
    text += "| claim | section | at | outcome | effect | interval | wanted | seeds | more seeds |\n";
    text += "| --- | --- | --- | --- | ---: | --- | --- | ---: | --- |\n";
    for row in rows {
        text += &format!(
            "| {} | {} | {} | **{}** | {} | {} to {} | {} | {} | {} |\n",
            cell(title(row)),
            cell(&row.section),
            cell(&row.at),
            row.outcome.name(),
            signed(row.effect, 1),
            signed(row.low, 1),
            signed(row.high, 1),
            wanted(row),
            row.seeds,
            remedy(row).unwrap_or_default(),
        );
    }
    text + &format!("\n{}\n", caption(rows))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::sheet::write;

    pub(in crate::report::claims) fn rows() -> Vec<Checked> {
        let row = |name: &str, at: &str, effect: f64, outcome, seeds_needed| Checked {
            name: name.to_owned(),
            section: "4.1".to_owned(),
            says: "Shared prompts beat prompt tuning".to_owned(),
            expect: "mean(method=spp) > mean(method=pt) + 2.5".to_owned(),
            at: at.to_owned(),
            effect,
            low: effect - 2.25,
            high: effect + 2.0 / 3.0,
            margin: 2.5,
            outcome,
            seeds: 3,
            seeds_needed,
        };
        vec![
            row("shared", "", 12.3, Outcome::Pass, SeedsNeeded::Decided),
            row("each", "task=imdb", 12.3, Outcome::Pass, SeedsNeeded::Decided),
            row("each", "task=paws", 2.6, Outcome::Undecided, SeedsNeeded::About(17)),
            row("each", "task=rte", 3.0, Outcome::Undecided, SeedsNeeded::Never),
            Checked {
                says: String::new(),
                section: String::new(),
                expect: "mean(part=private) < mean()".to_owned(),
                margin: 0.0,
                ..row("parts", "", 4.0, Outcome::Fail, SeedsNeeded::Decided)
            },
            row("one", "", 2.0, Outcome::Undecided, SeedsNeeded::Unknown),
        ]
    }

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claims.csv");
        write(&path, table(&rows()).unwrap()).unwrap();
        assert_eq!(read(&path).unwrap(), rows());
        let text = fs_err::read_to_string(&path).unwrap();
        let head = "name,section,says,expect,at,effect,low,high,margin,outcome,seeds,seeds_needed\n";
        assert!(text.starts_with(head), "{text}");
        fs_err::write(&path, text.replace("undecided", "perhaps")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("line 4: column `outcome`: `perhaps` is none of `pass`, `undecided`, `fail`"),
            "{error}"
        );
    }

    #[test]
    fn a_page_for_people() {
        insta::assert_snapshot!(markdown(&rows()));
    }
}
