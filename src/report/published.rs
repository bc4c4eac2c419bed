//! Published tables as tidy CSV: key columns, `task`, `metric` where it is known, and `score` in percent points.

use std::collections::BTreeMap;
use std::path::Path;

use super::sheet::Sheet;
use super::{AVERAGE, ReportError, TASK, canonical, quoted};
use crate::base::suggest;
use crate::metric;

/// The column with the value.
const SCORE: &str = "score";

/// The column that says what the value is.
const METRIC: &str = "metric";

/// One published number.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedRow {
    /// The values of the key columns, the task among them.
    pub keys: BTreeMap<String, String>,
    /// Its metric; empty where the table does not say, and for averages over tasks in different metrics.
    pub metric: String,
    /// The number.
    pub score: f64,
}

impl PublishedRow {
    /// Whether a number in `metric` can be held against this one. Metrics that are in `alike` count as one.
    pub fn is_comparable(&self, metric: &str, alike: &[String]) -> bool {
        let known = !self.metric.is_empty() && !metric.is_empty();
        !known
            || self.metric == metric
            || [self.metric.as_str(), metric].iter().all(|name| alike.iter().any(|a| a == name))
    }
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
    /// Reads a table with the columns `task`, `score`, possibly `metric`, and any others, which are keys. The mean over
    /// tasks may be called `avg`; it is read as `average`.
    ///
    /// # Errors
    /// The file can't be read, lacks a column, has a score that is missing or no number, or a metric that is none.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let sheet = Sheet::read(path)?;
        let scores = sheet.numbers::<f64>(SCORE)?;
        sheet.texts(TASK)?;
        let metrics = sheet.optional_texts(METRIC)?;
        let columns: Vec<String> = sheet.columns().into_iter().filter(|name| name != SCORE && name != METRIC).collect();
        let values = columns.iter().map(|name| sheet.texts(name)).collect::<Result<Vec<_>, _>>()?;
        let row = |row: usize| {
            let score = scores[row].ok_or_else(|| sheet.fault(row, "column `score`: the value is missing"))?;
            let value = |column: usize| match values[column][row].trim() {
                "avg" if columns[column] == TASK => AVERAGE.to_owned(),
                value => value.to_owned(),
            };
            let keys = columns.iter().enumerate().map(|(place, name)| (name.clone(), value(place))).collect();
            let metric = metrics.as_ref().map(|metrics| metrics[row].trim().to_owned()).unwrap_or_default();
            if !metric.is_empty() && metric::find(&metric).is_none() {
                let known = metric::METRICS.iter().map(|metric| metric.name);
                let near = suggest::nearest(&metric, known).map(|name| format!("; did you mean `{name}`?"));
                return Err(sheet.fault(row, format!("there is no metric `{metric}`{}", near.unwrap_or_default())));
            }
            Ok(PublishedRow { keys, metric, score })
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
    fn every_number_of_the_paper_names_its_metric() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/published");
        let all = Published::read(&folder.join("all_scores.csv")).unwrap();
        for row in &all.rows {
            let (table, method, task) = (&row.keys["table"], &row.keys["method"], row.keys["task"].as_str());
            // METHODS 4.3: the paper's own numbers, and what it cites from others in its table 9.
            let cited = table == "9" && method != "ComPT-SPP";
            let expected = match task {
                "average" => "",
                "cola" if cited => "matthews",
                "stsb" if cited => "pearson",
                "stsb" => "spearman",
                _ => "accuracy",
            };
            assert_eq!(row.metric, expected, "{:?}", row.keys);
        }
    }

    #[test]
    fn a_metric_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.csv");
        fs_err::write(&path, "task,metric,score\ncola,mathews,60\n").unwrap();
        let error = Published::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("line 2: there is no metric `mathews`; did you mean `matthews`?"), "{error}");
    }

    #[test]
    fn other_files_are_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/published");
        let error = Published::read(&folder.join("table6_rte_confusion.csv")).unwrap_err().to_string();
        assert!(error.contains("there is no column `score`"), "{error}");
    }
}
