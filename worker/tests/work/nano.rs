//! The committed backbone, `assets/nano`, beside its model card.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compt::operation::train::Precision;
use compt::task::text::{Formatter, TextSettings};
use compt::task::{dataset, rows, world};
use compt_worker::body::backbone::Backbone;
use compt_worker::model::Batch;
use tch::{Device, Kind};

use crate::alone;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn nano() -> Backbone {
    Backbone::load(&root().join("assets/nano"), Device::Cpu, Precision::Float32).unwrap()
}

/// Sources and answers of validation rows as `pipelines/nano_backbone.yaml` makes them, and the label words.
fn validation(task: &str, count: usize) -> (Vec<(String, String)>, Vec<String>) {
    let dataset = dataset::read(&root(), task).unwrap();
    let settings = TextSettings { prefix: "{task}: ".to_owned(), ..TextSettings::default() };
    let formatter = Formatter::new(&dataset, &settings).unwrap();
    let sizes = world::Sizes { train: 0, validation: count, test: 0 };
    let drawn = world::generate(task, 0, sizes).unwrap().validation;
    let rows = rows::from_world(&dataset, "validation", &drawn).unwrap();
    let texts = rows.cells.iter().zip(&rows.labels);
    let texts = texts.map(|(cells, label)| (formatter.source(cells).unwrap(), formatter.target(*label).unwrap()));
    (texts.collect(), formatter.words().to_vec())
}

/// How often the most likely label word is the right one, in percent.
fn accuracy(backbone: &Backbone, task: &str, count: usize) -> f64 {
    let (texts, words) = validation(task, count);
    let labels: Vec<Vec<i64>> = words.iter().map(|word| backbone.target(word).unwrap()).collect();
    let mut right = 0;
    for chunk in texts.chunks(50) {
        let source = |text: &String| backbone.tokenizer.encode_source(text, 128).unwrap().into_iter().map(i64::from);
        let sources = chunk.iter().map(|(text, _)| source(text).collect()).collect();
        let scores = backbone.model.rank(&Batch { sources, ..Batch::default() }, None, &labels).unwrap();
        let best = Vec::<i64>::try_from(scores.to_kind(Kind::Double).argmax(1, false)).unwrap();
        right += chunk.iter().zip(best).filter(|((_, gold), best)| words[*best as usize] == *gold).count();
    }
    100.0 * right as f64 / count as f64
}

/// The accuracies of the card's table, by task.
fn card() -> BTreeMap<String, f64> {
    let text = fs_err::read_to_string(root().join("assets/nano/README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells.len() == 5)
        .filter_map(|cells| Some((cells[0].to_owned(), cells[3].parse().ok()?)))
        .collect()
}

#[test]
fn it_scores_what_its_card_says() {
    let _alone = alone();
    let (card, nano) = (card(), nano());
    assert_eq!(card.len(), 12, "all tasks but the regression");
    for task in ["paws", "scitail", "mnli"] {
        let found = accuracy(&nano, task, 400);
        assert!((found - card[task]).abs() <= 1.0, "{task}: {found}, and {} on the card", card[task]);
    }
}

/// Its label words are whole, and it tells praise from blame in sentences that it has not read.
#[test]
fn it_knows_its_label_words() {
    let _alone = alone();
    let nano = nano();
    for word in ["entailment", "not_entailment", "equivalent", "not_equivalent", "positive", "negative"] {
        assert_eq!(nano.decode(&nano.target(word).unwrap()).unwrap(), word);
    }
    let right = accuracy(&nano, "sst2", 100);
    assert!(right >= 80.0, "{right} of 100");
}
