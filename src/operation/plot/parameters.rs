//! What a pipeline says about a figure.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operation::parameters::fault;
use crate::plan::catalog::ParameterError;

/// The parameters of `plot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The kind of figure.
    pub kind: Kind,
    /// The column along the horizontal axis: numbers for `line` and `curve`, groups for `bars`, columns for `heat`.
    pub x: String,
    /// The column whose values are the rows of a heat map.
    #[serde(default)]
    pub rows: Option<String>,
    /// The column whose values are lines, or bars of a group.
    #[serde(default)]
    pub series: Option<String>,
    /// The column whose values are panels; `stage` for a panel for each stage that is read.
    #[serde(default)]
    pub panels: Option<String>,
    /// Values of `series` that are drawn as horizontal references, at the value that they have for any `x`.
    #[serde(default)]
    pub references: Vec<String>,
    /// The column that is drawn; the usual one of the operation that is read when not given (`loss` of `train`).
    #[serde(default)]
    pub value: Option<String>,
    /// The file that is read; the usual one of the operation that is read when not given (`cells.csv` of `aggregate`).
    #[serde(default)]
    pub file: Option<String>,
    /// Column -> the value, or the values, of the rows that are drawn.
    #[serde(default, rename = "where")]
    pub chosen: BTreeMap<String, Value>,
    /// Columns over which a mean is taken, where what is read is not a mean already.
    #[serde(default = "seed")]
    pub mean_over: Vec<String>,
    /// What error bars and bands show.
    #[serde(default)]
    pub error: ErrorBar,
    /// Numbers of a paper, drawn as marks.
    #[serde(default)]
    pub published: Option<PublishedNumbers>,
    /// A value as the data spell it -> as the figure shows it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Above the figure.
    #[serde(default)]
    pub title: String,
    /// Title of the horizontal axis, with its unit.
    #[serde(default)]
    pub x_title: Option<String>,
    /// Title of the vertical axis, or of the colour bar, with its unit.
    #[serde(default)]
    pub y_title: Option<String>,
    /// Scale of the horizontal axis.
    #[serde(default)]
    pub x_scale: Scaling,
    /// Scale of the vertical axis.
    #[serde(default)]
    pub y_scale: Scaling,
    /// Values that the vertical axis, or the colours, reach at least.
    #[serde(default)]
    pub y_range: Option<(f64, f64)>,
    /// Decimals of the numbers in a heat map.
    #[serde(default = "digits")]
    pub digits: usize,
    /// Panels beside each other; as many as fit when not given.
    #[serde(default)]
    pub per_row: Option<usize>,
    /// Width in inches; a page's 7 when not given, less for one panel of lines.
    #[serde(default)]
    pub width: Option<f64>,
    /// Name of the files, without ending.
    #[serde(default = "name")]
    pub name: String,
}

/// Kinds of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Lines with markers and error bars over a numeric axis.
    Line,
    /// Lines with bands over a numeric axis: the course of a training.
    Curve,
    /// Bars in groups.
    Bars,
    /// Coloured cells with numbers.
    Heat,
}

/// What an error bar shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBar {
    /// One standard deviation over runs.
    #[default]
    Sd,
    /// One standard error of the mean.
    Se,
    /// A confidence interval of 95 % for the mean, by Student's t.
    Ci95,
    /// Nothing.
    None,
}

/// Scale of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// Equal distances are equal differences.
    #[default]
    Linear,
    /// Equal distances are equal ratios.
    Log,
}

/// Numbers of a paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedNumbers {
    /// A CSV file with the columns `task`, `score` and keys such as `method`, below the project folder.
    pub file: String,
    /// Published column -> the value of the rows that are drawn, such as `k: 16`.
    #[serde(default, rename = "where")]
    pub chosen: BTreeMap<String, Value>,
    /// Our column -> the published column that it goes with, where the two are not of one name.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// What the legend calls them.
    #[serde(default = "published_label")]
    pub label: String,
}

fn seed() -> Vec<String> {
    vec!["seed".to_owned()]
}

fn digits() -> usize {
    1
}

fn name() -> String {
    "figure".to_owned()
}

fn published_label() -> String {
    "published".to_owned()
}

/// A value as `scores.csv` and coordinates spell it.
pub fn spelled(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

impl Parameters {
    /// What serde can't check; every fault at once.
    pub(super) fn faults(&self, root: &Path) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        match (self.kind, &self.rows) {
            (Kind::Heat, None) => faults.push(fault("rows", "a heat map needs the column of its rows: `rows: task`")),
            (Kind::Heat, Some(_)) => {}
            (_, Some(_)) => faults.push(fault("rows", "only a heat map has `rows`; name the column in `series`")),
            (_, None) => {}
        }
        if !self.references.is_empty() && (self.series.is_none() || matches!(self.kind, Kind::Bars | Kind::Heat)) {
            faults.push(fault("references", "references are values of `series` in a `line` or `curve` figure"));
        }
        if let Some(published) = self.published.as_ref().filter(|published| !root.join(&published.file).is_file()) {
            let message = format!("there is no file `{}` below the project folder", published.file);
            faults.push(fault("published.file", message));
        }
        if self.name.is_empty() || !self.name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            faults.push(fault("name", format!("`{}` is no file name of letters, digits, `_` and `-`", self.name)));
        }
        if self.width.is_some_and(|width| !(2.0..=20.0).contains(&width)) {
            faults.push(fault("width", "expected a width from 2 to 20 inches"));
        }
        if self.digits > 6 {
            faults.push(fault("digits", format!("`{}` decimals are too many; at most 6", self.digits)));
        }
        if self.per_row == Some(0) {
            faults.push(fault("per_row", "expected at least `1` panel"));
        }
        if self.y_range.is_some_and(|(low, high)| low >= high) {
            faults.push(fault("y_range", "expected the lower value first: `[0, 100]`"));
        }
        faults
    }

    /// The columns that say where a value is drawn.
    pub(super) fn placing(&self) -> Vec<(&'static str, &str)> {
        let named = [("rows", &self.rows), ("series", &self.series), ("panels", &self.panels)];
        let named = named.into_iter().filter_map(|(parameter, column)| Some((parameter, column.as_deref()?)));
        std::iter::once(("x", self.x.as_str())).chain(named).collect()
    }
}
