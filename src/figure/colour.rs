//! Colours that print well and that colour-blind readers can tell apart, and the contrast between two of them.

/// Red, green, blue, each of 0..=255.
pub type Rgb = [u8; 3];

/// White.
pub const WHITE: Rgb = [255, 255, 255];
/// Text and outlines.
pub const INK: Rgb = [26, 26, 26];
/// Remarks below a figure.
pub const GREY: Rgb = [85, 85, 85];
/// Grid lines.
pub const FAINT: Rgb = [224, 224, 224];

/// The palette of Okabe and Ito (2008) for categories, without its yellow, which can't be seen on white.
pub const CATEGORIES: [Rgb; 7] =
    [[0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0], [60, 60, 60]];

/// Cividis (Nunez, Anderton and Renslow 2018) at equal distances: made to look the same to colour-blind readers.
const CIVIDIS: [Rgb; 17] = [
    [0, 34, 78],
    [0, 46, 106],
    [26, 56, 111],
    [50, 67, 109],
    [67, 78, 108],
    [83, 90, 109],
    [97, 101, 111],
    [111, 112, 115],
    [125, 124, 120],
    [140, 136, 120],
    [155, 148, 118],
    [171, 160, 114],
    [188, 174, 108],
    [205, 187, 99],
    [222, 201, 88],
    [240, 216, 70],
    [254, 232, 56],
];

/// Below zero, zero and above zero: two colours of the palette of categories that differ for everyone, and white between.
const DIVERGING: [Rgb; 3] = [[0, 114, 178], [250, 250, 250], [213, 94, 0]];

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// From low, dark, to high, light.
    Sequential,
    /// From below zero over white to above zero.
    Diverging,
}

impl Map {
    /// The colour of a share of the range, 0..=1.
    pub fn colour(self, share: f64) -> Rgb {
        match self {
            Self::Sequential => between(&CIVIDIS, share),
            Self::Diverging => between(&DIVERGING, share),
        }
    }
}

/// The colour of a category; they repeat, and markers, dashes and hatches tell repetitions apart.
pub fn category(index: usize) -> Rgb {
    CATEGORIES[index % CATEGORIES.len()]
}

fn between(anchors: &[Rgb], share: f64) -> Rgb {
    let place = share.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
    let index = (place as usize).min(anchors.len() - 2);
    let part = place - index as f64;
    let mix = |channel: usize| {
        let (a, b) = (f64::from(anchors[index][channel]), f64::from(anchors[index + 1][channel]));
        (a + part * (b - a)).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

/// `#rrggbb`.
pub fn hex(colour: Rgb) -> String {
    format!("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2])
}

/// The contrast ratio of two colours, 1..=21, as the Web Content Accessibility Guidelines 2.1 define it.
pub fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: Rgb) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.03928 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

/// Black or white, whichever is easier to read on a colour; the better of the two is always above 4.5.
pub fn readable_on(colour: Rgb) -> Rgb {
    let black = [0, 0, 0];
    if contrast(colour, WHITE) >= contrast(colour, black) { WHITE } else { black }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn contrast_of_the_guidelines() {
        // WCAG 2.1: black on white is 21; #777777 on white is 4.48, the best known near miss of 4.5.
        assert!((contrast([0, 0, 0], WHITE) - 21.0).abs() < 1e-9);
        assert!((contrast([0x77, 0x77, 0x77], WHITE) - 4.48).abs() < 0.005);
        assert!(contrast(GREY, WHITE) >= 4.5 && contrast(INK, WHITE) >= 4.5);
        assert_eq!(hex([0, 114, 178]), "#0072b2");
    }

    #[test]
    fn the_sequential_map_gets_lighter_all_the_way() {
        let steps: Vec<f64> =
            (0..=100).map(|step| luminance(Map::Sequential.colour(f64::from(step) / 100.0))).collect();
        assert!(steps.windows(2).all(|pair| pair[0] <= pair[1] + 1e-3));
        assert_eq!(Map::Diverging.colour(0.5), [250, 250, 250]);
    }

    proptest! {
        #[test]
        fn text_on_a_cell_can_be_read(share in 0.0f64..=1.0, diverging: bool) {
            let colour = if diverging { Map::Diverging } else { Map::Sequential }.colour(share);
            prop_assert!(contrast(readable_on(colour), colour) >= 4.5);
        }
    }
}
