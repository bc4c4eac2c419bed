//! Which source prompts each task uses, and how alike routers and prompts are.

use std::collections::BTreeMap;
use std::path::Path;

use maud::{Markup, html};
use serde::Deserialize;

use super::of;
use crate::page::heat::Grid;
use crate::page::{scrolls, words};
use crate::protocol::Input;
use crate::report::sheet::Sheet;
use crate::report::{ReportError, shown};

/// Matrices that are shown at once; the others are folded.
const OPEN: usize = 12;

/// What `train` writes about its router.
#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    router: BTreeMap<String, Routing>,
}

#[derive(Deserialize)]
struct Routing {
    sources: BTreeMap<String, f64>,
    alpha: Option<f64>,
    beta: Option<f64>,
}

/// The two tables of `similarity`, and what their pairs are.
const SIMILARITIES: [(&str, &str); 2] =
    [("router_similarity.csv", "Likeness of routers"), ("prompt_similarity.csv", "Likeness of prompts")];

/// Columns of these tables that tell no matrices apart.
const NOT_AXES: [&str; 5] = ["a", "b", "cosine", "cosine_logit", "cosine_flat"];

pub(super) fn intro() -> Markup {
    html! {
        p {
            "The weight of each source prompt in the prompt of each task, and the gates: α before the task's own prompt, "
            "β before the mixture. Sources of different runs are different, so runs are not averaged. Likeness is the cosine "
            "of a pair: 1 is the same direction, 0 has nothing in common."
        }
    }
}

pub(super) fn body(inputs: &[Input]) -> Result<Option<Markup>, ReportError> {
    let mut routers = Vec::new();
    for input in of(inputs, "train") {
        let path = input.files.file("summary.json");
        let summary: Summary = serde_json::from_slice(&fs_err::read(&path)?)
            .map_err(|error| ReportError::file(&path, Some(error.line()), error.to_string()))?;
        routers.extend(weights(&words::place(&input.coordinates), &summary));
    }
    let mut alike = Vec::new();
    for input in of(inputs, "similarity") {
        for (file, title) in SIMILARITIES {
            let path = input.files.file(file);
            if path.is_file() {
                alike.extend(similarities(title, &path, &input.coordinates)?);
            }
        }
    }
    let body = html! {
        @if !routers.is_empty() { (grids("Router weights", &routers)) }
        @if !alike.is_empty() {
            h4 { "How alike routers and prompts are" }
            (grids("Similarities", &alike))
        }
    };
    Ok((!(routers.is_empty() && alike.is_empty())).then_some(body))
}

/// The weights of one training; none where there is nothing to choose from.
fn weights(title: &str, summary: &Summary) -> Option<Grid> {
    let mut sources: Vec<&String> = summary.router.values().next()?.sources.keys().collect();
    // `source/10` comes after `source/9`.
    sources.sort_by_key(|name| (name.len(), *name));
    if sources.len() < 2 {
        return None;
    }
    let gates = summary.router.values().any(|routing| routing.alpha.is_some());
    let mut columns: Vec<String> = sources.iter().map(|name| part(name)).collect();
    if gates {
        columns.extend(["α".to_owned(), "β".to_owned()]);
    }
    let row = |routing: &Routing| {
        let mut cells: Vec<Option<f64>> = sources.iter().map(|name| routing.sources.get(*name).copied()).collect();
        if gates {
            cells.extend([routing.alpha, routing.beta]);
        }
        cells
    };
    Some(Grid {
        caption: title.to_owned(),
        axes: ["task".to_owned(), "source".to_owned()],
        rows: summary.router.keys().map(|task| shown(task)).collect(),
        columns,
        cells: summary.router.values().map(row).collect(),
        full: vec![1.0; summary.router.len()],
        digits: 2,
    })
}

/// `source/0` of a training is the part that evaluations and figures call `src_1`.
fn part(name: &str) -> String {
    match name.strip_prefix("source/").and_then(|place| place.parse::<usize>().ok()) {
        Some(place) => format!("src_{}", place + 1),
        None => shown(name),
    }
}

/// The pairs of a table, a matrix for each combination of its other columns.
fn similarities(title: &str, path: &Path, of: &BTreeMap<String, String>) -> Result<Vec<Grid>, ReportError> {
    let sheet = Sheet::read(path)?;
    let (a, b, cosine) = (sheet.texts("a")?, sheet.texts("b")?, sheet.numbers::<f64>("cosine")?);
    let others: Vec<String> = sheet.columns().into_iter().filter(|name| !NOT_AXES.contains(&name.as_str())).collect();
    let values = others.iter().map(|name| sheet.texts(name)).collect::<Result<Vec<_>, _>>()?;
    let mut matrices: Vec<(BTreeMap<String, String>, Vec<usize>)> = Vec::new();
    for row in 0..sheet.height() {
        let mut place = of.clone();
        place.extend(others.iter().zip(&values).map(|(name, values)| (name.clone(), values[row].clone())));
        match matrices.iter_mut().find(|(other, _)| *other == place) {
            Some((_, rows)) => rows.push(row),
            None => matrices.push((place, vec![row])),
        }
    }
    let grid = |(place, rows): (BTreeMap<String, String>, Vec<usize>)| {
        let mut names: Vec<&String> = Vec::new();
        for name in rows.iter().flat_map(|row| [&a[*row], &b[*row]]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let at = |one: &String, two: &String| {
            let pair = |row: &&usize| (&a[**row], &b[**row]) == (one, two) || (&a[**row], &b[**row]) == (two, one);
            rows.iter().find(pair).and_then(|row| cosine[*row])
        };
        let place = words::place(&place);
        Grid {
            caption: if place.is_empty() { title.to_owned() } else { format!("{title}: {place}") },
            axes: ["task".to_owned(), "task".to_owned()],
            rows: names.iter().map(|name| part(name)).collect(),
            columns: names.iter().map(|name| part(name)).collect(),
            cells: names.iter().map(|one| names.iter().map(|two| at(one, two)).collect()).collect(),
            full: vec![1.0; names.len()],
            digits: 2,
        }
    };
    Ok(matrices.into_iter().map(grid).collect())
}

/// Several matrices side by side.
pub(super) fn grids(label: &str, grids: &[Grid]) -> Markup {
    let (open, folded) = grids.split_at(grids.len().min(OPEN));
    let side_by_side =
        |grids: &[Grid]| html! { div.grids { @for grid in grids { (scrolls(&grid.caption, &grid.table())) } } };
    html! {
        (side_by_side(open))
        @if !folded.is_empty() {
            details { summary { (label) ": " (folded.len()) " more" } (side_by_side(folded)) }
        }
    }
}
