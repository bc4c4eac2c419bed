//! The private folder of a program: what it is given, and what is found there in the end.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::{Value, json};

use super::Parameters;
use crate::protocol::{Input, Job, ResolvedSource, StageError};
use crate::store::Stat;

/// The folder with what the stage reads.
pub(super) const INPUTS: &str = "inputs";
/// What is in it.
pub(super) const INPUTS_NOTE: &str = "inputs.json";
/// The parameters with their types.
pub(super) const PARAMETERS_NOTE: &str = "parameters.json";

/// A folder that a program was given.
pub(super) struct Folder {
    root: PathBuf,
    /// By path inside.
    given: BTreeMap<String, Given>,
}

/// A file that was there before the program.
struct Given {
    /// Where a link leads to; nothing for a copy.
    target: Option<PathBuf>,
    /// What the file system said of the file, or of what the link leads to.
    stat: Stat,
}

/// What is there after the program, by path inside.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// New files, and copies that it has changed.
    pub written: Vec<String>,
    /// Results of other stages that it has changed, or whose links it has replaced.
    pub spoiled: Vec<String>,
    /// All of it.
    tree: Tree,
}

/// What is below a folder; links are not followed.
#[derive(Debug, Default)]
struct Tree {
    /// All that is no folder, by its path inside.
    files: BTreeMap<String, PathBuf>,
    /// Each before what is in it, without the folder itself.
    folders: Vec<PathBuf>,
}

impl Folder {
    /// Makes the folder, beside the place for checkpoints; what a killed attempt left there is removed. Results are links to
    /// files, which only root could write to, in real folders; files of the project are copies, so that a script finds
    /// nothing beside itself that its stage does not name.
    pub(super) fn prepare(job: &Job, parameters: &Parameters) -> Result<Self, StageError> {
        let root = std::path::absolute(job.scratch.with_extension("folder"))?;
        match fs::create_dir(&root) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                clear(&root)?;
                fs::create_dir(&root)?;
            }
            made => made?,
        }
        let mut folder = Self { root, given: BTreeMap::new() };
        for (name, source) in parameters.files.iter().zip(&job.sources) {
            folder.copy(name, source)?;
        }
        let mut listed = Vec::new();
        if !job.inputs.is_empty() {
            fs::create_dir(folder.root.join(INPUTS))?;
        }
        for input in &job.inputs {
            let name = format!("{INPUTS}/{}", name_of(input));
            folder.link(&name, &std::path::absolute(&input.folder)?)?;
            listed.push(json!({ "stage": input.stage, "axes": input.coordinates, "operation": input.operation,
                "folder": name }));
        }
        if !listed.is_empty() {
            folder.note(INPUTS_NOTE, &Value::from(listed))?;
        }
        if !parameters.parameters.is_empty() {
            folder.note(PARAMETERS_NOTE, &json!(parameters.parameters))?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// What the program has left there.
    pub(super) fn found(&self) -> io::Result<Found> {
        let mut found = Found { tree: Tree::below(&self.root)?, ..Found::default() };
        for (inside, path) in &found.tree.files {
            match self.given.get(inside) {
                None => found.written.push(inside.clone()),
                Some(given) => match (&given.target, given.stands(path)?) {
                    (_, true) => {}
                    (Some(_), false) => found.spoiled.push(inside.clone()),
                    (None, false) => found.written.push(inside.clone()),
                },
            }
        }
        Ok(found)
    }

    /// Makes it the result, if what the program wrote are plain files: takes out of it what the program was given, and gives
    /// it the result's name. That is far less work for a disk than to make, fill and remove another one. Returns whether
    /// it has done so; otherwise what was written is still there.
    pub(super) fn becomes(&self, found: &Found, result: &Path) -> bool {
        let is_plain = |inside: &String| {
            let metadata = fs::symlink_metadata(&found.tree.files[inside]);
            // Another name of the same file could be written to later.
            metadata.is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
        };
        let holds_results =
            |folder: &Path| found.written.iter().any(|inside| self.root.join(inside).starts_with(folder));
        let given = || found.tree.files.iter().filter(|(inside, _)| !found.written.contains(inside));
        found.written.iter().all(is_plain)
            && given().all(|(_, file)| fs::remove_file(file).is_ok())
            && found.tree.folders.iter().rev().all(|folder| holds_results(folder) || fs::remove_dir(folder).is_ok())
            && fs::rename(&self.root, result).is_ok()
    }

    /// Removes it, when the outputs are kept; what is left of it harms nobody.
    pub(super) fn remove(self) {
        let _ = clear(&self.root);
    }

    /// Copies a file or a folder of the project.
    fn copy(&mut self, name: &str, source: &ResolvedSource) -> io::Result<()> {
        let name = name.trim_end_matches('/');
        for (inside, from) in &source.files {
            // A source that is a file has itself as its only file.
            let is_folder = from.ends_with(Path::new(name).join(inside));
            let inside = if is_folder { format!("{name}/{inside}") } else { name.to_owned() };
            let to = self.root.join(&inside);
            fs::create_dir_all(to.parent().unwrap_or(&self.root))?;
            fs::copy(from, &to)?;
            self.given.insert(inside, Given { target: None, stat: Stat::of(&fs::metadata(&to)?) });
        }
        Ok(())
    }

    /// Links every file of a result.
    fn link(&mut self, name: &str, result: &Path) -> io::Result<()> {
        let tree = Tree::below(result)?;
        let folder = self.root.join(name);
        fs::create_dir(&folder)?;
        for inside in tree.folders.iter().filter_map(|folder| folder.strip_prefix(result).ok()) {
            fs::create_dir(folder.join(inside))?;
        }
        for (inside, from) in tree.files {
            fs_err::os::unix::fs::symlink(&from, folder.join(&inside))?;
            let stat = Stat::of(&fs::metadata(&from)?);
            self.given.insert(format!("{name}/{inside}"), Given { target: Some(from), stat });
        }
        Ok(())
    }

    fn note(&mut self, name: &str, value: &Value) -> io::Result<()> {
        let path = self.root.join(name);
        fs::write(&path, format!("{value:#}\n"))?;
        self.given.insert(name.to_owned(), Given { target: None, stat: Stat::of(&fs::metadata(&path)?) });
        Ok(())
    }
}

