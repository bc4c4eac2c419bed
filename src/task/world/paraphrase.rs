//! Two texts that say the same, and two that only look like it.

use super::entity::{Reference, definite, dimension};
use super::fact::{Action, Clause, changed, clause, event, some_setting, swapped};
use super::inference::same_meaning;
use super::lexicon::{DIMENSIONS, colours};
use super::register::{NEWS, REGISTERS, Register};
use super::sentence::{Style, noun_phrase, punctuated, told};
use crate::base::random::Stream;

/// How often a newspaper speaks of politics and business; else it speaks of anything in the world, these included.
const NEWS_ONLY: f64 = 0.25;
/// How often its two texts are made of the same words, as paragraphs about one event are.
const SAME_WORDS: f64 = 0.6;
/// How often a text has two clauses.
const TWO_CLAUSES: f64 = 0.4;
/// How often a text quotes a report.
const QUOTED: f64 = 0.25;

/// Two texts of a newspaper: the same in other words, or with one point of one clause changed. `None` where the draw met
/// something that cannot be told twice.
pub(crate) fn news_pair(equivalent: bool, stream: &mut Stream) -> Option<(String, String)> {
    let register = if stream.unit() < NEWS_ONLY { &NEWS } else { REGISTERS[stream.below(REGISTERS.len())] };
    if stream.unit() < SAME_WORDS {
        return lookalikes(register, equivalent, stream);
    }
    let first = clause(register, stream);
    let second = (stream.unit() < TWO_CLAUSES).then(|| clause(register, stream));
    if second.is_some_and(|second| !may_stand_beside(&first, &second)) {
        return None;
    }
    let (mut third, fourth) = (first, second);
    if !equivalent {
        third = altered(first, register, stream)?;
        if fourth.is_some_and(|fourth| !may_stand_beside(&third, &fourth)) {
            return None;
        }
    }
    let quoted = stream.unit() < QUOTED;
    let style = Style::for_pair(register.tense, stream);
    let mut text = |first: Clause, second: Option<Clause>| {
        let mut parts: Vec<String> = [Some(first), second].iter().flatten().map(|c| told(c, style, stream)).collect();
        stream.shuffle(&mut parts);
        let body = parts.join(", and ");
        match (quoted, stream.below(2)) {
            (false, _) => punctuated(&body, '.'),
            (true, 0) => format!("The report says that {body}."),
            (true, _) => format!("According to the report, {body}."),
        }
    };
    let (one, other) = (text(first, second), text(third, fourth));
    (one != other).then_some((one, other))
}

/// True when two clauses can be joined by `and` without one bearing on the other.
pub(crate) fn may_stand_beside(a: &Clause, b: &Clause) -> bool {
    a.is_unrelated(b) && !a.is_confusing_with(b)
}

/// The clause with one point changed so that it no longer says the same.
fn altered(clause: Clause, register: &Register, stream: &mut Stream) -> Option<Clause> {
    // Exchanged roles leave all the words in place; without a fair share of them, word overlap would tell the label.
    let exchanged = if stream.below(3) == 0 { swapped(clause) } else { None };
    let is_clear = |other: &Clause| {
        let open = clause.leaves_open_which(other) || other.leaves_open_which(&clause);
        !open && !clause.is_confusing_with(other) && !same_meaning(&clause, other)
    };
    exchanged.filter(is_clear).or_else(|| (0..20).find_map(|_| changed(clause, register, stream).filter(is_clear)))
}

/// Two texts of the same words: the same told in another way, or with two of its parts in each other's place.
pub(crate) fn lookalikes(register: &Register, equivalent: bool, stream: &mut Stream) -> Option<(String, String)> {
    // Those that are told apart by which words are neighbours come as often as those that take the voice of the verb:
    // a reader learns the first on the way to the second.
    match stream.below(5) {
        0 | 1 => joined_states(register, equivalent, stream),
        2 => exchanged_colours(register, equivalent, stream),
        _ => exchanged_roles(register, equivalent, stream),
    }
}

/// A style with the first word of every sense, so that the two texts share their words.
fn plain(register: &Register, turned: bool, fronted: bool) -> Style {
    Style { tense: register.tense, synonyms: false, turned: Some(turned), fronted: Some(fronted) }
}

