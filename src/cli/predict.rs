//! `compt predict`: answers texts with a prompt that a run trained.

mod backbone;
mod feed;
mod place;
mod sink;
mod typed;

use std::io;

use super::arguments::{Answering, CACHE, PredictArguments, Rows};
use super::failure::Failure;
use super::shell_word;
use crate::operation::evaluate::Mode;
use crate::operation::lineage::Lineage;
use crate::operation::trained::{self, NoPrompt, Trained, Wanted};
use crate::protocol::StageError;
use crate::store::Store;
use crate::task::stream::{CSV, Fault, Row, Shape, TSV, Writer, missing};
use crate::task::text::Formatter;
use backbone::Backbone;
use feed::Feed;
use sink::Sink;

/// Answers rows, batch by batch, and writes them down as soon as they are answered.
pub fn predict(arguments: &PredictArguments) -> Result<(), Failure> {
    let place = place::find(arguments)?;
    let run = Lineage::read(&place.folder)?;
    let store = Store::open_to_read(&arguments.cache)?;
    let mode = arguments.mode.map(Mode::from);
    let wanted = Wanted { task: arguments.task.as_deref(), stage: arguments.stage.as_deref(), mode };
    let trained = trained::find(&run, &store, wanted).map_err(|error| failure(error, arguments))?;
    if arguments.scores && trained.card.labels.is_empty() {
        return Err(Failure::usage(
            format!("the task `{}` has no labels to score: its answers are numbers", trained.card.name),
            "leave `--scores` out",
        ));
    }
    let formatter = Formatter::new(&trained.dataset, &trained.text)?;
    let feed = feed::open(arguments, &trained.dataset)?;
    let columns: Vec<&str> = trained.dataset.columns.iter().map(String::as_str).collect();
    let mut writer = writer(arguments, &trained, &feed)?;
    if let Some(header) = &feed.columns {
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        if !columns.iter().all(|column| header.contains(column)) {
            let hint = format!("a row of the task `{}` has the columns {}", trained.card.name, columns.join(", "));
            return Err(StageError::input(format!("{}: {}", feed.name, missing(&columns, &header)))
                .with_hint(hint)
                .into());
        }
        writer.accept(&header, 1).map_err(|fault| fault.of(&feed.name))?;
    }
    let text = |row: &Row| -> Result<String, StageError> {
        let in_feed = |fault: Fault| fault.of(&feed.name);
        let cells = columns.iter().map(|column| row.text(column)).collect::<Result<Vec<_>, _>>().map_err(in_feed)?;
        formatter.source(&cells)
    };
    let mut backbone = Backbone::new(arguments, &place, &run, &trained, &store)?;
    let mut answered = 0;
    let ended = answer(&feed, usize::from(arguments.batch), &text, &mut backbone, &mut writer, &mut answered);
    backbone.leave();
    match ended {
        Ok(()) | Err(Stop::NobodyReads) => Ok(()),
        Err(Stop::Failed(error)) if answered > 0 => {
            let rows = if answered == 1 {
                "the row before it is".to_owned()
            } else {
                format!("{answered} rows before it are")
            };
            let message = format!("{}; {rows} answered and written", error.message);
            Err(StageError { message, ..error }.into())
        }
        Err(Stop::Failed(error)) => Err(error.into()),
    }
}

/// Why answering ends early.
enum Stop {
    /// Nobody reads the answers any more (`compt predict ... | head`): no fault.
    NobodyReads,
    /// Something is wrong.
    Failed(StageError),
}

impl From<StageError> for Stop {
    fn from(error: StageError) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::NobodyReads } else { Self::Failed(error.into()) }
    }
}

/// Answers all rows; a fault in one does not keep those before it from being answered.
fn answer(
    feed: &Feed,
    size: usize,
    text: &dyn Fn(&Row) -> Result<String, StageError>,
    backbone: &mut Backbone,
    writer: &mut Writer<Sink>,
    answered: &mut usize,
) -> Result<(), Stop> {
    loop {
        let batch = feed.next(size);
        let (mut rows, mut texts, mut fault) = (Vec::new(), Vec::new(), None);
        for row in batch.rows {
            let fits = writer.accept(&row.names(), row.line).map_err(|fault| fault.of(&feed.name));
            match fits.and_then(|()| text(&row)) {
                Ok(text) => texts.push(text),
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
            rows.push(row);
        }
        if !texts.is_empty() {
            let answers = backbone.answer(texts)?;
            writer.write(&rows, &answers)?;
            *answered += rows.len();
        }
        match (fault, batch.end) {
            (Some(error), _) | (None, Some(Err(error))) => return Err(error.into()),
            (None, Some(Ok(()))) => break,
            (None, None) => {}
        }
    }
    // A header alone is answered by a header.
    Ok(writer.write(&[], &[])?)
}

/// The writer of the answers.
fn writer(arguments: &PredictArguments, trained: &Trained, feed: &Feed) -> Result<Writer<Sink>, Failure> {
    let named = |path: &std::path::PathBuf| Shape::of_name(&path.to_string_lossy());
    let shape = arguments.output_format.map(Shape::from).or_else(|| arguments.output.as_ref().and_then(named));
    let labels = if arguments.scores { trained.card.labels.clone() } else { Vec::new() };
    Ok(Writer::new(Sink::new(arguments)?, shape.unwrap_or(feed.shape), labels))
}

impl From<Rows> for Shape {
    fn from(rows: Rows) -> Self {
        match rows {
            Rows::Csv => CSV,
            Rows::Tsv => TSV,
            Rows::Jsonl => Self::JsonLines,
        }
    }
}

impl From<Answering> for Mode {
    fn from(answering: Answering) -> Self {
        match answering {
            Answering::Generate => Self::Generate,
            Answering::Rank => Self::Rank,
        }
    }
}

/// Why there is no prompt; where one of several has to be chosen, with a whole command that does it.
fn failure(error: NoPrompt, arguments: &PredictArguments) -> Failure {
    match error {
        NoPrompt::Nothing(error) => error.into(),
        NoPrompt::Unclear { message, hint } => Failure::usage(message, hint),
        NoPrompt::Several { message, task, stage } => {
            Failure::usage(message, format!("choose one, for example `{}`", command(arguments, &task, &stage)))
        }
        NoPrompt::Store(error) => error.into(),
    }
}

/// What was typed, with this task and stage.
fn command(arguments: &PredictArguments, task: &str, stage: &str) -> String {
    let path = |path: &std::path::Path| path.display().to_string();
    let mut words = vec![("--run", path(&arguments.run)), ("--task", task.to_owned()), ("--stage", stage.to_owned())];
    if arguments.cache != std::path::Path::new(CACHE) {
        words.push(("--cache", path(&arguments.cache)));
    }
    words.extend(arguments.text.iter().map(|text| ("--text", text.clone())));
    words.extend(arguments.field.iter().map(|(name, text)| ("--field", format!("{name}={text}"))));
    words.extend(arguments.input.iter().map(|file| ("--input", path(file))));
    words.extend(arguments.output.iter().map(|file| ("--output", path(file))));
    let words: Vec<String> = words.iter().map(|(option, value)| format!("{option} {}", shell_word(value))).collect();
    format!("compt predict {}", words.join(" "))
}