impl Given {
    /// Whether it is as it was given.
    fn stands(&self, path: &Path) -> io::Result<bool> {
        match &self.target {
            None => Ok(Stat::of(&fs::symlink_metadata(path)?) == self.stat),
            Some(target) => Ok(fs::read_link(path).is_ok_and(|to| to == *target)
                && fs::metadata(target).is_ok_and(|metadata| Stat::of(&metadata) == self.stat)),
        }
    }
}

/// `fit[method=spp,seed=1]`, axes in alphabetical order; a value with `/` is spelled so that it stays one name.
fn name_of(input: &Input) -> String {
    let spelled = |value: &String| value.replace('%', "%25").replace('/', "%2F");
    let axes: Vec<String> =
        input.coordinates.iter().map(|(axis, value)| format!("{axis}={}", spelled(value))).collect();
    if axes.is_empty() { input.stage.clone() } else { format!("{}[{}]", input.stage, axes.join(",")) }
}

/// Removes a folder, in which a program may have made folders that can't be written to.
fn clear(folder: &Path) -> io::Result<()> {
    fs::remove_dir_all(folder).or_else(|_| {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
        for inside in Tree::below(folder)?.folders {
            fs::set_permissions(inside, PermissionsExt::from_mode(0o755))?;
        }
        fs::remove_dir_all(folder)
    })
}

impl Tree {
    fn below(folder: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        let mut open = vec![(String::new(), folder.to_owned())];
        while let Some((prefix, folder)) = open.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let inside = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    tree.folders.push(entry.path());
                    open.push((format!("{inside}/"), entry.path()));
                } else {
                    tree.files.insert(inside, entry.path());
                }
            }
        }
        Ok(tree)
    }
}
