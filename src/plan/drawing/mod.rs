//! A plan as a graph to look at: a value that says what is drawn, and its form as text, DOT and Mermaid.
//!
//! What is cached is told by fill and outline and in words, never by colour alone. Included pipelines are groups.

mod dot;
mod mermaid;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Instance, Plan, State};

pub use dot::dot;
pub use mermaid::mermaid;
pub use text::text;

/// Stages, or instances, and what they read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Graph {
    /// The pipeline's name.
    pub pipeline: String,
    /// What it is about, for people.
    pub title: Option<String>,
    /// The pipelines that the nodes come from: the file itself first, each included one after the one that includes it.
    pub groups: Vec<Group>,
    /// The nodes; each stands after all that it reads.
    pub nodes: Vec<Node>,
}

/// One pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What stands before the names of its stages; empty for the file itself.
    pub scope: String,
    /// Its title, or else its name.
    pub title: String,
    /// The group that includes it, by its place in the list.
    pub within: Option<usize>,
}

/// One stage, or one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its whole name.
    pub name: String,
    /// Its group, by its place in the list.
    pub group: usize,
    /// What it is, for people.
    pub title: Option<String>,
    /// The operation.
    pub operation: String,
    /// Its instances.
    pub count: usize,
    /// Those whose result is there.
    pub cached: usize,
    /// Those that run only if something that they read turns out to be changed.
    pub may_run: usize,
    /// The nodes that it reads, by their place in the list.
    pub reads: Vec<usize>,
}

/// How much of a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All of it.
    Cached,
    /// Some instances of a stage.
    Partly,
    /// Nothing.
    Absent,
}

impl Standing {
    /// All of them, as a legend shows them.
    pub const ALL: [Self; 3] = [Self::Cached, Self::Partly, Self::Absent];

    /// What a legend says.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Partly => "partly cached",
            Self::Absent => "to run",
        }
    }
}

impl Node {
    /// Its name inside its group.
    pub fn short_name<'a>(&'a self, graph: &Graph) -> &'a str {
        let scope = graph.groups.get(self.group).map_or("", |group| group.scope.as_str());
        let inside = self.name.strip_prefix(scope).filter(|_| !scope.is_empty());
        inside.and_then(|inside| inside.strip_prefix('.')).unwrap_or(&self.name)
    }

    /// How much of it is there.
    pub fn standing(&self) -> Standing {
        match self.cached {
            cached if cached == self.count => Standing::Cached,
            0 => Standing::Absent,
            _ => Standing::Partly,
        }
    }

    /// `format × 18`; the operation alone where there is one instance.
    pub fn work(&self) -> String {
        if self.count == 1 { self.operation.clone() } else { format!("{} × {}", self.operation, self.count) }
    }

    /// How much of it is there, in words: `12 of 18 cached`, `to run`, `may run`.
    pub fn progress(&self) -> String {
        match self.standing() {
            Standing::Cached => "cached".to_owned(),
            Standing::Partly => format!("{} of {} cached", self.cached, self.count),
            Standing::Absent if self.may_run == self.count => "may run".to_owned(),
            Standing::Absent => "to run".to_owned(),
        }
    }
}

impl Graph {
    /// The stages of a plan; `titles` are those of included pipelines by their scope.
    pub fn of_stages(plan: &Plan, states: &[State], title: Option<String>, titles: &BTreeMap<String, String>) -> Self {
        let stage_of: Vec<usize> =
            plan.stages.iter().enumerate().flat_map(|(at, stage)| stage.instances.clone().map(move |_| at)).collect();
        let mut graph = Self::empty(plan, title);
        for (at, stage) in plan.stages.iter().enumerate() {
            let instances = &plan.instances[stage.instances.clone()];
            let reads: BTreeSet<usize> =
                instances.iter().flat_map(|instance| &instance.inputs).map(|&input| stage_of[input]).collect();
            let states = &states[stage.instances.clone()];
            let node = Node {
                name: stage.name.clone(),
                group: graph.group(instances.first().map_or("", |instance| &instance.scope), titles),
                title: stage.title.clone(),
                operation: stage.operation.clone(),
                count: instances.len(),
                cached: states.iter().filter(|state| state.output().is_some()).count(),
                may_run: states.iter().filter(|state| state.may_be_unchanged()).count(),
                reads: reads.into_iter().filter(|&read| read < at).collect(),
            };
            graph.nodes.push(node);
        }
        graph
    }

    /// The instances of a plan.
    pub fn of_instances(
        plan: &Plan,
        states: &[State],
        title: Option<String>,
        titles: &BTreeMap<String, String>,
    ) -> Self {
        let mut graph = Self::empty(plan, title);
        for (instance, state) in plan.instances.iter().zip(states) {
            let Instance { scope, title, operation, inputs, .. } = instance;
            let node = Node {
                name: instance.name().to_owned(),
                group: graph.group(scope, titles),
                title: title.clone(),
                operation: operation.clone(),
                count: 1,
                cached: usize::from(state.output().is_some()),
                may_run: usize::from(state.may_be_unchanged()),
                reads: inputs.clone(),
            };
            graph.nodes.push(node);
        }
        graph
    }

