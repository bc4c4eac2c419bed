//! The stages as a drawing: layers from left to right, each stage right of all that it reads.
//!
//! A line that passes a layer takes a place of its own there, so that it runs between boxes and not through them. Within a
//! layer each thing stands at the mean height of its neighbours, first seen from the left, then from the right.

use maud::{Markup, html};

use super::{Outcome, Stage, sum};
use crate::page::words;

/// Size of a box, in the drawing's units.
const BOX_WIDTH: f64 = 146.0;
const BOX_HEIGHT: f64 = 66.0;

/// Letters of names for which a box has room; beside an operation stands its time.
const NAME: usize = 16;
const OPERATION: usize = 11;

/// Height of the place of a passing line.
const LANE: f64 = 14.0;

/// Room below each thing of a layer, and between two layers.
const GAP: f64 = 18.0;
const BETWEEN: f64 = 36.0;

/// A drawing up to this width is made smaller where there is no room for it; a wider one would be too small to read.
const FITS: f64 = 1300.0;

/// Room around the drawing.
const MARGIN: f64 = 6.0;

/// Rounds of bringing neighbours together.
const ROUNDS: usize = 4;

/// A box, or the place where a line passes a layer.
struct Spot {
    layer: usize,
    stage: Option<usize>,
    y: f64,
    /// Its neighbours in the layers on both sides.
    left: Vec<usize>,
    right: Vec<usize>,
}

impl Spot {
    fn height(&self) -> f64 {
        if self.stage.is_some() { BOX_HEIGHT } else { LANE }
    }
}

/// Where everything stands.
struct Layout {
    spots: Vec<Spot>,
    /// Between neighbouring layers, left to right.
    links: Vec<(usize, usize)>,
    /// The spots of each layer from top to bottom.
    layers: Vec<Vec<usize>>,
}

impl Layout {
    fn of(stages: &[Stage]) -> Self {
        let mut layer_of: Vec<usize> = Vec::new();
        for stage in stages {
            // What is read stands before its readers in the list.
            let right = stage.reads.iter().filter_map(|&read| Some(layer_of.get(read)? + 1)).max();
            layer_of.push(right.unwrap_or(0));
        }
        let mut layout = Self { spots: Vec::new(), links: Vec::new(), layers: Vec::new() };
        for (stage, &layer) in layer_of.iter().enumerate() {
            layout.add(layer, Some(stage));
        }
        for (stage, of) in stages.iter().enumerate() {
            for &read in of.reads.iter().filter(|&&read| read < stage) {
                let mut from = read;
                for layer in layer_of[read] + 1..layer_of[stage] {
                    let lane = layout.add(layer, None);
                    layout.link(from, lane);
                    from = lane;
                }
                layout.link(from, stage);
            }
        }
        layout.arrange();
        layout
    }

    fn add(&mut self, layer: usize, stage: Option<usize>) -> usize {
        self.spots.push(Spot { layer, stage, y: 0.0, left: Vec::new(), right: Vec::new() });
        while self.layers.len() <= layer {
            self.layers.push(Vec::new());
        }
        self.layers[layer].push(self.spots.len() - 1);
        self.spots.len() - 1
    }

    fn link(&mut self, from: usize, to: usize) {
        self.links.push((from, to));
        self.spots[from].right.push(to);
        self.spots[to].left.push(from);
    }

    fn arrange(&mut self) {
        (0..self.layers.len()).for_each(|layer| self.stack(layer));
        for _ in 0..ROUNDS {
            (1..self.layers.len()).for_each(|layer| self.settle(layer, true));
            (0..self.layers.len().saturating_sub(1)).rev().for_each(|layer| self.settle(layer, false));
        }
        let top = self.spots.iter().map(|spot| spot.y - spot.height() / 2.0).fold(f64::INFINITY, f64::min);
        self.spots.iter_mut().for_each(|spot| spot.y += MARGIN - top);
    }

