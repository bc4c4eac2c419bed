//! The Hugging Face Hub and its cache: commits, file lists, and files that are verified before anyone sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde::Deserialize;
use ureq::http::header;

use super::download::{self, Check, Remote};
use super::folder::walk;
use super::http::{Client, Failure, Sleep, Subject, same_origin};
use super::{Located, Repository, RepositoryKind, SourceError, SourceSettings, Wanted, Watch, glob};

/// Pages of a file list before it is taken for endless.
const MOST_PAGES: usize = 1000;

/// One hub with its cache.
pub struct Hub {
    client: Client,
    cache: Cache,
    offline: bool,
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    oid: String,
    size: u64,
}

impl Hub {
    /// The hub that the settings name.
    ///
    /// # Errors
    /// A certificate file that can't be read.
    pub fn new(settings: &SourceSettings) -> Result<Self, SourceError> {
        Self::with_sleep(settings, Arc::new(std::thread::sleep))
    }

    /// The same with another way to wait between attempts.
    ///
    /// # Errors
    /// A certificate file that can't be read.
    pub fn with_sleep(settings: &SourceSettings, sleep: Sleep) -> Result<Self, SourceError> {
        Ok(Self {
            client: Client::new(settings, sleep)?,
            cache: Cache::new(settings.cache.clone()),
            offline: settings.offline,
        })
    }

    /// Finds files of a repository; downloads what the cache lacks.
    ///
    /// # Errors
    /// No such repository, revision or file; no permission; no network; a cache that can't be written.
    pub fn locate(
        &self,
        repository: &Repository,
        wanted: &Wanted,
        watch: &mut dyn Watch,
    ) -> Result<Located, SourceError> {
        let at = At::new(self, repository);
        if let Some(located) = at.pinned(wanted) {
            return Ok(located);
        }
        if self.offline {
            return at.offline(wanted);
        }
        let commit = at.commit(watch)?;
        let remotes = at.list(&commit, watch)?;
        let available: BTreeSet<String> = remotes.keys().cloned().collect();
        let fetch = |path: &str, watch: &mut dyn Watch| at.fetch(&commit, path, &remotes[path], watch);
        let names = wanted.select(&format!("the {}", at.what), &available, |path| fetch(path, watch))?;
        let mut files = BTreeMap::new();
        for name in names {
            let path = fetch(&name, watch)?;
            files.insert(name, path);
        }
        at.remember(&commit)?;
        Ok(Located { revision: Some(commit), files })
    }
}

/// One repository of a hub.
struct At<'a> {
    hub: &'a Hub,
    repo: Repo,
    cached: CacheRepo,
    kind: RepositoryKind,
    id: &'a str,
    revision: &'a str,
    what: String,
    page: String,
}

