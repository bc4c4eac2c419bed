//! Questions about events and properties: the same question in other words, and whether a sentence answers one.

use super::entity::{Kind, Reference, kind};
use super::fact::{Action, Clause, Setting, Subject, changed, clause, other_verb, some_setting, swapped};
use super::lexicon::{Category, DIMENSIONS, HANDINGS, NOUNS, VERBS};
use super::paraphrase::may_stand_beside;
use super::register::{NEWS, Register, TRAVEL, VILLAGE};
use super::sentence::{Style, noun_phrase, punctuated, setting_words, told, with_article};
use crate::base::random::Stream;

/// What a question wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Whether,
    Agent,
    Patient,
    Thing,
    Setting,
    /// How to do what the clause tells; its agent plays no part.
    How,
}

/// A question: a clause, and the part of it that is asked for.
#[derive(Clone, Copy, Debug)]
struct Question {
    clause: Clause,
    asked: Asked,
}

impl Question {
    /// Two questions are the same when they agree in all that is not asked for, and in what sort of answer they want.
    fn is_same(&self, other: &Self) -> bool {
        self.asked == other.asked && self.open() == other.open()
    }

    /// The clause with the answer taken out.
    fn open(&self) -> Clause {
        // `who` and `which animal` ask for their own sort; `what` asks for all that does not live.
        let anything = |reference: Reference| {
            let category = match reference.category() {
                living @ (Category::Person | Category::Animal) => living,
                _ => Category::Thing,
            };
            let noun = NOUNS.iter().position(|noun| noun.category == category).unwrap_or(0);
            Reference::Any(Kind { noun, colour: None })
        };
        let mut open = self.clause;
        if let Clause::Event { action, agent, patient, setting, .. } = &mut open {
            match self.asked {
                Asked::Whether => {}
                Asked::Agent => *agent = anything(*agent),
                Asked::Patient => *patient = anything(*patient),
                Asked::Thing => {
                    if let Action::Hand(_, thing) = action {
                        *thing = anything(*thing);
                    }
                }
                Asked::Setting => {
                    *setting = setting.map(|one| if is_place(one) { Setting::Place(0) } else { Setting::Time(0) })
                }
                Asked::How => {
                    *agent = Reference::Name(0);
                    *setting = None;
                }
            }
        }
        open
    }
}

fn is_place(setting: Setting) -> bool {
    matches!(setting, Setting::Place(_))
}

/// Two questions, the same or not.
pub(crate) fn pair(duplicate: bool, stream: &mut Stream) -> Option<(String, String)> {
    let register = if stream.below(2) == 0 { &TRAVEL } else { &VILLAGE };
    let first = question(register, true, stream)?;
    let mut second = first;
    if !duplicate {
        second = other_question(first, register, stream)?;
        if first.is_same(&second) || first.clause.is_confusing_with(&second.clause) {
            return None;
        }
    }
    let (one, other) = (asked(&first, stream)?, asked(&second, stream)?);
    (one != other).then_some((one, other))
}

/// A question and a sentence that answers it or does not.
pub(crate) fn answer(answers: bool, stream: &mut Stream) -> Option<(String, String)> {
    let register = if stream.below(3) == 0 { &VILLAGE } else { &NEWS };
    let question = question(register, false, stream)?;
    let mut told_clause = question.clause;
    for _ in 0..stream.below(3) {
        told_clause = other_clause(told_clause, register, stream)?;
    }
    match &mut told_clause {
        Clause::Event { positive: true, action, setting, .. } => {
            if setting.is_none() && matches!(action, Action::Do(_)) && stream.below(2) == 0 {
                *setting = Some(some_setting(register, stream));
            }
        }
        // A denial answers nothing, and would be known by its `not`.
        _ => return None,
    }
    if does_answer(&question, &told_clause) != answers || question.clause.is_confusing_with(&told_clause) {
        return None;
    }
    let style = Style::free(register.tense);
    let mut text = told(&told_clause, style, stream);
    if stream.below(3) == 0 {
        let more = clause(register, stream);
        if !may_stand_beside(&told_clause, &more) || !may_stand_beside(&question.clause, &more) {
            return None;
        }
        text = format!("{text}, and {}", told(&more, style, stream));
    }
    Some((asked(&question, stream)?, punctuated(&text, '.')))
}

/// True when the clause says what the question asks for.
fn does_answer(question: &Question, told: &Clause) -> bool {
    let definite = told.references().iter().all(|one| one.is_definite());
    let mut told = *told;
    if let (Clause::Event { setting: wanted, .. }, Clause::Event { setting, .. }) = (question.clause, &mut told) {
        // More than was asked for does no harm.
        if wanted.is_none() {
            *setting = None;
        }
    }
    definite && question.is_same(&Question { clause: told, asked: question.asked })
}

fn question(register: &Register, with_polar: bool, stream: &mut Stream) -> Option<Question> {
    let mut drawn = clause(register, stream).with_sign(true);
    if !drawn.references().iter().all(|one| one.is_definite()) {
        return None;
    }
    let asked = match &mut drawn {
        Clause::State { subject: Subject::One(_), .. } | Clause::Order { .. } if with_polar => Asked::Whether,
        Clause::State { .. } | Clause::Order { .. } => return None,
        Clause::Event { action: Action::Hand(..), .. } => [Asked::Agent, Asked::Patient, Asked::Thing][stream.below(3)],
        Clause::Event { setting, patient, .. } => match stream.below(if with_polar { 6 } else { 4 }) {
            0 => Asked::Agent,
            1 => Asked::Patient,
            2 | 3 => {
                *setting = Some(some_setting(register, stream));
                Asked::Setting
            }
            4 => Asked::Whether,
            _ if matches!(patient.category(), Category::Person | Category::Animal) => Asked::Whether,
            _ => Asked::How,
        },
    };
    Some(Question { clause: drawn, asked })
}

