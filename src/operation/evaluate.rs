//! `evaluate`: lets the backbone answer the texts of a split with learned prompts, and scores the answers.

mod mask;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Operation, parameters};
use crate::operation::train::Preset;
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};

pub use mask::{DroppedHalf, Keep, MaskSettings, UnknownMask};

/// How prompts are evaluated. What a pipeline leaves out is taken from `preset`; what it writes wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateParameters {
    /// The frozen backbone; it must be the one that the prompts were trained on.
    #[schemars(required)]
    pub backbone: String,
    /// A bundle of defaults: the paper's text, the authors' code, or our recommendation, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// How an answer is found.
    pub mode: Mode,
    /// Greedy generation divides (or multiplies, below 0) by this the logit of every token that was already written.
    pub repetition_penalty: f64,
    /// Examples in a batch; changes no answer, up to rounding.
    pub batch: usize,
    /// Whether the prompts as they were before training are scored too.
    pub untrained: bool,
    /// Which parts of the learned prompts are kept; left out: all of them. `ablate` scores all parts in one stage.
    #[serde(skip_serializing_if = "MaskSettings::is_total")]
    pub mask: MaskSettings,
    /// Which split is scored.
    pub split: Split,
    /// Whether the negative log-likelihood of the right answer is measured too (`rank` gives it for nothing).
    pub nll: bool,
    /// Tokens kept of a source text, its end mark included; `null`: as many as in training.
    pub max_source_tokens: Option<usize>,
    /// The longest answer of `mode: generate`; `null`: five tokens more than the longest label.
    pub max_new_tokens: Option<usize>,
}

/// How an answer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Greedy generation; an answer may be no label at all.
    Generate,
    /// The label with the highest log-likelihood. Regression tasks are generated all the same.
    Rank,
}

/// Which split is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Test.
    Test,
    /// Validation.
    Validation,
}

impl Default for EvaluateParameters {
    fn default() -> Self {
        Self {
            backbone: String::new(),
            preset: None,
            mode: Mode::Generate,
            repetition_penalty: 1.0,
            batch: 50,
            untrained: false,
            mask: MaskSettings::default(),
            split: Split::Test,
            nll: false,
            max_source_tokens: None,
            max_new_tokens: None,
        }
    }
}

/// The operation.
pub struct Evaluate;

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 4;

impl Operation for Evaluate {
    fn name(&self) -> &'static str {
        "evaluate"
    }

    fn about(&self) -> &'static str {
        "Scores learned prompts on the test texts of their tasks"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(EvaluateParameters)
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
pub fn resolve(written: &Value) -> Result<EvaluateParameters, Vec<ParameterError>> {
    let mut complete = parameters::read::<EvaluateParameters>(written)?;
    complete.apply_preset(written);
    if complete.mask.is_total() {
        // With nothing dropped the other two choices mean nothing; equal results then have equal parameters.
        complete.mask = MaskSettings::default();
    }
    let faults = complete.faults();
    if faults.is_empty() { Ok(complete) } else { Err(faults) }
}

impl EvaluateParameters {
    /// Takes from the preset what was not written.
    pub(super) fn apply_preset(&mut self, written: &Value) {
        // The authors generate with a penalty of 2 and up to 128 tokens (METHODS 1.3, 8.23).
        if self.preset.take() == Some(Preset::PaperCode) {
            if written.get("repetition_penalty").is_none() {
                self.repetition_penalty = 2.0;
            }
            if written.get("max_new_tokens").is_none() {
                self.max_new_tokens = Some(128);
            }
        }
    }

    /// What serde can't check; every fault at once.
    pub(super) fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        let mut unless = |good: bool, path: &str, message: &str, help: &str| {
            if !good {
                faults.push(ParameterError { help: Some(help.to_owned()), ..parameters::fault(path, message) });
            }
        };
        unless(
            !self.backbone.is_empty(),
            "backbone",
            "`backbone` is missing",
            "write the backbone that the prompts were trained on, for example `backbone: google-t5/t5-base`",
        );
        unless(self.batch > 0, "batch", "`batch` is 0: a batch needs an example", "write 1 or more");
        unless(
            self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0,
            "repetition_penalty",
            "the repetition penalty must be above 0",
            "write 1.0 for none, or 2.0 as the authors' code",
        );
        unless(
            self.max_source_tokens.is_none_or(|most| most > 1),
            "max_source_tokens",
            "`max_source_tokens` leaves no token of a text beside its end mark",
            "write 2 or more, or `null` for as many as in training",
        );
        unless(
            self.max_new_tokens != Some(0),
            "max_new_tokens",
            "`max_new_tokens` is 0: no answer could be written",
            "write 1 or more, or `null` for five more than the longest label",
        );
        unless(
            !self.untrained || self.mask.is_total(),
            "untrained",
            "a mask drops parts of the learned prompts; the untrained ones are not masked",
            "write `untrained: false` here, and score the untrained prompts in a stage with `mask: {keep: total}`",
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_authors_preset_penalises_repetition_unless_told_otherwise() {
        let of = |written: Value| resolve(&written).unwrap().repetition_penalty;
        assert_eq!(of(json!({"backbone": "b"})), 1.0);
        assert_eq!(of(json!({"backbone": "b", "preset": "paper_code"})), 2.0);
        assert_eq!(of(json!({"backbone": "b", "preset": "paper_code", "repetition_penalty": 1.5})), 1.5);
    }

    #[test]
    fn faults_are_reported_together() {
        let faults = resolve(&json!({"batch": 0, "repetition_penalty": -1})).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["backbone", "batch", "repetition_penalty"]);
    }

    #[test]
    fn masks_are_read_and_the_total_one_leaves_no_trace() {
        let of = |mask: Value| resolve(&json!({"backbone": "b", "mask": mask}));
        let chosen = of(json!({"keep": "src_2", "scp": "remove"})).unwrap().mask;
        assert_eq!(chosen, MaskSettings { keep: Keep::Source(2), renormalise: true, scp: DroppedHalf::Remove });
        let plain = resolve(&json!({"backbone": "b"})).unwrap();
        assert_eq!(of(json!({"keep": "total", "renormalise": false})).unwrap(), plain);
        // Results that were stored before there were masks keep their keys.
        assert!(parameters::complete(&plain).get("mask").is_none());
        let masked = of(json!({"keep": "all_src"})).unwrap();
        assert_eq!(parameters::read::<EvaluateParameters>(&parameters::complete(&masked)).unwrap(), masked);
    }

    #[test]
    fn unknown_masks_and_masked_untrained_prompts_are_refused() {
        let unknown = resolve(&json!({"backbone": "b", "mask": {"keep": "all_scr"}})).unwrap_err();
        assert_eq!(unknown[0].path, "mask.keep");
        for name in ["`all_scr`", "`total`", "`all_src`", "`private`", "`src_1`"] {
            assert!(unknown[0].message.contains(name), "{}", unknown[0].message);
        }
        assert_eq!(unknown[0].help.as_deref(), Some("did you mean `all_src`?"));
        let both = json!({"backbone": "b", "untrained": true, "mask": {"keep": "private"}});
        let refused = resolve(&both).unwrap_err();
        assert!(refused[0].path == "untrained" && refused[0].help.is_some());
        assert!(resolve(&json!({"backbone": "b", "untrained": true, "mask": {"keep": "total"}})).is_ok());
    }
}
