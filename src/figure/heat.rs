//! Values of rows and columns as coloured cells with their numbers, and a bar that says which colour is which value.

use super::axes::{self, Frame, LEADING, MARGIN, TITLE};
use super::canvas::{Anchor, Canvas, Letters, Stroke};
use super::colour::{self, GREY, INK, Map, WHITE};
use super::labels::{Labels, SIZE};
use super::legend::Sample;
use super::scale::{Scale, Ticks, with_minus};
use super::{Figure, FigureError, Heat, HeatPanel, font, style};

/// Cells: height, and the least and the greatest width.
const HEIGHT: f64 = 17.0;
const NARROWEST: f64 = 23.0;
const WIDEST: f64 = 46.0;

/// Between panels.
const GAP: f64 = 14.0;

/// The colour bar: its width, the space before it, and the least height.
const BAR: f64 = 9.0;
const BEFORE_BAR: f64 = 12.0;
const SHORTEST_BAR: f64 = 60.0;

/// A cell without a value is the only thing that the legend has to explain.
pub fn legend(heat: &Heat) -> Vec<(Sample, String)> {
    let mut cells = heat.panels.iter().flat_map(|panel| panel.cells.iter().flatten());
    if cells.any(Option::is_none) { vec![(Sample::Missing, "no value".to_owned())] } else { Vec::new() }
}

/// From values to colours.
struct Shades {
    map: Map,
    low: f64,
    high: f64,
    ticks: Ticks,
}

impl Shades {
    fn of(heat: &Heat) -> Result<Self, FigureError> {
        let values: Vec<f64> =
            heat.panels.iter().flat_map(|panel| panel.cells.iter().flatten().flatten().copied()).collect();
        let axis = super::Axis { title: String::new(), log: false, range: heat.range };
        let ticks = axes::vertical_ticks(&axis, &values, false)?;
        let (low, high) = heat.range.unwrap_or(ticks.domain);
        if low < 0.0 && high > 0.0 {
            // White is zero, and as strong as one value is on one side is its negative on the other.
            let most = high.max(-low);
            let ticks = Ticks::covering(-most, most, 5);
            return Ok(Self { map: Map::Diverging, low: -most, high: most, ticks });
        }
        Ok(Self { map: Map::Sequential, low, high, ticks })
    }

    fn colour(&self, value: f64) -> colour::Rgb {
        let width = self.high - self.low;
        self.map.colour(if width == 0.0 { 0.5 } else { (value - self.low) / width })
    }
}

/// Draws the panels from `top` and returns where the next thing may begin.
///
/// # Errors
/// There is no value.
pub fn draw(canvas: &mut Canvas, figure: &Figure, heat: &Heat, top: f64) -> Result<f64, FigureError> {
    let shades = Shades::of(heat)?;
    let names = |panel: &HeatPanel| panel.rows.iter().map(|name| wide(name)).fold(0.0, f64::max);
    let title = if heat.row_title.is_empty() { 0.0 } else { LEADING };
    let left = MARGIN + title + heat.panels.iter().map(names).fold(0.0, f64::max) + 4.0;
    let tick_room = shades.ticks.ticks.iter().map(|(_, label)| wide(label)).fold(0.0, f64::max) + 5.0;
    let right = BEFORE_BAR + BAR + tick_room + LEADING + MARGIN;
    let free = canvas.width - left - right;
    let cell = narrowest(heat);
    let per_row = figure.per_row.unwrap_or_else(|| beside(heat, free, cell)).clamp(1, heat.panels.len().max(1));
    let rows: Vec<&[HeatPanel]> = heat.panels.chunks(per_row).collect();
    let columns = |panels: &[HeatPanel]| panels.iter().map(|panel| panel.columns.len().max(1)).sum::<usize>();
    // The room for the cells: what is left beside gaps, and beside the row names of a panel that has others.
    let fitted = |panels: &&[HeatPanel]| {
        let gaps: f64 = (1..panels.len()).map(|column| gap(panels, column)).sum();
        (free - gaps) / columns(panels) as f64
    };
    let width = rows.iter().map(fitted).fold(WIDEST, f64::min);
    let (mut y, mut first) = (top, 0);
    for panels in rows {
        y = draw_row(canvas, heat, &shades, panels, (first, left, y, width))?;
        first += panels.len();
    }
    Ok(y)
}

