//! The private folder of a program: what it is given, and what is found there in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fs_err as fs;
use serde_json::{Value, json};

use super::input_folders::Entry;
use super::inputs::{INPUTS, INPUTS_NOTE, Inputs, Results};
use super::{Parameters, outputs};
use crate::protocol::{Files, Input, Job, ResolvedSource, StageError};
use crate::store::Stat;

/// The parameters with their types.
pub(super) const PARAMETERS_NOTE: &str = "parameters.json";

/// The ending of a folder in which outputs are gathered.
const KEPT: &str = "kept";

/// A file of a result that is longer is linked, not copied: a block of most disks, which a link to a long path takes as well.
const SMALL: u64 = 4096;

/// The files of so many results are remembered.
const MOST_KNOWN: usize = 10_000;

/// A folder that a program was given.
pub(super) struct Folder {
    root: PathBuf,
    /// The place for checkpoints; what is beside it lasts as long.
    checkpoints: PathBuf,
    /// By path inside.
    given: BTreeMap<String, Given>,
    /// Those of it that are results, if it reads any.
    inputs: Option<Inputs>,
}

/// A file that was there before the program.
struct Given {
    origin: Origin,
    /// What the file system said of the file, or of what the link leads to.
    stat: Stat,
}

/// What a file is that was given.
enum Origin {
    /// A note, or a copy of a file of the project. The program may write to it.
    Own,
    /// A copy of this file of a result.
    Copy(PathBuf),
    /// A link to this file of a result.
    Link(PathBuf),
}

/// What is there after the program, by path inside.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// New files, and copies of files of the project that it has changed.
    pub written: Vec<String>,
    /// Files of results of other stages that it has changed or replaced.
    pub spoiled: Vec<String>,
    /// Whether what it reads is as it was made; then it is not in the tree.
    inputs_stand: bool,
    /// All of it.
    tree: Tree,
}

/// What is below a folder, by path inside; links are not followed.
#[derive(Debug, Default)]
struct Tree {
    /// All that is no folder.
    files: BTreeSet<String>,
    /// Each before what is in it, without the folder itself.
    folders: Vec<String>,
}

impl Folder {
    /// Fills the folder, of which the result will be made. The files of results are links and copies, which only root could write to,
    /// in real folders; files of the project are copies, so that a script finds nothing beside itself that its stage does not name.
    pub(super) fn prepare(job: &Job, parameters: &Parameters) -> Result<Self, StageError> {
        let (root, checkpoints) = (std::path::absolute(&job.output)?, std::path::absolute(&job.scratch)?);
        let mut folder = Self { root, checkpoints, given: BTreeMap::new(), inputs: None };
        for (name, source) in parameters.files.iter().zip(&job.sources) {
            folder.copy(name, source)?;
        }
        let (mut listed, mut places, mut results) = (Vec::new(), BTreeMap::new(), Results::new());
        for input in &job.inputs {
            let name = name_of(input);
            listed.push(json!({ "stage": input.stage, "axes": input.coordinates, "operation": input.operation,
                "folder": format!("{INPUTS}/{name}") }));
            let result = input.files.absolute()?;
            results.insert(name.clone(), folder.entries(&name, &result)?);
            places.insert(name, result);
        }
        if !listed.is_empty() {
            let (inputs, note) = Inputs::make(&folder.root, &results, text(&Value::from(listed)).as_bytes())?;
            for (name, inside, stat) in inputs.copies() {
                let origin = Origin::Copy(places[name].file(inside));
                folder.given.insert(format!("{INPUTS}/{name}/{inside}"), Given { origin, stat: *stat });
            }
            folder.inputs = Some(inputs);
            folder.given.insert(INPUTS_NOTE.to_owned(), Given { origin: Origin::Own, stat: Stat::of(&note) });
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
        let inputs_stand = self.inputs.as_ref().is_some_and(Inputs::stand);
        let tree = Tree::below(&self.root, inputs_stand.then_some(INPUTS))?;
        let mut found = Found { inputs_stand, tree, ..Found::default() };
        if inputs_stand {
            let spoiled = self.given.iter().filter(|(_, given)| match &given.origin {
                Origin::Link(target) => !given.leads_to(target),
                Origin::Own | Origin::Copy(_) => false,
            });
            found.spoiled.extend(spoiled.map(|(inside, _)| inside.clone()));
        }
        for inside in &found.tree.files {
            match self.given.get(inside) {
                None => found.written.push(inside.clone()),
                Some(given) => match (&given.origin, given.stands(&self.root.join(inside))?) {
                    (_, true) => {}
                    (Origin::Own, false) => found.written.push(inside.clone()),
                    (Origin::Copy(_) | Origin::Link(_), false) => found.spoiled.push(inside.clone()),
                },
            }
        }
        Ok(found)
    }

    /// Leaves nothing in it but the result, if what the program wrote are plain files: takes out of it what the program was given. That is far
    /// less work for a disk than to make, fill and remove another one. Returns whether it has done so; otherwise what was
    /// written is still there.
    pub(super) fn becomes_result(&mut self, found: &Found) -> bool {
        let root = &self.root;
        let at = |inside: &String| root.join(inside);
        let is_plain = |inside: &String| {
            let metadata = fs::symlink_metadata(at(inside));
            // Another name of the same file could be written to later.
            metadata.is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
        };
        if !found.written.iter().all(is_plain) {
            return false;
        }
        let note_stands = found.tree.files.contains(INPUTS_NOTE) && !found.written.iter().any(|it| it == INPUTS_NOTE);
        let mut note_is_gone = false;
        if let Some(inputs) = self.inputs.take_if(|_| found.inputs_stand) {
            note_is_gone = note_stands && inputs.set_aside(root, &self.checkpoints);
            if !note_is_gone && fs::remove_dir_all(root.join(INPUTS)).is_err() {
                return false;
            }
        }
        let is_there = |inside: &&String| !(note_is_gone && *inside == INPUTS_NOTE);
        let holds_results = |folder: &String| {
            found.written.iter().any(|inside| inside.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
        };
        let mut given = found.tree.files.iter().filter(|inside| is_there(inside) && !found.written.contains(inside));
        let mut folders = found.tree.folders.iter().rev();
        given.all(|inside| fs::remove_file(at(inside)).is_ok())
            && folders.all(|folder| holds_results(folder) || fs::remove_dir(at(folder)).is_ok())
    }

    /// Leaves nothing in it but these files.
    ///
    /// # Errors
    /// One of them is something that can't be kept.
    pub(super) fn keep_only<'a>(&self, kept: impl Iterator<Item = &'a String>) -> Result<(), StageError> {
        let aside = self.checkpoints.with_extension(KEPT);
        if aside.exists() {
            clear(&aside)?;
        }
        outputs::keep(&self.root, kept, &aside).inspect_err(|_| drop(clear(&aside)))?;
        clear(&self.root)?;
        fs::rename(&aside, &self.root)?;
        Ok(())
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
            self.given.insert(inside, Given { origin: Origin::Own, stat: Stat::of(&fs::metadata(&to)?) });
        }
        Ok(())
    }

