//! A graph as a drawing: boxes in layers from left to right, in frames where they belong together.
//!
//! How much of a box is done is told by a bar in it, and by its outline and ground: nothing by colour alone.

use super::canvas::{Anchor, Canvas, Letters, Stroke};
use super::colour::{self, FAINT, GREY, INK, Rgb, WHITE};
use super::font;
use super::layered::{Band, Layers, Measures};

/// Sizes of texts.
const TITLE: f64 = 10.5;
const NAME: f64 = 9.0;
const LINE: f64 = 7.5;
const FRAME: f64 = 8.0;

/// Room around the texts of a box, around the boxes of a frame, and around the drawing.
const INSIDE: f64 = 7.0;
const PADDING: f64 = 8.0;
const MARGIN: f64 = 8.0;

/// A frame's title with the room below it.
const HEADING: f64 = FRAME + 8.0;

/// The widest text that a box makes room for; a longer one is cut.
const WIDEST: f64 = 190.0;

/// The bar of a box.
const BAR: f64 = 4.0;

/// Boxes, lines and frames. Readers stand after what they read, frames after the frames that hold them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Above everything.
    pub title: String,
    /// The boxes.
    pub boxes: Vec<Node>,
    /// The frames; boxes of the first one stand without a frame.
    pub frames: Vec<Frame>,
    /// Samples of boxes and what they mean, below everything.
    pub legend: Vec<(f64, String)>,
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its first line.
    pub name: String,
    /// Its other lines.
    pub lines: Vec<String>,
    /// How much of it is done, 0 to 1.
    pub done: f64,
    /// The boxes that it reads, by their place in the list.
    pub reads: Vec<usize>,
    /// Its frame, by its place in the list.
    pub frame: usize,
}

/// Boxes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its title.
    pub title: String,
    /// The frame that holds it, by its place in the list.
    pub within: Option<usize>,
}

/// The graph as SVG.
pub fn svg(graph: &Graph) -> String {
    let bands = Bands::of(&graph.frames);
    let lines = graph.boxes.iter().map(|node| node.lines.len()).max().unwrap_or(0);
    let widest = |node: &Node| {
        let lines = node.lines.iter().map(|line| font::width(line, LINE, false));
        lines.fold(font::width(&node.name, NAME, true), f64::max)
    };
    let widest = graph.boxes.iter().map(widest).fold(40.0, f64::max).min(WIDEST);
    let measures = Measures {
        width: widest + 2.0 * INSIDE,
        height: INSIDE + NAME + 3.0 + lines as f64 * (LINE + 2.5) + BAR + INSIDE,
        lane: 6.0,
        gap: 9.0,
        between: 30.0,
        // Frames stick out on the left of what they hold.
        margin: MARGIN + PADDING * bands.deepest as f64,
    };
    let reads: Vec<Vec<usize>> = graph.boxes.iter().map(|node| node.reads.clone()).collect();
    let band_of: Vec<usize> = graph.boxes.iter().map(|node| bands.of_frame[node.frame]).collect();
    let layout = Layers::of(&reads, &band_of, &bands.room, measures);
    let (width, height) = layout.size();
    let legend_width = graph.legend.iter().map(|(_, text)| 30.0 + font::width(text, LINE, false)).sum::<f64>();
    let title_width = font::width(&graph.title, TITLE, true);
    let mut canvas = Canvas::new(width.max(legend_width + 2.0 * MARGIN).max(title_width + 2.0 * MARGIN));
    let top = MARGIN + TITLE;
    canvas.text((MARGIN, MARGIN + TITLE * 0.8), &graph.title, Letters::new(TITLE).bold());
    if !graph.frames.is_empty() {
        draw_frame(&mut canvas, graph, &layout, 0, top);
    }
    for &(from, to) in &layout.links {
        let (from, to) = (&layout.spots[from], &layout.spots[to]);
        let start = (layout.left_edge(from) + measures.width, from.y + top);
        canvas.bend(start, (layout.left_edge(to), to.y + top), LINK);
    }
    for spot in &layout.spots {
        let left = layout.left_edge(spot);
        match spot.thing {
            Some(node) => {
                draw_box(&mut canvas, &graph.boxes[node], (left, spot.y - measures.height / 2.0 + top), measures);
            }
            None => canvas.line((left, spot.y + top), (left + measures.width, spot.y + top), LINK),
        }
    }
    let bottom = draw_legend(&mut canvas, &graph.legend, height + top);
    canvas.finish(bottom + MARGIN, &graph.title)
}