/// Draws panels beside each other, and their colour bar; `place` is the first panel's number, the left edge of its cells,
/// the top, and the width of a cell.
fn draw_row(
    canvas: &mut Canvas,
    heat: &Heat,
    shades: &Shades,
    panels: &[HeatPanel],
    place: (usize, f64, f64, f64),
) -> Result<f64, FigureError> {
    let (first, left, top, cell) = place;
    let bold = Letters::new(TITLE).bold();
    let width = |panel: &HeatPanel| cell * panel.columns.len().max(1) as f64;
    let titles: Vec<String> = (0..panels.len())
        .map(|column| axes::panel_title(&panels[column].title, first + column, heat.panels.len()))
        .collect();
    let above = (0..panels.len())
        .map(|column| axes::centred_height(&titles[column], bold, width(&panels[column])))
        .fold(0.0, f64::max);
    let (mut x, mut below, mut tallest) = (left, top, 0f64);
    for (column, panel) in panels.iter().enumerate() {
        x += if column == 0 { 0.0 } else { gap(panels, column) };
        let height = HEIGHT * panel.rows.len() as f64;
        let frame = Frame { left: x, top: top + above + 3.0, width: width(panel), height };
        axes::centred(canvas, frame, top, &titles[column], bold);
        if column == 0 || panel.rows != panels[column - 1].rows {
            draw_row_names(canvas, panel, frame);
        }
        if column == 0 && !heat.row_title.is_empty() {
            let place = (MARGIN + TITLE * 0.75, frame.top + height / 2.0);
            canvas.text(place, &heat.row_title, Letters::new(TITLE).anchor(Anchor::Middle).turned(-90.0));
        }
        draw_cells(canvas, heat, shades, panel, frame, cell);
        let names = Labels::fitting(&panel.columns, cell);
        let centres: Vec<f64> = (0..panel.columns.len()).map(|column| x + cell * (column as f64 + 0.5)).collect();
        names.draw(canvas, &centres, frame.bottom() + 3.0);
        let under = frame.bottom() + names.height() + 6.0;
        below = below.max(axes::centred(canvas, frame, under, &heat.column_title, Letters::new(TITLE)));
        tallest = tallest.max(height);
        x += width(panel);
    }
    let bar_height = tallest.max(SHORTEST_BAR);
    let bar = Frame { left: x + BEFORE_BAR, top: top + above + 3.0, width: BAR, height: bar_height };
    draw_bar(canvas, heat, shades, bar);
    Ok(below.max(bar.bottom() + SIZE) + 8.0)
}

fn draw_row_names(canvas: &mut Canvas, panel: &HeatPanel, frame: Frame) {
    for (row, name) in panel.rows.iter().enumerate() {
        let letters = Letters::new(SIZE).anchor(Anchor::End);
        let middle = frame.top + HEIGHT * (row as f64 + 0.5);
        canvas.text((frame.left - 4.0, middle + letters.middle()), name, letters);
    }
}

fn draw_cells(canvas: &mut Canvas, heat: &Heat, shades: &Shades, panel: &HeatPanel, frame: Frame, cell: f64) {
    let size = number_size(heat, cell);
    for (row, cells) in panel.cells.iter().enumerate() {
        for (column, value) in cells.iter().enumerate() {
            let corner = (frame.left + cell * column as f64, frame.top + HEIGHT * row as f64);
            let (fill, text, ink) = match value {
                Some(value) => {
                    let colour = shades.colour(*value);
                    (colour::hex(colour), written(*value, heat.digits), colour::readable_on(colour))
                }
                None => (style::missing(canvas), "–".to_owned(), GREY),
            };
            canvas.rectangle(corner, (cell, HEIGHT), &fill, Some(Stroke::solid(WHITE, 0.8)));
            let letters = Letters::new(size).anchor(Anchor::Middle).colour(ink);
            canvas.text((corner.0 + cell / 2.0, corner.1 + HEIGHT / 2.0 + letters.middle()), &text, letters);
        }
    }
}

