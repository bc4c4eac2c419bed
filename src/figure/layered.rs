//! A graph in layers from left to right: each box right of all that it reads.
//!
//! A line that passes a layer takes a place of its own there, so that it runs between boxes and not through them. Within a
//! layer each thing stands at the mean height of its neighbours, first seen from the left, then from the right. Boxes that
//! belong together can share a **band**: bands lie one below the other, and a line leaves its band only between two layers,
//! where no boxes are.

/// Rounds of bringing neighbours together.
const ROUNDS: usize = 4;

/// Sizes, in the drawing's units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Width and height of a box.
    pub width: f64,
    /// Height of a box.
    pub height: f64,
    /// Height of the place of a passing line.
    pub lane: f64,
    /// Room below each thing of a layer.
    pub gap: f64,
    /// Room between two layers.
    pub between: f64,
    /// Room around the drawing.
    pub margin: f64,
}

/// Room that is kept free around the boxes of a band, for a frame and its title.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Band {
    /// Above them.
    pub above: f64,
    /// Below them.
    pub below: f64,
}

/// A box, or the place where a line passes a layer.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Its layer, from the left.
    pub layer: usize,
    /// Which box; none for a line.
    pub thing: Option<usize>,
    /// Its band, from the top.
    pub band: usize,
    /// The height of its middle.
    pub y: f64,
    /// Its neighbours in the layers on both sides.
    left: Vec<usize>,
    right: Vec<usize>,
}

/// Where everything stands.
#[derive(Clone, Debug)]
pub struct Layers {
    /// Boxes first, in the order in which they were given, then the places of lines.
    pub spots: Vec<Spot>,
    /// Between neighbouring layers, left to right, as places in `spots`.
    pub links: Vec<(usize, usize)>,
    /// The spots of each layer, band by band from top to bottom.
    pub layers: Vec<Vec<usize>>,
    /// The sizes.
    pub measures: Measures,
    height: f64,
}

impl Layers {
    /// Finds a place for each box. `reads[i]` are the boxes that box `i` reads, which stand before it in the list;
    /// `band_of[i]` is its band among `bands`.
    pub fn of(reads: &[Vec<usize>], band_of: &[usize], bands: &[Band], measures: Measures) -> Self {
        let mut layer_of: Vec<usize> = Vec::new();
        for read in reads {
            let right = read.iter().filter_map(|&read| Some(layer_of.get(read)? + 1)).max();
            layer_of.push(right.unwrap_or(0));
        }
        let mut layout = Self { spots: Vec::new(), links: Vec::new(), layers: Vec::new(), measures, height: 0.0 };
        for (thing, &layer) in layer_of.iter().enumerate() {
            layout.add(layer, Some(thing), band_of[thing]);
        }
        for (thing, read) in reads.iter().enumerate() {
            for &read in read.iter().filter(|&&read| read < thing) {
                let mut from = read;
                for layer in layer_of[read] + 1..layer_of[thing] {
                    let lane = layout.add(layer, None, band_of[read]);
                    layout.link(from, lane);
                    from = lane;
                }
                layout.link(from, thing);
            }
        }
        layout.arrange(bands);
        layout
    }

    /// The left edge of a spot.
    pub fn left_edge(&self, spot: &Spot) -> f64 {
        self.measures.margin + spot.layer as f64 * (self.measures.width + self.measures.between)
    }

    /// Width and height of the drawing.
    pub fn size(&self) -> (f64, f64) {
        let Measures { width, between, margin, .. } = self.measures;
        let layers = self.layers.len() as f64;
        (2.0 * margin + layers * width + (layers - 1.0).max(0.0) * between, self.height)
    }

    /// Half the height of a spot.
    fn half(&self, spot: usize) -> f64 {
        let spot = &self.spots[spot];
        (if spot.thing.is_some() { self.measures.height } else { self.measures.lane }) / 2.0
    }