/// The line from what is read to its reader.
const LINK: Stroke = Stroke::solid([120, 120, 120], 0.8);

/// The ground of a box of which something is done, and of its bar.
const DONE: Rgb = [222, 235, 245];

/// Where the frames stand: each has a band for its own boxes, below those of the frames that it holds.
struct Bands {
    of_frame: Vec<usize>,
    room: Vec<Band>,
    /// How many frames stand around the innermost one.
    deepest: usize,
}

impl Bands {
    fn of(frames: &[Frame]) -> Self {
        let mut bands = Self { of_frame: vec![0; frames.len()], room: Vec::new(), deepest: 0 };
        if !frames.is_empty() {
            bands.enter(frames, 0, 0);
        }
        bands
    }

    /// Numbers the bands of a frame: those of what it holds come first, the last one is its own.
    fn enter(&mut self, frames: &[Frame], frame: usize, depth: usize) {
        self.deepest = self.deepest.max(depth);
        let first = self.room.len();
        for inner in (0..frames.len()).filter(|&inner| frames[inner].within == Some(frame)) {
            self.enter(frames, inner, depth + 1);
        }
        self.of_frame[frame] = self.room.len();
        self.room.push(Band::default());
        if depth > 0 {
            self.room[first].above += HEADING;
            self.room[self.of_frame[frame]].below += PADDING + 4.0;
        }
    }
}

/// Left, upper, right and lower edge.
type Edges = [f64; 4];

fn around(one: Option<Edges>, other: Edges) -> Option<Edges> {
    let [left, upper, right, lower] = one.unwrap_or(other);
    Some([left.min(other[0]), upper.min(other[1]), right.max(other[2]), lower.max(other[3])])
}

/// Draws a frame and those in it; returns its edges, and nothing for one without boxes.
fn draw_frame(canvas: &mut Canvas, graph: &Graph, layout: &Layers, frame: usize, top: f64) -> Option<Edges> {
    let Measures { width, height, .. } = layout.measures;
    let mut edges = None;
    for spot in layout.spots.iter().filter(|spot| spot.thing.is_some_and(|node| graph.boxes[node].frame == frame)) {
        let (left, middle) = (layout.left_edge(spot), spot.y + top);
        edges = around(edges, [left, middle - height / 2.0, left + width, middle + height / 2.0]);
    }
    for inner in (0..graph.frames.len()).filter(|&inner| graph.frames[inner].within == Some(frame)) {
        if let Some(inner) = draw_frame(canvas, graph, layout, inner, top) {
            edges = around(edges, inner);
        }
    }
    let [left, upper, right, lower] = edges?;
    let [left, upper, right, lower] = [left - PADDING, upper - HEADING, right + PADDING, lower + PADDING];
    let title = &graph.frames[frame].title;
    let right = right.max(left + font::width(title, FRAME, true) + 2.0 * INSIDE).min(canvas.width - MARGIN / 2.0);
    if frame > 0 {
        canvas.rectangle((left, upper), (right - left, lower - upper), "none", Some(Stroke::solid(GREY, 0.6)));
        let title = cut(title, FRAME, true, right - left - 2.0 * INSIDE);
        canvas.text((left + INSIDE, upper + FRAME + 2.0), &title, Letters::new(FRAME).bold().colour(GREY));
    }
    Some([left, upper, right, lower])
}

fn draw_box(canvas: &mut Canvas, node: &Node, (x, y): (f64, f64), measures: Measures) {
    let room = measures.width - 2.0 * INSIDE;
    outline(canvas, (x, y), (measures.width, measures.height), node.done);
    let mut line = y + INSIDE + NAME * 0.8;
    canvas.text((x + INSIDE, line), &cut(&node.name, NAME, true, room), Letters::new(NAME).bold());
    line += 3.0;
    for text in &node.lines {
        line += LINE + 2.0;
        canvas.text((x + INSIDE, line), &cut(text, LINE, false, room), Letters::new(LINE));
    }
    bar(canvas, (x + INSIDE, y + measures.height - INSIDE - BAR + 2.0), room, node.done);
}

