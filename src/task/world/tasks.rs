//! The 13 tasks as rows: which texts of the world fill their columns, and how their labels are spelled.

use std::collections::BTreeMap;

use super::fact::{Clause, clause};
use super::inference::{self, Relation};
use super::paraphrase::{self, may_stand_beside};
use super::register::{NEWS, REGISTERS, Register, SCIENCE, TRAVEL, VILLAGE};
use super::review::{self, FILM, RESTAURANT};
use super::sentence::{Style, punctuated, sentence, told};
use super::{Row, grammar, question, similarity};
use crate::base::random::Stream;

/// What a task looks like from outside.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// The raw label of every class; for the similarity task, its levels, which only serve to balance.
    pub(crate) labels: &'static [&'static str],
    draw: fn(usize, &mut Stream) -> Option<Drawn>,
}

/// The texts of a row, and its label where the class does not say it.
struct Drawn {
    texts: Vec<String>,
    label: Option<String>,
}

impl Drawn {
    fn one(text: Option<String>) -> Option<Self> {
        text.map(|text| Self { texts: vec![text], label: None })
    }

    fn two(texts: Option<(String, String)>) -> Option<Self> {
        texts.map(|(one, other)| Self { texts: vec![one, other], label: None })
    }
}

const SENTENCES: &[&str] = &["sentence1", "sentence2"];
const CLAIMS: &[&str] = &["premise", "hypothesis"];
const TWO: &[&str] = &["0", "1"];
const THREE: &[&str] = &["0", "1", "2"];

/// All tasks, in the order of METHODS 4.1.
pub(crate) const ALL: [Task; 13] = [
    Task {
        name: "cola",
        columns: &["sentence"],
        labels: TWO,
        draw: |class, s| Drawn::one(grammar::sentence(class == 1, s)),
    },
    Task {
        name: "mnli",
        columns: CLAIMS,
        labels: THREE,
        draw: |class, s| {
            let register = REGISTERS[s.below(REGISTERS.len())];
            let relation = THREE_WAYS[class];
            if s.below(2) == 0 { plain_claims(register, relation, s) } else { long_claims(register, relation, &[], s) }
        },
    },
    Task {
        name: "mrpc",
        columns: SENTENCES,
        labels: TWO,
        draw: |class, s| Drawn::two(paraphrase::news_pair(class == 1, s)),
    },
    Task {
        name: "qnli",
        columns: &["question", "sentence"],
        labels: TWO,
        draw: |class, s| Drawn::two(question::answer(class == 0, s)),
    },
    Task {
        name: "qqp",
        columns: &["question1", "question2"],
        labels: TWO,
        draw: |class, s| Drawn::two(question::pair(class == 1, s)),
    },
    Task {
        name: "rte",
        columns: SENTENCES,
        labels: TWO,
        draw: |class, s| {
            let relation = if class == 0 { Relation::Entailment } else { THREE_WAYS[1 + s.below(2)] };
            long_claims(&NEWS, relation, &[], s)
        },
    },
    Task {
        name: "sst2",
        columns: &["sentence"],
        labels: TWO,
        draw: |class, s| Drawn::one(Some(review::excerpt(class == 1, s))),
    },
    Task {
        name: "stsb",
        columns: SENTENCES,
        labels: &["0", "1", "2", "3", "4", "5"],
        draw: |level, s| {
            let (one, other, score) = similarity::pair(level, s)?;
            Some(Drawn { texts: vec![one, other], label: Some(score) })
        },
    },
    Task {
        name: "imdb",
        columns: &["text"],
        labels: TWO,
        draw: |class, s| Drawn::one(Some(review::review(&FILM, class == 1, s))),
    },
    Task {
        name: "yelp_polarity",
        columns: &["text"],
        labels: TWO,
        draw: |class, s| Drawn::one(Some(review::review(&RESTAURANT, class == 1, s))),
    },
    Task {
        name: "paws",
        columns: SENTENCES,
        labels: TWO,
        draw: |class, s| Drawn::two(paraphrase::lookalikes(&VILLAGE, class == 1, s)),
    },
    Task {
        name: "scitail",
        columns: SENTENCES,
        labels: &["entailment", "neutral"],
        draw: |class, s| plain_claims(&SCIENCE, THREE_WAYS[class], s),
    },
    Task {
        name: "multinli",
        columns: CLAIMS,
        labels: THREE,
        draw: |class, s| long_claims(&TRAVEL, THREE_WAYS[class], OPENERS, s),
    },
];

const THREE_WAYS: [Relation; 3] = [Relation::Entailment, Relation::Neutral, Relation::Contradiction];

/// How talk begins; says nothing.
const OPENERS: &[&str] = &["well", "you know", "yes", "as you can see"];

/// A premise and a hypothesis of one clause each.
fn plain_claims(register: &Register, relation: Relation, stream: &mut Stream) -> Option<Drawn> {
    let (premise, hypothesis) = inference::pair(register, relation, stream);
    let style = Style::for_pair(register.tense, stream);
    Drawn::two(distinct(sentence(&premise, style, stream), sentence(&hypothesis, style, stream)))
}

/// A premise that says one more thing, now and then after an opener, and a hypothesis about the rest.
fn long_claims(register: &Register, relation: Relation, openers: &[&str], stream: &mut Stream) -> Option<Drawn> {
    let (premise, hypothesis) = inference::pair(register, relation, stream);
    let style = Style::for_pair(register.tense, stream);
    let mut parts = vec![told(&premise, style, stream)];
    if stream.below(2) == 0 {
        let more: Clause = clause(register, stream);
        if !may_stand_beside(&premise, &more) || !may_stand_beside(&hypothesis, &more) {
            return None;
        }
        parts.push(told(&more, style, stream));
        stream.shuffle(&mut parts);
    }
    let mut text = parts.join(", and ");
    if !openers.is_empty() && stream.below(3) == 0 {
        text = format!("{}, {text}", openers[stream.below(openers.len())]);
    }
    Drawn::two(distinct(punctuated(&text, '.'), sentence(&hypothesis, style, stream)))
}

fn distinct(one: String, other: String) -> Option<(String, String)> {
    (one != other).then_some((one, other))
}

impl Task {
    /// One row of a class (an index into `labels`), and its [`key`]. `None` where a draw came to nothing.
    pub(crate) fn row(&self, class: usize, stream: &mut Stream) -> Option<(Row, String)> {
        let Drawn { texts, label } = (self.draw)(class, stream)?;
        let key = key(&texts);
        let columns: BTreeMap<String, String> = self.columns.iter().map(|name| name.to_string()).zip(texts).collect();
        let label = label.unwrap_or_else(|| self.labels[class].to_string());
        Some((Row { columns, label }, key))
    }
}

/// The key of texts: the same in any order and any case.
pub(crate) fn key(texts: &[impl AsRef<str>]) -> String {
    let mut sorted: Vec<String> = texts.iter().map(|text| text.as_ref().to_lowercase()).collect();
    sorted.sort_unstable();
    sorted.join("\n")
}
