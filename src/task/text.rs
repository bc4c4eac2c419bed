//! From a row to a source and a target text: template, prefix, cuts, label words (METHODS 2.6, 4.1, 4.2).

use std::borrow::Cow;

use crate::protocol::StageError;
use crate::task::dataset::{Dataset, Kind};
use crate::task::rows::Label;

/// The label words of the data set's file.
pub const WORDS: &str = "words";
/// The same with hyphens in place of underscores.
pub const HYPHEN: &str = "hyphen";
/// The labels' indices: `0`, `1`, ...
pub const NUMBER: &str = "number";
/// Task name and index, so that no two tasks share a label: `rte0`, `rte1`.
pub const DISTINCT: &str = "distinct";

/// The label sets that every task has.
pub const LABEL_SETS: [&str; 4] = [WORDS, HYPHEN, NUMBER, DISTINCT];

/// A text with places for named values: `sentence1: {premise}`; `{{` and `}}` stand for braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A brace without its partner, or an empty name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(format!("`}}` without `{{` in `{text}`; a brace itself is written `}}}}`"));
            }
            let Some((name, after)) = rest.split_once('}') else {
                return Err(format!("`{{` without `}}` in `{text}`; a brace itself is written `{{{{`"));
            };
            if name.is_empty() || name.contains('{') {
                return Err(format!("expected a name between braces in `{text}`, found `{{{name}}}`"));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }

    /// The names, in order, with repetitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The values of a text that this template could have made: each name's value ends where the text after it begins.
    /// Nothing for a text of another form, or when it can't be told where a value ends.
    pub fn read<'t>(&self, text: &'t str) -> Option<Vec<(&str, &'t str)>> {
        let mut values: Vec<(&str, &'t str)> = Vec::new();
        let (mut rest, mut open) = (text, None);
        for piece in &self.0 {
            match (piece, open) {
                (Piece::Name(_), Some(_)) => return None,
                (Piece::Name(name), None) => open = Some(name.as_str()),
                (Piece::Text(literal), None) => rest = rest.strip_prefix(literal.as_str())?,
                (Piece::Text(literal), Some(name)) => {
                    let (value, after) = rest.split_once(literal.as_str())?;
                    values.push((name, value));
                    (rest, open) = (after, None);
                }
            }
        }
        match open {
            Some(name) => values.push((name, rest)),
            None if rest.is_empty() => {}
            None => return None,
        }
        let agree = |(name, value): &(&str, &str)| values.iter().all(|(other, text)| other != name || text == value);
        values.iter().all(agree).then_some(values)
    }

    /// The text with every name's value.
    ///
    /// # Errors
    /// The first name that `value` doesn't know.
    pub fn fill<'v>(&self, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> Result<String, String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Name(name) => text.push_str(&value(name).ok_or_else(|| name.clone())?),
            }
        }
        Ok(text)
    }
}

/// How texts are made.
#[derive(Clone, Debug, PartialEq)]
pub struct TextSettings {
    /// In place of the data set's own template.
    pub template: Option<String>,
    /// Goes before the text; `{task}` stands for the task's name.
    pub prefix: String,
    /// The name of a label set.
    pub label_set: String,
    /// Whether the label words are listed at the source's end: ` options:a,b`.
    pub options: bool,
    /// Longest source in characters, prefix and options included.
    pub max_source_chars: Option<usize>,
    /// Whether the data set's own `column_chars` are applied.
    pub cut_columns: bool,
    /// Scores of a regression are rounded to multiples of this.
    pub score_step: f64,
}

/// What `format` does when nothing is said (METHODS 8.21 to 8.26).
impl Default for TextSettings {
    fn default() -> Self {
        Self {
            template: None,
            prefix: "{task}: ".to_owned(),
            label_set: WORDS.to_owned(),
            options: false,
            max_source_chars: None,
            cut_columns: false,
            score_step: 0.2,
        }
    }
}

