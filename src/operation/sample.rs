//! `sample`: k training rows, and validation and test rows, of one data set.
//!
//! Reads one `fetch`. Writes `task.json`, `dataset.json` and `train.jsonl`, `validation.jsonl`, `test.jsonl`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Operation, parameters, parameters_of};
use crate::plan::catalog::{ParameterError, Place, Resolved};
use crate::protocol::{Job, Reporter, StageError};
use crate::task::dataset::{Dataset, Kind, Split};
use crate::task::draw::{Member, Pool};
use crate::task::sampled::{self, SampledRow};
use crate::task::split;

/// The operation.
pub struct Sample;

/// What a pipeline writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleParameters {
    /// Training rows: a number, or `all`.
    pub k: Count,
    /// Whether `k` counts the rows of the task (as in section 5.5 of the paper) or of each of its classes.
    #[serde(default)]
    pub k_unit: Unit,
    /// What happens when a task has fewer than `k` training rows.
    #[serde(default)]
    pub when_short: WhenShort,
    /// Most test rows: a number, or `all`; a task that has fewer gives all it has.
    #[serde(default = "default_test_samples")]
    pub test_samples: Count,
    /// Most validation rows: a number, or `all`; none where the task has no validation rows.
    #[serde(default = "default_validation_samples")]
    pub validation_samples: Count,
    /// The data seed: draws the training rows.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Draws the test and validation rows; keep it, so that all data seeds are tested on the same rows.
    #[serde(default)]
    pub test_seed: u64,
}

fn default_test_samples() -> Count {
    Count::Exactly(100)
}

fn default_validation_samples() -> Count {
    Count::Exactly(50)
}

fn default_seed() -> u64 {
    123
}

/// A number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// This many.
    Exactly(usize),
    /// All there are.
    All,
}

/// What `k` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The rows of a task, whatever their labels.
    #[default]
    Task,
    /// The rows of each class.
    Class,
}

/// What happens when there are fewer rows than `k`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenShort {
    /// The stage fails.
    #[default]
    Fail,
    /// All rows are taken.
    TakeAll,
}

impl Count {
    fn limit(self) -> usize {
        match self {
            Self::Exactly(count) => count,
            Self::All => usize::MAX,
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exactly(count) => serializer.serialize_u64(*count as u64),
            Self::All => serializer.serialize_str("all"),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;
        impl Visitor<'_> for Rows {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of rows, or `all`")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
                usize::try_from(count).map(Count::Exactly).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                if text == "all" { Ok(Count::All) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
            }
        }
        deserializer.deserialize_any(Rows)
    }
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "integer", "minimum": 0 }, { "const": "all" }] })
    }
}

