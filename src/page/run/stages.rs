//! The graph of stages, and the same in a table.

use maud::{Markup, html};

use super::{Facts, Outcome, Stage, graph, sum};
use crate::base::many;
use crate::page::scrolls;

/// Graphs of included pipelines that are shown at once; the others are folded.
const OPEN: usize = 1;

/// Instances that are listed; more are counted.
const LISTED: usize = 1000;

pub(super) fn stages(facts: &Facts) -> Markup {
    let (drawings, (table, instances)) = many::both(
        facts.instances().count(),
        || drawings(facts),
        || (scrolls("Stages with times and cache hits", &table(facts)), instances(facts)),
    );
    html! {
        p {
            "What was read by what, from left to right. A bar shows how much of a stage came from the cache "
            span.key.cached {} " and how much was made in this run " span.key.made {} "."
        }
        (drawings)
        (table)
        (instances)
    }
}

fn drawings(facts: &Facts) -> Markup {
    html! {
        @for (number, (title, stages)) in graphs(&facts.stages).iter().enumerate() {
            @if title.is_empty() {
                (scrolls("Graph of stages", &graph::graph(stages)))
            } @else {
                details open[number < OPEN] {
                    summary { (title) }
                    (scrolls(&format!("Graph of stages of {title}"), &graph::graph(stages)))
                }
            }
        }
    }
}

/// The stages of each pipeline by themselves, under the names that they have there: included pipelines are joined by
/// nothing but stages of the run's own, which stand in a graph with all that they read.
fn graphs(stages: &[Stage]) -> Vec<(String, Vec<Stage>)> {
    let mut titles: Vec<&String> = Vec::new();
    for stage in stages {
        if !titles.contains(&&stage.of) {
            titles.push(&stage.of);
        }
    }
    let graph = |title: &String| {
        let reads = |stage: &Stage| stage.of == *title;
        let read = |at: usize| stages.iter().any(|reader| reads(reader) && reader.reads.contains(&at));
        let places: Vec<usize> = (0..stages.len()).filter(|&at| reads(&stages[at]) || read(at)).collect();
        let local = |stage: &Stage| Stage {
            name: stage.name.rsplit('.').next().unwrap_or_default().to_owned(),
            reads: stage.reads.iter().filter_map(|read| places.iter().position(|place| place == read)).collect(),
            ..stage.clone()
        };
        (title.clone(), places.iter().map(|&at| local(&stages[at])).collect())
    };
    titles.into_iter().map(graph).collect()
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
    html! { code title=(digest) { (digest.get(..12).unwrap_or(digest)) } }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Made => "made",
        Outcome::Cached => "cached",
        Outcome::Failed => "failed",
        Outcome::Missing => "missing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::stage;

    #[test]
    fn each_pipeline_has_a_graph_with_its_own_names() {
        let of = |scope: &str, name: &str, reads: &[usize]| Stage {
            of: scope.to_owned(),
            reads: reads.to_vec(),
            ..stage(&format!("{scope}.{name}"), 1)
        };
        let all = Stage { reads: vec![3], ..stage("all", 1) };
        let stages = [of("a", "fit", &[]), of("a", "table", &[0]), of("b", "fit", &[]), of("b", "table", &[2]), all];
        let graphs = graphs(&stages);
        let drawn: Vec<_> = graphs
            .iter()
            .map(|(title, stages)| {
                (title.as_str(), stages.iter().map(|stage| (&*stage.name, stage.reads.clone())).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            drawn,
            [
                ("a", vec![("fit", vec![]), ("table", vec![0])]),
                ("b", vec![("fit", vec![]), ("table", vec![0])]),
                ("", vec![("table", vec![]), ("all", vec![0])]),
            ]
        );
    }
}
