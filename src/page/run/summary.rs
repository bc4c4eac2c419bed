//! What the reader should know first.

use maud::{Markup, html};

use super::{Facts, Outcome};
use crate::page::science::{Finding, Science, Tone};
use crate::page::{Chapter, scrolls, words};

/// The findings, and whether all of the pipeline is in them.
pub(in crate::page) fn summary(science: &Science, facts: &Facts) -> Markup {
    let (general, particular): (Vec<&Finding>, Vec<&Finding>) =
        science.findings.iter().partition(|finding| finding.about.is_empty());
    let titles = titles(science, facts);
    let (made, cached) = (facts.sum(Outcome::Made), facts.sum(Outcome::Cached));
    let all = facts.instances().count();
    let (failed, there) = (facts.sum(Outcome::Failed).count, made.count + cached.count);
    html! {
        @if there < all {
            p.notice {
                strong { "This page is not complete: " }
                (there) " of " (words::count(all, "result")) " are there"
                @if failed > 0 { ", " (failed) " failed" }
                @if facts.interrupted { "; the run was interrupted" }
                ". The same " code { "compt run" } " goes on."
            }
        }
        (list(&general))
        dl.tiles {
            div { dt { "Results" } dd { (there) } }
            div { dt { "Made in this run" } dd { (made.count) } }
            div { dt { "From the cache" } dd { (cached.count) } }
            @if let Some(seconds) = facts.seconds {
                div { dt { "This run took" } dd { (words::duration(seconds)) } }
            }
            @if cached.count > 0 {
                div { dt { "Saved by the cache" } dd { (words::duration(cached.seconds)) } }
            }
        }
        @if !titles.is_empty() { (scrolls("At a glance", &glance(&titles, &particular, science))) }
    }
}

/// The included pipelines that the page says something about, in their order.
fn titles<'a>(science: &'a Science, facts: &Facts) -> Vec<&'a str> {
    let mut titles: Vec<&str> = Vec::new();
    for Chapter { title, .. } in science.sections.iter().flat_map(|section| &section.chapters) {
        if !titles.contains(&title.as_str()) {
            titles.push(title);
        }
    }
    titles.sort_by_key(|title| facts.stages.iter().position(|stage| stage.of == *title));
    titles
}

/// What was found for each included pipeline, with the way to the rest of it.
fn glance(titles: &[&str], findings: &[&Finding], science: &Science) -> Markup {
    let ways = |title: &str| {
        let sections = science.sections.iter();
        let chapter = |chapters: &[Chapter]| chapters.iter().find(|chapter| chapter.title == title).cloned();
        sections.filter_map(|section| Some((section.title.clone(), chapter(&section.chapters)?))).collect::<Vec<_>>()
    };
    html! {
        table.glance {
            caption { "What was found, and where it stands" }
            thead { tr { th scope="col" { "Pipeline" } th scope="col" { "Found" } th scope="col" { "In full" } } }
            tbody {
                @for title in titles {
                    tr {
                        th scope="row" { (title) }
                        td { (list(&findings.iter().copied().filter(|finding| finding.about == *title).collect::<Vec<_>>())) }
                        td.ways { @for (name, chapter) in ways(title) { a href={ "#" (chapter.id) } { (name) } " " } }
                    }
                }
            }
        }
    }
}

fn list(findings: &[&Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            ul.findings {
                @for finding in findings {
                    li.(class(finding.tone)) { span.mark aria-hidden="true" { (mark(finding.tone)) } " " (finding.text) }
                }
            }
        }
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Plain => "plain",
    }
}

fn mark(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "\u{2713}",
        Tone::Bad => "\u{2717}",
        Tone::Plain => "\u{2022}",
    }
}
