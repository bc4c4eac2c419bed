//! The legend: above the panels, outside the data, in as many lines as it needs.

use super::canvas::{Canvas, Letters, Stroke};
use super::colour::INK;
use super::{font, style};

/// Size of its texts.
const SIZE: f64 = 9.0;

/// Width of a sample, and between it and its text.
const SAMPLE: f64 = 20.0;
const SPACE: f64 = 4.0;

/// Between two entries, and from line to line.
const GAP: f64 = 14.0;
const LEADING: f64 = 12.5;

/// What stands before the text of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// A line with a marker.
    Line(usize),
    /// A line in a band.
    Band(usize),
    /// A horizontal reference.
    Level(usize),
    /// A bar.
    Bar(usize),
    /// The mark of a published number.
    Published,
    /// A cell without a value.
    Missing,
}

/// Draws entries from left to right and returns where the next thing may begin.
pub fn draw(canvas: &mut Canvas, entries: &[(Sample, String)], left: f64, top: f64, width: f64) -> f64 {
    if entries.is_empty() {
        return top;
    }
    let (mut x, mut y) = (left, top);
    for (sample, text) in entries {
        let wide = SAMPLE + SPACE + font::width(text, SIZE, false);
        if x > left && x + wide > left + width {
            (x, y) = (left, y + LEADING);
        }
        let middle = y + LEADING / 2.0;
        draw_sample(canvas, *sample, x, middle);
        let letters = Letters::new(SIZE);
        canvas.text((x + SAMPLE + SPACE, middle + letters.middle()), text, letters);
        x += wide + GAP;
    }
    y + LEADING + 3.0
}

fn draw_sample(canvas: &mut Canvas, sample: Sample, x: f64, y: f64) {
    let (right, centre) = (x + SAMPLE, x + SAMPLE / 2.0);
    let box_of = |half: f64| ((x + 3.0, y - half), (SAMPLE - 6.0, half * 2.0));
    match sample {
        Sample::Line(series) => {
            canvas.line((x, y), (right, y), style::line(series));
            style::marker(canvas, series, (centre, y));
        }
        Sample::Band(series) => {
            style::band(canvas, series, &[(x, y - 3.5), (right, y - 3.5), (right, y + 3.5), (x, y + 3.5)]);
            canvas.line((x, y), (right, y), style::line(series));
        }
        Sample::Level(series) => canvas.line((x, y), (right, y), style::level(series)),
        Sample::Bar(series) => {
            let fill = style::fill(canvas, series);
            let (corner, size) = box_of(4.0);
            canvas.rectangle(corner, size, &fill, Some(Stroke::solid(INK, 0.5)));
        }
        Sample::Published => style::published(canvas, (centre, y), INK),
        Sample::Missing => {
            let fill = style::missing(canvas);
            let (corner, size) = box_of(4.0);
            canvas.rectangle(corner, size, &fill, Some(Stroke::solid(INK, 0.5)));
        }
    }
}
