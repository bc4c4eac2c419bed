//! From a pipeline to a plan: operations are looked up, parameters checked, axes expanded, readers joined with what they
//! read. Every error of every stage is reported, each once, at its place in the file.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::catalog::{ANY, Catalog, NOTHING, ParameterError, Resolved};
use super::graph;
use super::instance::{Instance, Plan, StagePlan};
use super::join::{self, Narrowing};
use super::matrix::{Axis, Table};
use super::parameters::{Parameters, spelled};
use crate::base::{many, suggest};
use crate::protocol::Coordinates;
use crate::spec::substitute::UnknownName;
use crate::spec::{Invalid, Pipeline, Problem, Stage};

/// A stage of more cells than this is taken for a slip.
const MOST_CELLS: usize = 1_000_000;

/// A stage that reads more than this, counted once for each of its cells, is taken for a slip.
const MOST_READS: usize = 10_000_000;

/// So many cells of a stage are resolved at once.
const PORTION: usize = 1024;

/// Plans all stages of a pipeline. `root` is the project folder, against which operations read paths.
///
/// # Errors
/// Everything that is wrong with the pipeline: cycles, unknown operations, parameters that an operation does not accept,
/// stages that read what they can't read, or nothing.
pub fn expand(pipeline: &Pipeline, catalog: &dyn Catalog, root: &Path) -> Result<Plan, Invalid> {
    let positions: HashMap<&str, usize> =
        pipeline.stages.iter().enumerate().map(|(position, stage)| (stage.name.as_str(), position)).collect();
    let position = |name: &String| positions.get(name.as_str()).copied();
    let reads: Vec<Vec<usize>> =
        pipeline.stages.iter().map(|stage| stage.from.iter().filter_map(position).collect()).collect();
    let order = match graph::order(&reads) {
        Ok(order) => order,
        Err(cycles) => return Err(Invalid { problems: cycles.iter().map(|cycle| cyclic(pipeline, cycle)).collect() }),
    };
    let mut expansion = Expansion {
        pipeline,
        catalog,
        root,
        tables: vec![None; pipeline.stages.len()],
        offsets: vec![0; pipeline.stages.len()],
        plan: Plan { pipeline: pipeline.name.clone(), stages: Vec::new(), instances: Vec::new() },
        problems: Vec::new(),
    };
    let mut without_axes = many::map(&pipeline.stages, |stage| without_axes(pipeline, catalog, root, stage));
    for stage in order {
        expansion.stage(stage, &reads[stage], without_axes[stage].take());
    }
    Invalid::check(expansion.problems)?;
    Ok(expansion.plan)
}

/// The plan as far as it is made.
struct Expansion<'a> {
    pipeline: &'a Pipeline,
    catalog: &'a dyn Catalog,
    root: &'a Path,
    /// The cells of each stage; `None` before its turn, and for a stage whose cells can't be told.
    tables: Vec<Option<Table>>,
    /// Where the instances of each stage begin.
    offsets: Vec<usize>,
    plan: Plan,
    problems: Vec<Problem>,
}

