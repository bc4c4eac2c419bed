//! Names below an axis: on one line, broken into two, or turned, whichever fits first.

use super::canvas::{Anchor, Canvas, Letters};
use super::font;

/// Size of labels of axes.
pub const SIZE: f64 = 8.5;

/// From one line to the next.
const LEADING: f64 = 9.5;

/// How far names are turned when they don't fit otherwise.
const TURN: f64 = 40.0;

/// Names with the way in which they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    lines: Vec<Vec<String>>,
    turned: bool,
}

impl Labels {
    /// For names that have `slot` of width each.
    pub fn fitting(names: &[String], slot: f64) -> Self {
        let room = slot - 4.0;
        let plain: Vec<Vec<String>> = names.iter().map(|name| vec![name.clone()]).collect();
        let fits = |lines: &[Vec<String>]| lines.iter().flatten().all(|line| wide(line) <= room);
        if fits(&plain) {
            return Self { lines: plain, turned: false };
        }
        let broken: Vec<Vec<String>> =
            names.iter().map(|name| if wide(name) <= room { vec![name.clone()] } else { broken(name) }).collect();
        if fits(&broken) { Self { lines: broken, turned: false } } else { Self { lines: plain, turned: true } }
    }

    /// From the axis to below the lowest of them.
    pub fn height(&self) -> f64 {
        if self.turned {
            return self.widest() * TURN.to_radians().sin() + SIZE * 0.75;
        }
        self.lines.iter().map(Vec::len).max().unwrap_or(0) as f64 * LEADING
    }

    /// How far the first name reaches to the left of its place.
    pub fn reach(&self) -> f64 {
        let Some(first) = self.lines.first() else { return 0.0 };
        let width = first.iter().map(|line| wide(line)).fold(0.0, f64::max);
        if self.turned { width * TURN.to_radians().cos() + SIZE * 0.3 } else { width / 2.0 }
    }

    /// Writes each name below its place on the axis.
    pub fn draw(&self, canvas: &mut Canvas, places: &[f64], top: f64) {
        for (lines, place) in self.lines.iter().zip(places) {
            if self.turned {
                // The end of the name stands below its place: see `canvas::Placed` for the box of a turned text.
                let letters = Letters::new(SIZE).anchor(Anchor::End).turned(-TURN);
                canvas.text((place + SIZE * 0.22, top + SIZE * 0.56), &lines.concat(), letters);
                continue;
            }
            for (index, line) in lines.iter().enumerate() {
                let base = top + SIZE * 0.75 + index as f64 * LEADING;
                canvas.text((*place, base), line, Letters::new(SIZE).anchor(Anchor::Middle));
            }
        }
    }

    fn widest(&self) -> f64 {
        self.lines.iter().flatten().map(|line| wide(line)).fold(0.0, f64::max)
    }
}

fn wide(text: &str) -> f64 {
    font::width(text, SIZE, false)
}

/// In two at the break that makes the longer part shortest; a name without a break stays whole.
fn broken(name: &str) -> Vec<String> {
    let breaks = name.char_indices().filter(|(place, c)| matches!(c, ' ' | '-' | '_' | '/') && *place > 0);
    let parts = breaks.map(|(place, c)| (name[..place + c.len_utf8()].trim_end(), &name[place + c.len_utf8()..]));
    let parts = parts.filter(|(_, rest)| !rest.is_empty());
    match parts.min_by(|a, b| wide(a.0).max(wide(a.1)).total_cmp(&wide(b.0).max(wide(b.1)))) {
        Some((first, second)) => vec![first.to_owned(), second.to_owned()],
        None => vec![name.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_way_that_fits() {
        let names = ["imdb".to_owned(), "yelp-polarity".to_owned()];
        assert!(!Labels::fitting(&names, 80.0).turned);
        let broken = Labels::fitting(&names, 40.0);
        assert_eq!(broken.lines, [vec!["imdb"], vec!["yelp-", "polarity"]]);
        let turned = Labels::fitting(&names, 20.0);
        assert!(turned.turned && turned.height() > broken.height());
        assert_eq!(Labels::fitting(&[], 20.0).height(), 0.0);
    }
}