impl Operation for Sample {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn about(&self) -> &'static str {
        "Draws k training rows, and validation and test rows, of a data set"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(SampleParameters)
    }

    fn resolve(&self, given: &Value, _root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let read: SampleParameters = parameters::read(given)?;
        let mut faults = Vec::new();
        if read.k == Count::Exactly(0) {
            faults.push(parameters::fault("k", "expected at least 1 training row, or `all`"));
        }
        if read.k == Count::All && read.k_unit == Unit::Class {
            faults.push(parameters::fault("k_unit", "`k: all` takes every row; `k_unit: class` needs a number"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: 1,
            parameters: parameters::complete(&read),
            accepts: &["fetch"],
            sources: Vec::new(),
            reads_coordinates: false,
            place: Place::Thread,
            publishes: false,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let wanted: SampleParameters = parameters_of(job)?;
        let input = super::only_input(job)?;
        let dataset = sampled::read_dataset(input.files.folder())?;
        let all = sampled::read_fetched(input.files.folder(), &dataset)?;
        let pools = split::divide(&dataset, &all)?;
        if pools.test.is_empty() && wanted.test_samples.limit() > 0 {
            return Err(StageError::input(format!("`{}` has no test rows", dataset.name)).with_hint(format!(
                "name `files.test` in `datasets/{}.yaml` or choose another `splits`, or set `test_samples: 0`",
                dataset.name
            )));
        }
        let train = draw_train(&dataset, &pools.train, &wanted)?;
        let rest = |pool: &Pool<'_>, split: Split, count: Count| {
            pool.draw(wanted.test_seed, split.name(), &dataset.name, count.limit())
        };
        let validation = rest(&pools.validation, Split::Validation, wanted.validation_samples);
        let test = rest(&pools.test, Split::Test, wanted.test_samples);
        sampled::write_dataset(&job.output, &dataset)?;
        for (split, pool, drawn) in [
            (Split::Train, &pools.train, &train),
            (Split::Validation, &pools.validation, &validation),
            (Split::Test, &pools.test, &test),
        ] {
            reporter.log(&format!("{}: {} of {} rows", split.name(), drawn.len(), pool.len()));
            let rows: Vec<SampledRow> = drawn.iter().map(|member| SampledRow::new(pool, member)).collect();
            sampled::write_rows(&job.output, split, &rows)?;
        }
        Ok(())
    }
}

fn draw_train(dataset: &Dataset, pool: &Pool<'_>, wanted: &SampleParameters) -> Result<Vec<Member>, StageError> {
    let task = dataset.name.as_str();
    let Count::Exactly(k) = wanted.k else { return Ok(pool.draw(wanted.seed, "train", task, usize::MAX)) };
    let short = |found: usize, of: &str| {
        StageError::input(format!("`{task}` has {found} training rows{of}, and `k: {k}` asks for more"))
            .with_hint("set a smaller `k`, or `when_short: take_all`")
    };
    if wanted.k_unit == Unit::Task {
        if pool.len() < k && wanted.when_short == WhenShort::Fail {
            return Err(short(pool.len(), ""));
        }
        return Ok(pool.draw(wanted.seed, "train", task, k));
    }
    if dataset.kind == Kind::Regression {
        return Err(StageError::input(format!("`{task}` is a regression and has no classes for `k_unit: class`"))
            .with_hint("use `k_unit: task` for this task"));
    }
    let (drawn, fewest) = pool.draw_per_class(wanted.seed, "train", task, k, dataset.label.words.len());
    match fewest {
        (class, found) if found < k && wanted.when_short == WhenShort::Fail => {
            Err(short(found, &format!(" of the class `{}`", dataset.label.words[class].word)))
        }
        _ => Ok(drawn),
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Sample, SampleParameters, Unit, draw_train};
    use crate::operation::Operation;
    use crate::task::draw::Pool;
    use crate::task::fixtures;
    use serde_json::json;
    use std::path::Path;

    fn parameters(value: serde_json::Value) -> SampleParameters {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn defaults_are_the_papers() {
        // METHODS 3.1 and 8.17, 8.18: per task, 100 test rows, 50 validation rows.
        let read = parameters(json!({"k": 16}));
        assert_eq!(read.k_unit, Unit::Task);
        assert_eq!((read.test_samples, read.validation_samples), (Count::Exactly(100), Count::Exactly(50)));
        assert_eq!(parameters(json!({"k": "all"})).k, Count::All);
    }

    #[test]
    fn faults_of_parameters() {
        let faults = |value| {
            let faults = Sample.resolve(&value, Path::new(".")).unwrap_err();
            faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect::<Vec<_>>()
        };
        assert_eq!(faults(json!({"k": 0})), ["k: expected at least 1 training row, or `all`"]);
        assert!(faults(json!({"k": "some"}))[0].contains("a number of rows, or `all`"));
        assert!(faults(json!({"k": -1}))[0].starts_with("k: `k` must be "));
        assert_eq!(faults(json!({"k": "all", "k_unit": "class"})).len(), 1);
    }

    #[test]
    fn too_few_rows() {
        let rows = fixtures::rows(&[("a", 0), ("b", 1), ("c", 1)]);
        let pool = Pool::new(&rows);
        let dataset = fixtures::dataset("imdb");
        let draw = |value| draw_train(&dataset, &pool, &parameters(value)).map(|drawn| drawn.len());
        assert_eq!(draw(json!({"k": 3})).unwrap(), 3);
        assert_eq!(draw(json!({"k": 1, "k_unit": "class"})).unwrap(), 2);
        assert_eq!(draw(json!({"k": 4, "when_short": "take_all"})).unwrap(), 3);
        assert_eq!(draw(json!({"k": 2, "k_unit": "class", "when_short": "take_all"})).unwrap(), 3);
        let message = |value| draw(value).unwrap_err().message;
        assert_eq!(message(json!({"k": 4})), "`imdb` has 3 training rows, and `k: 4` asks for more");
        assert_eq!(
            message(json!({"k": 2, "k_unit": "class"})),
            "`imdb` has 1 training rows of the class `negative`, and `k: 2` asks for more"
        );
    }
}
