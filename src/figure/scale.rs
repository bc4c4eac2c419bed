//! From values to places on the paper: round ticks, straight and logarithmic scales.

/// Steps between ticks, within a power of ten.
const STEPS: [f64; 5] = [1.0, 2.0, 2.5, 5.0, 10.0];

/// Below this many different values, each gets its own tick: counts of sources, shots, learning rates.
const FEW: usize = 8;

/// A map from an interval of values to an interval of places; monotone, and reversed for the vertical axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    log: bool,
}

impl Scale {
    /// Values from `domain.0` to `domain.1` go to places from `range.0` to `range.1`. A logarithmic domain is above 0.
    pub fn new(domain: (f64, f64), range: (f64, f64), log: bool) -> Self {
        let of = |value: f64| if log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        Self { low: of(domain.0), high: of(domain.1), start: range.0, end: range.1, log }
    }

    /// Where a value stands.
    pub fn place(&self, value: f64) -> f64 {
        let value = if self.log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let width = self.high - self.low;
        let share = if width == 0.0 { 0.5 } else { (value - self.low) / width };
        self.start + share * (self.end - self.start)
    }
}

/// An axis ready to draw: its domain, and the ticks inside it with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    /// First and last value of the axis.
    pub domain: (f64, f64),
    /// Values and labels, ascending.
    pub ticks: Vec<(f64, String)>,
}

impl Ticks {
    /// About `count` ticks at round values, the first at or below `low` and the last at or above `high`.
    pub fn covering(low: f64, high: f64, count: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / count.max(1) as f64);
        // A hair's breadth, so that a bound which is a tick but for rounding does not get one more.
        let first = (low / step + 1e-9).floor() as i64;
        let last = (high / step - 1e-9).ceil() as i64;
        let decimals = decimals(step);
        let tick = |index: i64| {
            let value = index as f64 * step;
            (value, with_minus(&format!("{value:.decimals$}")))
        };
        let ticks: Vec<_> = (first..=last).map(tick).collect();
        Self { domain: (ticks[0].0, ticks[ticks.len() - 1].0), ticks }
    }

    /// Logarithmic: 1, 2, 5 in every power of ten, or powers of ten only over more than two of them; covers both bounds.
    pub fn logarithmic(low: f64, high: f64) -> Self {
        let (low, high) = if low < high { (low, high) } else { (low / 2.0, high * 2.0) };
        let inside: &[f64] = if (high / low).log10() > 2.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = (low.log10().floor() as i32 - 1)..=(high.log10().ceil() as i32 + 1);
        let all: Vec<f64> =
            powers.flat_map(|power| inside.iter().map(move |part| power_of_ten(*part, power))).collect();
        let first = all.iter().rposition(|tick| *tick <= low * (1.0 + 1e-9)).unwrap_or(0);
        let last = all.iter().position(|tick| *tick >= high * (1.0 - 1e-9)).unwrap_or(all.len() - 1);
        let ticks: Vec<_> = all[first..=last].iter().map(|tick| (*tick, label(*tick))).collect();
        Self { domain: (ticks[0].0, ticks[ticks.len() - 1].0), ticks }
    }

    /// For the horizontal axis: a tick at each of few values, as data stand only there; round ticks inside the data's
    /// range otherwise. The domain is the data's with a margin.
    pub fn along(values: &[f64], log: bool, margin: f64) -> Self {
        let mut distinct = values.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let (Some(&low), Some(&high)) = (distinct.first(), distinct.last()) else {
            return Self { domain: (0.0, 1.0), ticks: Vec::new() };
        };
        let domain = if log {
            let factor = if low < high { (high / low).powf(margin) } else { 2.0 };
            (low / factor, high * factor)
        } else {
            let (wide_low, wide_high) = widened(low, high);
            let extra = if low < high { (high - low) * margin } else { 0.0 };
            (wide_low - extra, wide_high + extra)
        };
        let ticks = if distinct.len() <= FEW {
            distinct.iter().map(|value| (*value, label(*value))).collect()
        } else {
            let all = if log { Self::logarithmic(low, high) } else { Self::covering(low, high, 6) };
            // Between two steps of a training, or two numbers of examples, there is nothing.
            let whole = distinct.iter().all(|value| value.fract() == 0.0);
            let inside = |tick: &(f64, String)| tick.0 >= domain.0 && tick.0 <= domain.1;
            let all = all.ticks.into_iter().filter(inside).filter(|tick| !whole || tick.0.fract() == 0.0);
            // `5.0` beside `2.5` is `5` without it.
            all.map(|(value, text)| (value, if whole { label(value) } else { text })).collect()
        };
        Self { domain, ticks }
    }
}

/// An interval with some width: one value gets room on both sides.
fn widened(low: f64, high: f64) -> (f64, f64) {
    if low < high {
        return (low, high);
    }
    let room = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
    (low - room, high + room)
}

