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
    let mut words: Vec<String> = text.split(' ').map(str::to_string).collect();
    let ways: [fn(&mut Vec<String>, &mut Stream) -> bool; 7] =
        [agreement, number, verb_form, missing_word, doubled_word, order_in_phrase, verb_place];
    ways[stream.below(ways.len())](&mut words, stream).then(|| punctuated(&words.join(" "), '.'))
}

/// The places of the words that fulfil a condition; one of them.
fn place(words: &[String], stream: &mut Stream, fits: impl Fn(usize, &str) -> bool) -> Option<usize> {
    let found: Vec<usize> = (0..words.len()).filter(|&at| fits(at, &words[at])).collect();
    (!found.is_empty()).then(|| found[stream.below(found.len())])
}

/// `some cubes is heavy`.
fn agreement(words: &mut Vec<String>, stream: &mut Stream) -> bool {
    let Some(at) = place(words, stream, |_, word| ["is", "are", "was"].contains(&word)) else { return false };
    words[at] = match words[at].as_str() {
        "is" => "are",
        "are" => "is",
        _ => "were",
    }
    .to_string();
    true
}

fn is_noun(word: &str) -> bool {
    NOUNS.iter().any(|noun| noun.one == word || noun.many == word)
}

/// `every cubes is heavy`, `all cube are heavy`.
fn number(words: &mut Vec<String>, stream: &mut Stream) -> bool {
    const COUNTING: &[&str] = &["every", "each", "a", "an", "one", "all", "some"];
    let counted = |at: usize| {
        let before = at.checked_sub(1).map(|one| words[one].as_str());
        let before = before.filter(|word| !COLOURS.contains(word)).or(at.checked_sub(2).map(|two| words[two].as_str()));
        before.is_some_and(|word| COUNTING.contains(&word))
    };
    let Some(at) = place(words, stream, |at, word| is_noun(word) && counted(at)) else { return false };
    let Some(noun) = NOUNS.iter().find(|noun| noun.one == words[at] || noun.many == words[at]) else { return false };
    words[at] = if noun.one == words[at] { noun.many } else { noun.one }.to_string();
    true
}

/// `the fox chase the dog`, `did not chased`, `was chase by`.
fn verb_form(words: &mut Vec<String>, stream: &mut Stream) -> bool {
    let forms = || {
        let plain = VERBS.iter().flat_map(|verb| verb.forms);
        plain.chain(HANDINGS.iter().flat_map(|handing| handing.away.iter().chain([&handing.back])))
    };
    let is_verb = |word: &str| forms().any(|form| [form.base, form.past, form.participle].contains(&word));
    let Some(at) = place(words, stream, |_, word| is_verb(word)) else { return false };
    let word = words[at].as_str();
    let Some(form) = forms().find(|form| [form.base, form.past, form.participle].contains(&word)) else { return false };
    words[at] = if word == form.base { form.past } else { form.base }.to_string();
    true
}

/// A word that has to be there is gone: the verb, `is`, `was`, `than`, `by`, `to` or the determiner.
fn missing_word(words: &mut Vec<String>, stream: &mut Stream) -> bool {
    let Some(at) = place(words, stream, |_, word| ["is", "are", "was", "than", "by", "the"].contains(&word)) else {
        return false;
    };
    // In front of a setting nothing stands that could be missed, and `in the morning` may lose its determiner.
    if words[at] == "the" && at > 0 && ["in", "at", "on", "to", "of"].contains(&words[at - 1].as_str()) {
        return false;
    }
    words.remove(at);
    true
}

/// `the the dog`, `is is`, `not not`.
fn doubled_word(words: &mut Vec<String>, stream: &mut Stream) -> bool {
    const DOUBLED: &[&str] = &["the", "is", "are", "was", "by", "than", "not", "every", "did"];
    let Some(at) = place(words, stream, |_, word| DOUBLED.contains(&word)) else { return false };
    let word = words[at].clone();
    words.insert(at, word);
    true
}

/// `cube the`, `the cube red`.
fn order_in_phrase(words: &mut Vec<String>, stream: &mut Stream) -> bool {
    let Some(at) = place(words, stream, |at, word| at > 0 && is_noun(word)) else { return false };
    let before = words[at - 1].as_str();
    if !COLOURS.contains(&before) && !["the", "a", "an", "every", "each", "some", "all"].contains(&before) {
        return false;
    }
    words.swap(at - 1, at);
    true
}

/// The finite verb at the end or in front: `the fox the dog chased`, `chased the fox the dog`. What also stands in front
/// of a question (`is`, `did`) only goes to the end.
fn verb_place(words: &mut Vec<String>, stream: &mut Stream) -> bool {
    let asks = |word: &str| ["is", "are", "was", "did"].contains(&word);
    let tells = |word: &str| VERBS.iter().flat_map(|verb| verb.forms).any(|form| form.past == word);
    let Some(at) = words.iter().position(|word| asks(word) || tells(word)) else { return false };
    let verb = words.remove(at);
    let at = if tells(&verb) && stream.below(2) == 0 { 0 } else { words.len() };
    words.insert(at, verb);
    true
}
