//! How many numbers a method trains, and how many it keeps (METHODS 5.0).

use serde::Serialize;

use crate::method::compt::Compt;
use crate::method::parameter::Group;

/// Numbers of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All that are trained, encoders included.
    pub trained: u64,
    /// Those needed after training: encoded sources and private prompts.
    pub stored: u64,
    /// Trained, of the sources and their encoders.
    pub source: u64,
    /// Trained, of the private prompts and their encoders.
    pub private: u64,
    /// Trained, of the router.
    pub router: u64,
    /// Trained, of the gates.
    pub gate: u64,
}

/// Counts the parameters of a method.
pub fn counts(method: &Compt) -> Counts {
    let of = |group: Group| {
        let all = method.parameters().all().iter();
        all.filter(|parameter| parameter.group == group).map(|parameter| parameter.tensor.numel() as u64).sum()
    };
    Counts {
        trained: method.parameters().numbers(),
        stored: method.stored(),
        source: of(Group::Source),
        private: of(Group::Private),
        router: of(Group::Router),
        gate: of(Group::Gate),
    }
}
