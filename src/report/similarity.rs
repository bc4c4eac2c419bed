//! How alike trained prompts and router rows are, and what the router and the gates have come to.

use polars::prelude::{Column, DataFrame};

use super::frame::Source;
use super::learned::{Learned, Prompt};
use super::{ReportError, TASK, quoted, sheet};

/// Columns that are not axes; a pipeline that names an axis so can't be told apart from them.
const COLUMNS: [&str; 11] =
    ["source", "logit", "weight", "alpha", "beta", "kind", "a", "b", "cosine", "cosine_logit", "cosine_flat"];

/// The cosine of the angle between two vectors; `None` when one of them is zero or their lengths differ.
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    (a.len() == b.len() && norms > 0.0).then(|| (dot(a, b) / norms).clamp(-1.0, 1.0))
}

/// The trainings that are looked at.
#[derive(Debug)]
pub struct Trainings {
    axes: Vec<String>,
    all: Vec<(Source, Learned)>,
}

impl Trainings {
    /// Reads what each training has learned.
    ///
    /// # Errors
    /// A file that can't be used; an axis is named like a column.
    pub fn read(sources: &[Source]) -> Result<Self, ReportError> {
        let mut axes: Vec<String> = sources.iter().flat_map(|source| source.coordinates.keys()).cloned().collect();
        axes.sort();
        axes.dedup();
        // A training of one task may have that task as an axis; the tables name it already.
        axes.retain(|axis| axis != TASK);
        if let Some(axis) = axes.iter().find(|axis| COLUMNS.contains(&axis.as_str())) {
            return Err(ReportError::layout(
                format!("the axis `{axis}` has the name of a column of the tables of `similarity`"),
                format!("give the axis another name than {}", quoted(COLUMNS)),
            ));
        }
        let all = sources.iter().map(|source| Ok((source.clone(), Learned::read(source.files.folder())?)));
        Ok(Self { all: all.collect::<Result<_, ReportError>>()?, axes })
    }

