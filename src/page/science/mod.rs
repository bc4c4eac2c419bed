//! What was found: sections made of results alone, so that equal results give equal bytes.

mod claims;
mod comparison;
mod confusion;
mod curves;
mod figures;
mod router;
mod tables;
mod wrong;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Section;
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
}

impl Default for Choice {
    fn default() -> Self {
        Self { parts: Part::ALL.to_vec(), wrong: WRONG }
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
        for part in &choice.parts {
            let section = match part {
                Part::Claims => claims::section(inputs, &mut science.findings)?,
                Part::Tables => tables::section(inputs, &mut science.findings)?,
                Part::Figures => figures::section(inputs)?,
                Part::Curves => curves::section(inputs)?,
                Part::Router => router::section(inputs)?,
                Part::Confusion => confusion::section(inputs)?,
                Part::Wrong => wrong::section(inputs, choice.wrong)?,
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
