//! What can be said in this world: clauses as meanings, free of words. A clause is drawn at random in a register, and
//! changed in one point at a time; both are the raw material of every task.

use super::entity::{Kind, Reference, definite, dimension, kind};
use super::lexicon::{Category, DIMENSIONS, HANDINGS, HIGH, PLACINGS, TIMES, VERBS};
use super::register::Register;
use crate::base::random::Stream;

/// What a statement about a property is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// One certain person or thing.
    One(Reference),
    /// At least one of a kind.
    Some(Kind),
    /// All of a kind (of which there is at least one).
    Every(Kind),
}

/// What an order compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Degrees of a property; index in [`DIMENSIONS`].
    Degree(usize),
    /// A direction of place; index in [`PLACINGS`].
    Place(usize),
    /// The symmetric relation of place.
    Beside,
}

/// Where or when something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Index in `PLACES`.
    Place(usize),
    /// Index in `TIMES`.
    Time(usize),
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A two-place verb; index in [`VERBS`].
    Do(usize),
    /// A thing changes hands; index in [`HANDINGS`], and the thing.
    Hand(usize, Reference),
}

/// The meaning of a clause. `positive: false` denies the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clause {
    /// The subject lies at this pole of the dimension.
    State { subject: Subject, dimension: usize, pole: usize, positive: bool },
    /// `first` is above `second` on the scale.
    Order { first: Reference, second: Reference, scale: Scale, positive: bool },
    /// The agent did it to the patient (gave it to the patient).
    Event { action: Action, agent: Reference, patient: Reference, setting: Option<Setting>, positive: bool },
}

impl Clause {
    /// The same clause, affirmed or denied.
    pub(crate) fn with_sign(mut self, sign: bool) -> Self {
        match &mut self {
            Self::State { positive, .. } | Self::Order { positive, .. } | Self::Event { positive, .. } => {
                *positive = sign
            }
        }
        self
    }

    /// True when nothing is denied.
    pub(crate) fn is_positive(&self) -> bool {
        match self {
            Self::State { positive, .. } | Self::Order { positive, .. } | Self::Event { positive, .. } => *positive,
        }
    }

    /// Everyone and everything named.
    pub(crate) fn references(&self) -> Vec<Reference> {
        match *self {
            Self::State { subject: Subject::One(one), .. } => vec![one],
            Self::State { .. } => Vec::new(),
            Self::Order { first, second, .. } => vec![first, second],
            Self::Event { action: Action::Hand(_, thing), agent, patient, .. } => vec![agent, patient, thing],
            Self::Event { agent, patient, .. } => vec![agent, patient],
        }
    }

    /// True when the two clauses speak of different predicates, so that neither says anything about the other.
    pub(crate) fn is_unrelated(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::State { dimension: a, .. }, Self::State { dimension: b, .. }) => a != b,
            (Self::State { dimension: a, .. }, Self::Order { scale: Scale::Degree(b), .. })
            | (Self::Order { scale: Scale::Degree(b), .. }, Self::State { dimension: a, .. }) => a != b,
            (Self::Order { scale: Scale::Degree(a), .. }, Self::Order { scale: Scale::Degree(b), .. }) => a != b,
            (Self::Order { scale: Scale::Degree(_), .. }, Self::Order { .. })
            | (Self::Order { .. }, Self::Order { scale: Scale::Degree(_), .. }) => true,
            // Places are related to each other: what is beside a box is perhaps also to its left.
            (Self::Order { .. }, Self::Order { .. }) => false,
            (Self::Event { action: Action::Do(a), .. }, Self::Event { action: Action::Do(b), .. }) => a != b,
            (Self::Event { action: Action::Hand(..), .. }, Self::Event { action: Action::Hand(..), .. }) => false,
            _ => true,
        }
    }

    /// True when some reader could take two of the clauses' references for one, or a clause names one thing twice.
    pub(crate) fn is_confusing_with(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.references(), other.references());
        let twice = |all: &[Reference]| {
            all.iter().enumerate().any(|(i, a)| all[..i].iter().any(|b| a == b || a.is_confusable(*b)))
        };
        twice(&ours) || twice(&theirs) || ours.iter().any(|a| theirs.iter().any(|b| a.is_confusable(*b)))
    }

    /// True when this clause speaks of some of a kind and the other of the one thing of that noun: after `a clock is
    /// expensive`, nobody knows whether `the clock` is that one.
    pub(crate) fn leaves_open_which(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (
                Self::State { subject: Subject::Some(kind), .. },
                Self::State { subject: Subject::One(Reference::The(one)), .. },
            ) if kind.noun == one.noun
        )
    }
}

