//! Reads parquet, CSV and JSON lines into rows, with checks that name the file, the row and the column.

use std::path::Path;

use polars::prelude::{
    Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, ParquetReader, PolarsResult, SerReader,
};

use super::{RawLabel, Rows, understand};
use crate::base::suggest;
use crate::protocol::StageError;
use crate::task::dataset::Dataset;

/// Whether files of this name can be read.
pub fn is_supported(name: &str) -> bool {
    Format::of(name).is_some()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Csv(u8),
    JsonLines,
}

impl Format {
    fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "parquet" => Some(Self::Parquet),
            "csv" => Some(Self::Csv(b',')),
            "tsv" => Some(Self::Csv(b'\t')),
            "jsonl" | "json" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// Reads one file of a data set: its text columns and its label. `name` is the file's path inside its source, for
/// messages and for its format; `path` is where it lies (in the hub's cache a name without an ending).
///
/// # Errors
/// A file that is damaged, lacks a column, or has a row without a text or with an unknown label.
pub fn read_source(dataset: &Dataset, name: &str, path: &Path) -> Result<Rows, StageError> {
    let wanted: Vec<String> = dataset.columns.iter().chain([&dataset.label.column]).cloned().collect();
    let frame = match Format::of(name) {
        Some(Format::Parquet) => parquet(path, name, &wanted)?,
        Some(Format::Csv(separator)) => csv(path, name, separator, &wanted)?,
        Some(Format::JsonLines) => return json_lines(dataset, path, name),
        None => {
            return Err(StageError::input(format!(
                "`{name}` is of no format that can be read: expected .parquet, .csv, .tsv, .jsonl or .json"
            )));
        }
    };
    let mut cells = vec![Vec::with_capacity(dataset.columns.len()); frame.height()];
    for column in &dataset.columns {
        let texts = texts(&frame, column, name)?;
        for (row, (into, text)) in cells.iter_mut().zip(texts).enumerate() {
            into.push(text.ok_or_else(|| null(name, row + 1, column))?);
        }
    }
    let raw = raw_labels(&frame, &dataset.label.column, name)?;
    let labels =
        raw.iter().enumerate().map(|(row, raw)| understand(dataset, raw, name, row + 1)).collect::<Result<_, _>>()?;
    Ok(Rows { columns: dataset.columns.clone(), cells, labels })
}

/// The texts of one column of a file of any format above, or the lines of a `.txt` file; without a `column`, of the
/// only one. Names and paths are those of [`read_source`].
///
/// # Errors
/// A file that is damaged, lacks the column or leaves open which is meant, or has a row without a text.
pub fn read_texts(name: &str, path: &Path, column: Option<&str>) -> Result<Vec<String>, StageError> {
    let format = match Format::of(name) {
        Some(format) => format,
        None if name.ends_with(".txt") => return lines(name, path),
        None => {
            return Err(StageError::input(format!(
                "`{name}` is of no format that can be read: expected .txt, .parquet, .csv, .tsv, .jsonl or .json"
            )));
        }
    };
    let chosen = |present: &[&str]| match (column, present) {
        (Some(column), _) => {
            require(present, &[column.to_owned()], name)?;
            Ok(column.to_owned())
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, several) => Err(StageError::input(format!("`{name}` has several columns"))
            .with_hint(format!("name the one of the texts as `corpus.column`: {}", several.join(", ")))),
    };
    let (frame, column) = match format {
        Format::Parquet => {
            let mut reader = ParquetReader::new(fs_err::File::open(path)?.into_file());
            let schema = reader.schema().map_err(|error| damaged(name, error))?;
            let column = chosen(&schema.iter_names().map(|column| column.as_str()).collect::<Vec<_>>())?;
            (parquet(path, name, std::slice::from_ref(&column))?, column)
        }
        Format::Csv(separator) => {
            let frame = csv(path, name, separator, &[])?;
            let column = chosen(&frame.get_column_names().iter().map(|column| column.as_str()).collect::<Vec<_>>())?;
            (frame, column)
        }
        Format::JsonLines => {
            let objects = objects(path, name)?;
            let Some((_, first)) = objects.first() else { return Ok(Vec::new()) };
            let column = chosen(&first.keys().map(String::as_str).collect::<Vec<_>>())?;
            return objects.iter().map(|(row, object)| cell(object, &column, name, *row)).collect();
        }
    };
    let texts = texts(&frame, &column, name)?.into_iter().enumerate();
    texts.map(|(row, text)| text.ok_or_else(|| null(name, row + 1, &column))).collect()
}

fn lines(name: &str, path: &Path) -> Result<Vec<String>, StageError> {
    let content = String::from_utf8(fs_err::read(path)?).map_err(|error| damaged(name, error))?;
    Ok(content.lines().map(str::to_owned).collect())
}

fn null(name: &str, row: usize, column: &str) -> StageError {
    StageError::input(format!("row {row} of `{name}` has no text in column `{column}`"))
}

fn damaged(name: &str, error: impl std::fmt::Display) -> StageError {
    StageError::input(format!("`{name}` can't be read: {error}"))
}

fn require(present: &[&str], wanted: &[String], name: &str) -> Result<(), StageError> {
    let Some(missing) = wanted.iter().find(|column| !present.contains(&column.as_str())) else { return Ok(()) };
    let failed = StageError::input(format!("`{name}` has no column `{missing}`, only {}", present.join(", ")));
    Err(match suggest::nearest(missing, present.iter().copied()) {
        Some(near) => failed.with_hint(format!("did you mean `{near}`?")),
        None => failed,
    })
}

fn parquet(path: &Path, name: &str, wanted: &[String]) -> Result<DataFrame, StageError> {
    let mut reader = ParquetReader::new(fs_err::File::open(path)?.into_file());
    let schema = reader.schema().map_err(|error| damaged(name, error))?;
    let present: Vec<&str> = schema.iter_names().map(|column| column.as_str()).collect();
    require(&present, wanted, name)?;
    reader.with_columns(Some(wanted.to_vec())).finish().map_err(|error| damaged(name, error))
}

/// Everything is read as text, and an empty field is an empty text: what a label means is not guessed from its looks.
fn csv(path: &Path, name: &str, separator: u8, wanted: &[String]) -> Result<DataFrame, StageError> {
    let file = fs_err::File::open(path)?.into_file();
    let parse = CsvParseOptions::default().with_separator(separator).with_missing_is_null(false);
    let frame = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .with_parse_options(parse)
        .into_reader_with_file_handle(file)
        .finish()
        .map_err(|error| damaged(name, error))?;
    let present: Vec<&str> = frame.get_column_names().into_iter().map(|column| column.as_str()).collect();
    require(&present, wanted, name)?;
    Ok(frame)
}

fn texts(frame: &DataFrame, column: &str, name: &str) -> Result<Vec<Option<String>>, StageError> {
    let found = frame.column(column).map_err(|error| damaged(name, error))?;
    let dtype = found.dtype();
    let plain = matches!(dtype, DataType::String | DataType::Categorical(..) | DataType::Enum(..))
        || dtype.is_primitive_numeric();
    if !plain {
        return Err(StageError::input(format!("column `{column}` of `{name}` holds {dtype}, expected texts")));
    }
    strings(found).map_err(|error| damaged(name, error))
}

fn strings(column: &Column) -> PolarsResult<Vec<Option<String>>> {
    let column = column.cast(&DataType::String)?;
    Ok(column.str()?.iter().map(|text| text.map(str::to_owned)).collect())
}

fn raw_labels(frame: &DataFrame, column: &str, name: &str) -> Result<Vec<RawLabel>, StageError> {
    let found = frame.column(column).map_err(|error| damaged(name, error))?;
    let dtype = found.dtype();
    let read = || -> PolarsResult<Vec<RawLabel>> {
        if dtype.is_float() {
            let numbers = found.cast(&DataType::Float64)?;
            return Ok(numbers.f64()?.iter().map(|cell| cell.map_or(RawLabel::Missing, RawLabel::Number)).collect());
        }
        Ok(strings(found)?.into_iter().map(|cell| cell.map_or(RawLabel::Missing, RawLabel::Text)).collect())
    };
    if dtype.is_nested() {
        return Err(StageError::input(format!("column `{column}` of `{name}` holds {dtype}, expected labels")));
    }
    read().map_err(|error| damaged(name, error))
}

type Object = serde_json::Map<String, serde_json::Value>;

/// The objects of a file of JSON lines, each with the number of its line.
fn objects(path: &Path, name: &str) -> Result<Vec<(usize, Object)>, StageError> {
    let content = fs_err::read(path)?;
    let content = std::str::from_utf8(&content).map_err(|error| damaged(name, error))?;
    let lines = content.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let read = |(line, row)| {
        let object = serde_json::from_str(line).map_err(|error| damaged(name, format!("line {row}: {error}")))?;
        Ok((row, object))
    };
    lines.map(read).collect()
}

/// The text of an object's entry.
fn cell(object: &Object, column: &str, name: &str, row: usize) -> Result<String, StageError> {
    match object.get(column) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(serde_json::Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(null(name, row, column)),
        None => {
            let present: Vec<&str> = object.keys().map(String::as_str).collect();
            require(&present, &[column.to_owned()], &format!("{name}, line {row}"))?;
            Ok(String::new())
        }
    }
}

fn json_lines(dataset: &Dataset, path: &Path, name: &str) -> Result<Rows, StageError> {
    let mut rows = Rows { columns: dataset.columns.clone(), ..Rows::default() };
    for (row, object) in objects(path, name)? {
        let cells = dataset.columns.iter().map(|column| cell(&object, column, name, row)).collect::<Result<_, _>>()?;
        let present: Vec<&str> = object.keys().map(String::as_str).collect();
        require(&present, std::slice::from_ref(&dataset.label.column), &format!("{name}, line {row}"))?;
        let raw = match object.get(&dataset.label.column) {
            Some(serde_json::Value::String(text)) => RawLabel::Text(text.clone()),
            Some(serde_json::Value::Bool(flag)) => RawLabel::Text(flag.to_string()),
            Some(serde_json::Value::Number(number)) if !number.is_f64() => RawLabel::Text(number.to_string()),
            Some(serde_json::Value::Number(number)) => number.as_f64().map_or(RawLabel::Missing, RawLabel::Number),
            _ => RawLabel::Missing,
        };
        rows.labels.push(understand(dataset, &raw, name, row)?);
        rows.cells.push(cells);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::{read_source, read_texts};
    use crate::protocol::StageError;
    use crate::task::fixtures;
    use crate::task::rows::{Label, Rows};
    use polars::prelude::{Column, DataFrame, ParquetWriter};

    fn read(task: &str, name: &str, content: &[u8]) -> Result<Rows, StageError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        fs_err::write(&path, content).unwrap();
        read_source(&fixtures::dataset(task), name, &path)
    }

    fn parquet(columns: Vec<Column>) -> Vec<u8> {
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut DataFrame::new_infer_height(columns).unwrap()).unwrap();
        bytes
    }

