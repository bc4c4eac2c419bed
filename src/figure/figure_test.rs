//! Geometry of whole figures: everything is on the sheet, no text covers another, and the same description gives the same
//! bytes, which an independent reader of SVG understands.

use proptest::prelude::*;

use super::canvas::Placed;
use super::*;

/// Names as they occur: short ones, and the longest of the paper.
const NAMES: [&str; 13] = [
    "cola",
    "mnli",
    "mrpc",
    "qnli",
    "qqp",
    "rte",
    "sst2",
    "stsb",
    "yelp-polarity",
    "multinli",
    "scitail",
    "imdb",
    "average",
];

fn estimate(value: f64, spread: Option<f64>) -> Estimate {
    Estimate { value, spread: spread.map(|spread| (value - spread, value + spread)) }
}

fn figure(chart: Chart) -> Figure {
    Figure {
        title: "Mean score over tasks by number of sources, on both sets of tasks".to_owned(),
        note: "Error bars: one standard deviation over 3 runs (seed).".to_owned(),
        width: PAGE,
        per_row: None,
        chart,
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![3 => 0.0f64..100.0, 1 => -100.0f64..100.0, 1 => Just(0.0)]
}

fn any_estimate() -> impl Strategy<Value = Estimate> {
    (value(), prop::option::of(0.0f64..20.0)).prop_map(|(value, spread)| estimate(value, spread))
}

fn series(count: usize) -> Vec<String> {
    ["PT", "MST", "SCP", "SPP", "SPP, constant weights", "SPP, fixed gates"].map(str::to_owned)[..count].to_vec()
}

fn any_lines() -> impl Strategy<Value = Chart> {
    let point = (1u8..40, any_estimate(), prop::option::of(value()));
    let panel = prop::collection::vec(prop::collection::vec(point, 1..9), 1..7);
    (prop::collection::vec((panel, any_estimate()), 1..5), any::<bool>(), any::<bool>()).prop_map(
        |(panels, log, band)| {
            let panels = panels.into_iter().enumerate().map(|(index, (lines, level))| LinePanel {
                title: format!("Set {index}"),
                lines: lines
                    .into_iter()
                    .enumerate()
                    .map(|(series, mut points)| {
                        points.sort_by_key(|point| point.0);
                        let points = points
                            .into_iter()
                            .map(|(x, y, published)| Point {
                                x: if log { 10f64.powi(i32::from(x) / 4 - 6) } else { x.into() },
                                y,
                                published,
                            })
                            .collect();
                        Line { series, points }
                    })
                    .collect(),
                levels: vec![Level { series: 5, y: level, published: None }],
            });
            Chart::Lines(Lines {
                x: Axis { title: "number of source prompts".to_owned(), log, range: None },
                y: Axis { title: "mean score over tasks (accuracy, %)".to_owned(), log: false, range: None },
                spread: if band { Spread::Band } else { Spread::Bars },
                series: series(6),
                published: "published (table 1)".to_owned(),
                panels: panels.collect(),
            })
        },
    )
}

fn any_bars() -> impl Strategy<Value = Chart> {
    (1usize..7, 1usize..14).prop_flat_map(|(count, groups)| {
        let bar = prop::option::weighted(0.9, (any_estimate(), prop::option::of(value())));
        let group = prop::collection::vec(bar, count);
        prop::collection::vec(prop::collection::vec(group, groups), 1..4).prop_map(move |panels| {
            let bars = |bars: Vec<Option<(Estimate, Option<f64>)>>| {
                bars.into_iter().map(|bar| bar.map(|(y, published)| Bar { y, published })).collect()
            };
            let group = |(index, values): (usize, Vec<_>)| Group { name: NAMES[index].to_owned(), bars: bars(values) };
            let panels = panels.into_iter().map(|groups| BarPanel {
                title: "k = 8".to_owned(),
                groups: groups.into_iter().enumerate().map(group).collect(),
            });
            Chart::Bars(Bars {
                x_title: "task".to_owned(),
                y: Axis { title: "score (%)".to_owned(), log: false, range: None },
                series: series(count),
                published: "published".to_owned(),
                panels: panels.collect(),
            })
        })
    })
}

fn any_heat() -> impl Strategy<Value = Chart> {
    (1usize..14, 1usize..9, 1usize..4, 0usize..2).prop_flat_map(|(rows, columns, panels, digits)| {
        let cells = prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, value()), columns), rows);
        prop::collection::vec(cells, panels).prop_map(move |panels| {
            let parts = ["src_1", "src_2", "src_3", "src_4", "src_5", "all_src", "private", "total"];
            let panels = panels.into_iter().enumerate().map(|(index, cells)| HeatPanel {
                title: format!("{} source prompts", index + 1),
                rows: NAMES[..rows].iter().map(|name| (*name).to_owned()).collect(),
                columns: parts[..columns].iter().map(|name| (*name).to_owned()).collect(),
                cells,
            });
            Chart::Heat(Heat {
                row_title: "task".to_owned(),
                column_title: "active part".to_owned(),
                value_title: "score (%)".to_owned(),
                digits,
                range: None,
                panels: panels.collect(),
            })
        })
    })
}

