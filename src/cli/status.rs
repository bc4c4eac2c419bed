//! `compt status`: where the stages of a pipeline stand now, also while another process runs them.

use clap::Args;
use serde_json::{Value, json};

use super::arguments::PipelineArguments;
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use super::shell_word;
use crate::base::moment;
use crate::exec::standing::{Standing, Tally, standings};
use crate::page::words;
use crate::plan::summary::describe;
use crate::plan::{Instance, Plan};

/// So many failures are told with their errors.
const TOLD: usize = 10;

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// A selection: only these stages or cells (`'fit[method=spp,seed=1|2]'`), or one with what it reads (`+fit`). Without
    /// it, all
    pub stage: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints what is done, what runs, what failed and what is to do. Changes nothing, and disturbs no run.
pub fn status(arguments: &StatusArguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let chosen = arguments.stage.as_deref().map(|selection| session.only(selection)).transpose()?;
    let states = session.assess();
    let (plan, states) = match &chosen {
        None => (&session.plan, states),
        Some(part) => (&part.plan, part.ids.iter().map(|&id| states[id].clone()).collect()),
    };
    let found = standings(&session.store, &states)?;
    let status = Status { plan, found: &found };
    super::print(&match arguments.json {
        true => super::as_json(&status.as_json()),
        false => status.as_text(&shell_word(&arguments.pipeline.file.display().to_string())),
    });
    Ok(())
}

/// A plan, and where its instances stand.
struct Status<'a> {
    plan: &'a Plan,
    found: &'a [Standing],
}

impl Status<'_> {
    /// For each axis its values with where the instances stand that have them.
    fn axes(&self) -> Vec<(&str, Vec<(&str, Tally)>)> {
        let tally = |ids: Vec<usize>| Tally::of(ids.iter().map(|&id| &self.found[id]));
        let values = |axis| self.plan.by_value(axis).into_iter().map(|(value, ids)| (value, tally(ids))).collect();
        self.plan.axes().into_iter().map(|axis| (axis, values(axis))).collect()
    }

    fn which<'s>(
        &'s self,
        such: impl Fn(&Standing) -> bool + 's,
    ) -> impl Iterator<Item = (&'s Instance, &'s Standing)> {
        self.plan.instances.iter().zip(self.found).filter(move |(_, standing)| such(standing))
    }

    fn as_json(&self) -> Value {
        let stages: Vec<Value> = self
            .plan
            .stages
            .iter()
            .map(|stage| {
                let tally = Tally::of(&self.found[stage.instances.clone()]);
                json!({ "stage": stage.name, "operation": stage.operation, "tally": tally })
            })
            .collect();
        let axes: Vec<Value> = self
            .axes()
            .into_iter()
            .map(|(axis, values)| {
                let values: Vec<Value> =
                    values.into_iter().map(|(value, tally)| json!({ "value": value, "tally": tally })).collect();
                json!({ "axis": axis, "values": values })
            })
            .collect();
        let instances: Vec<Value> = self
            .which(|_| true)
            .map(|(instance, standing)| {
                let mut told = json!(standing);
                told["stage"] = instance.name().into();
                told
            })
            .collect();
        json!({
            "pipeline": self.plan.pipeline, "tally": Tally::of(self.found),
            "stages": stages, "axes": axes, "instances": instances,
        })
    }

    fn as_text(&self, file: &str) -> String {
        let mut text = format!("{}: {}\n\n", self.plan.pipeline, Tally::of(self.found));
        let width = self.plan.stages.iter().map(|stage| stage.name.len()).max().unwrap_or(0);
        for stage in &self.plan.stages {
            let (range, instances) = (stage.instances.clone(), &self.plan.instances[stage.instances.clone()]);
            text += &format!("{:width$}  {}\n", stage.name, Tally::of(&self.found[range.clone()]));
            for (word, such) in SHOWN {
                let chosen: Vec<bool> = self.found[range.clone()].iter().map(such).collect();
                let cells = describe(stage, instances, &chosen);
                if !cells.is_empty() {
                    text += &format!("{:width$}    {word}: {cells}\n", "");
                }
            }
        }
        text += &self.by_axis();
        text += &self.running();
        text + &self.failures(file)
    }

    fn by_axis(&self) -> String {
        let axes = self.axes();
        let named = |axis: &str, value: &str| format!("{axis}={value}");
        let names = axes.iter().flat_map(|(axis, values)| values.iter().map(|(value, _)| named(axis, value)));
        let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (axis, values) in &axes {
            text.push('\n');
            for (value, tally) in values {
                text += &format!("{:width$}  {tally}\n", named(axis, value));
            }
        }
        text
    }

    fn running(&self) -> String {
        let mut text = String::new();
        for (instance, standing) in self.which(|standing| matches!(standing, Standing::Running { .. })) {
            let Standing::Running { by } = standing else { continue };
            let since = words::duration(moment::now().saturating_sub(by.started) as f64);
            text += &format!("\n{} runs: {by}, for {since}", instance.name());
        }
        if text.is_empty() { text } else { text + "\n" }
    }

    fn failures(&self, file: &str) -> String {
        let failed: Vec<_> = self.which(|standing| matches!(standing, Standing::Failed { .. })).collect();
        let mut text = String::new();
        for (instance, standing) in failed.iter().take(TOLD) {
            let Standing::Failed { message, .. } = standing else { continue };
            text += &format!("\n{} failed: {message}", instance.name());
        }
        if let Some((first, _)) = failed.first() {
            let more = failed.len().saturating_sub(TOLD);
            text += &if more > 0 { format!("\nand {more} more failed\n") } else { "\n".to_owned() };
            text += &format!("`compt show {file} {} --log` prints the log\n", shell_word(first.name()));
        }
        text
    }
}

/// A word for some instances of a stage, and which they are.
type Shown = (&'static str, fn(&Standing) -> bool);

/// What is told of a stage by its axes.
const SHOWN: [Shown; 3] = [
    ("running", |standing| matches!(standing, Standing::Running { .. })),
    ("failed", |standing| matches!(standing, Standing::Failed { .. })),
    ("to do", |standing| matches!(standing, Standing::ToDo | Standing::Stopped)),
];
