//! The command line, as clap reads it.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::completions::CompletionsArguments;
use super::diff::DiffArguments;
use super::fsck::FsckArguments;
use super::gc::{self, GcArguments};
use super::graph::{Format, GraphArguments};
use super::init::InitArguments;
use super::list::ListArguments;
use super::man::ManArguments;
use super::request::RequestArguments;
use super::room::RoomArguments;
use super::runs::RunsArguments;
use super::status::StatusArguments;
use super::verify::{self, VerifyArguments};

/// The cache folder when none is named.
pub const CACHE: &str = ".compt";

/// Declarative, cached, reproducible pipelines for modular multi-task prompt tuning.
#[derive(Debug, Parser)]
#[command(name = "compt", version, about, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring a pipeline's results up to date
    Run(RunArguments),
    /// Say what `run` would do, and why
    Plan(PlanArguments),
    /// Say why a stage would run, with old and new values
    Why(WhyArguments),
    /// Draw the stages and what they read: as text, DOT, Mermaid or SVG
    Graph(GraphArguments),
    /// Check pipeline files, and render three real rows of each data set
    Check(CheckArguments),
    /// Answer texts with a prompt that a run trained
    #[command(after_help = PREDICT_EXAMPLES)]
    Predict(PredictArguments),
    /// List earlier runs, or tell what happened in one of them
    Runs(RunsArguments),
    /// Make the report page of what is in the cache
    Report(ReportArguments),
    /// Show a stage's record, its files and its log
    Show(ShowArguments),
    /// Say what is done, what runs, what failed and what is to do, also while a run goes on
    Status(StatusArguments),
    /// Compare two runs, or a run with a published table: differences, and whether they are more than noise
    Compare(CompareArguments),
    /// Say what differs between two runs, two lock files or two stage keys
    Diff(DiffArguments),
    /// List what a pipeline can name: operations with their parameters, methods, presets, metrics, data sets
    List(ListArguments),
    /// Print what was found on this machine, and how to mend what is missing
    Doctor(DoctorArguments),
    /// Write the JSON Schemas of pipeline and data set files
    Schema(SchemaArguments),
    /// Begin a project: a commented pipeline that runs as it is
    Init(InitArguments),
    /// Print what a shell needs to complete commands and options
    Completions(CompletionsArguments),
    /// Print the manual page, or write one for each subcommand
    Man(ManArguments),
    /// Check every result in the cache, and set aside what is damaged
    Fsck(FsckArguments),
    /// Show what can be removed from the cache, or remove it
    #[command(after_help = gc::EXAMPLES)]
    Gc(GcArguments),
    /// Make results once more from what they were made of, and compare
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArguments),
}

impl Command {
    /// Whether a program reads what is printed.
    pub fn is_for_programs(&self) -> bool {
        match self {
            Self::Run(arguments) => arguments.json,
            Self::Plan(arguments) => arguments.json,
            Self::Why(arguments) => arguments.json,
            Self::Graph(arguments) => arguments.json || arguments.format == Some(Format::Json),
            Self::Check(arguments) => arguments.json,
            Self::Runs(arguments) => arguments.json,
            Self::Report(arguments) => arguments.json,
            Self::Show(arguments) => arguments.json,
            Self::Status(arguments) => arguments.json,
            Self::Compare(arguments) => arguments.json,
            Self::Diff(arguments) => arguments.json,
            Self::List(arguments) => arguments.json,
            Self::Doctor(arguments) => arguments.json,
            Self::Schema(arguments) => arguments.json,
            Self::Init(arguments) => arguments.json,
            Self::Man(arguments) => arguments.json,
            Self::Fsck(arguments) => arguments.json,
            Self::Gc(arguments) => arguments.json,
            Self::Verify(arguments) => arguments.json,
            Self::Predict(arguments) => arguments.output_format == Some(Rows::Jsonl),
            Self::Completions(_) => false,
        }
    }
}

/// Which pipeline, and with which values.
#[derive(Debug, Args)]
pub struct PipelineArguments {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Take the values of this profile
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Set a parameter or an axis: `--set k=32`, `--set seed=[1,2]`; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Take data sets and models from this folder in hub layout instead of the hub
    #[arg(long, value_name = "DIR", env = "COMPT_MIRROR")]
    pub mirror: Option<PathBuf>,
    /// Never ask the network; like HF_HUB_OFFLINE=1
    #[arg(long)]
    pub offline: bool,
    /// Refuse to change the lock file
    #[arg(long)]
    pub locked: bool,
    /// The cache folder
    #[arg(long, value_name = "DIR", env = "COMPT_CACHE", default_value = CACHE)]
    pub cache: PathBuf,
    /// `cpu`, `cuda` or `cuda:N`
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Threads of one training or evaluation stage; part of its key, because sums depend on it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: usize,
}

