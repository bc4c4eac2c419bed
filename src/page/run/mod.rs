//! What it took: facts of one run, which belong to no result.

mod cost;
mod graph;
mod provenance;
mod stages;
pub(super) mod summary;

use super::Section;

/// Everything the page says about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The pipeline's name.
    pub pipeline: String,
    /// What it is about.
    pub title: Option<String>,
    /// When the page was made, in seconds since 1970.
    pub made: u64,
    /// The stages in the plan's order.
    pub stages: Vec<Stage>,
    /// Wall-clock seconds of the run; none when the page was made without one.
    pub seconds: Option<f64>,
    /// Whether the run was stopped.
    pub interrupted: bool,
    /// Energy of the machine's processors during the run, in joules; none where it can't be read.
    pub energy: Option<f64>,
    /// Where it all comes from.
    pub provenance: Provenance,
}

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The title of the included pipeline that it comes from; empty for a stage of the run's own.
    pub of: String,
    /// What it is, for people.
    pub title: Option<String>,
    /// Its operation and that one's version.
    pub operation: (String, u32),
    /// The stages that it reads, by their place in the list of stages.
    pub reads: Vec<usize>,
    /// Whether its results are copied to the output folder.
    pub publishes: bool,
    /// Its instances.
    pub instances: Vec<Instance>,
}

/// One instance of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took when it was made.
    pub seconds: Option<f64>,
    /// The most memory of its process while it was made, in bytes.
    pub memory: Option<u64>,
    /// The stage key and the digest of the files.
    pub digests: Option<[String; 2]>,
}

/// What became of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Made in this run.
    Made,
    /// Found in the cache.
    Cached,
    /// It failed.
    Failed,
    /// Neither made nor found.
    Missing,
}

/// Where results come from, and how to have them again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// The command that makes these results again.
    pub command: String,
    /// The pipeline file as it was named.
    pub file: String,
    /// Its content.
    pub text: String,
    /// The digest of its content.
    pub digest: String,
    /// The profile, where one was chosen.
    pub profile: Option<String>,
    /// What was set on the command line.
    pub set: Vec<(String, String)>,
    /// Parameters and axes with their values after profile and `--set`.
    pub values: Vec<(String, String)>,
    /// Data sets, backbones and files.
    pub sources: Vec<Source>,
    /// Programs, libraries and numeric settings.
    pub versions: Vec<(String, String)>,
    /// The machine that made the page.
    pub machine: Vec<(String, String)>,
    /// The machines that made the results.
    pub hosts: Vec<String>,
}

/// Something outside the pipeline that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// `dataset`, `model` or `file`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its revision, where it has one.
    pub revision: Option<String>,
    /// The digest of its files.
    pub digest: String,
    /// How many files, and their bytes in all.
    pub files: (usize, u64),
}

impl Facts {
    /// All instances.
    fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.stages.iter().flat_map(|stage| &stage.instances)
    }

    /// How many instances have this outcome, and how long they took when they were made.
    fn sum(&self, outcome: Outcome) -> Sum {
        sum(self.instances(), outcome)
    }
}

/// A count of instances and their seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    count: usize,
    seconds: f64,
}

fn sum<'a>(instances: impl IntoIterator<Item = &'a Instance>, outcome: Outcome) -> Sum {
    instances.into_iter().filter(|instance| instance.outcome == outcome).fold(Sum::default(), |sum, instance| Sum {
        count: sum.count + 1,
        seconds: sum.seconds + instance.seconds.unwrap_or_default(),
    })
}

/// The sections about the run.
pub(super) fn sections(facts: &Facts) -> Vec<Section> {
    vec![
        Section::new("stages", "Stages", stages::stages(facts)),
        Section::new("cost", "Cost", cost::cost(facts)),
        Section::new("provenance", "Provenance", provenance::provenance(facts)),
    ]
}