/// Draws a clause of the register.
pub(crate) fn clause(register: &Register, stream: &mut Stream) -> Clause {
    loop {
        let positive = stream.below(2) == 0;
        let drawn = match weighted(&register.weights, stream) {
            0 => one_state(register, positive, stream),
            1 => class_state(register, positive, stream),
            2 => comparison(register, positive, stream),
            3 => placing(register, positive, stream),
            4 => event(register, positive, stream),
            _ => handing(register, positive, stream),
        };
        if let Some(clause) = drawn.filter(|clause| !clause.is_confusing_with(clause)) {
            return clause;
        }
    }
}

/// The index of a weight, in proportion to the weights.
pub(crate) fn weighted(weights: &[f64], stream: &mut Stream) -> usize {
    let mut left = stream.unit() * weights.iter().sum::<f64>();
    weights
        .iter()
        .position(|weight| {
            left -= weight;
            left < 0.0
        })
        .unwrap_or(0)
}

fn category(register: &Register, stream: &mut Stream) -> Category {
    let all = register.categories();
    all[stream.below(all.len())]
}

fn one_state(register: &Register, positive: bool, stream: &mut Stream) -> Option<Clause> {
    let category = category(register, stream);
    let subject = Subject::One(definite(register, category, stream)?);
    Some(Clause::State { subject, dimension: dimension(category, stream), pole: stream.below(2), positive })
}

fn class_state(register: &Register, positive: bool, stream: &mut Stream) -> Option<Clause> {
    let category = category(register, stream);
    let mut kind = kind(register, category, stream)?;
    if stream.below(4) == 0 {
        kind = kind.widened(stream).unwrap_or(kind);
    }
    let subject = if stream.below(2) == 0 { Subject::Some(kind) } else { Subject::Every(kind) };
    Some(Clause::State { subject, dimension: dimension(category, stream), pole: stream.below(2), positive })
}

fn degree(category: Category, stream: &mut Stream) -> usize {
    loop {
        let index = dimension(category, stream);
        if !DIMENSIONS[index].more[HIGH].is_empty() {
            return index;
        }
    }
}

fn comparison(register: &Register, positive: bool, stream: &mut Stream) -> Option<Clause> {
    let category = category(register, stream);
    let (first, second) = (definite(register, category, stream)?, definite(register, category, stream)?);
    Some(Clause::Order { first, second, scale: Scale::Degree(degree(category, stream)), positive })
}

fn place_scale(stream: &mut Stream) -> Scale {
    match stream.below(PLACINGS.len() + 1) {
        index if index < PLACINGS.len() => Scale::Place(index),
        _ => Scale::Beside,
    }
}

fn placing(register: &Register, positive: bool, stream: &mut Stream) -> Option<Clause> {
    let (first, second) = (category(register, stream), category(register, stream));
    let (first, second) = (definite(register, first, stream)?, definite(register, second, stream)?);
    Some(Clause::Order { first, second, scale: place_scale(stream), positive })
}

