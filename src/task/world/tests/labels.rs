//! Labels against meanings: what the recogniser reads and the models decide has to be what the label says.

use super::super::fact::{changed, clause};
use super::super::register::REGISTERS;
use super::super::review::{DENIALS, FEELINGS, FILM, RESTAURANT, SHARED, Subject};
use super::super::similarity::{TOP, similarity};
use super::models::{Together, compare};
use super::recogniser::{Read, statement};
use super::{SEED, splits, texts};
use super::{corpus, questions};
use crate::base::random::Stream;

fn read(text: &str) -> Vec<Read> {
    statement(text).unwrap_or_else(|| panic!("cannot read `{text}`"))
}

fn relation(premise: &str, hypothesis: &str) -> &'static str {
    let found = compare(&read(premise), &read(hypothesis));
    match found {
        Together { both: true, only_first: false, .. } => "entailment",
        Together { both: false, only_first: true, .. } => "contradiction",
        Together { both: true, only_first: true, .. } => "neutral",
        Together { .. } => panic!("no model makes `{premise}` true"),
    }
}

#[test]
fn inference_labels_hold_in_all_small_models() {
    for task in ["mnli", "multinli", "rte", "scitail"] {
        for row in splits(task, 500, 0, 150).train.iter().chain(&splits(task, 0, 0, 150).test) {
            let texts = texts(task, row);
            let found = relation(&texts[0], &texts[1]);
            let expected: &[&str] = match (task, row.label.as_str()) {
                ("rte", "0") | ("mnli" | "multinli", "0") | (_, "entailment") => &["entailment"],
                ("rte", _) => &["neutral", "contradiction"],
                ("mnli" | "multinli", "1") | (_, "neutral") => &["neutral"],
                _ => &["contradiction"],
            };
            assert!(expected.contains(&found), "{task} {row:?}: {found}");
        }
    }
}

#[test]
fn paraphrase_labels_are_symmetric_and_true() {
    for task in ["mrpc", "paws"] {
        for row in &splits(task, 600, 0, 0).train {
            let texts = texts(task, row);
            let (one, other) = (relation(&texts[0], &texts[1]), relation(&texts[1], &texts[0]));
            let equivalent = one == "entailment" && other == "entailment";
            assert_eq!(equivalent, row.label == "1", "{row:?}: {one}, {other}");
        }
    }
}

#[test]
fn lookalikes_are_made_of_the_same_names_and_nouns() {
    for row in &splits("paws", 600, 0, 0).train {
        let bags = texts("paws", row).map_bags();
        assert_eq!(bags[0], bags[1], "{row:?}");
    }
}

/// The words of texts in alphabetical order, without those that tell in which way something is said.
trait Bags {
    fn map_bags(self) -> Vec<Vec<String>>;
}

impl Bags for Vec<String> {
    fn map_bags(self) -> Vec<Vec<String>> {
        let told = |word: &String| {
            let known = super::super::lexicon::NOUNS.iter().any(|noun| noun.one == word)
                || super::super::lexicon::NAMES.iter().any(|name| name.to_lowercase() == *word)
                || super::super::lexicon::COLOURS.contains(&word.as_str());
            known || word == "not"
        };
        self.iter()
            .map(|text| {
                let lower = text.to_lowercase();
                let mut words: Vec<String> =
                    lower.split(|letter: char| !letter.is_alphanumeric()).map(str::to_string).filter(told).collect();
                // A denial is said once in every way of telling.
                words.sort_unstable();
                words
            })
            .collect()
    }
}

#[test]
fn duplicate_questions_ask_the_same() {
    for row in &splits("qqp", 800, 0, 0).train {
        let texts = texts("qqp", row);
        let [one, other] =
            [0, 1].map(|side| questions::question(&texts[side]).unwrap_or_else(|| panic!("cannot read {row:?}")));
        assert_eq!(one == other, row.label == "1", "{row:?}: {one:?} {other:?}");
    }
}

#[test]
fn sentences_answer_their_questions_when_they_should() {
    for row in &splits("qnli", 800, 0, 0).train {
        let texts = texts("qnli", row);
        let asked = questions::question(&texts[0]).unwrap_or_else(|| panic!("cannot read {row:?}"));
        assert_eq!(questions::answers(&asked, &texts[1]), row.label == "0", "{row:?}: {asked:?}");
    }
}

