//! What is read: rows of keys with a value, whichever operation made them.

use std::collections::{BTreeMap, BTreeSet};

use super::parameters::{Parameters, spelled};
use crate::base::suggest;
use crate::protocol::Input;
use crate::report::sheet::Sheet;
use crate::report::{AVERAGE, ReportError, TASK, canonical, quoted};

/// The key that says which stage a row comes from.
const STAGE: &str = "stage";

/// Columns of a table of means that are no keys; `reference` marks rows that a table sets apart.
const NO_KEYS: [&str; 5] = ["mean", "sd", "n", "examples", "reference"];

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Columns with their values, axis values of the stage instance among them.
    pub keys: BTreeMap<String, String>,
    /// The number; none where the cell is empty.
    pub value: Option<f64>,
    /// Where the number is a mean already: its deviation and count of runs.
    pub summary: Option<(Option<f64>, u64)>,
    /// Which of the stage instances that are read it comes from.
    pub input: usize,
}

impl Row {
    /// The value of a column; empty where the row has none.
    pub fn key(&self, column: &str) -> &str {
        self.keys.get(column).map_or("", String::as_str)
    }
}

/// All rows that are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Data {
    /// In the order of what is read.
    pub rows: Vec<Row>,
    /// Every column that some row has.
    pub columns: BTreeSet<String>,
    /// What is drawn: a column's name, or the metric where the data say it.
    pub value: String,
}

/// The file and the column that are drawn when the pipeline does not say.
fn usual(operation: &str) -> (&'static str, &'static str) {
    match operation {
        "train" => ("curve.csv", "loss"),
        "confusion" => ("confusion.csv", "count"),
        "similarity" => ("router.csv", "weight"),
        _ => ("cells.csv", "mean"),
    }
}

/// Reads, checks the names of columns, and keeps what `where` asks for.
pub(super) fn read(inputs: &[Input], parameters: &Parameters) -> Result<Data, ReportError> {
    let mut data = Data::default();
    for (index, input) in inputs.iter().enumerate() {
        read_input(input, index, parameters, &mut data)?;
    }
    let named = parameters.placing().into_iter().chain(parameters.chosen.keys().map(|name| ("where", name.as_str())));
    for (parameter, column) in named {
        check_column(&data, parameter, column)?;
    }
    for (column, wanted) in &parameters.chosen {
        let wanted: Vec<String> = match wanted {
            serde_json::Value::Array(values) => values.iter().map(|value| canonical(&spelled(value))).collect(),
            value => vec![canonical(&spelled(value))],
        };
        data.rows.retain(|row| wanted.contains(&canonical(row.key(column))));
    }
    // Where tasks have no place of their own, a table's mean over them is what is drawn.
    let placed = parameters.placing().iter().any(|(_, column)| *column == TASK);
    if !placed && !parameters.chosen.contains_key(TASK) && data.rows.iter().any(|row| row.key(TASK) == AVERAGE) {
        data.rows.retain(|row| row.key(TASK) == AVERAGE);
    }
    let metrics: BTreeSet<&str> = data.rows.iter().map(|row| row.key("metric")).collect();
    match metrics.first() {
        Some(metric) if metrics.len() == 1 && !metric.is_empty() => data.value = (*metric).to_owned(),
        Some(_) if metrics.len() > 1 => data.value = "score".to_owned(),
        _ => {}
    }
    Ok(data)
}

fn read_input(input: &Input, index: usize, parameters: &Parameters, data: &mut Data) -> Result<(), ReportError> {
    let (file, column) = usual(&input.operation);
    let column = parameters.value.as_deref().unwrap_or(column);
    let sheet = Sheet::read(&input.files.file(parameters.file.as_deref().unwrap_or(file)))?;
    let values = sheet.numbers::<f64>(column)?;
    let columns = sheet.columns();
    let means = column == "mean" && columns.iter().any(|name| name == "sd");
    let (sds, counts) = match means {
        true => (sheet.numbers::<f64>("sd")?, sheet.numbers::<u64>("n")?),
        false => (vec![None; values.len()], vec![None; values.len()]),
    };
    let keys: Vec<&String> =
        columns.iter().filter(|name| *name != column && !(means && NO_KEYS.contains(&name.as_str()))).collect();
    let texts = keys.iter().map(|name| sheet.texts(name)).collect::<Result<Vec<_>, _>>()?;
    for row in 0..sheet.height() {
        let mut all = input.coordinates.clone();
        all.insert(STAGE.to_owned(), input.stage.clone());
        all.extend(keys.iter().zip(&texts).map(|(name, values)| ((*name).clone(), values[row].clone())));
        data.columns.extend(all.keys().cloned());
        let summary = means.then(|| (sds[row], counts[row].unwrap_or_default()));
        data.rows.push(Row { keys: all, value: values[row], summary, input: index });
    }
    data.value = column.to_owned();
    Ok(())
}

fn check_column(data: &Data, parameter: &str, column: &str) -> Result<(), ReportError> {
    if data.columns.contains(column) {
        return Ok(());
    }
    let hint = match suggest::nearest(column, data.columns.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "name a column of the file that is read, or an axis of the stages in `from`".to_owned(),
    };
    let message = format!("`{parameter}` names the column `{column}`, but there are {}", quoted(&data.columns));
    Err(ReportError::layout(message, hint))
}