/// The colours from the lowest value to the highest, with ticks.
fn draw_bar(canvas: &mut Canvas, heat: &Heat, shades: &Shades, frame: Frame) {
    let scale = Scale::new((shades.low, shades.high), (frame.bottom(), frame.top), false);
    const STEPS: usize = 64;
    let step = frame.height / STEPS as f64;
    for index in 0..STEPS {
        let share = (index as f64 + 0.5) / STEPS as f64;
        let fill = colour::hex(shades.map.colour(share));
        // A little taller than a step, so that no white line is seen between two of them.
        let top = frame.bottom() - step * (index + 1) as f64;
        let height = if index == 0 { step } else { step + 0.3 };
        canvas.rectangle((frame.left, top), (frame.width, height), &fill, None);
    }
    canvas.rectangle((frame.left, frame.top), (frame.width, frame.height), "none", Some(Stroke::solid(INK, 0.5)));
    let inside = |value: f64| value >= shades.low - 1e-9 && value <= shades.high + 1e-9;
    let mut widest = 0.0f64;
    for (value, label) in shades.ticks.ticks.iter().filter(|tick| inside(tick.0)) {
        let y = scale.place(*value);
        canvas.line((frame.right(), y), (frame.right() + 2.5, y), Stroke::solid(INK, 0.5));
        let letters = Letters::new(SIZE);
        canvas.text((frame.right() + 4.5, y + letters.middle()), label, letters);
        widest = widest.max(wide(label));
    }
    let place = (frame.right() + 4.5 + widest + 3.0 + TITLE * 0.75, frame.top + frame.height / 2.0);
    canvas.text(place, &heat.value_title, Letters::new(TITLE).anchor(Anchor::Middle).turned(-90.0));
}

/// The width that the widest number needs at the smallest size that is still legible.
fn narrowest(heat: &Heat) -> f64 {
    (widest_number(heat) * SMALLEST + 4.0).max(NARROWEST)
}

/// Sizes of the numbers in cells.
const LARGEST: f64 = 8.5;
const SMALLEST: f64 = 7.0;

fn number_size(heat: &Heat, cell: f64) -> f64 {
    ((cell - 4.0) / widest_number(heat).max(0.1)).clamp(SMALLEST, LARGEST)
}

/// Width of the widest number at size 1.
fn widest_number(heat: &Heat) -> f64 {
    let cells = heat.panels.iter().flat_map(|panel| panel.cells.iter().flatten().flatten());
    cells.map(|value| font::width(&written(*value, heat.digits), 1.0, false)).fold(0.0, f64::max)
}

fn written(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    with_minus(if zero { text.trim_start_matches('-') } else { &text })
}

/// As many panels beside each other as leave the cells wide enough for their numbers.
fn beside(heat: &Heat, free: f64, cell: f64) -> usize {
    let fits = |count: usize| {
        heat.panels.chunks(count).all(|panels| {
            let gaps: f64 = (1..panels.len()).map(|column| gap(panels, column)).sum();
            let cells: usize = panels.iter().map(|panel| panel.columns.len()).sum();
            cells as f64 * cell + gaps <= free
        })
    };
    (1..=heat.panels.len()).rev().find(|count| fits(*count)).unwrap_or(1)
}

/// Between a panel and the one before it; with room for its row names where they are others.
fn gap(panels: &[HeatPanel], column: usize) -> f64 {
    let panel = &panels[column];
    if panel.rows == panels[column - 1].rows {
        return GAP;
    }
    GAP + panel.rows.iter().map(|name| wide(name)).fold(0.0, f64::max) + 4.0
}

fn wide(text: &str) -> f64 {
    font::width(text, SIZE, false)
}
