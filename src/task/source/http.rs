//! Requests to the hub: redirects that never carry the token to another host, retries, and statuses as messages.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, StatusCode, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::{SourceError, SourceSettings, Token, Watch};

/// Attempts without progress before a request is given up.
const ATTEMPTS: u32 = 6;
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, also when the hub asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// Redirects that one request follows.
const REDIRECTS: u32 = 8;
/// Largest answer that is no file.
const LARGEST_ANSWER: u64 = 64 << 20;
/// Connecting, and silence while an answer is expected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// How pauses between attempts are made; tests don't wait.
pub(super) type Sleep = Arc<dyn Fn(Duration) + Send + Sync>;

/// One attempt's failure.
pub(super) enum Failure {
    /// It may help to try again, after this pause if the server named one.
    Again {
        /// What went wrong.
        reason: String,
        /// `Retry-After`.
        pause: Option<Duration>,
    },
    /// It won't.
    Final(SourceError),
}

impl Failure {
    pub(super) fn again(reason: impl Into<String>) -> Self {
        Self::Again { reason: reason.into(), pause: None }
    }
}

impl<E: Into<SourceError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

/// What a request is about, for messages.
pub(super) struct Subject<'a> {
    /// `dataset `nyu-mll/glue``.
    pub(super) what: &'a str,
    /// The branch, tag or commit.
    pub(super) revision: &'a str,
    /// The page that people visit.
    pub(super) page: &'a str,
}

/// Talks to one hub.
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
    sleep: Sleep,
}

impl Client {
    pub(super) fn new(settings: &SourceSettings, sleep: Sleep) -> Result<Self, SourceError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A compressed answer would make byte ranges and lengths mean something else.
            .accept_encoding("identity")
            .user_agent(concat!("compt/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(SILENCE_TIMEOUT))
            .timeout_per_read(Some(SILENCE_TIMEOUT));
        if let Some(path) = &settings.certificates {
            config = config.tls_config(TlsConfig::builder().root_certs(certificates(path)?).build());
        }
        Ok(Self {
            agent: config.build().new_agent(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            sleep,
        })
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Repeats `attempt` until it succeeds or fails for good. `attempt` returns its progress with a failure: attempts
    /// that brought something new do not count.
    pub(super) fn retry<T>(
        &self,
        subject: &Subject<'_>,
        watch: &mut dyn Watch,
        mut attempt: impl FnMut(&mut dyn Watch) -> Result<T, (Failure, bool)>,
    ) -> Result<T, SourceError> {
        let mut tried = 0;
        loop {
            let (failure, progress) = match attempt(watch) {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            let (reason, pause) = match failure {
                Failure::Final(error) => return Err(error),
                Failure::Again { reason, pause } => (reason, pause),
            };
            tried = if progress { 1 } else { tried + 1 };
            if tried >= ATTEMPTS {
                let endpoint = self.endpoint.clone();
                return Err(SourceError::Unreachable {
                    what: subject.what.to_owned(),
                    endpoint,
                    reason,
                    attempts: tried,
                });
            }
            let pause = pause.unwrap_or(FIRST_PAUSE * 2u32.pow(tried - 1)).min(LONGEST_PAUSE);
            watch.waiting(&reason, pause);
            (self.sleep)(pause);
        }
    }

    /// The text of an answer, and its headers, after retries.
    pub(super) fn text(
        &self,
        subject: &Subject<'_>,
        url: &str,
        watch: &mut dyn Watch,
    ) -> Result<(HeaderMap, String), SourceError> {
        self.retry(subject, watch, |_| {
            let answer = || -> Result<_, Failure> {
                let mut response = self.get(subject, url, None)?;
                let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string();
                let text = text.map_err(|error| Failure::again(format!("the answer breaks off: {error}")))?;
                Ok((response.headers().clone(), text))
            };
            answer().map_err(|failure| (failure, false))
        })
    }

    /// One attempt: an answer with a status of success, redirects followed. `from` asks for a file's rest.
    pub(super) fn get(&self, subject: &Subject<'_>, url: &str, from: Option<u64>) -> Result<Response<Body>, Failure> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(token) = self.token.as_ref().filter(|_| same_origin(&url, &self.endpoint)) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.secret()));
            }
            if let Some(from) = from {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            let response = request.call().map_err(|error| self.broken(subject, error))?;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
                return self.check(subject, response);
            }
            let target = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            url =
                target.and_then(|target| join(&url, target)).ok_or_else(|| self.strange("a redirect leads nowhere"))?;
        }
        Err(self.strange("redirects go round in a circle"))
    }

    pub(super) fn strange(&self, reason: impl Into<String>) -> Failure {
        Failure::Final(SourceError::NoHub { endpoint: self.endpoint.clone(), reason: reason.into() })
    }

    fn broken(&self, subject: &Subject<'_>, error: ureq::Error) -> Failure {
        let reason = error.to_string();
        let now = match &error {
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
            ureq::Error::Io(io) => matches!(
                io.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NotFound
            ),
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => true,
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
            _ => false,
        };
        if !now {
            return Failure::again(reason);
        }
        let what = subject.what.to_owned();
        Failure::Final(SourceError::Unreachable { what, endpoint: self.endpoint.clone(), reason, attempts: 1 })
    }

    fn check(&self, subject: &Subject<'_>, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let status = response.status();
        if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        let code = response.headers().get("x-error-code").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (what, endpoint, token) = (subject.what.to_owned(), self.endpoint.clone(), self.token.is_some());
        let failed = match (status.as_u16(), code) {
            (_, "GatedRepo") => SourceError::Gated { what, page: subject.page.to_owned(), token },
            (_, "RevisionNotFound") => SourceError::NoRevision { what, revision: subject.revision.to_owned() },
            // The hub answers 401, not 404, where a visitor without a token asks for what does not exist.
            (401, _) if !token => SourceError::NoRepository { what, endpoint, token },
            (404, _) | (_, "RepoNotFound") => SourceError::NoRepository { what, endpoint, token },
            (401 | 403, _) => SourceError::Refused { what, endpoint, status: status.as_u16(), token },
            (408 | 429 | 500 | 502 | 503 | 504, _) => {
                let pause = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                let pause = pause.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
                return Err(Failure::Again { reason: format!("HTTP status {status}"), pause });
            }
            _ => {
                let reason = format!("HTTP status {status}");
                SourceError::Unreachable { what, endpoint, reason, attempts: 1 }
            }
        };
        Err(Failure::Final(failed))
    }
}

fn certificates(path: &std::path::Path) -> Result<RootCerts, SourceError> {
    let pem = fs_err::read(path)?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        let message = format!("`{}`, which SSL_CERT_FILE names, holds no certificate", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message).into());
    }
    Ok(RootCerts::new_with_certs(&found))
}

