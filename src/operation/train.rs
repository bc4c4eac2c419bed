//! `train`: learns prompts for the tasks that it reads, jointly, on a frozen backbone. Its body runs in a worker.

mod check;
mod dropout;
mod preset;
mod settings;

use std::path::Path;

use serde_json::Value;

use super::{Operation, parameters};
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};

pub use dropout::Dropout;
pub use settings::*;

/// The operation.
pub struct Train;

/// Bumped when equal inputs and parameters give other results.
const VERSION: u32 = 3;

impl Operation for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn about(&self) -> &'static str {
        "Learns prompts for the tasks it reads, on a frozen backbone"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(TrainParameters)
    }

    fn resolve(&self, written: &Value, _: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let complete = resolve(written)?;
        let mut sources = vec![SourceRef::Model(complete.backbone.clone())];
        sources.extend(complete.prompt.init_file.clone().map(SourceRef::File));
        Ok(Resolved {
            version: VERSION,
            parameters: parameters::complete(&complete),
            accepts: &["format"],
            sources,
            reads_coordinates: false,
            place: Place::Worker { affinity: complete.backbone },
            publishes: false,
        })
    }
}

/// Completes what was written with the defaults of its preset and method, and checks the result.
///
/// # Errors
/// Every parameter that can't be accepted.
pub fn resolve(written: &Value) -> Result<TrainParameters, Vec<ParameterError>> {
    let written = &parameters::left_to_preset(written);
    let mut faults = missing(written);
    let read = match parameters::read::<TrainParameters>(written) {
        Ok(read) if faults.is_empty() => read,
        Ok(_) => return Err(faults),
        Err(more) => {
            faults.extend(more);
            return Err(faults);
        }
    };
    let mut layered = parameters::complete(&preset::bundle(read.method, read.preset));
    overlay(&mut layered, written);
    let mut complete = parameters::read::<TrainParameters>(&layered)?;
    // The values are all there now; the preset's name would only split the key of equal settings.
    complete.preset = None;
    check::join_private_weight(&mut complete, written);
    let faults = check::faults(&complete);
    if faults.is_empty() { Ok(complete) } else { Err(faults) }
}

/// The entries that have no default.
fn missing(written: &Value) -> Vec<ParameterError> {
    let given = |name: &str| written.get(name).is_some_and(|value| !value.is_null());
    let mut faults = Vec::new();
    if !given("method") {
        let mut fault = parameters::fault("method", "`method` is missing");
        fault.help = Some("write `method: pt`, `mst`, `spp` or `scp`".to_owned());
        faults.push(fault);
    }
    if !given("backbone") {
        let mut fault = parameters::fault("backbone", "`backbone` is missing");
        fault.help = Some("write `backbone: google-t5/t5-base`, or another T5 on the hub or in a folder".to_owned());
        faults.push(fault);
    }
    faults
}

