//! Real rows of a data set as a model would read them, for `compt check`.

use std::path::Path;

use crate::protocol::StageError;
use crate::task::dataset::Dataset;
use crate::task::fetched;
use crate::task::source::{self, SourceSettings, Watch};
use crate::task::split;
use crate::task::text::{Formatter, TextSettings};
use crate::task::texts::Example;

/// What `compt check` shows of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The commit that the rows come from, if the source has commits.
    pub revision: Option<String>,
    /// Training, validation and test rows after the split policy.
    pub sizes: [usize; 3],
    /// Some training rows, always the same ones.
    pub examples: Vec<Example>,
}

/// Finds a data set's files, reads all of its rows and renders `count` training rows.
///
/// # Errors
/// Files that are missing or can't be had, and rows that can't be used.
pub fn preview(
    dataset: &Dataset,
    root: &Path,
    settings: &SourceSettings,
    text: &TextSettings,
    count: usize,
    watch: &mut dyn Watch,
) -> Result<Preview, StageError> {
    let located = source::locate(&source::dataset_request(dataset, root), settings, watch)?;
    let fetched = fetched::read(dataset, &located.files)?;
    let pools = split::divide(dataset, &fetched)?;
    let formatter = Formatter::new(dataset, text)?;
    let examples = pools.train.draw(0, "preview", &dataset.name, count).into_iter().map(|member| {
        let (cells, label) = pools.train.row(&member);
        Ok(Example { id: member.id(), source: formatter.source(cells)?, target: formatter.target(label)? })
    });
    Ok(Preview {
        revision: located.revision,
        sizes: [pools.train.len(), pools.validation.len(), pools.test.len()],
        examples: examples.collect::<Result<_, StageError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::preview;
    use crate::task::dataset::{Kind, names};
    use crate::task::fixtures;
    use crate::task::source::SourceSettings;
    use crate::task::text::TextSettings;

    /// Rows of the mirror's splits, by its README, after the policies of METHODS 3.1.
    const SIZES: [(&str, [usize; 3]); 13] = [
        ("cola", [8551, 521, 522]),
        ("imdb", [10_000, 0, 5000]),
        ("mnli", [19_082, 1000, 9815]),
        ("mrpc", [3668, 204, 204]),
        ("multinli", [19_082, 1000, 9815]),
        ("paws", [5999, 1000, 1001]),
        ("qnli", [8999, 1000, 5463]),
        ("qqp", [10_950, 1000, 7600]),
        ("rte", [2490, 138, 139]),
        ("scitail", [2119, 152, 152]),
        ("sst2", [66_349, 1000, 872]),
        ("stsb", [5749, 750, 750]),
        ("yelp_polarity", [3331, 1000, 1600]),
    ];

    #[test]
    fn every_data_set_renders_real_rows() {
        let Some(mirror) = fixtures::mirror() else { return };
        let settings = SourceSettings::from_variables(|_| None).with_mirror(Some(mirror));
        let text = TextSettings::default();
        assert!(names(fixtures::root()).len() >= SIZES.len());
        for (task, sizes) in SIZES {
            let dataset = fixtures::dataset(task);
            let preview = preview(&dataset, fixtures::root(), &settings, &text, 3, &mut ())
                .unwrap_or_else(|error| panic!("{task}: {error}"));
            // Every row of the files is there: a row that can't be used is an error, never dropped.
            assert_eq!(preview.sizes, sizes, "{task}");
            assert_eq!(preview.examples.len(), 3);
            for example in &preview.examples {
                assert!(example.source.starts_with(&format!("{task}: ")), "{example:?}");
                match dataset.kind {
                    Kind::Classification => assert!(dataset.words().contains(&example.target), "{example:?}"),
                    Kind::Regression => assert!((0.0..=5.0).contains(&example.target.parse::<f64>().unwrap())),
                }
            }
        }
    }
}