    /// How each file of a result comes into a folder with this name. Links are noted as given.
    fn entries(&mut self, name: &str, result: &Files) -> io::Result<BTreeMap<String, Entry>> {
        let mut entries = BTreeMap::new();
        for (inside, size) in sizes(result)?.iter() {
            let file = result.file(inside);
            let small = if *size <= SMALL { small(&file, *size)? } else { None };
            let entry = match small {
                Some(content) => Entry::Copy(content),
                None => {
                    let given = Given { stat: Stat::of(&fs::metadata(&file)?), origin: Origin::Link(file.clone()) };
                    self.given.insert(format!("{INPUTS}/{name}/{inside}"), given);
                    Entry::Link(file)
                }
            };
            entries.insert(inside.clone(), entry);
        }
        Ok(entries)
    }

    fn note(&mut self, name: &str, value: &Value) -> io::Result<()> {
        let path = self.root.join(name);
        fs::write(&path, text(value))?;
        self.given.insert(name.to_owned(), Given { origin: Origin::Own, stat: Stat::of(&fs::metadata(&path)?) });
        Ok(())
    }
}

/// A value as a file that people read.
fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

impl Given {
    /// Whether it is as it was given.
    fn stands(&self, path: &Path) -> io::Result<bool> {
        match &self.origin {
            Origin::Own => Ok(Stat::of(&fs::symlink_metadata(path)?) == self.stat),
            // Another name or another mode harms nobody, and on some file systems times settle late: the text counts.
            Origin::Copy(result) => {
                let now = fs::symlink_metadata(path)?;
                let is_same = Stat { changed: self.stat.changed, ..Stat::of(&now) } == self.stat;
                Ok(is_same || now.is_file() && now.len() == self.stat.size && fs::read(path)? == fs::read(result)?)
            }
            Origin::Link(target) => Ok(fs::read_link(path).is_ok_and(|to| to == *target) && self.leads_to(target)),
        }
    }

    /// Whether what its link leads to is as it was.
    fn leads_to(&self, target: &Path) -> bool {
        fs::metadata(target).is_ok_and(|metadata| Stat::of(&metadata) == self.stat)
    }
}

/// The files of a result, by path inside, with their lengths in bytes.
type Sizes = Arc<BTreeMap<String, u64>>;

/// Lists a result: once for all that read it, since it doesn't change.
fn sizes(result: &Files) -> io::Result<Sizes> {
    static KNOWN: LazyLock<Mutex<HashMap<PathBuf, Sizes>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = result.whole();
    if let Some(sizes) = known().get(&whole) {
        return Ok(Arc::clone(sizes));
    }
    let sized = |inside: String| fs::metadata(result.file(&inside)).map(|file| (inside, file.len()));
    let names = match result.name() {
        Some(name) => BTreeSet::from([name.to_owned()]),
        None => Tree::below(result.folder(), None)?.files,
    };
    let sizes: io::Result<BTreeMap<_, _>> = names.into_iter().map(sized).collect();
    let sizes = Arc::new(sizes?);
    let mut known = known();
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(whole, Arc::clone(&sizes));
    Ok(sizes)
}

/// What is in a file that had so many bytes, if it is still small.
fn small(file: &Path, size: u64) -> io::Result<Option<Vec<u8>>> {
    // One more shows that there is no more.
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    fs::File::open(file)?.take(SMALL + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= SMALL).then_some(content))
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
        open(folder)?;
        fs::remove_dir_all(folder)
    })
}

/// Makes a folder and those below it writable.
fn open(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open(&entry.path())?;
        }
    }
    Ok(())
}

impl Tree {
    /// All of it but one folder.
    fn below(folder: &Path, without: Option<&str>) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.descend(folder, "", without)?;
        Ok(tree)
    }

    fn descend(&mut self, folder: &Path, prefix: &str, without: Option<&str>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let inside = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if without == Some(&inside) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.folders.push(inside.clone());
                self.descend(&entry.path(), &format!("{inside}/"), without)?;
            } else {
                self.files.insert(inside);
            }
        }
        Ok(())
    }
}