/// Whether two addresses have the same scheme, host and port.
pub(super) fn same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some((scheme, uri.host()?.to_lowercase(), port))
    };
    matches!((origin(one), origin(other)), (Some(one), Some(other)) if one == other)
}

/// The address that a redirect from `base` means; `None` where it leaves HTTPS, or is relative to a folder.
fn join(base: &str, target: &str) -> Option<String> {
    if let Some(path) = target.strip_prefix('/').filter(|path| !path.starts_with('/')) {
        let uri: Uri = base.parse().ok()?;
        return Some(format!("{}://{}/{path}", uri.scheme_str()?, uri.authority()?));
    }
    let secure = base.starts_with("https://");
    (target.starts_with("https://") || (!secure && target.starts_with("http://"))).then(|| target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{join, same_origin};

    #[test]
    fn tokens_stay_with_their_host() {
        assert!(same_origin("https://hub.co/a", "https://HUB.co:443"));
        for other in ["http://hub.co", "https://cdn.hub.co", "https://hub.co:8443", "https://hub.co.evil.org"] {
            assert!(!same_origin(other, "https://hub.co"), "{other}");
        }
    }

    #[test]
    fn redirects() {
        assert_eq!(join("https://a.b:1/c?d", "/e/f?g").as_deref(), Some("https://a.b:1/e/f?g"));
        assert_eq!(join("https://a/c", "https://cdn/x").as_deref(), Some("https://cdn/x"));
        assert_eq!(join("http://a/c", "http://cdn/x").as_deref(), Some("http://cdn/x"));
        assert_eq!(join("https://a/c", "http://cdn/x"), None);
        assert_eq!(join("https://a/c", "//cdn/x"), None);
    }
}
