//! What a pipeline claims, and what came of it.

use maud::{Markup, html};

use super::tables::DIGITS;
use super::{Finding, Tone, name, of};
use crate::page::{Section, scrolls, words};
use crate::protocol::Input;
use crate::report::ReportError;
use crate::report::sheet::Sheet;

/// One claim, or one value of it where it is made for several.
struct Claim {
    name: String,
    section: String,
    says: String,
    expect: String,
    at: String,
    effect: Option<f64>,
    interval: Option<(f64, f64)>,
    outcome: String,
    seeds: String,
    needed: String,
}

pub(super) fn section(inputs: &[Input], findings: &mut Vec<Finding>) -> Result<Option<Section>, ReportError> {
    let mut body = Vec::new();
    for input in of(inputs, "claims") {
        let claims = read(&Sheet::read(&input.folder.join("claims.csv"))?)?;
        findings.extend(finding(&claims));
        body.push(table(&name(input), &claims));
    }
    let text = html! {
        p {
            "A claim passes when the whole interval of its effect is as it was expected, fails when none of it is, and is "
            "undecided between them. Effects are in points; intervals hold 95 %."
        }
        @for table in &body { (table) }
    };
    Ok((!body.is_empty()).then(|| Section::new("claims", "Claims", text)))
}

fn read(sheet: &Sheet) -> Result<Vec<Claim>, ReportError> {
    let texts = |name: &str| sheet.texts(name);
    let numbers = |name: &str| sheet.numbers::<f64>(name);
    let (names, sections, says, expect) = (texts("name")?, texts("section")?, texts("says")?, texts("expect")?);
    let (at, outcomes, seeds, needed) = (texts("at")?, texts("outcome")?, texts("seeds")?, texts("seeds_needed")?);
    let (effect, low, high) = (numbers("effect")?, numbers("low")?, numbers("high")?);
    let claim = |row: usize| Claim {
        name: names[row].clone(),
        section: sections[row].clone(),
        says: says[row].clone(),
        expect: expect[row].clone(),
        at: at[row].clone(),
        effect: effect[row],
        interval: low[row].zip(high[row]),
        outcome: outcomes[row].clone(),
        seeds: seeds[row].clone(),
        needed: needed[row].clone(),
    };
    Ok((0..sheet.height()).map(claim).collect())
}

fn tone(outcome: &str) -> Tone {
    match outcome {
        "pass" => Tone::Good,
        "fail" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// How many claims there are, and what came of them: a claim that is made for several values fails with one of them, and
/// passes with all.
fn finding(claims: &[Claim]) -> Option<Finding> {
    let mut outcomes: Vec<(&str, Tone)> = Vec::new();
    for claim in claims {
        let tone = tone(&claim.outcome);
        match outcomes.iter_mut().find(|(name, _)| *name == claim.name) {
            Some((_, whole)) if *whole == Tone::Bad || tone == Tone::Good => {}
            Some((_, whole)) => *whole = tone,
            None => outcomes.push((&claim.name, tone)),
        }
    }
    let count = |wanted: Tone| outcomes.iter().filter(|(_, tone)| *tone == wanted).count();
    let (passed, failed, open) = (count(Tone::Good), count(Tone::Bad), count(Tone::Plain));
    let tone = match (passed, failed, open) {
        (0, 0, 0) => return None,
        (_, 0, 0) => Tone::Good,
        (_, 0, _) => Tone::Plain,
        _ => Tone::Bad,
    };
    let of = words::count(outcomes.len(), "claim");
    Some(Finding { tone, text: format!("{passed} of {of} passed, {failed} failed, {open} undecided") })
}

fn table(title: &str, claims: &[Claim]) -> Markup {
    let rows = html! {
        table.claims {
            caption { code { (title) } ": a line for each claim and each value that it is made for" }
            thead {
                tr {
                    th scope="col" { "Outcome" }
                    th scope="col" { "Claim" }
                    th scope="col" { "Where" }
                    th scope="col" { "Expected" }
                    th.number scope="col" { "Effect" }
                    th.number scope="col" { "Interval" }
                    th.number scope="col" { "Seeds" }
                }
            }
            tbody {
                @for claim in claims {
                    tr {
                        td { (badge(&claim.outcome)) }
                        th scope="row" {
                            (claim.says)
                            @if claim.says.is_empty() { (claim.name) } @else { " " span.quiet { code { (claim.name) } } }
                            @if !claim.section.is_empty() { " " span.quiet { (claim.section) } }
                        }
                        td { (claim.at) }
                        td { code { (claim.expect) } }
                        td.number { @if let Some(effect) = claim.effect { (words::signed(effect, DIGITS)) } }
                        td.number {
                            @if let Some((low, high)) = claim.interval {
                                (words::signed(low, DIGITS)) " to " (words::signed(high, DIGITS))
                            }
                        }
                        td.number {
                            (claim.seeds)
                            @if let Some(remedy) = remedy(&claim.needed) { span.under { (remedy) } }
                        }
                    }
                }
            }
        }
    };
    scrolls(&format!("Claims of {title}"), &rows)
}

/// What would decide a claim that is not decided.
fn remedy(needed: &str) -> Option<String> {
    match needed {
        "" => None,
        "never" => Some("more examples would decide".to_owned()),
        "unknown" => Some("more seeds are needed".to_owned()),
        seeds => Some(format!("about {seeds} would decide")),
    }
}

/// The outcome in words; its mark and colour say the same.
fn badge(outcome: &str) -> Markup {
    let (class, mark) = match tone(outcome) {
        Tone::Good => ("badge good", "\u{2713}"),
        Tone::Bad => ("badge bad", "\u{2717}"),
        Tone::Plain => ("badge plain", "?"),
    };
    html! { span class=(class) { span aria-hidden="true" { (mark) " " } (outcome) } }
}
