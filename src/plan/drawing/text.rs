//! A graph for a terminal: one line for each node, with lines beside them that lead from what is read to its readers.

use std::collections::HashMap;

use super::{Graph, Standing};

/// More lines beside each other than this are no help; names say who reads what all the same.
const MOST_RAILS: usize = 12;

/// So many of the nodes that a node reads are named.
const NAMED: usize = 4;

/// The graph as lines of text, one pipeline after the other.
pub fn text(graph: &Graph) -> String {
    let mut text = graph.pipeline.clone();
    if let Some(title) = &graph.title {
        text.push_str(&format!("  {title}"));
    }
    text.push('\n');
    section(graph, 0, &mut text);
    let legend: Vec<String> =
        Standing::ALL.iter().map(|&standing| format!("{} {}", mark(standing), standing.words())).collect();
    text.push_str(&format!("\n{}\n", legend.join("   ")));
    text
}

/// The groups that a group includes, then its own nodes.
fn section(graph: &Graph, group: usize, text: &mut String) {
    graph.included(group).for_each(|inner| section(graph, inner, text));
    let nodes: Vec<usize> = graph.nodes_of(group).collect();
    if nodes.is_empty() {
        return;
    }
    let Some(of) = graph.groups.get(group) else { return };
    text.push('\n');
    let indent = if graph.groups.len() > 1 {
        let name = if of.scope.is_empty() { &graph.pipeline } else { &of.scope };
        // The title of the file itself stands above everything.
        let title = if of.scope.is_empty() { String::new() } else { format!("  {}", of.title) };
        text.push_str(&format!("{name}{title}\n"));
        "  "
    } else {
        ""
    };
    let rails = rails(graph, &nodes);
    let column = |cell: &dyn Fn(usize) -> String| {
        let cells: Vec<String> = nodes.iter().map(|&at| cell(at)).collect();
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        cells.into_iter().map(move |cell| format!("{cell:width$}")).collect::<Vec<_>>()
    };
    let names = column(&|at| graph.nodes[at].short_name(graph).to_owned());
    let works = column(&|at| graph.nodes[at].work());
    let progress = column(&|at| graph.nodes[at].progress());
    for (row, &at) in nodes.iter().enumerate() {
        let line =
            format!("{indent}{}  {}  {}  {}  {}", rails[row], names[row], works[row], progress[row], reads(graph, at));
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// `<- fit, text`.
fn reads(graph: &Graph, at: usize) -> String {
    let node = &graph.nodes[at];
    let name = |&read: &usize| {
        let read = &graph.nodes[read];
        if read.group == node.group { read.short_name(graph) } else { read.name.as_str() }
    };
    let names: Vec<&str> = node.reads.iter().take(NAMED).map(name).collect();
    match (names.is_empty(), node.reads.len() - names.len()) {
        (true, _) => String::new(),
        (false, 0) => format!("<- {}", names.join(", ")),
        (false, more) => format!("<- {} and {more} more", names.join(", ")),
    }
}

fn mark(standing: Standing) -> char {
    match standing {
        Standing::Cached => '●',
        Standing::Partly => '◐',
        Standing::Absent => '○',
    }
}

/// For each of `nodes` its mark with the lines that pass beside it or end in it. A line runs down from a node to the last
/// of its readers; where it is crossed by another one it is drawn in front: `─│─`.
fn rails(graph: &Graph, nodes: &[usize]) -> Vec<String> {
    let place_of: HashMap<usize, usize> = nodes.iter().enumerate().map(|(place, &at)| (at, place)).collect();
    let mut last_reader: Vec<Option<usize>> = vec![None; nodes.len()];
    for &at in nodes {
        // Readers come in order, so that the last one is noted last.
        graph.nodes[at]
            .reads
            .iter()
            .filter_map(|read| place_of.get(read))
            .for_each(|&read| last_reader[read] = Some(at));
    }
    // The place in `nodes` of the node whose line runs in a column.
    let mut columns: Vec<Option<usize>> = Vec::new();
    let mut rows: Vec<String> = Vec::new();
    // Below a node without readers nothing may stand that would look like one.
    let mut blocked: Option<usize> = None;
    for &at in nodes {
        let reads = |place: usize| graph.nodes[at].reads.contains(&nodes[place]);
        let ends = |place: usize| last_reader[place] == Some(at);
        let read_at: Vec<usize> = (0..columns.len()).filter(|&column| columns[column].is_some_and(reads)).collect();
        let straight = read_at.iter().copied().find(|&column| columns[column].is_some_and(ends));
        let own = straight
            .or_else(|| (0..columns.len()).find(|&column| columns[column].is_none() && blocked != Some(column)))
            .unwrap_or(columns.len());
        if own == columns.len() {
            columns.push(None);
        }
        if columns.len() > MOST_RAILS {
            return nodes.iter().map(|&at| mark(graph.nodes[at].standing()).to_string()).collect();
        }
        let first = read_at.iter().copied().chain([own]).min().unwrap_or(own);
        let last = read_at.iter().copied().chain([own]).max().unwrap_or(own);
        let mut row = String::new();
        for (column, holder) in columns.iter().enumerate() {
            let inside = first < column && column < last;
            row.push(match holder {
                _ if column == own => mark(graph.nodes[at].standing()),
                Some(place) if reads(*place) => match (column == first, column == last, ends(*place)) {
                    (true, _, true) => '└',
                    (true, _, false) => '├',
                    (_, true, true) => '┘',
                    (_, true, false) => '┤',
                    (_, _, true) => '┴',
                    (_, _, false) => '┼',
                },
                Some(_) => '│',
                None if inside => '─',
                None => ' ',
            });
            row.push(if first <= column && column < last { '─' } else { ' ' });
        }
        rows.push(row.trim_end().to_owned());
        for column in &mut columns {
            if column.is_some_and(ends) {
                *column = None;
            }
        }
        let place = rows.len() - 1;
        let is_read = last_reader[place].is_some();
        columns[own] = is_read.then_some(place);
        blocked = (!is_read).then_some(own);
    }
    let width = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
    rows.into_iter().map(|row| format!("{row:width$}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{rails, text};
    use crate::plan::drawing::tests::included;
    use crate::plan::drawing::{Graph, Group, Node};

    fn graph(reads: &[&[usize]]) -> Graph {
        let node = |(at, reads): (usize, &&[usize])| Node {
            name: format!("s{at}"),
            group: 0,
            title: None,
            operation: "make".to_owned(),
            count: 1,
            cached: 0,
            may_run: 0,
            reads: reads.to_vec(),
        };
        let root = Group { scope: String::new(), title: "toy".to_owned(), within: None };
        Graph {
            pipeline: "toy".to_owned(),
            title: None,
            groups: vec![root],
            nodes: reads.iter().enumerate().map(node).collect(),
        }
    }

    fn drawn(reads: &[&[usize]]) -> Vec<String> {
        let graph = graph(reads);
        let nodes: Vec<usize> = (0..graph.nodes.len()).collect();
        rails(&graph, &nodes).iter().map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn lines_lead_from_what_is_read_to_its_readers() {
        assert_eq!(drawn(&[&[], &[0], &[1]]), ["○", "○", "○"]);
        // Two that have nothing to do with each other don't stand below each other.
        assert_eq!(drawn(&[&[], &[]]), ["○", "  ○"]);
        assert_eq!(drawn(&[&[], &[0], &[0, 1]]), ["○", "├─○", "○─┘"]);
        // 3 reads 0 and 2, past the line of 1.
        assert_eq!(drawn(&[&[], &[], &[], &[0, 2], &[1, 3]]), ["○", "│ ○", "│ │ ○", "○─│─┘", "○─┘"]);
        assert_eq!(drawn(&[&[], &[0], &[0], &[0, 1, 2], &[0, 1]]), ["○", "├─○", "├─│─○", "├─┼─○", "○─┘"]);
    }

    #[test]
    fn pipelines_stand_one_after_the_other() {
        insta::assert_snapshot!(text(&included()));
    }

    proptest! {
        #[test]
        fn every_line_begins_below_a_node_and_ends_in_one(
            reads in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..9),
        ) {
            let reads: Vec<Vec<usize>> = reads
                .iter()
                .enumerate()
                .map(|(at, reads)| if at == 0 { vec![] } else { reads.iter().map(|i| i.index(at)).collect() })
                .collect();
            let reads: Vec<&[usize]> = reads.iter().map(Vec::as_slice).collect();
            let rows: Vec<Vec<char>> = drawn(&reads).iter().map(|row| row.chars().collect()).collect();
            let at = |row: usize, column: usize| rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or(' ');
            for (row, text) in rows.iter().enumerate() {
                prop_assert_eq!(text.iter().filter(|&&c| c == '○').count(), 1);
                for (column, &c) in text.iter().enumerate() {
                    if "│├┤┼└┘┴".contains(c) {
                        prop_assert!(row > 0 && "○│├┤┼".contains(at(row - 1, column)));
                    }
                    if "│├┤┼".contains(c) {
                        prop_assert!("○│├┤┼└┘┴".contains(at(row + 1, column)));
                    }
                }
            }
        }
    }
}
