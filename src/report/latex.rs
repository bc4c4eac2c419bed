//! Tables for a paper: `tabular` with the rules of booktabs, the best of each column in bold, deviations as subscripts.

use super::grid::{Grid, GridCell};

/// What stands around the numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// What the table is about, before the words that say what its numbers are.
    pub caption: String,
    /// What `\ref` calls it; empty for none.
    pub label: String,
}

/// A `table` environment that needs `\usepackage{booktabs}` and nothing else.
pub fn table(grid: &Grid, frame: &Frame) -> String {
    let mut caption = grid.caption.text("mean and standard deviation (subscript)");
    if grid.rows.iter().flat_map(|row| row.cells.iter().flatten()).any(|cell| cell.best) {
        caption += "; the best mean of each column in bold";
    }
    let caption = match frame.caption.trim() {
        "" => caption,
        about => format!("{about} ({caption})"),
    };
    let blank = || grid.labels.iter().map(|_| String::new());
    let head = [
        grid.labels
            .iter()
            .map(|name| escape(name))
            .chain(grid.columns.iter().map(|column| escape(&column.name)))
            .collect(),
        blank().chain(grid.columns.iter().map(|column| escape(&column.metric))).collect(),
    ];
    let rows: Vec<Vec<String>> = grid
        .rows
        .iter()
        .map(|row| {
            let cells = row.cells.iter().map(|cell| cell.as_ref().map_or_else(|| "--".to_owned(), number));
            row.labels.iter().map(|label| escape(label)).chain(cells).collect()
        })
        .collect();
    let columns = "l".repeat(grid.labels.len()) + &"r".repeat(grid.columns.len());
    environment(&columns, &head, &rows, &Frame { caption, label: frame.label.clone() })
}

/// The environment around lines of cells that are LaTeX already; every line has one cell a column.
pub fn environment(columns: &str, head: &[Vec<String>], rows: &[Vec<String>], frame: &Frame) -> String {
    let lines =
        |rows: &[Vec<String>]| rows.iter().map(|cells| format!("{} \\\\\n", cells.join(" & "))).collect::<String>();
    let mut text = "% Needs \\usepackage{booktabs}.\n\\begin{table}\n\\centering\n".to_owned();
    text += &format!("\\caption{{{}}}\n", escape(&frame.caption));
    if !frame.label.is_empty() {
        text += &format!("\\label{{{}}}\n", frame.label);
    }
    text += &format!("\\begin{{tabular}}{{{columns}}}\n\\toprule\n{}\\midrule\n", lines(head));
    text + &lines(rows) + "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
}

fn number(cell: &GridCell) -> String {
    let mean = signed(&cell.mean);
    let mean = if cell.best { format!("\\textbf{{{mean}}}") } else { mean };
    match &cell.sd {
        Some(sd) => format!("{mean}$_{{{sd}}}$"),
        None => mean,
    }
}

/// A number with a minus sign instead of a hyphen.
pub fn signed(number: &str) -> String {
    number.strip_prefix('-').map_or_else(|| number.to_owned(), |rest| format!("$-${rest}"))
}

