//! Values over a numeric axis: lines with markers and error bars, or with bands; horizontal references.

use super::axes::{self, Frame, Grid, MARGIN, TITLE};
use super::canvas::{Canvas, Letters};
use super::legend::Sample;
use super::scale::{Scale, Ticks};
use super::{Figure, FigureError, Line, LinePanel, Lines, Spread, colour, font, labels, style};

/// Share of the data's range that the horizontal axis has on both sides of it.
const ROOM: f64 = 0.05;

/// The entries of the legend: lines, then references, then the mark of published numbers.
pub fn legend(lines: &Lines) -> Vec<(Sample, String)> {
    let has_line = |series| lines.panels.iter().any(|panel| panel.lines.iter().any(|line| line.series == series));
    let has_level = |series| lines.panels.iter().any(|panel| panel.levels.iter().any(|level| level.series == series));
    let sample = |series| match lines.spread {
        Spread::Bars => Sample::Line(series),
        Spread::Band => Sample::Band(series),
    };
    let named = |series: usize, sample| (sample, lines.series[series].clone());
    let all = 0..lines.series.len();
    let mut entries: Vec<_> =
        all.clone().filter(|series| has_line(*series)).map(|series| named(series, sample(series))).collect();
    entries.extend(all.filter(|series| has_level(*series)).map(|series| named(series, Sample::Level(series))));
    // One line without a name needs no legend.
    if entries.len() == 1 && entries[0].1.is_empty() {
        entries.clear();
    }
    let published = |panel: &LinePanel| {
        panel.lines.iter().flat_map(|line| &line.points).any(|point| point.published.is_some())
            || panel.levels.iter().any(|level| level.published.is_some())
    };
    if lines.panels.iter().any(published) {
        entries.push((Sample::Published, lines.published.clone()));
    }
    entries
}

/// Draws the panels from `top` and returns where the next thing may begin.
///
/// # Errors
/// There is no value, or one that a logarithmic axis can't show.
pub fn draw(canvas: &mut Canvas, figure: &Figure, lines: &Lines, top: f64) -> Result<f64, FigureError> {
    let count = lines.panels.len();
    let per_row = figure.per_row.unwrap_or(if count == 4 { 2 } else { 3 }).clamp(1, count.max(1));
    let height = if per_row == 1 { 165.0 } else { 135.0 };
    let (xs, ys) = values(lines);
    let y_ticks = axes::vertical_ticks(&lines.y, &ys, false)?;
    axes::check_positive(&lines.x, &xs, "horizontal")?;
    let xs: Vec<f64> = xs.into_iter().chain(axes::range_values(&lines.x)).collect();
    let margin = if lines.spread == Spread::Band { 0.0 } else { ROOM };
    let x_ticks = Ticks::along(&xs, lines.x.log, margin);
    let left = axes::vertical_room(&y_ticks, &lines.y.title, height);
    let last = x_ticks.ticks.last().map_or(0.0, |tick| font::width(&tick.1, labels::SIZE, false) / 2.0);
    let grid = Grid::new(canvas.width, per_row, left, MARGIN + last, 16.0 + last);
    let bold = Letters::new(TITLE).bold();
    let mut y = top;
    for (row, panels) in lines.panels.chunks(per_row).enumerate() {
        let titles: Vec<String> = (0..panels.len())
            .map(|column| axes::panel_title(&panels[column].title, row * per_row + column, count))
            .collect();
        let room = titles.iter().map(|title| axes::centred_height(title, bold, grid.width)).fold(0.0, f64::max);
        let mut below = y;
        for (column, panel) in panels.iter().enumerate() {
            let frame = grid.frame(column, y + room + 4.0, height);
            axes::centred(canvas, frame, y, &titles[column], bold);
            let x_scale = Scale::new(x_ticks.domain, (frame.left, frame.right()), lines.x.log);
            let y_scale = Scale::new(y_ticks.domain, (frame.bottom(), frame.top), lines.y.log);
            axes::vertical(canvas, frame, &y_scale, &y_ticks, (column == 0).then_some(lines.y.title.as_str()));
            axes::horizontal(canvas, frame, &x_scale, &x_ticks);
            draw_panel(canvas, lines, panel, frame, &x_scale, &y_scale);
            let under = frame.bottom() + axes::HORIZONTAL + 2.0;
            below = below.max(axes::centred(canvas, frame, under, &lines.x.title, Letters::new(TITLE)));
        }
        y = below + 8.0;
    }
    Ok(y)
}

