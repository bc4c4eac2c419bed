//! The hub's protocol over HTTP on loopback: what a good hub gives, and what becomes of every way it can misbehave.
//! Each ends in success after retries or in one clear message, and nothing half-written is ever used.

pub(crate) mod server;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compt::task::source::{
    Hub, Located, Repository, RepositoryKind, SourceError, SourceSettings, Token, Wanted, Watch,
};
use server::{COMMIT, Fault, Server};

const LARGE: &str = "data/train-0.parquet";
const SMALL: &str = "README.md";

struct Bench {
    server: Server,
    settings: SourceSettings,
    pauses: Arc<Mutex<Vec<u64>>>,
    _folder: tempfile::TempDir,
}

/// 600 kB that compress badly and are nowhere alike.
fn content() -> Vec<u8> {
    (0u32..150_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

impl Bench {
    fn new() -> Self {
        let server = Server::start();
        server.file(LARGE, &content(), true);
        server.file("data/test-0.parquet", b"test", true);
        server.file("other/train-0.parquet", b"other", true);
        server.file(SMALL, b"# A data set\n", false);
        let folder = tempfile::tempdir().unwrap();
        let mut settings = SourceSettings::from_variables(|_| None);
        settings.endpoint = server.address.clone();
        settings.cache = folder.path().join("hub");
        Self { server, settings, pauses: Arc::default(), _folder: folder }
    }

    fn hub(&self) -> Hub {
        let pauses = self.pauses.clone();
        Hub::with_sleep(&self.settings, Arc::new(move |pause: Duration| pauses.lock().unwrap().push(pause.as_secs())))
            .unwrap()
    }

    fn at(&self, revision: &str, wanted: &Wanted) -> Result<Located, SourceError> {
        self.hub().locate(&repository(revision), wanted, &mut ())
    }

    fn get(&self, names: &[&str]) -> Result<Located, SourceError> {
        self.at("main", &Wanted::Matching(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    fn message(&self, names: &[&str]) -> (String, String) {
        let error = self.get(names).unwrap_err();
        (error.to_string().replace(&self.server.address, "HUB"), error.hint().unwrap_or_default())
    }

    fn pauses(&self) -> Vec<u64> {
        std::mem::take(&mut self.pauses.lock().unwrap())
    }

    fn repository_folder(&self) -> std::path::PathBuf {
        self.settings.cache.join("datasets--owner--name")
    }

    /// No file of the cache but whole ones: `*.incomplete` is the only name that a part may have.
    fn assert_nothing_half_written(&self) {
        let blobs = self.repository_folder().join("blobs");
        for entry in std::fs::read_dir(blobs).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "incomplete") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                [content(), b"test".into(), b"other".into(), b"# A data set\n".into()].contains(&bytes),
                "{path:?}"
            );
        }
    }
}

fn repository(revision: &str) -> Repository {
    Repository { kind: RepositoryKind::Dataset, id: "owner/name".to_owned(), revision: revision.to_owned() }
}

fn assert_large(located: &Located) {
    assert_eq!(std::fs::read(&located.files[LARGE]).unwrap(), content());
}

#[test]
fn files_land_in_the_hubs_own_layout() {
    let bench = Bench::new();
    let located = bench.get(&["data/*.parquet", SMALL]).unwrap();
    assert_eq!(located.revision.as_deref(), Some(COMMIT));
    assert_eq!(located.files.keys().collect::<Vec<_>>(), [SMALL, "data/test-0.parquet", LARGE]);
    assert_large(&located);
    let folder = bench.repository_folder();
    assert_eq!(std::fs::read_to_string(folder.join("refs/main")).unwrap(), COMMIT);
    let pointer = folder.join("snapshots").join(COMMIT).join(LARGE);
    assert_eq!(located.files[LARGE], pointer);
    let target = std::fs::read_link(&pointer).unwrap();
    assert!(target.starts_with("../../../blobs") && target.file_name().unwrap().len() == 64, "{target:?}");
    assert_eq!(
        std::fs::read_link(folder.join("snapshots").join(COMMIT).join(SMALL)).unwrap().file_name().unwrap().len(),
        40
    );
    bench.assert_nothing_half_written();
    // A second time only the revision and the list are asked for.
    bench.server.seen();
    bench.get(&["data/*.parquet", SMALL]).unwrap();
    let seen = bench.server.seen();
    assert!(!seen.is_empty() && seen.iter().all(|request| request.path.starts_with("/api/datasets/")), "{seen:?}");
    // A commit with exact names needs no network at all, and neither does being offline.
    let pinned = bench.at(COMMIT, &Wanted::Exactly(vec![LARGE.to_owned()])).unwrap();
    assert_large(&pinned);
    let mut offline = bench.settings.clone();
    offline.offline = true;
    let hub = Hub::new(&offline).unwrap();
    let wanted = Wanted::Matching(vec!["data/*.parquet".to_owned()]);
    assert_eq!(hub.locate(&repository("main"), &wanted, &mut ()).unwrap().files.len(), 2);
    assert!(bench.server.seen().is_empty());
    let error = hub.locate(&repository("dev"), &wanted, &mut ()).unwrap_err();
    assert!(matches!(error, SourceError::Offline { .. }), "{error}");
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let mut bench = Bench::new();
    bench.settings.token = Some(Token::new("hf_secret"));
    bench.get(&[LARGE, SMALL]).unwrap();
    let seen = bench.server.seen();
    let (content, hub): (Vec<_>, Vec<_>) = seen.iter().partition(|request| request.path.starts_with("/content/"));
    assert!(hub.len() >= 5 && hub.iter().all(|request| request.authorization.as_deref() == Some("Bearer hf_secret")));
    assert!(!content.is_empty() && content.iter().all(|request| request.authorization.is_none()));
}

#[test]
fn a_cut_connection_is_continued() {
    let bench = Bench::new();
    bench.server.fault("/content/", Fault::Cut(300_000));
    bench.server.fault("/content/", Fault::Cut(100_000));
    assert_large(&bench.get(&[LARGE]).unwrap());
    let ranges: Vec<_> = bench.server.seen().into_iter().filter(|seen| seen.path.starts_with("/content/")).collect();
    assert_eq!(ranges.len(), 3);
    assert!(ranges[0].range.is_none() && ranges[1].range.is_some() && ranges[2].range > ranges[1].range);
    bench.assert_nothing_half_written();
}

#[test]
fn an_earlier_runs_part_is_continued_and_a_wrong_one_is_not_used() {
    let bench = Bench::new();
    let located = bench.get(&[LARGE]).unwrap();
    let blob = std::fs::canonicalize(&located.files[LARGE]).unwrap();
    let partial = Path::new(&format!("{}.incomplete", blob.display())).to_owned();
    for (part, whole) in [(content()[..1000].to_vec(), false), (vec![0; 1000], true)] {
        std::fs::remove_file(&blob).unwrap();
        std::fs::write(&partial, part).unwrap();
        bench.server.seen();
        assert_large(&bench.get(&[LARGE]).unwrap());
        let seen = bench.server.seen();
        let ranges: Vec<_> =
            seen.iter().filter(|seen| seen.path.starts_with("/content/")).map(|seen| &seen.range).collect();
        assert_eq!(ranges[0].as_deref(), Some("bytes=1000-"));
        // The wrong beginning shows in the digest, and all is fetched anew.
        assert_eq!(ranges.len() == 2 && ranges[1].is_none(), whole, "{ranges:?}");
        assert!(!partial.exists());
    }
}

#[test]
fn wrong_lengths_and_wrong_bytes_are_tried_again() {
    for fault in [Fault::Short(7), Fault::Long(7), Fault::Garbage] {
        for ignores_ranges in [false, true] {
            let bench = Bench::new();
            if ignores_ranges {
                bench.server.ignore_ranges();
            }
            bench.server.fault("/content/", fault.clone());
            assert_large(&bench.get(&[LARGE]).unwrap_or_else(|error| panic!("{fault:?}: {error}")));
            assert_eq!(bench.pauses().len(), 1, "{fault:?}");
            bench.assert_nothing_half_written();
        }
    }
}

#[test]
fn a_hub_that_never_tells_the_truth_is_given_up() {
    let bench = Bench::new();
    for _ in 0..20 {
        bench.server.fault("/content/", Fault::Garbage);
    }
    let (message, hint) = bench.message(&[LARGE]);
    assert_eq!(
        message,
        "failed to get `data/train-0.parquet` of the dataset `owner/name` from HUB: the content does not match the \
         digest that the hub announced (6 attempts)"
    );
    assert!(hint.contains("--mirror DIR"), "{hint}");
    assert_eq!(bench.pauses(), [1, 2, 4, 8, 16]);
    bench.assert_nothing_half_written();
    assert!(!bench.repository_folder().join("snapshots").join(COMMIT).join(LARGE).exists());
}

#[test]
fn busy_hubs_are_waited_for_as_they_ask() {
    let bench = Bench::new();
    bench.server.fault("/revision/", Fault::Status(429, &[("Retry-After", "7")]));
    bench.server.fault("/revision/", Fault::Status(429, &[("Retry-After", "86400")]));
    bench.server.fault("/tree/", Fault::Status(500, &[]));
    bench.server.fault("/tree/", Fault::Status(503, &[("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")]));
    bench.server.fault("/resolve/", Fault::Status(502, &[]));
    bench.server.fault("/content/", Fault::Status(504, &[]));
    assert_large(&bench.get(&[LARGE]).unwrap());
    assert_eq!(bench.pauses(), [7, 120, 1, 2, 1, 2]);
}

#[test]
fn waiting_is_told() {
    struct Told(Vec<String>, u64);
    impl Watch for Told {
        fn received(&mut self, file: &str, done: u64, total: u64) {
            assert!(file == LARGE && done <= total && total == 600_000);
            self.1 = done;
        }
        fn waiting(&mut self, reason: &str, pause: Duration) {
            self.0.push(format!("{reason}, {} s", pause.as_secs()));
        }
    }
    let bench = Bench::new();
    bench.server.fault("/content/", Fault::Status(429, &[("Retry-After", "3")]));
    let mut told = Told(Vec::new(), 0);
    let wanted = Wanted::Matching(vec![LARGE.to_owned()]);
    bench.hub().locate(&repository("main"), &wanted, &mut told).unwrap();
    assert_eq!((told.0, told.1), (vec!["HTTP status 429 Too Many Requests, 3 s".to_owned()], 600_000));
}

#[test]
fn every_refusal_has_its_message() {
    let mut bench = Bench::new();
    let status = |bench: &Bench, status, headers| {
        bench.server.fault("/revision/", Fault::Status(status, headers));
        let (message, hint) = bench.message(&[LARGE]);
        assert!(bench.pauses().is_empty(), "{message}");
        format!("{message} / {hint}").replace(&bench.server.address, "HUB")
    };
    let unknown = "the hub at HUB has no dataset `owner/name`, or does not show it to a visitor without a token / check the \
                   spelling; if it is private, set HF_TOKEN to a token of an account that may read it";
    assert_eq!(status(&bench, 401, &[("X-Error-Code", "RepoNotFound")]), unknown);
    assert_eq!(status(&bench, 401, &[]), unknown);
    assert_eq!(status(&bench, 404, &[]), unknown);
    assert_eq!(
        status(&bench, 401, &[("X-Error-Code", "GatedRepo")]),
        "the dataset `owner/name` is gated: its owner lets in only who has accepted its conditions / accept them at \
         HUB/datasets/owner/name, then set HF_TOKEN"
    );
    assert_eq!(
        status(&bench, 404, &[("X-Error-Code", "RevisionNotFound")]),
        "the dataset `owner/name` has no revision `main` / name a branch, a tag or a commit of it, for instance `main`"
    );
    bench.settings.token = Some(Token::new("hf_secret"));
    for code in [401, 403] {
        assert_eq!(
            status(&bench, code, &[]),
            format!(
                "the hub at HUB refused access to dataset `owner/name` (HTTP status {code}) / check that HF_TOKEN belongs \
                 to an account that may read it"
            )
        );
    }
    assert!(status(&bench, 404, &[]).contains("does not show it to the owner of this token"));
}

#[test]
fn missing_files_are_listed() {
    let bench = Bench::new();
    let (message, _) = bench.message(&["data/trian-*.parquet"]);
    assert_eq!(
        message,
        "the dataset `owner/name` has no file `data/trian-*.parquet`, only README.md, data/test-0.parquet, \
         data/train-0.parquet, other/train-0.parquet"
    );
}

#[test]
fn no_network_and_no_hub() {
    let mut bench = Bench::new();
    bench.server.fault("/revision/", Fault::Garbage);
    let (message, hint) = bench.message(&[LARGE]);
    assert!(message.starts_with("HUB does not answer as a hub does: "), "{message}");
    assert!(hint.contains("HF_ENDPOINT"), "{hint}");
    // A port that nobody listens at: those below 1024 are given to nobody by chance.
    bench.settings.endpoint = "http://127.0.0.1:9".to_owned();
    let (message, hint) = bench.message(&[LARGE]);
    assert!(message.starts_with("failed to get dataset `owner/name` from http://127.0.0.1:"), "{message}");
    assert!(hint.contains("HF_HUB_OFFLINE=1"), "{hint}");
    assert!(bench.pauses().is_empty());
}

#[test]
fn two_at_once_make_one_file() {
    let bench = Arc::new(Bench::new());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let bench = bench.clone();
            std::thread::spawn(move || assert_large(&bench.get(&[LARGE]).unwrap()))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    bench.assert_nothing_half_written();
    let whole = bench.server.seen().into_iter().filter(|seen| seen.path.starts_with("/content/")).count();
    assert_eq!(whole, 1);
}

#[test]
fn a_cache_that_cannot_be_written() {
    let mut bench = Bench::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    bench.settings.cache = file.path().join("hub");
    let error = bench.get(&[LARGE]).unwrap_err();
    assert!(matches!(error, SourceError::Io(_)) && error.to_string().contains("hub"), "{error}");
}
