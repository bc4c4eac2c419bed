//! How a stage is tried: again after a failure, for how long, before which others. Nothing of it changes a result, so
//! nothing of it is in a key.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::base::duration;

/// How a stage is tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Policy {
    /// When it is tried again; the run decides when the stage doesn't say.
    pub retries: Option<Retries>,
    /// How long one attempt may take; the run decides when the stage doesn't say.
    #[serde(serialize_with = "maybe_seconds")]
    pub timeout: Option<Duration>,
    /// Ready stages with more of it go first, however long the paths behind them.
    pub priority: i64,
    /// What the second, third, ... attempt takes of a resource that is a list; further ones take the last amount.
    pub growth: BTreeMap<String, Vec<u64>>,
}

/// When a failed stage is tried again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Retries {
    /// How many more attempts there are after the first.
    pub times: u32,
    /// The pause before the second attempt.
    #[serde(serialize_with = "seconds")]
    pub wait: Duration,
    /// How much longer each further pause is.
    pub factor: f64,
    /// The longest pause.
    #[serde(serialize_with = "seconds")]
    pub most: Duration,
    /// The failures that another attempt may mend.
    pub on: Vec<Cause>,
}

/// Why an attempt failed, as far as it decides whether another one makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The worker process died, or said what makes no sense.
    Worker,
    /// The machine lacks something: disk, memory, network, device.
    Environment,
    /// It took longer than `timeout`.
    Timeout,
    /// The data or the parameters are at fault; another attempt helps only where the stage asks the outside world.
    Input,
}

impl Policy {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What attempt `number` (1 is the first) takes of a resource of which the first takes `first`.
    pub fn amount(&self, resource: &str, first: u64, number: u32) -> u64 {
        let later = self.growth.get(resource).map(Vec::as_slice).unwrap_or_default();
        match usize::try_from(number).unwrap_or(usize::MAX).min(later.len() + 1) {
            0 | 1 => first,
            number => later[number - 2],
        }
    }

    /// From what is written.
    pub(super) fn of(raw: Option<&RawPolicy>, resources: &BTreeMap<String, Amount>) -> Self {
        let later = resources.iter().filter(|(_, amount)| !amount.later().is_empty());
        Self {
            retries: raw.and_then(|raw| raw.retries.clone()),
            timeout: raw.and_then(|raw| raw.timeout.as_ref()).map(|Timeout(timeout)| *timeout),
            priority: raw.and_then(|raw| raw.priority).unwrap_or(0),
            growth: later.map(|(name, amount)| (name.clone(), amount.later().to_vec())).collect(),
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            times: 0,
            wait: Duration::from_secs(10),
            factor: 2.0,
            most: Duration::from_secs(5 * 60),
            on: vec![Cause::Worker, Cause::Environment, Cause::Timeout],
        }
    }
}

impl Retries {
    /// So many more attempts, with the usual pauses.
    pub fn times(times: u32) -> Self {
        Self { times, ..Self::default() }
    }

    /// The pause after attempt `number` (1 is the first) has failed for this reason; `None` when that was the last.
    pub fn pause(&self, number: u32, cause: Cause) -> Option<Duration> {
        if number > self.times || !self.on.contains(&cause) {
            return None;
        }
        let exponent = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.wait.as_secs_f64() * self.factor.powi(exponent);
        // Grown beyond what a duration can hold, or nothing times infinity.
        Some(Duration::try_from_secs_f64(seconds).map_or(self.most, |pause| pause.min(self.most)))
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn maybe_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

/// `policy:` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub(super) struct RawPolicy {
    /// How often it is tried again when its worker died, the machine lacked something, or it took too long.
    #[serde(default)]
    #[schemars(with = "Option<RetriesEntry>")]
    retries: Option<Retries>,
    /// How long one attempt may take: `90s`, `15m`, `2h`.
    #[serde(default)]
    timeout: Option<Timeout>,
    /// Of the stages that could start, those with more of it go first; what they read does too. 0 when absent.
    #[serde(default)]
    priority: Option<i64>,
}

/// `retries:` in its long form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Retries")]
struct LongRetries {
    /// How many more attempts there are after the first.
    times: u32,
    /// The pause before the second attempt; 10s when absent.
    #[serde(default)]
    wait: Option<Span>,
    /// How much longer each further pause is; 2 when absent.
    #[serde(default)]
    factor: Option<Factor>,
    /// The longest pause; 5m when absent.
    #[serde(default)]
    most: Option<Span>,
    /// The failures after which it is tried again; `worker`, `environment` and `timeout` when absent.
    #[serde(default)]
    on: Option<Vec<Cause>>,
}

/// What one instance takes of a resource.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Amount(Vec<u64>);

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span(Duration);

/// A duration that is not nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Timeout(Duration);

/// A number, 1 or more.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Factor(f64);

impl Amount {
    /// In the first attempt.
    pub(super) fn first(&self) -> u64 {
        self.0.first().copied().unwrap_or(0)
    }