/// A question that differs in one point.
fn other_question(question: Question, register: &Register, stream: &mut Stream) -> Option<Question> {
    let mut other = question;
    if question.asked == Asked::How {
        if let Clause::Event { action, agent, patient, .. } = &mut other.clause {
            if stream.below(2) == 0 {
                *action = Action::Do(other_verb(*agent, *patient, register, stream)?);
            } else {
                *patient = Reference::The(kind(register, patient.category(), stream)?);
            }
        }
        return Some(other);
    }
    other.clause = other_clause(question.clause, register, stream)?;
    if let (Asked::Setting, Clause::Event { setting, .. }) = (question.asked, &mut other.clause) {
        // What is asked for has to be there: a place or a time.
        if setting.is_none() {
            *setting = Some(some_setting(register, stream));
        }
    }
    let definite = other.clause.references().iter().all(|one| one.is_definite());
    let about_one = !matches!(other.clause, Clause::State { subject: Subject::Some(_) | Subject::Every(_), .. });
    (definite && about_one && other.clause.is_positive()).then_some(other)
}

/// The clause with its roles exchanged or with one point changed. Exchanged roles keep all the words, so that words
/// alone do not tell one question from another.
fn other_clause(clause: Clause, register: &Register, stream: &mut Stream) -> Option<Clause> {
    let exchanged = if stream.below(2) == 0 { swapped(clause) } else { None };
    exchanged.or_else(|| changed(clause, register, stream))
}

fn asked(question: &Question, stream: &mut Stream) -> Option<String> {
    let style = Style::free(VILLAGE.tense);
    let turned = stream.below(2) == 0;
    let text = match question.clause {
        Clause::State { subject: Subject::One(one), dimension, pole, .. } => {
            let property = style.pick(DIMENSIONS[dimension].poles[pole], stream);
            format!("is {} {property}", noun_phrase(one))
        }
        Clause::State { .. } => return None,
        Clause::Order { .. } => {
            // `A is above B` turns into `is A above B`.
            let statement = told(&question.clause, style, stream);
            let (first, rest) = statement.split_once(" is ")?;
            format!("is {first} {rest}")
        }
        Clause::Event { action: Action::Hand(handing, thing), agent, patient, .. } => {
            let (giver, receiver, thing) = (noun_phrase(agent), noun_phrase(patient), noun_phrase(thing));
            let (away, back) = (style.pick(HANDINGS[handing].away, stream), &HANDINGS[handing].back);
            match (question.asked, turned) {
                (Asked::Agent, false) => format!("who {} {thing} to {receiver}", away.past),
                (Asked::Agent, true) => format!("from whom did {receiver} {} {thing}", back.base),
                (Asked::Patient, false) => format!("to whom did {giver} {} {thing}", away.base),
                (Asked::Patient, true) => format!("who {} {thing} from {giver}", back.past),
                (_, false) => format!("what did {giver} {} to {receiver}", away.base),
                (_, true) => format!("what did {receiver} {} from {giver}", back.base),
            }
        }
        Clause::Event { action: Action::Do(verb), agent, patient, setting, .. } => {
            let form = style.pick(VERBS[verb].forms, stream);
            let (a, b) = (noun_phrase(agent), noun_phrase(patient));
            let (base, past, participle) = (form.base, form.past, form.participle);
            let end = match (question.asked, setting) {
                (Asked::Setting, _) | (_, None) => String::new(),
                (_, Some(setting)) => format!(" {}", setting_words(setting)),
            };
            let (who, whom) = (asking(agent, "whom"), asking(patient, "who"));
            match (question.asked, turned) {
                (Asked::Whether, false) => format!("did {a} {base} {b}{end}"),
                (Asked::Whether, true) => format!("was {b} {participle} by {a}{end}"),
                (Asked::Agent, false) => format!("{} {past} {b}{end}", asking(agent, "who")),
                (Asked::Agent, true) => format!("by {who} was {b} {participle}{end}"),
                (Asked::Patient | Asked::Thing, false) => format!("{whom} did {a} {base}{end}"),
                (Asked::Patient | Asked::Thing, true) => format!("{whom} was {participle} by {a}{end}"),
                (Asked::Setting, turned) => {
                    let word = if is_place(setting?) { "where" } else { "when" };
                    if turned {
                        format!("{word} was {b} {participle} by {a}")
                    } else {
                        format!("{word} did {a} {base} {b}")
                    }
                }
                (Asked::How, _) => {
                    let Reference::The(kind) = patient else { return None };
                    let something = with_article(&kind.words(false));
                    match stream.below(3) {
                        0 => format!("how can I {base} {something}"),
                        1 => format!("how do I {base} {something}"),
                        _ => format!("what is the best way to {base} {something}"),
                    }
                }
            }
        }
    };
    Some(punctuated(&text, '?'))
}

/// The word that asks for someone or something of this category.
fn asking(reference: Reference, person: &'static str) -> &'static str {
    match reference.category() {
        Category::Person => person,
        Category::Animal => "which animal",
        _ => "what",
    }
}