    #[test]
    fn the_same_rows_from_every_format() {
        let expected = [(vec!["It, \"works\".".to_owned()], Label::Class(1)), (vec!["no".to_owned()], Label::Class(0))];
        let csv = b"idx,sentence,label\n0,\"It, \"\"works\"\".\",1\n1,no,0\n".as_slice();
        let tsv = b"sentence\tlabel\n\"It, \"\"works\"\".\"\t1\nno\t0\n".as_slice();
        let json =
            b"{\"sentence\": \"It, \\\"works\\\".\", \"label\": 1}\n\n{\"sentence\": \"no\", \"label\": \"0\"}\n";
        let parquet = parquet(vec![
            Column::new("sentence".into(), ["It, \"works\".", "no"]),
            Column::new("label".into(), [1i64, 0]),
        ]);
        for (name, content) in
            [("a.csv", csv), ("a.tsv", tsv), ("a.jsonl", json.as_slice()), ("a.parquet", parquet.as_slice())]
        {
            let rows = read("sst2", name, content).unwrap_or_else(|error| panic!("{name}: {error}"));
            let found: Vec<_> = rows.cells.into_iter().zip(rows.labels).collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn the_texts_of_one_column_from_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        let read = |name: &str, content: &[u8], column: Option<&str>| {
            fs_err::write(&path, content).unwrap();
            read_texts(name, &path, column).map_err(|error| (error.message, error.hint))
        };
        let alone = parquet(vec![Column::new("review".into(), ["one, two", "three"])]);
        for (name, content, column) in [
            ("a.txt", b"one, two\nthree\n".as_slice(), None),
            ("a.csv", b"review\n\"one, two\"\nthree\n", None),
            ("a.csv", b"n,review\n1,\"one, two\"\n2,three\n", Some("review")),
            ("a.tsv", b"n\treview\n1\tone, two\n2\tthree\n", Some("review")),
            ("a.jsonl", b"{\"review\": \"one, two\"}\n\n{\"review\": \"three\"}\n", None),
            ("a.parquet", alone.as_slice(), None),
        ] {
            assert_eq!(read(name, content, column), Ok(vec!["one, two".to_owned(), "three".to_owned()]), "{name}");
        }
        let (message, hint) = read("a.csv", b"n,review\n1,one\n", None).unwrap_err();
        assert_eq!(message, "`a.csv` has several columns");
        assert_eq!(hint.as_deref(), Some("name the one of the texts as `corpus.column`: n, review"));
        let (message, hint) = read("a.parquet", &alone, Some("reveiw")).unwrap_err();
        assert_eq!(message, "`a.parquet` has no column `reveiw`, only review");
        assert_eq!(hint.as_deref(), Some("did you mean `review`?"));
        assert!(read("a.pdf", b"", None).unwrap_err().0.contains("expected .txt, .parquet"));
    }

    #[test]
    fn faults_name_file_row_and_column() {
        let message = |task: &str, name: &str, content: &[u8]| read(task, name, content).unwrap_err().message;
        assert_eq!(
            message("sst2", "x/a.csv", b"sentnce,label\na,1\n"),
            "`x/a.csv` has no column `sentence`, only sentnce, label"
        );
        assert_eq!(
            message("sst2", "a.csv", b"sentence,label\na,1\nb,-1\n"),
            "row 2 of `a.csv` has the label `-1` in column `label`, which `sst2` does not know; accepted: `0`, `1`"
        );
        assert_eq!(
            message("sst2", "a.jsonl", b"{\"sentence\": null, \"label\": 1}"),
            "row 1 of `a.jsonl` has no text in column `sentence`"
        );
        let holes = parquet(vec![
            Column::new("sentence".into(), [Some("a"), None]),
            Column::new("label".into(), [Some(1i64), Some(0)]),
        ]);
        assert_eq!(message("sst2", "a.parquet", &holes), "row 2 of `a.parquet` has no text in column `sentence`");
        let scores = b"sentence1,sentence2,label\na,b,5.5\n";
        assert!(message("stsb", "a.csv", scores).ends_with("accepted: numbers from 0 to 5"));
        assert!(message("sst2", "a.parquet", b"no parquet").starts_with("`a.parquet` can't be read: "));
    }
}
