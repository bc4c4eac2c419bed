//! What an instance takes while it runs, and how much of everything a run has.

use std::sync::Arc;

use super::resources::{Amounts, CPU, GPU, LIGHT, Ledger, Shortage, WORKER};
use super::run::Options;
use crate::plan::catalog::Place;
use crate::plan::key::Numeric;
use crate::plan::{Instance, Plan};
use crate::protocol::StageError;

/// What `instance` takes. A stage in a worker takes its threads and, on CUDA, at least one GPU; on the CPU it needs none,
/// so that a pipeline that asks for GPUs also runs without. A program takes the same, and the GPUs that its stage names:
/// nobody else knows what it does with them.
///
/// `attempt` is 1 for the first one; what is a list in the stage's `resources` grows with it.
pub(super) fn of(instance: &Instance, numeric: &Numeric, attempt: u32) -> Amounts {
    let amount = |(name, first): (&String, &u64)| (name.clone(), instance.policy.amount(name, *first, attempt));
    let mut needs: Amounts = instance.resources.iter().map(amount).collect();
    let gpus = needs.get(GPU).copied();
    needs.remove(GPU);
    match instance.place {
        Place::Thread => {
            needs.remove(CPU);
            needs.insert(LIGHT.into(), 1);
        }
        Place::Program => {
            needs.insert(WORKER.into(), 1);
            needs.insert(CPU.into(), numeric.of(instance).threads as u64);
            needs.extend(gpus.map(|gpus| (GPU.into(), gpus)));
        }
        Place::Worker { .. } => {
            needs.insert(WORKER.into(), 1);
            needs.insert(CPU.into(), numeric.of(instance).threads as u64);
            if numeric.device != "cpu" {
                needs.insert(GPU.into(), gpus.unwrap_or(1).max(1));
            }
        }
    }
    needs
}

/// What each instance of a plan takes in its first attempt; those of one stage share it where they can.
pub(super) fn all(plan: &Plan, numeric: &Numeric) -> Vec<Arc<Amounts>> {
    let mut all: Vec<Arc<Amounts>> = Vec::with_capacity(plan.instances.len());
    for (id, instance) in plan.instances.iter().enumerate() {
        let before = id.checked_sub(1).map(|before| &plan.instances[before]);
        let same = |other: &&Instance| other.stage == instance.stage && other.resources == instance.resources;
        all.push(match (before.filter(same), all.last()) {
            (Some(_), Some(needs)) => Arc::clone(needs),
            _ => Arc::new(of(instance, numeric, 1)),
        });
    }
    all
}

/// Everything there is: the user's own amounts, `jobs` workers whose threads share the cores, one light stage per core.
///
/// A single stage may have more threads than there are cores, because its thread count is part of its key and so may
/// come from a bigger machine; it then has all cores for itself.
pub(super) fn ledger(needs: &[Arc<Amounts>], options: &Options) -> Ledger {
    let widest = needs.iter().filter_map(|needs| needs.get(CPU)).max().copied().unwrap_or(0);
    let cores = options.cores.max(1) as u64;
    let mut total = options.resources.clone();
    total.insert(WORKER.into(), options.jobs.max(1) as u64);
    total.insert(CPU.into(), widest.max(cores));
    total.insert(LIGHT.into(), cores);
    Ledger::new(total, options.gpus.clone())
}

/// A shortage as the reason why a stage can't run.
pub(super) fn explain(shortage: &Shortage) -> StageError {
    let Shortage { name, needed, total } = shortage;
    match (name.as_str(), total) {
        (GPU, total) => {
            StageError::environment(format!("it needs {needed} `gpu`, but this run has {}", total.unwrap_or(0)))
                .with_hint("run with `--device cpu`, or name more GPUs with `--gpus`")
        }
        (_, Some(total)) => StageError::environment(format!("it needs {needed} `{name}`, but this run has {total}"))
            .with_hint(format!(
                "lower it in the stage's `resources`, or raise the limit with `--resource {name}={needed}`"
            )),
        (_, None) => StageError::environment(format!("it needs {needed} `{name}`, and nobody said how much there is"))
            .with_hint(format!("say it with `--resource {name}={needed}`")),
    }
}
