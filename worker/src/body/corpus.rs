//! The plain text of a pre-training: where it comes from, and its cuts.

use std::path::Path;

use compt::base::random::Stream;
use compt::operation::pretrain::{Corpus, CorpusOrigin, Long, PretrainParameters};
use compt::protocol::{Job, StageError};
use compt::task::dataset::Split;
use compt::task::texts::TaskTexts;
use compt::task::tokens::Tokenizer;
use compt::task::{rows, sampled, world};

use super::backbone::wide;
use super::inputs;

/// All texts. Those of the world are as good in any order; others are mixed, since files are often sorted.
///
/// # Errors
/// Files that can't be read, nothing to read, or something to read that nobody asked for.
pub fn texts(job: &Job, settings: &PretrainParameters, learned: &[&TaskTexts]) -> Result<Vec<String>, StageError> {
    let corpus = &settings.corpus;
    let origin = corpus.origin();
    if origin != CorpusOrigin::Rows
        && let Some(unread) = job.inputs.iter().find(|input| input.operation == "fetch")
    {
        return Err(StageError::input(format!("nothing is read of {}, which runs `fetch`", inputs::instance(unread)))
            .with_hint("write `corpus: {from: rows}` for its texts, or take it out of `from`"));
    }
    let mut texts = match origin {
        CorpusOrigin::World => {
            let (count, seed) = corpus.of_world();
            return Ok(world::corpus(seed, count).collect());
        }
        CorpusOrigin::Sources => {
            learned.iter().flat_map(|texts| &texts.train).map(|example| example.source.clone()).collect()
        }
        CorpusOrigin::Rows => of_rows(job, corpus)?,
        CorpusOrigin::Files => of_files(job, corpus)?,
    };
    texts.retain(|text| !text.trim().is_empty());
    if texts.is_empty() {
        let (message, hint) = match origin {
            CorpusOrigin::Rows => {
                ("`corpus.from: rows` found no text", "name a stage with `fetch` in `from` that has training rows")
            }
            CorpusOrigin::Files => ("`corpus.files` have no text", "name files that have some"),
            CorpusOrigin::Sources | CorpusOrigin::World => (
                "`corpus.from: sources` needs a task that is learned, and there is none",
                "read texts with `from`, name `files` or a `column` of `fetch` stages, or say `corpus: {from: world}`",
            ),
        };
        return Err(StageError::input(message).with_hint(hint));
    }
    Stream::new(settings.seed, &["texts"]).shuffle(&mut texts);
    Ok(texts)
}

/// The training rows of all `fetch` inputs.
fn of_rows(job: &Job, corpus: &Corpus) -> Result<Vec<String>, StageError> {
    let mut sets = Vec::new();
    for input in job.inputs.iter().filter(|input| input.operation == "fetch") {
        let dataset = sampled::read_dataset(input.files.folder())?;
        let column = match (&corpus.column, dataset.columns.as_slice()) {
            (Some(column), _) => column.clone(),
            (None, [only]) => only.clone(),
            (None, several) => {
                return Err(StageError::input(format!("{} has several text columns", inputs::instance(input)))
                    .with_hint(format!("name one as `corpus.column`: {}", several.join(", "))));
            }
        };
        if !dataset.columns.contains(&column) {
            return Err(StageError::input(format!("{} has no text column `{column}`", inputs::instance(input)))
                .with_hint(format!("its text columns are {}", dataset.columns.join(", "))));
        }
        let file = sampled::parquet_name(Split::Train);
        let name = format!("{}/{file}", inputs::instance(input).trim_matches('`'));
        sets.push((dataset.name, rows::read_texts(&name, &input.files.file(&file), Some(&column))?));
    }
    // By what they say: stages come in the order of their keys.
    sets.sort();
    Ok(sets.into_iter().flat_map(|(_, texts)| texts).collect())
}

fn of_files(job: &Job, corpus: &Corpus) -> Result<Vec<String>, StageError> {
    let mut texts = Vec::new();
    for source in &job.sources {
        for (inside, path) in &source.files {
            texts.extend(rows::read_texts(&whole_name(&source.name, inside, path), path, corpus.column.as_deref())?);
        }
    }
    Ok(texts)
}

/// The path in the project of a file `inside` a source: files in different folders may have the same name.
fn whole_name(source: &str, inside: &str, path: &Path) -> String {
    // A source that is a file has itself as its only file.
    let is_folder = path.ends_with(Path::new(source).join(inside));
    if is_folder { format!("{}/{inside}", source.trim_end_matches('/')) } else { source.to_owned() }
}

/// Texts as examples of `corpus.length` tokens. Consecutive texts are joined until there are so many tokens; what is
/// too many is split off or cut. The last one may be shorter. Parts of one long text are not learned one after the
/// other: they are mixed, but for those of the world.
///
/// # Errors
/// A text that the tokenizer refuses.
pub fn windows(
    tokenizer: &Tokenizer,
    texts: &[String],
    settings: &PretrainParameters,
) -> Result<Vec<Vec<i64>>, StageError> {
    let corpus = &settings.corpus;
    let mut windows = Windows { length: corpus.length, long: corpus.long, open: Vec::new(), full: Vec::new() };
    for text in texts {
        windows.add(&wide(&tokenizer.encode(text)?));
    }
    let mut windows = windows.finish();
    if corpus.origin() != CorpusOrigin::World {
        Stream::new(settings.seed, &["windows"]).shuffle(&mut windows);
    }
    Ok(windows)
}

struct Windows {
    length: usize,
    long: Long,
    open: Vec<i64>,
    full: Vec<Vec<i64>>,
}

impl Windows {
    /// `open` stays shorter than a window.
    fn add(&mut self, text: &[i64]) {
        let missing = self.length - self.open.len();
        let (start, rest) = text.split_at(missing.min(text.len()));
        self.open.extend(start);
        if self.open.len() < self.length {
            return;
        }
        self.full.push(std::mem::take(&mut self.open));
        if self.long == Long::Split {
            let windows = rest.chunks_exact(self.length);
            self.open.extend(windows.remainder());
            self.full.extend(windows.map(<[i64]>::to_vec));
        }
    }

    fn finish(mut self) -> Vec<Vec<i64>> {
        if !self.open.is_empty() {
            self.full.push(self.open);
        }
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::{Long, Windows};

    fn windows(long: Long, texts: &[&[i64]]) -> Vec<Vec<i64>> {
        let mut windows = Windows { length: 3, long, open: Vec::new(), full: Vec::new() };
        texts.iter().for_each(|text| windows.add(text));
        windows.finish()
    }

    #[test]
    fn what_is_split_is_all_there_and_what_is_cut_begins_with_a_text() {
        let texts: [&[i64]; 4] = [&[1, 2], &[3, 4, 5, 6, 7, 8, 9, 10], &[], &[11, 12]];
        let split = windows(Long::Split, &texts);
        assert_eq!(split, [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9], vec![10, 11, 12]]);
        assert_eq!(windows(Long::Cut, &texts), [vec![1, 2, 3], vec![11, 12]]);
        assert_eq!(windows(Long::Split, &[&[1, 2, 3, 4]]), [vec![1, 2, 3], vec![4]]);
    }
}
