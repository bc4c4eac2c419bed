//! The texts that a job reads, by task, whatever the order in which they come.

use std::collections::BTreeMap;

use compt::protocol::{Input, Job, StageError};
use compt::task::texts::{self, Example, TaskTexts};
use compt::task::tokens::Tokenizer;

use super::backbone::{Backbone, wide};
use crate::train::data::Pair;

/// The texts of all `format` inputs, sorted by the tasks' names.
///
/// # Errors
/// Files that can't be read; two inputs of the same task.
pub fn texts(job: &Job) -> Result<Vec<TaskTexts>, StageError> {
    let mut by_name: BTreeMap<String, (TaskTexts, &Input)> = BTreeMap::new();
    for input in job.inputs.iter().filter(|input| input.operation == "format") {
        let texts = texts::read(input.files.folder())?;
        let name = texts.card.name.clone();
        if let Some((_, first)) = by_name.get(&name) {
            return Err(StageError::input(format!(
                "`{}` reads the task `{name}` twice: from {} and from {}",
                job.stage,
                instance(first),
                instance(input)
            ))
            .with_hint("give the stage the axis in which the two differ, or choose one with `only`"));
        }
        by_name.insert(name, (texts, input));
    }
    if by_name.is_empty() {
        return Err(StageError::input(format!("`{}` reads no texts", job.stage))
            .with_hint("name a stage with `format` in `from`"));
    }
    Ok(by_name.into_values().map(|(texts, _)| texts).collect())
}

/// The texts of all `format` inputs as they come, each with its [`instance`]; a task may come in several wordings.
///
/// # Errors
/// Files that can't be read.
pub fn wordings(job: &Job) -> Result<Vec<(String, TaskTexts)>, StageError> {
    let inputs = job.inputs.iter().filter(|input| input.operation == "format");
    inputs.map(|input| Ok((instance(input), texts::read(input.files.folder())?))).collect()
}

/// An input's name for people: `text[task=rte]`.
pub fn instance(input: &Input) -> String {
    let axes: Vec<String> = input.coordinates.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    if axes.is_empty() { format!("`{}`", input.stage) } else { format!("`{}[{}]`", input.stage, axes.join(",")) }
}

/// The tokens of examples, cut to these lengths (end marks included and kept).
///
/// # Errors
/// A text that the tokenizer refuses.
pub fn pairs(
    backbone: &Backbone,
    examples: &[Example],
    longest_source: usize,
    longest_target: Option<usize>,
) -> Result<Vec<Pair>, StageError> {
    encoded(&backbone.tokenizer, examples, longest_source, longest_target)
}

/// The same by a tokenizer alone.
///
/// # Errors
/// A text that the tokenizer refuses.
pub fn encoded(
    tokenizer: &Tokenizer,
    examples: &[Example],
    longest_source: usize,
    longest_target: Option<usize>,
) -> Result<Vec<Pair>, StageError> {
    let sources: Vec<&str> = examples.iter().map(|example| example.source.as_str()).collect();
    let targets: Vec<&str> = examples.iter().map(|example| example.target.as_str()).collect();
    let sources = tokenizer.encode_sources(&sources, longest_source)?;
    let targets = tokenizer.encode_targets(&targets)?;
    let longest_target = longest_target.unwrap_or(usize::MAX);
    let both = sources.iter().zip(&targets);
    Ok(both.map(|(source, target)| Pair { source: wide(source), target: cut(wide(target), longest_target) }).collect())
}

/// The first ids and the end mark, `longest` in all.
fn cut(mut ids: Vec<i64>, longest: usize) -> Vec<i64> {
    if ids.len() > longest
        && let Some(end) = ids.pop()
    {
        ids.truncate(longest.saturating_sub(1));
        ids.push(end);
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn the_end_mark_is_never_cut() {
        assert_eq!(cut(vec![5, 6, 7, 1], 4), [5, 6, 7, 1]);
        assert_eq!(cut(vec![5, 6, 7, 1], 3), [5, 6, 1]);
        assert_eq!(cut(vec![5, 6, 7, 1], 1), [1]);
    }
}