impl PipelineArguments {
    /// A pipeline as it is run when nothing else is typed; the network is not asked.
    pub fn of(file: &Path, cache: &Path, profile: Option<String>) -> Self {
        Self {
            file: file.to_owned(),
            profile,
            set: Vec::new(),
            mirror: std::env::var_os("COMPT_MIRROR").map(PathBuf::from),
            offline: true,
            locked: false,
            cache: cache.to_owned(),
            device: "cpu".to_owned(),
            threads: 1,
        }
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// What there is for its stages.
    #[command(flatten)]
    pub room: RoomArguments,
    /// The folder for results
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub outputs: PathBuf,
    /// Which part of it.
    #[command(flatten)]
    pub request: RequestArguments,
    /// Run nothing: print what would become of each stage
    #[arg(long, conflicts_with = "claims_must_hold")]
    pub dry_run: bool,
    /// Stop at the first failure instead of finishing what does not depend on it
    #[arg(long, overrides_with = "keep_going")]
    pub fail_fast: bool,
    /// After a failure, finish what does not depend on it; this is the default
    #[arg(long, overrides_with = "fail_fast")]
    pub keep_going: bool,
    /// How many more attempts a stage gets whose worker died, whose machine lacked something, or that took too long
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retries: u32,
    /// How long one attempt at a stage may take: `90s`, `15m`, `2h` [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    pub timeout: Option<std::time::Duration>,
    /// End with exit code 7 when a claim fails; undecided ones do not count
    #[arg(long)]
    pub claims_must_hold: bool,
    /// Run this shell command when the run ends, whatever its end: it gets `COMPT_RUN_OUTCOME`, `COMPT_RUN_MESSAGE` and other
    /// variables, and a line of JSON on standard input
    #[arg(long, value_name = "COMMAND", env = "COMPT_NOTIFY", hide_env_values = true)]
    pub notify: Option<String>,
    /// Notify only of runs that took so long: `90s`, `15m`, `2h` [default: of all]
    #[arg(long, value_name = "DURATION", env = "COMPT_NOTIFY_AFTER", value_parser = timeout)]
    pub notify_after: Option<std::time::Duration>,
    /// Print every event as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// Plain lines even on a terminal
    #[arg(long)]
    pub no_progress: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Which part of it.
    #[command(flatten)]
    pub request: RequestArguments,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// A selection: a stage (`fit`), some of its cells (`'fit[method=spp,seed=1|2]'`), with what it reads (`+fit`)
    pub stage: String,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Pipeline files, and data set files or names; without any, everything in pipelines/ and datasets/
    pub files: Vec<PathBuf>,
    /// Take data sets from this folder in hub layout instead of the hub
    #[arg(long, value_name = "DIR", env = "COMPT_MIRROR")]
    pub mirror: Option<PathBuf>,
    /// Never ask the network; like HF_HUB_OFFLINE=1
    #[arg(long)]
    pub offline: bool,
    /// Real rows to render for each data set; 0 checks the files only
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rows: usize,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// A selection: a stage (`fit`), some of its cells (`'fit[method=spp,seed=1|2]'`), with what it reads (`+fit`)
    pub stage: String,
    /// Print the log of the last attempt
    #[arg(long)]
    pub log: bool,
    /// Print the record as JSON, or the lines of the log
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// The folder for results
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub outputs: PathBuf,
    /// Print the page's path as JSON
    #[arg(long)]
    pub json: bool,
}

/// What `compt predict --help` ends with.
const PREDICT_EXAMPLES: &str = "\
Examples:
  compt predict --run outputs/quickstart --task imdb --stage 'fit[method=spp,seed=123]' --text 'a fine film'
  compt predict --run outputs/quickstart --task scitail --stage 'fit[seed=123,method=mst]' \\
      --field sentence1='Plants need light.' --field sentence2='Light feeds plants.' --scores
  compt predict --run outputs/quickstart --task scitail --stage 'score[method=spp,task=scitail,seed=123]' \\
      --input pairs.csv --output answers.csv
  produce-rows | compt predict --run pipelines/quickstart.yaml --task imdb --stage 'fit_pt[task=imdb,seed=45]' \\
      --input-format jsonl

Rows have the columns of the task's data set; other columns are passed through. Answers to a file are written
batch by batch; rows from a pipe are answered as they arrive.";

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// The run: its output folder (`outputs/NAME`), or the pipeline file
    #[arg(long, value_name = "PATH")]
    pub run: PathBuf,
    /// The task; may be left out when there is one only
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// The training, where several know the task: `fit[method=spp,seed=123]`, in part (`fit[seed=123]`), or an
    /// evaluation of it, whose settings (and mask) then count
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// A text; once for each column of the task, in their order, or once in the form of the task's template; more of them
    /// are more rows
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with_all = ["field", "input"])]
    pub text: Vec<String>,
    /// A column's text, by name: `--field sentence1=...`; once for each column
    #[arg(long, value_name = "COLUMN=TEXT", value_parser = assignment, conflicts_with = "input")]
    pub field: Vec<(String, String)>,
    /// A file with rows; `-` is standard input, which is also read when there is no text
    #[arg(long, short, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// How the rows are written down [default: as the file's name or its first byte tells]
    #[arg(long, value_name = "FORMAT")]
    pub input_format: Option<Rows>,
    /// Where the answers go [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How the answers are written down [default: as the output's name tells, or as the input]
    #[arg(long, value_name = "FORMAT")]
    pub output_format: Option<Rows>,
    /// Add the log-likelihood and the probability of each label
    #[arg(long)]
    pub scores: bool,
    /// How an answer is found [default: as the run's evaluation does]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<Answering>,
    /// Rows that are answered at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
    /// The folder for results, where `--run` names a pipeline file
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub outputs: PathBuf,
    /// Take the backbone from this folder in hub layout instead of the hub
    #[arg(long, value_name = "DIR", env = "COMPT_MIRROR")]
    pub mirror: Option<PathBuf>,
    /// Never ask the network; like HF_HUB_OFFLINE=1
    #[arg(long)]
    pub offline: bool,
    /// The cache folder of the run
    #[arg(long, value_name = "DIR", env = "COMPT_CACHE", default_value = CACHE)]
    pub cache: PathBuf,
    /// `cpu`, `cuda` or `cuda:N`
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Threads of one operator
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: usize,
}