    /// The frame of `router.csv`: the axes, `task`, `source`, what the router learned (`logit`), the `weight` after the
    /// normaliser, and the task's gates `alpha` and `beta`. Trainings without sources have no rows.
    ///
    /// # Errors
    /// None on trainings that were read.
    pub fn router(&self) -> Result<DataFrame, ReportError> {
        let mut rows = Vec::new();
        for (of, learned) in &self.all {
            for task in 0..learned.tasks.len() {
                rows.extend((0..learned.sources.len()).map(|source| (of, learned, task, source)));
            }
        }
        let mut columns = self.columns(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
        columns.push(sheet::text_column(TASK, rows.iter().map(|row| row.1.tasks[row.2].clone())));
        columns.push(sheet::text_column("source", rows.iter().map(|row| row.1.sources[row.3].0.clone())));
        let entry = |matrix: &Option<Vec<Vec<f32>>>, task: usize, source: usize| {
            Some(f64::from(*matrix.as_ref()?.get(task)?.get(source)?))
        };
        let gate = |gates: &Option<Vec<f32>>, task: usize| Some(f64::from(*gates.as_ref()?.get(task)?));
        columns.push(sheet::number_column("logit", rows.iter().map(|row| entry(&row.1.logits, row.2, row.3))));
        columns.push(sheet::number_column("weight", rows.iter().map(|row| entry(&row.1.weights, row.2, row.3))));
        columns.push(sheet::number_column("alpha", rows.iter().map(|row| gate(&row.1.alpha, row.2))));
        columns.push(sheet::number_column("beta", rows.iter().map(|row| gate(&row.1.beta, row.2))));
        sheet::frame(columns)
    }

    /// The frame of `router_similarity.csv`: the axes, two tasks `a` and `b`, the `cosine` of their rows of weights, and
    /// that of what the router learned (`cosine_logit`); a row of zeros has no direction, and so no cosine.
    ///
    /// # Errors
    /// None on trainings that were read.
    pub fn rows(&self) -> Result<DataFrame, ReportError> {
        let mut pairs = Vec::new();
        for (of, learned) in self.all.iter().filter(|(_, learned)| !learned.sources.is_empty()) {
            let count = learned.tasks.len();
            pairs.extend((0..count).flat_map(|a| (0..count).map(move |b| (of, learned, a, b))));
        }
        let between = |rows: &Option<Vec<Vec<f32>>>, a: usize, b: usize| {
            let rows = rows.as_ref()?;
            cosine(rows.get(a)?, rows.get(b)?)
        };
        let mut columns = self.columns(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
        columns.push(sheet::text_column("a", pairs.iter().map(|pair| pair.1.tasks[pair.2].clone())));
        columns.push(sheet::text_column("b", pairs.iter().map(|pair| pair.1.tasks[pair.3].clone())));
        let weights = pairs.iter().map(|pair| between(&pair.1.weights, pair.2, pair.3));
        columns.push(sheet::number_column("cosine", weights));
        let logits = pairs.iter().map(|pair| between(&pair.1.logits, pair.2, pair.3));
        columns.push(sheet::number_column("cosine_logit", logits));
        sheet::frame(columns)
    }

    /// The frame of `prompt_similarity.csv`: the axes, the `kind` of prompt (`composed`, `private`, `source`), two names `a`
    /// and `b`, the `cosine` of the prompts' means over their positions, and `cosine_flat` of all their numbers in order.
    /// The mean is what compares prompts from different starts, since what stands at which position is arbitrary; position
    /// by position tells whether prompts from a common start have stayed together.
    ///
    /// # Errors
    /// None on trainings that were read.
    pub fn prompts(&self) -> Result<DataFrame, ReportError> {
        type Named = (String, Prompt);
        let mut pairs: Vec<(&Source, &str, &Named, &Named)> = Vec::new();
        for (of, learned) in &self.all {
            for (kind, prompts) in
                [("composed", &learned.composed), ("private", &learned.privates), ("source", &learned.sources)]
            {
                pairs.extend(prompts.iter().flat_map(|a| prompts.iter().map(move |b| (of, kind, a, b))));
            }
        }
        let mut columns = self.columns(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
        columns.push(sheet::text_column("kind", pairs.iter().map(|pair| pair.1.to_owned())));
        columns.push(sheet::text_column("a", pairs.iter().map(|pair| pair.2.0.clone())));
        columns.push(sheet::text_column("b", pairs.iter().map(|pair| pair.3.0.clone())));
        let means = pairs.iter().map(|(_, _, a, b)| cosine(&a.1.mean(), &b.1.mean()));
        columns.push(sheet::number_column("cosine", means));
        let flat = pairs.iter().map(|(_, _, a, b)| cosine(&a.1.values, &b.1.values));
        columns.push(sheet::number_column("cosine_flat", flat));
        sheet::frame(columns)
    }

    fn columns(&self, rows: &[&Source]) -> Vec<Column> {
        let value = |source: &Source, axis: &String| source.coordinates.get(axis).cloned().unwrap_or_default();
        let axes = self.axes.iter();
        axes.map(|axis| sheet::text_column(axis, rows.iter().map(|source| value(source, axis)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_by_hand() {
        // (1, 2) and (3, 4): 11 / (sqrt 5 sqrt 25) = 0.98387.
        assert!((cosine(&[1.0, 2.0], &[3.0, 4.0]).unwrap() - 11.0 / 125f64.sqrt()).abs() < 1e-12);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 3.0]), Some(0.0));
        assert_eq!(cosine(&[1.0, 0.0], &[-2.0, 0.0]), Some(-1.0));
        assert_eq!((cosine(&[0.0, 0.0], &[1.0, 1.0]), cosine(&[1.0], &[1.0, 1.0])), (None, None));
    }

    #[test]
    fn a_mean_does_not_know_the_order_of_positions() {
        let prompt = |values: [f32; 4]| Prompt { rows: 2, values: values.to_vec() };
        let (one, turned) = (prompt([1.0, 0.0, 0.0, 3.0]), prompt([0.0, 3.0, 1.0, 0.0]));
        assert_eq!(one.mean(), [0.5, 1.5]);
        assert_eq!(cosine(&one.mean(), &turned.mean()), Some(1.0));
        assert_eq!(cosine(&one.values, &turned.values), Some(0.0));
    }
}
