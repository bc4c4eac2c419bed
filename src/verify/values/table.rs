//! Tables, cell by cell.

use std::io::Cursor;

use polars::prelude::{CsvReadOptions, DataFrame, DataType, ParquetReader, SerReader};

use super::tally::Tally;

/// Compares two CSV files with headers; `None` when one of them is none.
pub(super) fn compare_csv(recorded: &[u8], rerun: &[u8], tally: &mut Tally) -> Option<()> {
    let read = |bytes: &[u8]| {
        CsvReadOptions::default()
            .with_has_header(true)
            .with_infer_schema_length(Some(0))
            .into_reader_with_file_handle(Cursor::new(bytes.to_vec()))
            .finish()
            .ok()
    };
    // The header is line 1. A quoted value with line breaks moves lines; the row is then counted, not the line.
    cells(&read(recorded)?, &read(rerun)?, "line", 2, tally)
}

/// Compares two Parquet files; `None` when one of them is none, or has values that are no text and no numbers.
pub(super) fn compare_parquet(recorded: &[u8], rerun: &[u8], tally: &mut Tally) -> Option<()> {
    let read = |bytes: &[u8]| ParquetReader::new(Cursor::new(bytes.to_vec())).finish().ok();
    cells(&read(recorded)?, &read(rerun)?, "row", 1, tally)
}

fn cells(recorded: &DataFrame, rerun: &DataFrame, unit: &str, first: usize, tally: &mut Tally) -> Option<()> {
    let names =
        |frame: &DataFrame| -> Vec<String> { frame.get_column_names().into_iter().map(ToString::to_string).collect() };
    let columns = names(recorded);
    let others = names(rerun);
    tally.other("columns", columns.join(", "), others.join(", "));
    tally.other("rows", recorded.height().to_string(), rerun.height().to_string());
    if columns != others {
        return Some(());
    }
    let mut sides = Vec::with_capacity(columns.len());
    for name in &columns {
        let text = |frame: &DataFrame| frame.column(name).and_then(|column| column.cast(&DataType::String)).ok();
        sides.push((name, text(recorded)?, text(rerun)?));
    }
    for row in 0..recorded.height().min(rerun.height()) {
        for (name, a, b) in &sides {
            let a = a.str().ok()?.get(row).unwrap_or_default();
            let b = b.str().ok()?.get(row).unwrap_or_default();
            let at = || format!("{unit} {}, column `{name}`", row + first);
            match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => tally.number(at, a, b),
                _ if a != b => tally.other(at(), a, b),
                _ => {}
            }
        }
    }
    Some(())
}
