//! The font that is built in, so that a figure looks the same on every machine, and the width of a text in it.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::Database;
use ttf_parser::Face;

/// What a drawing asks for: the font that is built in, then fonts of the same widths, then any.
pub const FAMILY: &str = "Arimo, Arial, Helvetica, 'Liberation Sans', sans-serif";

/// Height of a capital letter, in units of the font's size.
pub const CAPITAL: f64 = 1409.0 / 2048.0;

static REGULAR: &[u8] = include_bytes!("../../assets/fonts/Arimo-Regular.ttf");
static BOLD: &[u8] = include_bytes!("../../assets/fonts/Arimo-Bold.ttf");

static FACES: LazyLock<[Face<'static>; 2]> =
    LazyLock::new(|| [REGULAR, BOLD].map(|bytes| Face::parse(bytes, 0).expect("the font that is built in is sound")));

static DATABASE: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut database = Database::new();
    database.load_font_data(REGULAR.to_vec());
    database.load_font_data(BOLD.to_vec());
    database.set_sans_serif_family("Arimo");
    Arc::new(database)
});

/// The fonts for drawing dots: those that are built in, and none of the machine's.
pub fn database() -> Arc<Database> {
    Arc::clone(&DATABASE)
}

/// The width of a line of text at a size. A character that the font lacks counts as a wide one.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let face = &FACES[usize::from(bold)];
    let advance = |c: char| {
        face.glyph_index(c).and_then(|glyph| face.glyph_hor_advance(glyph)).unwrap_or_else(|| face.units_per_em())
    };
    text.chars().map(|c| f64::from(advance(c))).sum::<f64>() / f64::from(face.units_per_em()) * size
}

/// Breaks a text into lines no wider than `room`, between words; a longer word stands alone.
pub fn wrapped(text: &str, size: f64, bold: bool, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, bold) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_the_published_metrics() {
        // Arial's and Arimo's advance widths in 1/2048: a digit 1139, `i` 455, `W` 1933; bold `i` 569.
        assert!((width("0", 2048.0, false) - 1139.0).abs() < 1e-9);
        assert!((width("iW", 2048.0, false) - (455.0 + 1933.0)).abs() < 1e-9);
        assert!((width("i", 2048.0, true) - 569.0).abs() < 1e-9);
    }

    #[test]
    fn every_character_that_figures_use_is_there() {
        for c in "αβσθ±×·–—…−⁻⁰¹²³⁴⁵⁶⁷⁸⁹≤≥≈→←µäöüßéñ".chars() {
            assert!(FACES.iter().all(|face| face.glyph_index(c).is_some()), "{c}");
        }
    }

    #[test]
    fn lines_break_between_words() {
        let lines = wrapped("Error bars are one standard deviation over seeds", 8.0, false, 80.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line, 8.0, false) <= 80.0), "{lines:?}");
        assert_eq!(wrapped("", 8.0, false, 80.0), Vec::<String>::new());
    }
}
