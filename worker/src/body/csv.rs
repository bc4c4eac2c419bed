//! Writes CSV (RFC 4180): fields with commas, quotes or line breaks are quoted.

use compt::task::stream::csv;

/// A table under construction.
#[derive(Debug, Default)]
pub struct Csv {
    text: String,
}

impl Csv {
    /// A table with this header.
    pub fn new(header: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(header);
        table
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, fields: &[T]) {
        csv::push_record(&mut self.text, fields, b',');
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::Csv;

    #[test]
    fn quotes_where_needed() {
        let mut table = Csv::new(&["a", "b"]);
        table.row(&["x, y", "say \"no\""]);
        table.row(&["line\nbreak", ""]);
        assert_eq!(table.into_text(), "a,b\n\"x, y\",\"say \"\"no\"\"\"\n\"line\nbreak\",\n");
    }
}
