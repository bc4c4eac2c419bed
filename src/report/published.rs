//! Published tables as tidy CSV: key columns, `task`, and `score` in percent points.

use std::collections::BTreeMap;
use std::path::Path;

use super::sheet::Sheet;
use super::{AVERAGE, ReportError, TASK, canonical, quoted};

/// The column with the value.
const SCORE: &str = "score";

/// One published number.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedRow {
    /// The values of the key columns, the task among them.
    pub keys: BTreeMap<String, String>,
    /// The number.
    pub score: f64,
}

/// A published table.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Names of the key columns, in the file's order.
    pub columns: Vec<String>,
    /// In the file's order.
    pub rows: Vec<PublishedRow>,
}

impl Published {
    /// Reads a table with the columns `task`, `score` and any others, which are keys. The mean over tasks may be called
    /// `avg`; it is read as `average`.
    ///
    /// # Errors
    /// The file can't be read, lacks a column, or has a score that is missing or no number.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let sheet = Sheet::read(path)?;
        let scores = sheet.numbers::<f64>(SCORE)?;
        sheet.texts(TASK)?;
        let columns: Vec<String> = sheet.columns().into_iter().filter(|name| name != SCORE).collect();
        let values = columns.iter().map(|name| sheet.texts(name)).collect::<Result<Vec<_>, _>>()?;
        let row = |row: usize| {
            let score = scores[row].ok_or_else(|| sheet.fault(row, "column `score`: the value is missing"))?;
            let value = |column: usize| match values[column][row].trim() {
                "avg" if columns[column] == TASK => AVERAGE.to_owned(),
                value => value.to_owned(),
            };
            let keys = columns.iter().enumerate().map(|(place, name)| (name.clone(), value(place))).collect();
            Ok(PublishedRow { keys, score })
        };
        Ok(Self { rows: (0..sheet.height()).map(row).collect::<Result<_, ReportError>>()?, columns })
    }

    /// Keeps the rows with these values.
    ///
    /// # Errors
    /// There is no such column.
    pub fn narrow(&mut self, wanted: &BTreeMap<String, String>) -> Result<(), ReportError> {
        for (name, value) in wanted {
            let column = self.column(name).ok_or_else(|| {
                ReportError::layout(
                    format!("`where` names the column `{name}`, but the published table has {}", quoted(&self.columns)),
                    "name one of these columns",
                )
            })?;
            self.rows.retain(|row| canonical(&row.keys[&column]) == canonical(value));
        }
        Ok(())
    }

    /// The key column of this name, whatever its spelling.
    pub fn column(&self, name: &str) -> Option<String> {
        self.columns.iter().find(|column| canonical(column) == canonical(name)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tidy_table_of_the_paper_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/published");
        // Rows of each file: counted with `wc -l`, less the header.
        for (name, rows) in [
            ("table1_glue_fewshot", 108),
            ("table2_set2_fewshot", 84),
            ("table3_glue_5000", 18),
            ("table4_set2_5000", 14),
            ("table8_modularity", 35),
            ("table9_related", 63),
            ("all_scores", 322),
        ] {
            let published = Published::read(&folder.join(format!("{name}.csv"))).unwrap();
            assert_eq!(published.rows.len(), rows, "{name}");
            assert!(published.rows.iter().all(|row| (0.0..=100.0).contains(&row.score)), "{name}");
        }
        let mut all = Published::read(&folder.join("all_scores.csv")).unwrap();
        let wanted = [("table", "8"), ("METHOD", "scp"), ("task", "Yelp_Polarity"), ("include", "mnli")];
        all.narrow(&wanted.map(|(a, b)| (a.to_owned(), b.to_owned())).into()).unwrap();
        assert_eq!(all.rows.iter().map(|row| row.score).collect::<Vec<_>>(), [85.0]);
        let error = all.narrow(&[("seed".to_owned(), "1".to_owned())].into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`where` names the column `seed`, but the published table has `table`, `method`, `k`, `nsp`, `include`, `task`"
        );
    }

    #[test]
    fn other_files_are_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/published");
        let error = Published::read(&folder.join("table6_rte_confusion.csv")).unwrap_err().to_string();
        assert!(error.contains("there is no column `score`"), "{error}");
    }
}
