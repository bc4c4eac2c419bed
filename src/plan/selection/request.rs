//! What `--only`, `--until`, `--from` and `--force` ask for, put together.

use std::collections::BTreeSet;

use super::part::Narrowed;
use super::{InstanceSet, SelectionError, select};
use crate::plan::key::Numeric;
use crate::plan::{Plan, State};

/// Which part of a plan a command is about, as it was typed. Several selections of one kind mean what any of them means;
/// of several kinds, what all of them mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// These, and nothing else.
    pub only: Vec<String>,
    /// These, and everything that they read.
    pub until: Vec<String>,
    /// These, everything that reads them, and what these need.
    pub from: Vec<String>,
    /// These even if they have a result.
    pub force: Vec<String>,
}

/// What a request means.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The instances that are asked for and all that they read: what is run. None when that is everything.
    pub narrowed: Option<Narrowed>,
    /// Those that are asked for, by their place in what is run.
    pub targets: InstanceSet,
    /// Those that run even if they have a result, and those that do the same work.
    pub forced: InstanceSet,
    /// Whether nothing but the targets may run.
    pub alone: bool,
}

/// Why a request can't be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A selection is wrong.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The selections have nothing in common.
    #[error("{asked} {} nothing{}", if *one { "selects" } else { "select" }, if *one { "" } else { " together" })]
    Nothing {
        /// The flags with their selections.
        asked: String,
        /// Whether it is one selection.
        one: bool,
    },
    /// What is forced is not selected.
    #[error("`--force` is for {forced}, of which nothing is selected by {asked}")]
    NotForced {
        /// What is forced.
        forced: String,
        /// The flags with their selections.
        asked: String,
    },
}

impl RequestError {
    /// What to type instead.
    pub fn help(&self) -> String {
        match self {
            Self::Selection(error) => error.help.clone().unwrap_or_default(),
            Self::Nothing { one: true, .. } => "`compt plan FILE` shows the stages and their axes".to_owned(),
            Self::Nothing { .. } => {
                "`--only`, `--until` and `--from` mean what all of them mean; leave one of them out".to_owned()
            }
            Self::NotForced { .. } => "`--force` without a selection forces everything that is selected".to_owned(),
        }
    }
}

impl Request {
    /// Whether anything is asked for; otherwise it is everything.
    pub fn narrows(&self) -> bool {
        !(self.only.is_empty() && self.until.is_empty() && self.from.is_empty())
    }

    /// Finds what it means in `plan`.
    ///
    /// # Errors
    /// A selection is wrong, or nothing is selected or forced.
    pub fn of(&self, plan: &Plan, numeric: &Numeric) -> Result<Part, RequestError> {
        let targets = self.targets(plan)?;
        let forced = self.forced(plan, &targets)?;
        if !self.narrows() {
            let forced = same_work(plan, &forced, numeric);
            return Ok(Part { narrowed: None, targets, forced, alone: false });
        }
        let narrowed = Narrowed::of(plan, &targets);
        let forced = same_work(&narrowed.plan, &narrowed.inside(&forced), numeric).and(&narrowed.inside(&targets));
        let targets = narrowed.inside(&targets);
        Ok(Part { narrowed: Some(narrowed), targets, forced, alone: !self.only.is_empty() })
    }

    fn targets(&self, plan: &Plan) -> Result<InstanceSet, RequestError> {
        let mut targets = InstanceSet::all(plan.instances.len());
        if !self.only.is_empty() {
            targets = targets.and(&select(plan, &self.only)?);
        }
        if !self.until.is_empty() {
            targets = targets.and(&select(plan, &self.until)?.with_read(plan, usize::MAX));
        }
        if !self.from.is_empty() {
            targets = targets.and(&select(plan, &self.from)?.with_readers(plan, usize::MAX));
        }
        if targets.is_empty() && self.narrows() {
            let one = self.only.len() + self.until.len() + self.from.len() == 1;
            return Err(RequestError::Nothing { asked: self.asked(), one });
        }
        Ok(targets)
    }

    fn forced(&self, plan: &Plan, targets: &InstanceSet) -> Result<InstanceSet, RequestError> {
        let forced = select(plan, &self.force)?.and(targets);
        if forced.is_empty() && !self.force.is_empty() && self.narrows() {
            let forced: Vec<String> = self.force.iter().map(|text| format!("`{text}`")).collect();
            return Err(RequestError::NotForced { forced: forced.join(" and "), asked: self.asked() });
        }
        Ok(forced)
    }

    /// The flags that narrow, as they were typed.
    fn asked(&self) -> String {
        let flags = [("--only", &self.only), ("--until", &self.until), ("--from", &self.from)];
        let typed = flags.iter().flat_map(|(flag, texts)| texts.iter().map(move |text| format!("`{flag} '{text}'`")));
        typed.collect::<Vec<_>>().join(" and ")
    }
}

impl Part {
    /// What is run of the plan that the request was put to.
    pub fn plan<'a>(&'a self, whole: &'a Plan) -> &'a Plan {
        self.narrowed.as_ref().map_or(whole, |narrowed| &narrowed.plan)
    }

    /// What has to be in the cache and is not, since nothing but the targets may run; `states` of the instances of the
    /// part.
    pub fn missing(&self, states: &[State]) -> Vec<usize> {
        let is_missing = |id: &usize| self.alone && !self.targets.has(*id) && states[*id].output().is_none();
        (0..states.len()).filter(is_missing).collect()
    }
}

/// With the instances that do the same work: it is the work that is forced, whichever of them does it.
fn same_work(plan: &Plan, forced: &InstanceSet, numeric: &Numeric) -> InstanceSet {
    if forced.is_empty() {
        return forced.clone();
    }
    let firsts = plan.firsts(numeric);
    let works: BTreeSet<usize> = forced.ids().map(|id| firsts[id]).collect();
    InstanceSet::of(firsts.len(), (0..firsts.len()).filter(|&id| works.contains(&firsts[id])))
}
