//! What the texts are made of: each way of saying things occurs in each task that is meant to have it; and what of the
//! tasks that a backbone was not made with stands in those that it learned from.

use std::collections::HashSet;

use super::super::lexicon::{BESIDE, COLOURS, DIMENSIONS, HANDINGS, NOUNS, PLACES, PLACINGS, TIMES, VERBS, VerbForm};
use super::recogniser::{Noun, Read, Said, Whom, statement};
use super::{SEED, corpus, key, splits, texts};

/// In small letters, with a space around each word.
fn spaced(text: &str) -> String {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect();
    format!(" {} ", words.join(" "))
}

fn has_any<'a>(text: &str, mut words: impl Iterator<Item = &'a str>) -> bool {
    words.any(|word| text.contains(&format!(" {word} ")))
}

fn forms(form: &VerbForm) -> [&'static str; 4] {
    [form.base, form.third, form.past, form.participle]
}

/// The words of a sense but its first, which are only said where synonyms are.
fn further_words() -> Vec<&'static str> {
    let adjectives = DIMENSIONS.iter().flat_map(|dimension| dimension.poles.iter().chain(&dimension.more));
    let places = PLACINGS.iter().flat_map(|placing| placing.words.iter());
    let words = adjectives.chain(places).chain([&BESIDE]).flat_map(|words| words.iter().skip(1).copied());
    let verbs = VERBS.iter().flat_map(|verb| verb.forms.iter().skip(1));
    let handings = HANDINGS.iter().flat_map(|handing| handing.away.iter().skip(1));
    // Who buys from somebody is sold to: the word belongs to two senses.
    let forms = verbs.chain(handings).filter(|form| form.base != "buy").flat_map(forms);
    words.chain(forms).collect()
}

fn is_passive(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let verbs = VERBS.iter().flat_map(|verb| verb.forms).chain(HANDINGS.iter().flat_map(|handing| handing.away));
    let participles: HashSet<&str> = verbs.map(|form| form.participle).collect();
    let be = |word: &str| ["is", "was"].contains(&word);
    words.contains(&"by") && words.iter().any(|word| be(word)) && words.iter().any(|word| participles.contains(word))
}

/// A place or a time at the beginning of a clause.
fn is_fronted(text: &str) -> bool {
    let clauses = text.strip_suffix('.').unwrap_or(text).split(", and ");
    let settings: Vec<String> = PLACES.iter().chain(TIMES).map(|words| format!("{}, ", words.to_lowercase())).collect();
    clauses.map(str::to_lowercase).any(|clause| settings.iter().any(|words| clause.contains(words.as_str())))
}

/// How many texts of a hundred have synonyms, denials, quantities, a passive, a setting in front.
fn shares(task: &str) -> [f64; 5] {
    let further = further_words();
    let mut counts = [0.0; 5];
    let all: Vec<String> = splits(task, 1000, 0, 0).train.iter().flat_map(|row| texts(task, row)).collect();
    for text in &all {
        let words = spaced(text);
        let found = [
            has_any(&words, further.iter().copied()),
            has_any(&words, ["not", "no", "nobody", "never", "hardly"].into_iter()),
            has_any(&words, ["every", "each", "all", "some", "at least one", "no"].into_iter()),
            is_passive(&words),
            is_fronted(text),
        ];
        found.iter().zip(&mut counts).for_each(|(found, count)| *count += f64::from(u8::from(*found)));
    }
    counts.map(|count| 100.0 * count / all.len() as f64)
}

const NAMES: [&str; 5] = ["synonyms", "negation", "quantifiers", "passive", "fronted order"];

/// Which of them each task is meant to have; what nature does, it does nowhere and at no time, questions and their answers
/// speak of certain things and deny nothing, and look-alikes have one word for each sense.
const MEANT: [(&str, [bool; 5]); 10] = [
    ("cola", [true, true, true, true, true]),
    ("mnli", [true, true, true, true, true]),
    ("mrpc", [true, true, true, true, true]),
    ("multinli", [true, true, true, true, true]),
    ("paws", [false, true, false, true, true]),
    ("qnli", [true, true, true, true, true]),
    ("qqp", [true, false, false, true, false]),
    ("rte", [true, true, true, true, true]),
    ("scitail", [true, true, true, true, false]),
    ("stsb", [true, true, true, true, true]),
];