/// Lays `top` over `base`: maps are merged, everything else is replaced.
fn overlay(base: &mut Value, top: &Value) {
    match (base, top) {
        (Value::Object(base), Value::Object(top)) => {
            for (name, value) in top {
                match base.get_mut(name) {
                    Some(below) => overlay(below, value),
                    None => {
                        base.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (base, top) => *base = top.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(written: &Value) -> Vec<String> {
        resolve(written).unwrap_err().into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn methods_are_settings_of_the_same_machinery() {
        // METHODS 2.7 and 3: number of sources, composition, learning rates.
        let of = |method: &str| resolve(&json!({"method": method, "backbone": "b"})).unwrap();
        let rates = |p: &TrainParameters| (p.optim.groups.source, p.optim.groups.private, p.optim.groups.router);
        let (pt, mst, spp, scp) = (of("pt"), of("mst"), of("spp"), of("scp"));
        assert_eq!((pt.sources.count, pt.compose), (0, Compose::PrivateOnly));
        assert_eq!((mst.sources.count, mst.compose, mst.router.kind), (1, Compose::SourceOnly, RouterKind::Constant));
        assert_eq!((spp.compose, rates(&spp)), (Compose::Spp, (0.07, 0.02, 0.1)));
        assert_eq!((scp.compose, rates(&scp)), (Compose::Scp, (0.1, 0.1, 0.1)));
    }

    #[test]
    fn a_preset_is_expanded_and_what_is_written_wins() {
        let written = json!({
            "method": "spp", "backbone": "b", "preset": "paper_code",
            "prompt": {"length": 7}, "optim": {"groups": {"private": 0.5}},
        });
        let complete = resolve(&written).unwrap();
        assert_eq!(complete.prompt.length, 7);
        assert_eq!(complete.prompt.position, PromptPosition::BeforeEos);
        assert_eq!((complete.optim.groups.source, complete.optim.groups.private), (0.05, 0.5));
        assert_eq!(complete.router.kind, RouterKind::RelaxedBernoulli);
        assert_eq!(complete.preset, None);
        let again = parameters::complete(&complete);
        assert_eq!(resolve(&again).unwrap(), complete, "complete parameters resolve to themselves");
        let text = resolve(&json!({"method": "scp", "backbone": "b", "preset": "paper_text"})).unwrap();
        assert_eq!((text.prompt.length, text.epochs), (5, 30));
    }

    #[test]
    fn the_word_preset_leaves_a_value_out() {
        let plain = resolve(&json!({"method": "spp", "backbone": "b", "preset": "paper_text"})).unwrap();
        let mut written = json!({
            "method": "spp", "backbone": "b", "preset": "paper_text", "epochs": "preset",
            "prompt": {"length": "preset"},
        });
        assert_eq!(resolve(&written).unwrap(), plain);
        // The default by its name is the default.
        written["preset"] = json!("recommended");
        assert_eq!(resolve(&written).unwrap(), resolve(&json!({"method": "spp", "backbone": "b"})).unwrap());
    }

    #[test]
    fn joint_weights_need_one_word_only() {
        let joint = |extra: Value| {
            let mut written = json!({"method": "scp", "backbone": "b"});
            overlay(&mut written, &extra);
            resolve(&written)
        };
        for extra in [json!({"gate": {"kind": "joint_softmax"}}), json!({"router": {"include_private": true}})] {
            let complete = joint(extra).unwrap();
            assert!(complete.router.include_private);
            assert_eq!(complete.gate.kind, GateKind::JointSoftmax);
        }
        let both = json!({"gate": {"kind": "fixed"}, "router": {"include_private": true}});
        assert_eq!(joint(both).unwrap_err()[0].path, "gate.kind");
    }

    #[test]
    fn impossible_combinations_are_named_all_at_once() {
        assert_eq!(paths(&json!({})), ["method", "backbone"]);
        let written = json!({
            "method": "pt", "backbone": "b", "sources": {"count": 2}, "epochs": 0, "batch": 0,
            "optim": {"betas": [0.9, 1.0], "clip": 0.0}, "prompt": {"init": "words"},
        });
        assert_eq!(
            paths(&written),
            ["sources.count", "prompt.init_words", "optim.betas", "optim.clip", "epochs", "batch"]
        );
        assert_eq!(paths(&json!({"method": "spp", "backbone": "b", "sources": {"count": 0}})), ["sources.count"]);
        assert_eq!(paths(&json!({"method": "spp", "backbone": "b", "compose": "private_only"})), ["compose"]);
        assert_eq!(paths(&json!({"method": "spp", "backbone": "b", "dropout": 1.5})), ["dropout"]);
        assert_eq!(paths(&json!({"method": "spp", "backbone": "b", "router": {"bias": 1.0}})), ["router.bias"]);
        let slip = resolve(&json!({"method": "spp", "backbone": "b", "epoch": 3})).unwrap_err();
        assert_eq!(slip[0].help.as_deref(), Some("did you mean `epochs`?"));
    }

    #[test]
    fn it_reads_formatted_texts_and_its_backbone() {
        let written = json!({"method": "spp", "backbone": "google-t5/t5-base", "dropout": "model"});
        let resolved = Train.resolve(&written, Path::new(".")).unwrap();
        assert_eq!(resolved.accepts, ["format"]);
        assert_eq!(resolved.sources, [SourceRef::Model("google-t5/t5-base".to_owned())]);
        assert_eq!(resolved.parameters["optim"]["groups"]["private"], json!(0.02));
        assert!(serde_json::to_string(&Train.schema()).unwrap().contains("mlp@2"));
    }
}
