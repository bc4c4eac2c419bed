//! Checked claims on a terminal.

use super::sheet::{caption, remedy, signed, summary, title, wanted};
use super::verdict::Outcome;
use super::{Checked, by_claim, outcome};

/// The claims, each with its outcome in a symbol and a word, so that nothing depends on colour; then a line for each place.
pub fn draw(rows: &[Checked], ansi: bool) -> String {
    let mut text = format!("{}\n", summary(rows));
    let places: usize = rows.iter().map(|row| row.at.chars().count()).max().unwrap_or(0);
    for rows in by_claim(rows) {
        let section = match rows[0].section.as_str() {
            "" => String::new(),
            section => format!(" (section {section})"),
        };
        text += &format!("\n{} {}{section}\n", mark(outcome(rows), true, ansi), title(&rows[0]));
        let places = if rows.iter().all(|row| row.at.is_empty()) { 0 } else { places + 2 };
        for row in rows {
            let mark = if places == 0 { String::new() } else { format!("{} ", mark(row.outcome, false, ansi)) };
            let remedy = remedy(row).map(|remedy| format!("; {remedy}")).unwrap_or_default();
            text += &format!(
                "    {mark}{:<places$}{:>6} points ({} to {}), {} is claimed{remedy}\n",
                row.at,
                signed(row.effect, 1),
                signed(row.low, 1),
                signed(row.high, 1),
                wanted(row),
            );
        }
    }
    text + &format!("\n{}\n", caption(rows))
}

/// A symbol, with the word for it as wide as the longest one.
fn mark(outcome: Outcome, word: bool, ansi: bool) -> String {
    let (symbol, colour) = match outcome {
        Outcome::Pass => ('✓', "32"),
        Outcome::Undecided => ('?', "33"),
        Outcome::Fail => ('✗', "31"),
    };
    let text = if word { format!("{symbol} {:<9}", outcome.name()) } else { symbol.to_string() };
    if ansi { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::tests::rows;
    use super::draw;

    #[test]
    fn symbols_words_and_colours() {
        let plain = draw(&rows(), false);
        insta::assert_snapshot!(plain);
        let mut coloured = draw(&rows(), true);
        assert_eq!(coloured.matches("\u{1b}[32m").count(), 2);
        for code in ["0", "31", "32", "33"] {
            coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(coloured, plain);
    }
}
