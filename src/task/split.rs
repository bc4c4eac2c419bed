//! Which rows train, validate and test: the split policies of METHODS 3.1, with a fixed seed.

use crate::protocol::StageError;
use crate::task::dataset::{Dataset, SplitPolicy};
use crate::task::draw::Pool;
use crate::task::fetched::Fetched;

/// The seed of the policies: a split is a property of the task, the same in every experiment.
const SEED: u64 = 0;

/// What can be drawn for each purpose; no row is in two of them.
#[derive(Clone, Debug)]
pub struct Pools<'a> {
    /// To learn from.
    pub train: Pool<'a>,
    /// To choose a checkpoint with; empty where a data set has none.
    pub validation: Pool<'a>,
    /// To compute scores on.
    pub test: Pool<'a>,
}

/// Applies the data set's policy.
///
/// # Errors
/// A split that the policy needs and that is empty or too small.
pub fn divide<'a>(dataset: &Dataset, fetched: &'a Fetched) -> Result<Pools<'a>, StageError> {
    for (split, patterns) in dataset.files.present() {
        if fetched.get(split).is_empty() {
            return Err(StageError::input(format!(
                "the {} split of `{}` is empty: no rows in {}",
                split.name(),
                dataset.name,
                patterns.join(", ")
            )));
        }
    }
    let task = dataset.name.as_str();
    let (train, validation, test) =
        (Pool::new(&fetched.train), Pool::new(&fetched.validation), Pool::new(&fetched.test));
    Ok(match dataset.splits {
        SplitPolicy::AsNamed => Pools { train, validation, test },
        SplitPolicy::HalveValidation => {
            if validation.len() < 2 {
                return Err(StageError::input(format!(
                    "the validation split of `{task}` has 1 row, too few to halve into validation and test"
                )));
            }
            let half = validation.len() / 2;
            let (validation, test) = validation.part(SEED, "split", task, half);
            Pools { train, validation, test }
        }
        SplitPolicy::HoldOutTrain => {
            if train.len() <= dataset.hold_out {
                return Err(StageError::input(format!(
                    "the train split of `{task}` has {} rows, and {} are to be held out for validation",
                    train.len(),
                    dataset.hold_out
                ))
                .with_hint(format!("set a smaller `hold_out` in `datasets/{task}.yaml`")));
            }
            let (validation, train) = train.part(SEED, "split", task, dataset.hold_out);
            Pools { train, validation, test }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::divide;
    use crate::task::fetched::Fetched;
    use crate::task::fixtures;
    use crate::task::rows::Rows;

    fn numbered(count: u32) -> Rows {
        let texts: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        fixtures::rows(&texts.iter().map(|text| (text.as_str(), 0)).collect::<Vec<_>>())
    }

    #[test]
    fn sizes_follow_the_policies() {
        let sizes = |task: &str, train, validation, test| {
            let fetched = Fetched { train: numbered(train), validation: numbered(validation), test: numbered(test) };
            divide(&fixtures::dataset(task), &fetched)
                .map(|pools| (pools.train.len(), pools.validation.len(), pools.test.len()))
                .map_err(|error| error.message)
        };
        assert_eq!(sizes("rte", 50, 277, 0), Ok((50, 138, 139)));
        assert_eq!(sizes("qnli", 1500, 0, 60), Ok((500, 1000, 60)));
        assert_eq!(sizes("imdb", 20, 0, 30), Ok((20, 0, 30)));
        assert_eq!(sizes("mnli", 20, 5, 6), Ok((20, 5, 6)));
        assert!(sizes("qnli", 1000, 0, 60).unwrap_err().contains("has 1000 rows, and 1000"));
        assert!(sizes("rte", 10, 1, 0).unwrap_err().contains("too few to halve"));
        assert_eq!(
            sizes("imdb", 20, 0, 0).unwrap_err(),
            "the test split of `imdb` is empty: no rows in test-*.parquet"
        );
    }
}
