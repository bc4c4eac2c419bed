//! The graph of stages, and the same in a table.

use maud::{Markup, html};

use super::{Facts, Outcome, Stage, graph, sum};
use crate::page::scrolls;

/// Instances that are listed; more are counted.
const LISTED: usize = 1000;

pub(super) fn stages(facts: &Facts) -> Markup {
    html! {
        p {
            "What was read by what, from left to right. A bar shows how much of a stage came from the cache "
            span.key.cached {} " and how much was made in this run " span.key.made {} "."
        }
        (scrolls("Graph of stages", &graph::graph(&facts.stages)))
        (scrolls("Stages with times and cache hits", &table(facts)))
        (instances(facts))
    }
}

fn table(facts: &Facts) -> Markup {
    html! {
        table.sortable {
            caption { "Stages with times and cache hits; a time is the work when the results were made" }
            thead {
                tr {
                    th scope="col" { "Stage" }
                    th scope="col" { "Operation" }
                    th.number scope="col" { "Results" }
                    th.number scope="col" { "Made" }
                    th.number scope="col" { "Cached" }
                    th.number scope="col" { "Work, s" }
                    th.number scope="col" { "Saved, s" }
                }
            }
            tbody { @for stage in &facts.stages { (row(stage)) } }
            tfoot {
                tr {
                    @let (made, cached) = (facts.sum(Outcome::Made), facts.sum(Outcome::Cached));
                    th scope="row" colspan="2" { "All" }
                    td.number { (facts.instances().count()) }
                    td.number { (made.count) }
                    td.number { (cached.count) }
                    td.number { (seconds(made.seconds + cached.seconds)) }
                    td.number { (seconds(cached.seconds)) }
                }
            }
        }
    }
}

fn row(stage: &Stage) -> Markup {
    let (made, cached) = (sum(&stage.instances, Outcome::Made), sum(&stage.instances, Outcome::Cached));
    let failed = sum(&stage.instances, Outcome::Failed).count;
    html! {
        tr {
            th scope="row" {
                code { (stage.name) }
                @if let Some(title) = &stage.title { span.under { (title) } }
                @if failed > 0 { " " span.badge.bad { (failed) " failed" } }
            }
            td { (stage.operation.0) }
            td.number { (stage.instances.len()) }
            td.number { (made.count) }
            td.number { (cached.count) }
            td.number { (seconds(made.seconds + cached.seconds)) }
            td.number { (seconds(cached.seconds)) }
        }
    }
}

fn seconds(value: f64) -> String {
    format!("{value:.2}")
}

fn instances(facts: &Facts) -> Markup {
    let all = facts.instances().count();
    let list = html! {
        table.sortable {
            caption { "Every result" @if all > LISTED { ", the first " (LISTED) " of " (all) } }
            thead {
                tr {
                    th scope="col" { "Result" }
                    th scope="col" { "Outcome" }
                    th.number scope="col" { "Work, s" }
                    th scope="col" { "Key" }
                    th scope="col" { "Files" }
                }
            }
            tbody {
                @for instance in facts.instances().take(LISTED) {
                    tr {
                        th scope="row" { code { (instance.name) } }
                        td { (outcome(instance.outcome)) }
                        td.number { @if let Some(value) = instance.seconds { (seconds(value)) } }
                        @match &instance.digests {
                            Some(digests) => { @for digest in digests { td { (short(digest)) } } },
                            None => { td {} td {} },
                        }
                    }
                }
            }
        }
    };
    html! {
        details { summary { "Every result with its key (" (all) ")" } (scrolls("Every result", &list)) }
    }
}

/// The first digits; the others where a pointer rests.
pub(super) fn short(digest: &str) -> Markup {
    html! { code title=(digest) { (digest.chars().take(12).collect::<String>()) } }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Made => "made",
        Outcome::Cached => "cached",
        Outcome::Failed => "failed",
        Outcome::Missing => "missing",
    }
}
