//! Reads an operation's parameters from JSON and reports every fault, not the first one only.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::base::suggest;
use crate::plan::catalog::ParameterError;
use crate::spec::wording;

/// A pipeline that has more faults than this in one stage is better mended step by step.
const MOST_FAULTS: usize = 20;

/// Deserialises `parameters`; after each fault the faulty entry is taken out and reading goes on, so that one call
/// reports all of them.
///
/// # Errors
/// Every unknown field, wrong type and missing value, with its path.
pub fn read<T: DeserializeOwned>(parameters: &Value) -> Result<T, Vec<ParameterError>> {
    let mut rest = if parameters.is_null() { Value::Object(Default::default()) } else { parameters.clone() };
    spell_whole_numbers(&mut rest);
    // Mostly nothing is wrong, and then no paths are wanted.
    if let Ok(value) = T::deserialize(&rest) {
        return Ok(value);
    }
    let mut faults = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(&rest) {
            Ok(value) if faults.is_empty() => return Ok(value),
            Ok(_) => return Err(faults),
            Err(error) => error,
        };
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => path,
        };
        let message = error.inner().to_string();
        // A faulty entry that was taken out is not missing.
        let taken_out = |fault: &ParameterError| {
            let name = fault.path.rsplit('.').next().unwrap_or_default();
            message == format!("missing field `{name}`")
        };
        if !faults.is_empty() && faults.iter().any(taken_out) {
            return Err(faults);
        }
        faults.push(explain(&path, &message));
        if faults.len() >= MOST_FAULTS || !remove(&mut rest, &path) {
            return Err(faults);
        }
    }
}

/// The parameters without those whose value is the word `preset`.
pub fn left_to_preset(parameters: &Value) -> Value {
    match parameters {
        Value::Object(map) => {
            let written = map.iter().filter(|(_, value)| value.as_str() != Some("preset"));
            Value::Object(written.map(|(name, value)| (name.clone(), left_to_preset(value))).collect())
        }
        value => value.clone(),
    }
}

/// The complete parameters as the key and the worker see them.
pub fn complete<T: Serialize>(parameters: &T) -> Value {
    serde_json::to_value(parameters).expect("parameters are plain data")
}

/// A fault found by a check of ours.
pub fn fault(path: &str, message: impl Into<String>) -> ParameterError {
    ParameterError { path: path.to_owned(), message: message.into(), help: None }
}

/// `6.0` and `1e3` are whole numbers to a person who writes YAML; serde takes only `6` for one.
fn spell_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15);
            if let Some(float) = whole {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_whole_numbers),
        Value::Object(map) => map.values_mut().for_each(spell_whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// serde's message in our words, with a suggestion where it lists the known names.
fn explain(path: &str, message: &str) -> ParameterError {
    if let Some((message, help)) = wording::of_wrong_type(path, message).filter(|_| !path.is_empty()) {
        return ParameterError { path: path.to_owned(), message, help };
    }
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let help = match names.as_slice() {
        [typed, known @ ..] if message.starts_with("unknown") => {
            suggest::nearest(typed, known.iter().copied()).map(|name| format!("did you mean `{name}`?"))
        }
        _ => None,
    };
    ParameterError { path: path.to_owned(), message: message.to_owned(), help }
}

/// Takes the value at `path` out of `value`; false when there is none.
fn remove(value: &mut Value, path: &str) -> bool {
    // `lists[0].rate` has the parts `lists`, `[0]` and `rate`.
    let path = path.replace('[', ".[");
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", &path));
    let mut here = value;
    for part in parents.split('.').filter(|part| !part.is_empty()) {
        let next = match here {
            Value::Object(map) => map.get_mut(part),
            Value::Array(items) => part.trim_matches(['[', ']']).parse::<usize>().ok().and_then(|i| items.get_mut(i)),
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => return false,
        }
    }
    here.as_object_mut().is_some_and(|map| map.remove(last).is_some())
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        #[serde(default)]
        rate: f64,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        #[serde(default)]
        steps: u32,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[test]
    fn reports_every_fault_with_its_path() {
        let faults = read::<Sample>(&json!({"step": 1, "steps": "many", "inner": {"rate": true}})).unwrap_err();
        let mut paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["inner.rate", "step", "steps"]);
        let unknown = faults.iter().find(|fault| fault.path == "step").unwrap();
        assert_eq!(unknown.help.as_deref(), Some("did you mean `steps`?"));
    }
}
