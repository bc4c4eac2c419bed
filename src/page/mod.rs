//! The report page: one HTML file that needs nothing else, readable without scripts and on paper.
//!
//! Its two halves come from different places. What was *found* ([`science`]) is a function of results and nothing else, so
//! a `report` stage makes it and the cache keeps it. What it *took* ([`run`]: times, cache hits, machine, commands) belongs
//! to one run and to no result, so it is added when the run is over. Everything here is data in, HTML out; `maud` escapes
//! what is not marked as markup, and only [`Section::html`] and our own style and script are.

pub mod heat;
pub mod run;
pub mod science;
pub mod words;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use run::Facts;
use science::Science;

/// The look; no other style reaches the page.
const STYLE: &str = include_str!("style.css");

/// Filtering and sorting; without it everything can be read.
const SCRIPT: &str = include_str!("behaviour.js");

/// A part of the page with a heading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// What links point to.
    pub id: String,
    /// The heading.
    pub title: String,
    /// What stands below it; markup that this module made.
    pub html: String,
    /// Its parts of one included pipeline each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chapters: Vec<Chapter>,
}

/// What a section says of one included pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chapter {
    /// What links point to.
    pub id: String,
    /// The pipeline's title.
    pub title: String,
}

impl Section {
    /// A section of this module's markup.
    pub fn new(id: &str, title: &str, body: Markup) -> Self {
        Self { id: id.to_owned(), title: title.to_owned(), html: body.into_string(), chapters: Vec::new() }
    }
}

/// The whole file.
pub fn page(science: &Science, facts: &Facts) -> String {
    let mut sections = vec![Section::new("summary", "Summary", run::summary::summary(science, facts))];
    sections.extend(science.sections.iter().cloned());
    sections.extend(run::sections(facts));
    let title = facts.title.as_deref().unwrap_or(&facts.pipeline);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "compt " (env!("CARGO_PKG_VERSION")) };
                meta http-equiv="Content-Security-Policy" content=(policy());
                title { (title) }
                // An icon of no bytes, so that browsers do not ask for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#summary" { "Skip to the results" }
                header {
                    p.kind { "compt report · " code { (facts.pipeline) } }
                    h1 { (title) }
                    p.made { "made " time datetime=(words::machine_time(facts.made)) { (words::moment(facts.made)) } }
                }
                div.columns {
                    nav aria-label="Contents" {
                        ul { @for section in &sections { li { a href={ "#" (section.id) } { (section.title) } } } }
                    }
                    main {
                        @for section in &sections {
                            section id=(section.id) aria-labelledby={ (section.id) "-title" } {
                                h2 id={ (section.id) "-title" } { (section.title) }
                                (PreEscaped(&section.html))
                            }
                        }
                    }
                }
                footer { p { "Made by compt " (env!("CARGO_PKG_VERSION")) ". This file is complete: it loads nothing." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Allows this style, this script and pictures inside the file, and nothing else.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// A wide thing in a box of its own that scrolls, also by keyboard.
fn scrolls(label: &str, inner: &Markup) -> Markup {
    html! { div.scrolls tabindex="0" role="region" aria-label=(label) { (inner) } }
}

#[cfg(test)]
mod tests;
