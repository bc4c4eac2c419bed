//! Linear warm-up, then linear decay to zero (METHODS 3).

use compt::operation::train::{OptimizerSettings, ScheduleTotal};

/// The factor on all learning rates, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Steps in which the factor rises.
    pub warmup: u64,
    /// The step at which it has fallen to zero.
    pub total: u64,
}

impl Schedule {
    /// The schedule for a run of `steps` steps over `examples` examples (of all epochs together).
    pub fn new(settings: &OptimizerSettings, steps: u64, examples: u64, batch: u64) -> Self {
        let total = match settings.total {
            ScheduleTotal::Exact => steps,
            ScheduleTotal::Floor => examples / batch.max(1),
        };
        Self { warmup: (settings.warmup * total as f64).floor() as u64, total }
    }

    /// The factor at a step, counted from 0.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            step as f64 / self.warmup as f64
        } else if step >= self.total {
            0.0
        } else {
            (self.total - step) as f64 / (self.total - self.warmup).max(1) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn rises_to_one_and_falls_to_zero() {
        let schedule = Schedule { warmup: 2, total: 8 };
        let factors: Vec<f64> = (0..10).map(|step| schedule.factor(step)).collect();
        // METHODS 3: s / warm-up, then (total - s) / (total - warm-up).
        let sixth = 1.0 / 6.0;
        let expected = [0.0, 0.5, 1.0, 5.0 * sixth, 4.0 * sixth, 3.0 * sixth, 2.0 * sixth, sixth, 0.0, 0.0];
        for (factor, expected) in factors.iter().zip(expected) {
            assert!((factor - expected).abs() < 1e-15, "{factors:?}");
        }
    }

    #[test]
    fn borders_do_not_divide_by_zero() {
        for (warmup, total) in [(0, 0), (0, 1), (1, 1), (5, 5)] {
            let schedule = Schedule { warmup, total };
            assert!((0..7).all(|step| (0.0..=1.0).contains(&schedule.factor(step))), "{schedule:?}");
        }
    }
}