    /// In the attempts after it.
    pub(super) fn later(&self) -> &[u64] {
        self.0.get(1..).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl<'de> Visitor<'de> for AmountVisitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, 0 or more, or a list of them for one attempt after another")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount(vec![number]))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Amount, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Amount, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = seq.next_element()? {
                    numbers.push(number);
                }
                if numbers.is_empty() {
                    Err(A::Error::invalid_value(Unexpected::Other("an empty list"), &self))
                } else {
                    Ok(Amount(numbers))
                }
            }
        }
        deserializer.deserialize_any(AmountVisitor)
    }
}

impl<'de> Deserialize<'de> for Retries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RetriesVisitor;
        impl<'de> Visitor<'de> for RetriesVisitor {
            type Value = Retries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, 0 or more, or `{ times: 3, wait: 10s }`")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Retries, E> {
                let times = u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
                Ok(Retries::times(times))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Retries, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Retries, A::Error> {
                let LongRetries { times, wait, factor, most, on } =
                    LongRetries::deserialize(MapAccessDeserializer::new(map))?;
                let usual = Retries::times(times);
                Ok(Retries {
                    times,
                    wait: wait.map_or(usual.wait, |Span(wait)| wait),
                    factor: factor.map_or(usual.factor, |Factor(factor)| factor),
                    most: most.map_or(usual.most, |Span(most)| most),
                    on: on.unwrap_or(usual.on),
                })
            }
        }
        deserializer.deserialize_any(RetriesVisitor)
    }
}

/// Accepts texts that [`duration::parse`] reads.
struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(duration::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        duration::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Span(timeout) = Span::deserialize(deserializer)?;
        if timeout.is_zero() {
            return Err(D::Error::custom("nothing can be done in no time; leave it out for no limit"));
        }
        Ok(Self(timeout))
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let factor = f64::deserialize(deserializer)?;
        if factor >= 1.0 {
            Ok(Self(factor))
        } else {
            Err(D::Error::invalid_value(Unexpected::Float(factor), &"a number, 1 or more"))
        }
    }
}

/// For the schema: `retries` in both forms.
struct RetriesEntry;

impl JsonSchema for RetriesEntry {
    fn schema_name() -> Cow<'static, str> {
        "RetriesEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongRetries>();
        json_schema!({
            "description": "How many more attempts there are after the first, or a map with the pauses between them.",
            "anyOf": [{ "type": "integer", "minimum": 0 }, long],
        })
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": 0 });
        json_schema!({
            "description": "What one instance takes of a resource; a list has one amount for each attempt.",
            "anyOf": [number, { "type": "array", "items": number, "minItems": 1 }],
        })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A duration: `90s`, `15m`, `2h`, `1d`.", "type": "string", "pattern": "^[0-9]+[smhd]$" })
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        Span::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Span::json_schema(generator)
    }
}

impl JsonSchema for Factor {
    fn schema_name() -> Cow<'static, str> {
        "Factor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Policy, Retries};
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let retries = Retries::times(9);
        let pauses: Vec<u64> = (1..10).map(|number| retries.pause(number, Cause::Worker).unwrap().as_secs()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300, 300]);
        assert_eq!(retries.pause(10, Cause::Worker), None);
        assert_eq!(retries.pause(1, Cause::Input), None);
        assert_eq!(Retries { on: vec![Cause::Input], ..retries }.pause(1, Cause::Input), Some(Duration::from_secs(10)));
        assert_eq!(Retries::default().pause(1, Cause::Worker), None);
    }

    #[test]
    fn the_last_amount_stays() {
        let policy = Policy { growth: [("mem_gb".to_owned(), vec![16, 32])].into(), ..Policy::default() };
        let amounts: Vec<u64> = (0..6).map(|number| policy.amount("mem_gb", 8, number)).collect();
        assert_eq!(amounts, [8, 8, 16, 32, 32, 32]);
        assert_eq!(policy.amount("gpu", 1, 3), 1);
    }

    proptest! {
        #[test]
        fn pauses_never_shrink_nor_pass_the_longest(wait in 0u64..1000, factor in 1.0f64..1e6, most in 0u64..1000, number in 1u32..100) {
            let retries = Retries {
                times: 200,
                wait: Duration::from_secs(wait),
                factor,
                most: Duration::from_secs(most),
                ..Retries::default()
            };
            let pause = |number| retries.pause(number, Cause::Timeout).unwrap();
            prop_assert!(pause(number) <= pause(number + 1));
            prop_assert!(pause(number) <= retries.most);
            prop_assert_eq!(pause(1), retries.wait.min(retries.most));
        }
    }
}