/// A data set and settings, ready to make texts.
pub struct Formatter<'a> {
    dataset: &'a Dataset,
    settings: &'a TextSettings,
    template: Template,
    prefix: String,
    suffix: String,
    words: Vec<String>,
    room: Option<usize>,
}

impl<'a> Formatter<'a> {
    /// Resolves the label set and fills the prefix.
    ///
    /// # Errors
    /// A template with other names than the data set's columns, an unknown label set, a prefix with other names than `task`, a cut that leaves no room for text.
    pub fn new(dataset: &'a Dataset, settings: &'a TextSettings) -> Result<Self, StageError> {
        let template = template(dataset, settings)?;
        let prefix = prefix(&settings.prefix, &dataset.name).map_err(StageError::input)?;
        let words = label_words(dataset, &settings.label_set)?;
        let suffix =
            if settings.options && !words.is_empty() { format!(" options:{}", words.join(",")) } else { String::new() };
        let around = prefix.chars().count() + suffix.chars().count();
        let room = match settings.max_source_chars {
            Some(most) if most <= around => {
                return Err(StageError::input(format!(
                    "`max_source_chars: {most}` leaves no room for the text of `{}`: prefix and options take {around} \
                     characters",
                    dataset.name
                )));
            }
            Some(most) => Some(most - around),
            None => None,
        };
        Ok(Self { dataset, settings, template, prefix, suffix, words, room })
    }

    /// The label words of the chosen set; empty for a regression.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The source text of a row; `cells` are in the order of the data set's columns.
    ///
    /// # Errors
    /// A bug: the data set's check makes sure that the template uses its columns only.
    pub fn source(&self, cells: &[String]) -> Result<String, StageError> {
        let value = |name: &str| {
            let at = self.dataset.columns.iter().position(|column| column == name)?;
            let cell = cells.get(at)?;
            let cut = self.dataset.column_chars.get(name).filter(|_| self.settings.cut_columns);
            Some(Cow::Borrowed(cut.map_or(cell.as_str(), |most| first_chars(cell, *most))))
        };
        let text = self.template.fill(value).map_err(|name| {
            StageError::bug(format!("the template of `{}` uses the missing column `{name}`", self.dataset.name))
        })?;
        let text = self.room.map_or(text.as_str(), |room| first_chars(&text, room));
        Ok(format!("{}{text}{}", self.prefix, self.suffix))
    }

    /// The target text of a label.
    ///
    /// # Errors
    /// A bug: a label that the data set does not have.
    pub fn target(&self, label: Label) -> Result<String, StageError> {
        match label {
            Label::Score(score) => Ok(score_text(score, self.settings.score_step)),
            Label::Class(index) => self
                .words
                .get(index as usize)
                .cloned()
                .ok_or_else(|| StageError::bug(format!("`{}` has no label {index}", self.dataset.name))),
        }
    }
}

/// The template of the settings, or the data set's own.
fn template(dataset: &Dataset, settings: &TextSettings) -> Result<Template, StageError> {
    let text = settings.template.as_ref().unwrap_or(&dataset.template);
    let template = Template::parse(text).map_err(StageError::input)?;
    let is_column = |name: &str| dataset.columns.iter().any(|column| column == name);
    if let Some(unknown) = template.names().find(|name| !is_column(name)) {
        return Err(StageError::input(format!("`template` uses `{unknown}`, no column of `{}`", dataset.name))
            .with_hint(format!("the columns are {}", dataset.columns.join(", "))));
    }
    Ok(template)
}

/// The prefix for a task.
///
/// # Errors
/// What is wrong with the template.
pub fn prefix(template: &str, task: &str) -> Result<String, String> {
    Template::parse(template)?
        .fill(|name| (name == "task").then_some(Cow::Borrowed(task)))
        .map_err(|name| format!("`prefix` knows `{{task}}` only, found `{{{name}}}`"))
}

