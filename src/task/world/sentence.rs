//! Meanings into English: one clause can be told in many ways (synonyms, active and passive, a comparison from either
//! end, a setting in front or at the end), and every way says the same.

use super::entity::{Kind, Reference};
use super::fact::{Action, Clause, Scale, Setting, Subject};
use super::lexicon::{
    BESIDE, Category, DIMENSIONS, HANDINGS, HIGH, LOW, NAMES, PLACES, PLACINGS, TIMES, VERBS, VerbForm,
};
use super::register::Tense;
use crate::base::random::Stream;

/// How a clause is to be told; what is left open is drawn.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) tense: Tense,
    /// False: always the first word of a sense.
    pub(crate) synonyms: bool,
    /// Passive voice, or the relation told from its other end.
    pub(crate) turned: Option<bool>,
    /// Setting before the clause.
    pub(crate) fronted: Option<bool>,
}

impl Style {
    /// Everything is open but the tense.
    pub(crate) fn free(tense: Tense) -> Self {
        Self { tense, synonyms: true, turned: None, fronted: None }
    }

    /// For two texts that are to be compared: half of all pairs differ in nothing but what they say, as far as words go,
    /// and half as far as the order of their parts goes. A reader learns from easy pairs what to look for in hard ones.
    pub(crate) fn for_pair(tense: Tense, stream: &mut Stream) -> Self {
        let synonyms = stream.below(2) == 0;
        let order = |stream: &mut Stream| (stream.below(2) == 0).then(|| stream.below(2) == 0);
        Self { tense, synonyms, turned: order(stream), fronted: order(stream) }
    }

    fn turned(self, stream: &mut Stream) -> bool {
        self.turned.unwrap_or_else(|| stream.below(2) == 0)
    }

    fn fronted(self, stream: &mut Stream) -> bool {
        self.fronted.unwrap_or_else(|| stream.below(2) == 0)
    }

    /// One of the words of a sense.
    pub(crate) fn pick<'a, T>(self, words: &'a [T], stream: &mut Stream) -> &'a T {
        if self.synonyms { &words[stream.below(words.len())] } else { &words[0] }
    }

    /// One of several ways to put something, where the choice is not one of words.
    fn way(self, count: usize, stream: &mut Stream) -> usize {
        if self.synonyms { stream.below(count) } else { 0 }
    }
}

/// A text with its first letter large and a mark at its end.
pub(crate) fn punctuated(text: &str, mark: char) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain([mark]).collect())
}

/// The clause as a sentence.
pub(crate) fn sentence(clause: &Clause, style: Style, stream: &mut Stream) -> String {
    punctuated(&told(clause, style, stream), '.')
}

/// The clause in words, without capital and full stop.
pub(crate) fn told(clause: &Clause, style: Style, stream: &mut Stream) -> String {
    match *clause {
        Clause::State { subject, dimension, pole, positive } => {
            let property = *style.pick(DIMENSIONS[dimension].poles[pole], stream);
            state(subject, property, positive, style, stream)
        }
        Clause::Order { first, second, scale, positive } => {
            let turned = style.turned(stream);
            let (relation, turned) = relation(scale, turned, style, stream);
            let (first, second) = if turned { (second, first) } else { (first, second) };
            let not = if positive { "" } else { "not " };
            format!("{} is {not}{relation} {}", noun_phrase(first), noun_phrase(second))
        }
        Clause::Event { setting, .. } => {
            let event = event(clause, style, stream);
            match setting.map(setting_words) {
                None => event,
                Some(setting) if style.fronted(stream) => format!("{setting}, {event}"),
                Some(setting) => format!("{event} {setting}"),
            }
        }
    }
}

/// The words of a relation, and whether they tell it from its other end.
fn relation(scale: Scale, turned: bool, style: Style, stream: &mut Stream) -> (String, bool) {
    let end = usize::from(turned);
    match scale {
        Scale::Degree(dimension) => {
            let more = DIMENSIONS[dimension].more;
            let end = if more[end].is_empty() { HIGH } else { end };
            (format!("{} than", style.pick(more[end], stream)), end == LOW)
        }
        Scale::Place(index) => (style.pick(PLACINGS[index].words[end], stream).to_string(), turned),
        Scale::Beside => (style.pick(BESIDE, stream).to_string(), turned),
    }
}

/// The words of a setting.
pub(crate) fn setting_words(setting: Setting) -> &'static str {
    match setting {
        Setting::Place(index) => PLACES[index],
        Setting::Time(index) => TIMES[index],
    }
}

/// A reference where it affirms: `the red cube`, `a dog`, `someone`.
pub(crate) fn noun_phrase(reference: Reference) -> String {
    match reference {
        Reference::Name(name) => NAMES[name].to_string(),
        Reference::The(kind) => format!("the {}", kind.words(false)),
        Reference::Any(kind) if is_person(kind) => "someone".to_string(),
        Reference::Any(kind) => with_article(&kind.words(false)),
    }
}

fn is_person(kind: Kind) -> bool {
    kind.is_general() && kind.category() == Category::Person
}

