//! Any text as a selection of a fixed plan: read and applied, or refused with a message that points into the text. Nothing may
//! panic or hang. A line break in the input parts two selections; if both mean something, so do they together.

#![no_main]
#![allow(dead_code, missing_docs, unused_imports)] // the modules are used by more than this

#[path = "../../src/base/mod.rs"]
mod base;
mod operations;
#[path = "../../src/plan/mod.rs"]
mod plan;
#[path = "../../src/protocol/mod.rs"]
mod protocol;
#[path = "../../src/spec/mod.rs"]
mod spec;

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use operations::Anything;
use plan::Plan;
use plan::selection::{InstanceSet, select};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/targets/plan.yaml"));
    let planned = spec::load(path, &spec::Settings::default());
    let planned = planned.and_then(|pipeline| plan::expand(&pipeline, &Anything, path));
    planned.unwrap_or_else(|invalid| panic!("{}", spec::render(&invalid, false)))
});

/// What one text means; the message of a fault must show where it is.
fn meaning(text: &str) -> Option<InstanceSet> {
    match select(&PLAN, &[text.to_owned()]) {
        Ok(set) => Some(set),
        Err(error) => {
            assert_eq!(error.expression, text);
            assert!(text.get(error.at.clone()).is_some(), "{error:?}");
            assert!(error.to_string().contains('^'));
            None
        }
    }
}

fuzz_target!(|text: &str| {
    let Some((one, other)) = text.split_once('\n') else {
        meaning(text);
        return;
    };
    let (Some(one_set), Some(other_set)) = (meaning(one), meaning(other)) else { return };
    // The name of an instance may have characters in it that mean something inside a longer selection.
    if PLAN.find(one).is_none() && PLAN.find(other).is_none() {
        assert_eq!(meaning(&format!("{one},{other}")), Some(one_set.or(&other_set)));
    }
});
