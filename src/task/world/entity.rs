//! Who and what is spoken of: kinds (`red cube`), references (`the red cube`, `a red cube`, `Anna`), and which of them
//! is more general than which.

use super::lexicon::{COLOURS, Category, DIMENSIONS, NAMES, NOUNS, colours};
use super::register::Register;
use crate::base::random::Stream;

/// A class of things: a noun, with or without a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// Index in [`NOUNS`].
    pub(crate) noun: usize,
    /// Index in [`COLOURS`].
    pub(crate) colour: Option<usize>,
}

impl Kind {
    /// The category of the noun.
    pub(crate) fn category(self) -> Category {
        NOUNS[self.noun].category
    }

    /// True for `animal` and its like.
    pub(crate) fn is_general(self) -> bool {
        NOUNS[self.noun].general
    }

    /// True when everything of the kind `other` is of this kind.
    pub(crate) fn covers(self, other: Self) -> bool {
        let noun = self.noun == other.noun || (self.is_general() && self.category() == other.category());
        noun && (self.colour.is_none() || self.colour == other.colour)
    }

    /// A wider kind: without the colour, or the whole category; `None` where there is none.
    pub(crate) fn widened(self, stream: &mut Stream) -> Option<Self> {
        let bare = self.colour.map(|_| Self { colour: None, ..self });
        let whole = NOUNS
            .iter()
            .position(|noun| noun.general && noun.category == self.category() && noun.category != Category::Person)
            .filter(|&noun| noun != self.noun)
            .map(|noun| Self { noun, ..self });
        match (bare, whole) {
            (Some(bare), Some(whole)) => Some(if stream.below(2) == 0 { bare } else { whole }),
            (bare, whole) => bare.or(whole),
        }
    }

    /// A narrower kind: with a colour, or one noun of the category; `None` where there is none.
    pub(crate) fn narrowed(self, register: &Register, stream: &mut Stream) -> Option<Self> {
        if self.is_general() {
            let noun = register.noun_of(self.category(), stream)?;
            return Some(Self { noun, ..self });
        }
        if self.colour.is_some() {
            return None;
        }
        colour(self.category(), stream).map(|colour| Self { colour: Some(colour), ..self })
    }

    /// The words, in the singular or the plural.
    pub(crate) fn words(self, plural: bool) -> String {
        let noun = if plural { NOUNS[self.noun].many } else { NOUNS[self.noun].one };
        match self.colour {
            Some(colour) => format!("{} {noun}", COLOURS[colour]),
            None => noun.to_string(),
        }
    }
}

/// A colour that things of this category come in; `None` where they have none.
fn colour(category: Category, stream: &mut Stream) -> Option<usize> {
    let count = colours(category);
    (count > 0).then(|| stream.below(count))
}

/// A part of a clause that names someone or something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// A person by name.
    Name(usize),
    /// The one thing of this kind.
    The(Kind),
    /// Some thing of this kind, or any at all under negation.
    Any(Kind),
}

impl Reference {
    /// The category spoken of.
    pub(crate) fn category(self) -> Category {
        match self {
            Self::Name(_) => Category::Person,
            Self::The(kind) | Self::Any(kind) => kind.category(),
        }
    }

    /// True when every case of `other` is a case of this one.
    pub(crate) fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any(wide), Self::The(kind) | Self::Any(kind)) => wide.covers(kind),
            (Self::Any(wide), Self::Name(_)) => wide.is_general() && wide.category() == Category::Person,
            _ => self == other,
        }
    }

    /// True for a certain person or thing.
    pub(crate) fn is_definite(self) -> bool {
        !matches!(self, Self::Any(_))
    }

    /// True where a reader could not tell whether the two mean the same thing: `the cube` and `the red cube`, or
    /// `a dog` and `the dog`.
    pub(crate) fn is_confusable(self, other: Self) -> bool {
        match (self, other) {
            (Self::The(a), Self::The(b)) => a != b && a.noun == b.noun && (a.colour.is_none() || b.colour.is_none()),
            (Self::Any(a), Self::The(b)) | (Self::The(b), Self::Any(a)) => a.noun == b.noun,
            _ => false,
        }
    }

    /// How alike two references are, from 0 to 1: the same, the same noun in another colour, the same category.
    pub(crate) fn likeness(self, other: Self) -> f64 {
        if self == other {
            return 1.0;
        }
        match (self, other) {
            (Self::The(a), Self::The(b)) if a.noun == b.noun => 0.6,
            _ if self.category() == other.category() => 0.2,
            _ => 0.0,
        }
    }
}

/// A certain person or thing of this category, as the register speaks of them; `None` where it has none.
pub(crate) fn definite(register: &Register, category: Category, stream: &mut Stream) -> Option<Reference> {
    if category == Category::Person && stream.unit() < register.names {
        return Some(Reference::Name(stream.below(NAMES.len())));
    }
    kind(register, category, stream).map(Reference::The)
}

/// A kind of this category that is not general.
pub(crate) fn kind(register: &Register, category: Category, stream: &mut Stream) -> Option<Kind> {
    let noun = register.noun_of(category, stream)?;
    let coloured = stream.unit() < register.colours;
    let colour = if coloured { colour(category, stream) } else { None };
    Some(Kind { noun, colour })
}

/// A dimension that makes sense for this category.
pub(crate) fn dimension(category: Category, stream: &mut Stream) -> usize {
    loop {
        let index = stream.below(DIMENSIONS.len());
        if DIMENSIONS[index].holds_for.contains(&category) {
            return index;
        }
    }
}
