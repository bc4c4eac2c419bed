//! A graph in the language of Mermaid, which Markdown pages on code hosts draw.

use std::fmt::Write;

use super::{Graph, Standing};

/// The graph as a Mermaid flowchart.
pub fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    group(graph, 0, 1, &mut text);
    for (place, node) in graph.nodes.iter().enumerate() {
        for read in &node.reads {
            let _ = writeln!(text, "  n{read} --> n{place}");
        }
    }
    text.push_str("  subgraph legend\n");
    for standing in Standing::ALL {
        let class = class(standing);
        let _ = writeln!(text, "    legend_{class}[{}]:::{class}", quoted(standing.words()));
    }
    text.push_str(
        "  end\n\
         \x20 classDef cached fill:#cfe2f0,stroke:#333333,color:#1a1a1a\n\
         \x20 classDef partly fill:#eef4f9,stroke:#333333,stroke-width:3px,color:#1a1a1a\n\
         \x20 classDef absent fill:#ffffff,stroke:#333333,stroke-dasharray:4 3,color:#1a1a1a\n",
    );
    text
}

/// The nodes of a group, and the groups that it includes as subgraphs.
fn group(graph: &Graph, place: usize, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for inner in graph.included(place) {
        let _ = writeln!(text, "{indent}subgraph g{inner}[{}]", quoted(&graph.groups[inner].title));
        group(graph, inner, depth + 1, text);
        let _ = writeln!(text, "{indent}end");
    }
    for at in graph.nodes_of(place) {
        let node = &graph.nodes[at];
        let label = [node.short_name(graph), &node.work(), &node.progress()].map(escaped).join("<br/>");
        let _ = writeln!(text, "{indent}n{at}[\"{label}\"]:::{}", class(node.standing()));
    }
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Cached => "cached",
        Standing::Partly => "partly",
        Standing::Absent => "absent",
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Inside quotes Mermaid knows entities by number, begun with `#` instead of `&#`. What could end the quotes, begin an
/// entity, a tag or a Markdown text is written as one.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::mermaid;
    use crate::plan::drawing::tests::included;

    #[test]
    fn groups_are_subgraphs_and_texts_are_escaped() {
        insta::assert_snapshot!(mermaid(&included()));
    }
}
