//! From top to bottom: title, legend, panels, note.

use super::axes::MARGIN;
use super::canvas::{Canvas, Letters};
use super::colour::GREY;
use super::{Chart, Figure, FigureError, bars, font, heat, legend, lines};

/// Size of the title and of the note.
const TITLE: f64 = 10.5;
const NOTE: f64 = 8.0;

/// The figure as SVG.
///
/// # Errors
/// There is nothing to draw, or a value that a logarithmic axis can't show.
pub fn svg(figure: &Figure) -> Result<String, FigureError> {
    let (canvas, height) = draw(figure)?;
    let title = if figure.title.is_empty() { "figure" } else { &figure.title };
    Ok(canvas.finish(height, title))
}

/// Draws the figure; also returns its height.
pub(super) fn draw(figure: &Figure) -> Result<(Canvas, f64), FigureError> {
    let mut canvas = Canvas::new(figure.width);
    let room = figure.width - 2.0 * MARGIN;
    let mut y = MARGIN;
    for line in font::wrapped(&figure.title, TITLE, true, room) {
        canvas.text((MARGIN, y + TITLE * 0.8), &line, Letters::new(TITLE).bold());
        y += TITLE + 2.5;
    }
    let entries = match &figure.chart {
        Chart::Lines(lines) => lines::legend(lines),
        Chart::Bars(bars) => bars::legend(bars),
        Chart::Heat(heat) => heat::legend(heat),
    };
    y = legend::draw(&mut canvas, &entries, MARGIN, y + 1.0, room) + 2.0;
    y = match &figure.chart {
        Chart::Lines(lines) => lines::draw(&mut canvas, figure, lines, y)?,
        Chart::Bars(bars) => bars::draw(&mut canvas, figure, bars, y)?,
        Chart::Heat(heat) => heat::draw(&mut canvas, figure, heat, y)?,
    };
    for line in font::wrapped(&figure.note, NOTE, false, room) {
        canvas.text((MARGIN, y + NOTE * 0.75), &line, Letters::new(NOTE).colour(GREY));
        y += NOTE + 2.0;
    }
    Ok((canvas, y + MARGIN))
}