/// A box of which nothing is done is white with a dashed outline; one that is done in part has a white ground too.
fn outline(canvas: &mut Canvas, corner: (f64, f64), size: (f64, f64), done: f64) {
    let fill = if done >= 1.0 { DONE } else { WHITE };
    let dashes: &[f64] = if done > 0.0 { &[] } else { &[3.0, 2.0] };
    canvas.rectangle(corner, size, &colour::hex(fill), Some(Stroke { colour: INK, width: 0.8, dashes }));
}

fn bar(canvas: &mut Canvas, corner: (f64, f64), width: f64, done: f64) {
    canvas.rectangle(corner, (width, BAR), &colour::hex(FAINT), None);
    if done > 0.0 {
        canvas.rectangle(corner, (width * done.min(1.0), BAR), &colour::hex(colour::category(0)), None);
    }
}

/// Draws the samples from left to right; returns where they end below.
fn draw_legend(canvas: &mut Canvas, legend: &[(f64, String)], top: f64) -> f64 {
    let mut x = MARGIN;
    for (done, text) in legend {
        outline(canvas, (x, top), (16.0, 10.0), *done);
        bar(canvas, (x + 3.0, top + 3.0), 10.0, *done);
        let letters = Letters::new(LINE).anchor(Anchor::Start);
        canvas.text((x + 20.0, top + 5.0 + letters.middle()), text, letters);
        x += 30.0 + font::width(text, LINE, false);
    }
    if legend.is_empty() { top } else { top + 10.0 }
}

/// A text that fits: its end is left out where it is too long.
fn cut(text: &str, size: f64, bold: bool, room: f64) -> String {
    if font::width(text, size, bold) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if font::width(&format!("{kept}{c}…"), size, bold) > room {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, reads: &[usize], frame: usize, done: f64) -> Node {
        let lines = vec!["make × 2".to_owned(), "cached".to_owned()];
        Node { name: name.to_owned(), lines, done, reads: reads.to_vec(), frame }
    }

    fn frame(title: &str, within: Option<usize>) -> Frame {
        Frame { title: title.to_owned(), within }
    }

    fn example() -> Graph {
        Graph {
            title: "A <study> & more".to_owned(),
            boxes: vec![
                node("data", &[], 1, 1.0),
                node("fit", &[0], 2, 0.5),
                node("other", &[], 3, 0.0),
                node("table", &[1, 2], 0, 0.0),
            ],
            frames: vec![frame("", None), frame("outer", Some(0)), frame("inner", Some(1)), frame("second", Some(0))],
            legend: vec![(1.0, "cached".to_owned()), (0.0, "to run".to_owned())],
        }
    }

    /// Corners of the rectangles with a grey border: the frames.
    fn frames(svg: &str) -> Vec<[f64; 4]> {
        let number = |line: &str, name: &str| -> f64 {
            line.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        svg.lines()
            .filter(|line| line.starts_with("<rect") && line.contains("fill=\"none\""))
            .map(|line| ["x", "y", "width", "height"].map(|name| number(line, name)))
            .map(|[x, y, width, height]| [x, y, x + width, y + height])
            .collect()
    }

    #[test]
    fn frames_hold_each_other_and_stay_apart() {
        let svg = svg(&example());
        // The inner one is drawn first.
        let [inner, outer, second] = frames(&svg)[..] else { panic!("{svg}") };
        assert!(outer[0] < inner[0] && outer[1] < inner[1] && outer[2] > inner[2] && outer[3] > inner[3], "{svg}");
        assert!(outer[3] < second[1], "{svg}");
        assert!(svg.contains("<title>A &lt;study&gt; &amp; more</title>"), "{svg}");
        assert_eq!(svg.matches("stroke-dasharray").count(), 3, "two boxes and a sample\n{svg}");
    }

    #[test]
    fn a_graph_is_a_picture() {
        let picture = crate::figure::png(&svg(&example())).unwrap();
        assert!(picture.starts_with(b"\x89PNG"));
    }

    #[test]
    fn a_graph_without_boxes_is_a_title() {
        assert!(svg(&Graph { title: "empty".to_owned(), ..Graph::default() }).contains("empty"));
    }

    #[test]
    fn long_texts_are_cut() {
        let text = cut(&"x".repeat(200), LINE, false, 50.0);
        assert!(text.ends_with('…') && font::width(&text, LINE, false) <= 50.0);
        assert_eq!(cut("short", LINE, false, 50.0), "short");
    }
}
