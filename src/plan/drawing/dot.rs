//! A graph in the language of Graphviz.

use std::fmt::Write;

use super::{Graph, Standing};

/// The graph as a DOT file: `dot -Tsvg`.
pub fn dot(graph: &Graph) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&graph.pipeline));
    let _ = writeln!(text, "  label={}; labelloc=t; rankdir=LR;", quoted(&graph.groups[0].title));
    text.push_str("  node [shape=box, fontname=\"Helvetica\", fontsize=11];\n  edge [color=\"#555555\"];\n");
    group(graph, 0, 1, &mut text);
    for (place, node) in graph.nodes.iter().enumerate() {
        for read in &node.reads {
            let _ = writeln!(text, "  n{read} -> n{place};");
        }
    }
    text.push_str("  subgraph cluster_legend {\n    label=\"legend\"; style=dotted;\n");
    for (place, standing) in Standing::ALL.into_iter().enumerate() {
        let _ = writeln!(text, "    legend{place} [label={}, {}];", quoted(standing.words()), style(standing));
    }
    text.push_str("  }\n}\n");
    text
}

/// The nodes of a group, and the groups that it includes as clusters.
fn group(graph: &Graph, place: usize, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for inner in graph.included(place) {
        let _ = writeln!(text, "{indent}subgraph cluster_{inner} {{");
        let _ = writeln!(text, "{indent}  label={}; labeljust=l;", quoted(&graph.groups[inner].title));
        group(graph, inner, depth + 1, text);
        let _ = writeln!(text, "{indent}}}");
    }
    for at in graph.nodes_of(place) {
        let node = &graph.nodes[at];
        let lines = [node.short_name(graph), &node.work(), &node.progress()].map(escaped).join("\\n");
        let tooltip = quoted(node.title.as_deref().unwrap_or(&node.name));
        let style = style(node.standing());
        let _ = writeln!(text, "{indent}n{at} [label=\"{lines}\", tooltip={tooltip}, {style}];");
    }
}

/// Filled, half filled, and empty with a dashed outline.
fn style(standing: Standing) -> &'static str {
    match standing {
        Standing::Cached => "style=filled, fillcolor=\"#cfe2f0\"",
        Standing::Partly => "style=filled, fillcolor=\"#cfe2f0;0.5:#ffffff\"",
        Standing::Absent => "style=dashed",
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Inside quotes: a backslash begins an escape, and a line feed is one.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::dot;
    use crate::plan::drawing::tests::included;

    #[test]
    fn groups_are_clusters_and_texts_are_escaped() {
        insta::assert_snapshot!(dot(&included()));
    }
}
