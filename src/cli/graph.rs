//! `compt graph`: the stages, or the instances, of a pipeline as a graph.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::PipelineArguments;
use super::failure::Failure;
use super::session::{Cache, Missing, Session};
use crate::base::files::write_where_told;
use crate::figure::graph as drawing;
use crate::plan::drawing::{Graph, Standing, dot, mermaid, text};

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct GraphArguments {
    /// Which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// The language of the graph [default: as the name of the output tells, or text]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// A node for each instance instead of each stage
    #[arg(long)]
    pub instances: bool,
    /// Where the graph goes [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Languages of graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown pages.
    Mermaid,
    /// A drawing.
    Svg,
    /// For programs.
    Json,
}

/// Prints or writes the graph. Runs nothing, downloads nothing.
pub fn graph(arguments: &GraphArguments) -> Result<(), Failure> {
    let format = format(arguments)?;
    let session = Session::open(&arguments.pipeline, Cache::Read, Missing::IsShown)?;
    let states = session.assess();
    let (title, titles) = (session.pipeline.title.clone(), &session.pipeline.included);
    let graph = if arguments.instances {
        Graph::of_instances(&session.plan, &states, title, titles)
    } else {
        Graph::of_stages(&session.plan, &states, title, titles)
    };
    let written = match format {
        Format::Text => text(&graph),
        Format::Dot => dot(&graph),
        Format::Mermaid => mermaid(&graph),
        Format::Svg => drawing::svg(&figure(&graph)),
        Format::Json => super::as_json(&graph),
    };
    match &arguments.output {
        Some(path) => write_where_told(path, written.as_bytes())?,
        None => super::print(&written),
    }
    Ok(())
}

/// What was asked for, or what the name of the output tells.
///
/// # Errors
/// Its ending is that of something else.
fn format(arguments: &GraphArguments) -> Result<Format, Failure> {
    let ending = arguments.output.as_ref().and_then(|path| path.extension()?.to_str().map(str::to_lowercase));
    Ok(match (arguments.format, ending.as_deref()) {
        (Some(format), _) => format,
        (None, _) if arguments.json => Format::Json,
        (None, Some("svg")) => Format::Svg,
        (None, Some("dot" | "gv")) => Format::Dot,
        (None, Some("mmd" | "mermaid")) => Format::Mermaid,
        (None, Some("json")) => Format::Json,
        (None, None | Some("txt" | "text")) => Format::Text,
        (None, Some(other)) => {
            return Err(Failure::usage(
                format!(
                    "`.{other}` is no ending of a graph; known are .txt, .dot, .gv, .mmd, .mermaid, .svg and .json"
                ),
                "take one of them, or say which it is with `--format`",
            ));
        }
    })
}

/// The graph as boxes and frames.
fn figure(graph: &Graph) -> drawing::Graph {
    let boxes = graph.nodes.iter().map(|node| drawing::Node {
        name: node.short_name(graph).to_owned(),
        lines: vec![node.work(), node.progress()],
        done: node.cached as f64 / node.count.max(1) as f64,
        reads: node.reads.clone(),
        frame: node.group,
    });
    let frames = graph.groups.iter();
    let sample = |standing: Standing| match standing {
        Standing::Cached => 1.0,
        Standing::Partly => 0.5,
        Standing::Absent => 0.0,
    };
    drawing::Graph {
        title: graph.groups[0].title.clone(),
        boxes: boxes.collect(),
        frames: frames.map(|group| drawing::Frame { title: group.title.clone(), within: group.within }).collect(),
        legend: Standing::ALL.iter().map(|&standing| (sample(standing), standing.words().to_owned())).collect(),
    }
}
