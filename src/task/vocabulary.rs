//! Makes a backbone's `tokenizer.json` from texts: byte-pair pieces in T5's layout (METHODS 1.3).
//!
//! Ids 0, 1, 2 are padding, end of sequence and unknown; the sentinels of span corruption come last, `<extra_id_0>` at
//! the very end, as in T5's own vocabulary. Words begin with `▁`, and sentence punctuation is never part of a word; the
//! underscore is, so that label words such as `not_equivalent` can become one piece.

use std::collections::HashSet;

use serde_json::{Value, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::BpeTrainer;
use tokenizers::{AddedToken, Tokenizer};

/// Padding, end of sequence, unknown: ids 0, 1, 2.
pub const SPECIAL: [&str; 3] = ["<pad>", "</s>", "<unk>"];

/// Why no tokenizer came about.
#[derive(Debug, thiserror::Error)]
#[error("no tokenizer can be made from these texts: {0}")]
pub struct VocabularyError(String);

/// The piece that stands for the masked span of this number.
pub fn sentinel(number: usize) -> String {
    format!("<extra_id_{number}>")
}

/// The text of a `tokenizer.json` with at most `pieces` pieces, special ones and `sentinels` included. All printable
/// ASCII characters are pieces, so that no such text is unknown. Equal texts, in any order, make equal bytes.
///
/// # Errors
/// What the training of pieces says.
pub fn make<'a>(
    texts: impl Iterator<Item = &'a str> + Send,
    pieces: usize,
    sentinels: usize,
) -> Result<String, VocabularyError> {
    let failed = |error: tokenizers::Error| VocabularyError(error.to_string());
    let mut tokenizer: Tokenizer = skeleton().to_string().parse().map_err(failed)?;
    let special = |piece: &str| AddedToken::from(piece, true);
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(pieces.saturating_sub(sentinels))
        .min_frequency(2)
        .special_tokens(SPECIAL.into_iter().map(special).collect())
        .initial_alphabet((' '..='~').filter(|c| *c != ' ').chain(['▁']).collect::<HashSet<char>>())
        .build();
    tokenizer.train(&mut TrainerWrapper::BpeTrainer(trainer), texts).map_err(failed)?;
    tokenizer
        .add_special_tokens((0..sentinels).rev().map(|number| AddedToken::from(sentinel(number), true)))
        .map_err(failed)?;
    let mut text = tokenizer.to_string(true).map_err(failed)?;
    text.push('\n');
    Ok(text)
}

/// A tokenizer without pieces.
fn skeleton() -> Value {
    let metaspace = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true });
    let sequence = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
    let end = json!({ "SpecialToken": { "id": SPECIAL[1], "type_id": 0 } });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": { "type": "NFKC" },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            metaspace,
            { "type": "Split", "pattern": { "Regex": "[.,?!:;\"()]" }, "behavior": "Isolated", "invert": false },
        ] },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [sequence("A"), end],
            "pair": [sequence("A"), end, sequence("B"), end],
            "special_tokens": { "</s>": { "id": SPECIAL[1], "ids": [1], "tokens": [SPECIAL[1]] } },
        },
        "decoder": metaspace,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": SPECIAL[2], "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": false, "vocab": {}, "merges": [],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{make, sentinel};
    use crate::task::tokens::Tokenizer;
    use crate::task::{dataset, fixtures, world};

    fn texts() -> Vec<String> {
        let labels = dataset::names(fixtures::root()).into_iter().flat_map(|name| fixtures::dataset(&name).words());
        world::corpus(3, 400).chain(labels.flat_map(|label| std::iter::repeat_n(label, 30))).collect()
    }

    fn tokenizer(text: &str) -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        fs_err::write(&path, text).unwrap();
        Tokenizer::load(&path).unwrap()
    }

    #[test]
    fn the_layout_is_t5s() {
        let texts = texts();
        let made = make(texts.iter().map(String::as_str), 600, 100).unwrap();
        let tokenizer = tokenizer(&made);
        let pieces = tokenizer.pieces();
        assert!(pieces <= 600 && pieces > 300, "{pieces} pieces");
        // METHODS 1.3: pad 0, eos 1, unk 2; `<extra_id_0>` is the last piece.
        for (piece, id) in [("<pad>", 0), ("</s>", 1), ("<unk>", 2), (sentinel(0).as_str(), pieces - 1)] {
            assert_eq!(tokenizer.id(piece), Some(id as u32), "{piece}");
        }
        assert_eq!(tokenizer.id(&sentinel(99)), Some(pieces as u32 - 100));
    }

    #[test]
    fn texts_and_label_words_survive_the_way_there_and_back() {
        let texts = texts();
        let tokenizer = tokenizer(&make(texts.iter().map(String::as_str), 700, 100).unwrap());
        for text in texts.iter().map(String::as_str).chain(["not_equivalent", "x_y", "Something #new: \"42%\"!"]) {
            let ids = tokenizer.encode_target(text).unwrap();
            assert!(!ids.contains(&2), "{text}: {ids:?}");
            assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        }
    }

    #[test]
    fn the_order_of_texts_changes_no_byte() {
        let mut texts = texts();
        let first = make(texts.iter().map(String::as_str), 500, 10).unwrap();
        texts.reverse();
        assert_eq!(make(texts.iter().map(String::as_str), 500, 10).unwrap(), first);
    }
}
