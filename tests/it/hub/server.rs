//! A hub on loopback: revisions, file lists in pages, files behind redirects to a second host, ranges. It misbehaves
//! on demand.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit of every repository.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How one answer goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status, with these headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The connection closes after so many bytes of the body.
    Cut(usize),
    /// A complete answer that lacks its last bytes.
    Short(usize),
    /// A complete answer with bytes too many.
    Long(usize),
    /// Other bytes of the right length.
    Garbage,
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Path and query.
    pub(crate) path: String,
    /// `Authorization`, if it was sent.
    pub(crate) authorization: Option<String>,
    /// `Range`, if it was sent.
    pub(crate) range: Option<String>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, (Vec<u8>, bool)>,
    faults: VecDeque<(String, Fault)>,
    seen: Vec<Seen>,
    ignores_ranges: bool,
}

/// A running server; it stops with the test's process.
#[derive(Clone)]
pub(crate) struct Server {
    /// Its address: `http://127.0.0.1:1234`.
    pub(crate) address: String,
    content: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Starts a hub for the data set `owner/name`, and the second host that its large files are at.
    pub(crate) fn start() -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let content = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let server =
            Self { address: address(&hub), content: address(&content), state: Arc::new(Mutex::new(State::default())) };
        for listener in [hub, content] {
            let server = server.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let server = server.clone();
                    std::thread::spawn(move || server.answer(stream));
                }
            });
        }
        server
    }

    /// Adds a file; a large one is listed with SHA-256 and lies at the second host.
    pub(crate) fn file(&self, path: &str, content: &[u8], large: bool) {
        self.state.lock().unwrap().files.insert(path.to_owned(), (content.to_vec(), large));
    }

    /// The next request whose path contains `part` goes wrong; faults of one path come in order.
    pub(crate) fn fault(&self, part: &str, fault: Fault) {
        self.state.lock().unwrap().faults.push_back((part.to_owned(), fault));
    }

    /// From now on files come whole, whatever range is asked for.
    pub(crate) fn ignore_ranges(&self) {
        self.state.lock().unwrap().ignores_ranges = true;
    }

    /// Every request since the last call.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim_end().is_empty() {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let path = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let header = |name: &str| {
            lines[1..].iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let seen = Seen { path: path.clone(), authorization: header("authorization"), range: header("range") };
        let (fault, whole) = {
            let mut state = self.state.lock().unwrap();
            state.seen.push(seen.clone());
            let at = state.faults.iter().position(|(part, _)| path.contains(part.as_str()));
            (at.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault), state.ignores_ranges)
        };
        let mut response = self.respond(&path);
        if let Some(from) = seen.range.filter(|_| response.ranges && !whole).as_deref().and_then(from) {
            if from >= response.body.len() {
                response = Response::status(416);
            } else {
                let total = response.body.len();
                response.body.drain(..from);
                response.status = 206;
                response.headers.push(("Content-Range".into(), format!("bytes {from}-{}/{total}", total - 1)));
            }
        }
        let mut length = response.body.len();
        match fault {
            Some(Fault::Status(status, headers)) => {
                response = Response::status(status);
                response.headers =
                    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                length = 0;
            }
            Some(Fault::Cut(bytes)) => response.body.truncate(bytes),
            Some(Fault::Short(bytes)) => {
                length -= bytes;
                response.body.truncate(length);
            }
            Some(Fault::Long(bytes)) => {
                length += bytes;
                response.body.extend(vec![b'x'; bytes]);
            }
            Some(Fault::Garbage) => response.body.fill(b'?'),
            None => {}
        }
        let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {length}\r\n", response.status);
        for (name, value) in &response.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = stream;
        // The client may have left; that is its affair.
        let _ = stream.write_all(format!("{head}\r\n").as_bytes());
        let _ = stream.write_all(&response.body);
    }

    fn respond(&self, path: &str) -> Response {
        let state = self.state.lock().unwrap();
        let repository = "datasets/owner/name";
        if path == format!("/api/{repository}/revision/main") {
            return Response::json(&serde_json::json!({ "sha": COMMIT, "id": "owner/name" }));
        }
        // Two files a page.
        if let Some(query) = path.strip_prefix(&format!("/api/{repository}/tree/{COMMIT}?recursive=true")) {
            let page: usize = query.strip_prefix("&cursor=").map_or(0, |cursor| cursor.parse().unwrap());
            let mut entries: Vec<_> =
                state.files.iter().map(|(path, (content, large))| entry(path, content, *large)).collect();
            entries.insert(0, serde_json::json!({ "type": "directory", "path": "data", "oid": COMMIT, "size": 0 }));
            let shown: Vec<_> = entries.iter().skip(2 * page).take(2).cloned().collect();
            let mut response = Response::json(&shown.into());
            if 2 * (page + 1) < entries.len() {
                let next =
                    format!("{}/api/{repository}/tree/{COMMIT}?recursive=true&cursor={}", self.address, page + 1);
                response.headers.push(("Link".into(), format!("<{next}>; rel=\"next\"")));
            }
            return response;
        }
        if let Some(name) = path.strip_prefix(&format!("/{repository}/resolve/{COMMIT}/")) {
            return match state.files.get(name) {
                Some((_, true)) => Response::redirect(&format!("{}/content/{name}?signature=1", self.content)),
                // Small files are redirected once on the same host, as the hub does.
                Some((_, false)) => Response::redirect(&format!("/api/resolve-cache/{name}")),
                None => Response::status(404),
            };
        }
        let stored = path.strip_prefix("/content/").and_then(|rest| rest.strip_suffix("?signature=1"));
        match stored.or_else(|| path.strip_prefix("/api/resolve-cache/")).and_then(|name| state.files.get(name)) {
            Some((content, _)) => Response { status: 200, headers: Vec::new(), body: content.clone(), ranges: true },
            None => Response::status(404),
        }
    }
}

struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ranges: bool,
}

impl Response {
    fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), ranges: false }
    }

    fn json(value: &serde_json::Value) -> Self {
        Self { body: value.to_string().into_bytes(), ..Self::status(200) }
    }

    fn redirect(target: &str) -> Self {
        let headers = vec![("Location".to_owned(), target.to_owned()), ("X-Repo-Commit".to_owned(), COMMIT.to_owned())];
        Self { headers, ..Self::status(302) }
    }
}

fn from(range: &str) -> Option<usize> {
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

fn entry(path: &str, content: &[u8], large: bool) -> serde_json::Value {
    let git = Sha1::new().chain_update(format!("blob {}\0", content.len())).chain_update(content).finalize();
    let mut entry = serde_json::json!({
        "type": "file", "path": path, "oid": hexadecimal(&git), "size": content.len(),
    });
    if large {
        entry["lfs"] = serde_json::json!({
            "oid": hexadecimal(&Sha256::digest(content)), "size": content.len(), "pointerSize": 134,
        });
    }
    entry
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
