//! What training bought: learned minus untrained prompts, run by run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use polars::prelude::DataFrame;

use super::frame::Results;
use super::layout::{Layout, MIXED};
use super::sheet::{self, Sheet};
use super::statistics::{Runs, Summary, mean, summary};
use super::{AVERAGE, PROMPT, ReportError, TASK, fixed, quoted, shown};
use crate::metric;

/// The gain of one row of a table on one task, or on average over its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// The values on [`Gains::axes`].
    pub key: Vec<String>,
    /// The task, or [`AVERAGE`].
    pub task: String,
    /// The metric.
    pub metric: String,
    /// Mean score of learned prompts.
    pub learned: f64,
    /// Mean score of untrained prompts.
    pub untrained: f64,
    /// Mean of the differences learned - untrained over runs.
    pub gain: f64,
    /// Its standard error over runs; none below two runs.
    pub standard_error: Option<f64>,
    /// Count of runs that have both.
    pub n: usize,
}

/// All gains.
#[derive(Clone, Debug, PartialEq)]
pub struct Gains {
    /// Names of the axes of the rows.
    pub axes: Vec<String>,
    /// By row, then by task, each row's average last.
    pub gains: Vec<Gain>,
}

#[derive(Default)]
struct Both {
    learned: Runs,
    untrained: Runs,
    of: BTreeSet<String>,
}

impl Gains {
    /// The gains for the rows of a table; `None` when no score has an untrained partner.
    ///
    /// A row is a cell of the table's row axes and, where its columns are not tasks, of its column axis. The average over
    /// tasks is taken within each run first, so its standard error knows that the tasks of a run go together.
    pub fn of(results: &Results, layout: &Layout) -> Option<Self> {
        let axes: Vec<String> = layout.axes().filter(|axis| *axis != TASK && *axis != PROMPT).cloned().collect();
        let run_axes = layout.run_axes();
        let mut keys: Vec<Vec<String>> = Vec::new();
        let mut tasks: Vec<String> = Vec::new();
        let mut places: BTreeMap<(Vec<String>, String), Both> = BTreeMap::new();
        for score in results.scores.iter().filter(|score| score.metric == layout.metric_of(&score.task)) {
            let key = score.axis_values(&axes);
            if !keys.contains(&key) {
                keys.push(key.clone());
            }
            if !tasks.contains(&score.task) {
                tasks.push(score.task.clone());
            }
            let both = places.entry((key, score.task.clone())).or_default();
            let runs = match score.prompt.as_str() {
                "learned" => &mut both.learned,
                "untrained" => &mut both.untrained,
                _ => continue,
            };
            runs.insert(score.axis_values(&run_axes), score.value);
            both.of.insert(layout.shown_metric(score).to_owned());
        }
        let mut gains = Vec::new();
        for key in keys {
            let of_tasks: Vec<(String, Gain, Runs)> = tasks
                .iter()
                .filter_map(|task| {
                    let both = places.get(&(key.clone(), task.clone()))?;
                    let (gain, differences) = both.gain(&key, task, layout.metric_of(task))?;
                    Some((task.clone(), gain, differences))
                })
                .collect();
            let parts: Vec<&Runs> = of_tasks.iter().map(|(_, _, differences)| differences).collect();
            let Some(total) = summary(&parts) else { continue };
            let metrics = of_tasks.iter().map(|(_, gain, _)| gain.metric.as_str()).collect();
            let metric = layout.common_metric(&metrics);
            let mean_of = |of: fn(&Gain) -> f64| {
                mean(&of_tasks.iter().map(|(_, gain, _)| of(gain)).collect::<Vec<_>>()).unwrap_or_default()
            };
            let (learned, untrained) = (mean_of(|gain| gain.learned), mean_of(|gain| gain.untrained));
            let average = Gain::new(&key, AVERAGE, metric, [learned, untrained], total);
            gains.extend(of_tasks.into_iter().map(|(_, gain, _)| gain).chain([average]));
        }
        (!gains.is_empty()).then_some(Self { axes, gains })
    }

    /// The frame of `gains.csv`, unrounded.
    ///
    /// # Errors
    /// Two columns have one name.
    pub fn frame(&self) -> Result<DataFrame, ReportError> {
        let numbers = |name: &str, of: fn(&Gain) -> Option<f64>| sheet::number_column(name, self.gains.iter().map(of));
        let mut columns: Vec<_> = self
            .axes
            .iter()
            .enumerate()
            .map(|(axis, name)| sheet::text_column(name, self.gains.iter().map(|gain| gain.key[axis].clone())))
            .collect();
        columns.push(sheet::text_column(TASK, self.gains.iter().map(|gain| gain.task.clone())));
        columns.push(sheet::text_column("metric", self.gains.iter().map(|gain| gain.metric.clone())));
        columns.push(numbers("learned", |gain| Some(gain.learned)));
        columns.push(numbers("untrained", |gain| Some(gain.untrained)));
        columns.push(numbers("gain", |gain| Some(gain.gain)));
        columns.push(numbers("standard_error", |gain| gain.standard_error));
        columns.push(sheet::count_column("n", self.gains.iter().map(|gain| Some(gain.n as u64))));
        sheet::frame(columns)
    }

