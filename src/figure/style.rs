//! What tells series apart besides their colour: markers, dashes, hatches.

use super::canvas::{Canvas, Stroke, number};
use super::colour::{self, Rgb, WHITE};

/// Dash patterns of lines, in the order of series.
const DASHES: [&[f64]; 6] = [&[], &[5.0, 2.0], &[1.5, 1.5], &[6.0, 1.5, 1.5, 1.5], &[9.0, 2.5], &[3.0, 1.2]];

/// Half the size of a marker.
pub const MARKER: f64 = 2.9;

/// The line of a series.
pub fn line(series: usize) -> Stroke {
    Stroke { colour: colour::category(series), width: 1.4, dashes: DASHES[series % DASHES.len()] }
}

/// The line of a series that is a horizontal reference: thinner, never without gaps, and without markers.
pub fn level(series: usize) -> Stroke {
    let dashes: &[f64] = if series.is_multiple_of(DASHES.len()) { &[3.0, 3.0] } else { DASHES[series % DASHES.len()] };
    Stroke { colour: colour::category(series), width: 1.1, dashes }
}

/// The spread of a series as an area.
pub fn band(canvas: &mut Canvas, series: usize, outline: &[(f64, f64)]) {
    canvas.polygon(outline, &colour::hex(colour::category(series)), 0.18, None);
}

/// The marker of a series: circle, square, triangle, diamond, triangle downwards, cross.
pub fn marker(canvas: &mut Canvas, series: usize, (x, y): (f64, f64)) {
    let colour = colour::category(series);
    let (fill, outline) = (colour::hex(colour), Some(Stroke::solid(WHITE, 0.5)));
    let r = MARKER;
    let around = |points: &[(f64, f64)]| points.iter().map(|(dx, dy)| (x + dx * r, y + dy * r)).collect::<Vec<_>>();
    let shape: &[(f64, f64)] = match series % 6 {
        0 => return canvas.circle((x, y), r, &fill, Stroke::solid(WHITE, 0.5)),
        1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2 => &[(0.0, -1.2), (1.1, 0.85), (-1.1, 0.85)],
        3 => &[(0.0, -1.3), (1.15, 0.0), (0.0, 1.3), (-1.15, 0.0)],
        4 => &[(0.0, 1.2), (1.1, -0.85), (-1.1, -0.85)],
        _ => {
            for (from, to) in [((-0.9, -0.9), (0.9, 0.9)), ((-0.9, 0.9), (0.9, -0.9))] {
                canvas.path(&around(&[from, to]), Stroke::solid(colour, 1.6));
            }
            return;
        }
    };
    canvas.polygon(&around(shape), &fill, 1.0, outline);
}

/// The mark of a published number: a white diamond with an outline.
pub fn published(canvas: &mut Canvas, (x, y): (f64, f64), colour: Rgb) {
    let r = 3.1;
    let points = [(x, y - r), (x + r * 0.85, y), (x, y + r), (x - r * 0.85, y)];
    canvas.polygon(&points, &colour::hex(WHITE), 1.0, Some(Stroke::solid(colour, 1.0)));
}

/// The filling of a series' bars: its colour, hatched in white from the second series on.
pub fn fill(canvas: &mut Canvas, series: usize) -> String {
    let colour = colour::hex(colour::category(series));
    let line = |attributes: &str| format!("<path d=\"{attributes}\" stroke=\"#ffffff\" stroke-width=\"0.7\"/>");
    let ground = |size: f64| {
        let size = number(size);
        format!("<rect width=\"{size}\" height=\"{size}\" fill=\"{colour}\"/>")
    };
    let (size, turned, marks) = match series % 6 {
        0 => return colour,
        1 => (3.6, 45.0, line("M1.8,0V3.6")),
        2 => (3.6, 0.0, "<circle cx=\"1.8\" cy=\"1.8\" r=\"0.65\" fill=\"#ffffff\"/>".to_owned()),
        3 => (3.6, -45.0, line("M1.8,0V3.6")),
        4 => (3.2, 0.0, line("M0,1.6H3.2")),
        _ => (3.8, 45.0, line("M1.9,0V3.8M0,1.9H3.8")),
    };
    canvas.pattern(&format!("compt-series-{}", series + 1), size, turned, &format!("{}{marks}", ground(size)))
}

/// An error bar with short caps, with a white edge so that it can be seen on a bar and on a line.
pub fn error_bar(canvas: &mut Canvas, x: f64, low: f64, high: f64, colour: Rgb, cap: f64) {
    for stroke in [Stroke::solid(WHITE, 1.9), Stroke::solid(colour, 0.8)] {
        canvas.line((x, low), (x, high), stroke);
        canvas.line((x - cap, low), (x + cap, low), stroke);
        canvas.line((x - cap, high), (x + cap, high), stroke);
    }
}

/// The ground of a cell without a value.
pub fn missing(canvas: &mut Canvas) -> String {
    let content = "<rect width=\"3.6\" height=\"3.6\" fill=\"#f4f4f4\"/>\
                   <path d=\"M1.8,0V3.6\" stroke=\"#c8c8c8\" stroke-width=\"0.6\"/>";
    canvas.pattern("compt-missing", 3.6, 45.0, content)
}
