//! Truth in small models: every way the things spoken of could be is tried, and a conclusion follows when it holds in
//! all of those in which the premise holds. Knows nothing of the generator's rules.

use std::collections::BTreeMap;

use super::super::lexicon::{Category, DIMENSIONS, NOUNS};
use super::recogniser::{KindRead, Noun, Read, Said, Whom};
use crate::base::random::Stream;

/// A formula over variables with few values each.
enum Formula {
    Is(usize, usize),
    Below(usize, usize),
    And(Vec<Formula>),
    Or(Vec<Formula>),
    Not(Box<Formula>),
}

impl Formula {
    fn holds(&self, values: &[usize]) -> bool {
        match self {
            Self::Is(variable, value) => values[*variable] == *value,
            Self::Below(a, b) => values[*a] < values[*b],
            Self::And(all) => all.iter().all(|one| one.holds(values)),
            Self::Or(any) => any.iter().any(|one| one.holds(values)),
            Self::Not(one) => !one.holds(values),
        }
    }
}

/// Someone or something in a model.
#[derive(Clone, PartialEq)]
struct Thing {
    name: String,
    noun: Option<usize>,
    category: Category,
    colour: Option<usize>,
}

impl Thing {
    fn is(&self, kind: Option<KindRead>) -> bool {
        let Some(kind) = kind else { return self.category == Category::Person };
        let spoken = &NOUNS[kind.noun];
        let fits = if spoken.general { self.category == spoken.category } else { self.noun == Some(kind.noun) };
        fits && (kind.colour.is_none() || kind.colour == self.colour)
    }
}

/// The things that statements speak of, and two more of every kind: nothing is said of those, so that a model can
/// make them whatever it wants.
struct Domain {
    things: Vec<Thing>,
    variables: BTreeMap<String, (usize, usize)>,
}

/// Degrees of an order; more than there are things that one pair of sentences compares.
const DEGREES: usize = 4;

