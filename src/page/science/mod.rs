//! What was found: sections made of results alone, so that equal results give equal bytes.

mod claims;
mod comparison;
mod confusion;
mod curves;
mod figures;
mod router;
mod tables;
mod wrong;

use std::collections::BTreeMap;
use std::path::Path;

use maud::{Markup, PreEscaped, html};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Chapter, Section};
use crate::protocol::Input;
use crate::report::ReportError;

/// The operations whose results have a place on the page.
pub const READS: &[&str] =
    &["claims", "aggregate", "compare", "plot", "train", "similarity", "confusion", "evaluate", "ablate"];

/// Wrong predictions shown of one evaluation, unless a pipeline says otherwise.
pub const WRONG: usize = 40;

/// A part of the page that a pipeline can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What was claimed, and what came of it.
    Claims,
    /// Tables, beside the published ones where those were compared.
    Tables,
    /// Pictures of `plot`.
    Figures,
    /// The training losses.
    Curves,
    /// Which source prompts each task uses, and how alike prompts are.
    Router,
    /// What was answered instead of what.
    Confusion,
    /// Wrong predictions, to browse.
    Wrong,
}

impl Part {
    /// All parts in the order of the page.
    pub const ALL: [Self; 7] =
        [Self::Claims, Self::Tables, Self::Figures, Self::Curves, Self::Router, Self::Confusion, Self::Wrong];
}

/// What to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// In this order.
    pub parts: Vec<Part>,
    /// Wrong predictions of one evaluation, at most.
    pub wrong: usize,
    /// What included pipelines are called, by what stands before the names of their stages.
    pub titles: BTreeMap<String, String>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { parts: Part::ALL.to_vec(), wrong: WRONG, titles: BTreeMap::new() }
    }
}

/// What came of one thing that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it was hoped.
    Good,
    /// Not as it was hoped.
    Bad,
    /// Neither.
    Plain,
}

/// One sentence of the summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How it is marked.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// The title of the included pipeline that it is about; empty for what is about all of the page.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Science {
    /// In a few sentences.
    pub findings: Vec<Finding>,
    /// In full.
    pub sections: Vec<Section>,
}

impl Science {
    /// The parts of the page that these results have something for.
    ///
    /// # Errors
    /// A file of a result is not what its operation writes.
    pub fn of(inputs: &[Input], choice: &Choice) -> Result<Self, ReportError> {
        let mut science = Self::default();
        let (all, distinct) = (groups(inputs, choice), groups(&once(inputs), choice));
        let findings = &mut science.findings;
        if all.len() > 1 && choice.parts.contains(&Part::Claims) {
            findings.extend(claims::overall(inputs)?);
        }
        for part in &choice.parts {
            let section = match part {
                Part::Claims => told(&all, findings, ["claims", "Claims"], claims::intro(), claims::body)?,
                Part::Tables => told(&all, findings, ["tables", "Tables"], tables::intro(inputs)?, tables::body)?,
                Part::Figures => {
                    told(&all, findings, ["figures", "Figures"], html! {}, |inputs, _| figures::body(inputs))?
                }
                Part::Curves => {
                    let names = ["curves", "Training curves"];
                    told(&distinct, findings, names, curves::intro(), |inputs, _| curves::body(inputs))?
                }
                Part::Router => {
                    let names = ["router", "Router heat maps"];
                    told(&distinct, findings, names, router::intro(), |inputs, _| router::body(inputs))?
                }
                Part::Confusion => {
                    let names = ["confusion", "Confusion matrices"];
                    let any = of(inputs, "confusion").next().is_some();
                    told(&distinct, findings, names, confusion::intro(), |inputs, _| confusion::body(inputs, any))?
                }
                Part::Wrong => wrong::section(&distinct, choice.wrong)?,
            };
            science.sections.extend(section);
        }
        Ok(science)
    }

    /// One page of several reports: a later section of an id that is taken gets another one.
    pub fn join(reports: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Self::default();
        for report in reports {
            joined.findings.extend(report.findings);
            for mut section in report.sections {
                let taken = |id: &str| joined.sections.iter().any(|other| other.id == id);
                if taken(&section.id) {
                    let free = (2..).map(|number| format!("{}-{number}", section.id)).find(|id| !taken(id));
                    section.id = free.unwrap_or_default();
                }
                joined.sections.push(section);
            }
        }
        joined
    }
}

/// The results of one pipeline: the run's own, or an included one.
struct Group {
    /// What stands before the names of its stages; empty for the run's own.
    scope: String,
    /// What it is called; empty for the run's own.
    title: String,
    inputs: Vec<Input>,
}

fn scope(stage: &str) -> &str {
    stage.rsplit_once('.').map_or("", |(scope, _)| scope)
}

/// A stage's name in its own pipeline.
fn local(stage: &str) -> &str {
    stage.rsplit('.').next().unwrap_or(stage)
}

/// The results of each pipeline, in the order in which they first come.
fn groups(inputs: &[Input], choice: &Choice) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for input in inputs {
        let scope = scope(&input.stage);
        let at = groups.iter().position(|group| group.scope == scope).unwrap_or_else(|| {
            let title = choice.titles.get(scope).cloned().unwrap_or_else(|| scope.to_owned());
            groups.push(Group { scope: scope.to_owned(), title, inputs: Vec::new() });
            groups.len() - 1
        });
        groups[at].inputs.push(input.clone());
    }
    groups
}

/// Without trainings and evaluations that an earlier pipeline has too: the same files.
fn once(inputs: &[Input]) -> Vec<Input> {
    let mut first: BTreeMap<(&str, &Path), &str> = BTreeMap::new();
    let mut distinct = Vec::new();
    for input in inputs {
        let scope = scope(&input.stage);
        if *first.entry((&input.operation, input.files.folder())).or_insert(scope) == scope {
            distinct.push(input.clone());
        }
    }
    distinct
}

/// A section with a chapter for each pipeline that has something for it.
fn told(
    groups: &[Group],
    findings: &mut Vec<Finding>,
    [id, title]: [&str; 2],
    intro: Markup,
    mut body: impl FnMut(&[Input], &mut Vec<Finding>) -> Result<Option<Markup>, ReportError>,
) -> Result<Option<Section>, ReportError> {
    let (mut html, mut chapters) = (String::new(), Vec::new());
    for group in groups {
        let before = findings.len();
        let Some(text) = body(&group.inputs, findings)? else { continue };
        findings[before..].iter_mut().for_each(|finding| finding.about.clone_from(&group.title));
        if !group.scope.is_empty() {
            let chapter = Chapter { id: format!("{id}-{}", group.scope), title: group.title.clone() };
            html += &html! { h3.chapter id=(chapter.id) { (chapter.title) } }.into_string();
            chapters.push(chapter);
        }
        html += &text.into_string();
    }
    let body = html! { (intro) (PreEscaped(&html)) };
    Ok((!html.is_empty()).then(|| Section { chapters, ..Section::new(id, title, body) }))
}

/// The results of one operation, in their order.
fn of<'a>(inputs: &'a [Input], operation: &'a str) -> impl Iterator<Item = &'a Input> {
    inputs.iter().filter(move |input| input.operation == operation)
}

/// A stage instance as people read it: `table`, or `table (k 16)`.
fn name(input: &Input) -> String {
    let place = super::words::place(&input.coordinates);
    if place.is_empty() { input.stage.clone() } else { format!("{} ({place})", input.stage) }
}

#[cfg(test)]
mod tests;
