//! The course of training: for each setting a small chart, with a line for each run.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::of;
use crate::page::{scrolls, words};
use crate::protocol::Input;
use crate::report::sheet::Sheet;
use crate::report::{ReportError, fixed};

/// Size of a chart.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 150.0;

/// Room for its labels.
const LEFT: f64 = 34.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 22.0;

/// A line has no more points than this; more epochs are put together.
const POINTS: usize = 120;

/// Charts of a stage that are shown at once; the others are folded.
const OPEN: usize = 12;

/// The mean loss of each epoch of one run.
struct Run {
    name: String,
    losses: Vec<f64>,
    steps: usize,
}

/// The runs of one setting.
struct Panel {
    title: String,
    runs: Vec<Run>,
}

pub(super) fn intro() -> Markup {
    html! {
        p {
            "Mean training loss of each epoch, a line for each run (a dot where there is one epoch). The charts of a stage "
            "have one scale. A training that several pipelines share stands where it comes first."
        }
    }
}

pub(super) fn body(inputs: &[Input]) -> Result<Option<Markup>, ReportError> {
    let mut stages: Vec<(&str, Vec<Panel>)> = Vec::new();
    for input in of(inputs, "train") {
        // An axis with one value in the whole stage tells no chart from another.
        let tells = |axis: &String| {
            of(inputs, "train")
                .any(|other| other.stage == input.stage && other.coordinates.get(axis) != input.coordinates.get(axis))
        };
        let run = Run {
            name: words::place(input.coordinates.iter().filter(|(axis, _)| *axis == words::RUNS)),
            ..read(&Sheet::read(&input.files.file("curve.csv"))?)?
        };
        let title = words::place(words::without_runs(&input.coordinates).iter().filter(|(axis, _)| tells(axis)));
        if stages.last().is_none_or(|(stage, _)| *stage != input.stage) {
            stages.push((&input.stage, Vec::new()));
        }
        let panels = &mut stages.last_mut().expect("a stage was added above").1;
        match panels.iter_mut().find(|panel| panel.title == title) {
            Some(panel) => panel.runs.push(run),
            None => panels.push(Panel { title, runs: vec![run] }),
        }
    }
    Ok((!stages.is_empty()).then(|| html! { @for (stage, panels) in &stages { (charts(stage, panels)) } }))
}

fn read(sheet: &Sheet) -> Result<Run, ReportError> {
    let (epochs, losses) = (sheet.numbers::<u64>("epoch")?, sheet.numbers::<f64>("loss")?);
    let mut by_epoch: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for (epoch, loss) in epochs.iter().zip(&losses) {
        if let (Some(epoch), Some(loss)) = (epoch, loss) {
            let sum = by_epoch.entry(*epoch).or_default();
            *sum = (sum.0 + loss, sum.1 + 1);
        }
    }
    let losses = by_epoch.values().map(|(sum, count)| sum / *count as f64).collect();
    Ok(Run { name: String::new(), losses, steps: sheet.height() })
}

fn charts(stage: &str, panels: &[Panel]) -> Markup {
    let runs = || panels.iter().flat_map(|panel| &panel.runs);
    let top = runs().flat_map(|run| &run.losses).copied().filter(|loss| loss.is_finite()).fold(0.0, f64::max);
    let epochs = runs().map(|run| run.losses.len()).max().unwrap_or(0);
    let scale = Scale { top: if top > 0.0 { top } else { 1.0 }, epochs };
    let (open, folded) = panels.split_at(panels.len().min(OPEN));
    html! {
        h4 { "Stage " code { (stage) } }
        div.charts { @for panel in open { (scale.chart(panel)) } }
        @if !folded.is_empty() {
            details {
                summary { (folded.len()) " more charts" }
                div.charts { @for panel in folded { (scale.chart(panel)) } }
            }
        }
        details { summary { "The numbers" } (scrolls(&format!("Losses of {stage}"), &numbers(panels))) }
    }
}