    /// One below the other, in order, around the middle line.
    fn stack(&mut self, layer: usize) {
        let mut y = 0.0;
        for spot in self.layers[layer].clone() {
            let half = self.spots[spot].height() / 2.0;
            self.spots[spot].y = y + half;
            y += 2.0 * half + GAP;
        }
        for spot in self.layers[layer].clone() {
            self.spots[spot].y -= (y - GAP) / 2.0;
        }
    }

    /// Moves the spots of a layer to the mean height of their neighbours, as far as they leave each other room.
    fn settle(&mut self, layer: usize, from_left: bool) {
        let wanted = |spot: usize| {
            let Spot { left, right, y, .. } = &self.spots[spot];
            let neighbours = if from_left { left } else { right };
            let heights = || neighbours.iter().map(|&other| self.spots[other].y);
            if neighbours.is_empty() { *y } else { heights().sum::<f64>() / neighbours.len() as f64 }
        };
        let mut order: Vec<(usize, f64)> = self.layers[layer].iter().map(|&spot| (spot, wanted(spot))).collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut heights: Vec<f64> = order.iter().map(|(_, y)| *y).collect();
        let room = |a: usize, b: usize| (self.spots[a].height() + self.spots[b].height()) / 2.0 + GAP;
        for place in 1..order.len() {
            heights[place] = heights[place].max(heights[place - 1] + room(order[place - 1].0, order[place].0));
        }
        // What was pushed down moves the whole layer up by the mean of it.
        let pushed = heights.iter().zip(&order).map(|(y, (_, wanted))| y - wanted).sum::<f64>();
        let back = pushed / heights.len().max(1) as f64;
        for ((spot, _), y) in order.iter().zip(heights) {
            self.spots[*spot].y = y - back;
        }
        self.layers[layer] = order.into_iter().map(|(spot, _)| spot).collect();
    }

    fn size(&self) -> (f64, f64) {
        let bottom = self.spots.iter().map(|spot| spot.y + spot.height() / 2.0).fold(0.0, f64::max);
        let layers = self.layers.len() as f64;
        (2.0 * MARGIN + layers * BOX_WIDTH + (layers - 1.0).max(0.0) * BETWEEN, bottom + MARGIN)
    }
}

fn left_edge(spot: &Spot) -> f64 {
    MARGIN + spot.layer as f64 * (BOX_WIDTH + BETWEEN)
}

pub(super) fn graph(stages: &[Stage]) -> Markup {
    let layout = Layout::of(stages);
    let (width, height) = layout.size();
    let words: Vec<String> = stages.iter().map(|stage| described(stage, stages)).collect();
    html! {
        svg.graph.fits[width <= FITS] width=(number(width)) height=(number(height)) viewBox={ "0 0 " (number(width)) " " (number(height)) }
            role="img" aria-label={ "Graph of stages. " (words.join(" ")) } {
            @for &(from, to) in &layout.links { (link(&layout.spots[from], &layout.spots[to])) }
            @for spot in &layout.spots {
                @match spot.stage {
                    Some(stage) => (drawn(&stages[stage], left_edge(spot), spot.y - BOX_HEIGHT / 2.0)),
                    None => line.link x1=(number(left_edge(spot))) x2=(number(left_edge(spot) + BOX_WIDTH))
                        y1=(number(spot.y)) y2=(number(spot.y)) {},
                }
            }
        }
    }
}

fn link(from: &Spot, to: &Spot) -> Markup {
    let (x1, x2) = (left_edge(from) + BOX_WIDTH, left_edge(to));
    let middle = number((x1 + x2) / 2.0);
    let [x1, y1, x2, y2] = [x1, from.y, x2, to.y].map(number);
    html! { path.link d={ "M" (x1) " " (y1) "C" (middle) " " (y1) " " (middle) " " (y2) " " (x2) " " (y2) } {} }
}

