//! Figures: from a typed description to SVG, and from SVG to PNG.
//!
//! A [`Figure`] says what is drawn and not where: [`layout`] finds room for titles, legend, panels and axes by measuring
//! texts in the built-in font. Lengths are in points, sizes are those of a printed page. Categories differ in colour and
//! in marker, dash or hatch; nothing is told by colour alone. The same description gives the same bytes on every machine.

pub mod axes;
pub mod bars;
pub mod canvas;
pub mod colour;
pub mod font;
pub mod graph;
pub mod heat;
pub mod labels;
pub mod layered;
pub mod layout;
pub mod legend;
pub mod lines;
pub mod raster;
pub mod scale;
pub mod style;

#[cfg(test)]
mod figure_test;

pub use layout::svg;
pub use raster::png;

/// A full page's width of text, in points: 7 inches.
pub const PAGE: f64 = 504.0;

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Above everything; may be empty.
    pub title: String,
    /// Below everything: what error bars are, how many runs; may be empty.
    pub note: String,
    /// Width in points.
    pub width: f64,
    /// Panels beside each other; as many as fit well when not given.
    pub per_row: Option<usize>,
    /// The kind of figure with its data.
    pub chart: Chart,
}

/// The kinds of figures.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Values over a numeric axis.
    Lines(Lines),
    /// Values of a few series for each of some groups.
    Bars(Bars),
    /// Values of rows and columns as colours with numbers.
    Heat(Heat),
}

/// A value with how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Ends of its error bar.
    pub spread: Option<(f64, f64)>,
}

impl Estimate {
    /// The least and the greatest value that has to be on the axis.
    pub(crate) fn bounds(&self) -> [f64; 2] {
        self.spread.map_or([self.value; 2], |(low, high)| [low.min(self.value), high.max(self.value)])
    }
}

/// A numeric axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// With its unit.
    pub title: String,
    /// Logarithmic; all values are above 0.
    pub log: bool,
    /// First and last value; chosen by the data when not given.
    pub range: Option<(f64, f64)>,
}

/// How the spread of a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// As a bar at each point, which also has a marker.
    Bars,
    /// As a band along the line, which has no markers.
    Band,
}

/// Values over a numeric axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// The horizontal axis, shared by all panels.
    pub x: Axis,
    /// The vertical axis, shared by all panels.
    pub y: Axis,
    /// How spread is drawn.
    pub spread: Spread,
    /// Names of the series, in the order of the legend; a series' place decides its colour, marker and dash.
    pub series: Vec<String>,
    /// What the legend calls published numbers; not needed where no point has one.
    pub published: String,
    /// The panels.
    pub panels: Vec<LinePanel>,
}

/// One panel of lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinePanel {
    /// Its title; may be empty.
    pub title: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// Horizontal references: values that do not depend on the horizontal axis.
    pub levels: Vec<Level>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Place in [`Lines::series`].
    pub series: usize,
    /// By ascending `x`.
    pub points: Vec<Point>,
}

/// One point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// On the horizontal axis.
    pub x: f64,
    /// On the vertical axis.
    pub y: Estimate,
    /// The published number for it.
    pub published: Option<f64>,
}

/// A horizontal reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Place in [`Lines::series`].
    pub series: usize,
    /// On the vertical axis.
    pub y: Estimate,
    /// The published number for it.
    pub published: Option<f64>,
}

/// Values of a few series for each of some groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// Title of the horizontal axis; may be empty.
    pub x_title: String,
    /// The vertical axis, shared by all panels; bars grow from zero.
    pub y: Axis,
    /// Names of the series, in the order of the legend and of the bars in a group.
    pub series: Vec<String>,
    /// What the legend calls published numbers.
    pub published: String,
    /// The panels.
    pub panels: Vec<BarPanel>,
}

/// One panel of bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarPanel {
    /// Its title; may be empty.
    pub title: String,
    /// The groups, from left to right.
    pub groups: Vec<Group>,
}

/// Bars that stand together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Below it.
    pub name: String,
    /// One for each series; none where there is no value.
    pub bars: Vec<Option<Bar>>,
}

/// One bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Its height.
    pub y: Estimate,
    /// The published number for it.
    pub published: Option<f64>,
}

/// Values of rows and columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Title of the rows; may be empty.
    pub row_title: String,
    /// Title of the columns; may be empty.
    pub column_title: String,
    /// What the numbers are, with their unit; beside the colour bar.
    pub value_title: String,
    /// Decimals in the cells.
    pub digits: usize,
    /// Values of the first and last colour; chosen by the data when not given.
    pub range: Option<(f64, f64)>,
    /// The panels; all have the same colours for the same values.
    pub panels: Vec<HeatPanel>,
}

/// One panel of cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatPanel {
    /// Its title; may be empty.
    pub title: String,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The cells of each row; none where there is no value.
    pub cells: Vec<Vec<Option<f64>>>,
}

/// Why a figure can't be drawn.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// There is nothing to draw.
    #[error("there is nothing to draw: no value is left")]
    Empty,
    /// A logarithmic axis has no place for zero and below.
    #[error("the {axis} axis is logarithmic, but `{value}` is not above 0")]
    NotPositive {
        /// `horizontal` or `vertical`.
        axis: &'static str,
        /// The value.
        value: f64,
    },
    /// The drawing can't be turned into dots.
    #[error("the drawing can't be turned into a picture: {0}")]
    Picture(String),
}
