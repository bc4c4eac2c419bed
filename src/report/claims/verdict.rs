//! From resamples to pass, fail or undecided, and to the number of seeds that would decide.

use super::bootstrap::Resampled;
use super::parse::Relation;
use crate::report::statistics::{mean, sd};

/// Percentiles of the 95 % interval.
const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;

/// Half of a normal 95 % interval in standard errors.
const Z: f64 = 1.959_963_984_540_054;

/// What becomes of a claim; the later one wins over several places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The whole interval is on the claimed side.
    Pass,
    /// The interval is on both sides.
    Undecided,
    /// The whole interval is on the other side.
    Fail,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Undecided, Self::Fail];

    /// As files and screens spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Undecided => "undecided",
            Self::Fail => "fail",
        }
    }
}

/// How many seeds would decide a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedsNeeded {
    /// It is decided.
    Decided,
    /// About this many.
    About(u64),
    /// No number: the test examples alone leave it open.
    Never,
    /// One seed does not say how much seeds differ.
    Unknown,
}

/// A checked claim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The mean over seeds.
    pub effect: f64,
    /// Where its interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// What follows.
    pub outcome: Outcome,
    /// How many seeds would decide it.
    pub seeds_needed: SeedsNeeded,
}

impl Verdict {
    /// Decides a claim whose effect, moved by `shift`, is compared with `margin`.
    pub fn of(relation: Relation, margin: f64, shift: f64, resampled: &Resampled) -> Self {
        let effect = mean(&resampled.seeds).unwrap_or_default() + shift;
        let mut effects: Vec<f64> = resampled.effects.iter().map(|effect| effect + shift).collect();
        effects.sort_by(f64::total_cmp);
        let (low, high) = (percentile(&effects, LOW), percentile(&effects, HIGH));
        let outcome = outcome(relation, margin, low, high);
        let distance = match relation {
            Relation::Above | Relation::Below => (effect - margin).abs(),
            Relation::Within(_) => (effect.abs() - margin).abs(),
        };
        let seeds_needed = match outcome {
            Outcome::Undecided => seeds_needed(distance, resampled),
            Outcome::Pass | Outcome::Fail => SeedsNeeded::Decided,
        };
        Self { effect, low, high, outcome, seeds_needed }
    }
}

fn outcome(relation: Relation, margin: f64, low: f64, high: f64) -> Outcome {
    let (holds, broken) = match relation {
        Relation::Above => (low > margin, high < margin),
        Relation::Below => (high < margin, low > margin),
        Relation::Within(_) => (low > -margin && high < margin, low > margin || high < -margin),
    };
    match (holds, broken) {
        (true, _) => Outcome::Pass,
        (_, true) => Outcome::Fail,
        _ => Outcome::Undecided,
    }
}

/// A percentile of sorted values, linear between two of them.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let below = place.floor() as usize;
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    a + (b - a) * (place - below as f64)
}