/// A reference under a denial that was spoken before it: `any dog`, `anyone`.
fn denied_phrase(reference: Reference) -> String {
    match reference {
        Reference::Any(kind) if is_person(kind) => "anyone".to_string(),
        Reference::Any(kind) => format!("any {}", kind.words(false)),
        definite => noun_phrase(definite),
    }
}

/// A reference that denies by itself: `no dog`, `nobody`.
fn denying_phrase(kind: Kind) -> String {
    if is_person(kind) { "nobody".to_string() } else { format!("no {}", kind.words(false)) }
}

/// `a` or `an` before the words.
pub(crate) fn with_article(words: &str) -> String {
    let article = if words.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {words}")
}

fn state(subject: Subject, property: &str, positive: bool, style: Style, stream: &mut Stream) -> String {
    match (subject, positive) {
        (Subject::One(one), true) => format!("{} is {property}", noun_phrase(one)),
        (Subject::One(one), false) => format!("{} is not {property}", noun_phrase(one)),
        (Subject::Some(kind), true) => match style.way(3, stream) {
            0 => format!("some {} are {property}", kind.words(true)),
            1 => format!("at least one {} is {property}", kind.words(false)),
            _ => format!("{} is {property}", with_article(&kind.words(false))),
        },
        (Subject::Some(kind), false) => match style.way(2, stream) {
            0 => format!("no {} is {property}", kind.words(false)),
            _ => format!("no {} are {property}", kind.words(true)),
        },
        (Subject::Every(kind), true) => match style.way(3, stream) {
            0 => format!("every {} is {property}", kind.words(false)),
            1 => format!("all {} are {property}", kind.words(true)),
            _ => format!("each {} is {property}", kind.words(false)),
        },
        (Subject::Every(kind), false) => match style.way(3, stream) {
            0 => format!("not every {} is {property}", kind.words(false)),
            1 => format!("not all {} are {property}", kind.words(true)),
            _ => format!("some {} are not {property}", kind.words(true)),
        },
    }
}

fn event(clause: &Clause, style: Style, stream: &mut Stream) -> String {
    let &Clause::Event { action, agent, patient, positive, .. } = clause else { return String::new() };
    match action {
        Action::Do(verb) => {
            let form = style.pick(VERBS[verb].forms, stream);
            if style.turned(stream) {
                passive(patient, form, agent, positive, style.tense)
            } else {
                active(agent, form, "", patient, positive, style.tense)
            }
        }
        Action::Hand(handing, thing) => {
            let (thing, handing) = (noun_phrase(thing), &HANDINGS[handing]);
            let away = style.pick(handing.away, stream);
            let turned = style.turned(stream);
            let to = format!(" {thing} to");
            match (turned, style.way(2, stream)) {
                (false, 1) if handing.double_object => {
                    let (verb, not) = verb_group(away, positive, style.tense);
                    format!("{} {not}{verb} {} {thing}", noun_phrase(agent), noun_phrase(patient))
                }
                (false, _) => active(agent, away, &to, patient, positive, style.tense),
                (true, 0) => active(patient, &handing.back, &format!(" {thing} from"), agent, positive, style.tense),
                (true, _) => {
                    let be = if style.tense == Tense::Past { "was" } else { "is" };
                    let not = if positive { "" } else { " not" };
                    let (to, by) = (noun_phrase(patient), noun_phrase(agent));
                    format!("{thing} {be}{not} {} to {to} by {by}", away.participle)
                }
            }
        }
    }
}

/// The verb and what stands before it in a denial (`did not `).
fn verb_group(form: &VerbForm, positive: bool, tense: Tense) -> (&'static str, &'static str) {
    match (positive, tense) {
        (true, Tense::Past) => (form.past, ""),
        (true, Tense::Present) => (form.third, ""),
        (false, Tense::Past) => (form.base, "did not "),
        (false, Tense::Present) => (form.base, "does not "),
    }
}

fn active(
    agent: Reference,
    form: &VerbForm,
    between: &str,
    patient: Reference,
    positive: bool,
    tense: Tense,
) -> String {
    match agent {
        Reference::Any(kind) if !positive => {
            let (verb, _) = verb_group(form, true, tense);
            format!("{} {verb}{between} {}", denying_phrase(kind), denied_phrase(patient))
        }
        agent => {
            let (verb, not) = verb_group(form, positive, tense);
            let patient = if positive { noun_phrase(patient) } else { denied_phrase(patient) };
            format!("{} {not}{verb}{between} {patient}", noun_phrase(agent))
        }
    }
}

fn passive(patient: Reference, form: &VerbForm, agent: Reference, positive: bool, tense: Tense) -> String {
    let be = if tense == Tense::Past { "was" } else { "is" };
    match patient {
        Reference::Any(kind) if !positive => {
            format!("{} {be} {} by {}", denying_phrase(kind), form.participle, denied_phrase(agent))
        }
        patient => {
            let (not, agent) = if positive { ("", noun_phrase(agent)) } else { ("not ", denied_phrase(agent)) };
            format!("{} {be} {not}{} by {agent}", noun_phrase(patient), form.participle)
        }
    }
}