    /// Reads `gains.csv` back.
    ///
    /// # Errors
    /// The file is not one that [`Self::frame`] made.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let sheet = Sheet::read(path)?;
        let axes: Vec<String> = sheet.columns().into_iter().take_while(|name| name != TASK).collect();
        let keys = axes.iter().map(|axis| sheet.texts(axis)).collect::<Result<Vec<_>, _>>()?;
        let (tasks, metrics) = (sheet.texts(TASK)?, sheet.texts("metric")?);
        let (learned, untrained) = (sheet.numbers("learned")?, sheet.numbers("untrained")?);
        let (gain, errors) = (sheet.numbers("gain")?, sheet.numbers("standard_error")?);
        let counts = sheet.numbers::<usize>("n")?;
        let read = |row: usize| {
            let missing = || sheet.fault(row, "a value is missing");
            Ok(Gain {
                key: keys.iter().map(|values| values[row].clone()).collect(),
                task: tasks[row].clone(),
                metric: metrics[row].clone(),
                learned: learned[row].ok_or_else(missing)?,
                untrained: untrained[row].ok_or_else(missing)?,
                gain: gain[row].ok_or_else(missing)?,
                standard_error: errors[row],
                n: counts[row].ok_or_else(missing)?,
            })
        };
        Ok(Self { gains: (0..sheet.height()).map(read).collect::<Result<_, ReportError>>()?, axes })
    }

    /// One line per row of the table: by how much learned prompts beat untrained ones, and on which task least.
    pub fn lines(&self, digits: usize) -> Vec<String> {
        self.gains.iter().filter(|gain| gain.task == AVERAGE).map(|average| self.line(average, digits)).collect()
    }

    fn line(&self, average: &Gain, digits: usize) -> String {
        // A loss that falls is a gain.
        let sign = match metric::find(&average.metric) {
            Some(metric) if !metric.higher_is_better => -1.0,
            _ => 1.0,
        };
        let unit = match metric::find(&average.metric) {
            Some(metric) if metric.unit != "percent" => metric.unit,
            _ => "points",
        };
        let tasks: Vec<&Gain> =
            self.gains.iter().filter(|gain| gain.key == average.key && gain.task != AVERAGE).collect();
        let better = sign * average.gain;
        let verb = if better < 0.0 { "trail" } else { "beat" };
        let mut line = String::new();
        if !self.axes.is_empty() {
            let place: Vec<String> =
                self.axes.iter().zip(&average.key).map(|(axis, value)| format!("{axis}={}", shown(value))).collect();
            line += &format!("{}: ", place.join(" "));
        }
        line += &format!("learned prompts {verb} untrained ones by {}", fixed(better.abs(), digits));
        if let Some(error) = average.standard_error {
            line += &format!(" ± {}", fixed(error, digits));
        }
        line += &format!(" {unit}");
        if average.metric != metric::SCORE && average.metric != MIXED {
            line += &format!(" of {}", shown(&average.metric));
        }
        match tasks.as_slice() {
            [only] => line += &format!(" on {}", shown(&only.task)),
            tasks => {
                line += &format!(" on average over {} tasks", tasks.len());
                let worst = tasks.iter().min_by(|a, b| (sign * a.gain).total_cmp(&(sign * b.gain)));
                if let Some(worst) = worst {
                    line += &format!(" (worst: {} {})", shown(&worst.task), signed(sign * worst.gain, digits));
                }
            }
        }
        line
    }

    /// Rows on which learned prompts do not beat untrained ones on average, as a message names them; none is good.
    pub fn failures(&self) -> Option<String> {
        let lower = |gain: &Gain| metric::find(&gain.metric).is_some_and(|metric| !metric.higher_is_better);
        let failed: Vec<String> = self
            .gains
            .iter()
            .filter(|gain| gain.task == AVERAGE && if lower(gain) { gain.gain >= 0.0 } else { gain.gain <= 0.0 })
            .map(|gain| gain.key.join(" "))
            .collect();
        (!failed.is_empty()).then(|| quoted(failed))
    }
}

