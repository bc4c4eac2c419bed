//! Combinations of training parameters that make no sense, each with what to write instead.

use serde_json::Value;

use super::settings::*;
use crate::operation::parameters::fault;
use crate::plan::catalog::ParameterError;

/// T5 was trained on inputs of this many tokens; a prompt that leaves no room beside it is a slip.
const LONGEST_PROMPT: usize = 512;

/// `gate.kind: joint_softmax` and `router.include_private: true` mean the same; either one, written, sets the other.
pub(super) fn join_private_weight(parameters: &mut TrainParameters, written: &Value) {
    let written = |part: &str, name: &str| written.get(part).and_then(|map| map.get(name)).is_some();
    let joint = parameters.gate.kind == GateKind::JointSoftmax;
    if joint && !written("router", "include_private") {
        parameters.router.include_private = true;
    }
    if parameters.router.include_private && !written("gate", "kind") {
        parameters.gate.kind = GateKind::JointSoftmax;
    }
}

/// Every fault of complete parameters.
pub(super) fn faults(parameters: &TrainParameters) -> Vec<ParameterError> {
    let mut faults = Faults(Vec::new());
    composition(parameters, &mut faults);
    prompt(parameters, &mut faults);
    router(parameters, &mut faults);
    optimizer(&parameters.optim, &mut faults);
    faults.unless(parameters.epochs > 0, "epochs", "`epochs` is 0: nothing would be trained", "write 1 or more");
    faults.unless(parameters.batch > 0, "batch", "`batch` is 0: a batch needs an example", "write 1 or more");
    faults.unless(
        parameters.max_source_tokens > 1,
        "max_source_tokens",
        "`max_source_tokens` leaves no token of a text beside its end mark",
        "write 2 or more, for example 256",
    );
    faults.unless(
        parameters.max_target_tokens != Some(0),
        "max_target_tokens",
        "`max_target_tokens` is 0: nothing of a label would be left",
        "write 1 or more, or `null` to keep all",
    );
    faults.unless(
        parameters.checkpoint_every != Some(0),
        "checkpoint_every",
        "`checkpoint_every` is 0",
        "write a number of steps, or `null` for one every ten seconds of work",
    );
    faults.0
}

struct Faults(Vec<ParameterError>);

impl Faults {
    fn unless(&mut self, good: bool, path: &str, message: &str, help: &str) {
        if !good {
            self.0.push(ParameterError { help: Some(help.to_owned()), ..fault(path, message) });
        }
    }
}

fn composition(parameters: &TrainParameters, faults: &mut Faults) {
    let TrainParameters { method, compose, sources, .. } = parameters;
    let fits = match method {
        Method::Pt => *compose == Compose::PrivateOnly,
        Method::Mst => *compose == Compose::SourceOnly,
        Method::Spp | Method::Scp => *compose != Compose::PrivateOnly,
    };
    let help = match method {
        Method::Pt => "leave `compose` out, or choose `method: spp` or `scp`",
        Method::Mst => "leave `compose` out, or choose `method: spp` or `scp`",
        Method::Spp | Method::Scp => "for prompts without sources write `method: pt`",
    };
    faults.unless(fits, "compose", "this composition is not one of the method's", help);
    let any = sources.count > 0 || sources.per_task;
    if *method == Method::Pt {
        let message = "`method: pt` has no sources, so nothing would use these";
        faults.unless(!any, "sources.count", message, "write 0 and `per_task: false`, or choose `method: spp`");
    } else {
        let message = "there are no sources, and the method is made of them";
        faults.unless(any, "sources.count", message, "write 1 or more, or choose `method: pt`");
    }
    let joint = parameters.gate.kind == GateKind::JointSoftmax;
    faults.unless(
        joint == parameters.router.include_private,
        "gate.kind",
        "`router.include_private: true` goes with `gate.kind: joint_softmax` and with no other",
        "write one of the two and leave the other out",
    );
    faults.unless(
        !joint || matches!(compose, Compose::Spp | Compose::Scp | Compose::Prod | Compose::CatProd),
        "gate.kind",
        "`joint_softmax` weighs the private prompt, and this composition has none",
        "choose `compose: spp` or `scp`, or another gate",
    );
    faults.unless(
        parameters.gate.fixed.iter().chain([&parameters.gate.init]).all(|number| number.is_finite()),
        "gate",
        "gates must be finite numbers",
        "write `fixed: [1.0, 1.0]` (alpha, beta) and `init: 0.0`",
    );
}

