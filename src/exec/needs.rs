//! What an instance takes while it runs, and how much of everything a run has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forecast::Parts;
use super::resources::{Amounts, CPU, GPU, LIGHT, Ledger, Shortage, WORKER};
use super::run::Options;
use crate::plan::catalog::Place;
use crate::plan::key::Numeric;
use crate::plan::{Instance, Plan};
use crate::protocol::StageError;

/// What `instance` takes. A stage in a worker takes its threads and, on CUDA, at least one GPU; on the CPU it needs
/// none, so that a pipeline that asks for GPUs also runs without. A program takes its threads, and the GPUs that its
/// stage names on every device: nobody else knows what it does with them.
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
    let mut total = options.resources.clone();
    let cores = total.get(CPU).copied().unwrap_or(options.cores as u64).max(1);
    total.insert(WORKER.into(), options.jobs.max(1) as u64);
    total.insert(CPU.into(), widest.max(cores));
    total.insert(LIGHT.into(), cores);
    Ledger::new(total, options.gpus.clone())
}

/// What each instance of a plan takes of all there is in a run with these options.
pub fn parts(plan: &Plan, numeric: &Numeric, options: &Options) -> Vec<Parts> {
    let needs = all(plan, numeric);
    let ledger = ledger(&needs, options);
    let numbers: BTreeMap<&str, usize> = ledger.total().keys().zip(0..).map(|(name, i)| (name.as_str(), i)).collect();
    let part = |(name, needed): (&String, &u64)| {
        let total = *ledger.total().get(name)?;
        Some((*numbers.get(name.as_str())?, (*needed as f64 / total.max(1) as f64).min(1.0)))
    };
    let mut parts: Vec<Parts> = Vec::with_capacity(needs.len());
    for (id, needed) in needs.iter().enumerate() {
        let before = id.checked_sub(1).filter(|before| Arc::ptr_eq(&needs[*before], needed));
        parts.push(match before {
            Some(before) => Arc::clone(&parts[before]),
            None => needed.iter().filter_map(part).collect(),
        });
    }
    parts
}

/// Why instances of a plan can't run in a run with these options; nothing for those that can.
pub fn shortages(plan: &Plan, numeric: &Numeric, options: &Options) -> Vec<Option<StageError>> {
    let needs = all(plan, numeric);
    let ledger = ledger(&needs, options);
    let explained = |(instance, needs): (&Instance, &Arc<Amounts>)| {
        ledger.shortage(needs).map(|shortage| explain(&shortage, &instance.place))
    };
    plan.instances.iter().zip(&needs).map(explained).collect()
}

/// A shortage as the reason why a stage at this place can't run.
pub(super) fn explain(shortage: &Shortage, place: &Place) -> StageError {
    let Shortage { name, needed, total } = shortage;
    match (name.as_str(), total) {
        (GPU, total) => {
            // A worker needs a GPU only where it computes on one; a program needs it wherever workers compute.
            let hint = match place {
                Place::Program => "name as many with `--gpus`, or lower it in the stage's `resources`",
                Place::Thread | Place::Worker { .. } => "run with `--device cpu`, or name more GPUs with `--gpus`",
            };
            StageError::environment(format!("it needs {needed} `gpu`, but this run has {}", total.unwrap_or(0)))
                .with_hint(hint)
        }
        (_, Some(total)) => StageError::environment(format!("it needs {needed} `{name}`, but this run has {total}"))
            .with_hint(format!(
                "lower it in the stage's `resources`, or raise the limit with `--resource {name}={needed}`"
            )),
        (_, None) => StageError::environment(format!("it needs {needed} `{name}`, and nobody said how much there is"))
            .with_hint(format!("say it with `--resource {name}={needed}`")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::{Amounts, CPU, LIGHT, ledger, parts};
    use crate::exec::forecast::seconds_left;
    use crate::exec::run::Options;
    use crate::exec::testing::{numeric, plan};
    use crate::plan::Plan;
    use crate::plan::catalog::Place;

    /// Six cores that the run may use, of eight or of two that there are; a stage of more threads has them all.
    #[test]
    fn the_cores_are_those_of_the_machine_unless_the_run_says_others() {
        let cpu = |cores, said: Option<u64>, widest| {
            let resources = said.map(|said| (CPU.to_owned(), said)).into_iter().collect();
            let needs = [Arc::new(Amounts::from([(CPU.to_owned(), widest)]))];
            let ledger = ledger(&needs, &Options { cores, resources, ..Options::default() });
            (ledger.total()[CPU], ledger.total()[LIGHT])
        };
        assert_eq!(cpu(8, None, 1), (8, 8));
        assert_eq!(cpu(8, Some(6), 1), (6, 6));
        assert_eq!(cpu(2, Some(6), 1), (6, 6));
        assert_eq!(cpu(2, Some(6), 7), (7, 6));
        assert_eq!(cpu(0, Some(0), 1), (1, 1));
    }

    /// Ten programs of a minute each on eight cores; of one licence, all of them need it, or three.
    #[test]
    fn a_run_is_expected_to_wait_for_what_is_scarce() {
        let mut plan = plan(&["a"; 10].map(|name| (name, &[][..], json!({}))));
        plan.instances.iter_mut().for_each(|instance| instance.place = Place::Program);
        let options =
            Options { jobs: 8, cores: 8, resources: [("licence".to_owned(), 1)].into(), ..Options::default() };
        let minutes = |plan: &Plan| {
            let left = seconds_left(&vec![Vec::new(); 10], &[Some(60.0); 10], &parts(plan, &numeric(), &options));
            left.unwrap() / 60.0
        };
        assert_eq!(minutes(&plan), 1.25, "ten minutes of work shared by eight workers");
        plan.instances.iter_mut().for_each(|instance| instance.resources = [("licence".to_owned(), 1)].into());
        assert_eq!(minutes(&plan), 10.0);
        // The others need none.
        plan.instances[3..].iter_mut().for_each(|instance| instance.resources.clear());
        assert_eq!(minutes(&plan), 3.0);
    }
}
