//! `claims`: statements about results, checked over seeds and test examples.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::aggregate::{one_or_more, one_or_more_schema, stage_error};
use super::confusion::labelled;
use super::{Ending, Operation, parameters, parameters_of};
use crate::base::files;
use crate::plan::catalog::{ParameterError, Place, Resolved};
use crate::protocol::{Job, Reporter, StageError};
use crate::report::claims::answers::Answers;
use crate::report::claims::parse::Statement;
use crate::report::claims::verdict::Outcome;
use crate::report::claims::{self, Across, Claim, by_claim, outcome, screen};
use crate::report::terminal::Style;
use crate::report::{ReportError, sheet};

/// The parameters of `claims`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The claims, in the order in which they are shown.
    pub check: Vec<Check>,
    /// The axis or axes whose values repeat a measurement; they are drawn in the bootstrap. `[]` where there are none.
    #[serde(default = "seed", deserialize_with = "one_or_more")]
    #[schemars(schema_with = "one_or_more_schema")]
    pub seeds: Vec<String>,
    /// Bootstrap resamples of seeds and test examples.
    #[serde(default = "resamples")]
    pub resamples: usize,
}

/// One claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// A short name, once in a stage.
    pub name: String,
    /// The statement in words.
    #[serde(default)]
    pub says: String,
    /// Where it is from, such as the section of a paper.
    #[serde(default, deserialize_with = "text_or_number")]
    #[schemars(with = "Value")]
    pub section: String,
    /// The statement as an expression: `mean(method=spp) > mean(method=pt) + 2`; `docs/claims.md` has the grammar.
    pub expect: String,
    /// An axis, a list of axes, or axes with values: it must hold at each value.
    #[serde(default, rename = "for")]
    pub across: Places,
}

/// The axes of `for`, with the values that were named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<String, Option<Vec<String>>>);

fn seed() -> Vec<String> {
    vec!["seed".to_owned()]
}

fn resamples() -> usize {
    2000
}

/// Fewest resamples whose 2.5 % tails hold a few values, and most that a person waits for.
const RESAMPLES: std::ops::RangeInclusive<usize> = 200..=100_000;

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 1;

/// A scalar as the text that axis values have.
fn text_of<E: serde::de::Error>(value: Value) -> Result<String, E> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(E::custom("invalid type: expected one value, not a list or a map")),
    }
}

/// `section: 4.1` is a number in YAML.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text_of(Value::deserialize(deserializer)?)
}

impl Serialize for Places {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Axes;
        impl<'de> Visitor<'de> for Axes {
            type Value = Places;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of an axis, a list of such names, or a map from axes to lists of values")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Places, E> {
                Ok(Places([(name.to_owned(), None)].into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Places, A::Error> {
                let mut places = BTreeMap::new();
                while let Some(name) = names.next_element::<String>()? {
                    places.insert(name, None);
                }
                Ok(Places(places))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut axes: A) -> Result<Places, A::Error> {
                let mut places = BTreeMap::new();
                while let Some((axis, values)) = axes.next_entry::<String, Value>()? {
                    let values = match values {
                        Value::Null => None,
                        Value::Array(list) if list.is_empty() => {
                            return Err(A::Error::custom(format!(
                                "invalid value: the axis `{axis}` has an empty list"
                            )));
                        }
                        Value::Array(list) => Some(list.into_iter().map(text_of).collect::<Result<_, A::Error>>()?),
                        one => Some(vec![text_of(one)?]),
                    };
                    places.insert(axis, values);
                }
                Ok(Places(places))
            }
        }
        deserializer.deserialize_any(Axes)
    }
}

impl JsonSchema for Places {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Places".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An axis, a list of axes, or a map from axes to the values that count.",
            "oneOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
                { "type": "object" },
            ],
        })
    }
}

/// The operation.
pub struct Claims;

