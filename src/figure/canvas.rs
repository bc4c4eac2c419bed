//! A sheet of paper that writes down what is drawn on it as SVG. Unit: the point, 1/72 of an inch.

use std::fmt::Write;

use super::colour::{self, INK, Rgb};
use super::font;

/// Where a text's place is: at its beginning, middle or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Letters {
    /// Size of the font.
    pub size: f64,
    /// Bold or regular.
    pub bold: bool,
    /// Colour.
    pub colour: Rgb,
    /// Where the place is in the text.
    pub anchor: Anchor,
    /// Degrees, clockwise, around the place.
    pub turned: f64,
}

impl Letters {
    /// Regular text in ink that begins at its place.
    pub const fn new(size: f64) -> Self {
        Self { size, bold: false, colour: INK, anchor: Anchor::Start, turned: 0.0 }
    }

    /// The same, bold.
    #[must_use]
    pub const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same in a colour.
    #[must_use]
    pub const fn colour(self, colour: Rgb) -> Self {
        Self { colour, ..self }
    }

    /// The same, around or before its place.
    #[must_use]
    pub const fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// The same, turned clockwise by degrees.
    #[must_use]
    pub const fn turned(self, degrees: f64) -> Self {
        Self { turned: degrees, ..self }
    }

    /// From the base line up to the middle of a capital letter: what centres a text on a height.
    pub fn middle(&self) -> f64 {
        self.size * font::CAPITAL / 2.0
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Colour.
    pub colour: Rgb,
    /// Width.
    pub width: f64,
    /// Lengths of dashes and gaps; empty for a line without gaps.
    pub dashes: &'static [f64],
}

impl Stroke {
    /// A line without gaps.
    pub const fn solid(colour: Rgb, width: f64) -> Self {
        Self { colour, width, dashes: &[] }
    }
}

/// Where a text was drawn: the corners of its box, clockwise from the upper left one of the unturned text.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The text.
    pub text: String,
    /// Corners.
    pub corners: [(f64, f64); 4],
}

/// The sheet. Its height is known when everything is drawn.
#[derive(Clone, Debug)]
pub struct Canvas {
    /// Width of the sheet.
    pub width: f64,
    definitions: String,
    body: String,
    texts: Vec<Placed>,
}

impl Canvas {
    /// An empty sheet.
    pub fn new(width: f64) -> Self {
        Self { width, definitions: String::new(), body: String::new(), texts: Vec::new() }
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.path(&[from, to], stroke);
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        let points = coordinates(points);
        let _ = writeln!(self.body, "<polyline points=\"{points}\" fill=\"none\"{}/>", stroke_attributes(stroke));
    }

    /// A line that leaves one point and reaches another level, with a bend between them.
    pub fn bend(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: Stroke) {
        let middle = number((x1 + x2) / 2.0);
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(number);
        let _ = writeln!(
            self.body,
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\"{}/>",
            stroke_attributes(stroke)
        );
    }

    /// A filled shape with straight sides; `fill` is a colour or `url(#name)`.
    pub fn polygon(&mut self, points: &[(f64, f64)], fill: &str, opacity: f64, outline: Option<Stroke>) {
        let outline = outline.map(stroke_attributes).unwrap_or_default();
        let opacity = if opacity < 1.0 { format!(" fill-opacity=\"{}\"", number(opacity)) } else { String::new() };
        let points = coordinates(points);
        let _ = writeln!(self.body, "<polygon points=\"{points}\" fill=\"{fill}\"{opacity}{outline}/>");
    }