    fn empty(plan: &Plan, title: Option<String>) -> Self {
        let root =
            Group { scope: String::new(), title: title.clone().unwrap_or_else(|| plan.pipeline.clone()), within: None };
        Self { pipeline: plan.pipeline.clone(), title, groups: vec![root], nodes: Vec::new() }
    }

    /// The group of a scope; it and those that include it are added where they are not there yet.
    fn group(&mut self, scope: &str, titles: &BTreeMap<String, String>) -> usize {
        if let Some(found) = self.groups.iter().position(|group| group.scope == scope) {
            return found;
        }
        let (above, name) = scope.rsplit_once('.').unwrap_or(("", scope));
        let within = Some(self.group(above, titles));
        let title = titles.get(scope).cloned().unwrap_or_else(|| name.to_owned());
        self.groups.push(Group { scope: scope.to_owned(), title, within });
        self.groups.len() - 1
    }

    /// The groups that a group includes, by their place in the list.
    pub fn included(&self, group: usize) -> impl Iterator<Item = usize> {
        self.groups.iter().enumerate().filter(move |(_, inner)| inner.within == Some(group)).map(|(place, _)| place)
    }

    /// The nodes of a group itself, by their place in the list.
    pub fn nodes_of(&self, group: usize) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(move |(_, node)| node.group == group).map(|(place, _)| place)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::{Graph, Standing};
    use crate::base::Digest;
    use crate::plan::instance::tests::small;
    use crate::plan::reason::Reason;
    use crate::plan::{Plan, State};

    /// Where the instances of [`small`] stand: data is there, one of two `fit` too, the table waits.
    pub fn states() -> Vec<State> {
        let cached = State::Cached { key: Digest::of(b"k"), output: Digest::of(b"o") };
        let waits = Reason::Upstream { stages: [("fit".to_owned(), 1)].into() };
        vec![
            cached.clone(),
            cached.clone(),
            cached,
            State::Run { key: Some(Digest::of(b"x")), certain: true, reasons: vec![Reason::NeverRun] },
            State::Run { key: None, certain: false, reasons: vec![waits] },
        ]
    }

    /// [`small`] with data and training in an included pipeline, whose title needs care in every format.
    pub fn included() -> Graph {
        let mut plan: Plan = small();
        for instance in &mut plan.instances[..4] {
            instance.stage = format!("glue.{}", instance.stage);
            instance.label = format!("glue.{}", instance.label);
            instance.scope = "glue".to_owned();
        }
        for stage in &mut plan.stages[..2] {
            stage.name = format!("glue.{}", stage.name);
        }
        let titles = BTreeMap::from([("glue".to_owned(), "a \"quoted\" <title> & [more] #1 `x` \\n".to_owned())]);
        Graph::of_stages(&plan, &states(), Some("small; study".to_owned()), &titles)
    }

    #[test]
    fn stages_have_counts_and_each_edge_once() {
        let graph = Graph::of_stages(&small(), &states(), None, &BTreeMap::new());
        let seen: Vec<_> = graph
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), node.work(), node.progress(), &node.reads[..]))
            .collect();
        assert_eq!(
            seen,
            [
                ("data", "make_data × 2".to_owned(), "cached".to_owned(), &[][..]),
                ("fit", "make_fit × 2".to_owned(), "1 of 2 cached".to_owned(), &[0][..]),
                ("table", "make_table".to_owned(), "may run".to_owned(), &[1][..]),
            ]
        );
        assert_eq!(graph.nodes.iter().map(|node| node.standing()).collect::<Vec<_>>(), Standing::ALL);
    }

    #[test]
    fn instances_are_nodes_of_their_own() {
        let graph = Graph::of_instances(&small(), &states(), None, &BTreeMap::new());
        assert_eq!(graph.nodes[2].name, "fit[method=spp]");
        assert_eq!(graph.nodes[2].reads, [0, 1]);
        assert_eq!(graph.nodes[3].progress(), "to run");
    }

    #[test]
    fn included_pipelines_are_groups_within_groups() {
        let mut plan = small();
        plan.instances[0].scope = "a.b".to_owned();
        plan.instances[0].label = "a.b.data[task=imdb]".to_owned();
        let graph = Graph::of_instances(&plan, &states(), None, &BTreeMap::new());
        let scopes: Vec<_> = graph.groups.iter().map(|group| (group.scope.as_str(), group.within)).collect();
        assert_eq!(scopes, [("", None), ("a", Some(0)), ("a.b", Some(1))]);
        assert_eq!(graph.nodes[0].short_name(&graph), "data[task=imdb]");
        assert_eq!(graph.nodes[1].short_name(&graph), "data[task=rte]");
        assert_eq!(graph.included(0).collect::<Vec<_>>(), [1]);
    }
}
