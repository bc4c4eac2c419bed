//! What a pipeline claims, and what came of it.

use maud::{Markup, html};

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
    effect: String,
    interval: [String; 2],
    margin: String,
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
            "A claim holds when the interval of its effect lies on the expected side of its margin, fails when it lies on "
            "the other side, and is undecided between them."
        }
        @for table in &body { (table) }
    };
    Ok((!body.is_empty()).then(|| Section::new("claims", "Claims", text)))
}

fn read(sheet: &Sheet) -> Result<Vec<Claim>, ReportError> {
    let texts = |name: &str| sheet.texts(name);
    let optional = |name: &str| Ok::<_, ReportError>(sheet.optional_texts(name)?.unwrap_or_default());
    let (names, outcomes) = (texts("name")?, texts("outcome")?);
    let (sections, says, expect, at) = (optional("section")?, optional("says")?, optional("expect")?, optional("at")?);
    let (effect, low, high, margin) = (optional("effect")?, optional("low")?, optional("high")?, optional("margin")?);
    let (seeds, needed) = (optional("seeds")?, optional("seeds_needed")?);
    let value = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let number = |column: &[String], row: usize| value(column, row).parse().map_or_else(|_| value(column, row), signed);
    let claim = |row: usize| Claim {
        name: names[row].clone(),
        section: value(&sections, row),
        says: value(&says, row),
        expect: value(&expect, row),
        at: value(&at, row),
        effect: number(&effect, row),
        interval: [number(&low, row), number(&high, row)],
        margin: value(&margin, row),
        outcome: outcomes[row].clone(),
        seeds: value(&seeds, row),
        needed: value(&needed, row),
    };
    Ok((0..sheet.height()).map(claim).collect())
}

/// One decimal and a sign: effects are differences.
fn signed(value: f64) -> String {
    let text = crate::report::fixed(value, 1);
    if value > 0.0 && text != "0.0" { format!("+{text}") } else { text.replace('-', "\u{2212}") }
}

fn tone(outcome: &str) -> Tone {
    match outcome {
        "pass" | "holds" | "passed" => Tone::Good,
        "fail" | "fails" | "failed" => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn finding(claims: &[Claim]) -> Option<Finding> {
    let mut outcomes: Vec<(&str, usize)> = Vec::new();
    for claim in claims {
        match outcomes.iter_mut().find(|(outcome, _)| *outcome == claim.outcome) {
            Some((_, count)) => *count += 1,
            None => outcomes.push((&claim.outcome, 1)),
        }
    }
    let tones: Vec<Tone> = claims.iter().map(|claim| tone(&claim.outcome)).collect();
    let whole = match tones.as_slice() {
        [] => return None,
        tones if tones.contains(&Tone::Bad) => Tone::Bad,
        tones if tones.iter().all(|tone| *tone == Tone::Good) => Tone::Good,
        _ => Tone::Plain,
    };
    let parts: Vec<String> = outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    Some(Finding { tone: whole, text: format!("{}: {}", words::count(claims.len(), "claim"), parts.join(", ")) })
}

fn table(title: &str, claims: &[Claim]) -> Markup {
    let rows = html! {
        table.claims {
            caption { code { (title) } ", one line for each claim and each value that it is made for" }
            thead {
                tr {
                    th scope="col" { "Outcome" }
                    th scope="col" { "Claim" }
                    th scope="col" { "Where" }
                    th scope="col" { "Expected" }
                    th.number scope="col" { "Effect" }
                    th.number scope="col" { "Interval" }
                    th.number scope="col" { "Margin" }
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
                        td { (claim.expect) }
                        td.number { (claim.effect) }
                        td.number {
                            @if !claim.interval[0].is_empty() { (claim.interval[0]) " to " (claim.interval[1]) }
                        }
                        td.number { (claim.margin) }
                        td.number {
                            (claim.seeds)
                            @if !claim.needed.is_empty() && claim.needed != claim.seeds {
                                span.quiet { " (" (claim.needed) " would decide)" }
                            }
                        }
                    }
                }
            }
        }
    };
    scrolls(&format!("Claims of {title}"), &rows)
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
