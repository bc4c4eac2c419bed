//! From rows to what is drawn: one mark for each place, with its mean, its error bar and its published partner.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;

use super::data::{Data, Row};
use super::parameters::{ErrorBar, Kind, Parameters};
use crate::report::published::{Published, PublishedRow};
use crate::report::student::t95;
use crate::report::{AVERAGE, ReportError, TASK, canonical, quoted, sheet, statistics};

/// A drawn value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// Value of the panel column; empty without one.
    pub panel: String,
    /// Value of the series column; empty without one.
    pub series: String,
    /// Value of the row column of a heat map.
    pub row: String,
    /// Value along the horizontal axis; empty for a reference.
    pub x: String,
    /// The value; none where the cell is empty.
    pub value: Option<f64>,
    /// Half the length of the error bar.
    pub error: Option<f64>,
    /// Over how many runs.
    pub n: u64,
    /// The paper's number.
    pub published: Option<f64>,
}

/// All that is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Drawn {
    /// Values of the panel column, in the order of the data.
    pub panels: Vec<String>,
    /// Values of the series column, in the order of the data.
    pub series: Vec<String>,
    /// In the order of the data.
    pub marks: Vec<Mark>,
    /// What is drawn.
    pub value: String,
    /// Whether each value is a mean over tasks.
    pub over_tasks: bool,
}

/// Puts rows together that are drawn at one place.
pub(super) fn of(data: &Data, parameters: &Parameters, published: Option<&Published>) -> Result<Drawn, ReportError> {
    let mut places: Vec<[String; 4]> = Vec::new();
    let mut groups: BTreeMap<[String; 4], Vec<&Row>> = BTreeMap::new();
    for row in &data.rows {
        let of = |column: &Option<String>| column.as_deref().map_or("", |column| row.key(column)).to_owned();
        let series = of(&parameters.series);
        let reference = parameters.references.iter().any(|name| canonical(name) == canonical(&series));
        let x = if reference { String::new() } else { row.key(&parameters.x).to_owned() };
        if !reference && row.value.is_some() {
            check_x(&x, &series, parameters)?;
        }
        let place = [of(&parameters.panels), series, of(&parameters.rows), x];
        if !groups.contains_key(&place) {
            places.push(place.clone());
        }
        groups.entry(place).or_default().push(row);
    }
    let mut drawn = Drawn { value: data.value.clone(), ..Drawn::default() };
    drawn.over_tasks = !data.rows.is_empty() && data.rows.iter().all(|row| row.key(TASK) == AVERAGE);
    for place in places {
        let rows = &groups[&place];
        let [panel, series, row, x] = place;
        let (value, sd, n) = put_together(rows, parameters)?;
        let error = sd.and_then(|sd| half_length(parameters.error, sd, n));
        let published = published.map(|table| partner(table, rows[0], parameters)).transpose()?.flatten();
        if !drawn.panels.contains(&panel) {
            drawn.panels.push(panel.clone());
        }
        if !drawn.series.contains(&series) {
            drawn.series.push(series.clone());
        }
        drawn.marks.push(Mark { panel, series, row, x, value, error, n, published });
    }
    Ok(drawn)
}

/// A value needs a place on the horizontal axis.
fn check_x(x: &str, series: &str, parameters: &Parameters) -> Result<(), ReportError> {
    let column = &parameters.x;
    let numeric = matches!(parameters.kind, Kind::Line | Kind::Curve);
    if x.is_empty() {
        let whose = if series.is_empty() { String::new() } else { format!(" of `{series}`") };
        return Err(ReportError::layout(
            format!("a value{whose} has no `{column}`, so it has no place on the horizontal axis"),
            "name its series in `references`, or narrow what is drawn with `where`",
        ));
    }
    if numeric && !x.parse::<f64>().is_ok_and(f64::is_finite) {
        return Err(ReportError::layout(
            format!("`{x}` in the column `{column}` is no number, so it has no place on a numeric axis"),
            "draw it with `kind: bars`, or narrow what is drawn with `where`",
        ));
    }
    Ok(())
}