fn round_step(raw: f64) -> f64 {
    let power = raw.log10().floor() as i32;
    let candidates = STEPS.iter().map(|step| power_of_ten(*step, power));
    candidates.into_iter().find(|step| *step >= raw * (1.0 - 1e-9)).unwrap_or_else(|| power_of_ten(10.0, power))
}

/// `part` times ten to the `power`, without the rounding of a negative power.
fn power_of_ten(part: f64, power: i32) -> f64 {
    if power < 0 { part / 10f64.powi(-power) } else { part * 10f64.powi(power) }
}

/// Decimals that tell multiples of a round step apart.
fn decimals(step: f64) -> usize {
    (0..12)
        .find(|digits| (step * 10f64.powi(*digits) - (step * 10f64.powi(*digits)).round()).abs() < 1e-6)
        .unwrap_or(12) as usize
}

/// A value as it stands on an axis: decimal, or with a power of ten where that would be long.
pub fn label(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        return with_minus(&value.to_string());
    }
    let power = value.abs().log10().floor() as i32;
    let part = value / 10f64.powi(power);
    let part = (part * 1000.0).round() / 1000.0;
    let factor = if part == 1.0 { String::new() } else { format!("{}·", with_minus(&part.to_string())) };
    format!("{factor}10{}", superscript(power))
}

/// With a true minus sign instead of a hyphen.
pub fn with_minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

fn superscript(power: i32) -> String {
    let raised = |c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        // U+2070 is zero, and 4 to 9 follow it by their value.
        digit => char::from_u32(0x2070 + u32::from(digit) - u32::from('0')).unwrap_or(digit),
    };
    power.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    #[test]
    fn by_hand() {
        assert_eq!(labels(&Ticks::covering(48.3, 82.1, 5)), ["40", "50", "60", "70", "80", "90"]);
        assert_eq!(labels(&Ticks::covering(0.0, 1.0, 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Ticks::covering(-12.0, 30.0, 4)), ["−20", "0", "20", "40"]);
        assert_eq!(labels(&Ticks::logarithmic(0.004, 0.6)), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(&Ticks::logarithmic(3.0, 40.0)), ["2", "5", "10", "20", "50"]);
        assert_eq!(labels(&Ticks::along(&[1.0, 2.0, 3.0, 5.0, 2.0], false, 0.05)), ["1", "2", "3", "5"]);
        assert_eq!(labels(&Ticks::along(&[1e-5, 5e-4, 0.05], true, 0.05)), ["10⁻⁵", "5·10⁻⁴", "0.05"]);
        assert_eq!(label(-1.5), "−1.5");
        assert_eq!(label(200_000.0), "2·10⁵");
    }

    fn is_round(step: f64) -> bool {
        let part = step / 10f64.powf(step.log10().floor());
        STEPS.iter().any(|round| (part - round).abs() < 1e-6)
    }

    proptest! {
        #[test]
        fn ticks_are_round_and_cover_the_data(low in -1e4f64..1e4, width in 1e-3f64..1e4, count in 2usize..8) {
            let ticks = Ticks::covering(low, low + width, count);
            let slack = width * 1e-6;
            prop_assert!(ticks.domain.0 <= low + slack && ticks.domain.1 >= low + width - slack);
            prop_assert!((2..=count + 3).contains(&ticks.ticks.len()), "{ticks:?}");
            let step = ticks.ticks[1].0 - ticks.ticks[0].0;
            prop_assert!(is_round(step), "{step}");
            // Labels are read by people: they must say the value.
            for (value, label) in &ticks.ticks {
                let read: f64 = label.replace('−', "-").parse().unwrap();
                prop_assert!((read - value).abs() < step * 1e-3);
            }
        }

        #[test]
        fn logarithmic_ticks_cover_the_data(low in 1e-6f64..1e3, ratio in 1.01f64..1e5) {
            let ticks = Ticks::logarithmic(low, low * ratio);
            prop_assert!(ticks.domain.0 <= low * 1.000001 && ticks.domain.1 >= low * ratio * 0.999999);
            prop_assert!(ticks.ticks.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }

        #[test]
        fn places_are_monotone_and_inside(values in prop::collection::vec(1e-6f64..1e6, 2..20), log: bool) {
            let low = values.iter().copied().fold(f64::MAX, f64::min);
            let high = values.iter().copied().fold(f64::MIN, f64::max);
            prop_assume!(low < high);
            let scale = Scale::new((low, high), (300.0, 20.0), log);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert!(sorted.windows(2).all(|pair| scale.place(pair[0]) >= scale.place(pair[1])));
            prop_assert!(values.iter().all(|value| (19.999..=300.001).contains(&scale.place(*value))));
        }
    }

    #[test]
    fn whole_numbers_have_whole_ticks() {
        // Steps 1 to 16 of a training: 2.5 and 7.5 are no steps.
        let steps: Vec<f64> = (1..=16).map(f64::from).collect();
        let ticks: Vec<String> = Ticks::along(&steps, false, 0.0).ticks.into_iter().map(|tick| tick.1).collect();
        assert_eq!(ticks, ["5", "10", "15"]);
    }
}