impl Operation for Claims {
    fn name(&self) -> &'static str {
        "claims"
    }

    fn about(&self) -> &'static str {
        "Checks statements about scores over seeds and test examples: pass, fail or undecided"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, parameters: &Value, _: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let parameters: Parameters = parameters::read(parameters)?;
        let faults = faults(&parameters);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&parameters),
            accepts: &["evaluate", "ablate"],
            sources: Vec::new(),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: true,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        let claims = parameters.check.into_iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        let evaluations = job.inputs.iter().map(labelled).collect::<Result<Vec<_>, _>>()?;
        let answers = Answers::read(&evaluations).map_err(stage_error)?;
        let rows = claims::check(&answers, &claims, &parameters.seeds, parameters.resamples).map_err(stage_error)?;
        let table = claims::sheet::table(&rows).map_err(stage_error)?;
        sheet::write(&job.output.join("claims.csv"), table).map_err(stage_error)?;
        files::write_atomically(&job.output.join("claims.md"), claims::sheet::markdown(&rows).as_bytes())?;
        reporter.log(&claims::sheet::summary(&rows));
        Ok(())
    }

    fn ending(&self, folder: &Path, style: Style) -> Result<Option<Ending>, ReportError> {
        let rows = claims::sheet::read(&folder.join("claims.csv"))?;
        let failed = by_claim(&rows).filter(|rows| outcome(*rows) == Outcome::Fail);
        let broken = failed.map(|rows| rows[0].name.clone()).collect();
        Ok(Some(Ending { text: screen::draw(&rows, style.ansi), broken }))
    }
}

/// A claim with its expression read.
fn claim(check: Check) -> Result<Claim, StageError> {
    let statement = Statement::parse(&check.expect)
        .map_err(|error| StageError::bug(format!("the claim `{}` was planned, but {error}", check.name)))?;
    Ok(Claim {
        name: check.name,
        section: check.section,
        says: check.says,
        expect: check.expect,
        statement,
        across: Across(check.across.0),
    })
}

