//! Which instances are verified when not all are: a choice that depends on their names and a seed, and on nothing else, so
//! that it is the same on every machine, and a larger sample contains a smaller one.

use std::str::FromStr;

use crate::base::Digest;
use crate::plan::Instance;

/// How many instances: `5%`, or `10`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// So many in a hundred, rounded up.
    Percent(f64),
    /// So many.
    Count(usize),
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a share or a number of stages, for example `5%` or `10`".to_owned();
        match text.strip_suffix('%') {
            Some(share) => match share.trim().parse::<f64>() {
                Ok(share) if share > 0.0 && share <= 100.0 => Ok(Self::Percent(share)),
                _ => Err(wrong()),
            },
            None => match text.parse() {
                Ok(count) if count > 0 => Ok(Self::Count(count)),
                _ => Err(wrong()),
            },
        }
    }
}

impl Sample {
    /// How many of so many: at least one, where there is one.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Percent(share) => (((total as f64) * share / 100.0).ceil() as usize).min(total),
            Self::Count(count) => count.min(total),
        }
    }
}

/// The chosen ones, in their order.
pub fn choose<'a>(instances: &[&'a Instance], sample: Sample, seed: u64) -> Vec<&'a Instance> {
    let mut ranked: Vec<(Digest, usize)> = instances
        .iter()
        .enumerate()
        .map(|(position, instance)| (Digest::of(format!("{seed} {}", instance.identity()).as_bytes()), position))
        .collect();
    ranked.sort();
    let mut chosen: Vec<usize> =
        ranked.into_iter().take(sample.of(instances.len())).map(|(_, position)| position).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|position| instances[position]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Sample, choose};
    use crate::plan::Instance;
    use crate::plan::instance::tests::small;

    fn many(count: usize) -> Vec<Instance> {
        let plan = small();
        let numbered = |id: usize| {
            let mut instance = plan.instances[0].clone();
            instance.id = id;
            instance.coordinates.insert("seed".into(), id.to_string());
            instance
        };
        (0..count).map(numbered).collect()
    }

    fn ids(chosen: &[&Instance]) -> Vec<usize> {
        chosen.iter().map(|instance| instance.id).collect()
    }

    #[test]
    fn shares_and_numbers_are_read() {
        assert_eq!("5%".parse(), Ok(Sample::Percent(5.0)));
        assert_eq!("10".parse(), Ok(Sample::Count(10)));
        for wrong in ["", "0", "0%", "101%", "-1", "x%", "nan%"] {
            assert!(wrong.parse::<Sample>().is_err(), "{wrong}");
        }
        assert_eq!([0, 1, 20, 21, 100].map(|total| Sample::Percent(5.0).of(total)), [0, 1, 1, 2, 5]);
        assert_eq!([0, 3, 30].map(|total| Sample::Count(10).of(total)), [0, 3, 10]);
    }

    proptest! {
        #[test]
        fn a_larger_sample_contains_a_smaller_one(total in 0usize..30, small in 1usize..20, more in 0usize..20, seed in 0u64..5) {
            let instances = many(total);
            let all: Vec<&Instance> = instances.iter().collect();
            let few = ids(&choose(&all, Sample::Count(small), seed));
            let many = ids(&choose(&all, Sample::Count(small + more), seed));
            prop_assert_eq!(few.len(), small.min(total));
            prop_assert!(few.iter().all(|id| many.contains(id)));
            prop_assert!(few.windows(2).all(|pair| pair[0] < pair[1]));
            // The order in which they come does not count.
            let turned: Vec<&Instance> = instances.iter().rev().collect();
            let mut again = ids(&choose(&turned, Sample::Count(small), seed));
            again.sort_unstable();
            prop_assert_eq!(few, again);
        }
    }

    #[test]
    fn another_seed_is_another_choice() {
        let instances = many(100);
        let all: Vec<&Instance> = instances.iter().collect();
        assert_ne!(ids(&choose(&all, Sample::Count(10), 0)), ids(&choose(&all, Sample::Count(10), 1)));
    }
}