    fn add(&mut self, layer: usize, thing: Option<usize>, band: usize) -> usize {
        self.spots.push(Spot { layer, thing, band, y: 0.0, left: Vec::new(), right: Vec::new() });
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

    /// Arranges each band by itself, then puts one below the other.
    fn arrange(&mut self, bands: &[Band]) {
        let mut whole = vec![Vec::new(); self.layers.len()];
        let mut bottom = self.measures.margin;
        for (band, room) in bands.iter().enumerate() {
            let mut layers: Vec<Vec<usize>> = self
                .layers
                .iter()
                .map(|layer| layer.iter().copied().filter(|&spot| self.spots[spot].band == band).collect())
                .collect();
            layers.iter().for_each(|layer| self.stack(layer));
            for _ in 0..ROUNDS {
                layers.iter_mut().skip(1).for_each(|layer| self.settle(layer, true));
                layers.iter_mut().rev().skip(1).for_each(|layer| self.settle(layer, false));
            }
            let all: Vec<usize> = layers.iter().flatten().copied().collect();
            let top = all.iter().map(|&spot| self.spots[spot].y - self.half(spot)).fold(f64::INFINITY, f64::min);
            bottom += room.above;
            let shift = if all.is_empty() { 0.0 } else { bottom - top };
            for &spot in &all {
                self.spots[spot].y += shift;
                bottom = bottom.max(self.spots[spot].y + self.half(spot));
            }
            bottom += room.below;
            whole.iter_mut().zip(layers).for_each(|(whole, layer)| whole.extend(layer));
        }
        self.layers = whole;
        self.height = bottom + self.measures.margin;
    }

    /// One below the other, in order, around the middle line.
    fn stack(&mut self, layer: &[usize]) {
        let mut y = 0.0;
        for &spot in layer {
            let half = self.half(spot);
            self.spots[spot].y = y + half;
            y += 2.0 * half + self.measures.gap;
        }
        for &spot in layer {
            self.spots[spot].y -= (y - self.measures.gap) / 2.0;
        }
    }

    /// Moves the spots of a layer to the mean height of their neighbours, as far as they leave each other room.
    fn settle(&mut self, layer: &mut Vec<usize>, from_left: bool) {
        let wanted = |spot: usize| {
            let Spot { left, right, y, band, .. } = &self.spots[spot];
            let neighbours = if from_left { left } else { right };
            let heights: Vec<f64> = neighbours
                .iter()
                .filter(|&&other| self.spots[other].band == *band)
                .map(|&other| self.spots[other].y)
                .collect();
            if heights.is_empty() { *y } else { heights.iter().sum::<f64>() / heights.len() as f64 }
        };
        let mut order: Vec<(usize, f64)> = layer.iter().map(|&spot| (spot, wanted(spot))).collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut heights: Vec<f64> = order.iter().map(|(_, y)| *y).collect();
        let room = |a: usize, b: usize| self.half(a) + self.half(b) + self.measures.gap;
        for place in 1..order.len() {
            heights[place] = heights[place].max(heights[place - 1] + room(order[place - 1].0, order[place].0));
        }
        // What was pushed down moves the whole layer up by the mean of it.
        let pushed = heights.iter().zip(&order).map(|(y, (_, wanted))| y - wanted).sum::<f64>();
        let back = pushed / heights.len().max(1) as f64;
        for ((spot, _), y) in order.iter().zip(heights) {
            self.spots[*spot].y = y - back;
        }
        *layer = order.into_iter().map(|(spot, _)| spot).collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEASURES: Measures =
        Measures { width: 146.0, height: 66.0, lane: 14.0, gap: 18.0, between: 36.0, margin: 6.0 };

    #[test]
    fn a_line_that_passes_a_layer_has_a_lane_there() {
        // 0 -> 1 -> 2, and 0 -> 2.
        let layout = Layers::of(&[vec![], vec![0], vec![0, 1]], &[0; 3], &[Band::default()], MEASURES);
        assert_eq!(layout.spots.len(), 4);
        assert_eq!(layout.layers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(layout.links.len(), 4);
    }

    proptest! {
        #[test]
        fn boxes_never_overlap_lines_go_right_and_bands_stay_apart(
            reads in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..3usize), 1..14),
        ) {
            let band_of: Vec<usize> = reads.iter().map(|(_, band)| *band).collect();
            let reads: Vec<Vec<usize>> = reads
                .iter()
                .enumerate()
                .map(|(at, (reads, _))| {
                    let mut earlier: Vec<usize> = if at == 0 { vec![] } else { reads.iter().map(|i| i.index(at)).collect() };
                    earlier.sort_unstable();
                    earlier.dedup();
                    earlier
                })
                .collect();
            let layout = Layers::of(&reads, &band_of, &[Band { above: 10.0, below: 4.0 }; 3], MEASURES);
            let (_, height) = layout.size();
            let ends = |spot: usize| {
                let (y, half) = (layout.spots[spot].y, layout.half(spot));
                (y - half, y + half)
            };
            for layer in &layout.layers {
                for pair in layer.windows(2) {
                    prop_assert!(ends(pair[0]).1 < ends(pair[1]).0);
                }
                for &spot in layer {
                    prop_assert!(ends(spot).0 >= 10.0 && ends(spot).1 <= height - 4.0);
                }
            }
            for (one, spot) in layout.spots.iter().enumerate() {
                for (other, _) in layout.spots.iter().enumerate().filter(|(_, below)| below.band > spot.band) {
                    prop_assert!(ends(one).1 + 13.99 <= ends(other).0);
                }
            }
            for &(from, to) in &layout.links {
                prop_assert_eq!(layout.spots[from].layer + 1, layout.spots[to].layer);
            }
        }
    }
}
