//! The notation against a naive model: selections are drawn as trees, printed in any spelling, and evaluated on drawn plans by
//! going through every instance, with reachability from petgraph.

use std::collections::BTreeSet;

use petgraph::algo::dijkstra;
use petgraph::graph::{DiGraph, NodeIndex};
use proptest::prelude::*;
use proptest::sample::{Index, select as one_of, subsequence};

use super::Expression;
use crate::plan::instance::tests::small;
use crate::plan::{Instance, Plan, StagePlan};

/// The axes and their values, as cells have them.
const AXES: [(&str, &[&str]); 2] = [("x", &["1", "1e-5", "true"]), ("long_1", &["a b", "a,b|]", "\"\\", "ä"])];
const STAGES: [&str; 6] = ["a", "ab", "ba", "b.a", "a-1_ä", "abab"];
const PATTERNS: [&str; 9] = ["*", "a*", "*a", "a*b", "*b*", "**", "*.*", "a*a", "*ab*ab*"];

/// A tree: either of the groups, all of a group's factors.
type Tree = Vec<Vec<Drawn>>;

/// One factor as it was drawn.
#[derive(Clone, Debug)]
struct Drawn {
    negations: usize,
    /// No steps, some, or any number.
    read: Option<Option<usize>>,
    readers: Option<Option<usize>>,
    name: &'static str,
    filters: Vec<(&'static str, Vec<&'static str>)>,
}

fn trees() -> impl Strategy<Value = Tree> {
    let depth = || proptest::option::of(proptest::option::of(0usize..4));
    let filter = |(axis, values): (&'static str, &'static [&'static str])| {
        subsequence(values, 1..=values.len()).prop_map(move |values| (axis, values))
    };
    let filters = prop_oneof![
        4 => Just(Vec::new()),
        3 => one_of(AXES.to_vec()).prop_flat_map(filter).prop_map(|filter| vec![filter]),
        1 => (filter(AXES[1]), filter(AXES[0])).prop_map(|(one, other)| vec![one, other]),
    ];
    let name = prop_oneof![one_of(STAGES.to_vec()), one_of(PATTERNS.to_vec())];
    let factor = (0usize..3, depth(), depth(), name, filters)
        .prop_map(|(negations, read, readers, name, filters)| Drawn { negations, read, readers, name, filters });
    proptest::collection::vec(proptest::collection::vec(factor, 1..3), 1..3)
}

/// All stages or all but one, each with none, one or both axes and most of the cells; each cell reads some of the earlier ones.
fn plans() -> impl Strategy<Value = Plan> {
    let axes = subsequence(AXES.to_vec(), 0..=AXES.len());
    let cells = proptest::collection::vec((proptest::bool::weighted(0.8), any::<[Index; 2]>()), 12);
    let stages = (Just(STAGES.to_vec()).prop_shuffle(), proptest::collection::vec((axes, cells), 5..=6));
    stages.prop_map(|(names, drawn)| {
        let mut plan = Plan { pipeline: "drawn".into(), stages: Vec::new(), instances: Vec::new() };
        for (name, (axes, drawn)) in names.into_iter().zip(drawn) {
            let start = plan.instances.len();
            let all = product(&axes);
            let kept = all.iter().zip(&drawn).enumerate().filter(|(place, (_, (kept, _)))| *kept || *place == 0);
            for (_, (cell, (_, reads))) in kept {
                let earlier = reads.iter().filter(|_| start > 0).map(|read| read.index(start));
                plan.instances.push(Instance {
                    id: plan.instances.len(),
                    stage: name.to_owned(),
                    coordinates: cell.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect(),
                    inputs: earlier.collect::<BTreeSet<usize>>().into_iter().collect(),
                    ..small().instances[0].clone()
                });
            }
            plan.stages.push(StagePlan {
                name: name.to_owned(),
                title: None,
                operation: "any".to_owned(),
                axes: axes.iter().map(|(axis, _)| (*axis).to_owned()).collect(),
                instances: start..plan.instances.len(),
            });
        }
        plan
    })
}

/// Every combination of the values of some axes.
fn product<'a>(axes: &[(&'a str, &'a [&'a str])]) -> Vec<Vec<(&'a str, &'a str)>> {
    axes.iter().fold(vec![Vec::new()], |cells, (axis, values)| {
        let longer = |cell: &Vec<_>| {
            values.iter().map(|value| [cell.as_slice(), &[(*axis, *value)]].concat()).collect::<Vec<_>>()
        };
        cells.iter().flat_map(longer).collect()
    })
}

