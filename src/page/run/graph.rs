//! The stages as a drawing: layers from left to right, each stage right of all that it reads.

use maud::{Markup, html};

use super::{Outcome, Stage, sum};
use crate::figure::layered::{Band, Layers, Measures, Spot};
use crate::page::words;

/// Size of a box, in the drawing's units.
const BOX_WIDTH: f64 = 146.0;
const BOX_HEIGHT: f64 = 66.0;

/// Letters of names for which a box has room; beside an operation stands its time.
const NAME: usize = 16;
const OPERATION: usize = 11;

/// A drawing up to this width is made smaller where there is no room for it; a wider one would be too small to read.
const FITS: f64 = 1300.0;

/// Sizes of everything.
const MEASURES: Measures =
    Measures { width: BOX_WIDTH, height: BOX_HEIGHT, lane: 14.0, gap: 18.0, between: 36.0, margin: 6.0 };

pub(super) fn graph(stages: &[Stage]) -> Markup {
    let reads: Vec<Vec<usize>> = stages.iter().map(|stage| stage.reads.clone()).collect();
    let layout = Layers::of(&reads, &vec![0; stages.len()], &[Band::default()], MEASURES);
    let (width, height) = layout.size();
    let words: Vec<String> = stages.iter().map(|stage| described(stage, stages)).collect();
    html! {
        svg.graph.fits[width <= FITS] width=(number(width)) height=(number(height)) viewBox={ "0 0 " (number(width)) " " (number(height)) }
            role="img" aria-label={ "Graph of stages. " (words.join(" ")) } {
            @for &(from, to) in &layout.links { (link(&layout, &layout.spots[from], &layout.spots[to])) }
            @for spot in &layout.spots {
                @match spot.thing {
                    Some(stage) => (drawn(&stages[stage], layout.left_edge(spot), spot.y - BOX_HEIGHT / 2.0)),
                    None => line.link x1=(number(layout.left_edge(spot))) x2=(number(layout.left_edge(spot) + BOX_WIDTH))
                        y1=(number(spot.y)) y2=(number(spot.y)) {},
                }
            }
        }
    }
}

fn link(layout: &Layers, from: &Spot, to: &Spot) -> Markup {
    let (x1, x2) = (layout.left_edge(from) + BOX_WIDTH, layout.left_edge(to));
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

/// With one decimal.
fn number(value: f64) -> String {
    let tenths = value * 10.0;
    // Most are whole tenths, which need no exact arithmetic.
    if tenths.fract() == 0.0 && (0.0..1e9).contains(&tenths) {
        let tenths = tenths as u64;
        return format!("{}.{}", tenths / 10, tenths % 10);
    }
    crate::report::fixed(value, 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_spelt_as_the_standard_library_does(tenths in -20_000i64..20_000_000, off in prop_oneof![Just(0.0), -0.1..0.1]) {
            let value = tenths as f64 / 10.0 + off;
            prop_assert_eq!(super::number(value), crate::report::fixed(value, 1));
        }
    }
}
