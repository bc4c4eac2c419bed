//! The course of training: one line for each step.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::method::parameter::Group;

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Counted from 1.
    pub step: u64,
    /// Counted from 1.
    pub epoch: u64,
    /// Mean negative log-likelihood of the batch's target tokens, before the update.
    pub loss: f64,
    /// The factor on all learning rates.
    pub factor: f64,
    /// The gradient's global norm, before clipping.
    pub gradient: f64,
}

/// The steps as CSV: step, epoch, loss, a learning rate for each group, gradient norm.
pub fn csv(points: &[Point], rates: &[(Group, f64)]) -> String {
    let mut text = String::from("step,epoch,loss");
    for (group, _) in rates {
        let _ = write!(text, ",rate_{}", group.name());
    }
    text.push_str(",gradient_norm\n");
    for point in points {
        let _ = write!(text, "{},{},{}", point.step, point.epoch, point.loss as f32);
        for (_, rate) in rates {
            let _ = write!(text, ",{}", (rate * point.factor) as f32);
        }
        let _ = writeln!(text, ",{}", point.gradient as f32);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_step() {
        let points = [Point { step: 1, epoch: 1, loss: 0.5, factor: 0.5, gradient: 2.0 }];
        let text = csv(&points, &[(Group::Source, 0.1), (Group::Gate, 0.5)]);
        assert_eq!(text, "step,epoch,loss,rate_source,rate_gate,gradient_norm\n1,1,0.5,0.05,0.25,2\n");
    }
}