fn exchanged_roles(register: &Register, equivalent: bool, stream: &mut Stream) -> Option<(String, String)> {
    let mut first = if stream.below(3) == 0 {
        clause(register, stream)
    } else {
        let positive = stream.below(2) == 0;
        event(register, positive, stream)?
    };
    let references = first.references();
    if references.len() < 2 || !references.iter().all(|one| one.is_definite()) || first.is_confusing_with(&first) {
        return None;
    }
    let mut has_setting = false;
    if let Clause::Event { action: Action::Do(_), setting, .. } = &mut first
        && register.settings > 0.0
    {
        *setting = Some(some_setting(register, stream));
        has_setting = true;
    }
    // A clause that is its own mirror image has no look-alike, and a true pair must not show that it has none.
    let mirrored = swapped(first).filter(|other| !same_meaning(&first, other))?;
    let second = if equivalent { first } else { mirrored };
    // The two forms differ under either label, or a true pair would be the same text twice.
    let (turned, fronted) = (stream.below(2) == 0, stream.below(2) == 0);
    let (turned_too, fronted_too) = match (has_setting, stream.below(5)) {
        (true, 0..3) => (turned, !fronted),
        (true, 3) => (!turned, !fronted),
        _ => (!turned, fronted),
    };
    told_twice((&first, plain(register, turned, fronted)), (&second, plain(register, turned_too, fronted_too)), stream)
}

fn told_twice(a: (&Clause, Style), b: (&Clause, Style), stream: &mut Stream) -> Option<(String, String)> {
    let (one, other) = (told(a.0, a.1, stream), told(b.0, b.1, stream));
    (one != other).then(|| (punctuated(&one, '.'), punctuated(&other, '.')))
}

/// `The fox is big and the dog is wet`, with the parts in another order or the properties exchanged.
fn joined_states(register: &Register, equivalent: bool, stream: &mut Stream) -> Option<(String, String)> {
    let categories = register.categories();
    let category = categories[stream.below(categories.len())];
    let (a, b) = (definite(register, category, stream)?, definite(register, category, stream)?);
    if a == b || a.is_confusable(b) {
        return None;
    }
    let mut property = || {
        let dimension = dimension(category, stream);
        let (pole, not) = (stream.below(2), if stream.below(4) == 0 { "not " } else { "" });
        (dimension, format!("is {not}{}", DIMENSIONS[dimension].poles[pole][0]))
    };
    let ((d, p), (e, q)) = (property(), property());
    if d == e {
        return None;
    }
    let (a, b) = (noun_phrase(a), noun_phrase(b));
    let (mut parts, mut others) = ([format!("{a} {p}"), format!("{b} {q}")], [format!("{b} {q}"), format!("{a} {p}")]);
    if !equivalent {
        others = [format!("{b} {p}"), format!("{a} {q}")];
        if stream.below(2) == 0 {
            others.swap(0, 1);
        }
    }
    if stream.below(2) == 0 {
        parts.swap(0, 1);
        others.swap(0, 1);
    }
    Some((punctuated(&parts.join(" and "), '.'), punctuated(&others.join(" and "), '.')))
}

/// `The red cube is above the blue ball`, with the colours exchanged or not.
fn exchanged_colours(register: &Register, equivalent: bool, stream: &mut Stream) -> Option<(String, String)> {
    let first = clause(register, stream);
    // As many colours as both participants come in.
    let shared = first.references().iter().map(|one| colours(one.category())).min().filter(|&count| count > 1)?;
    let (one, further) = (stream.below(shared), 1 + stream.below(shared - 1));
    let other = (one + further) % shared;
    let (first, exchanged) = (painted(first, [one, other])?, painted(first, [other, one])?);
    if first.is_confusing_with(&exchanged) || same_meaning(&first, &exchanged) {
        return None;
    }
    let (turned, fronted) = (stream.below(2) == 0, stream.below(2) == 0);
    let second = if equivalent { first } else { exchanged };
    told_twice((&first, plain(register, turned, fronted)), (&second, plain(register, !turned, fronted)), stream)
}

/// The clause with its two participants in these colours; `None` where they cannot have any.
fn painted(mut clause: Clause, [one, other]: [usize; 2]) -> Option<Clause> {
    let (first, second) = match &mut clause {
        Clause::Order { first, second, .. } => (first, second),
        Clause::Event { agent, patient, .. } => (agent, patient),
        Clause::State { .. } => return None,
    };
    let (Reference::The(first), Reference::The(second)) = (first, second) else { return None };
    (first.colour, second.colour) = (Some(one), Some(other));
    Some(clause)
}
