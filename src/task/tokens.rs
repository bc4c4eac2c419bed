//! Texts to token ids and back, by a backbone's own `tokenizer.json`.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::protocol::StageError;

/// The end-of-sequence piece of T5's vocabularies (METHODS 1.3).
const EOS: &str = "</s>";

/// A tokenizer; may be shared by threads.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    eos: u32,
}

/// Why texts can't be turned into ids, or back.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file is missing or no tokenizer.
    #[error("`{}` can't be read as a tokenizer: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// The vocabulary has no end of sequence.
    #[error("the tokenizer `{}` has no piece `{EOS}`, as T5's tokenizers have", path.display())]
    NoEos {
        /// The file.
        path: PathBuf,
    },
    /// No room for any text.
    #[error(
        "a source of at most {most} tokens has no room for text and the end-of-sequence token; expected at least 2"
    )]
    NoRoom {
        /// The limit.
        most: usize,
    },
    /// The tokenizer refuses a text.
    #[error("the tokenizer can't encode {text:?}: {reason}")]
    Text {
        /// The beginning of the text.
        text: String,
        /// What the tokenizer says.
        reason: String,
    },
    /// The tokenizer refuses ids.
    #[error("the tokenizer can't decode {ids:?}: {reason}")]
    Ids {
        /// The ids.
        ids: Vec<u32>,
        /// What the tokenizer says.
        reason: String,
    },
}

impl From<TokenError> for StageError {
    fn from(error: TokenError) -> Self {
        Self::input(error.to_string())
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// A file that is missing, is no tokenizer, or has no end-of-sequence piece.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |reason: String| TokenError::Unreadable { path: path.to_owned(), reason };
        let mut inner = tokenizers::Tokenizer::from_file(path).map_err(|error| unreadable(error.to_string()))?;
        // Lengths are ours to decide; some files carry limits of their own.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| unreadable(error.to_string()))?;
        let eos = inner.token_to_id(EOS).ok_or_else(|| TokenError::NoEos { path: path.to_owned() })?;
        Ok(Self { inner, eos })
    }

    /// The id of the end-of-sequence token.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// The id of a piece, special ones included.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.inner.token_to_id(piece)
    }

    /// The number of pieces, special ones included; a backbone's vocabulary may be padded beyond it.
    pub fn pieces(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The ids of a text alone, without the end of sequence.
    ///
    /// # Errors
    /// A text that the tokenizer refuses.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| TokenError::Text { text: text.chars().take(40).collect(), reason: error.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a source: at most `max_source_tokens`, the last one always the end of sequence.
    ///
    /// # Errors
    /// A text that the tokenizer refuses, or a limit below 2.
    pub fn encode_source(&self, text: &str, max_source_tokens: usize) -> Result<Vec<u32>, TokenError> {
        if max_source_tokens < 2 {
            return Err(TokenError::NoRoom { most: max_source_tokens });
        }
        let mut ids = self.encode(text)?;
        ids.truncate(max_source_tokens - 1);
        ids.push(self.eos);
        Ok(ids)
    }

    /// The ids of a target with the end of sequence; never cut.
    ///
    /// # Errors
    /// A text that the tokenizer refuses.
    pub fn encode_target(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        let mut ids = self.encode(text)?;
        ids.push(self.eos);
        Ok(ids)
    }

    /// [`Tokenizer::encode_source`] of many texts, in their order, on all threads.
    ///
    /// # Errors
    /// The first text that is refused.
    pub fn encode_sources<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        max_source_tokens: usize,
    ) -> Result<Vec<Vec<u32>>, TokenError> {
        let encoded: Vec<_> =
            texts.par_iter().map(|text| self.encode_source(text.as_ref(), max_source_tokens)).collect();
        encoded.into_iter().collect()
    }

    /// [`Tokenizer::encode_target`] of many texts, in their order.
    ///
    /// # Errors
    /// The first text that is refused.
    pub fn encode_targets<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>, TokenError> {
        let encoded: Vec<_> = texts.par_iter().map(|text| self.encode_target(text.as_ref())).collect();
        encoded.into_iter().collect()
    }

    /// The text of generated ids: special tokens dropped, ends trimmed.
    ///
    /// # Errors
    /// Ids that the tokenizer refuses.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenError> {
        let text = self
            .inner
            .decode(ids, true)
            .map_err(|error| TokenError::Ids { ids: ids.to_vec(), reason: error.to_string() })?;
        Ok(text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{TokenError, Tokenizer};
    use crate::task::fixtures;

    fn t5() -> Option<Tokenizer> {
        let path = fixtures::mirror()?.join("models/google-t5/t5-base/tokenizer.json");
        Some(Tokenizer::load(&path).unwrap())
    }

    #[test]
    fn t5s_ids() {
        let Some(t5) = t5() else { return };
        assert_eq!(t5.eos(), 1);
        // From the documentation of T5 in transformers: "The house is wonderful." and "Das Haus ist wunderbar.".
        assert_eq!(t5.encode_target("The house is wonderful.").unwrap(), [37, 629, 19, 1627, 5, 1]);
        assert_eq!(t5.encode_target("Das Haus ist wunderbar.").unwrap(), [644, 4598, 229, 19250, 5, 1]);
        assert_eq!(t5.encode_source("The house is wonderful.", 4).unwrap(), [37, 629, 19, 1]);
        assert_eq!(t5.decode(&[0, 644, 4598, 229, 19250, 5, 1, 0]).unwrap(), "Das Haus ist wunderbar.");
        assert!(matches!(t5.encode_source("a", 1), Err(TokenError::NoRoom { .. })));
    }

    #[test]
    fn label_words_survive_the_way_there_and_back() {
        let Some(t5) = t5() else { return };
        for name in crate::task::dataset::names(fixtures::root()) {
            for word in fixtures::dataset(&name).words() {
                assert_eq!(t5.decode(&t5.encode_target(&word).unwrap()).unwrap(), word);
            }
        }
    }

    #[test]
    fn many_texts_keep_their_order() {
        let Some(t5) = t5() else { return };
        let texts: Vec<String> = (0..500).map(|n| format!("sentence number {n}")).collect();
        let one_by_one: Vec<_> = texts.iter().map(|text| t5.encode_source(text, 6).unwrap()).collect();
        assert_eq!(t5.encode_sources(&texts, 6).unwrap(), one_by_one);
    }

    #[test]
    fn no_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        assert!(matches!(Tokenizer::load(&path), Err(TokenError::Unreadable { .. })));
        fs_err::write(&path, "{}").unwrap();
        assert!(Tokenizer::load(&path).err().unwrap().to_string().contains("tokenizer.json"));
    }
}