impl Domain {
    fn new(reads: &[&Read]) -> Self {
        let mut things: Vec<Thing> = Vec::new();
        let mut kinds: Vec<Option<KindRead>> = Vec::new();
        let mut copies = 1;
        for read in reads {
            let nouns: Vec<&Noun> = match &read.said {
                Said::Has { whom: Whom::Certain(noun), .. } => vec![noun],
                Said::Has { whom: Whom::AtLeastOne(kind) | Whom::All(kind), .. } => {
                    kinds.push(Some(*kind));
                    copies = 2;
                    Vec::new()
                }
                Said::Beyond { more, less, .. } => vec![more, less],
                Said::Beside { pair } => pair.iter().collect(),
                Said::Did { agent, patient, thing, .. } => [agent, patient].into_iter().chain(thing).collect(),
            };
            for noun in nouns {
                match noun {
                    Noun::One(kind) => kinds.push(*kind),
                    Noun::Certain(name, kind) => {
                        let category = super::recogniser::category(noun);
                        let (noun, colour) = (kind.map(|kind| kind.noun), kind.and_then(|kind| kind.colour));
                        let thing = Thing { name: name.clone(), noun, category, colour };
                        if !things.contains(&thing) {
                            things.push(thing);
                        }
                    }
                }
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        for (kind, copy) in kinds.iter().flat_map(|kind| (0..copies).map(move |copy| (kind, copy))) {
            let name = format!("{kind:?} {copy}");
            let (category, noun) = match kind {
                // Of a general kind, the unnamed ones are of no noun that is spoken of.
                Some(kind) if !NOUNS[kind.noun].general => (NOUNS[kind.noun].category, Some(kind.noun)),
                Some(kind) => (NOUNS[kind.noun].category, None),
                None => (Category::Person, None),
            };
            things.push(Thing { name, noun, category, colour: kind.and_then(|kind| kind.colour) });
        }
        Self { things, variables: BTreeMap::new() }
    }

    fn variable(&mut self, name: String, values: usize) -> usize {
        let next = self.variables.len();
        self.variables.entry(name).or_insert((next, values)).0
    }

    fn those(&self, noun: &Noun) -> Vec<Thing> {
        match noun {
            Noun::Certain(name, _) => self.things.iter().filter(|thing| thing.name == *name).cloned().collect(),
            Noun::One(kind) => self.things.iter().filter(|thing| thing.is(*kind)).cloned().collect(),
        }
    }

    fn formula(&mut self, read: &Read, settings: &[String]) -> Formula {
        let said = self.said(&read.said, settings);
        if read.denied { Formula::Not(Box::new(said)) } else { said }
    }

    fn said(&mut self, said: &Said, settings: &[String]) -> Formula {
        match said {
            Said::Has { whom, dimension, pole } => {
                let (all, things) = match whom {
                    Whom::Certain(noun) => (false, self.those(noun)),
                    Whom::AtLeastOne(kind) => (false, self.those(&Noun::One(Some(*kind)))),
                    Whom::All(kind) => (true, self.those(&Noun::One(Some(*kind)))),
                };
                let values = if DIMENSIONS[*dimension].complementary { 2 } else { 3 };
                let mut each = Vec::new();
                for thing in things {
                    let variable = self.variable(format!("{} has {dimension}", thing.name), values);
                    each.push(Formula::Is(variable, *pole));
                }
                if all { Formula::And(each) } else { Formula::Or(each) }
            }
            Said::Beyond { scale, more, less } => {
                let [a, b] = [more, less].map(|noun| {
                    let name = self.those(noun)[0].name.clone();
                    self.variable(format!("{name} on {scale}"), DEGREES)
                });
                Formula::Below(b, a)
            }
            Said::Beside { pair } => {
                let mut names = [&pair[0], &pair[1]].map(|noun| self.those(noun)[0].name.clone());
                names.sort_unstable();
                Formula::Is(self.variable(format!("{} beside {}", names[0], names[1]), 2), 1)
            }
            Said::Did { verb, agent, patient, thing, setting } => {
                let (agents, patients) = (self.those(agent), self.those(patient));
                let given = thing.as_ref().map_or_else(String::new, |thing| self.those(thing)[0].name.clone());
                let mut cases = Vec::new();
                for agent in &agents {
                    for patient in &patients {
                        // Without a setting, it may have been in any of those spoken of, or in another.
                        let any = settings.iter().cloned().chain(["elsewhere".to_string()]);
                        let when: Vec<String> = setting.iter().cloned().collect();
                        for setting in if when.is_empty() { any.collect() } else { when } {
                            let name = format!("{} {verb} {} {given} {setting}", agent.name, patient.name);
                            cases.push(Formula::Is(self.variable(name, 2), 1));
                        }
                    }
                }
                Formula::Or(cases)
            }
        }
    }
}

/// How the truth of two statements goes together: in which of the four ways some model has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Together {
    pub(crate) both: bool,
    pub(crate) only_first: bool,
    pub(crate) only_second: bool,
}

/// Up to so many models all are tried; of more, this many are drawn.
const MODELS: usize = 30_000;

/// Compares two statements in all small models.
pub(crate) fn compare(first: &[Read], second: &[Read]) -> Together {
    let reads: Vec<&Read> = first.iter().chain(second).collect();
    let mut settings: Vec<String> = reads
        .iter()
        .filter_map(|read| match &read.said {
            Said::Did { setting, .. } => setting.clone(),
            _ => None,
        })
        .collect();
    settings.sort_unstable();
    settings.dedup();
    let mut domain = Domain::new(&reads);
    let [first, second] = [first, second]
        .map(|statement| Formula::And(statement.iter().map(|read| domain.formula(read, &settings)).collect()));
    let mut sizes = vec![0; domain.variables.len()];
    for &(variable, values) in domain.variables.values() {
        sizes[variable] = values;
    }
    let mut found = Together::default();
    let mut look = |values: &[usize]| match (first.holds(values), second.holds(values)) {
        (true, true) => found.both = true,
        (true, false) => found.only_first = true,
        (false, true) => found.only_second = true,
        (false, false) => {}
    };
    let count = sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size).filter(|&count| count <= MODELS));
    match count {
        Some(count) => {
            for index in 0..count {
                let mut left = index;
                let values: Vec<usize> = sizes
                    .iter()
                    .map(|size| {
                        let value = left % size;
                        left /= size;
                        value
                    })
                    .collect();
                look(&values);
            }
        }
        None => {
            let mut stream = Stream::new(0, &["models"]);
            for _ in 0..MODELS {
                // Sparse and dense models both: a denied event rules out many cases at once.
                let (favourite, share) = (stream.below(2), stream.unit());
                let values: Vec<usize> = sizes
                    .iter()
                    .map(|&size| if stream.unit() < share { favourite } else { stream.below(size) })
                    .collect();
                look(&values);
            }
        }
    }
    found
}
