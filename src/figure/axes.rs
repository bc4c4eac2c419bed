//! The frame of a panel: grid lines, ticks with labels, titles of axes and panels.

use super::canvas::{Anchor, Canvas, Letters, Stroke};
use super::colour::{FAINT, INK};
use super::labels::SIZE;
use super::scale::{Scale, Ticks};
use super::{Axis, FigureError, font};

/// White space around the sheet.
pub const MARGIN: f64 = 5.0;

/// Size of titles of axes.
pub const TITLE: f64 = 9.0;

/// From one line of a title to the next.
pub const LEADING: f64 = 11.0;

/// Length of a tick.
const TICK: f64 = 3.0;

/// The rectangle in which data are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Frame {
    /// Right edge.
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Lower edge.
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// Where panels stand beside and below each other: all frames of a row have one width, and the vertical axis is labelled
/// at the first of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Panels in a row.
    pub per_row: usize,
    /// From the left edge of the sheet to the first frame.
    pub left: f64,
    /// Between two frames.
    pub gap: f64,
    /// Width of a frame.
    pub width: f64,
}

impl Grid {
    /// Shares out the width of the sheet.
    pub fn new(sheet: f64, per_row: usize, left: f64, right: f64, gap: f64) -> Self {
        let free = sheet - left - right - gap * (per_row - 1) as f64;
        Self { per_row, left, gap, width: free / per_row as f64 }
    }

    /// The frame in a column of the grid.
    pub fn frame(&self, column: usize, top: f64, height: f64) -> Frame {
        Frame { left: self.left + column as f64 * (self.width + self.gap), top, width: self.width, height }
    }
}

/// The ticks of a vertical axis for these values; with `base`, it contains zero.
///
/// # Errors
/// There are no values, or one that a logarithmic axis can't show.
pub fn vertical_ticks(axis: &Axis, values: &[f64], base: bool) -> Result<Ticks, FigureError> {
    let finite: Vec<f64> = values.iter().copied().chain(range_values(axis)).filter(|value| value.is_finite()).collect();
    if values.iter().all(|value| !value.is_finite()) {
        return Err(FigureError::Empty);
    }
    check_positive(axis, &finite, "vertical")?;
    let least = finite.iter().copied().fold(f64::MAX, f64::min);
    let greatest = finite.iter().copied().fold(f64::MIN, f64::max);
    let (low, high) = if base { (least.min(0.0), greatest.max(0.0)) } else { (least, greatest) };
    Ok(if axis.log { Ticks::logarithmic(low, high) } else { Ticks::covering(low, high, 5) })
}

/// A logarithmic axis has no place for zero and below.
///
/// # Errors
/// The first such value.
pub fn check_positive(axis: &Axis, values: &[f64], name: &'static str) -> Result<(), FigureError> {
    match values.iter().find(|value| axis.log && **value <= 0.0) {
        Some(value) => Err(FigureError::NotPositive { axis: name, value: *value }),
        None => Ok(()),
    }
}

/// The values that an axis shows whatever the data are.
pub fn range_values(axis: &Axis) -> impl Iterator<Item = f64> + '_ {
    axis.range.into_iter().flat_map(|(low, high)| [low, high])
}

/// Width that the labels and the title of a vertical axis need, from the edge of the sheet to the frame.
pub fn vertical_room(ticks: &Ticks, title: &str, height: f64) -> f64 {
    let widest = ticks.ticks.iter().map(|(_, label)| font::width(label, SIZE, false)).fold(0.0, f64::max);
    MARGIN + font::wrapped(title, TITLE, false, height).len() as f64 * LEADING + widest + TICK + 4.0
}

/// Grid lines, and the axis with its ticks; labels and title where the axis is labelled.
pub fn vertical(canvas: &mut Canvas, frame: Frame, scale: &Scale, ticks: &Ticks, title: Option<&str>) {
    for (value, label) in &ticks.ticks {
        let y = scale.place(*value);
        canvas.line((frame.left, y), (frame.right(), y), Stroke::solid(FAINT, 0.6));
        if title.is_some() {
            canvas.line((frame.left - TICK, y), (frame.left, y), Stroke::solid(INK, 0.7));
            let letters = Letters::new(SIZE).anchor(Anchor::End);
            canvas.text((frame.left - TICK - 2.0, y + letters.middle()), label, letters);
        }
    }
    canvas.line((frame.left, frame.top), (frame.left, frame.bottom()), Stroke::solid(INK, 0.7));
    for (index, line) in font::wrapped(title.unwrap_or_default(), TITLE, false, frame.height).iter().enumerate() {
        let place = (MARGIN + TITLE * 0.75 + index as f64 * LEADING, frame.top + frame.height / 2.0);
        canvas.text(place, line, Letters::new(TITLE).anchor(Anchor::Middle).turned(-90.0));
    }
}

/// The horizontal axis of numbers; a label that would touch the one before it is left out, its tick stays.
pub fn horizontal(canvas: &mut Canvas, frame: Frame, scale: &Scale, ticks: &Ticks) {
    let y = frame.bottom();
    canvas.line((frame.left, y), (frame.right(), y), Stroke::solid(INK, 0.7));
    let mut free = f64::MIN;
    for (value, label) in &ticks.ticks {
        let x = scale.place(*value);
        canvas.line((x, y), (x, y + TICK), Stroke::solid(INK, 0.7));
        let half = font::width(label, SIZE, false) / 2.0;
        if x - half > free {
            canvas.text((x, y + TICK + 2.0 + SIZE * 0.75), label, Letters::new(SIZE).anchor(Anchor::Middle));
            free = x + half + 3.0;
        }
    }
}

/// Height of the ticks and labels of [`horizontal`].
pub const HORIZONTAL: f64 = TICK + 2.0 + SIZE;

/// Lines of a title centred below a frame or above it; returns where the next thing may begin.
pub fn centred(canvas: &mut Canvas, frame: Frame, top: f64, text: &str, letters: Letters) -> f64 {
    let lines = font::wrapped(text, letters.size, letters.bold, frame.width);
    for (index, line) in lines.iter().enumerate() {
        let base = top + letters.size * 0.8 + index as f64 * LEADING;
        canvas.text((frame.left + frame.width / 2.0, base), line, letters.anchor(Anchor::Middle));
    }
    top + lines.len() as f64 * LEADING
}

/// Height that [`centred`] needs for a text.
pub fn centred_height(text: &str, letters: Letters, width: f64) -> f64 {
    font::wrapped(text, letters.size, letters.bold, width).len() as f64 * LEADING
}

/// `(a) GLUE`: the title of a panel, with a letter where there are several.
pub fn panel_title(title: &str, index: usize, count: usize) -> String {
    if count < 2 {
        return title.to_owned();
    }
    // More than 26 panels are numbered.
    let letter = u8::try_from(index).ok().filter(|index| *index < 26);
    let name = letter.map_or_else(|| (index + 1).to_string(), |index| char::from(b'a' + index).to_string());
    format!("({name}) {title}").trim_end().to_owned()
}
