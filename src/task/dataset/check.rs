//! What a data set's file must satisfy beyond its types; every fault is found in one go.

use std::collections::BTreeSet;

use super::{DatasetFile, Kind, SplitPolicy};
use crate::base::suggest;
use crate::task::source::glob;
use crate::task::text::{LABEL_SETS, Template};

/// A fault: the field's path (`label.words`) and what is wrong with it.
pub(super) type Fault = (String, String);

/// All faults of `file`.
pub(super) fn faults(file: &DatasetFile) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut fault = |path: &str, message: String| found.push((path.to_owned(), message));
    source(file, &mut fault);
    files(file, &mut fault);
    columns(file, &mut fault);
    label(file, &mut fault);
    metrics(file, &mut fault);
    found
}

fn source(file: &DatasetFile, fault: &mut impl FnMut(&str, String)) {
    match (&file.source.hub, &file.source.local) {
        (Some(id), None) if !crate::task::source::is_hub_id(id) => {
            fault("source.hub", format!("`{id}` is no id of the hub, expected `owner/name`"));
        }
        (None, None) => fault("source", "expected `hub: owner/name` or `local: path`".to_owned()),
        (Some(_), Some(_)) => fault("source", "`hub` and `local` exclude each other".to_owned()),
        _ => {}
    }
    if file.source.revision.is_empty() {
        fault("source.revision", "expected a branch, a tag or a commit, for instance `main`".to_owned());
    }
    if !glob::stays_inside(&file.source.folder) {
        fault("source.folder", format!("`{}` must be a relative path without `..`", file.source.folder));
    }
}

fn files(file: &DatasetFile, fault: &mut impl FnMut(&str, String)) {
    if file.files.train.is_empty() {
        fault("files.train", "expected at least one file".to_owned());
    }
    for (split, patterns) in file.files.present() {
        for (at, pattern) in patterns.iter().enumerate() {
            let path = format!("files.{}[{at}]", split.name());
            if pattern.is_empty() || !glob::stays_inside(pattern) {
                fault(&path, format!("`{pattern}` must be a relative path without `..`"));
            } else if !crate::task::rows::is_supported(pattern) {
                fault(&path, format!("`{pattern}` must end in .parquet, .csv, .tsv, .jsonl or .json"));
            }
        }
    }
    let (validation, test) = (!file.files.validation.is_empty(), !file.files.test.is_empty());
    match file.splits {
        SplitPolicy::AsNamed => {}
        SplitPolicy::HalveValidation => {
            if !validation {
                fault("files.validation", "`splits: halve_validation` needs validation files".to_owned());
            }
            if test {
                fault(
                    "files.test",
                    "`splits: halve_validation` makes the test rows from the validation rows".to_owned(),
                );
            }
        }
        SplitPolicy::HoldOutTrain => {
            if validation {
                fault("files.validation", "`splits: hold_out_train` takes validation rows from train".to_owned());
            }
            if file.hold_out == 0 {
                fault("hold_out", "expected at least 1".to_owned());
            }
        }
    }
}

fn columns(file: &DatasetFile, fault: &mut impl FnMut(&str, String)) {
    if file.columns.is_empty() {
        fault("columns", "expected at least one text column".to_owned());
    }
    let mut seen = BTreeSet::new();
    for column in &file.columns {
        if !seen.insert(column.as_str()) {
            fault("columns", format!("`{column}` is listed twice"));
        }
        if *column == file.label.column {
            fault("columns", format!("`{column}` is the label column"));
        } else if column == crate::task::rows::LABEL {
            fault("columns", "a text column can't be called `label`".to_owned());
        }
    }
    match Template::parse(&file.template) {
        Err(message) => fault("template", message),
        Ok(template) => {
            let used: BTreeSet<&str> = template.names().collect();
            for name in &used {
                if !seen.contains(name) {
                    let known = file.columns.iter().map(String::as_str);
                    let help = match suggest::nearest(name, known) {
                        Some(near) => format!("; did you mean `{near}`?"),
                        None => String::new(),
                    };
                    fault("template", format!("`{{{name}}}` is not one of `columns`{help}"));
                }
            }
            for (at, column) in file.columns.iter().enumerate().filter(|(_, column)| !used.contains(column.as_str())) {
                fault(&format!("columns[{at}]"), format!("the template does not use `{column}`"));
            }
        }
    }
    for (column, characters) in &file.column_chars {
        if !seen.contains(column.as_str()) {
            fault("column_chars", format!("`{column}` is not one of `columns`"));
        }
        if *characters == 0 {
            fault("column_chars", format!("`{column}` must keep at least 1 character"));
        }
    }
}

fn label(file: &DatasetFile, fault: &mut impl FnMut(&str, String)) {
    let label = &file.label;
    match file.kind {
        Kind::Classification => {
            if label.words.len() < 2 {
                fault("label.words", "a classification needs at least two labels".to_owned());
            }
            if label.minimum.is_some() || label.maximum.is_some() {
                fault("label", "`minimum` and `maximum` belong to `kind: regression`".to_owned());
            }
            let mut values = BTreeSet::new();
            for value in label.words.iter().flat_map(super::LabelWord::values) {
                if !values.insert(value) {
                    fault("label.words", format!("the value `{}` is given twice", value.0));
                }
            }
            words("label.words", label.words.iter().map(|entry| entry.word.as_str()), label.words.len(), fault);
        }
        Kind::Regression => {
            if !label.words.is_empty() {
                fault("label.words", "label words belong to `kind: classification`".to_owned());
            }
            match (label.minimum, label.maximum) {
                (Some(low), Some(high)) if low < high && low.is_finite() && high.is_finite() => {}
                _ => fault("label", "a regression needs `minimum` below `maximum`".to_owned()),
            }
            if !file.label_sets.is_empty() {
                fault("label_sets", "label sets belong to `kind: classification`".to_owned());
            }
        }
    }
    for (name, set) in &file.label_sets {
        let path = format!("label_sets.{name}");
        if LABEL_SETS.contains(&name.as_str()) {
            fault(&path, format!("`{name}` is the name of a set that every task has"));
        }
        words(&path, set.iter().map(String::as_str), label.words.len(), fault);
    }
}

/// Words must be told apart after stripping, which is how predictions are read.
fn words<'a>(path: &str, words: impl Iterator<Item = &'a str>, expected: usize, fault: &mut impl FnMut(&str, String)) {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for word in words {
        count += 1;
        if word.trim().is_empty() || word.trim() != word {
            fault(path, format!("`{word}` must have a character and no space at its ends"));
        }
        if !seen.insert(word) {
            fault(path, format!("`{word}` stands for two labels"));
        }
    }
    if count != expected {
        fault(path, format!("expected {expected} words, one for each label, found {count}"));
    }
}

fn metrics(file: &DatasetFile, fault: &mut impl FnMut(&str, String)) {
    let kind = match file.kind {
        Kind::Classification => "classification",
        Kind::Regression => "regression",
    };
    if !file.metrics.contains(&file.score) {
        fault("score", format!("`{}` is not one of `metrics`", file.score.name()));
    }
    for metric in &file.metrics {
        if !metric.suits(file.kind) {
            fault("metrics", format!("`{}` does not suit a {kind}", metric.name()));
        }
    }
}
