//! `results.csv` read back: the tidy scores that `aggregate` wrote, with everything that names them.

use std::path::Path;

use super::frame::{Results, Score};
use super::sheet::Sheet;
use super::{ReportError, TASK};

/// The file's name.
pub const FILE: &str = "results.csv";

/// Reads the `results.csv` of a folder. The columns before `task` are axes.
///
/// # Errors
/// The file can't be read, lacks a column or a value.
pub fn read(folder: &Path) -> Result<Results, ReportError> {
    let path = folder.join(FILE);
    let sheet = Sheet::read(&path)?;
    let tasks = sheet.texts(TASK)?;
    let axes: Vec<String> = sheet.columns().into_iter().take_while(|name| name != TASK).collect();
    let values_of = axes.iter().map(|axis| sheet.texts(axis)).collect::<Result<Vec<_>, _>>()?;
    let (prompts, metrics, of) = (sheet.texts("prompt")?, sheet.texts("metric")?, sheet.texts("of")?);
    let (values, examples) = (sheet.numbers::<f64>("value")?, sheet.numbers::<u64>("examples")?);
    let score = |(row, task): (usize, &String)| {
        let missing = |column: &str| sheet.fault(row, format!("column `{column}`: the value is missing"));
        // An axis that a score does not have is empty in the file.
        let named = axes.iter().zip(&values_of).filter(|(_, of_axis)| !of_axis[row].is_empty());
        let own: Vec<(String, String)> = named.map(|(axis, of_axis)| (axis.clone(), of_axis[row].clone())).collect();
        let source: Vec<String> = own.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        Ok(Score {
            axes: own.into_iter().collect(),
            task: task.clone(),
            prompt: prompts[row].clone(),
            metric: metrics[row].clone(),
            of: of[row].clone(),
            value: values[row].ok_or_else(|| missing("value"))?,
            examples: examples[row].ok_or_else(|| missing("examples"))?,
            source: source.join(","),
        })
    };
    let scores = tasks.iter().enumerate().map(score).collect::<Result<_, ReportError>>()?;
    Ok(Results { axes, scores })
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::{results, score};
    use super::super::sheet;
    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        let mut written = results(vec![
            score("method=spp seed=1", "rte", "learned", 0.1 + 0.2),
            score("method=spp seed=1", "rte", "untrained", 50.0),
            score("seed=2", "stsb", "learned", -3.5),
        ]);
        let folder = tempfile::tempdir().unwrap();
        sheet::write(&folder.path().join(FILE), written.frame().unwrap()).unwrap();
        for score in &mut written.scores {
            let axes: Vec<String> = score.axes.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
            score.source = axes.join(",");
        }
        assert_eq!(read(folder.path()).unwrap(), written);
    }
}
