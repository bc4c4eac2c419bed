//! How differences look: as CSV, Markdown and rows of texts.

use polars::prelude::DataFrame;

use super::super::{ReportError, fixed, sheet, shown};
use super::{Difference, Differences};

impl Differences {
    /// The frame of `comparison.csv`, unrounded.
    ///
    /// # Errors
    /// Two columns have one name.
    pub fn frame(&self) -> Result<DataFrame, ReportError> {
        let texts =
            |name: &str, of: &dyn Fn(&Difference) -> String| sheet::text_column(name, self.lines.iter().map(of));
        let numbers =
            |name: &str, of: &dyn Fn(&Difference) -> Option<f64>| sheet::number_column(name, self.lines.iter().map(of));
        let mut columns: Vec<_> =
            self.names.iter().enumerate().map(|(at, name)| texts(name, &|line| line.keys[at].clone())).collect();
        columns.push(texts("metric", &|line| line.metric.clone()));
        columns.push(numbers("a", &|line| line.a));
        columns.push(numbers("b", &|line| line.b));
        columns.push(sheet::count_column("n", self.lines.iter().map(|line| Some(line.n as u64))));
        columns.push(numbers("difference", &|line| line.difference));
        columns.push(numbers("low", &|line| line.ends().map(|ends| ends.0)));
        columns.push(numbers("high", &|line| line.ends().map(|ends| ends.1)));
        columns.push(texts("interval", &|line| line.interval.to_owned()));
        columns.push(texts("beyond_noise", &|line| verdict(line).to_owned()));
        sheet::frame(columns)
    }

    /// The lines as rows of texts below their header, for tables of any kind; the last cell of a row is its verdict.
    pub fn rows(&self, digits: usize) -> Vec<Vec<String>> {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| fixed(value, digits));
        let head = self.names.iter().map(String::as_str).chain([
            "metric",
            "A",
            "B",
            "n",
            "A - B",
            "95 % interval",
            "beyond noise",
        ]);
        let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
        rows.extend(self.lines.iter().map(|line| {
            let ends = line.ends().map_or_else(
                || "-".to_owned(),
                |(low, high)| format!("{} to {}", fixed(low, digits), fixed(high, digits)),
            );
            let mut row: Vec<String> = line.keys.iter().chain([&line.metric]).map(|text| shown(text)).collect();
            row.extend([number(line.a), number(line.b), line.n.to_string(), number(line.difference), ends]);
            row.push(verdict(line).to_owned());
            row
        }));
        rows
    }

    /// The comparison in Markdown, differences beyond noise in bold.
    pub fn markdown(&self, digits: usize) -> String {
        let mut text = format!("A is {}, B is {}. {}\n\n", self.a, self.b, self.summary());
        for (at, row) in self.rows(digits).into_iter().enumerate() {
            let bold = row.last().is_some_and(|verdict| verdict == "yes");
            let difference = row.len() - 3;
            let cells = row.iter().enumerate().map(|(place, cell)| {
                let cell = cell.replace('|', "\\|");
                if bold && place == difference { format!("**{cell}**") } else { cell }
            });
            text += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
            if at == 0 {
                text += &format!("|{}{}\n", " --- |".repeat(self.names.len() + 1), " ---: |".repeat(6));
            }
        }
        text
    }

    /// How many cells both have, how many differ by more than noise, and what is missing.
    pub fn summary(&self) -> String {
        let both = self.compared();
        let judged = self.lines.iter().filter(|line| line.beyond_noise().is_some()).count();
        let only = |side: fn(&Difference) -> (bool, bool)| {
            self.lines.iter().filter(|line| side(line) == (true, false)).count()
        };
        let only_a = only(|line| (line.a.is_some(), line.b.is_some()));
        let only_b = only(|line| (line.b.is_some(), line.a.is_some()));
        format!(
            "{both} cells in both; {} of {judged} differ beyond noise; only in A: {only_a}, only in B: {only_b}",
            self.beyond_noise()
        )
    }
}

fn verdict(line: &Difference) -> &'static str {
    match line.beyond_noise() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}
