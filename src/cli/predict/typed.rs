//! Rows that are typed on the command line.

use std::sync::Arc;

use crate::base::suggest;
use crate::cli::arguments::PredictArguments;
use crate::cli::failure::Failure;
use crate::task::dataset::Dataset;
use crate::task::stream::{Row, missing};
use crate::task::text::Template;

/// The rows of `--text` and `--field`; nothing when neither was given.
///
/// # Errors
/// Texts that do not make whole rows, or fields that the task does not have.
pub fn rows(arguments: &PredictArguments, dataset: &Dataset) -> Result<Option<Vec<Row>>, Failure> {
    let cells = match (arguments.text.as_slice(), arguments.field.as_slice()) {
        ([], []) => return Ok(None),
        (texts, []) => by_position(texts, dataset)?,
        (_, fields) => vec![by_name(fields, dataset)?],
    };
    let header: Arc<[String]> = dataset.columns.clone().into();
    let rows = (1..).zip(cells).map(|(line, cells)| Row::separated(line, header.clone(), cells));
    rows.collect::<Result<_, _>>().map(Some).map_err(|fault| fault.of("the texts").into())
}

/// Texts in the order of the columns, or each a whole row in the form of the template.
fn by_position(texts: &[String], dataset: &Dataset) -> Result<Vec<Vec<String>>, Failure> {
    let columns = &dataset.columns;
    if columns.len() > 1
        && let Ok(template) = Template::parse(&dataset.template)
        && let Some(rows) = texts.iter().map(|text| whole(text, &template, columns)).collect()
    {
        return Ok(rows);
    }
    if texts.len().is_multiple_of(columns.len()) {
        return Ok(texts.chunks(columns.len()).map(<[String]>::to_vec).collect());
    }
    let (count, were) =
        if texts.len() == 1 { ("one text".to_owned(), "was") } else { (format!("{} texts", texts.len()), "were") };
    let quoted = quoted(columns);
    let options: Vec<String> = columns.iter().map(|column| format!("--text {}", column.to_uppercase())).collect();
    Err(Failure::usage(
        format!("a row of the task `{}` has the columns {quoted}, but {count} {were} given", dataset.name),
        format!("type `{}`, or one text in the form `{}`", options.join(" "), dataset.template),
    ))
}

/// The columns of a text in the template's form.
fn whole(text: &str, template: &Template, columns: &[String]) -> Option<Vec<String>> {
    let values = template.read(text)?;
    columns.iter().map(|column| Some((*values.iter().find(|(name, _)| name == column)?.1).to_owned())).collect()
}

fn by_name(fields: &[(String, String)], dataset: &Dataset) -> Result<Vec<String>, Failure> {
    let columns: Vec<&str> = dataset.columns.iter().map(String::as_str).collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let task = &dataset.name;
    let usage = |message: String| {
        let options: Vec<String> = columns.iter().map(|column| format!("--field {column}=...")).collect();
        Failure::usage(message, format!("type `{}`", options.join(" ")))
    };
    if let Some(unknown) = names.iter().find(|name| !columns.contains(name)) {
        let near = suggest::nearest(unknown, columns.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("; is it `{near}`?"));
        return Err(usage(format!("the task `{task}` has no column `{unknown}`{near}")));
    }
    if let Some(twice) = (1..names.len()).find(|&place| names[..place].contains(&names[place])) {
        return Err(usage(format!("the column `{}` is given twice", names[twice])));
    }
    if names.len() < columns.len() {
        return Err(usage(format!("the task `{task}`: {}", missing(&columns, &names))));
    }
    let text = |column: &&str| fields.iter().find(|(name, _)| name == column).map(|(_, text)| text.clone());
    Ok(columns.iter().filter_map(text).collect())
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}