/// Text in which no character has a meaning of its own to LaTeX.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for character in text.chars() {
        // Side by side these become dashes and quotation marks.
        if "-`'".contains(character) && "-`'?!".contains(before) {
            escaped += "{}";
        }
        before = character;
        match character {
            '_' | '%' | '&' | '#' | '$' | '{' | '}' => escaped.extend(['\\', character]),
            '\\' => escaped += "\\textbackslash{}",
            '~' => escaped += "\\textasciitilde{}",
            '^' => escaped += "\\textasciicircum{}",
            '<' => escaped += "\\textless{}",
            '>' => escaped += "\\textgreater{}",
            '|' => escaped += "\\textbar{}",
            '±' => escaped += "$\\pm$",
            // Two line feeds would end a paragraph inside a cell.
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grid::tests::table_of;
    use super::*;

    /// What LaTeX prints for text made of the commands that [`escape`] uses.
    fn printed(latex: &str) -> String {
        const WORDS: [(&str, &str); 8] = [
            ("{}", ""),
            ("\\textbackslash{}", "\\"),
            ("\\textasciitilde{}", "~"),
            ("\\textasciicircum{}", "^"),
            ("\\textless{}", "<"),
            ("\\textgreater{}", ">"),
            ("\\textbar{}", "|"),
            ("$\\pm$", "±"),
        ];
        let mut rest = latex;
        let mut text = String::new();
        while let Some(first) = rest.chars().next() {
            if let Some((command, stands_for)) = WORDS.iter().find(|(command, _)| rest.starts_with(command)) {
                text += stands_for;
                rest = &rest[command.len()..];
            } else if let Some(after) = rest.strip_prefix('\\') {
                let literal = after.chars().next().unwrap();
                assert!("_%&#${}".contains(literal), "unknown command in {latex}");
                text.push(literal);
                rest = &after[literal.len_utf8()..];
            } else {
                assert!(!"_%&#${}~^".contains(first), "a bare {first} in {latex}");
                assert!(
                    !["--", "``", "''", "?`", "!`"].iter().any(|pair| rest.starts_with(pair)),
                    "a ligature in {latex}"
                );
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        text
    }

    /// Braces that are not escaped, opened less closed; never below zero.
    fn open_braces(latex: &str) -> i32 {
        let (mut open, mut escaped) = (0, false);
        for character in latex.chars() {
            match character {
                '{' if !escaped => open += 1,
                '}' if !escaped => open -= 1,
                _ => {}
            }
            assert!(open >= 0, "{latex}");
            escaped = character == '\\' && !escaped;
        }
        open
    }

    fn separators(line: &str) -> usize {
        line.replace("\\&", "").matches('&').count()
    }

    #[test]
    fn every_special_character() {
        assert_eq!(
            escape("a_b 5% R&D #1 $x$ {y} ~ ^ \\ <|>"),
            "a\\_b 5\\% R\\&D \\#1 \\$x\\$ \\{y\\} \\textasciitilde{} \\textasciicircum{} \\textbackslash{} \
             \\textless{}\\textbar{}\\textgreater{}"
        );
        assert_eq!(escape("two\n\nlines"), "two  lines");
    }

    #[test]
    fn a_whole_table() {
        let mut table = table_of(&["accuracy", "nll"], &[vec![Some(87.04), Some(-0.5)], vec![Some(60.0), None]]);
        table.columns[0].value = "yelp_polarity".to_owned();
        table.rows[1].key[0] = "R&D_1".to_owned();
        let frame = Frame { caption: "50% of SET2".to_owned(), label: "tab:set2".to_owned() };
        assert_eq!(
            super::table(&Grid::of(&table, 1), &frame),
            "% Needs \\usepackage{booktabs}.\n\
             \\begin{table}\n\
             \\centering\n\
             \\caption{50\\% of SET2 (mean and standard deviation (subscript) over 3 runs; average: mean over the tasks; \
             the best mean of each column in bold)}\n\
             \\label{tab:set2}\n\
             \\begin{tabular}{lrr}\n\
             \\toprule\n\
             method & yelp-polarity & t1 \\\\\n \
             & accuracy & nll \\\\\n\
             \\midrule\n\
             a & \\textbf{87.0}$_{1.0}$ & $-$0.5$_{1.0}$ \\\\\n\
             R\\&D-1 & 60.0$_{1.0}$ & -- \\\\\n\
             \\bottomrule\n\
             \\end{tabular}\n\
             \\end{table}\n"
        );
    }

    proptest! {
        #[test]
        fn escaped_text_is_printed_as_it_was(text in "[ -~±äß]{0,40}") {
            prop_assert_eq!(printed(&escape(&text)), text.clone());
            prop_assert_eq!(open_braces(&escape(&text)), 0);
        }

        #[test]
        fn any_names_leave_a_well_formed_table(
            names in prop::collection::vec("[ -~]{1,12}", 4),
            means in prop::collection::vec(prop::collection::vec(prop::option::of(-50.0f64..50.0), 2), 1..5),
        ) {
            let mut table = table_of(&["accuracy", "accuracy"], &means);
            table.row_axes[0].clone_from(&names[0]);
            table.columns[0].value.clone_from(&names[1]);
            table.rows[0].key[0].clone_from(&names[2]);
            let frame = Frame { caption: names[3].clone(), label: String::new() };
            let text = super::table(&Grid::of(&table, 1), &frame);
            prop_assert_eq!(open_braces(&text), 0);
            let lines: Vec<&str> = text.lines().filter(|line| line.ends_with("\\\\")).collect();
            prop_assert_eq!(lines.len(), 2 + means.len());
            prop_assert!(lines.iter().all(|line| separators(line) == 2), "{}", text);
        }
    }
}
