//! Where files come from, as the environment says it to every tool of the hub: `HF_HOME`, `HF_TOKEN`, ...

use std::fmt;
use std::path::PathBuf;

/// The hub that everybody means.
const ENDPOINT: &str = "https://huggingface.co";

/// Settings of all sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// A folder in hub layout, in place of the hub: `datasets/<owner>/<name>/<file>`, `models/<owner>/<name>/<file>`.
    pub mirror: Option<PathBuf>,
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// Proves to the hub who asks.
    pub token: Option<Token>,
    /// The hub's cache folder on this machine.
    pub cache: PathBuf,
    /// Whether the network must not be used.
    pub offline: bool,
    /// A file with certificates to trust in place of the built-in ones, for networks that open TLS.
    pub certificates: Option<PathBuf>,
}

/// A secret that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as the hub issued it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret: for a request's header, and for those who see that it gets nowhere else.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl SourceSettings {
    /// Reads `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE` and
    /// `SSL_CERT_FILE` (and the older names `HUGGINGFACE_HUB_CACHE` and `HUGGING_FACE_HUB_TOKEN`) as the hub's Python
    /// library does.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`Self::from_environment`], with variables from elsewhere.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let truth = |name: &str| {
            set(name).is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.trim().to_lowercase().as_str()))
        };
        let user = |path: String| match (path.strip_prefix("~/"), set("HOME")) {
            (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
            _ => PathBuf::from(path),
        };
        let home = set("HF_HOME").map(user).unwrap_or_else(|| {
            let base = set("XDG_CACHE_HOME").map(user);
            let base = base.unwrap_or_else(|| PathBuf::from(set("HOME").unwrap_or_default()).join(".cache"));
            base.join("huggingface")
        });
        let cache = set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE")).map(user);
        let token_file = set("HF_TOKEN_PATH").map(user).unwrap_or_else(|| home.join("token"));
        let token = set("HF_TOKEN")
            .or_else(|| set("HUGGING_FACE_HUB_TOKEN"))
            // Who has no token has no file either: that it can't be read is no fault.
            .or_else(|| {
                if truth("HF_HUB_DISABLE_IMPLICIT_TOKEN") { None } else { fs_err::read_to_string(token_file).ok() }
            });
        Self {
            mirror: None,
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned(),
            token: token.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Token),
            cache: cache.unwrap_or_else(|| home.join("hub")),
            offline: truth("HF_HUB_OFFLINE"),
            certificates: set("SSL_CERT_FILE").map(PathBuf::from),
        }
    }

    /// The same with a mirror.
    #[must_use]
    pub fn with_mirror(mut self, mirror: Option<PathBuf>) -> Self {
        self.mirror = mirror;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceSettings, Token};
    use std::path::Path;

    fn settings(variables: &[(&str, &str)]) -> SourceSettings {
        SourceSettings::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_cache_is_where_python_puts_it() {
        let cache = |variables: &[(&str, &str)]| settings(variables).cache;
        assert_eq!(cache(&[("HOME", "/h")]), Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("HF_HOME", "~/f")]), Path::new("/h/f/hub"));
        assert_eq!(cache(&[("HF_HOME", "/f"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/old"));
        assert_eq!(cache(&[("HF_HUB_CACHE", "/new"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/new"));
    }

    #[test]
    fn tokens_come_from_variables_or_files_and_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        fs_err::write(folder.path().join("token"), "hf_file\n").unwrap();
        assert_eq!(settings(&[("HF_HOME", home)]).token, Some(Token::new("hf_file")));
        let both = settings(&[("HF_HOME", home), ("HF_TOKEN", "hf_variable")]);
        assert_eq!(both.token, Some(Token::new("hf_variable")));
        assert!(!format!("{both:?}").contains("hf_variable"));
        assert_eq!(settings(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token, None);
        assert_eq!(settings(&[("HF_HOME", "/nowhere")]).token, None);
    }

    #[test]
    fn switches_and_endpoint() {
        assert!(settings(&[("HF_HUB_OFFLINE", "Yes")]).offline && !settings(&[("HF_HUB_OFFLINE", "0")]).offline);
        assert_eq!(settings(&[("HF_ENDPOINT", "http://a:1/")]).endpoint, "http://a:1");
        assert_eq!(settings(&[]).endpoint, "https://huggingface.co");
    }
}
