//! Counting differences, against a tolerance.

use std::fmt;

use serde::Serialize;

/// The longest value that is shown, in characters.
const LONGEST: usize = 60;

/// How far two numbers may be apart: by so much, or by so large a part of the larger one, whichever is more. So
/// `1e-6` admits 0.000001 beside 0, and 1000.001 beside 1000.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerance(pub f64);

impl Tolerance {
    /// Whether two numbers count as the same. Not-a-number is the same as not-a-number, and infinity as itself.
    pub fn admits(self, a: f64, b: f64) -> bool {
        if !a.is_finite() || !b.is_finite() {
            return a == b || (a.is_nan() && b.is_nan());
        }
        (a - b).abs() <= self.0 * a.abs().max(b.abs()).max(1.0)
    }
}

/// How a file differs from what was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The file, by its path inside the result.
    pub file: String,
    /// Values that are not the same.
    pub values: usize,
    /// Those of them that are further apart than the tolerance, or are no numbers.
    pub beyond: usize,
    /// The first that is beyond; if none is, the first of all.
    pub place: Option<Place>,
    /// The largest difference of two numbers.
    pub largest_absolute: Option<f64>,
    /// The largest difference of two numbers as a part of the larger one.
    pub largest_relative: Option<f64>,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Where it is in the file.
    pub at: String,
    /// As it was recorded.
    pub recorded: String,
    /// As it came out now.
    pub rerun: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.file)?;
        let Some(Place { at, recorded, rerun }) = &self.place else {
            return f.write_str("the same values, written in another way");
        };
        match self.values {
            1 => f.write_str("1 value differs")?,
            values => write!(f, "{values} values differ")?,
        }
        if self.beyond > 0 && self.beyond < self.values {
            write!(f, ", {} beyond the tolerance", self.beyond)?;
        }
        let first = if self.values == 1 { "" } else { "first " };
        write!(f, ", {first}at {at}: {recorded} in the record, {rerun} in the rerun")?;
        if let (Some(absolute), Some(relative)) = (self.largest_absolute, self.largest_relative) {
            write!(f, "; largest difference {absolute:.1e} absolute, {relative:.1e} relative")?;
        }
        Ok(())
    }
}

/// The differences of one file so far.
#[derive(Debug)]
pub(super) struct Tally {
    tolerance: Tolerance,
    values: usize,
    beyond: usize,
    place: Option<(bool, Place)>,
    largest_absolute: Option<f64>,
    largest_relative: Option<f64>,
}

impl Tally {
    pub(super) fn new(tolerance: Tolerance) -> Self {
        Self { tolerance, values: 0, beyond: 0, place: None, largest_absolute: None, largest_relative: None }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.tolerance);
    }

    /// Two numbers at the same place.
    pub(super) fn number(&mut self, at: impl FnOnce() -> String, recorded: f64, rerun: f64) {
        if Tolerance(0.0).admits(recorded, rerun) {
            return;
        }
        let absolute = (recorded - rerun).abs();
        if absolute.is_finite() {
            let relative = absolute / recorded.abs().max(rerun.abs());
            self.largest_absolute = Some(self.largest_absolute.unwrap_or(0.0).max(absolute));
            self.largest_relative = Some(self.largest_relative.unwrap_or(0.0).max(relative));
        }
        let beyond = !self.tolerance.admits(recorded, rerun);
        self.note(beyond, at, || (recorded.to_string(), rerun.to_string()));
    }

    /// Two values that are not both numbers, at the same place.
    pub(super) fn other(&mut self, at: impl Into<String>, recorded: impl Into<String>, rerun: impl Into<String>) {
        let (recorded, rerun) = (recorded.into(), rerun.into());
        if recorded != rerun {
            self.note(true, || at.into(), || (shortened(&recorded), shortened(&rerun)));
        }
    }

    fn note(&mut self, beyond: bool, at: impl FnOnce() -> String, values: impl FnOnce() -> (String, String)) {
        self.values += 1;
        self.beyond += usize::from(beyond);
        if self.place.as_ref().is_none_or(|(matters, _)| beyond && !matters) {
            let (recorded, rerun) = values();
            self.place = Some((beyond, Place { at: at(), recorded, rerun }));
        }
    }

    pub(super) fn of_file(self, file: &str) -> Difference {
        Difference {
            file: file.to_owned(),
            values: self.values,
            beyond: self.beyond,
            place: self.place.map(|(_, place)| place),
            largest_absolute: self.largest_absolute,
            largest_relative: self.largest_relative,
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None if text.is_empty() => "nothing".to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Tolerance;

    #[test]
    fn absolute_near_zero_and_relative_far_from_it() {
        let tolerance = Tolerance(1e-6);
        assert!(tolerance.admits(0.0, 1e-6) && !tolerance.admits(0.0, 1.1e-6));
        assert!(tolerance.admits(1000.0, 1000.001) && !tolerance.admits(1000.0, 1000.002));
        assert!(tolerance.admits(f64::NAN, f64::NAN) && !tolerance.admits(f64::NAN, 0.0));
        assert!(tolerance.admits(f64::INFINITY, f64::INFINITY) && !tolerance.admits(f64::INFINITY, 1e300));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_which_is_which_and_more_tolerance_admits_more(
            a in any::<f64>(), b in any::<f64>(), tolerance in 0.0f64..10.0, more in 0.0f64..10.0
        ) {
            let admits = Tolerance(tolerance).admits(a, b);
            prop_assert_eq!(admits, Tolerance(tolerance).admits(b, a));
            prop_assert!(!admits || Tolerance(tolerance + more).admits(a, b));
            prop_assert!(Tolerance(tolerance).admits(a, a));
        }
    }
}