/// How rows are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Rows {
    /// Comma-separated values under a header.
    Csv,
    /// Tab-separated values under a header.
    Tsv,
    /// One JSON object a line.
    Jsonl,
}

/// How an answer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Answering {
    /// Written freely; may be no label.
    Generate,
    /// The label with the highest log-likelihood.
    Rank,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// A run (`quickstart`, `outputs/quickstart`, `outputs/quickstart/table`) or a published table (a CSV file)
    pub a: String,
    /// What is subtracted from it: another run, or a published table
    pub b: String,
    /// Compare by this metric: `--metric accuracy` for all tasks, `--metric cola=matthews` for one; may be repeated
    #[arg(long = "metric", value_name = "[TASK=]NAME")]
    pub metrics: Vec<String>,
    /// Take only published rows with this value: `--where k=16`; may be repeated
    #[arg(long = "where", value_name = "COLUMN=VALUE", value_parser = assignment)]
    pub chosen: Vec<(String, String)>,
    /// The published column that goes with an axis of ours, where their names differ: `--key shots=k`; may be repeated
    #[arg(long = "key", value_name = "OURS=THEIRS", value_parser = assignment)]
    pub keys: Vec<(String, String)>,
    /// Over how many test examples a published number was taken
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub published_examples: u64,
    /// Write comparison.csv and comparison.md into this folder
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
    /// End with code 8 on differences beyond noise, or on any difference at all
    #[arg(long, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Decimals of what is printed; comparison.csv is not rounded
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub digits: usize,
    /// The folder that runs are looked up in by name
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub outputs: PathBuf,
}

/// What `compare` shall fail on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A difference beyond noise.
    Difference,
    /// A number that is not the same on both sides, or that one side lacks.
    Any,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// The cache folder
    #[arg(long, value_name = "DIR", env = "COMPT_CACHE", default_value = CACHE)]
    pub cache: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArguments {
    /// Compare with the files instead of writing them; fails when they differ
    #[arg(long)]
    pub check: bool,
    /// The folder of the schema files
    #[arg(long, value_name = "DIR", default_value = "schema")]
    pub folder: PathBuf,
    /// Print the names of the files as JSON
    #[arg(long)]
    pub json: bool,
}

fn timeout(text: &str) -> Result<std::time::Duration, String> {
    let parsed = crate::base::duration::parse(text).filter(|timeout| !timeout.is_zero());
    parsed.ok_or_else(|| format!("expected {}", crate::base::duration::EXPECTED))
}

/// Reads `NAME=VALUE`.
///
/// # Errors
/// There is no name or no `=`.
pub fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, for example `--set k=32`".to_owned()),
    }
}
