//! Numbers as a table whose cells are shaded by their size.

use maud::{Markup, html};

use crate::report::fixed;

/// Shades on either side of zero; the style sheet has a class for each.
const SHADES: f64 = 8.0;

/// A labelled matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// What it shows.
    pub caption: String,
    /// What the rows are, and what the columns are.
    pub axes: [String; 2],
    /// Labels of the rows.
    pub rows: Vec<String>,
    /// Labels of the columns.
    pub columns: Vec<String>,
    /// Row by row; nothing where there is no number.
    pub cells: Vec<Vec<Option<f64>>>,
    /// For each row the number that has the darkest shade.
    pub full: Vec<f64>,
    /// Decimals.
    pub digits: usize,
}

impl Grid {
    /// The table.
    pub fn table(&self) -> Markup {
        html! {
            table.heat {
                caption { (self.caption) }
                thead {
                    tr {
                        th scope="col" { span.corner { (self.axes[0]) " \\ " (self.axes[1]) } }
                        @for column in &self.columns { th scope="col" { (column) } }
                    }
                }
                tbody {
                    @for ((row, cells), full) in self.rows.iter().zip(&self.cells).zip(&self.full) {
                        tr {
                            th scope="row" { (row) }
                            @for cell in cells {
                                @match cell {
                                    Some(value) => td class=(shade(*value, *full)) { (fixed(*value, self.digits)) },
                                    None => td {},
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `p0` to `p8` for zero to full, `m1` to `m8` below zero.
fn shade(value: f64, full: f64) -> String {
    let part = if full > 0.0 { (value / full).clamp(-1.0, 1.0) } else { 0.0 };
    let step = (part.abs() * SHADES).round();
    if part < 0.0 && step > 0.0 { format!("m{step}") } else { format!("p{step}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_follow_the_numbers() {
        let grid = Grid {
            caption: "c".into(),
            axes: ["a".into(), "b".into()],
            rows: vec!["r".into()],
            columns: vec!["x".into(), "y".into(), "z".into()],
            cells: vec![vec![Some(0.0), Some(2.0), None]],
            full: vec![2.0],
            digits: 1,
        };
        assert_eq!(shade(1.0, 2.0), "p4");
        assert_eq!(shade(-2.5, 2.0), "m8");
        assert_eq!(shade(-0.01, 2.0), "p0");
        let html = grid.table().into_string();
        assert!(html.contains(r#"<td class="p0">0.0</td><td class="p8">2.0</td><td></td>"#), "{html}");
    }
}