/// Whether two convex shapes share more than a hair's breadth (separating axes).
fn overlap(a: &Placed, b: &Placed) -> bool {
    let axes = |placed: &Placed| {
        let corners = placed.corners;
        [(corners[0], corners[1]), (corners[1], corners[2])].map(|(from, to)| {
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let length = dx.hypot(dy).max(1e-9);
            (dx / length, dy / length)
        })
    };
    let shadow = |placed: &Placed, axis: (f64, f64)| {
        let along = placed.corners.map(|(x, y)| x * axis.0 + y * axis.1);
        (along.iter().copied().fold(f64::MAX, f64::min), along.iter().copied().fold(f64::MIN, f64::max))
    };
    axes(a).into_iter().chain(axes(b)).all(|axis| {
        let ((a_low, a_high), (b_low, b_high)) = (shadow(a, axis), shadow(b, axis));
        a_high > b_low + 0.2 && b_high > a_low + 0.2
    })
}

fn check(chart: Chart) -> Result<(), TestCaseError> {
    let figure = figure(chart);
    let (canvas, height) = match layout::draw(&figure) {
        Ok(drawn) => drawn,
        Err(FigureError::Empty) => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    for placed in canvas.texts() {
        let inside = |(x, y): (f64, f64)| (0.0..=figure.width).contains(&x) && (0.0..=height).contains(&y);
        prop_assert!(placed.corners.into_iter().all(inside), "off the sheet of height {height}: {placed:?}");
    }
    for (index, a) in canvas.texts().iter().enumerate() {
        for b in &canvas.texts()[index + 1..] {
            prop_assert!(!overlap(a, b), "{a:?} covers {b:?}");
        }
    }
    let svg = svg(&figure).unwrap();
    prop_assert_eq!(&svg, &super::svg(&figure).unwrap());
    prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
    let options = resvg::usvg::Options { fontdb: font::database(), dpi: 72.0, ..Default::default() };
    let tree = resvg::usvg::Tree::from_str(&svg, &options);
    prop_assert!(tree.is_ok(), "{tree:?}");
    let size = tree.unwrap().size();
    prop_assert!((f64::from(size.width()) - figure.width).abs() < 1e-3 && f64::from(size.height()) >= height);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn lines_fit(chart in any_lines()) {
        check(chart)?;
    }

    #[test]
    fn bars_fit(chart in any_bars()) {
        check(chart)?;
    }

    #[test]
    fn heat_maps_fit(chart in any_heat()) {
        check(chart)?;
    }
}

#[test]
fn a_picture_has_300_dots_an_inch() {
    let point = |x: f64| Point { x, y: estimate(x, None), published: None };
    let lines = Lines {
        x: Axis::default(),
        y: Axis::default(),
        spread: Spread::Bars,
        series: vec![String::new()],
        published: String::new(),
        panels: vec![LinePanel {
            lines: vec![Line { series: 0, points: vec![point(1.0), point(2.0)] }],
            ..LinePanel::default()
        }],
    };
    let drawing =
        Figure { title: String::new(), note: String::new(), width: 144.0, per_row: None, chart: Chart::Lines(lines) };
    let svg = svg(&drawing).unwrap();
    let png = png(&svg).unwrap();
    // The header of a PNG: width and height stand at bytes 16 and 20. 144 points are two inches.
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    let height: u32 = svg.split("height=\"").nth(1).unwrap().split("pt").next().unwrap().parse().unwrap();
    assert_eq!((number(16), number(20)), (600, (f64::from(height) * 300.0 / 72.0).round() as u32));
    assert_eq!(png, super::png(&svg).unwrap());
}

#[test]
fn what_can_not_be_drawn_is_said() {
    let axis = Axis { log: true, ..Axis::default() };
    let message = axes::vertical_ticks(&axis, &[1.0, 0.0], false).unwrap_err().to_string();
    assert_eq!(message, "the vertical axis is logarithmic, but `0` is not above 0");
    let message = axes::vertical_ticks(&axis, &[], false).unwrap_err().to_string();
    assert_eq!(message, "there is nothing to draw: no value is left");
}
