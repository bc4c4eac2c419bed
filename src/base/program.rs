//! A program as it is to be started: words, environment, folder, and the file that its name means.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::iter::{empty, once};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where programs are looked up without a `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// What reads a script whose first line names no other program.
pub(super) const SHELL: &str = "/bin/sh";

/// Files that were started by their names, each by `PATH` and name. As in a shell, a name that was looked up is not looked up
/// again as long as its file can be started.
static STARTED: Mutex<BTreeMap<(OsString, OsString), PathBuf>> = Mutex::new(BTreeMap::new());

/// A program and all that it gets.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    /// Its name and its arguments. A name with `/` is a path in the folder, any other is looked up on the `PATH` that the
    /// program gets.
    pub words: Vec<OsString>,
    /// All of its environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Where it starts, from `/` on; absent for where this program is.
    pub folder: Option<&'a Path>,
    /// Its standard input.
    pub input: BorrowedFd<'a>,
    /// Its standard output and standard error.
    pub output: BorrowedFd<'a>,
}

/// A program in the words of the system.
#[derive(Debug)]
pub(super) struct Image {
    pub path: CString,
    pub folder: Option<CString>,
    words: Vec<CString>,
    variables: Vec<CString>,
}

impl Program<'_> {
    /// The files that its name can mean, in the order in which they are tried.
    pub(super) fn files(&self) -> Box<dyn Iterator<Item = PathBuf> + '_> {
        let Some(name) = self.words.first().filter(|name| !name.is_empty()) else { return Box::new(empty()) };
        let here = self.folder.unwrap_or(Path::new(""));
        if name.as_bytes().contains(&b'/') {
            return Box::new(once(here.join(name)));
        }
        let path = self.path();
        let folders =
            path.as_bytes().split(|byte| *byte == b':').map(move |folder| here.join(OsStr::from_bytes(folder)));
        let known = started().get(&(path.to_owned(), name.clone())).cloned();
        // One after the other: mostly the first is the one.
        Box::new(known.into_iter().chain(folders.map(move |folder| folder.join(name))).filter(|file| file.is_file()))
    }

    /// Remembers which file its name means, if it means that in every folder.
    pub(super) fn is_started_from(&self, file: &Path) {
        let Some(name) = self.words.first().filter(|name| !name.as_bytes().contains(&b'/')) else { return };
        let path = self.path();
        let everywhere = path.as_bytes().split(|byte| *byte == b':').all(|folder| folder.starts_with(b"/"));
        let key = (path.to_owned(), name.clone());
        let mut started = started();
        if everywhere && started.get(&key).is_none_or(|known| known != file) {
            started.insert(key, file.to_owned());
        }
    }

    /// Where it is looked up.
    fn path(&self) -> &OsStr {
        self.environment.get(OsStr::new("PATH")).map_or(OsStr::new(USUAL_PATH), OsString::as_os_str)
    }

    /// This program as the file at `path`; `script` puts the shell before it.
    ///
    /// # Errors
    /// When a word has a null character.
    pub(super) fn image(&self, path: &Path, script: bool) -> io::Result<Image> {
        let text = |word: &OsStr| CString::new(word.as_bytes()).map_err(io::Error::from);
        let name = self.words.first().map_or(OsStr::new(""), OsString::as_os_str);
        // What was given as a path is a path from here, and not from its folder.
        let name = if name.as_bytes().contains(&b'/') { path.as_os_str() } else { name };
        let first = if script { vec![OsStr::new(SHELL), path.as_os_str()] } else { vec![name] };
        let words = first.into_iter().chain(self.words.iter().skip(1).map(OsString::as_os_str));
        let variables = self.environment.iter().map(|(name, value)| {
            let parts: [Cow<'_, [u8]>; 3] = [name.as_bytes().into(), b"=".into(), value.as_bytes().into()];
            CString::new(parts.concat()).map_err(io::Error::from)
        });
        Ok(Image {
            path: text(if script { OsStr::new(SHELL) } else { path.as_os_str() })?,
            folder: self.folder.map(|folder| text(folder.as_os_str())).transpose()?,
            words: words.map(text).collect::<io::Result<_>>()?,
            variables: variables.collect::<io::Result<_>>()?,
        })
    }
}

impl Image {
    /// The words as the system takes them.
    pub fn words(&self) -> Vec<*const c_char> {
        pointers(&self.words)
    }

    /// The environment as the system takes it.
    pub fn variables(&self) -> Vec<*const c_char> {
        pointers(&self.variables)
    }
}

/// Systems on which the standard library starts it.
#[cfg(not(target_os = "linux"))]
impl Image {
    pub fn command(&self, program: &Program<'_>) -> io::Result<std::process::Command> {
        use std::os::unix::process::CommandExt;

        let text = |text: &CString| OsStr::from_bytes(text.to_bytes()).to_owned();
        let mut command = std::process::Command::new(text(&self.path));
        command.arg0(text(&self.words[0])).args(self.words[1..].iter().map(text)).process_group(0);
        command.env_clear().envs(&program.environment);
        if let Some(folder) = program.folder {
            command.current_dir(folder);
        }
        command.stdin(program.input.try_clone_to_owned()?);
        command.stdout(program.output.try_clone_to_owned()?).stderr(program.output.try_clone_to_owned()?);
        Ok(command)
    }
}

fn started() -> MutexGuard<'static, BTreeMap<(OsString, OsString), PathBuf>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([null()]).collect()
}
