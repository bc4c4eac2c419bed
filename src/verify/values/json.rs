//! JSON, value by value.

use std::collections::BTreeSet;

use serde_json::Value;

use super::tally::Tally;

/// Compares two documents; `None` when one of them is none.
pub(super) fn compare(recorded: &[u8], rerun: &[u8], tally: &mut Tally) -> Option<()> {
    let recorded: Value = serde_json::from_slice(recorded).ok()?;
    let rerun: Value = serde_json::from_slice(rerun).ok()?;
    descend("", &recorded, &rerun, tally);
    Some(())
}

/// Compares two files with one document a line; `None` when a line is none.
pub(super) fn compare_lines(recorded: &[u8], rerun: &[u8], tally: &mut Tally) -> Option<()> {
    let lines = |bytes: &[u8]| {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice::<Value>(line).ok()).collect::<Option<Vec<Value>>>()
    };
    let (recorded, rerun) = (lines(recorded)?, lines(rerun)?);
    tally.other("lines", recorded.len().to_string(), rerun.len().to_string());
    for (number, (a, b)) in recorded.iter().zip(&rerun).enumerate() {
        descend(&format!("line {} ", number + 1), a, b, tally);
    }
    Some(())
}

fn descend(path: &str, recorded: &Value, rerun: &Value, tally: &mut Tally) {
    match (recorded, rerun) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let dot = if path.is_empty() || path.ends_with(' ') { "" } else { "." };
                let path = format!("{path}{dot}{name}");
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => descend(&path, a, b, tally),
                    (a, b) => tally.other(path, shown(a), shown(b)),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            tally.other(format!("the length of {}", named(path)), a.len().to_string(), b.len().to_string());
            for (position, (a, b)) in a.iter().zip(b).enumerate() {
                descend(&format!("{path}[{position}]"), a, b, tally);
            }
        }
        (Value::Number(a), Value::Number(b)) => {
            if let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) {
                tally.number(|| named(path), a, b);
            }
        }
        (a, b) => tally.other(named(path), a.to_string(), b.to_string()),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}

fn named(path: &str) -> String {
    if path.is_empty() { "the whole".to_owned() } else { path.trim_end().to_owned() }
}