#[test]
fn each_way_of_saying_things_occurs_where_it_is_meant_to() {
    let mut failures = Vec::new();
    for (task, meant) in MEANT {
        let found = shares(task);
        println!("{task}: {NAMES:?} {found:.1?}");
        for ((name, meant), share) in NAMES.iter().zip(meant).zip(found) {
            if meant != (share >= 2.0) || (!meant && share > 0.0) {
                failures.push(format!("{task}: {name} in {share:.1} of 100 texts"));
            }
        }
    }
    for task in ["imdb", "yelp_polarity", "sst2"] {
        let denied = shares(task)[1];
        println!("{task}: negation {denied:.1}");
        if denied < 5.0 {
            failures.push(format!("{task}: negation in {denied:.1} of 100 texts"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// All that a text names and says, without who did what to whom and what belongs to whom.
fn parts(reads: &[Read]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut add = |noun: &Noun| match noun {
        Noun::Certain(_, Some(kind)) | Noun::One(Some(kind)) => {
            parts.push(NOUNS[kind.noun].one.to_owned());
            parts.extend(kind.colour.map(|colour| COLOURS[colour].to_owned()));
        }
        Noun::Certain(name, None) => parts.push(name.clone()),
        Noun::One(None) => parts.push("someone".to_owned()),
    };
    let mut said = Vec::new();
    for read in reads {
        let predicate = match &read.said {
            Said::Has { whom: Whom::Certain(noun), dimension, pole } => {
                add(noun);
                format!("{dimension} {pole}")
            }
            Said::Has { .. } => panic!("look-alikes speak of certain things"),
            Said::Beyond { scale, more, less } => {
                [more, less].into_iter().for_each(&mut add);
                scale.clone()
            }
            Said::Beside { pair } => {
                pair.iter().for_each(&mut add);
                "beside".to_owned()
            }
            Said::Did { verb, agent, patient, thing, setting } => {
                [agent, patient].into_iter().chain(thing).for_each(&mut add);
                format!("{verb} {setting:?}")
            }
        };
        said.push(format!("{predicate}, denied: {}", read.denied));
    }
    parts.extend(said);
    parts.sort_unstable();
    parts
}

#[test]
fn lookalikes_name_and_say_the_same_things() {
    for row in &splits("paws", 1500, 0, 0).train {
        let [one, other] = [0, 1].map(|side| parts(&statement(&texts("paws", row)[side]).unwrap()));
        assert_eq!(one, other, "{row:?}");
    }
}

/// No row of a held-out task was read by who learned from mnli, mrpc and the corpus. Single texts of its pairs were: a
/// sentence may stand beside another in another split.
#[test]
fn no_test_row_of_a_held_out_task_is_read_in_training() {
    let (rows, texts_of_each) = (3000, 3000);
    let mut pairs: HashSet<String> = HashSet::new();
    let mut alone: HashSet<String> = HashSet::new();
    for task in ["mnli", "mrpc"] {
        for row in splits(task, rows, 0, 0).train {
            let texts = texts(task, &row);
            pairs.insert(key(&texts));
            alone.extend(texts.iter().map(|text| text.to_lowercase()));
        }
    }
    for text in corpus(SEED, texts_of_each) {
        let sentences: Vec<&str> = text.split_inclusive(". ").map(str::trim).collect();
        pairs.insert(key(&[&text]));
        pairs.extend(sentences.windows(2).map(key));
        alone.extend(sentences.iter().map(|sentence| sentence.to_lowercase()));
    }
    for task in ["imdb", "multinli", "paws", "scitail", "yelp_polarity"] {
        let test: Vec<Vec<String>> = splits(task, 0, 0, 1000).test.iter().map(|row| texts(task, row)).collect();
        assert!(!test.iter().any(|texts| pairs.contains(&key(texts))), "{task}");
        let count = test.iter().flatten().count();
        let known = test.iter().flatten().filter(|text| alone.contains(&text.to_lowercase())).count();
        println!("{task}: {known} of {count} single texts were read in training");
    }
}
