//! From drawn values to the description of a figure: names as readers know them, titles with units, the note.

use super::drawn::{Drawn, Mark};
use super::parameters::{ErrorBar, Kind, Parameters, Scaling};
use crate::figure::{
    Axis, Bar, BarPanel, Bars, Chart, Estimate, Figure, Group, Heat, HeatPanel, Level, Line, LinePanel, Lines, PAGE,
    Point, Spread,
};
use crate::metric;
use crate::report::{TASK, shown};

/// Width of one panel of lines, or of few cells: more would be white space.
const ONE_PANEL: f64 = 340.0;

/// A heat map of one panel with no more columns than this leaves white space on a page's width.
const SLIM: usize = 3;

/// Describes the figure.
pub(super) fn figure(drawn: &Drawn, parameters: &Parameters) -> Figure {
    let chart = match parameters.kind {
        Kind::Line | Kind::Curve => Chart::Lines(lines(drawn, parameters)),
        Kind::Bars => Chart::Bars(bars(drawn, parameters)),
        Kind::Heat => Chart::Heat(heat(drawn, parameters)),
    };
    let slim = match &chart {
        Chart::Lines(_) => true,
        Chart::Heat(heat) => heat.panels.iter().all(|panel| panel.columns.len() <= SLIM),
        Chart::Bars(_) => false,
    };
    let narrow = slim && drawn.panels.len() < 2;
    let width = parameters.width.map_or(if narrow { ONE_PANEL } else { PAGE }, |inches| inches * 72.0);
    Figure { title: parameters.title.clone(), note: note(drawn, parameters), width, per_row: parameters.per_row, chart }
}

fn lines(drawn: &Drawn, parameters: &Parameters) -> Lines {
    let panel = |panel: &String| {
        let here: Vec<&Mark> = drawn.marks.iter().filter(|mark| mark.panel == *panel).collect();
        let of_series = |name: &String| here.iter().copied().filter(|mark| mark.series == *name).collect::<Vec<_>>();
        let (mut lines, mut levels) = (Vec::new(), Vec::new());
        for (series, name) in drawn.series.iter().enumerate() {
            let mut points = Vec::new();
            for mark in of_series(name) {
                let (Some(y), published) = (estimate(mark), mark.published) else { continue };
                match mark.x.parse::<f64>() {
                    Ok(x) => points.push(Point { x, y, published }),
                    Err(_) => levels.push(Level { series, y, published }),
                }
            }
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            if !points.is_empty() {
                lines.push(Line { series, points });
            }
        }
        LinePanel { title: panel_title(panel, parameters), lines, levels }
    };
    Lines {
        x: Axis { title: x_title(parameters), log: parameters.x_scale == Scaling::Log, range: None },
        y: y_axis(drawn, parameters),
        spread: if parameters.kind == Kind::Curve { Spread::Band } else { Spread::Bars },
        series: series(drawn, parameters),
        published: published(parameters),
        panels: drawn.panels.iter().map(panel).collect(),
    }
}

fn bars(drawn: &Drawn, parameters: &Parameters) -> Bars {
    let panel = |panel: &String| {
        let here: Vec<&Mark> = drawn.marks.iter().filter(|mark| mark.panel == *panel).collect();
        let bar = |x: &str, series: &String| {
            let mark = here.iter().find(|mark| mark.x == x && mark.series == *series)?;
            Some(Bar { y: estimate(mark)?, published: mark.published })
        };
        let group = |x: String| Group {
            name: label(&parameters.x, &x, parameters),
            bars: drawn.series.iter().map(|series| bar(&x, series)).collect(),
        };
        let groups = distinct(here.iter().map(|mark| &mark.x)).into_iter().map(group).collect();
        BarPanel { title: panel_title(panel, parameters), groups }
    };
    Bars {
        x_title: x_title(parameters),
        y: y_axis(drawn, parameters),
        series: series(drawn, parameters),
        published: published(parameters),
        panels: drawn.panels.iter().map(panel).collect(),
    }
}

fn heat(drawn: &Drawn, parameters: &Parameters) -> Heat {
    let row_axis = parameters.rows.as_deref().unwrap_or_default();
    let panel = |panel: &String| {
        let here: Vec<&Mark> = drawn.marks.iter().filter(|mark| mark.panel == *panel).collect();
        let rows = distinct(here.iter().map(|mark| &mark.row));
        let columns = distinct(here.iter().map(|mark| &mark.x));
        let cell = |row: &String, column: &String| {
            here.iter().find(|mark| mark.row == *row && mark.x == *column).and_then(|mark| mark.value)
        };
        HeatPanel {
            title: panel_title(panel, parameters),
            cells: rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect(),
            rows: rows.iter().map(|row| label(row_axis, row, parameters)).collect(),
            columns: columns.iter().map(|column| label(&parameters.x, column, parameters)).collect(),
        }
    };
    Heat {
        // That rows are tasks, and rows and columns of a similarity the same things, can be seen.
        row_title: if matches!(row_axis, TASK | "a" | "b") { String::new() } else { title_of(row_axis) },
        column_title: if matches!(parameters.x.as_str(), "a" | "b") && parameters.x_title.is_none() {
            String::new()
        } else {
            x_title(parameters)
        },
        value_title: y_axis(drawn, parameters).title,
        digits: parameters.digits,
        range: parameters.y_range,
        panels: drawn.panels.iter().map(panel).collect(),
    }
}