/// How many seeds bring a normal interval to the `distance` between effect and margin, if effect and spread stay as they
/// are.
///
/// The variance of the effect over n seeds is V / n + B. V is the variance between the effects of seeds, on the same
/// examples. B is what examples add for any number of seeds: of the variance over resampled examples, the part that all seeds
/// share. With M the variance of the seeds' mean and A the mean of the seeds' variances, M = B + E / n and A = B + E, so
/// B = (n M - A) / (n - 1).
fn seeds_needed(distance: f64, resampled: &Resampled) -> SeedsNeeded {
    let n = resampled.seeds.len() as f64;
    let Some(between) = sd(&resampled.seeds) else { return SeedsNeeded::Unknown };
    let variance = |values: &[f64]| sd(values).map_or(0.0, |sd| sd * sd);
    let means: Vec<f64> = resampled.by_seed.iter().filter_map(|effects| mean(effects)).collect();
    let of_seed = |seed: usize| variance(&resampled.by_seed.iter().map(|effects| effects[seed]).collect::<Vec<_>>());
    let single = mean(&(0..resampled.seeds.len()).map(of_seed).collect::<Vec<_>>()).unwrap_or_default();
    let shared = ((n * variance(&means) - single) / (n - 1.0)).max(0.0);
    let room = (distance / Z).powi(2) - shared;
    if room <= 0.0 {
        return SeedsNeeded::Never;
    }
    // The bootstrap did not decide with n seeds, so that it takes more, whatever the normal interval says.
    SeedsNeeded::About((between * between / room).ceil().max(n + 1.0) as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spread(centre: f64, by: f64) -> Resampled {
        let effects: Vec<f64> = (0..=1000).map(|i| centre + by * (f64::from(i) / 500.0 - 1.0)).collect();
        Resampled { seeds: vec![centre], by_seed: effects.iter().map(|effect| vec![*effect]).collect(), effects }
    }

    #[test]
    fn percentiles_are_linear_between_values() {
        // As numpy's default: percentile([1, 2, 4, 8], 2.5) = 1.075, 97.5 -> 7.7, 50 -> 3.
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.025, 1.075), (0.975, 7.7), (0.5, 3.0), (0.0, 1.0), (1.0, 8.0)] {
            assert!((percentile(&sorted, share) - expected).abs() < 1e-12);
        }
        assert_eq!(percentile(&[5.0], 0.975), 5.0);
    }

    #[test]
    fn the_interval_decides() {
        // The interval of a spread of 10 is 9.5 to either side.
        let of = |relation, margin, centre| {
            let verdict = Verdict::of(relation, margin, 0.0, &spread(centre, 10.0));
            assert!((verdict.low - (centre - 9.5)).abs() < 1e-9 && (verdict.high - (centre + 9.5)).abs() < 1e-9);
            verdict.outcome
        };
        use Outcome::{Fail, Pass, Undecided};
        let above = [12.4, 12.6, -6.4, -6.6].map(|centre| of(Relation::Above, 3.0, centre));
        assert_eq!(above, [Undecided, Pass, Undecided, Fail]);
        let below = [12.4, 12.6, -6.4, -6.6].map(|centre| of(Relation::Below, 3.0, centre));
        assert_eq!(below, [Undecided, Fail, Undecided, Pass]);
        let near = [0.4, 0.6, 19.4, 19.6, -19.6].map(|centre| of(Relation::Within(10.0), 10.0, centre));
        assert_eq!(near, [Pass, Undecided, Undecided, Fail, Fail]);
    }

    #[test]
    fn seeds_needed_by_hand() {
        // Seeds 4, 6, 8: variance 4. Every resample moves all seeds by -1 or +1 together: M = A = B, and with 1,001 of them
        // almost 1. An effect of 6 that lies 3 from its margin has room (3 / 1.96)^2 - 1 = 1.343; 4 / 1.343 = 2.98, so 3, but
        // with 3 it is undecided: 4. At 2.2 there is 0.26 room: 4 / 0.26 = 15.4, so 16. At 1.9: (1.9 / 1.96)^2 < 1: never.
        let by_seed: Vec<Vec<f64>> = (0..1001)
            .map(|i| {
                let shift = if i % 2 == 0 { 1.0 } else { -1.0 };
                [4.0, 6.0, 8.0].map(|effect| effect + shift).to_vec()
            })
            .collect();
        let resampled = Resampled { seeds: vec![4.0, 6.0, 8.0], effects: Vec::new(), by_seed };
        assert_eq!(seeds_needed(3.0, &resampled), SeedsNeeded::About(4));
        assert_eq!(seeds_needed(2.2, &resampled), SeedsNeeded::About(16));
        assert_eq!(seeds_needed(1.9, &resampled), SeedsNeeded::Never);
        // Each seed has noise of its own, which goes away with more seeds: nothing is shared.
        let by_seed: Vec<Vec<f64>> = (0..1024)
            .map(|i| {
                [4.0, 6.0, 8.0]
                    .iter()
                    .enumerate()
                    .map(|(seed, effect)| effect + if i >> seed & 1 == 0 { 1.0 } else { -1.0 })
                    .collect()
            })
            .collect();
        let resampled = Resampled { by_seed, ..resampled };
        // 4 / (0.5 / 1.96)^2 = 61.5.
        assert_eq!(seeds_needed(0.5, &resampled), SeedsNeeded::About(62));
        assert_eq!(seeds_needed(3.0, &spread(4.0, 1.0)), SeedsNeeded::Unknown);
    }

    proptest! {
        #[test]
        fn turned_around_a_claim_is_the_same(centre in -30.0f64..30.0, by in 0.1f64..20.0, margin in -10.0f64..10.0) {
            let (here, there) = (spread(centre, by), spread(-centre, by));
            let above = Verdict::of(Relation::Above, margin, 0.0, &here);
            let below = Verdict::of(Relation::Below, -margin, 0.0, &there);
            prop_assert_eq!(above.outcome, below.outcome);
            prop_assert!((above.low + below.high).abs() < 1e-9 && (above.effect + below.effect).abs() < 1e-9);
            let moved = Verdict::of(Relation::Above, margin + 3.0, 3.0, &here);
            prop_assert!((moved.effect - above.effect - 3.0).abs() < 1e-9);
            prop_assert!((moved.low - above.low - 3.0).abs() < 1e-9);
        }
    }
}