/// Draws an event of two participants.
pub(crate) fn event(register: &Register, positive: bool, stream: &mut Stream) -> Option<Clause> {
    let verbs = register.verbs();
    let verb = verbs[stream.below(verbs.len())];
    let agent = participant(register, VERBS[verb].agents, stream)?;
    let patient = participant(register, VERBS[verb].patients, stream)?;
    Some(Clause::Event { action: Action::Do(verb), agent, patient, setting: setting(register, stream), positive })
}

fn handing(register: &Register, positive: bool, stream: &mut Stream) -> Option<Clause> {
    let agent = definite(register, Category::Person, stream)?;
    let patient = definite(register, Category::Person, stream)?;
    let thing = definite(register, Category::Thing, stream)?;
    let action = Action::Hand(stream.below(HANDINGS.len()), thing);
    Some(Clause::Event { action, agent, patient, setting: None, positive })
}

/// A place or a time, as often as the register has one.
fn setting(register: &Register, stream: &mut Stream) -> Option<Setting> {
    (stream.unit() < register.settings).then(|| some_setting(register, stream))
}

/// A place or a time.
pub(crate) fn some_setting(register: &Register, stream: &mut Stream) -> Setting {
    if stream.below(2) == 0 {
        Setting::Place(register.places.start + stream.below(register.places.len()))
    } else {
        Setting::Time(stream.below(TIMES.len()))
    }
}

fn participant(register: &Register, allowed: &[Category], stream: &mut Stream) -> Option<Reference> {
    let met: Vec<Category> = register.categories().into_iter().filter(|found| allowed.contains(found)).collect();
    let category = met[stream.below(met.len())];
    if stream.unit() < 0.15 {
        return Some(Reference::Any(match category {
            Category::Person if stream.below(2) == 0 => Kind { noun: 0, colour: None },
            _ => kind(register, category, stream)?,
        }));
    }
    definite(register, category, stream)
}

/// The clause with its two participants in each other's place; `None` where that makes no sense or no difference.
pub(crate) fn swapped(clause: Clause) -> Option<Clause> {
    match clause {
        Clause::State { .. } | Clause::Order { scale: Scale::Beside, .. } => None,
        Clause::Order { first, second, scale, positive } => {
            Some(Clause::Order { first: second, second: first, scale, positive })
        }
        Clause::Event { action, agent, patient, setting, positive } => {
            let fits = match action {
                Action::Do(verb) => {
                    VERBS[verb].agents.contains(&patient.category()) && VERBS[verb].patients.contains(&agent.category())
                }
                Action::Hand(..) => true,
            };
            fits.then_some(Clause::Event { action, agent: patient, patient: agent, setting, positive })
        }
    }
}

/// The clause with one point changed at random: its sign, a participant, a property, a quantifier, a setting or the
/// direction. `None` where the draw met a point that cannot be changed.
pub(crate) fn changed(clause: Clause, register: &Register, stream: &mut Stream) -> Option<Clause> {
    match (clause, stream.below(6)) {
        (_, 0) => Some(clause.with_sign(!clause.is_positive())),
        (Clause::State { subject, dimension: scale, pole, positive }, choice) => {
            let category = subject_category(subject);
            Some(match choice {
                1 => Clause::State { subject, dimension: scale, pole: 1 - pole, positive },
                2 => Clause::State { subject, dimension: dimension(category, stream), pole, positive },
                _ => {
                    let subject = changed_subject(subject, register, stream)?;
                    Clause::State { subject, dimension: scale, pole, positive }
                }
            })
        }
        (Clause::Order { first, second, scale, positive }, choice) => match choice {
            1 | 2 => swapped(clause),
            3 => Some(match scale {
                Scale::Degree(_) => {
                    Clause::Order { first, second, scale: Scale::Degree(degree(first.category(), stream)), positive }
                }
                _ => Clause::Order { first, second, scale: place_scale(stream), positive },
            }),
            4 => Some(Clause::Order { first: definite(register, first.category(), stream)?, second, scale, positive }),
            _ => Some(Clause::Order { first, second: definite(register, second.category(), stream)?, scale, positive }),
        },
        (Clause::Event { action, agent, patient, setting, positive }, choice) => match (choice, action) {
            (1, _) => swapped(clause),
            (2, Action::Do(_)) if register.settings > 0.0 => {
                let setting = match setting {
                    Some(_) => None,
                    None => Some(some_setting(register, stream)),
                };
                Some(Clause::Event { action, agent, patient, setting, positive })
            }
            (3, Action::Do(_)) => {
                let action = Action::Do(other_verb(agent, patient, register, stream)?);
                Some(Clause::Event { action, agent, patient, setting, positive })
            }
            (3, Action::Hand(handing, thing)) => {
                let action = if stream.below(2) == 0 {
                    Action::Hand(1 - handing, thing)
                } else {
                    Action::Hand(handing, definite(register, Category::Thing, stream)?)
                };
                Some(Clause::Event { action, agent, patient, setting, positive })
            }
            (4, _) => {
                let agent = changed_reference(agent, matches!(action, Action::Do(_)), register, stream)?;
                Some(Clause::Event { action, agent, patient, setting, positive })
            }
            _ => {
                let patient = changed_reference(patient, matches!(action, Action::Do(_)), register, stream)?;
                Some(Clause::Event { action, agent, patient, setting, positive })
            }
        },
    }
}