fn estimate(mark: &Mark) -> Option<Estimate> {
    let value = mark.value?;
    Some(Estimate { value, spread: mark.error.map(|error| (value - error, value + error)) })
}

fn distinct<'a>(values: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in values {
        if !all.contains(value) {
            all.push(value.clone());
        }
    }
    all
}

fn series(drawn: &Drawn, parameters: &Parameters) -> Vec<String> {
    let column = parameters.series.as_deref().unwrap_or_default();
    drawn.series.iter().map(|name| label(column, name, parameters)).collect()
}

fn published(parameters: &Parameters) -> String {
    parameters.published.as_ref().map(|published| published.label.clone()).unwrap_or_default()
}

/// A value as readers know it: tasks with hyphens and methods in capitals, as the paper prints them.
fn label(column: &str, value: &str, parameters: &Parameters) -> String {
    // A stage of an included pipeline is `pipeline.stage`; inside that pipeline it is `stage`, and so is its label.
    let short = if column == "stage" { value.rsplit('.').next().unwrap_or(value) } else { value };
    if let Some(label) = parameters.labels.get(value).or_else(|| parameters.labels.get(short)) {
        return label.clone();
    }
    // `source/0` of a trained prompt is the part that evaluations call `src_1`.
    if let Some(place) = value.strip_prefix("source/").and_then(|place| place.parse::<usize>().ok()) {
        return format!("src_{}", place + 1);
    }
    match column {
        TASK | "a" | "b" => shown(value),
        "method" => value.to_uppercase(),
        "predicted" if value.is_empty() => "(nothing)".to_owned(),
        _ => value.to_owned(),
    }
}

fn panel_title(value: &str, parameters: &Parameters) -> String {
    let Some(column) = parameters.panels.as_deref() else { return String::new() };
    if parameters.labels.contains_key(value) || matches!(column, TASK | "method" | "stage" | "part") {
        return label(column, value, parameters);
    }
    format!("{column} = {value}")
}

fn x_title(parameters: &Parameters) -> String {
    parameters.x_title.clone().unwrap_or_else(|| title_of(&parameters.x))
}

/// What a column is called on an axis.
fn title_of(column: &str) -> String {
    match column {
        "sources" | "nsp" => "number of source prompts".to_owned(),
        "source" => "source prompt".to_owned(),
        "weight" => "router weight".to_owned(),
        "cosine" => "cosine similarity".to_owned(),
        "predicted" => "predicted label".to_owned(),
        "gold" => "gold label".to_owned(),
        "k" => "training examples per task (k)".to_owned(),
        "part" => "active part of the prompt".to_owned(),
        "loss" => "training loss (nats a token)".to_owned(),
        "count" => "examples".to_owned(),
        other => other.replace('_', " "),
    }
}

fn y_axis(drawn: &Drawn, parameters: &Parameters) -> Axis {
    let title = parameters.y_title.clone().unwrap_or_else(|| {
        let unit = match metric::find(&drawn.value).map(|metric| metric.unit) {
            Some("percent") => " (%)",
            Some("nats") => " (nats)",
            _ => "",
        };
        let over = if drawn.over_tasks { ", mean over tasks" } else { "" };
        format!("{}{over}{unit}", title_of(&drawn.value))
    });
    Axis { title, log: parameters.y_scale == Scaling::Log, range: parameters.y_range }
}

/// What error bars are, and over how many runs; a reader must not have to guess.
fn note(drawn: &Drawn, parameters: &Parameters) -> String {
    let counts: Vec<u64> = drawn.marks.iter().filter(|mark| mark.value.is_some()).map(|mark| mark.n).collect();
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let runs = match (least, most) {
        (_, 0 | 1) => "one run".to_owned(),
        (least, most) if least == most => format!("{most} runs"),
        (least, most) => format!("{least} to {most} runs"),
    };
    let bars = match parameters.error {
        ErrorBar::Sd => "±1 standard deviation",
        ErrorBar::Se => "±1 standard error of the mean",
        ErrorBar::Ci95 => "95 % confidence interval of the mean",
        ErrorBar::None => "",
    };
    let has_error = drawn.marks.iter().any(|mark| mark.error.is_some());
    match parameters.kind {
        Kind::Heat if most < 2 => String::new(),
        Kind::Heat => format!("Means over {runs}."),
        _ if most < 2 => "One run, without error bars.".to_owned(),
        _ if !has_error => format!("Means over {runs}, without error bars."),
        Kind::Curve => format!("Bands: {bars} over {runs}."),
        _ => format!("Error bars: {bars} over {runs}."),
    }
}
