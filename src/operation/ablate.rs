//! `ablate`: scores the parts of learned prompts one by one (METHODS 2.5). Its body runs in a worker.

mod part;

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evaluate::{DroppedHalf, EvaluateParameters, Mode, Split};
use super::train::Preset;
use super::{Operation, parameters};
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};

pub use part::{Part, UnknownPart};

/// Which parts of learned prompts are scored, and how. Everything from `mode` on is as in `evaluate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AblateParameters {
    /// The frozen backbone; it must be the one that the prompts were trained on.
    #[schemars(required)]
    pub backbone: String,
    /// The parts, each scored alone: `sources` (every source by itself) or `src_1`, `src_2`, ..., `all_src`, `private`,
    /// `total`. A training that lacks some of them (`pt` has no source, `mst` no private prompt) is scored without these.
    pub parts: Vec<Part>,
    /// How the sources that are kept are weighed, each way in rows of its own.
    pub weights: Vec<Weighing>,
    /// What becomes of a dropped half of `compose: scp`.
    pub dropped_half: DroppedHalf,
    /// A bundle of defaults: the paper's text or the authors' code. Left out: our recommendation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// How an answer is found.
    pub mode: Mode,
    /// Greedy generation divides (or multiplies, below 0) by this the logit of every token that was already written.
    pub repetition_penalty: f64,
    /// Examples in a batch; changes no answer, up to rounding.
    pub batch: usize,
    /// Which split is scored.
    pub split: Split,
    /// Whether the negative log-likelihood of the right answer is measured too (`rank` gives it for nothing).
    pub nll: bool,
    /// Tokens kept of a source text, its end mark included; `null`: as many as in training.
    pub max_source_tokens: Option<usize>,
    /// The longest answer of `mode: generate`; `null`: five tokens more than the longest label.
    pub max_new_tokens: Option<usize>,
}

/// How the sources that are kept are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weighing {
    /// Computed anew from what is kept: a single source has weight 1 under softmax and sparsemax.
    Renormalised,
    /// As with nothing dropped.
    Kept,
}

impl Weighing {
    /// As pipelines and tables spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Renormalised => "renormalised",
            Self::Kept => "kept",
        }
    }
}

impl Default for AblateParameters {
    fn default() -> Self {
        let asked = EvaluateParameters::default();
        Self {
            backbone: asked.backbone,
            parts: Part::ALL.to_vec(),
            // The authors' way (METHODS 2.5).
            weights: vec![Weighing::Renormalised],
            dropped_half: DroppedHalf::Zero,
            preset: asked.preset,
            mode: asked.mode,
            repetition_penalty: asked.repetition_penalty,
            batch: asked.batch,
            split: asked.split,
            nll: asked.nll,
            max_source_tokens: asked.max_source_tokens,
            max_new_tokens: asked.max_new_tokens,
        }
    }
}

impl AblateParameters {
    /// The evaluation that finds the answers of each part.
    pub fn evaluation(&self) -> EvaluateParameters {
        EvaluateParameters {
            backbone: self.backbone.clone(),
            preset: self.preset,
            mode: self.mode,
            repetition_penalty: self.repetition_penalty,
            batch: self.batch,
            split: self.split,
            nll: self.nll,
            max_source_tokens: self.max_source_tokens,
            max_new_tokens: self.max_new_tokens,
            ..EvaluateParameters::default()
        }
    }
}

/// The operation.
pub struct Ablate;

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 2;

impl Operation for Ablate {
    fn name(&self) -> &'static str {
        "ablate"
    }

    fn about(&self) -> &'static str {
        "Scores the parts of learned prompts: each source, all sources, the private prompt, everything"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(AblateParameters)
    }

    fn resolve(&self, written: &Value, _: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let complete = resolve(written)?;
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&complete),
            accepts: &["train", "format"],
            sources: vec![SourceRef::Model(complete.backbone.clone())],
            reads_coordinates: false,
            place: Place::Worker { affinity: complete.backbone },
            publishes: false,
        })
    }
}

/// Completes what was written and checks the result.
///
/// # Errors
/// Every parameter that can't be accepted.
pub fn resolve(written: &Value) -> Result<AblateParameters, Vec<ParameterError>> {
    let mut complete = parameters::read::<AblateParameters>(written)?;
    let mut asked = complete.evaluation();
    asked.apply_preset(written);
    (complete.preset, complete.repetition_penalty) = (None, asked.repetition_penalty);
    complete.max_new_tokens = asked.max_new_tokens;
    let mut faults = asked.faults();
    let parts: Vec<String> = complete.parts.iter().map(ToString::to_string).collect();
    let weights: Vec<String> = complete.weights.iter().map(|weighing| weighing.name().to_owned()).collect();
    faults.extend(list_fault("parts", &parts, "all_src"));
    faults.extend(list_fault("weights", &weights, "renormalised"));
    if faults.is_empty() { Ok(complete) } else { Err(faults) }
}

/// A list that is empty, or names something twice.
fn list_fault(path: &str, names: &[String], example: &str) -> Option<ParameterError> {
    let mut seen = BTreeSet::new();
    let (message, help) = if names.is_empty() {
        (format!("`{path}` is empty: nothing would be scored"), format!("write for example `{path}: [{example}]`"))
    } else {
        let twice = names.iter().find(|name| !seen.insert(*name))?;
        (format!("`{path}` names `{twice}` twice"), format!("write `{twice}` once"))
    };
    Some(ParameterError { help: Some(help), ..parameters::fault(path, message) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::evaluate;

    #[test]
    fn defaults_are_all_parts_asked_as_evaluate_asks() {
        let plain = resolve(&json!({"backbone": "b"})).unwrap();
        let parts: Vec<String> = plain.parts.iter().map(ToString::to_string).collect();
        assert_eq!(parts, ["sources", "all_src", "private", "total"]);
        assert_eq!(plain.weights, [Weighing::Renormalised]);
        for written in [
            json!({"backbone": "b"}),
            json!({"backbone": "b", "preset": "paper_code", "mode": "rank"}),
            json!({"backbone": "b", "preset": "paper_code", "max_new_tokens": 3, "split": "validation"}),
        ] {
            assert_eq!(resolve(&written).unwrap().evaluation(), evaluate::resolve(&written).unwrap(), "{written}");
        }
        let complete = parameters::complete(&plain);
        assert_eq!(resolve(&complete).unwrap(), plain, "complete parameters resolve to themselves");
    }

    #[test]
    fn faults_are_reported_together() {
        let faults = resolve(&json!({"parts": [], "weights": ["kept", "kept"], "batch": 0})).unwrap_err();
        let told: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(told, ["backbone", "batch", "parts", "weights"]);
        assert_eq!(faults[3].message, "`weights` names `kept` twice");
        assert!(faults.iter().all(|fault| fault.help.is_some()));
        let unknown = resolve(&json!({"backbone": "b", "parts": ["all_scr"]})).unwrap_err();
        assert_eq!(
            (unknown[0].path.as_str(), unknown[0].help.as_deref()),
            ("parts[0]", Some("did you mean `all_src`?"))
        );
        // What belongs to `evaluate` alone.
        assert!(resolve(&json!({"backbone": "b", "mask": {"keep": "private"}})).is_err());
    }
}