impl Expansion<'_> {
    /// Plans one stage after those that it reads.
    fn stage(&mut self, position: usize, reads: &[usize], without_axes: Option<(String, Resolved)>) {
        let pipeline = self.pipeline;
        let stage = &pipeline.stages[position];
        if !self.catalog.names().contains(&stage.operation.as_str()) {
            self.unknown_operation(stage);
        }
        let gathers = without_axes.as_ref().is_some_and(|(_, resolved)| resolved.gathers());
        let Some(table) = self.cells(stage, reads, gathers) else { return };
        let coordinates: Vec<Coordinates> = many::map(&table.rows, |row| table.coordinates(row));
        let resolved = self.parameters(stage, &coordinates, without_axes);
        if let Some(any) = resolved.iter().flatten().next() {
            self.check_reads(stage, reads, any.accepts);
        }
        let inputs = self.inputs(stage, &table, reads);
        let offset = self.plan.instances.len();
        self.offsets[position] = offset;
        // Doubling what is there would leave half of it empty.
        self.plan.instances.reserve_exact(coordinates.len());
        let labels = many::map(&table.rows, |row| table.name(&stage.name, row));
        let cells = coordinates.into_iter().zip(labels).zip(inputs).zip(resolved);
        for (i, (((coordinates, label), inputs), resolved)) in cells.enumerate() {
            let Some(resolved) = resolved else { continue };
            self.plan.instances.push(Instance {
                id: offset + i,
                stage: stage.name.clone(),
                scope: stage.scope.clone(),
                title: stage.title.clone(),
                label,
                coordinates,
                operation: stage.operation.clone(),
                version: resolved.version,
                parameters: resolved.parameters.clone(),
                inputs,
                sources: resolved.sources.clone(),
                resources: stage.resources.clone(),
                policy: stage.policy.clone(),
                place: resolved.place.clone(),
                reads_coordinates: resolved.reads_coordinates,
                publishes: resolved.publishes,
            });
        }
        self.plan.stages.push(StagePlan {
            name: stage.name.clone(),
            title: stage.title.clone(),
            operation: stage.operation.clone(),
            axes: table.axes.iter().map(|axis| axis.name.clone()).collect(),
            instances: offset..self.plan.instances.len(),
        });
        self.tables[position] = Some(table);
    }

    /// The cells of a stage: those of its matrix, or of what it reads. A stage without a matrix whose operation reads
    /// coordinates (a table) has one cell, which gathers everything, unless its parameters name an axis.
    fn cells(&mut self, stage: &Stage, reads: &[usize], gathers: bool) -> Option<Table> {
        if let Some(axes) = &stage.matrix {
            let axis = |(name, levels): &(String, Vec<_>)| Axis { name: name.clone(), levels: levels.clone() };
            let axes: Vec<Axis> = axes.iter().map(axis).collect();
            if Table::size(&axes).is_none_or(|size| size > MOST_CELLS) {
                self.too_large(stage, "has");
                return None;
            }
            return Some(Table::product(axes, &stage.exclude));
        }
        if gathers {
            return Some(Table::product(Vec::new(), &[]));
        }
        let tables: Vec<&Table> = reads.iter().map(|&read| self.tables[read].as_ref()).collect::<Option<_>>()?;
        let Some(mut joined) = join::natural_join(&tables, MOST_CELLS) else {
            self.too_large(stage, "inherits");
            return None;
        };
        let whole = joined.clone();
        join::retain(&mut joined, &narrowings(self.pipeline, stage, &whole));
        if joined.rows.is_empty() && tables.iter().all(|table| !table.rows.is_empty()) {
            let read = quoted(stage.from.iter().map(String::as_str));
            let message =
                format!("stage `{}` has nothing to read: {read} have no cells in common that it reads", stage.name);
            let help = "compare their axes with `only`, or give the stage a `matrix`";
            self.report(stage, "from", "compt::plan::nothing_to_read", message, Some(help.to_owned()));
            return None;
        }
        Some(joined)
    }

    /// The completed parameters of every cell; `None` for a cell whose parameters are refused. Cells with equal
    /// parameters are checked once and share them; `known` were checked before.
    fn parameters(
        &mut self,
        stage: &Stage,
        cells: &[Coordinates],
        known: Option<(String, Resolved)>,
    ) -> Vec<Option<Arc<Shared>>> {
        let mut reported: BTreeSet<(String, String)> = BTreeSet::new();
        // What was checked, and where among it parameters of this spelling stand.
        let (mut checked, mut places): (Vec<Option<Arc<Shared>>>, HashMap<String, usize>) = Default::default();
        if let Some((spelled, resolved)) = known {
            checked.push(Some(Arc::new(Shared::from(resolved))));
            places.insert(spelled, 0);
        }
        let mut all = Vec::with_capacity(cells.len());
        let (pipeline, catalog, root) = (self.pipeline, self.catalog, self.root);
        // In portions, so that not all of them are there at once with what they are made of.
        for cells in cells.chunks(PORTION) {
            let given = many::map(cells, |coordinates| {
                pipeline.parameters_at(stage, coordinates).map(|parameters| (spelled(&parameters), parameters))
            });
            let mut new: Vec<Value> = Vec::new();
            let mut place = |(spelled, parameters)| {
                let next = places.len();
                let place = *places.entry(spelled).or_insert(next);
                if place == next {
                    new.push(parameters);
                }
                place
            };
            let given: Vec<Result<usize, UnknownName>> = given.into_iter().map(|given| given.map(&mut place)).collect();
            let resolved = many::map(&new, |parameters| {
                let resolved = catalog.resolve(&stage.operation, parameters, root)?;
                Some(resolved.map(|resolved| Arc::new(Shared::from(resolved))))
            });
            let mut resolved = resolved.into_iter();
            // Faults are told in the order of the cells, which is that of the new ones too.
            for given in given {
                let place = match given {
                    Ok(place) => place,
                    Err(unknown) => {
                        let path = unknown.path.clone();
                        let fault = ParameterError { message: unknown.to_string(), path, help: None };
                        self.refused(stage, vec![fault], &mut reported);
                        all.push(None);
                        continue;
                    }
                };
                if place == checked.len() {
                    let faultless = resolved.next().flatten().and_then(|resolved| {
                        resolved.map_err(|faults| self.refused(stage, faults, &mut reported)).ok()
                    });
                    checked.push(faultless);
                }
                all.push(checked[place].clone());
            }
        }
        all
    }

    /// For each cell of a stage the instances that it reads.
    fn inputs(&mut self, stage: &Stage, table: &Table, reads: &[usize]) -> Vec<Vec<usize>> {
        let mut inputs = vec![Vec::new(); table.rows.len()];
        for &read in reads {
            let Some(read_table) = &self.tables[read] else { continue };
            let only = narrowings(self.pipeline, stage, table);
            let Some(found) = join::gather(table, read_table, &only, MOST_READS) else {
                let name = &self.pipeline.stages[read].name;
                let message = format!(
                    "the {} cells of stage `{}` read more than {MOST_READS} results of `{name}` in all",
                    table.rows.len(),
                    stage.name
                );
                let help = format!("let them share more axes with `{name}`, or narrow what they read by `only`");
                self.report(stage, "from", "compt::plan::too_large", message, Some(help));
                continue;
            };
            let empty: Vec<usize> = (0..found.len()).filter(|&row| found[row].is_empty()).collect();
            if let Some(&first) = empty.first() {
                let reader = table.name(&stage.name, &table.rows[first]);
                let others = match empty.len() - 1 {
                    0 => String::new(),
                    1 => " (and 1 more)".to_owned(),
                    others => format!(" (and {others} more)"),
                };
                let name = &self.pipeline.stages[read].name;
                let message = format!("`{reader}`{others} has nothing to read from `{name}`");
                let help = format!(
                    "`{name}` has no cell with these axis values that `only` lets through; `exclude` the reader's cell, or \
                     add what is missing to `{name}`"
                );
                self.report(stage, "from", "compt::plan::nothing_to_read", message, Some(help));
            }
            let offset = self.offsets[read];
            for (inputs, found) in inputs.iter_mut().zip(found) {
                inputs.extend(found.into_iter().map(|row| offset + row as usize));
            }
        }
        inputs
    }

    /// Whether the operation can read what the stage reads.
    fn check_reads(&mut self, stage: &Stage, reads: &[usize], accepts: &[&str]) {
        let operation = &stage.operation;
        if accepts == ANY || (accepts.contains(&NOTHING) && reads.is_empty()) {
            return;
        }
        let accepts: Vec<&str> = accepts.iter().copied().filter(|name| *name != NOTHING).collect();
        if accepts.is_empty() && !reads.is_empty() {
            let message = format!("`{operation}` reads no other stage");
            self.report(stage, "from", "compt::plan::reads", message, Some("remove `from`".to_owned()));
            return;
        }
        let readable = |stage: &&Stage| accepts.contains(&stage.operation.as_str());
        let refused: Vec<&Stage> =
            reads.iter().map(|&read| &self.pipeline.stages[read]).filter(|read| !readable(read)).collect();
        if refused.is_empty() && (accepts.is_empty() || !reads.is_empty()) {
            return;
        }
        let candidates = self.pipeline.stages.iter().filter(readable).map(|stage| stage.name.as_str());
        let help = match quoted(candidates.filter(|name| *name != stage.name)) {
            none if none.is_empty() => format!("add a stage that runs {}", quoted(accepts.iter().copied())),
            names => format!("stages that it can read: {names}"),
        };
        if reads.is_empty() && !accepts.is_empty() {
            let message = format!("stage `{}` runs `{operation}`, which needs `from`", stage.name);
            self.report(stage, "", "compt::plan::reads", message, Some(help));
            return;
        }
        for read in refused {
            let message = format!(
                "`{operation}` can't read stage `{}`, which runs `{}`: it reads {}",
                read.name,
                read.operation,
                quoted(accepts.iter().copied())
            );
            let path = stage.from.iter().position(|name| *name == read.name);
            let item = path.map(|i| format!("from[{i}]")).unwrap_or_default();
            let in_list = stage.file.has(&stage.parameter_path(&item));
            let path = if in_list { item.as_str() } else { "from" };
            self.report(stage, path, "compt::plan::reads", message, Some(help.clone()));
        }
    }

    fn too_large(&mut self, stage: &Stage, verb: &str) {
        let message = format!("stage `{}` {verb} more than {MOST_CELLS} cells", stage.name);
        let help = "give its axes fewer values, or let the stages that it reads share more axes";
        let problem = stage.file.key_problem(&stage.path(), "compt::plan::too_large", message);
        self.problems.push(problem.with_help(help));
    }

    fn unknown_operation(&mut self, stage: &Stage) {
        let names = self.catalog.names();
        let help = match suggest::nearest(&stage.operation, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the operations are {}; `compt list` describes them", quoted(names.iter().copied())),
        };
        let path = stage.parameter_path("");
        let message = format!("there is no operation `{}`", stage.operation);
        let problem = stage.file.key_problem(&path, "compt::plan::unknown_operation", message);
        self.problems.push(problem.with_help(help).with_label("unknown operation"));
    }

    /// Reports the faults that have not been reported for another cell of this stage.
    fn refused(&mut self, stage: &Stage, faults: Vec<ParameterError>, reported: &mut BTreeSet<(String, String)>) {
        for ParameterError { path, message, help } in faults {
            if reported.insert((path.clone(), message.clone())) {
                let unknown = message.starts_with("unknown field");
                let place = stage.parameter_path(&path);
                let file = &stage.file;
                let code = "compt::plan::parameter";
                let problem =
                    if unknown { file.key_problem(&place, code, message) } else { file.problem(&place, code, message) };
                self.problems.push(problem.with_help_if(help));
            }
        }
    }

    fn report(&mut self, stage: &Stage, path: &str, code: &'static str, message: String, help: Option<String>) {
        let problem = stage.file.problem(&stage.parameter_path(path), code, message);
        self.problems.push(problem.with_help_if(help));
    }
}

