//! Selections: a text such as `+fit[seed=1|2] & !*[method=scp]` as instances of a plan.
//!
//! ```text
//! selection = group { "," group }                          either
//! group     = factor { "&" factor }                        both
//! factor    = { "!" } term                                 everything but
//! term      = [ [ depth ] "+" ] stages [ "+" [ depth ] ]   with what they read, with what reads them
//! stages    = name [ "[" filter { "," filter } "]" ]       `*` in a name stands for any characters
//! filter    = axis "=" value { "|" value }                 a value may stand in double quotes
//! ```
//!
//! `parse` reads a text, `apply` finds what it means in a plan, `set` has the algebra. [`request`] puts together
//! what `--only`, `--until`, `--from` and `--force` say, and [`part`] makes the plan that is run of it.

mod apply;
mod error;
#[cfg(test)]
mod model_test;
mod parse;
pub mod part;
pub mod request;
mod set;
#[cfg(test)]
mod tests;

pub use error::SelectionError;
pub use parse::Expression;
pub use part::Narrowed;
pub use request::{Part, Request, RequestError};
pub use set::InstanceSet;

use super::Plan;

/// The instances that any of `texts` means. The name of an instance, as it is printed everywhere, means this instance,
/// whatever characters its axis values have.
///
/// # Errors
/// The first text that is no selection, or that names what the plan lacks.
pub fn select(plan: &Plan, texts: &[String]) -> Result<InstanceSet, SelectionError> {
    let mut chosen = InstanceSet::none(plan.instances.len());
    for text in texts {
        let meant = match plan.find(text) {
            Some(instance) => InstanceSet::of(plan.instances.len(), [instance.id]),
            None => Expression::parse(text)?.apply(plan)?,
        };
        chosen = chosen.or(&meant);
    }
    Ok(chosen)
}