/// Every value that has to be on the axes.
fn values(lines: &Lines) -> (Vec<f64>, Vec<f64>) {
    let (mut xs, mut ys) = (Vec::new(), Vec::new());
    for panel in &lines.panels {
        for point in panel.lines.iter().flat_map(|line| &line.points) {
            xs.push(point.x);
            ys.extend(point.y.bounds());
            ys.extend(point.published);
        }
        for level in &panel.levels {
            ys.extend(level.y.bounds());
            ys.extend(level.published);
        }
    }
    (xs, ys)
}

fn draw_panel(canvas: &mut Canvas, lines: &Lines, panel: &LinePanel, frame: Frame, x: &Scale, y: &Scale) {
    for level in &panel.levels {
        let (left, right) = (frame.left, frame.right());
        if let Some((low, high)) = level.y.spread {
            let (low, high) = (y.place(low), y.place(high));
            style::band(canvas, level.series, &[(left, low), (right, low), (right, high), (left, high)]);
        }
        let at = y.place(level.y.value);
        canvas.line((left, at), (right, at), style::level(level.series));
        if let Some(value) = level.published {
            style::published(canvas, (right - 4.0, y.place(value)), colour::category(level.series));
        }
    }
    let step = dodge(panel, x);
    for (index, line) in panel.lines.iter().enumerate() {
        // Neighbours stand a little apart, so that their error bars can be told apart.
        let shift = step * (index as f64 - (panel.lines.len() - 1) as f64 / 2.0);
        match lines.spread {
            Spread::Bars => draw_marked(canvas, line, |value| x.place(value) + shift, y),
            Spread::Band => draw_band(canvas, line, x, y),
        }
    }
}

fn draw_marked(canvas: &mut Canvas, line: &Line, x: impl Fn(f64) -> f64, y: &Scale) {
    let places: Vec<_> = line.points.iter().map(|point| (x(point.x), y.place(point.y.value))).collect();
    canvas.path(&places, style::line(line.series));
    let colour = colour::category(line.series);
    for (point, place) in line.points.iter().zip(&places) {
        if let Some((low, high)) = point.y.spread {
            style::error_bar(canvas, place.0, y.place(low), y.place(high), colour, 2.0);
        }
    }
    for (point, place) in line.points.iter().zip(&places) {
        style::marker(canvas, line.series, *place);
        if let Some(value) = point.published {
            style::published(canvas, (place.0, y.place(value)), colour);
        }
    }
}

fn draw_band(canvas: &mut Canvas, line: &Line, x: &Scale, y: &Scale) {
    let ends = line.points.iter().filter_map(|point| point.y.spread.map(|spread| (x.place(point.x), spread)));
    let ends: Vec<_> = ends.map(|(at, (low, high))| (at, y.place(low), y.place(high))).collect();
    if ends.len() > 1 {
        let lower = ends.iter().map(|(at, low, _)| (*at, *low));
        let upper = ends.iter().rev().map(|(at, _, high)| (*at, *high));
        style::band(canvas, line.series, &lower.chain(upper).collect::<Vec<_>>());
    }
    let places: Vec<_> = line.points.iter().map(|point| (x.place(point.x), y.place(point.y.value))).collect();
    canvas.path(&places, style::line(line.series));
}

/// How far neighbouring lines are moved apart: never so far that a point could be taken for one of the next value.
fn dodge(panel: &LinePanel, x: &Scale) -> f64 {
    if panel.lines.len() < 2 {
        return 0.0;
    }
    let mut places: Vec<f64> = panel.lines.iter().flat_map(|line| &line.points).map(|point| x.place(point.x)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let nearest = places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::MAX, f64::min);
    (nearest * 0.3 / (panel.lines.len() - 1) as f64).min(3.0)
}
