//! Grammatical sentences and ways to break them. Each way breaks a rule that the words around it show: agreement,
//! number after a determiner, the form of a verb, a word that has to be there, the order of words.

use super::fact::clause;
use super::lexicon::{COLOURS, HANDINGS, NOUNS, VERBS};
use super::register::{NEWS, Register, TRAVEL, VILLAGE};
use super::sentence::{Style, punctuated, told};
use crate::base::random::Stream;

/// A sentence that is acceptable or not; `None` where the drawn one cannot be broken in the drawn way.
pub(crate) fn sentence(acceptable: bool, stream: &mut Stream) -> Option<String> {
    let register: &Register = [&VILLAGE, &TRAVEL, &NEWS][stream.below(3)];
    let text = told(&clause(register, stream), Style::free(register.tense), stream);
    if acceptable {
        return Some(punctuated(&text, '.'));
    }
    let words: Words = text.split(' ').map(str::to_string).collect();
    let ways: [fn(Words, &mut Stream) -> Option<Words>; 7] =
        [agreement, number, verb_form, missing_word, doubled_word, order_in_phrase, verb_place];
    ways[stream.below(ways.len())](words, stream).map(|words| punctuated(&words.join(" "), '.'))
}

type Words = Vec<String>;

/// The places of the words that fulfil a condition; one of them.
fn place(words: &[String], stream: &mut Stream, fits: impl Fn(usize, &str) -> bool) -> Option<usize> {
    let found: Vec<usize> = (0..words.len()).filter(|&at| fits(at, &words[at])).collect();
    (!found.is_empty()).then(|| found[stream.below(found.len())])
}

/// `some cubes is heavy`.
fn agreement(mut words: Words, stream: &mut Stream) -> Option<Words> {
    let at = place(&words, stream, |_, word| ["is", "are", "was"].contains(&word))?;
    words[at] = match words[at].as_str() {
        "is" => "are",
        "are" => "is",
        _ => "were",
    }
    .to_string();
    Some(words)
}

fn is_noun(word: &str) -> bool {
    NOUNS.iter().any(|noun| noun.one == word || noun.many == word)
}

/// `every cubes is heavy`, `all cube are heavy`.
fn number(mut words: Words, stream: &mut Stream) -> Option<Words> {
    const COUNTING: &[&str] = &["every", "each", "a", "an", "one", "all", "some"];
    let counted = |at: usize| {
        let before = at.checked_sub(1).map(|one| words[one].as_str());
        let before = before.filter(|word| !COLOURS.contains(word)).or(at.checked_sub(2).map(|two| words[two].as_str()));
        before.is_some_and(|word| COUNTING.contains(&word))
    };
    let at = place(&words, stream, |at, word| is_noun(word) && counted(at))?;
    let noun = NOUNS.iter().find(|noun| noun.one == words[at] || noun.many == words[at])?;
    words[at] = if noun.one == words[at] { noun.many } else { noun.one }.to_string();
    Some(words)
}

/// `the fox chase the dog`, `did not chased`, `was chase by`.
fn verb_form(mut words: Words, stream: &mut Stream) -> Option<Words> {
    let forms = || {
        let plain = VERBS.iter().flat_map(|verb| verb.forms);
        plain.chain(HANDINGS.iter().flat_map(|handing| handing.away.iter().chain([&handing.back])))
    };
    let is_verb = |word: &str| forms().any(|form| [form.base, form.past, form.participle].contains(&word));
    let at = place(&words, stream, |_, word| is_verb(word))?;
    let word = words[at].as_str();
    let form = forms().find(|form| [form.base, form.past, form.participle].contains(&word))?;
    words[at] = if word == form.base { form.past } else { form.base }.to_string();
    Some(words)
}

/// A word that has to be there is gone: `is`, `was`, `than`, `by` or the determiner.
fn missing_word(mut words: Words, stream: &mut Stream) -> Option<Words> {
    let at = place(&words, stream, |_, word| ["is", "are", "was", "than", "by", "the"].contains(&word))?;
    // After a preposition a missing determiner may pass: `at night`, `in school`.
    if words[at] == "the" && at > 0 && ["in", "at", "on", "to", "of"].contains(&words[at - 1].as_str()) {
        return None;
    }
    words.remove(at);
    Some(words)
}

/// `the the dog`, `is is`, `not not`.
fn doubled_word(mut words: Words, stream: &mut Stream) -> Option<Words> {
    const DOUBLED: &[&str] = &["the", "is", "are", "was", "by", "than", "not", "every", "did"];
    let at = place(&words, stream, |_, word| DOUBLED.contains(&word))?;
    let word = words[at].clone();
    words.insert(at, word);
    Some(words)
}

/// `cube the`, `the cube red`.
fn order_in_phrase(mut words: Words, stream: &mut Stream) -> Option<Words> {
    let at = place(&words, stream, |at, word| at > 0 && is_noun(word))?;
    let before = words[at - 1].as_str();
    if !COLOURS.contains(&before) && !["the", "a", "an", "every", "each", "some", "all"].contains(&before) {
        return None;
    }
    words.swap(at - 1, at);
    Some(words)
}

/// The finite verb at the end or in front: `the fox the dog chased`, `chased the fox the dog`. What also stands in front
/// of a question (`is`, `did`) only goes to the end.
fn verb_place(mut words: Words, stream: &mut Stream) -> Option<Words> {
    let asks = |word: &str| ["is", "are", "was", "did"].contains(&word);
    let tells = |word: &str| VERBS.iter().flat_map(|verb| verb.forms).any(|form| form.past == word);
    let at = words.iter().position(|word| asks(word) || tells(word))?;
    let verb = words.remove(at);
    let at = if tells(&verb) && stream.below(2) == 0 { 0 } else { words.len() };
    words.insert(at, verb);
    Some(words)
}
