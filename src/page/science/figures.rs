//! The pictures of `plot`, inside the file.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, html};

use super::{name, of};
use crate::page::scrolls;
use crate::protocol::Input;
use crate::report::ReportError;
use crate::report::sheet::Sheet;

/// More rows of drawn data than this stay in their file.
const ROWS: usize = 200;

pub(super) fn body(inputs: &[Input]) -> Result<Option<Markup>, ReportError> {
    let mut figures = Vec::new();
    for input in of(inputs, "plot") {
        for path in drawings(input)? {
            figures.push(figure(&name(input), &path)?);
        }
    }
    Ok((!figures.is_empty()).then(|| html! { @for figure in &figures { (figure) } }))
}

/// The drawings of one stage by name.
fn drawings(input: &Input) -> Result<Vec<PathBuf>, ReportError> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(input.files.folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// As an image with its data inside: what a drawing names or styles can't meet the rest of the page.
fn figure(title: &str, path: &Path) -> Result<Markup, ReportError> {
    let data = BASE64_STANDARD.encode(fs_err::read(path)?);
    let table = path.with_extension("csv");
    let drawn = if table.is_file() { Some(Sheet::read(&table)?) } else { None };
    let drawn = drawn.as_ref().map(data_table).transpose()?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(html! {
        figure {
            img src={ "data:image/svg+xml;base64," (data) } alt={ "Figure " (title) "; its numbers are in the table below" };
            figcaption { code { (title) } " · " code { (file) } }
            @if let Some(drawn) = drawn {
                details { summary { "The numbers of this figure" } (scrolls(&format!("Numbers of {title}"), &drawn)) }
            }
        }
    })
}

fn data_table(sheet: &Sheet) -> Result<Markup, ReportError> {
    let columns = sheet.columns();
    let values = columns.iter().map(|name| sheet.texts(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        table {
            caption {
                "Drawn data"
                @if sheet.height() > ROWS { ", the first " (ROWS) " of " (sheet.height()) " rows" }
            }
            thead { tr { @for column in &columns { th scope="col" { (column) } } } }
            tbody {
                @for row in 0..sheet.height().min(ROWS) {
                    tr { @for column in &values { td { (column[row]) } } }
                }
            }
        }
    })
}