/// What a stage's charts have in common.
struct Scale {
    top: f64,
    epochs: usize,
}

impl Scale {
    fn chart(&self, panel: &Panel) -> Markup {
        let title = if panel.title.is_empty() { "training loss" } else { &panel.title };
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - 6.0);
        html! {
            figure.chart {
                figcaption { (title) }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ "Training loss, " (title) ": " (in_words(panel)) } {
                    @for part in [0.0, 0.5, 1.0] {
                        @let y = fixed(self.y(part * self.top), 1);
                        line.grid x1=(LEFT) x2=(right) y1=(y) y2=(y) {}
                        text.tick x=(LEFT - 4.0) y=(y) dy="0.35em" text-anchor="end" { (fixed(part * self.top, 1)) }
                    }
                    text.tick x=(LEFT) y=(HEIGHT - 6.0) { "1" }
                    text.tick x=(right) y=(HEIGHT - 6.0) text-anchor="end" { "epoch " (self.epochs) }
                    line.axis x1=(LEFT) x2=(right) y1=(bottom) y2=(bottom) {}
                    @for (number, run) in panel.runs.iter().enumerate() {
                        path.curve.{ "s" (number % 6) } d=(self.path(&run.losses)) { title { (run.name) } }
                        @if let [only] = *run.losses {
                            circle.curve.{ "s" (number % 6) } cx=(LEFT + 3.0) cy=(fixed(self.y(only), 1)) r="2.5" {}
                        }
                    }
                }
            }
        }
    }

    fn path(&self, losses: &[f64]) -> String {
        let together = losses.len().div_ceil(POINTS).max(1);
        let points = losses.chunks(together).enumerate().map(|(chunk, losses)| {
            let epoch = (chunk * together) as f64 + (losses.len() - 1) as f64 / 2.0;
            (epoch, losses.iter().sum::<f64>() / losses.len() as f64)
        });
        let mut path = String::new();
        for (epoch, loss) in points.filter(|(_, loss)| loss.is_finite()) {
            let command = if path.is_empty() { 'M' } else { 'L' };
            path += &format!("{command}{} {}", fixed(self.x(epoch), 1), fixed(self.y(loss), 1));
        }
        path
    }

    fn x(&self, epoch: f64) -> f64 {
        let width = WIDTH - 6.0 - LEFT;
        LEFT + width * epoch / (self.epochs.max(2) - 1) as f64
    }

    fn y(&self, loss: f64) -> f64 {
        let height = HEIGHT - BOTTOM - TOP;
        TOP + height * (1.0 - loss / self.top)
    }
}

/// What a chart says to those who can't see it.
fn in_words(panel: &Panel) -> String {
    let ends: Vec<String> = panel
        .runs
        .iter()
        .filter_map(|run| Some(format!("{} to {}", fixed(*run.losses.first()?, 2), fixed(*run.losses.last()?, 2))))
        .collect();
    ends.join("; ")
}

fn numbers(panels: &[Panel]) -> Markup {
    html! {
        table.sortable {
            caption { "Mean loss of the first and the last epoch" }
            thead {
                tr {
                    th scope="col" { "Setting" }
                    th scope="col" { "Run" }
                    th.number scope="col" { "Epochs" }
                    th.number scope="col" { "Steps" }
                    th.number scope="col" { "First" }
                    th.number scope="col" { "Last" }
                }
            }
            tbody {
                @for panel in panels {
                    @for run in &panel.runs {
                        tr {
                            th scope="row" { (panel.title) }
                            td { (run.name) }
                            td.number { (run.losses.len()) }
                            td.number { (run.steps) }
                            td.number { @if let Some(loss) = run.losses.first() { (fixed(*loss, 3)) } }
                            td.number { @if let Some(loss) = run.losses.last() { (fixed(*loss, 3)) } }
                        }
                    }
                }
            }
        }
    }
}