/// The category of what a statement is about.
pub(crate) fn subject_category(subject: Subject) -> Category {
    match subject {
        Subject::One(one) => one.category(),
        Subject::Some(kind) | Subject::Every(kind) => kind.category(),
    }
}

fn changed_subject(subject: Subject, register: &Register, stream: &mut Stream) -> Option<Subject> {
    let resized = |kind: Kind, stream: &mut Stream| match stream.below(3) {
        0 => kind.widened(stream),
        1 => kind.narrowed(register, stream),
        _ => self::kind(register, kind.category(), stream),
    };
    Some(match (subject, stream.below(3)) {
        (Subject::One(one), 0) => Subject::One(definite(register, one.category(), stream)?),
        (Subject::One(Reference::The(kind)), choice) => {
            let kind = if stream.below(2) == 0 { kind.widened(stream)? } else { kind };
            if choice == 1 { Subject::Some(kind) } else { Subject::Every(kind) }
        }
        (Subject::One(_), _) => return None,
        (Subject::Some(kind) | Subject::Every(kind), 0) if !kind.is_general() => Subject::One(Reference::The(kind)),
        (Subject::Some(kind), 1) => Subject::Every(kind),
        (Subject::Every(kind), 1) => Subject::Some(kind),
        (Subject::Some(kind), _) => Subject::Some(resized(kind, stream)?),
        (Subject::Every(kind), _) => Subject::Every(resized(kind, stream)?),
    })
}

fn changed_reference(
    reference: Reference,
    may_widen: bool,
    register: &Register,
    stream: &mut Stream,
) -> Option<Reference> {
    match (reference, stream.below(2)) {
        (Reference::Name(_), 0) if may_widen => Some(Reference::Any(Kind { noun: 0, colour: None })),
        (Reference::The(kind), 0) if may_widen && kind.category() != Category::Person => {
            Some(Reference::Any(kind.widened(stream)?))
        }
        (Reference::Any(kind), 0) if kind.is_general() => definite(register, kind.category(), stream),
        (reference, _) => definite(register, reference.category(), stream),
    }
}

/// Another verb that fits these participants.
pub(crate) fn other_verb(
    agent: Reference,
    patient: Reference,
    register: &Register,
    stream: &mut Stream,
) -> Option<usize> {
    let fitting: Vec<usize> = register
        .verbs()
        .into_iter()
        .filter(|&verb| {
            VERBS[verb].agents.contains(&agent.category()) && VERBS[verb].patients.contains(&patient.category())
        })
        .collect();
    (!fitting.is_empty()).then(|| fitting[stream.below(fitting.len())])
}
