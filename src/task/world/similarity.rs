//! Graded similarity: how much of its meaning one clause shares with another, from 0 to 5. The score weighs what is
//! said (the predicate), of whom, and under which circumstances; it is a definition, not a measurement.

use super::entity::Reference;
use super::fact::{Action, Clause, Scale, Subject, changed, clause, subject_category};
use super::inference::same_meaning;
use super::register::VILLAGE;
use super::sentence::{Style, sentence};
use crate::base::random::Stream;

/// The highest score: the same meaning.
pub(crate) const TOP: f64 = 5.0;
/// What the predicate weighs where there are two participants; each participant weighs [`PARTICIPANT`], and the rest
/// is the setting's.
const PREDICATE: f64 = 2.0;
const PARTICIPANT: f64 = 1.25;
const SETTING: f64 = 0.5;
/// A participant in the other one's role counts this much of one in its own.
const OTHER_ROLE: f64 = 0.4;
/// An opposite property counts this much of the same one.
const OPPOSITE: f64 = 0.5;
/// A denial keeps this much of the score of what it denies.
const DENIED: f64 = 0.6;

/// The similarity of two clauses; symmetric, and [`TOP`] exactly for those that say the same.
pub(crate) fn similarity(a: &Clause, b: &Clause) -> f64 {
    if same_meaning(a, b) {
        return TOP; // also where the words have little in common: `Every chair is broken`, `No chair is intact`
    }
    let score = match (*a, *b) {
        (
            Clause::State { subject: s, dimension: d, pole: p, .. },
            Clause::State { subject: t, dimension: e, pole: q, .. },
        ) => {
            let property = if d != e {
                0.0
            } else if p == q {
                1.0
            } else {
                OPPOSITE
            };
            TOP / 2.0 * (property + subject_likeness(s, t))
        }
        (Clause::Order { first: a, second: b, scale: s, .. }, Clause::Order { first: c, second: d, scale: t, .. }) => {
            let pairs = if s == t && s == Scale::Beside {
                participants((a, b), (c, d)).max(participants((a, b), (d, c)))
            } else {
                participants((a, b), (c, d))
            };
            (PREDICATE + SETTING) * f64::from(u8::from(s == t)) + pairs
        }
        (
            Clause::Event { action: x, agent: a, patient: b, setting: m, .. },
            Clause::Event { action: y, agent: c, patient: d, setting: n, .. },
        ) => {
            let predicate = match (x, y) {
                (Action::Hand(h, thing), Action::Hand(k, other)) => {
                    0.5 * f64::from(u8::from(h == k)) + 0.5 * thing.likeness(other)
                }
                _ => f64::from(u8::from(x == y)),
            };
            PREDICATE * predicate + participants((a, b), (c, d)) + SETTING * f64::from(u8::from(m == n))
        }
        _ => 0.0,
    };
    if a.is_positive() == b.is_positive() { score } else { DENIED * score }
}

fn participants((a, b): (Reference, Reference), (c, d): (Reference, Reference)) -> f64 {
    let straight = a.likeness(c) + b.likeness(d);
    let crossed = OTHER_ROLE * (a.likeness(d) + b.likeness(c));
    PARTICIPANT * straight.max(crossed)
}

fn subject_likeness(a: Subject, b: Subject) -> f64 {
    match (a, b) {
        (Subject::One(a), Subject::One(b)) => a.likeness(b),
        (Subject::Some(a), Subject::Some(b)) | (Subject::Every(a), Subject::Every(b)) if a == b => 1.0,
        (Subject::Some(a) | Subject::Every(a), Subject::Some(b) | Subject::Every(b)) if a == b => 0.8,
        (Subject::Some(a) | Subject::Every(a), Subject::Some(b) | Subject::Every(b)) if a.covers(b) || b.covers(a) => {
            0.6
        }
        (Subject::One(Reference::The(a)), Subject::Some(b) | Subject::Every(b))
        | (Subject::Some(b) | Subject::Every(b), Subject::One(Reference::The(a)))
            if b.covers(a) =>
        {
            0.6
        }
        (a, b) if subject_category(a) == subject_category(b) => 0.2,
        _ => 0.0,
    }
}

/// Two sentences whose score rounds to `level` (0 to 5), and the score with one decimal. `None` where the draw ended
/// at another level.
pub(crate) fn pair(level: usize, stream: &mut Stream) -> Option<(String, String, String)> {
    let first = clause(&VILLAGE, stream);
    let mut second = first;
    if level < 2 {
        second = clause(&VILLAGE, stream);
    } else {
        for _ in level..5 {
            second = changed(second, &VILLAGE, stream)?;
        }
    }
    let score = similarity(&first, &second);
    if score.round() as usize != level || first.is_confusing_with(&second) {
        return None;
    }
    let style = Style::free(VILLAGE.tense);
    let (one, other) = (sentence(&first, style, stream), sentence(&second, style, stream));
    (one != other).then(|| (one, other, format!("{score:.1}")))
}