/// The parameters of a stage without a matrix, with their spelling; `None` if they name an axis or are refused.
fn without_axes(pipeline: &Pipeline, catalog: &dyn Catalog, root: &Path, stage: &Stage) -> Option<(String, Resolved)> {
    if stage.matrix.is_some() {
        return None;
    }
    let parameters = pipeline.parameters_at(stage, &Coordinates::new()).ok()?;
    let resolved = catalog.resolve(&stage.operation, &parameters, root)?.ok()?;
    Some((spelled(&parameters), resolved))
}

/// What an operation says of parameters, with the parameters themselves shared by all cells that have them.
struct Shared {
    version: u32,
    parameters: Parameters,
    accepts: &'static [&'static str],
    sources: Vec<super::catalog::SourceRef>,
    reads_coordinates: bool,
    place: super::catalog::Place,
    publishes: bool,
}

impl From<Resolved> for Shared {
    fn from(resolved: Resolved) -> Self {
        let Resolved { version, parameters, accepts, sources, reads_coordinates, place, publishes } = resolved;
        let parameters = Parameters::from(parameters);
        Self { version, parameters, accepts, sources, reads_coordinates, place, publishes }
    }
}

/// The lists of `only` of a stage whose cells are those of `cells`.
fn narrowings<'a>(pipeline: &'a Pipeline, stage: &'a Stage, cells: &'a Table) -> Vec<Narrowing<'a>> {
    let narrowing = |(axis, texts): (&'a String, &'a Vec<String>)| {
        let named = |own: &Axis| texts.iter().any(|text| text.contains(&format!("${{{}}}", own.name)));
        let depends = (0..cells.axes.len()).filter(|&own| named(&cells.axes[own])).collect();
        let list = move |row: &[u32]| {
            // Names that the cell lacks were refused when the pipeline was loaded; here they would list nothing, and
            // the reader would be reported as having nothing to read.
            let mut lists = pipeline.only_at(stage, &cells.coordinates(row)).unwrap_or_default();
            lists.remove(axis).unwrap_or_default()
        };
        Narrowing { axis, depends, list: Box::new(list) }
    };
    stage.only.iter().map(narrowing).collect()
}

/// The whole cycle, each stage reading the next one: `a -> b -> a`.
fn cyclic(pipeline: &Pipeline, cycle: &[usize]) -> Problem {
    let stages: Vec<&Stage> = cycle.iter().map(|&stage| &pipeline.stages[stage]).collect();
    let names: Vec<&str> = stages.iter().chain(stages.first()).map(|stage| stage.name.as_str()).collect();
    let message = format!("stages read each other in a circle: `{}`", names.join(" -> "));
    let problem = match stages.first() {
        Some(stage) => stage.file.problem(&stage.parameter_path("from"), "compt::plan::cycle", message),
        None => pipeline.file.problem("", "compt::plan::cycle", message),
    };
    problem.with_help("an arrow goes from a stage to one that it reads; remove one of these `from`")
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
