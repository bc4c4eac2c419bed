//! What the reader should know first.

use maud::{Markup, html};

use super::{Facts, Outcome};
use crate::page::science::{Finding, Tone};
use crate::page::words;

/// The findings, and whether all of the pipeline is in them.
pub(in crate::page) fn summary(findings: &[Finding], facts: &Facts) -> Markup {
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
        @if !findings.is_empty() {
            ul.findings {
                @for finding in findings {
                    li.(class(finding.tone)) { span.mark aria-hidden="true" { (mark(finding.tone)) } " " (finding.text) }
                }
            }
        }
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
