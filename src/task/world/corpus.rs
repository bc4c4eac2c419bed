//! Plain text of the world, for pre-training by span corruption: statements, the same thing said twice, what follows
//! and what does not, questions with their answers, and reviews.

use super::fact::clause;
use super::inference::{self, Relation};
use super::paraphrase::lookalikes;
use super::register::{REGISTERS, Register};
use super::review::{FILM, RESTAURANT, excerpt, review};
use super::sentence::{Style, punctuated, sentence, told};
use super::tasks::key;
use super::{Part, grammar, part_of, question};
use crate::base::random::Stream;

/// How often a text says the same twice in the same words, in another order. What is masked in one half then stands in the
/// other, beside those to whom it belongs: from this a reader learns who is meant long before a label teaches it.
const RESTATED: f64 = 0.6;

/// The text at this place of the corpus.
pub(crate) fn text(seed: u64, index: usize) -> String {
    let mut stream = Stream::new(seed, &["world corpus", &index.to_string()]);
    loop {
        // Every text is split as the tasks' rows are, so that none that says a test row's answer is read in training.
        if let Some((text, _)) = drawn(&mut stream).filter(|(_, key)| part_of(key) == Part::Train) {
            return text;
        }
    }
}

fn drawn(stream: &mut Stream) -> Option<(String, String)> {
    let register: &Register = REGISTERS[stream.below(REGISTERS.len())];
    let style = Style::free(register.tense);
    if stream.unit() < RESTATED {
        let (one, other) = lookalikes(register, true, stream)?;
        return Some((format!("{one} {other}"), key(&[&one, &other])));
    }
    match stream.below(12) {
        0 | 1 => {
            let (one, other) = (clause(register, stream), clause(register, stream));
            let text = format!("{} {}", sentence(&one, style, stream), sentence(&other, style, stream));
            Some((text.clone(), key(&[&text])))
        }
        2 | 3 => {
            let meaning = clause(register, stream);
            let (one, other) = (told(&meaning, style, stream), told(&meaning, style, stream));
            let (one, plain) = (punctuated(&one, '.'), punctuated(&other, '.'));
            (one != plain).then(|| (format!("{one} In other words, {other}."), key(&[&one, &plain])))
        }
        4..=6 => {
            let (relation, link) = [
                (Relation::Entailment, "So"),
                (Relation::Neutral, "Perhaps"),
                (Relation::Contradiction, "So it is false that"),
            ][stream.below(3)];
            let (premise, hypothesis) = inference::pair(register, relation, stream);
            let (premise, hypothesis) = (sentence(&premise, style, stream), told(&hypothesis, style, stream));
            let key = key(&[&premise, &punctuated(&hypothesis, '.')]);
            Some((format!("{premise} {link} {hypothesis}."), key))
        }
        7 => question::answer(true, stream).map(|(asked, said)| (format!("{asked} {said}"), key(&[&asked, &said]))),
        8 => grammar::sentence(true, stream).map(|text| (text.clone(), key(&[&text]))),
        _ => {
            let positive = stream.below(2) == 0;
            let text = match stream.below(3) {
                0 => review(&FILM, positive, stream),
                1 => review(&RESTAURANT, positive, stream),
                _ => excerpt(positive, stream),
            };
            Some((text.clone(), key(&[&text])))
        }
    }
}
