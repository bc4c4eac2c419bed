//! Secrets of the environment, which nothing that is kept or shown may contain.
//!
//! A variable is secret by its name: one of its words (between `_`) is `TOKEN`, `SECRET`, `PASSWORD` and the like
//! (`HF_TOKEN`, `AWS_SECRET_ACCESS_KEY`, `PGPASSWORD`, `SLACK_WEBHOOK_URL`), or the user names it in `COMPT_SECRETS`. Its
//! value is replaced wherever it occurs in a text, and so is what stands between `://` and `@` of an address.

use std::borrow::Cow;
use std::ffi::OsString;
use std::ops::Range;
use std::sync::Arc;

/// The environment variable that names more of them, with commas between.
pub const VARIABLE: &str = "COMPT_SECRETS";

/// What stands for a secret.
const MASK: &str = "***";

/// Shorter values are words that occur everywhere; to replace them would tell nothing and garble much.
const SHORTEST: usize = 6;

/// Words of a name that make it secret.
const WORDS: [&str; 9] =
    ["TOKEN", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY", "CREDENTIAL", "WEBHOOK"];
/// Two words of a name that make it secret together.
const PAIRS: [[&str; 2]; 4] = [["API", "KEY"], ["ACCESS", "KEY"], ["PRIVATE", "KEY"], ["SIGNING", "KEY"]];
/// Last words of a name whose value is where a secret lies and not the secret.
const PLACES: [&str; 4] = ["PATH", "FILE", "DIR", "ID"];

/// The values that must not get out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Arc<[(String, String)]>);

impl Secrets {
    /// Those of this process.
    pub fn of_environment() -> Self {
        // A variable that is no UTF-8 can't be part of a text.
        let variables = std::env::vars_os();
        Self::of(variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))))
    }

    /// Those among variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let all: Vec<(String, String)> = variables.into_iter().collect();
        let named = all.iter().find(|(name, _)| name == VARIABLE).map(|(_, list)| list.clone()).unwrap_or_default();
        let named: Vec<&str> = named.split(',').map(str::trim).collect();
        let mut secrets: Vec<(String, String)> = all
            .into_iter()
            .filter(|(name, value)| named.contains(&name.as_str()) || (is_secret(name) && is_telling(value)))
            .filter_map(|(name, value)| Some((name, value.trim().to_owned())).filter(|(_, value)| !value.is_empty()))
            .collect();
        // A secret that contains another one goes first, so that nothing of it is left.
        secrets.sort_by_key(|(name, value)| (std::cmp::Reverse(value.len()), name.clone()));
        Self(secrets.into())
    }

    /// The same with one more, which is not in the environment.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut secrets = self.0.to_vec();
        if is_telling(value) {
            secrets.push((name.to_owned(), value.to_owned()));
            secrets.sort_by_key(|(name, value)| (std::cmp::Reverse(value.len()), name.clone()));
        }
        Self(secrets.into())
    }

    /// The names of the variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The variable whose value is in `text`.
    pub fn within(&self, text: &str) -> Option<&str> {
        self.0.iter().find(|(_, value)| text.contains(value.as_str())).map(|(name, _)| name.as_str())
    }

    /// The bytes of `text` that [`Secrets::masked`] replaces; some may lie in others.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        let of = |value: &'_ String| {
            text.match_indices(value.as_str()).map(|(at, _)| at..at + value.len()).collect::<Vec<_>>()
        };
        let values = self.0.iter().flat_map(|(_, value)| of(value));
        // With the `://` and the `@` by which they are known.
        values.chain(passwords(text).map(|at| at.start - "://".len()..at.end + 1)).collect()
    }

    /// `text` without secrets.
    pub fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for (_, value) in self.0.iter() {
            if masked.contains(value.as_str()) {
                masked = Cow::Owned(masked.replace(value.as_str(), MASK));
            }
        }
        // Last, so that an address that is a secret itself is gone whole.
        match without_passwords(&masked) {
            Some(without) => Cow::Owned(without),
            None => masked,
        }
    }

    /// Masks `text` in its place.
    pub fn mask(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.masked(text) {
            *text = masked;
        }
    }

    /// Masks every text in `value`, the names of maps included.
    pub fn mask_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.mask(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            serde_json::Value::Object(map) => {
                if map.keys().any(|name| matches!(self.masked(name), Cow::Owned(_))) {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(name, item)| (self.masked(&name).into_owned(), item))
                        .collect();
                }
                map.values_mut().for_each(|item| self.mask_json(item));
            }
            _ => {}
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The names of this process's variables that hold secrets, whatever their values: what a child that needs none of them
/// does not get.
pub fn variables() -> Vec<OsString> {
    let named = std::env::var(VARIABLE).unwrap_or_default();
    let named: Vec<&str> = named.split(',').map(str::trim).collect();
    let is_one = |name: &OsString| name.to_str().is_some_and(|name| named.contains(&name) || is_secret(name));
    std::env::vars_os().map(|(name, _)| name).filter(is_one).collect()
}