fn label_words(dataset: &Dataset, set: &str) -> Result<Vec<String>, StageError> {
    if dataset.kind == Kind::Regression {
        return Ok(Vec::new());
    }
    let words = dataset.words();
    Ok(match set {
        WORDS => words,
        HYPHEN => words.iter().map(|word| word.replace('_', "-")).collect(),
        NUMBER => (0..words.len()).map(|index| index.to_string()).collect(),
        DISTINCT => (0..words.len()).map(|index| format!("{}{index}", dataset.name)).collect(),
        own => match dataset.label_sets.get(own) {
            Some(words) => words.clone(),
            None => {
                let known: Vec<&str> =
                    LABEL_SETS.into_iter().chain(dataset.label_sets.keys().map(String::as_str)).collect();
                return Err(StageError::input(format!(
                    "`{}` has no label set `{own}`, only {}",
                    dataset.name,
                    known.join(", ")
                ))
                .with_hint(format!("add `label_sets: {{ {own}: [...] }}` to `datasets/{}.yaml`", dataset.name)));
            }
        },
    })
}

fn first_chars(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// The number of decimals that multiples of `step` need, at least one; `None` when it takes more than two or the step
/// is no positive number.
pub fn decimals(step: f64) -> Option<usize> {
    let whole = |scaled: f64| (scaled - scaled.round()).abs() < 1e-9 && scaled.round() >= 1.0;
    (1..=2).find(|&digits| whole(step * 10f64.powi(digits as i32)))
}

/// `score` rounded to the nearest multiple of `step`, ties to the even multiple, as T5's preprocessing rounds.
///
/// A step that is itself the last decimal (0.1) is left to the decimal conversion, which is exact where a product
/// is not: 2.45 lies above the tie, `2.45 * 10.0` on it.
pub fn score_text(score: f64, step: f64) -> String {
    let digits = decimals(step).unwrap_or(2);
    let per_unit = (1.0 / step * 1e9).round() / 1e9;
    if per_unit == 10f64.powi(digits as i32) {
        return format!("{score:.digits$}");
    }
    format!("{:.digits$}", (score * per_unit).round_ties_even() / per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixtures;
    use proptest::prelude::*;

    fn cells(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_papers_format() {
        // METHODS 4.1, row `rte`, and 2.6.
        let rte = fixtures::dataset("rte");
        let settings = TextSettings::default();
        let formatter = Formatter::new(&rte, &settings).unwrap();
        let row = cells(&["Dana {Reeve} died.", "She lives."]);
        assert_eq!(formatter.source(&row).unwrap(), "rte: sentence1: Dana {Reeve} died. sentence2: She lives.");
        assert_eq!(formatter.target(Label::Class(1)).unwrap(), "not_entailment");
        assert!(formatter.target(Label::Class(2)).is_err());
    }

    #[test]
    fn a_template_of_the_pipelines_own() {
        let rte = fixtures::dataset("rte");
        let settings = |template: &str| TextSettings { template: Some(template.to_owned()), ..TextSettings::default() };
        let own = settings("premise: {sentence1} hypothesis: {sentence2}");
        let text = Formatter::new(&rte, &own).unwrap().source(&cells(&["a", "b"])).unwrap();
        assert_eq!(text, "rte: premise: a hypothesis: b");
        let wrong = settings("{premise}");
        let error = Formatter::new(&rte, &wrong).err().unwrap();
        assert_eq!(error.message, "`template` uses `premise`, no column of `rte`");
        assert_eq!(error.hint.as_deref(), Some("the columns are sentence1, sentence2"));
    }

    #[test]
    fn label_sets() {
        let rte = fixtures::dataset("rte");
        let words = |set: &str, options| {
            let settings = TextSettings { label_set: set.to_owned(), options, ..TextSettings::default() };
            let formatter = Formatter::new(&rte, &settings)?;
            Ok::<_, StageError>((formatter.words().to_vec(), formatter.source(&cells(&["a", "b"]))?))
        };
        assert_eq!(words(HYPHEN, false).unwrap().0, ["entailment", "not-entailment"]);
        assert_eq!(words(NUMBER, false).unwrap().0, ["0", "1"]);
        assert_eq!(
            words(DISTINCT, true).unwrap(),
            (cells(&["rte0", "rte1"]), "rte: sentence1: a sentence2: b options:rte0,rte1".to_owned())
        );
        let error = words("map2", false).unwrap_err();
        assert_eq!(error.message, "`rte` has no label set `map2`, only words, hyphen, number, distinct");
    }

    #[test]
    fn cuts_count_characters_and_keep_prefix_and_options() {
        let qnli = fixtures::dataset("qnli");
        let row = cells(&[&"é".repeat(300), &"x".repeat(600)]);
        let settings =
            TextSettings { max_source_chars: Some(450), cut_columns: true, options: true, ..TextSettings::default() };
        let text = Formatter::new(&qnli, &settings).unwrap().source(&row).unwrap();
        assert_eq!(text.chars().count(), 450);
        assert_eq!(text.chars().filter(|c| *c == 'é').count(), 100);
        assert!(text.ends_with(" options:entailment,not_entailment"), "{text}");
        let settings = TextSettings { max_source_chars: Some(6), ..settings };
        assert!(Formatter::new(&qnli, &settings).is_err());
    }

    #[test]
    fn scores_as_text() {
        // 0.2: by hand, ties to the even multiple as numpy's round(5 y) / 5. 0.1: Python's round(y, 1).
        for (score, step, text) in [
            (2.5, 0.2, "2.4"),
            (2.7, 0.2, "2.8"),
            (3.8, 0.2, "3.8"),
            (0.05, 0.2, "0.0"),
            (5.0, 0.2, "5.0"),
            (2.25, 0.1, "2.2"),
            (2.35, 0.1, "2.4"),
            (2.45, 0.1, "2.5"),
            (4.0, 1.0, "4.0"),
            (0.6, 0.25, "0.50"),
        ] {
            assert_eq!(score_text(score, step), text, "{score} in steps of {step}");
        }
        assert_eq!((decimals(0.2), decimals(0.25), decimals(0.001), decimals(0.0)), (Some(1), Some(2), None, None));
    }

    #[test]
    fn templates_are_strict() {
        for bad in ["{", "a } b", "{}", "{a{b}}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        let braces = Template::parse("{{{a}}}").unwrap();
        assert_eq!(braces.fill(|_| Some("1".into())).unwrap(), "{1}");
        assert!(prefix("{tsk}: ", "rte").unwrap_err().contains("`{tsk}`"));
    }

    #[test]
    fn a_text_in_the_templates_form_gives_its_values_back() {
        let template = Template::parse("premise: {a} hypothesis: {b}").unwrap();
        let both = template.read("premise: It is hot. hypothesis: It is {cold}.").unwrap();
        assert_eq!(both, [("a", "It is hot."), ("b", "It is {cold}.")]);
        assert_eq!(template.read("It is hot."), None);
        assert_eq!(template.read("premise: It is hot."), None);
        assert_eq!(Template::parse("{a}{b}").unwrap().read("xy"), None);
        assert_eq!(Template::parse("{a}, {a}!").unwrap().read("x, y!"), None);
        assert_eq!(Template::parse("{a}, {a}!").unwrap().read("x, x!").unwrap()[0], ("a", "x"));
    }

    proptest! {
        #[test]
        fn values_are_never_read_as_templates(value in "\\PC{0,20}") {
            let template = Template::parse("x{a}y").unwrap();
            prop_assert_eq!(template.fill(|_| Some(Cow::Borrowed(value.as_str()))).unwrap(), format!("x{value}y"));
        }
    }
}