/// Mean, deviation and count of the rows at one place.
fn put_together(rows: &[&Row], parameters: &Parameters) -> Result<(Option<f64>, Option<f64>, u64), ReportError> {
    if let Some((sd, n)) = rows[0].summary {
        return match rows {
            [only] => Ok((only.value, sd, n)),
            [first, second, ..] => Err(twice(first, second, parameters)),
            [] => Ok((None, None, 0)),
        };
    }
    let mut runs: BTreeMap<Vec<&str>, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let run = parameters.mean_over.iter().map(|column| row.key(column)).collect();
        let together = runs.entry(run).or_default();
        // Steps of one epoch of one training are one value; anything else would mix what differs.
        let steps = matches!(parameters.kind, Kind::Curve | Kind::Line);
        if let Some(other) = together.first().filter(|other| !steps || other.input != row.input) {
            return Err(twice(other, row, parameters));
        }
        together.push(row);
    }
    let values: Vec<f64> = runs
        .values()
        .filter_map(|rows| statistics::mean(&rows.iter().filter_map(|row| row.value).collect::<Vec<_>>()))
        .collect();
    Ok((statistics::mean(&values), statistics::sd(&values), values.len() as u64))
}

/// Two values for one place: which columns tell them apart, and what to do about it.
fn twice(first: &Row, second: &Row, parameters: &Parameters) -> ReportError {
    let differing: Vec<&String> = first.keys.keys().filter(|column| first.key(column) != second.key(column)).collect();
    let place: Vec<String> =
        parameters.placing().iter().map(|(_, column)| format!("{column}={}", first.key(column))).collect();
    let message = format!("two values are drawn at {}: they differ in {}", place.join(" "), quoted(&differing));
    ReportError::layout(message, "name one of these in `panels` or `series`, or narrow what is drawn with `where`")
}

fn half_length(kind: ErrorBar, sd: f64, n: u64) -> Option<f64> {
    let error = sd / (n.max(1) as f64).sqrt();
    match kind {
        ErrorBar::None => None,
        ErrorBar::Sd => Some(sd),
        ErrorBar::Se => Some(error),
        ErrorBar::Ci95 => Some(error * t95(n.saturating_sub(1) as usize)),
    }
}

/// The published number with the same keys, in the same metric: every published column that goes with one of ours must
/// agree.
fn partner(table: &Published, row: &Row, parameters: &Parameters) -> Result<Option<f64>, ReportError> {
    let keys = parameters.published.as_ref().map(|published| &published.keys);
    let pairs: Vec<(&String, String)> = row
        .keys
        .keys()
        .filter_map(|ours| {
            let theirs = keys.and_then(|keys| keys.get(ours)).unwrap_or(ours);
            Some((ours, table.column(theirs)?))
        })
        .collect();
    let agrees = |published: &&PublishedRow| {
        published.is_comparable(row.key("metric"), &[])
            && pairs.iter().all(|(ours, theirs)| same(row.key(ours), &published.keys[theirs]))
    };
    let mut found = table.rows.iter().filter(agrees);
    let first = found.next();
    if let (Some(_), Some(second)) = (first, found.next()) {
        let keys: Vec<String> = second.keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
        return Err(ReportError::layout(
            format!("two published numbers go with one value; the second is {}", keys.join(" ")),
            "narrow them with `published: { where: { ... } }`",
        ));
    }
    Ok(first.map(|row| row.score))
}

fn same(ours: &str, theirs: &str) -> bool {
    match (ours.parse::<f64>(), theirs.parse::<f64>()) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        _ => canonical(ours) == canonical(theirs),
    }
}

impl Drawn {
    /// The drawn numbers as a table: the place, the value, the ends of its error bar, runs, the published number.
    pub fn frame(&self) -> Result<DataFrame, ReportError> {
        let texts = |name: &str, of: fn(&Mark) -> &String| {
            sheet::text_column(name, self.marks.iter().map(|mark| of(mark).clone()))
        };
        let numbers =
            |name: &str, of: &dyn Fn(&Mark) -> Option<f64>| sheet::number_column(name, self.marks.iter().map(of));
        sheet::frame(vec![
            texts("panel", |mark| &mark.panel),
            texts("series", |mark| &mark.series),
            texts("row", |mark| &mark.row),
            texts("x", |mark| &mark.x),
            numbers("value", &|mark| mark.value),
            numbers("low", &|mark| Some(mark.value? - mark.error?)),
            numbers("high", &|mark| Some(mark.value? + mark.error?)),
            sheet::count_column("n", self.marks.iter().map(|mark| Some(mark.n))),
            numbers("published", &|mark| mark.published),
        ])
    }
}