/// Whether the value of a variable of this name is a secret.
fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let words: Vec<&str> = upper.split('_').collect();
    let is_place = words.last().is_some_and(|last| PLACES.contains(last));
    // `PGPASSWORD`, `MYTOKEN`: some have no `_`.
    let is_word = |word: &&str| WORDS.contains(word) || word.ends_with("PASSWORD") || word.ends_with("TOKEN");
    !is_place
        && name != VARIABLE
        && (words.iter().any(is_word) || words.windows(2).any(|two| PAIRS.iter().any(|pair| pair == two)))
}

/// Whether a value tells anything: no switch, no number, not very short.
fn is_telling(value: &str) -> bool {
    let value = value.trim();
    value.chars().count() >= SHORTEST && value.parse::<f64>().is_err()
}

/// `text` without the user names and passwords of the addresses in it; `None` when it has none.
fn without_passwords(text: &str) -> Option<String> {
    let mut masked = String::new();
    let mut done = 0;
    for password in passwords(text) {
        masked.push_str(&text[done..password.start]);
        masked.push_str(MASK);
        done = password.end;
    }
    masked.push_str(&text[done..]);
    Some(masked).filter(|masked| masked != text)
}

/// Where the user names and passwords of addresses stand in `text`: between `://` and the last `@` before the path.
fn passwords(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let start = at + mark.len();
        let rest = &text[start..];
        let host = rest.find(|c: char| c.is_whitespace() || "/?#\"'`<>".contains(c)).unwrap_or(rest.len());
        Some(start..start + rest[..host].rfind('@')?)
    })
}

#[cfg(test)]
mod tests {
    use super::{Secrets, is_secret};
    use proptest::prelude::*;
    use serde_json::json;

    fn secrets(of: &[(&str, &str)]) -> Secrets {
        Secrets::of(of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn what_would_be_masked_has_its_place() {
        let secrets = secrets(&[("A_TOKEN", "abcdef"), ("B_TOKEN", "bcdefg")]);
        let text = "x abcdefg https://me:pw@host y";
        let mut places: Vec<&str> = secrets.places(text).into_iter().map(|at| &text[at]).collect();
        places.sort();
        assert_eq!(places, ["://me:pw@", "abcdef", "bcdefg"]);
    }

    #[test]
    fn names_tell_what_is_secret() {
        for name in [
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "PGPASSWORD",
            "db_password",
            "OPENAI_API_KEY",
            "SLACK_WEBHOOK_URL",
            "SSH_PRIVATE_KEY",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["PATH", "HF_TOKEN_PATH", "TOKENIZERS_PARALLELISM", "AWS_ACCESS_KEY_ID", "KEYBOARD", "HOME", "KEY"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn values_are_replaced_and_switches_are_not() {
        let found = secrets(&[
            ("HF_TOKEN", "hf_abcdef"),
            ("LONG_TOKEN", "hf_abcdef-more"),
            ("MAX_TOKEN", "1000000"),
            ("USE_TOKEN", "true"),
            ("PLAIN", "nothing"),
            ("CODE", "1234"),
            ("COMPT_SECRETS", "CODE, OTHER"),
        ]);
        assert_eq!(format!("{found:?}"), r#"["LONG_TOKEN", "HF_TOKEN", "CODE"]"#);
        assert_eq!(
            found.masked("a hf_abcdef-more b hf_abcdef, 1234 of 1000000 true nothing"),
            "a *** b ***, *** of 1000000 true nothing"
        );
        assert_eq!(found.within("x=hf_abcdef"), Some("HF_TOKEN"));
        assert_eq!(found.within("x"), None);
        let mut value = json!({"a": ["hf_abcdef", 1], "b": {"c": "is 1234", "of 1234": {"1234": 2}}});
        found.mask_json(&mut value);
        assert_eq!(value, json!({"a": ["***", 1], "b": {"c": "is ***", "of ***": {"***": 2}}}));
        assert_eq!(found.with("file", "from-a-file").masked("from-a-file"), "***");
    }

    #[test]
    fn addresses_lose_their_passwords() {
        let none = Secrets::default();
        for (text, masked) in [
            ("see https://me:pass@hub.co/a?b", "see https://***@hub.co/a?b"),
            ("`http://token@host` and ssh://u:p@w@h:2", "`http://***@host` and ssh://***@h:2"),
            ("https://hub.co/a@b and me@hub.co", "https://hub.co/a@b and me@hub.co"),
            ("nothing :// here", "nothing :// here"),
        ] {
            assert_eq!(none.masked(text), masked);
        }
    }

    proptest! {
        #[test]
        fn no_secret_is_left(
            parts in prop::collection::vec("[a-z :/@]{0,8}", 1..6),
            values in prop::collection::vec("[A-Z]{6,12}", 1..4),
        ) {
            let found = Secrets::of(values.iter().enumerate().map(|(i, value)| (format!("V{i}_TOKEN"), value.clone())));
            let text = parts.iter().zip(values.iter().cycle()).map(|(part, value)| format!("{part}{value}")).collect::<String>();
            let masked = found.masked(&text);
            for value in &values {
                prop_assert!(!masked.contains(value.as_str()), "{masked} has {value}");
            }
            prop_assert_eq!(found.masked(&masked), masked.clone());
        }
    }
}
