//! What a pipeline claims, and what came of it.

use maud::{Markup, html};

use super::tables::DIGITS;
use super::{Finding, Tone, name, of};
use crate::page::{Section, scrolls, words};
use crate::protocol::Input;
use crate::report::ReportError;
use crate::report::claims::sheet::{self, remedy, title, wanted};
use crate::report::claims::verdict::Outcome;
use crate::report::claims::{Checked, by_claim, outcome};

pub(super) fn section(inputs: &[Input], findings: &mut Vec<Finding>) -> Result<Option<Section>, ReportError> {
    let mut body = Vec::new();
    for input in of(inputs, "claims") {
        let claims = sheet::read(&input.folder.join("claims.csv"))?;
        findings.extend(finding(&claims));
        body.push(table(&name(input), &claims));
    }
    let text = html! {
        p {
            "A claim passes when the whole interval of its effect is as it was claimed, fails when none of it is, and is "
            "undecided between them."
        }
        @for table in &body { (table) }
    };
    Ok((!body.is_empty()).then(|| Section::new("claims", "Claims", text)))
}

fn finding(claims: &[Checked]) -> Option<Finding> {
    let tones: Vec<Tone> = by_claim(claims).map(|rows| tone(outcome(rows))).collect();
    let tone = match tones.as_slice() {
        [] => return None,
        tones if tones.contains(&Tone::Bad) => Tone::Bad,
        tones if tones.contains(&Tone::Plain) => Tone::Plain,
        _ => Tone::Good,
    };
    Some(Finding { tone, text: sheet::summary(claims) })
}

fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Pass => Tone::Good,
        Outcome::Fail => Tone::Bad,
        Outcome::Undecided => Tone::Plain,
    }
}

fn table(stage: &str, claims: &[Checked]) -> Markup {
    let signed = |value: f64| words::signed(value, DIGITS);
    let rows = html! {
        table.claims {
            caption { code { (stage) } ": " (sheet::caption(claims)) }
            thead {
                tr {
                    th scope="col" { "Outcome" }
                    th scope="col" { "Claim" }
                    th scope="col" { "Where" }
                    th.number scope="col" { "Effect" }
                    th.number scope="col" { "Interval" }
                    th.number scope="col" { "Wanted" }
                    th.number scope="col" { "Seeds" }
                }
            }
            tbody {
                @for claim in claims {
                    tr {
                        td { (badge(claim.outcome)) }
                        th scope="row" {
                            (title(claim))
                            @if !claim.section.is_empty() { " " span.quiet { "§\u{a0}" (claim.section) } }
                            span.under { code { (claim.name) } @if !claim.says.is_empty() { ": " code { (claim.expect) } } }
                        }
                        td { (claim.at) }
                        td.number { (signed(claim.effect)) }
                        td.number { (signed(claim.low)) " to " (signed(claim.high)) }
                        td.number { (wanted(claim)) }
                        td.number { (claim.seeds) @if let Some(remedy) = remedy(claim) { span.remedy { (remedy) } } }
                    }
                }
            }
        }
    };
    scrolls(&format!("Claims of {stage}"), &rows)
}

/// The outcome in words; its mark and colour say the same.
fn badge(outcome: Outcome) -> Markup {
    let (class, mark) = match tone(outcome) {
        Tone::Good => ("badge good", "\u{2713}"),
        Tone::Bad => ("badge bad", "\u{2717}"),
        Tone::Plain => ("badge plain", "?"),
    };
    html! { span class=(class) { span aria-hidden="true" { (mark) " " } (outcome.name()) } }
}