impl Gain {
    fn new(key: &[String], task: &str, metric: String, [learned, untrained]: [f64; 2], gain: Summary) -> Self {
        Self {
            key: key.to_vec(),
            task: task.to_owned(),
            metric,
            learned,
            untrained,
            gain: gain.mean,
            standard_error: gain.standard_error(),
            n: gain.n,
        }
    }
}

impl Both {
    /// The gain and its differences by run, over the runs that have both prompts.
    fn gain(&self, key: &[String], task: &str, metric: &str) -> Option<(Gain, Runs)> {
        let paired: Vec<(&Vec<String>, f64, f64)> =
            self.learned.iter().filter_map(|(run, learned)| Some((run, *learned, *self.untrained.get(run)?))).collect();
        let differences: Runs =
            paired.iter().map(|(run, learned, untrained)| ((*run).clone(), learned - untrained)).collect();
        let total = summary(&[&differences])?;
        let learned = mean(&paired.iter().map(|pair| pair.1).collect::<Vec<_>>())?;
        let untrained = mean(&paired.iter().map(|pair| pair.2).collect::<Vec<_>>())?;
        let metric = match self.of.first() {
            Some(only) if self.of.len() == 1 => only.clone(),
            _ => metric.to_owned(),
        };
        Some((Gain::new(key, task, metric, [learned, untrained], total), differences))
    }
}

fn signed(value: f64, digits: usize) -> String {
    let text = fixed(value, digits);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::{results, score};
    use super::*;

    fn layout(rows: &[&str]) -> Layout {
        Layout {
            rows: rows.iter().map(|name| (*name).to_owned()).collect(),
            columns: Some(TASK.to_owned()),
            mean_over: vec!["seed".to_owned()],
            metric: "score".to_owned(),
            prompt: "learned".to_owned(),
            ..Layout::default()
        }
    }

    fn sample() -> Results {
        let mut scores = Vec::new();
        // rte: gains 20 and 30; paws: gains -3 and 1; the third seed of rte has no untrained partner.
        for (seed, task, learned, untrained) in
            [(1, "rte", 70.0, 50.0), (1, "paws", 47.0, 50.0), (2, "rte", 80.0, 50.0), (2, "paws", 51.0, 50.0)]
        {
            let axes = format!("method=spp seed={seed}");
            scores.push(score(&axes, task, "learned", learned));
            scores.push(score(&axes, task, "untrained", untrained));
        }
        scores.push(score("method=spp seed=3", "rte", "learned", 99.0));
        scores.push(score("method=pt seed=1", "rte", "learned", 40.0));
        scores.push(score("method=pt seed=1", "rte", "untrained", 42.5));
        results(scores)
    }

    #[test]
    fn by_hand() {
        let gains = Gains::of(&sample(), &layout(&["method"])).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gains.csv");
        sheet::write(&path, gains.frame().unwrap()).unwrap();
        // rte: 25, sd sqrt(50), error 5; paws: -1, sd sqrt(8), error 2; by seed 8.5 and 15.5: 12, error 3.5 (to the last bit).
        assert_eq!(
            fs_err::read_to_string(&path).unwrap(),
            "method,task,metric,learned,untrained,gain,standard_error,n\n\
             spp,rte,accuracy,75.0,50.0,25.0,5.0,2\n\
             spp,paws,accuracy,49.0,50.0,-1.0,2.0,2\n\
             spp,average,accuracy,62.0,50.0,12.0,3.4999999999999996,2\n\
             pt,rte,accuracy,40.0,42.5,-2.5,,1\n\
             pt,average,accuracy,40.0,42.5,-2.5,,1\n"
        );
        assert_eq!(Gains::read(&path).unwrap(), gains);
        assert_eq!(
            gains.lines(1),
            [
                "method=spp: learned prompts beat untrained ones by 12.0 ± 3.5 points of accuracy on average over 2 tasks \
                 (worst: paws -1.0)",
                "method=pt: learned prompts trail untrained ones by 2.5 points of accuracy on rte",
            ]
        );
        assert_eq!(gains.failures().as_deref(), Some("`pt`"));
    }

    #[test]
    fn a_falling_loss_is_a_gain() {
        let mut results = sample();
        results.scores.retain(|score| score.axis("method") == "pt");
        for score in &mut results.scores {
            score.metric = "nll".to_owned();
            score.of = String::new();
        }
        let gains = Gains::of(&results, &Layout { metric: "nll".to_owned(), ..layout(&[]) }).unwrap();
        assert_eq!(gains.lines(1), ["learned prompts beat untrained ones by 2.5 nats of nll on rte"]);
        assert_eq!(gains.failures(), None);
    }

    #[test]
    fn nothing_untrained_is_no_gain() {
        let mut results = sample();
        results.scores.retain(|score| score.prompt == "learned");
        assert_eq!(Gains::of(&results, &layout(&["method"])), None);
    }
}
