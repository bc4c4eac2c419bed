//! `plot`: a figure of what other stages computed, as SVG, as PNG, and as the numbers that are drawn.

mod chart;
mod data;
mod drawn;
mod parameters;

use std::path::Path;

use serde_json::Value;

use super::aggregate::stage_error;
use super::{Operation, parameters as reading, parameters_of};
use crate::base::files;
use crate::figure::{self, FigureError};
use crate::plan::catalog::{ParameterError, Place, Resolved, SourceRef};
use crate::protocol::{Job, Reporter, StageError};
use crate::report::published::Published;
use crate::report::sheet;

pub use parameters::{ErrorBar, Kind, Parameters, PublishedNumbers, Scaling};

/// Bumped when equal inputs and parameters give another drawing.
const VERSION: u32 = 3;

/// The operation.
pub struct Plot;

impl Operation for Plot {
    fn name(&self) -> &'static str {
        "plot"
    }

    fn about(&self) -> &'static str {
        "Draws a figure: lines with error bars, bars, heat maps or training curves, as SVG, PNG and CSV"
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Parameters)
    }

    fn resolve(&self, parameters: &Value, root: &Path) -> Result<Resolved, Vec<ParameterError>> {
        let parameters: Parameters = reading::read(parameters)?;
        let faults = parameters.faults(root);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Resolved {
            version: VERSION,
            accepts: &["aggregate", "train", "confusion", "similarity"],
            sources: parameters.published.iter().map(|published| SourceRef::File(published.file.clone())).collect(),
            parameters: reading::complete(&parameters),
            reads_coordinates: true,
            place: Place::Thread,
            publishes: true,
        })
    }

    fn run(&self, job: &Job, reporter: &mut dyn Reporter) -> Result<(), StageError> {
        let parameters: Parameters = parameters_of(job)?;
        let published = parameters.published.as_ref().map(|wanted| read_published(job, wanted)).transpose()?;
        let data = data::read(&job.inputs, &parameters).map_err(stage_error)?;
        let drawn = drawn::of(&data, &parameters, published.as_ref()).map_err(stage_error)?;
        let figure = chart::figure(&drawn, &parameters);
        let svg = figure::svg(&figure).map_err(figure_error)?;
        let png = figure::png(&svg).map_err(figure_error)?;
        let file = |extension: &str| job.output.join(format!("{}.{extension}", parameters.name));
        sheet::write(&file("csv"), drawn.frame().map_err(stage_error)?).map_err(stage_error)?;
        files::write_atomically(&file("svg"), svg.as_bytes())?;
        files::write_atomically(&file("png"), &png)?;
        reporter.log(&format!("{} values in {} panels", drawn.marks.len(), drawn.panels.len().max(1)));
        Ok(())
    }
}

fn read_published(job: &Job, wanted: &PublishedNumbers) -> Result<Published, StageError> {
    let source = job.sources.iter().find(|source| source.name == wanted.file);
    let path = source
        .and_then(|source| source.files.values().next())
        .ok_or_else(|| StageError::bug(format!("`{}` was planned without the file `{}`", job.stage, wanted.file)))?;
    let mut published = Published::read(path).map_err(stage_error)?;
    let narrowed = wanted.chosen.iter().map(|(name, value)| (name.clone(), parameters::spelled(value))).collect();
    published.narrow(&narrowed).map_err(stage_error)?;
    Ok(published)
}

fn figure_error(error: FigureError) -> StageError {
    match error {
        FigureError::Empty => StageError::input(error.to_string()).with_hint("widen `where`, or read another stage"),
        FigureError::NotPositive { .. } => StageError::input(error.to_string()).with_hint("use the scale `linear`"),
        FigureError::Picture(_) => StageError::bug(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