impl<'a> At<'a> {
    fn new(hub: &'a Hub, repository: &'a Repository) -> Self {
        let kind = match repository.kind {
            RepositoryKind::Dataset => RepoType::Dataset,
            RepositoryKind::Model => RepoType::Model,
        };
        let repo = Repo::with_revision(repository.id.clone(), kind, repository.revision.clone());
        Self {
            hub,
            cached: hub.cache.repo(repo.clone()),
            kind: repository.kind,
            id: &repository.id,
            revision: &repository.revision,
            what: format!("{} `{}`", repository.kind.name(), repository.id),
            page: format!("{}/{}", hub.client.endpoint(), repo.url()),
            repo,
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject { what: &self.what, revision: self.revision, page: &self.page }
    }

    /// The answer without a network: exactly named files of a commit that are all in the cache.
    fn pinned(&self, wanted: &Wanted) -> Option<Located> {
        let Wanted::Exactly(names) = wanted else { return None };
        if !is_commit(self.revision) {
            return None;
        }
        let snapshot = self.cached.pointer_path(self.revision);
        let files: BTreeMap<String, PathBuf> = names
            .iter()
            .map(|name| (name.clone(), snapshot.join(name)))
            .filter(|(name, path)| glob::stays_inside(name) && path.is_file())
            .collect();
        (files.len() == names.len()).then(|| Located { revision: Some(self.revision.to_owned()), files })
    }

    fn offline(&self, wanted: &Wanted) -> Result<Located, SourceError> {
        let missing = || SourceError::Offline { what: self.what.clone(), cache: self.hub.cache.path().clone() };
        let commit = if is_commit(self.revision) {
            self.revision.to_owned()
        } else {
            let text = fs_err::read_to_string(self.reference()).map_err(|_| missing())?;
            Some(text.trim().to_owned()).filter(|text| is_commit(text)).ok_or_else(missing)?
        };
        let snapshot = self.cached.pointer_path(&commit);
        if !snapshot.is_dir() {
            return Err(missing());
        }
        let found = walk(&snapshot)?;
        let available: BTreeSet<String> = found.keys().cloned().collect();
        let place = format!("the {} in the hub's cache (HF_HUB_OFFLINE is set)", self.what);
        let names = wanted.select(&place, &available, |name| Ok(snapshot.join(name)))?;
        let files = found.into_iter().filter(|(name, _)| names.contains(name)).collect();
        Ok(Located { revision: Some(commit), files })
    }

    /// The commit that the revision means now.
    fn commit(&self, watch: &mut dyn Watch) -> Result<String, SourceError> {
        let url = format!("{}/api/{}", self.hub.client.endpoint(), self.repo.api_url());
        let (_, text) = self.hub.client.text(&self.subject(), &url, watch)?;
        match serde_json::from_str::<Revision>(&text) {
            Ok(answer) if is_commit(&answer.sha) => Ok(answer.sha),
            Ok(answer) => Err(self.strange(format!("`{}` is no commit", answer.sha))),
            Err(error) => Err(self.strange(format!("`{url}` answers something else than a revision: {error}"))),
        }
    }

    /// Every file at a commit; the hub answers in pages.
    fn list(&self, commit: &str, watch: &mut dyn Watch) -> Result<BTreeMap<String, Remote>, SourceError> {
        let client = &self.hub.client;
        let mut next =
            Some(format!("{}/api/{}/{}/tree/{commit}?recursive=true", client.endpoint(), self.kind.plural(), self.id));
        let mut remotes = BTreeMap::new();
        for _ in 0..MOST_PAGES {
            let Some(url) = next.take() else { return Ok(remotes) };
            let (headers, text) = client.text(&self.subject(), &url, watch)?;
            let page: Vec<TreeEntry> = serde_json::from_str(&text)
                .map_err(|error| self.strange(format!("`{url}` answers something else than files: {error}")))?;
            for entry in page.into_iter().filter(|entry| entry.kind == "file") {
                let path = entry.path.clone();
                let remote = remote(entry).ok_or_else(|| self.strange(format!("it lists the file `{path}`")))?;
                remotes.insert(path, remote);
            }
            next = headers.get(header::LINK).and_then(|value| value.to_str().ok()).and_then(next_page);
            if next.as_ref().is_some_and(|url| !same_origin(url, client.endpoint())) {
                return Err(self.strange("its file list goes on at another host"));
            }
        }
        Err(self.strange("its file list has no end"))
    }

    /// Makes one file of a commit available and returns its path in the snapshot.
    fn fetch(&self, commit: &str, path: &str, remote: &Remote, watch: &mut dyn Watch) -> Result<PathBuf, SourceError> {
        let pointer = self.cached.pointer_path(commit).join(path);
        let blob = self.cached.blob_path(remote.check.name());
        // A file of another size is not what the hub has at this commit, whoever left it.
        if fs_err::metadata(&pointer).is_ok_and(|metadata| metadata.is_file() && metadata.len() == remote.size) {
            return Ok(pointer);
        }
        if !fs_err::metadata(&blob).is_ok_and(|metadata| metadata.len() == remote.size) {
            let url = format!("{}/{}/resolve/{commit}/{}", self.hub.client.endpoint(), self.repo.url(), escape(path));
            let what = format!("`{path}` of the {}", self.what);
            let subject = Subject { what: &what, revision: self.revision, page: &self.page };
            download::download(&self.hub.client, &subject, &url, &blob, path, remote, watch)?;
        }
        download::point(&pointer, &blob)?;
        Ok(pointer)
    }

    /// Notes which commit the revision meant, for the next time without a network.
    fn remember(&self, commit: &str) -> Result<(), SourceError> {
        if self.revision != commit {
            crate::base::files::write_atomically(&self.reference(), commit.as_bytes())?;
        }
        Ok(())
    }

    fn reference(&self) -> PathBuf {
        self.hub.cache.path().join(self.repo.folder_name()).join("refs").join(self.revision)
    }

    fn strange(&self, reason: impl Into<String>) -> SourceError {
        match self.hub.client.strange(reason) {
            Failure::Final(error) => error,
            Failure::Again { reason, .. } => {
                SourceError::NoHub { endpoint: self.hub.client.endpoint().to_owned(), reason }
            }
        }
    }
}

/// What the list says about a file; `None` when its path or its digest can't be what a hub sends.
fn remote(entry: TreeEntry) -> Option<Remote> {
    let hexadecimal = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let (size, check) = match entry.lfs {
        Some(large) if hexadecimal(&large.oid, 64) => (large.size, Check::Sha256(large.oid)),
        None if hexadecimal(&entry.oid, 40) => (entry.size, Check::GitBlob(entry.oid)),
        _ => return None,
    };
    (glob::stays_inside(&entry.path) && !entry.path.is_empty()).then_some(Remote { size, check })
}

/// Whether a revision is a commit, which never changes its meaning.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The address of the next page in a `Link` header.
fn next_page(link: &str) -> Option<String> {
    link.split(',').find_map(|entry| {
        let (address, parameters) = entry.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|parameter| ["rel=\"next\"", "rel=next"].contains(&parameter.trim()));
        next.then(|| address.to_owned())
    })
}

/// A path as a part of an address.
fn escape(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::{escape, is_commit, next_page};

    #[test]
    fn links() {
        let header = "<https://h/a?cursor=x%2C1>; rel=\"next\"";
        assert_eq!(next_page(header).as_deref(), Some("https://h/a?cursor=x%2C1"));
        assert_eq!(next_page("<https://h/a>; rel=\"prev\", <https://h/b>; rel=next").as_deref(), Some("https://h/b"));
        assert_eq!(next_page("<https://h/a>; rel=\"prev\""), None);
    }

    #[test]
    fn addresses_and_commits() {
        assert_eq!(escape("a b/é-1.csv"), "a%20b/%C3%A9-1.csv");
        assert!(is_commit(&"a1".repeat(20)) && !is_commit("main") && !is_commit(&"a1".repeat(32)));
    }
}