fn drawn(stage: &Stage, x: f64, y: f64) -> Markup {
    let (made, cached) = (sum(&stage.instances, Outcome::Made), sum(&stage.instances, Outcome::Cached));
    let all = stage.instances.len().max(1) as f64;
    let inner = BOX_WIDTH - 20.0;
    let (cached_width, made_width) = (inner * cached.count as f64 / all, inner * made.count as f64 / all);
    let incomplete = made.count + cached.count < stage.instances.len();
    html! {
        g transform={ "translate(" (number(x)) " " (number(y)) ")" } {
            title { (stage.title.as_deref().unwrap_or(&stage.name)) }
            rect.box.incomplete[incomplete] width=(BOX_WIDTH) height=(BOX_HEIGHT) rx="8" {}
            text.name x="10" y="20" { (short(&stage.name, NAME)) }
            text.what x="10" y="36" { (short(&stage.operation.0, OPERATION)) " × " (stage.instances.len()) }
            text.what x="10" y="51" { (told(made.count, cached.count)) }
            text.what x=(BOX_WIDTH - 10.0) y="36" text-anchor="end" { (words::duration(made.seconds + cached.seconds)) }
            rect.empty x="10" y="57" width=(inner) height="4" rx="2" {}
            @if cached.count > 0 { rect.cached x="10" y="57" width=(number(cached_width)) height="4" rx="2" {} }
            @if made.count > 0 {
                rect.made x=(number(10.0 + cached_width)) y="57" width=(number(made_width)) height="4" rx="2" {}
            }
        }
    }
}

/// `3 made, 5 cached`.
fn told(made: usize, cached: usize) -> String {
    match (made, cached) {
        (0, 0) => "no result".to_owned(),
        (made, 0) => format!("{made} made"),
        (0, cached) => format!("{cached} cached"),
        (made, cached) => format!("{made} made, {cached} cached"),
    }
}

/// One sentence for those who can't see the drawing.
fn described(stage: &Stage, stages: &[Stage]) -> String {
    let reads: Vec<&str> = stage.reads.iter().map(|&read| stages[read].name.as_str()).collect();
    match reads.as_slice() {
        [] => format!("{} reads no stage.", stage.name),
        reads => format!("{} reads {}.", stage.name, reads.join(", ")),
    }
}

/// A name that fits its place in the box.
fn short(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        name.to_owned()
    } else {
        name.chars().take(letters - 1).chain(['…']).collect()
    }
}

fn number(value: f64) -> String {
    crate::report::fixed(value, 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::page::tests::stage;

    fn stages(reads: &[Vec<usize>]) -> Vec<Stage> {
        reads
            .iter()
            .enumerate()
            .map(|(at, reads)| Stage { reads: reads.clone(), ..stage(&format!("s{at}"), 2) })
            .collect()
    }

    #[test]
    fn a_line_that_passes_a_layer_has_a_lane_there() {
        // 0 -> 1 -> 2, and 0 -> 2.
        let layout = Layout::of(&stages(&[vec![], vec![0], vec![0, 1]]));
        assert_eq!(layout.spots.len(), 4);
        assert_eq!(layout.layers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(layout.links.len(), 4);
    }

    proptest! {
        #[test]
        fn boxes_never_overlap_and_lines_go_right(
            reads in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..14),
        ) {
            let reads: Vec<Vec<usize>> = reads
                .iter()
                .enumerate()
                .map(|(at, reads)| {
                    let mut earlier: Vec<usize> = if at == 0 { vec![] } else { reads.iter().map(|i| i.index(at)).collect() };
                    earlier.sort_unstable();
                    earlier.dedup();
                    earlier
                })
                .collect();
            let layout = Layout::of(&stages(&reads));
            let (_, height) = layout.size();
            for layer in &layout.layers {
                for pair in layer.windows(2) {
                    let (above, below) = (&layout.spots[pair[0]], &layout.spots[pair[1]]);
                    prop_assert!(above.y + above.height() / 2.0 < below.y - below.height() / 2.0);
                }
                for &spot in layer {
                    let spot = &layout.spots[spot];
                    prop_assert!(spot.y - spot.height() / 2.0 >= 0.0 && spot.y + spot.height() / 2.0 <= height);
                }
            }
            for &(from, to) in &layout.links {
                prop_assert_eq!(layout.spots[from].layer + 1, layout.spots[to].layer);
            }
        }
    }
}
