//! How a comparison looks: as CSV, Markdown, LaTeX and in a line.

use std::collections::BTreeSet;

use polars::prelude::DataFrame;

use super::super::statistics::Summary;
use super::super::{AVERAGE, ReportError, fixed, latex, sheet, shown};
use super::{Comparison, Line, is_average};

impl Comparison {
    /// The frame of `comparison.csv`.
    ///
    /// # Errors
    /// Two columns have one name.
    pub fn frame(&self, digits: usize) -> Result<DataFrame, ReportError> {
        let texts = |name: &str, of: &dyn Fn(&Line) -> String| sheet::text_column(name, self.lines.iter().map(of));
        let number = |value: Option<f64>| value.map(|value| fixed(value, digits)).unwrap_or_default();
        let mut columns: Vec<_> =
            self.names.iter().enumerate().map(|(at, name)| texts(name, &|line| line.keys[at].clone())).collect();
        columns.push(texts("metric", &|line| line.metric.clone()));
        columns.push(texts("published metric", &|line| line.published_metric.clone()));
        columns.push(texts("published", &|line| number(line.published)));
        columns.push(texts("ours mean", &|line| number(line.ours.map(|ours| ours.mean))));
        columns.push(texts("ours sd", &|line| number(line.ours.and_then(|ours| ours.sd))));
        columns.push(texts("n", &|line| line.ours.map(|ours| ours.n.to_string()).unwrap_or_default()));
        columns.push(texts("difference", &|line| number(line.difference)));
        columns.push(texts("low", &|line| number(line.interval().map(|interval| interval.0))));
        columns.push(texts("high", &|line| number(line.interval().map(|interval| interval.1))));
        columns.push(texts("within_noise", &|line| verdict(line).to_owned()));
        sheet::frame(columns)
    }

    /// The comparison as a Markdown table, below one line that sums it up.
    pub fn markdown(&self, digits: usize) -> String {
        let number = |value: Option<f64>| value.map(|value| fixed(value, digits)).unwrap_or_default();
        let mut text = format!("{}\n\n|", self.summary(digits));
        for name in self.names.iter().map(String::as_str).chain(["metric"]) {
            text += &format!(" {name} |");
        }
        text += " published | ours | difference | within noise |\n|";
        text += &" --- |".repeat(self.names.len() + 1);
        text += " ---: | ---: | ---: | --- |\n";
        for line in &self.lines {
            text += "|";
            for key in line.keys.iter().chain([line.known_metric()]) {
                text += &format!(" {} |", shown(key).replace('|', "\\|"));
            }
            let ours = match line.ours {
                Some(Summary { mean, sd: Some(sd), .. }) => format!("{} ± {}", fixed(mean, digits), fixed(sd, digits)),
                ours => number(ours.map(|ours| ours.mean)),
            };
            let (published, difference) = (number(line.published), number(line.difference));
            text += &format!(" {published} | {ours} | {difference} | {} |\n", verdict(line));
        }
        let unlike = self.unlike();
        if !unlike.is_empty() {
            text += "\nNot compared, because the numbers are in different metrics:\n\n";
        }
        for (task, ours, published) in unlike {
            text += &format!("- {}: ours is {}, published is {}\n", shown(task), shown(ours), shown(published));
        }
        text
    }

    /// The comparison in LaTeX; a difference beyond noise is bold.
    pub fn latex(&self, digits: usize, frame: &latex::Frame) -> String {
        let number =
            |value: Option<f64>| value.map_or_else(|| "--".to_owned(), |value| latex::signed(&fixed(value, digits)));
        let names = self.names.iter().map(String::as_str);
        let head = names.chain(["metric", "published", "ours", "difference"]).map(latex::escape).collect();
        let rows: Vec<Vec<String>> = self
            .lines
            .iter()
            .map(|line| {
                let mut row: Vec<String> =
                    line.keys.iter().chain([line.known_metric()]).map(|text| latex::escape(&shown(text))).collect();
                let sd = line.ours.and_then(|ours| ours.sd).map(|sd| format!("$_{{{}}}$", fixed(sd, digits)));
                let ours = number(line.ours.map(|ours| ours.mean)) + &sd.unwrap_or_default();
                let difference = number(line.difference);
                let beyond = line.within_noise == Some(false);
                row.extend([number(line.published), ours]);
                row.push(if beyond { format!("\\textbf{{{difference}}}") } else { difference });
                row
            })
            .collect();
        let words = format!(
            "{}; ours with its standard deviation (subscript), differences beyond noise in bold",
            self.summary(digits)
        );
        let caption = if frame.caption.is_empty() { words } else { format!("{} ({words})", frame.caption) };
        let columns = "l".repeat(self.names.len() + 1) + "rrr";
        latex::environment(&columns, &[head], &rows, &latex::Frame { caption, label: frame.label.clone() })
    }

    /// Tasks whose numbers do not compare, with our metric and the published one.
    fn unlike(&self) -> BTreeSet<(&str, &str, &str)> {
        let unlike = self.lines.iter().filter(|line| {
            let both = line.ours.is_some() && line.published.is_some() && line.difference.is_none();
            both && !is_average(line) && !line.published_metric.is_empty()
        });
        unlike.map(|line| (line.keys.last().map_or("", |task| task), &*line.metric, &*line.published_metric)).collect()
    }

    /// How many cells have a partner, how many of those are within noise, and the mean difference.
    pub fn summary(&self, digits: usize) -> String {
        // Averages would count their tasks twice.
        let differences: Vec<(f64, Option<bool>)> = self
            .lines
            .iter()
            .filter(|line| line.keys.last().is_none_or(|task| task != AVERAGE))
            .filter_map(|line| Some((line.difference?, line.within_noise)))
            .collect();
        let ours = self.lines.iter().filter(|line| line.ours.is_some() && line.published.is_none()).count();
        let published = self.lines.iter().filter(|line| line.ours.is_none() && line.published.is_some()).count();
        let without = format!("without a partner: {ours} of ours, {published} published");
        if differences.is_empty() {
            return format!("no cell of a task has a published partner; {without}");
        }
        let judged = differences.iter().filter(|(_, within)| within.is_some()).count();
        let within = differences.iter().filter(|(_, within)| *within == Some(true)).count();
        let mean = differences.iter().map(|(difference, _)| difference).sum::<f64>() / differences.len() as f64;
        format!(
            "{} cells have a published partner; {within} of {judged} are within noise; ours less published is {} on \
             average; {without}",
            differences.len(),
            fixed(mean, digits)
        )
    }
}

fn verdict(line: &Line) -> &'static str {
    match line.within_noise {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    }
}