/// The tree as a text. `taste` decides where spaces stand and how values are spelled.
fn print(tree: &Tree, taste: &[bool]) -> String {
    let mut tastes = taste.iter().copied().cycle();
    let mut taste = move || tastes.next().unwrap_or(false);
    let mut text = String::new();
    let mut put = |token: &str, taste: &mut dyn FnMut() -> bool| {
        text.push_str(token);
        text.push_str(if taste() { " " } else { "" });
    };
    for (place, group) in tree.iter().enumerate() {
        put(if place == 0 { "" } else { "," }, &mut taste);
        for (place, drawn) in group.iter().enumerate() {
            put(if place == 0 { "" } else { "&" }, &mut taste);
            (0..drawn.negations).for_each(|_| put("!", &mut taste));
            if let Some(depth) = drawn.read {
                put(&depth.map(|depth| depth.to_string()).unwrap_or_default(), &mut taste);
                put("+", &mut taste);
            }
            put(drawn.name, &mut taste);
            for (place, (axis, values)) in drawn.filters.iter().enumerate() {
                put(if place == 0 { "[" } else { "," }, &mut taste);
                put(axis, &mut taste);
                for (place, value) in values.iter().enumerate() {
                    put(if place == 0 { "=" } else { "|" }, &mut taste);
                    let spelled = spelled(value, taste());
                    put(&spelled, &mut taste);
                }
                put(if place + 1 == drawn.filters.len() { "]" } else { "" }, &mut taste);
            }
            if let Some(depth) = drawn.readers {
                put("+", &mut taste);
                put(&depth.map(|depth| depth.to_string()).unwrap_or_default(), &mut taste);
            }
        }
    }
    text
}

/// One of the ways to type a value.
fn spelled(value: &str, other: bool) -> String {
    match (value, other) {
        ("1", true) => "1.0".to_owned(),
        ("1e-5", true) => "0.00001".to_owned(),
        _ if other || value.contains(['|', ',', ']', '"']) => {
            format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ => value.to_owned(),
    }
}

/// Whether a name fits a pattern, by trying every length for each star.
fn fits(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|taken| fits(rest, &name[taken..])),
        Some((wanted, rest)) => name.split_first().is_some_and(|(c, name)| c == wanted && fits(rest, name)),
    }
}

/// What a tree means; none if it names what the plan lacks.
fn meaning(tree: &Tree, plan: &Plan) -> Option<BTreeSet<usize>> {
    let all: BTreeSet<usize> = (0..plan.instances.len()).collect();
    let mut either = BTreeSet::new();
    for group in tree {
        let mut both = all.clone();
        for drawn in group {
            let mut term = cells(drawn, plan)?;
            let near =
                [(drawn.read, false), (drawn.readers, true)].map(|(depth, turned)| around(plan, &term, depth, turned));
            near.iter().for_each(|near| term.extend(near));
            both.retain(|id| term.contains(id) == drawn.negations.is_multiple_of(2));
        }
        either.extend(both);
    }
    Some(either)
}

fn cells(drawn: &Drawn, plan: &Plan) -> Option<BTreeSet<usize>> {
    let chars = |text: &str| text.chars().collect::<Vec<char>>();
    let named: Vec<&Instance> =
        plan.instances.iter().filter(|instance| fits(&chars(drawn.name), &chars(&instance.stage))).collect();
    let has =
        |instance: &Instance, axis: &str, value: &str| instance.coordinates.get(axis).is_some_and(|own| own == value);
    for (axis, values) in &drawn.filters {
        if !values.iter().all(|value| named.iter().any(|instance| has(instance, axis, value))) {
            return None;
        }
    }
    let asked = named.into_iter().filter(|instance| {
        drawn.filters.iter().all(|(axis, values)| values.iter().any(|value| has(instance, axis, value)))
    });
    let ids: BTreeSet<usize> = asked.map(|instance| instance.id).collect();
    (!ids.is_empty()).then_some(ids)
}

