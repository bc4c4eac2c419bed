//! Values of a few series for each of some groups: bars from zero, with error bars and published numbers as marks.

use super::axes::{self, Frame, Grid, MARGIN, TITLE};
use super::canvas::{Canvas, Letters, Stroke};
use super::colour::{GREY, INK};
use super::labels::Labels;
use super::legend::Sample;
use super::scale::{Scale, Ticks};
use super::{BarPanel, Bars, Figure, FigureError, style};

/// Height of a frame.
const HEIGHT: f64 = 150.0;

/// Share of a group's width that its bars take, and the widest bar.
const FILLED: f64 = 0.82;
const WIDEST: f64 = 18.0;

/// A bar below this width can't be told from its neighbour; panels then stand below each other.
const NARROWEST: f64 = 6.5;

/// Names of groups that are nearer to each other than this would touch, even turned.
const NARROWEST_GROUP: f64 = 16.0;

/// The entries of the legend.
pub fn legend(bars: &Bars) -> Vec<(Sample, String)> {
    let named = bars.series.iter().enumerate().map(|(series, name)| (Sample::Bar(series), name.clone()));
    let mut entries: Vec<_> = named.filter(|(_, name)| bars.series.len() > 1 || !name.is_empty()).collect();
    if all(bars).any(|bar| bar.published.is_some()) {
        entries.push((Sample::Published, bars.published.clone()));
    }
    entries
}

fn all(bars: &Bars) -> impl Iterator<Item = &super::Bar> {
    bars.panels.iter().flat_map(|panel| &panel.groups).flat_map(|group| group.bars.iter().flatten())
}

/// Draws the panels from `top` and returns where the next thing may begin.
///
/// # Errors
/// There is no value.
pub fn draw(canvas: &mut Canvas, figure: &Figure, bars: &Bars, top: f64) -> Result<f64, FigureError> {
    let values: Vec<f64> = all(bars).flat_map(|bar| bar.y.bounds().into_iter().chain(bar.published)).collect();
    let axis = super::Axis { log: false, ..bars.y.clone() };
    let ticks = axes::vertical_ticks(&axis, &values, true)?;
    let room = axes::vertical_room(&ticks, &bars.y.title, HEIGHT);
    let count = bars.panels.len();
    let per_row = figure.per_row.unwrap_or_else(|| beside(bars, canvas.width - room)).clamp(1, count.max(1));
    let groups = bars.panels.iter().map(|panel| panel.groups.len()).max().unwrap_or(1).max(1);
    let names = |panel: &BarPanel| panel.groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>();
    // Turned names reach to the left of their group; how far decides the room, and the room how names are written.
    let mut grid = Grid::new(canvas.width, per_row, room, MARGIN, 16.0);
    let labels = |grid: &Grid| -> Vec<Labels> {
        bars.panels
            .iter()
            .map(|panel| Labels::fitting(&names(panel), grid.width / panel.groups.len().max(1) as f64))
            .collect()
    };
    let reach = labels(&grid).iter().map(Labels::reach).fold(0.0, f64::max) - grid.width / groups as f64 / 2.0;
    grid = Grid::new(canvas.width, per_row, room.max(reach + MARGIN), MARGIN, 16.0);
    let labels = labels(&grid);
    let bold = Letters::new(TITLE).bold();
    let mut y = top;
    for (row, panels) in bars.panels.chunks(per_row).enumerate() {
        let first = row * per_row;
        let titles: Vec<String> =
            (0..panels.len()).map(|column| axes::panel_title(&panels[column].title, first + column, count)).collect();
        let above = titles.iter().map(|title| axes::centred_height(title, bold, grid.width)).fold(0.0, f64::max);
        let mut below = y;
        for (column, panel) in panels.iter().enumerate() {
            let frame = grid.frame(column, y + above + 4.0, HEIGHT);
            axes::centred(canvas, frame, y, &titles[column], bold);
            let scale = Scale::new(ticks.domain, (frame.bottom(), frame.top), false);
            axes::vertical(canvas, frame, &scale, &ticks, (column == 0).then_some(bars.y.title.as_str()));
            let centres = draw_panel(canvas, bars, panel, frame, &scale, &ticks);
            let under = &labels[first + column];
            under.draw(canvas, &centres, frame.bottom() + 4.0);
            let end = frame.bottom() + 4.0 + under.height() + 3.0;
            below = below.max(axes::centred(canvas, frame, end, &bars.x_title, Letters::new(TITLE)));
        }
        y = below + 8.0;
    }
    Ok(y)
}

/// As many panels beside each other as leave every bar wide enough to see.
fn beside(bars: &Bars, width: f64) -> usize {
    let groups = bars.panels.iter().map(|panel| panel.groups.len()).max().unwrap_or(1);
    let slot = (NARROWEST * bars.series.len() as f64 / FILLED).max(NARROWEST_GROUP);
    let needed = slot * groups as f64 + 20.0;
    ((width / needed) as usize).clamp(1, 3)
}

/// Draws one panel and returns the middle of each group.
fn draw_panel(
    canvas: &mut Canvas,
    bars: &Bars,
    panel: &BarPanel,
    frame: Frame,
    scale: &Scale,
    ticks: &Ticks,
) -> Vec<f64> {
    let slot = frame.width / panel.groups.len().max(1) as f64;
    let count = bars.series.len().max(1) as f64;
    let wide = (slot * FILLED / count).min(WIDEST);
    let zero = scale.place(0.0);
    let centres: Vec<f64> = (0..panel.groups.len()).map(|group| frame.left + slot * (group as f64 + 0.5)).collect();
    for (group, centre) in panel.groups.iter().zip(&centres) {
        for (series, bar) in group.bars.iter().enumerate() {
            let left = centre + wide * (series as f64 - count / 2.0);
            let middle = left + wide / 2.0;
            let Some(bar) = bar else {
                // Nothing at all would be read as zero.
                let letters = Letters::new((wide / 0.95).min(6.0)).colour(GREY).turned(-90.0);
                canvas.text((middle + letters.middle(), zero - 2.0), "n/a", letters);
                continue;
            };
            let fill = style::fill(canvas, series);
            let end = scale.place(bar.y.value);
            let outline = Some(Stroke::solid(INK, 0.5));
            canvas.rectangle((left, end.min(zero)), (wide, (end - zero).abs()), &fill, outline);
            if let Some((low, high)) = bar.y.spread {
                style::error_bar(canvas, middle, scale.place(low), scale.place(high), INK, (wide * 0.25).min(2.5));
            }
            if let Some(value) = bar.published {
                style::published(canvas, (middle, scale.place(value)), INK);
            }
        }
    }
    canvas.line((frame.left, zero), (frame.right(), zero), Stroke::solid(INK, 0.7));
    if ticks.domain.0 < 0.0 {
        canvas.line((frame.left, frame.bottom()), (frame.right(), frame.bottom()), Stroke::solid(INK, 0.4));
    }
    centres
}