    /// A rectangle from its upper left corner.
    pub fn rectangle(&mut self, corner: (f64, f64), size: (f64, f64), fill: &str, outline: Option<Stroke>) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"{}/>",
            number(corner.0),
            number(corner.1),
            number(size.0),
            number(size.1),
            outline.map(stroke_attributes).unwrap_or_default()
        );
    }

    /// A circle.
    pub fn circle(&mut self, centre: (f64, f64), radius: f64, fill: &str, outline: Stroke) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{fill}\"{}/>",
            number(centre.0),
            number(centre.1),
            number(radius),
            stroke_attributes(outline)
        );
    }

    /// One line of text; `place` is on its base line.
    pub fn text(&mut self, place: (f64, f64), text: &str, letters: Letters) {
        let (x, y) = place;
        let anchor = match letters.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if letters.bold { " font-weight=\"bold\"" } else { "" };
        let turned = if letters.turned == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({} {} {})\"", number(letters.turned), number(x), number(y))
        };
        let _ = writeln!(
            self.body,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{weight}{turned}>{}</text>",
            number(x),
            number(y),
            number(letters.size),
            colour::hex(letters.colour),
            escaped(text)
        );
        self.texts.push(Placed { text: text.to_owned(), corners: corners(place, text, letters) });
    }

    /// A pattern that shapes can be filled with as `url(#name)`; defined once however often it is asked for.
    pub fn pattern(&mut self, name: &str, size: f64, turned: f64, content: &str) -> String {
        if !self.definitions.contains(&format!("id=\"{name}\"")) {
            let size = number(size);
            let _ = writeln!(
                self.definitions,
                "<pattern id=\"{name}\" width=\"{size}\" height=\"{size}\" patternUnits=\"userSpaceOnUse\" \
                 patternTransform=\"rotate({})\">{content}</pattern>",
                number(turned)
            );
        }
        format!("url(#{name})")
    }

    /// Every text with its place, in the order of drawing.
    pub fn texts(&self) -> &[Placed] {
        &self.texts
    }

    /// The whole drawing, on white. `title` is what a screen reader says.
    pub fn finish(self, height: f64, title: &str) -> String {
        let (width, height) = (number(self.width), number(height.ceil()));
        let definitions = match self.definitions.as_str() {
            "" => String::new(),
            text => format!("<defs>\n{text}</defs>\n"),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}pt\" height=\"{height}pt\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{}\">\n<title>{}</title>\n{definitions}\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            font::FAMILY,
            escaped(title),
            self.body
        )
    }
}

/// With two decimals at most: a hundredth of a point can't be seen, and the text does not depend on rounding noise.
pub fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn coordinates(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect::<Vec<_>>().join(" ")
}

fn stroke_attributes(stroke: Stroke) -> String {
    let mut text = format!(" stroke=\"{}\" stroke-width=\"{}\"", colour::hex(stroke.colour), number(stroke.width));
    if !stroke.dashes.is_empty() {
        let dashes: Vec<String> = stroke.dashes.iter().map(|dash| number(*dash)).collect();
        let _ = write!(text, " stroke-dasharray=\"{}\"", dashes.join(" "));
    }
    text
}

fn escaped(text: &str) -> String {
    // Control characters are no part of XML, whatever they are written as.
    let allowed = text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    allowed.collect::<String>().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn corners((x, y): (f64, f64), text: &str, letters: Letters) -> [(f64, f64); 4] {
    let width = font::width(text, letters.size, letters.bold);
    let left = match letters.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -width / 2.0,
        Anchor::End => -width,
    };
    // From the top of a capital to the foot of a `g`.
    let (top, foot) = (-0.72 * letters.size, 0.21 * letters.size);
    let (sin, cos) = letters.turned.to_radians().sin_cos();
    [(left, top), (left + width, top), (left + width, foot), (left, foot)]
        .map(|(dx, dy)| (x + dx * cos - dy * sin, y + dx * sin + dy * cos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_noise() {
        assert_eq!([0.1 + 0.2, -0.001, 12.0, 7.125, 100.0].map(number), ["0.3", "0", "12", "7.12", "100"]);
    }

    #[test]
    fn texts_are_escaped_and_measured() {
        let mut canvas = Canvas::new(100.0);
        canvas.text((50.0, 20.0), "a < b & c\u{1}", Letters::new(10.0).anchor(Anchor::Middle).turned(90.0));
        let [upper_left, _, _, lower_left] = canvas.texts()[0].corners;
        // Turned clockwise by 90 degrees the text runs down: its top is on the right.
        assert!((upper_left.0 - 57.2).abs() < 1e-9 && (lower_left.0 - 47.9).abs() < 1e-9);
        let svg = canvas.finish(40.0, "T");
        assert!(svg.contains(">a &lt; b &amp; c</text>"), "{svg}");
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100pt\" height=\"40pt\""));
    }
}
