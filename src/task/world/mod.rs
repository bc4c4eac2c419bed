//! A small world told in English: seeded data sets for all 13 tasks, with labels that are true by construction.
//!
//! Entities with properties, relations and events (`fact`) are told in sentences (`sentence`) of one lexicon
//! (`lexicon`); what follows from what (`inference`), what says the same (`paraphrase`, `similarity`), what
//! answers a question (`question`), what praises (`review`) and what is grammatical (`grammar`) is known from the
//! meanings, never guessed from the words. Task families share skills and differ in register (`register`).
//!
//! Two properties hold for every seed: a larger data set begins with the rows of a smaller one, and whether a text (or
//! pair of texts) may appear in training, validation or test depends on the text alone. So no row of any training
//! split, and no text of any `corpus`, is a test row of the same or of another seed. For tasks of pairs that is said of
//! the pair. Its single sentences are not kept apart: they are short and the world is small, so that the sentences of a
//! test pair stand in other pairs of other tasks' training rows, the more the larger these are. Of the sentences of
//! test pairs 68 % (scitail), 36 % (multinli) and 5 % (paws) are among 80,000 rows each of mnli and mrpc and 80,000
//! texts of the corpus.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::base::random::{Stream, seed_for};

mod corpus;
mod entity;
mod fact;
mod grammar;
mod inference;
mod lexicon;
mod paraphrase;
mod question;
mod register;
mod review;
mod sentence;
mod similarity;
mod tasks;
#[cfg(test)]
mod tests;

/// Changes with every change of any text or label; part of the key of what is made from the world.
pub const VERSION: u32 = 4;

/// The names of the tasks.
pub const TASKS: [&str; 13] = [
    "cola",
    "mnli",
    "mrpc",
    "qnli",
    "qqp",
    "rte",
    "sst2",
    "stsb",
    "imdb",
    "yelp_polarity",
    "paws",
    "scitail",
    "multinli",
];

/// One row of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The text columns by name, as the real data set names them.
    pub columns: BTreeMap<String, String>,
    /// The raw label, as the real data set spells it: a class number, a class name (scitail), or a score from 0 to 5
    /// with one decimal (stsb).
    pub label: String,
}

/// How many rows of each split are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Rows of the training split.
    pub train: usize,
    /// Rows of the validation split.
    pub validation: usize,
    /// Rows of the test split.
    pub test: usize,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splits {
    /// The training split.
    pub train: Vec<Row>,
    /// The validation split.
    pub validation: Vec<Row>,
    /// The test split.
    pub test: Vec<Row>,
}

/// A name that is none of [`TASKS`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the synthetic world has no task `{0}`; it has {list}", list = TASKS.map(|name| format!("`{name}`")).join(", "))]
pub struct UnknownTask(pub String);

/// The splits of a task from a seed. Classes take turns in every split, so they are balanced at any size.
///
/// # Errors
/// When `task` is none of [`TASKS`].
pub fn generate(task: &str, seed: u64, sizes: Sizes) -> Result<Splits, UnknownTask> {
    let task = find(task)?;
    let split = |part: Part, rows: usize| split(task, seed, part, rows);
    Ok(Splits {
        train: split(Part::Train, sizes.train),
        validation: split(Part::Validation, sizes.validation),
        test: split(Part::Test, sizes.test),
    })
}

/// The text columns of a task, in the order in which a reader wants them.
///
/// # Errors
/// When `task` is none of [`TASKS`].
pub fn columns(task: &str) -> Result<&'static [&'static str], UnknownTask> {
    find(task).map(|task| task.columns)
}

/// Texts of one or two sentences (reviews: up to four) about the whole world, for pre-training.
pub fn corpus(seed: u64, texts: usize) -> impl Iterator<Item = String> {
    (0..texts).map(move |index| corpus::text(seed, index))
}

fn find(name: &str) -> Result<&'static tasks::Task, UnknownTask> {
    tasks::ALL.iter().find(|task| task.name == name).ok_or_else(|| UnknownTask(name.to_string()))
}

/// A split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Test,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// The only split in which texts of this key may appear, under any seed: six, one and three tenths of all texts.
fn part_of(key: &str) -> Part {
    match seed_for(u64::from(VERSION), &["world part", key]) % 10 {
        0..6 => Part::Train,
        6 => Part::Validation,
        _ => Part::Test,
    }
}

/// So many rows that were seen before are thrown away before one is taken: a small world ends somewhere.
const PATIENCE: usize = 500;

fn split(task: &tasks::Task, seed: u64, part: Part, rows: usize) -> Vec<Row> {
    let classes = task.labels.len();
    let mut order: Vec<usize> = Vec::new();
    let mut seen = HashSet::new();
    let mut result = Vec::with_capacity(rows);
    for index in 0..rows {
        if index % classes == 0 {
            order = (0..classes).collect();
            let round = (index / classes).to_string();
            Stream::new(seed, &["world classes", task.name, part.name(), &round]).shuffle(&mut order);
        }
        let mut stream = Stream::new(seed, &["world row", task.name, part.name(), &index.to_string()]);
        let mut patience = PATIENCE;
        let row = loop {
            let drawn = task.row(order[index % classes], &mut stream).filter(|(_, key)| part_of(key) == part);
            if let Some((row, key)) = drawn {
                if seen.insert(key) || patience == 0 {
                    break row;
                }
                patience -= 1;
            }
        };
        result.push(row);
    }
    result
}
