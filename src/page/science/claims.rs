//! What a pipeline claims, and what came of it.

use maud::{Markup, html};

use super::tables::DIGITS;
use super::{Finding, Tone, local, name, of};
use crate::page::{scrolls, words};
use crate::protocol::Input;
use crate::report::ReportError;
use crate::report::claims::sheet::{self, remedy, title, wanted};
use crate::report::claims::verdict::Outcome;
use crate::report::claims::{Checked, by_claim, outcome};

pub(super) fn intro() -> Markup {
    html! {
        p {
            "A claim passes when the whole interval of its effect is as it was claimed, fails when none of it is, and is "
            "undecided between them."
        }
    }
}

pub(super) fn body(inputs: &[Input], findings: &mut Vec<Finding>) -> Result<Option<Markup>, ReportError> {
    let mut body = Vec::new();
    let several = of(inputs, "claims").count() > 1;
    for input in of(inputs, "claims") {
        let claims = sheet::read(&input.files.file("claims.csv"))?;
        let about = if several { format!("{}: ", local(&input.stage)) } else { String::new() };
        findings.extend(finding(&claims, &about));
        body.push(table(&name(input), &claims));
    }
    Ok((!body.is_empty()).then(|| html! { @for table in &body { (table) } }))
}

/// What came of the claims of several pipelines together.
pub(super) fn overall(inputs: &[Input]) -> Result<Option<Finding>, ReportError> {
    let mut all = Vec::new();
    for input in of(inputs, "claims") {
        let claims = sheet::read(&input.files.file("claims.csv"))?;
        // Claims of one name in two pipelines are two.
        all.extend(
            claims.into_iter().map(|claim| Checked { name: format!("{}.{}", input.stage, claim.name), ..claim }),
        );
    }
    Ok(finding(&all, "All pipelines together: "))
}

fn finding(claims: &[Checked], about: &str) -> Option<Finding> {
    let tones: Vec<Tone> = by_claim(claims).map(|rows| tone(outcome(rows))).collect();
    let tone = match tones.as_slice() {
        [] => return None,
        tones if tones.contains(&Tone::Bad) => Tone::Bad,
        tones if tones.contains(&Tone::Plain) => Tone::Plain,
        _ => Tone::Good,
    };
    Some(Finding { tone, text: format!("{about}{}", sheet::summary(claims)), about: String::new() })
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
                @for rows in by_claim(claims) {
                    @for (number, claim) in rows.iter().enumerate() {
                        tr {
                            td { (badge(claim.outcome)) }
                            @if number == 0 {
                                th scope="rowgroup" rowspan=(rows.len()) {
                                    (title(claim))
                                    @if !claim.section.is_empty() { " " span.quiet { "§\u{a0}" (claim.section) } }
                                    span.under {
                                        code { (claim.name) } @if !claim.says.is_empty() { ": " code { (claim.expect) } }
                                    }
                                }
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
