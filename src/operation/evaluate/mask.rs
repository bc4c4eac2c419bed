//! The `mask` of `evaluate`: which parts of the composed prompts are kept (METHODS 2.5).

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Which parts of the learned prompts are kept, and what stands for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaskSettings {
    /// What is kept: `total`, `all_src`, `private`, or one source: `src_1`, `src_2`, ...
    pub keep: Keep,
    /// Whether the weights are computed anew from what is kept; `false`: as they are with nothing dropped.
    pub renormalise: bool,
    /// What becomes of a dropped half of `compose: scp`.
    pub scp: DroppedHalf,
}

impl MaskSettings {
    /// Whether nothing is dropped.
    pub fn is_total(&self) -> bool {
        self.keep == Keep::Total
    }
}

impl Default for MaskSettings {
    fn default() -> Self {
        Self { keep: Keep::Total, renormalise: true, scp: DroppedHalf::Zero }
    }
}

/// What becomes of a dropped half of `compose: scp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DroppedHalf {
    /// Its rows are zero; they keep their positions and are attended to.
    Zero,
    /// Its rows are taken out.
    Remove,
}

/// What a mask keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// Everything.
    Total,
    /// All sources, no private prompt.
    AllSources,
    /// The private prompt, no source.
    Private,
    /// The source with this number, counted from 1, and nothing else.
    Source(usize),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => f.write_str("total"),
            Self::AllSources => f.write_str("all_src"),
            Self::Private => f.write_str("private"),
            Self::Source(number) => write!(f, "src_{number}"),
        }
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> Self {
        keep.to_string()
    }
}

/// A word that names no mask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mask `{0}`, expected `total`, `all_src`, `private` or one source: `src_1`, `src_2`, ...")]
pub struct UnknownMask(String);

impl TryFrom<String> for Keep {
    type Error = UnknownMask;

    fn try_from(word: String) -> Result<Self, UnknownMask> {
        // Exactly the digits of a number: `src_01` and `src_+1` would be other names of the same mask.
        let number = |digits: &str| digits.parse().ok().filter(|number: &usize| *number > 0);
        let known = match word.as_str() {
            "total" => Some(Self::Total),
            "all_src" => Some(Self::AllSources),
            "private" => Some(Self::Private),
            other => other.strip_prefix("src_").and_then(number).map(Self::Source),
        };
        known.filter(|keep| keep.to_string() == word).ok_or(UnknownMask(word))
    }
}

impl JsonSchema for Keep {
    fn schema_name() -> Cow<'static, str> {
        "Keep".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a mask keeps; sources are counted from 1.",
            "type": "string",
            "pattern": "^(total|all_src|private|src_[1-9][0-9]*)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mask_has_one_name() {
        for name in ["total", "all_src", "private", "src_1", "src_12"] {
            assert_eq!(Keep::try_from(name.to_owned()).unwrap().to_string(), name);
        }
        for name in ["src_0", "src_01", "src_+1", "src_", "source_1", "Total", ""] {
            assert_eq!(Keep::try_from(name.to_owned()), Err(UnknownMask(name.to_owned())));
        }
    }
}
