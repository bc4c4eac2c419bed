//! The data of the experiments: from a data set's file in `datasets/` to source and target texts.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`dataset`] | `datasets/NAME.yaml`, read and checked |
//! | [`source`] | finds files on the Hugging Face Hub, in its cache, in a mirror folder or in a plain folder |
//! | [`rows`] | parquet, CSV and JSON lines as rows of named texts with a label |
//! | [`fetched`] | all rows of a data set |
//! | [`split`] | which rows train, validate and test |
//! | [`draw`] | k of many, independent of the order of rows and of other tasks |
//! | [`sampled`] | the files between `fetch`, `sample` and `format` |
//! | [`text`] | template, prefix, cuts and target words |
//! | [`texts`] | the files that training and evaluation read |
//! | [`stream`] | rows of a file or a pipe one at a time, and the same rows with answers |
//! | [`tokens`] | texts to token ids and back |
//! | [`vocabulary`] | makes a tokenizer from texts |
//! | [`world`] | the built-in language world: the same tasks, made by a seeded generator |
//! | [`mod@preview`] | real rows of a data set, for `compt check` |

pub mod dataset;
pub mod draw;
pub mod fetched;
pub mod preview;
pub mod rows;
pub mod sampled;
pub mod source;
pub mod split;
pub mod stream;
pub mod text;
pub mod texts;
pub mod tokens;
pub mod vocabulary;
pub mod world;

#[cfg(test)]
pub(crate) mod fixtures;

pub use preview::preview;