/// What serde can't check; every fault at once.
fn faults(parameters: &Parameters) -> Vec<ParameterError> {
    let mut faults = Vec::new();
    if parameters.check.is_empty() {
        let help = "write one: `- { name: better, expect: \"mean(method=spp) > mean(method=pt)\" }`";
        let fault = parameters::fault("check", "`check` has no claim");
        faults.push(ParameterError { help: Some(help.to_owned()), ..fault });
    }
    for (i, check) in parameters.check.iter().enumerate() {
        if check.name.is_empty() {
            faults.push(parameters::fault(&format!("check[{i}].name"), "a claim needs a name"));
        } else if parameters.check[..i].iter().any(|other| other.name == check.name) {
            let message = format!("two claims are named `{}`", check.name);
            faults.push(parameters::fault(&format!("check[{i}].name"), message));
        }
        if let Err(error) = Statement::parse(&check.expect) {
            let fault = parameters::fault(&format!("check[{i}].expect"), error.message);
            faults.push(ParameterError { help: error.help, ..fault });
        }
    }
    if !RESAMPLES.contains(&parameters.resamples) {
        let (least, most) = (RESAMPLES.start(), RESAMPLES.end());
        let message = format!("`{}` resamples; expected {least} to {most}", parameters.resamples);
        faults.push(parameters::fault("resamples", message));
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::aggregate::tests::{Log, job};
    use super::*;
    use crate::protocol::Input;
    use crate::task::dataset::Kind;
    use crate::task::texts::{self, TaskCard};

    /// An evaluation of the task `rte`, of whose 20 examples the first `right` are answered right.
    fn evaluated(folder: &Path, axes: &[(&str, &str)], right: usize) -> Input {
        let name: Vec<&str> = axes.iter().map(|(_, value)| *value).collect();
        let folder = folder.join(name.join("-"));
        fs_err::create_dir_all(&folder).unwrap();
        let mut predictions = "task,prompt,id,source,gold,predicted,valid\n".to_owned();
        for i in 0..20 {
            let predicted = if i < right { "yes" } else { "no" };
            predictions += &format!("rte,learned,{i},text,yes,{predicted},true\n");
        }
        fs_err::write(folder.join("predictions.csv"), predictions).unwrap();
        let value = right as f64 * 5.0;
        let scores = format!("task,prompt,metric,of,value,examples\nrte,learned,score,accuracy,{value},20\n");
        fs_err::write(folder.join("scores.csv"), scores).unwrap();
        let labels = vec!["no".to_owned(), "yes".to_owned()];
        let score = "accuracy".to_owned();
        let card = TaskCard { name: "rte".to_owned(), kind: Kind::Classification, labels, metrics: vec![], score };
        texts::write_cards(&folder, &[card]).unwrap();
        Input {
            stage: "score".to_owned(),
            operation: "evaluate".to_owned(),
            coordinates: axes.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect(),
            files: folder.into(),
        }
    }

    fn inputs(folder: &Path) -> Vec<Input> {
        let cells = [("spp", "8", "1", 18), ("spp", "8", "2", 19), ("pt", "8", "1", 3), ("pt", "8", "2", 2)];
        let more = [("spp", "32", "1", 20), ("spp", "32", "2", 20), ("pt", "32", "1", 11), ("pt", "32", "2", 12)];
        let input = |&(method, k, seed, right): &(&str, &str, &str, usize)| {
            evaluated(folder, &[("method", method), ("k", k), ("seed", seed)], right)
        };
        cells.iter().chain(&more).map(input).collect()
    }

    #[test]
    fn claims_are_checked_at_every_value() {
        let folder = tempfile::tempdir().unwrap();
        let parameters = json!({"check": [
            {"name": "better", "says": "SPP above PT", "section": 4.1, "expect": "mean(method=spp) > mean(method=pt)", "for": "k"},
            {"name": "worse", "expect": "mean(method=spp) < mean(method=pt) - 1", "for": {"k": [32]}},
            {"name": "chance", "expect": "mean(method=pt, k=8) > chance"},
        ]});
        let job = Job { inputs: inputs(folder.path()), ..job(&Claims, &parameters, folder.path()) };
        let mut log = Log::default();
        Claims.run(&job, &mut log).unwrap();
        assert_eq!(log.0, ["1 of 3 claims pass, 2 fail"]);
        let csv = fs_err::read_to_string(job.output.join("claims.csv")).unwrap();
        let starts: Vec<String> =
            csv.lines().map(|line| line.split(',').take(6).collect::<Vec<_>>().join(",")).collect();
        // Of 20: 18.5 - 2.5 = 16 are 80 points; 20 - 11.5 = 8.5 are 42.5; all gold texts are `yes`, which scores 100.
        assert_eq!(
            starts[1..],
            [
                "better,4.1,SPP above PT,mean(method=spp) > mean(method=pt),k=8,80.0",
                "better,4.1,SPP above PT,mean(method=spp) > mean(method=pt),k=32,42.5",
                "worse,,,mean(method=spp) < mean(method=pt) - 1,k=32,42.5",
                "chance,,,\"mean(method=pt, k=8) > chance\",",
            ]
        );
        assert!(
            fs_err::read_to_string(job.output.join("claims.md")).unwrap().starts_with("1 of 3 claims pass, 2 fail\n")
        );
        let ending = Claims.ending(&job.output, Style { width: 80, ansi: false, digits: 1 }).unwrap().unwrap();
        assert_eq!(ending.broken, ["worse", "chance"]);
        assert!(ending.text.contains("✓ pass      SPP above PT (section 4.1)\n"), "{}", ending.text);
        let again = fs_err::read(job.output.join("claims.csv")).unwrap();
        Claims.run(&job, &mut Log::default()).unwrap();
        assert_eq!(fs_err::read(job.output.join("claims.csv")).unwrap(), again);
    }

    #[test]
    fn what_does_not_fit_the_results_is_told_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let parameters = json!({"check": [{"name": "x", "expect": "mean(method=ssp) > 3"}], "seeds": []});
        let job = Job { inputs: inputs(folder.path()), ..job(&Claims, &parameters, folder.path()) };
        let error = Claims.run(&job, &mut Log::default()).unwrap_err();
        assert_eq!(error.message, "claim `x`: the axis `method` has no value `ssp`; it has `spp`, `pt`");
        assert_eq!(error.hint.as_deref(), Some("did you mean `spp`?"));
    }

    #[test]
    fn parameters_are_checked_all_at_once() {
        let said = |parameters: Value| {
            let faults = Claims.resolve(&parameters, Path::new(".")).unwrap_err();
            faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect::<Vec<_>>()
        };
        let parameters = json!({"resamples": 10, "check": [
            {"name": "a", "expect": "mean() > chance"},
            {"name": "a", "expect": "mean( > chance"},
            {"name": "", "expect": "mean() > chance", "for": ["k", "task"]},
        ]});
        assert_eq!(
            said(parameters),
            [
                "check[1].name: two claims are named `a`",
                "check[1].expect: expected the name of an axis after `mean(`, found `>`",
                "check[2].name: a claim needs a name",
                "resamples: `10` resamples; expected 200 to 100000",
            ]
        );
        assert_eq!(said(json!({"check": []})), ["check: `check` has no claim"]);
        let wrong = said(json!({"check": [{"name": "a", "expect": "mean() > 1", "for": {"k": []}, "section": [1]}]}));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        let completed = Claims
            .resolve(
                &json!({"check": [{"name": "a", "expect": "mean() > 1", "for": "k", "section": 4.1}]}),
                Path::new("."),
            )
            .unwrap()
            .parameters;
        assert_eq!((&completed["check"][0]["for"], &completed["seeds"]), (&json!({"k": null}), &json!(["seed"])));
        assert_eq!(completed["check"][0]["section"], "4.1");
    }
}
