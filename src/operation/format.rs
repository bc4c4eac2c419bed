//! `format`: drawn rows as source and target texts.
//!
//! Reads one `sample`. Writes `task.json` and `train.jsonl`, `validation.jsonl`, `test.jsonl` (see `task::texts`).

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Operation, parameters, parameters_of};
use crate::plan::catalog::{ParameterError, Place, Resolved};
use crate::protocol::{Job, Reporter, StageError};
use crate::task::dataset::Split;
use crate::task::sampled;
use crate::task::text::{self, Formatter, TextSettings};
use crate::task::texts::{self, Example, TaskCard, TaskTexts};

/// The operation.
pub struct Format;

/// What a pipeline writes; what is left out comes from the preset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormatParameters {
    /// The bundle of defaults for what is not written here.
    #[serde(default)]
    pub preset: Preset,
    /// The source text, with columns in braces: `premise: {sentence1}`. Default: the template of the data set's file.
    #[serde(default)]
    pub template: Option<String>,
    /// Goes before every source; `{task}` stands for the task's name. Default `"{task}: "`; `paper_code`:
    /// `"src-{task}: "`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Words for labels: `words` (the data set's own, the default), `hyphen`, `number`, `distinct` (task and number), or
    /// a set that the data set's file adds under `label_sets`.
    #[serde(default)]
    pub label_set: Option<String>,
    /// Whether sources end in the list of label words, ` options:a,b`. Default false.
    #[serde(default)]
    pub options: Option<bool>,
    /// Longest source in characters, prefix included; longer ones lose their end. Default: no limit; `paper_code`: 450.
    #[serde(default)]
    pub max_source_chars: Option<usize>,
    /// Whether single columns are cut as the data set's file says under `column_chars`. Default false; `paper_code`:
    /// true.
    #[serde(default)]
    pub cut_columns: Option<bool>,
    /// Scores (STS-B) are rounded to multiples of this. Default 0.2; `paper_code`: 0.1.
    #[serde(default)]
    pub stsb_step: Option<f64>,
}

/// A bundle of defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// What we recommend.
    #[default]
    Recommended,
    /// What the paper says.
    PaperText,
    /// What the authors' code does.
    PaperCode,
}

/// What the key and the body see: no preset any more, so that equal settings are equal however they were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    prefix: String,
    label_set: String,
    options: bool,
    max_source_chars: Option<usize>,
    cut_columns: bool,
    stsb_step: f64,
}

impl FormatParameters {
    fn planned(self) -> Planned {
        let defaults = match self.preset {
            Preset::Recommended | Preset::PaperText => TextSettings::default(),
            Preset::PaperCode => TextSettings {
                prefix: "src-{task}: ".to_owned(),
                max_source_chars: Some(450),
                cut_columns: true,
                score_step: 0.1,
                ..TextSettings::default()
            },
        };
        Planned {
            template: self.template,
            prefix: self.prefix.unwrap_or(defaults.prefix),
            label_set: self.label_set.unwrap_or(defaults.label_set),
            options: self.options.unwrap_or(defaults.options),
            max_source_chars: self.max_source_chars.or(defaults.max_source_chars),
            cut_columns: self.cut_columns.unwrap_or(defaults.cut_columns),
            stsb_step: self.stsb_step.unwrap_or(defaults.score_step),
        }
    }

    /// The settings of the texts that these parameters mean, for showing rows outside a pipeline.
    pub fn text_settings(self) -> TextSettings {
        self.planned().into()
    }
}

/// The settings that complete parameters of a planned `format` stage mean.
///
/// # Errors
/// Parameters of another version.
pub fn planned_settings(parameters: &Value) -> Result<TextSettings, StageError> {
    let planned: Planned = serde_json::from_value(parameters.clone())
        .map_err(|error| StageError::input(format!("a `format` stage of another version of compt: {error}")))?;
    Ok(planned.into())
}

impl From<Planned> for TextSettings {
    fn from(planned: Planned) -> Self {
        Self {
            template: planned.template,
            prefix: planned.prefix,
            label_set: planned.label_set,
            options: planned.options,
            max_source_chars: planned.max_source_chars,
            cut_columns: planned.cut_columns,
            score_step: planned.stsb_step,
        }
    }
}

impl Operation for Format {
    fn name(&self) -> &'static str {
        "format"
    }

    fn about(&self) -> &'static str {
        "Turns drawn rows into source and target texts, with a task prefix"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(FormatParameters)
    }

    fn resolve(&self, given: &Value, _root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let planned = parameters::read::<FormatParameters>(given)?.planned();
        let mut faults = Vec::new();
        if let Err(message) = text::prefix(&planned.prefix, "task") {
            faults.push(parameters::fault("prefix", message));
        }
        if let Some(Err(message)) = planned.template.as_deref().map(text::Template::parse) {
            faults.push(parameters::fault("template", message));
        }
        if text::decimals(planned.stsb_step).is_none() {
            let message = format!("`{}` is no step of at most two decimals, such as 0.2 or 0.1", planned.stsb_step);
            faults.push(parameters::fault("stsb_step", message));
        }
        if planned.max_source_chars == Some(0) {
            faults.push(parameters::fault("max_source_chars", "expected at least 1; leave it out for no limit"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: 1,
            parameters: parameters::complete(&planned),
            accepts: &["sample"],
            sources: Vec::new(),
            reads_coordinates: false,
            place: Place::Thread,
            publishes: false,
        })
    }

    fn run(&self, job: &Job, _reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let settings: TextSettings = parameters_of::<Planned>(job)?.into();
        let input = super::only_input(job)?;
        let dataset = sampled::read_dataset(input.files.folder())?;
        let formatter = Formatter::new(&dataset, &settings)?;
        let examples = |split| -> Result<Vec<Example>, StageError> {
            let rows = sampled::read_rows(input.files.folder(), split)?;
            rows.into_iter()
                .map(|row| {
                    let (source, target) = (formatter.source(&row.cells)?, formatter.target(row.label)?);
                    Ok(Example { id: row.id, source, target })
                })
                .collect()
        };
        let made = TaskTexts {
            card: TaskCard::new(&dataset, formatter.words().to_vec()),
            train: examples(Split::Train)?,
            validation: examples(Split::Validation)?,
            test: examples(Split::Test)?,
        };
        texts::write(&job.output, &made)
    }
}

#[cfg(test)]
mod tests {
    use super::Format;
    use crate::operation::Operation;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn presets_fill_what_is_not_written() {
        let resolve = |value| Format.resolve(&value, Path::new(".")).unwrap().parameters;
        // METHODS 8.24, 8.25, 8.26.
        let code = json!({"prefix": "src-{task}: ", "label_set": "words", "options": false, "max_source_chars": 450,
            "cut_columns": true, "stsb_step": 0.1});
        assert_eq!(resolve(json!({"preset": "paper_code"})), code);
        assert_eq!(resolve(json!({}))["prefix"], "{task}: ");
        assert_eq!(resolve(json!({})), resolve(json!({"preset": "paper_text", "stsb_step": 0.2})));
        assert_eq!(resolve(json!({"preset": "paper_code", "prefix": ""}))["prefix"], "");
    }

    #[test]
    fn all_faults_at_once() {
        let given = json!({"template": "{", "prefix": "{taks}: ", "stsb_step": 0, "max_source_chars": 0});
        let faults = Format.resolve(&given, Path::new(".")).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["prefix", "template", "stsb_step", "max_source_chars"]);
    }
}