/// What can be reached from `start` in at most `depth` steps: towards what is read, or turned.
fn around(plan: &Plan, start: &BTreeSet<usize>, depth: Option<Option<usize>>, turned: bool) -> BTreeSet<usize> {
    let Some(depth) = depth else { return BTreeSet::new() };
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    for _ in &plan.instances {
        graph.add_node(());
    }
    for instance in &plan.instances {
        for &input in &instance.inputs {
            let (from, to) = if turned { (input, instance.id) } else { (instance.id, input) };
            graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        }
    }
    let reached = |&id: &usize| dijkstra(&graph, NodeIndex::new(id), None, |_| 1usize).into_iter().collect::<Vec<_>>();
    let near = start.iter().flat_map(reached).filter(|(_, steps)| depth.is_none_or(|depth| *steps <= depth));
    near.map(|(node, _)| node.index()).collect()
}

fn tastes() -> impl Strategy<Value = Vec<bool>> {
    proptest::collection::vec(any::<bool>(), 1..40)
}

proptest! {
    #[test]
    fn a_selection_means_what_the_model_says(plan in plans(), tree in trees(), taste in tastes()) {
        let text = print(&tree, &taste);
        let found = Expression::parse(&text).unwrap_or_else(|error| panic!("{error}")).apply(&plan);
        let found = found.ok().map(|set| set.ids().collect::<BTreeSet<usize>>());
prop_assert_eq!(found, meaning(&tree, &plan), "{}", text);
    }

    #[test]
    fn what_is_printed_is_read_back(tree in trees(), taste in tastes()) {
        let text = print(&tree, &taste);
        let read = Expression::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let groups: Vec<usize> = read.groups.iter().map(Vec::len).collect();
        prop_assert_eq!(groups, tree.iter().map(Vec::len).collect::<Vec<_>>());
        let steps = |depth: Option<Option<usize>>| depth.map(|depth| depth.unwrap_or(usize::MAX));
        for (factor, drawn) in read.groups.iter().flatten().zip(tree.iter().flatten()) {
            let term = &factor.term;
            prop_assert_eq!(factor.others, drawn.negations % 2 == 1);
            prop_assert_eq!((term.read, term.readers), (steps(drawn.read), steps(drawn.readers)));
            prop_assert_eq!(&text[term.name.at.clone()], drawn.name);
            prop_assert_eq!(term.filters.len(), drawn.filters.len());
            let end = if drawn.filters.is_empty() { drawn.name } else { "]" };
            prop_assert!(text[term.at.clone()].starts_with(drawn.name) && text[term.at.clone()].trim_end().ends_with(end));
            for (filter, (axis, values)) in term.filters.iter().zip(&drawn.filters) {
                prop_assert_eq!(&text[filter.axis.at.clone()], *axis);
                prop_assert_eq!(filter.values.len(), values.len());
                for (word, value) in filter.values.iter().zip(values) {
                    let typed = &text[word.at.clone()];
                    prop_assert!(typed == spelled(value, false) || typed == spelled(value, true), "{}", typed);
                    prop_assert!(word.text == *value || word.text == spelled(value, true), "{}", word.text);
                }
            }
        }
    }

    /// Laws that hold for texts whatever they mean: the order of filters, of factors and of groups does not count, and a text
    /// and its denial share nothing and leave nothing out.
    #[test]
    fn order_does_not_count_and_denial_divides(plan in plans(), tree in trees(), taste in tastes()) {
        let apply = |tree: &Tree| {
            let found = Expression::parse(&print(tree, &taste)).unwrap_or_else(|error| panic!("{error}")).apply(&plan);
            found.ok()
        };
        let mut turned = tree.clone();
        turned.reverse();
        for group in &mut turned {
            group.reverse();
            for drawn in group {
                drawn.filters.reverse();
                drawn.filters.iter_mut().for_each(|(_, values)| values.reverse());
            }
        }
        prop_assert_eq!(apply(&turned), apply(&tree));
        for drawn in tree.iter().flatten() {
            let denied = Drawn { negations: drawn.negations + 1, ..drawn.clone() };
            let (some, others) = (apply(&vec![vec![drawn.clone()]]), apply(&vec![vec![denied]]));
            prop_assert_eq!(some.map(|some| some.others()), others);
        }
    }
}
