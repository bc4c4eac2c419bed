//! What follows from what. The rules are those of monotone reasoning: every clause is brought to a form that claims
//! something of one thing, of some or of all of a kind, and one claim follows from another when it asks for less.
//! The tests of this module's labels enumerate models instead and know nothing of these rules.

use super::entity::{Kind, Reference};
use super::fact::{Clause, Scale, Subject, changed, clause, swapped};
use super::lexicon::DIMENSIONS;
use super::register::Register;
use crate::base::random::Stream;

/// How a hypothesis stands to its premise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// True wherever the premise is true.
    Entailment,
    /// True in some cases of the premise and false in others.
    Neutral,
    /// False wherever the premise is true.
    Contradiction,
}

/// The label of a pair of single clauses.
pub(crate) fn relation(premise: &Clause, hypothesis: &Clause) -> Relation {
    if follows(premise, hypothesis) {
        Relation::Entailment
    } else if follows(premise, &hypothesis.with_sign(!hypothesis.is_positive())) {
        Relation::Contradiction
    } else {
        Relation::Neutral
    }
}

/// True when the two clauses say the same.
pub(crate) fn same_meaning(a: &Clause, b: &Clause) -> bool {
    follows(a, b) && follows(b, a)
}

/// True when `conclusion` holds wherever `premise` holds.
pub(crate) fn follows(premise: &Clause, conclusion: &Clause) -> bool {
    match (premise, conclusion) {
        (Clause::State { dimension: a, .. }, Clause::State { dimension: b, .. }) => {
            a == b && state_follows(premise, conclusion)
        }
        (
            Clause::Order { first: a, second: b, scale: s, positive: p },
            Clause::Order { first: c, second: d, scale: t, positive: q },
        ) => order_follows((*a, *b, *p), (*c, *d, *q), *s, *t),
        (Clause::Event { positive: p, .. }, Clause::Event { positive: q, .. }) if p == q => {
            // An event asks for less the wider its participants are; its denial denies more.
            if *p { event_covers(conclusion, premise) } else { event_covers(premise, conclusion) }
        }
        _ => false,
    }
}

/// What a state claims: of whom, and which parts of the scale (high, between, low) are allowed.
enum Claim {
    One(Reference, u8),
    Some(Kind, u8),
    Every(Kind, u8),
}

const EVERYWHERE: u8 = 0b111;

fn claim(state: &Clause) -> Option<Claim> {
    let &Clause::State { subject, dimension, pole, positive } = state else { return None };
    // High is bit 0, low is bit 2, and what lies between is bit 1; a scale without a middle gives it to neither pole.
    let range = if DIMENSIONS[dimension].complementary { 0b101 } else { EVERYWHERE };
    let at_pole = 1 << (2 * pole);
    let elsewhere = range & !at_pole;
    Some(match (subject, positive) {
        (Subject::One(one), true) => Claim::One(one, at_pole),
        (Subject::One(one), false) => Claim::One(one, elsewhere),
        (Subject::Some(kind), true) => Claim::Some(kind, at_pole),
        (Subject::Some(kind), false) => Claim::Every(kind, elsewhere),
        (Subject::Every(kind), true) => Claim::Every(kind, at_pole),
        (Subject::Every(kind), false) => Claim::Some(kind, elsewhere),
    })
}

fn state_follows(premise: &Clause, conclusion: &Clause) -> bool {
    let (Some(premise), Some(conclusion)) = (claim(premise), claim(conclusion)) else { return false };
    let within = |a: u8, b: u8| a & !b == 0;
    match (premise, conclusion) {
        (Claim::One(a, s), Claim::One(b, t)) => a == b && within(s, t),
        (Claim::One(a, s), Claim::Some(kind, t)) => Reference::Any(kind).covers(a) && within(s, t),
        (Claim::Some(a, s), Claim::Some(b, t)) => b.covers(a) && within(s, t),
        (Claim::Every(kind, s), Claim::One(one, t)) => Reference::Any(kind).covers(one) && within(s, t),
        (Claim::Every(a, s), Claim::Every(b, t)) => a.covers(b) && within(s, t),
        // There is at least one of every kind that is spoken of.
        (Claim::Every(a, s), Claim::Some(b, t)) => (a.covers(b) || b.covers(a)) && within(s, t),
        _ => false,
    }
}

type Ordered = (Reference, Reference, bool);

fn order_follows(premise: Ordered, conclusion: Ordered, of: Scale, on: Scale) -> bool {
    if of != on {
        return false;
    }
    let ((a, b, p), (c, d, q)) = (premise, conclusion);
    let (same, turned) = ((a, b) == (c, d), (a, b) == (d, c));
    if of == Scale::Beside {
        return p == q && (same || turned);
    }
    (p == q && same) || (p && !q && turned)
}

/// True when every case of the event `narrow` is one of `wide`, whatever their signs.
fn event_covers(wide: &Clause, narrow: &Clause) -> bool {
    let (
        Clause::Event { action: a, agent: b, patient: c, setting: d, .. },
        Clause::Event { action: e, agent: f, patient: g, setting: h, .. },
    ) = (wide, narrow)
    else {
        return false;
    };
    a == e && b.covers(*f) && c.covers(*g) && (d.is_none() || d == h)
}

/// A premise and a hypothesis of this relation. The hypothesis is drawn before anyone looks at the label and kept
/// while a premise is searched for, so that it alone says nothing about the label.
pub(crate) fn pair(register: &Register, wanted: Relation, stream: &mut Stream) -> (Clause, Clause) {
    loop {
        let hypothesis = clause(register, stream);
        for _ in 0..120 {
            let mut premise = hypothesis;
            for _ in 0..stream.below(3) {
                // Exchanged roles keep all the words, so that words alone do not tell what is neutral.
                let exchanged = if stream.below(4) == 0 { swapped(premise) } else { None };
                premise = exchanged.or_else(|| changed(premise, register, stream)).unwrap_or(premise);
            }
            let clear = !premise.is_confusing_with(&hypothesis) && !premise.leaves_open_which(&hypothesis);
            if clear && relation(&premise, &hypothesis) == wanted {
                return (premise, hypothesis);
            }
        }
    }
}
