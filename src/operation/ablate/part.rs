//! How `ablate` names the parts that it scores.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::operation::evaluate::Keep;

/// One word of `parts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Part {
    /// Every source, each by itself.
    Sources,
    /// One part.
    One(Keep),
}

impl Part {
    /// All parts that there may be.
    pub const ALL: [Self; 4] =
        [Self::Sources, Self::One(Keep::AllSources), Self::One(Keep::Private), Self::One(Keep::Total)];

    /// Whether the word means this part.
    pub fn covers(self, keep: Keep) -> bool {
        match self {
            Self::Sources => matches!(keep, Keep::Source(_)),
            Self::One(one) => one == keep,
        }
    }
}

/// The word for [`Part::Sources`].
const SOURCES: &str = "sources";

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sources => f.write_str(SOURCES),
            Self::One(keep) => keep.fmt(f),
        }
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

/// A word that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown part `{0}`, expected `sources`, `all_src`, `private`, `total` or one source: `src_1`, `src_2`, ...")]
pub struct UnknownPart(String);

impl TryFrom<String> for Part {
    type Error = UnknownPart;

    fn try_from(word: String) -> Result<Self, UnknownPart> {
        if word == SOURCES {
            return Ok(Self::Sources);
        }
        Keep::try_from(word.clone()).map(Self::One).map_err(|_| UnknownPart(word))
    }
}

impl JsonSchema for Part {
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A part of composed prompts; `sources` is every source by itself, sources are counted from 1.",
            "type": "string",
            "pattern": "^(sources|total|all_src|private|src_[1-9][0-9]*)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_one_name() {
        for name in ["sources", "total", "all_src", "private", "src_1", "src_12"] {
            assert_eq!(Part::try_from(name.to_owned()).unwrap().to_string(), name);
        }
        for name in ["source", "src_0", "src_01", ""] {
            assert_eq!(Part::try_from(name.to_owned()), Err(UnknownPart(name.to_owned())));
        }
        assert!(Part::Sources.covers(Keep::Source(3)) && !Part::Sources.covers(Keep::AllSources));
    }
}
