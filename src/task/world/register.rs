//! Registers: which part of the lexicon a family of texts draws on, and in which tense it speaks.

use super::lexicon::{Category, NOUNS, VERBS};
use crate::base::random::Stream;

/// The tense of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tense {
    /// Stories and news.
    Past,
    /// General statements of science.
    Present,
}

/// A manner of speaking: its nouns, its tense and how often it tells what.
pub(crate) struct Register {
    pub(crate) nouns: &'static [&'static str],
    pub(crate) places: std::ops::Range<usize>,
    pub(crate) tense: Tense,
    /// How often a person is called by name.
    pub(crate) names: f64,
    /// How often a thing has a colour.
    pub(crate) colours: f64,
    /// How often an event comes with its place or time.
    pub(crate) settings: f64,
    /// Relative weights of the kinds of clauses: states of one, states of a class, comparisons, places, events,
    /// handings-over.
    pub(crate) weights: [f64; 6],
}

impl Register {
    /// The categories that this register has nouns of.
    pub(crate) fn categories(&self) -> Vec<Category> {
        let mut found: Vec<Category> = self.nouns.iter().filter_map(|&word| category_of(word)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A noun of this category.
    pub(crate) fn noun_of(&self, category: Category, stream: &mut Stream) -> Option<usize> {
        let fitting: Vec<usize> = (0..NOUNS.len())
            .filter(|&index| NOUNS[index].category == category && self.nouns.contains(&NOUNS[index].one))
            .collect();
        (!fitting.is_empty()).then(|| fitting[stream.below(fitting.len())])
    }

    /// The verbs that have an agent and a patient in this register.
    pub(crate) fn verbs(&self) -> Vec<usize> {
        let categories = self.categories();
        let met = |allowed: &[Category]| allowed.iter().any(|category| categories.contains(category));
        (0..VERBS.len()).filter(|&verb| met(VERBS[verb].agents) && met(VERBS[verb].patients)).collect()
    }
}

fn category_of(word: &str) -> Option<Category> {
    NOUNS.iter().find(|noun| noun.one == word).map(|noun| noun.category)
}

/// Village life with toys and animals (mnli, mrpc, qqp, qnli, stsb, paws, cola).
pub(crate) const VILLAGE: Register = Register {
    nouns: &[
        "farmer", "doctor", "teacher", "baker", "dog", "cat", "fox", "horse", "rabbit", "cube", "ball", "box", "cup",
        "lamp", "chair",
    ],
    places: 0..4,
    tense: Tense::Past,
    names: 0.5,
    colours: 0.5,
    settings: 0.35,
    weights: [3.0, 3.0, 2.0, 2.0, 4.0, 1.0],
};

/// On the road (mnli, mrpc, multinli, qqp, cola).
pub(crate) const TRAVEL: Register = Register {
    nouns: &[
        "pilot", "driver", "guide", "clerk", "dog", "horse", "goat", "car", "bus", "boat", "truck", "bike", "bag",
        "clock", "table", "hotel",
    ],
    places: 2..8,
    tense: Tense::Past,
    names: 0.4,
    colours: 0.4,
    settings: 0.35,
    weights: [3.0, 3.0, 2.0, 2.0, 4.0, 1.0],
};

/// News of politics and business (mnli, mrpc, rte, qnli, cola).
pub(crate) const NEWS: Register = Register {
    nouns: &[
        "mayor", "minister", "judge", "senator", "lawyer", "doctor", "pilot", "teacher", "bridge", "bank", "factory",
        "museum", "hotel", "car", "boat", "truck", "box", "bag", "clock",
    ],
    places: 6..10,
    tense: Tense::Past,
    names: 0.2,
    colours: 0.1,
    settings: 0.7,
    weights: [2.0, 2.0, 1.0, 0.5, 6.0, 1.5],
};

/// General statements about nature (mnli, mrpc, scitail).
pub(crate) const SCIENCE: Register = Register {
    nouns: &[
        "ant", "bee", "beetle", "rose", "tree", "fern", "planet", "moon", "star", "rock", "crystal", "magnet", "wire",
    ],
    places: 0..0,
    tense: Tense::Present,
    names: 0.0,
    colours: 0.3,
    settings: 0.0,
    weights: [2.0, 4.0, 2.0, 0.7, 4.0, 0.0],
};

/// Every register; mnli, as the real one, and mrpc speak of all these things.
pub(crate) const REGISTERS: &[&Register] = &[&VILLAGE, &TRAVEL, &NEWS, &SCIENCE];