fn prompt(parameters: &TrainParameters, faults: &mut Faults) {
    let prompt = &parameters.prompt;
    let rows = match parameters.compose {
        Compose::Scp => 2 * prompt.length,
        Compose::Cat | Compose::CatProd => prompt.length.saturating_mul(kept_sources(parameters).max(1)),
        _ => prompt.length,
    };
    faults.unless(prompt.length > 0, "prompt.length", "a prompt needs a row", "write 1 or more, for example 10");
    let message =
        format!("the composed prompt has {rows} rows; a T5 reads {LONGEST_PROMPT} tokens, and the text needs some");
    faults.unless(rows < LONGEST_PROMPT, "prompt.length", &message, "write a smaller length, for example 10");
    let used = |init| prompt.init == init || prompt.private_init == Some(init);
    faults.unless(
        used(Init::Words) != prompt.init_words.is_empty(),
        "prompt.init_words",
        "`init_words` goes with `init: words` and with no other",
        "write `init: words` and `init_words: [review, sentiment]`",
    );
    faults.unless(
        used(Init::File) == prompt.init_file.is_some(),
        "prompt.init_file",
        "`init_file` goes with `init: file` and with no other",
        "write `init: file` and `init_file: path/prompts.safetensors`",
    );
    faults.unless(
        parameters.encoder.hidden != Some(0),
        "encoder.hidden",
        "`encoder.hidden` is 0",
        "write 1 or more, or `null` for the backbone's width",
    );
}

/// How many sources a task's concatenation has, as far as it is known before the tasks are.
fn kept_sources(parameters: &TrainParameters) -> usize {
    match parameters.router.top_k {
        0 => parameters.sources.count + usize::from(parameters.sources.per_task),
        kept => kept,
    }
}

fn router(parameters: &TrainParameters, faults: &mut Faults) {
    let router = &parameters.router;
    faults.unless(
        router.bias.is_finite() && (router.bias == 0.0 || parameters.sources.per_task),
        "router.bias",
        "the bias belongs to a task's own source, and tasks have none",
        "write `sources: {per_task: true}`, or leave the bias out",
    );
    faults.unless(
        parameters.sources.per_task || router.top_k <= parameters.sources.count,
        "router.top_k",
        "`top_k` is larger than the number of sources",
        "write at most `sources.count`, or 0 to keep all",
    );
    let heat = &router.temperature;
    faults.unless(
        heat.min > 0.0 && heat.start >= heat.min && heat.start.is_finite(),
        "router.temperature",
        "the temperature must start at or above `min`, and `min` above 0",
        "write `{start: 5.0, min: 0.001}`",
    );
    faults.unless(
        heat.rate.is_none_or(|rate| rate >= 0.0 && rate.is_finite()),
        "router.temperature.rate",
        "the rate must be 0 or more",
        "write for example 0.02, or `null`",
    );
    faults.unless(
        router.kind != RouterKind::Constant || !router.include_private,
        "router.include_private",
        "constant weights leave nothing for the private prompt's entry to learn",
        "write `router: {kind: direct}`, or `gate: {kind: fixed}`",
    );
}

fn optimizer(optim: &OptimizerSettings, faults: &mut Faults) {
    let GroupRates { source, private, router, gate } = optim.groups;
    let rates = [source, private, router, gate];
    faults.unless(
        rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0),
        "optim.groups",
        "learning rates must be 0 or more",
        "write for example `{source: 0.07, private: 0.02, router: 0.1, gate: 0.1}`",
    );
    faults.unless(
        optim.weight_decay.is_finite() && optim.weight_decay >= 0.0,
        "optim.weight_decay",
        "the weight decay must be 0 or more",
        "write for example 0.01",
    );
    faults.unless(
        optim.betas.iter().all(|beta| (0.0..1.0).contains(beta)),
        "optim.betas",
        "each of the two betas must be at least 0 and below 1",
        "write `[0.9, 0.999]`",
    );
    faults.unless(optim.eps > 0.0, "optim.eps", "`eps` must be above 0", "write 1e-8");
    faults.unless(
        (0.0..=1.0).contains(&optim.warmup),
        "optim.warmup",
        "the warm-up is a part of all steps, from 0 to 1",
        "write for example 0.2",
    );
    faults.unless(
        optim.clip.is_none_or(|clip| clip > 0.0),
        "optim.clip",
        "the largest gradient norm must be above 0",
        "write 1.0, or `null` for no limit",
    );
}