#[test]
fn similarity_is_symmetric_and_highest_for_the_same_meaning() {
    let mut stream = Stream::new(SEED, &["similarity"]);
    for _ in 0..2000 {
        let register = REGISTERS[stream.below(REGISTERS.len())];
        let one = clause(register, &mut stream);
        let other = changed(one, register, &mut stream).unwrap_or_else(|| clause(register, &mut stream));
        let (there, back) = (similarity(&one, &other), similarity(&other, &one));
        assert!((there - back).abs() < 1e-12 && (0.0..=TOP).contains(&there), "{one:?} {other:?}: {there} {back}");
    }
    for row in &splits("stsb", 600, 0, 0).train {
        let texts = texts("stsb", row);
        let same = relation(&texts[0], &texts[1]) == "entailment" && relation(&texts[1], &texts[0]) == "entailment";
        assert_eq!(same, row.label == "5.0", "{row:?}");
    }
}

#[test]
fn what_is_acceptable_parses_and_nothing_else_does() {
    for row in &splits("cola", 4000, 0, 0).train {
        let text = &row.columns["sentence"];
        assert_eq!(statement(text).is_some(), row.label == "1", "{text}");
    }
}

/// The corpus says `So`, `Perhaps` and `So it is false that` where they belong, and `In other words` of the same.
#[test]
fn the_corpus_reasons_well() {
    for text in corpus(SEED, 2500) {
        for (link, expected) in [
            (" So it is false that ", "contradiction"),
            (" So ", "entailment"),
            (" Perhaps ", "neutral"),
            (" In other words, ", "entailment"),
        ] {
            if let Some((premise, conclusion)) = text.split_once(link) {
                assert_eq!(relation(premise, conclusion), expected, "{text}");
                break;
            }
        }
    }
}

/// What a clause of a review says of the film or the place: 1 for praise, -1 for blame, 0 for neither; and whether it
/// speaks of the whole.
fn opinion(clause: &str, subject: &Subject) -> (i32, bool) {
    let whole = subject.whole.words.iter().any(|word| clause.split(' ').any(|other| other == *word));
    if clause.contains("would recommend") {
        return (1, whole);
    }
    if clause.contains("would not recommend") {
        return (-1, whole);
    }
    for (side, sign) in [(1, -1), (0, 1)] {
        if FEELINGS[side].iter().any(|feeling| clause.contains(&format!("I {feeling} "))) {
            return (sign, whole);
        }
    }
    let own = |side: usize| {
        let parts = subject.parts.iter().flat_map(move |part| part.own[side]);
        SHARED[side].iter().chain(subject.whole.own[side]).chain(parts).copied().collect::<Vec<&str>>()
    };
    let sides = [own(0), own(1)];
    // Qualities joined by `and` have the same sign, so that the first decides.
    let words: Vec<&str> = clause.split(' ').collect();
    let found = words.iter().find_map(|word| sides.iter().position(|side| side.contains(word)));
    let denied = DENIALS.iter().any(|denial| format!(" {clause} ").contains(&format!(" {denial} ")));
    match found {
        Some(side) => (if (side == 0) == denied { -1 } else { 1 }, whole),
        None => (0, whole),
    }
}

fn verdict(text: &str, subject: &Subject) -> i32 {
    let mut verdicts: Vec<i32> = Vec::new();
    for sentence in text.split(['.', '!']).map(str::trim).filter(|sentence| !sentence.is_empty()) {
        let sentence = format!("{}{}", sentence[..1].to_lowercase(), &sentence[1..]).replace("i ", "I ");
        let contrast = sentence.contains("but ") && sentence.contains(", but ") || sentence.contains("although ");
        let plain = sentence.replace("although ", "").replace(", but ", ", ").replace(", and ", ", ");
        let plain = plain.replace(" that is ", ", it is ");
        let opinions: Vec<(i32, bool)> = plain.split(", ").map(|clause| opinion(clause, subject)).collect();
        let said = if contrast {
            let whole: Vec<i32> = opinions.iter().filter(|one| one.1).map(|one| one.0).collect();
            assert_eq!(whole.len(), 1, "{sentence}");
            assert_eq!(opinions.iter().map(|one| one.0).sum::<i32>(), 0, "no contrast in `{sentence}`");
            whole[0]
        } else {
            let signs: Vec<i32> = opinions.iter().map(|one| one.0).collect();
            assert!(signs.iter().all(|sign| *sign == signs[0]), "{sentence}: {signs:?}");
            signs[0]
        };
        verdicts.extend((said != 0).then_some(said));
    }
    assert!(!verdicts.is_empty() && verdicts.iter().all(|one| *one == verdicts[0]), "{text}: {verdicts:?}");
    verdicts[0]
}

#[test]
fn reviews_mean_what_their_label_says() {
    for (task, column, subject) in
        [("imdb", "text", &FILM), ("yelp_polarity", "text", &RESTAURANT), ("sst2", "sentence", &FILM)]
    {
        for row in &splits(task, 1500, 0, 0).train {
            let expected = if row.label == "1" { 1 } else { -1 };
            assert_eq!(verdict(&row.columns[column], subject), expected, "{task} {row:?}");
        }
    }
}
