//! The language of claims: `mean(method=[mst, spp]) > mean(method=pt) + 2`.
//!
//! ```text
//! claim  = sum (">" | "<") sum | sum "~" sum "within" number
//! sum    = ["+" | "-"] term { ("+" | "-") term }
//! term   = "mean" "(" [ choice { "," choice } ] ")" | "chance" | number
//! choice = axis "=" value | axis "=" "[" value { "," value } "]"
//! ```

use crate::base::suggest;

/// What a claim says of the results.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What stands before the relation.
    pub left: Vec<Signed>,
    /// How the sides are compared.
    pub relation: Relation,
    /// What stands after it.
    pub right: Vec<Signed>,
}

/// How two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relation {
    /// `>`: left is more.
    Above,
    /// `<`: left is less.
    Below,
    /// `~ ... within N`: they differ by less than N.
    Within(f64),
}

/// A term that is added or taken away.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// 1 or -1.
    pub sign: f64,
    /// The term.
    pub term: Term,
}

/// One quantity.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// `mean(...)`: the mean score of the chosen cells.
    Mean(Selection),
    /// `chance`: what the most frequent gold text of each task would score.
    Chance,
    /// A number of points.
    Number(f64),
}

/// Which cells a mean is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// For each axis that is named, its values; in the order in which they are written.
    pub choices: Vec<(String, Vec<String>)>,
    /// As it is written, for messages.
    pub text: String,
}

/// Why a text is no claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What was found, and what would be accepted.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Statement {
    /// Reads a claim.
    ///
    /// # Errors
    /// The first fault, with what stands before it.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parser = Parser { text, at: 0 };
        let left = parser.sum()?;
        let symbol = parser.relation()?;
        let right = parser.sum()?;
        let relation = match symbol {
            '>' => Relation::Above,
            '<' => Relation::Below,
            _ => parser.within()?,
        };
        parser.end()?;
        let statement = Self { left, relation, right };
        if statement.terms().all(|(_, term)| !matches!(term, Term::Mean(_))) {
            let help = "write what is compared, for example `mean(method=spp) > mean(method=pt)`";
            return Err(SyntaxError { message: "no `mean(...)` is compared".to_owned(), help: Some(help.to_owned()) });
        }
        Ok(statement)
    }

    /// Every term with its sign in left - right.
    pub fn terms(&self) -> impl Iterator<Item = (f64, &Term)> {
        let left = self.left.iter().map(|signed| (signed.sign, &signed.term));
        left.chain(self.right.iter().map(|signed| (-signed.sign, &signed.term)))
    }

    /// The sum of the numbers in left - right.
    pub fn number(&self) -> f64 {
        let numbers = self.terms().filter_map(|(sign, term)| match term {
            Term::Number(number) => Some(sign * number),
            Term::Mean(_) | Term::Chance => None,
        });
        // Starting at a positive zero: the sum of nothing is negative zero.
        numbers.fold(0.0, |sum, number| sum + number)
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte position of what is read next.
    at: usize,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Vec<Signed>, SyntaxError> {
        let mut sign = self.sign().unwrap_or(1.0);
        let mut terms = Vec::new();
        loop {
            terms.push(Signed { sign, term: self.term()? });
            match self.sign() {
                Some(next) => sign = next,
                None => return Ok(terms),
            }
        }
    }

    fn sign(&mut self) -> Option<f64> {
        match self.peek()? {
            '+' => self.skip('+').then_some(1.0),
            '-' => self.skip('-').then_some(-1.0),
            _ => None,
        }
    }

    fn term(&mut self) -> Result<Term, SyntaxError> {
        const EXPECTED: &str = "`mean(...)`, `chance` or a number";
        let first = self.peek();
        if first.is_some_and(|c| c.is_ascii_digit() || c == '.') {
            return Ok(Term::Number(self.number()?));
        }
        let start = self.at;
        match self.word(|c| c.is_alphanumeric() || c == '_') {
            "mean" => Ok(Term::Mean(self.selection(start)?)),
            "chance" => Ok(Term::Chance),
            "" => Err(self.expected(EXPECTED)),
            other => {
                self.at = start;
                let help = suggest::nearest(other, ["mean", "chance"]).map(|name| format!("did you mean `{name}`?"));
                Err(SyntaxError { help, ..self.expected(EXPECTED) })
            }
        }
    }

    fn selection(&mut self, start: usize) -> Result<Selection, SyntaxError> {
        let mut choices: Vec<(String, Vec<String>)> = Vec::new();
        if !self.skip('(') {
            return Err(self.expected("`(`"));
        }
        if !self.skip(')') {
            loop {
                let (axis, values) = self.choice()?;
                if choices.iter().any(|(other, _)| *other == axis) {
                    let help = format!("write all its values in one list: `{axis}=[a, b]`");
                    let message = format!("the axis `{axis}` is named twice in one `mean(...)`");
                    return Err(SyntaxError { message, help: Some(help) });
                }
                choices.push((axis, values));
                if self.skip(')') {
                    break;
                }
                if !self.skip(',') {
                    return Err(self.expected("`,` or `)`"));
                }
            }
        }
        Ok(Selection { choices, text: self.text[start..self.at].to_owned() })
    }

    fn choice(&mut self) -> Result<(String, Vec<String>), SyntaxError> {
        let axis = self.word(|c| c.is_alphanumeric() || c == '_').to_owned();
        if axis.is_empty() {
            return Err(self.expected("the name of an axis"));
        }
        if !self.skip('=') {
            return Err(self.expected("`=`"));
        }
        if !self.skip('[') {
            return Ok((axis, vec![self.value()?]));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            if self.skip(']') {
                return Ok((axis, values));
            }
            if !self.skip(',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn value(&mut self) -> Result<String, SyntaxError> {
        if let Some(quote) = self.peek().filter(|c| matches!(c, '\'' | '"')) {
            self.skip(quote);
            let rest = &self.text[self.at..];
            let Some(length) = rest.find(quote) else { return Err(self.expected(&format!("a closing `{quote}`"))) };
            self.at += length + quote.len_utf8();
            return Ok(rest[..length].to_owned());
        }
        match self.word(|c| !c.is_whitespace() && !",[]()=<>~'\"".contains(c)) {
            "" => Err(self.expected("a value")),
            value => Ok(value.to_owned()),
        }
    }

    fn relation(&mut self) -> Result<char, SyntaxError> {
        let Some(symbol) = self.peek().filter(|c| "<>~".contains(*c)) else {
            return Err(self.expected("`>`, `<`, `~`, `+` or `-`"));
        };
        self.skip(symbol);
        if self.text[self.at..].starts_with('=') {
            let help = format!("write `{symbol}`: an interval tells no `{symbol}` from `{symbol}=`");
            return Err(SyntaxError { help: Some(help), ..self.expected("a term") });
        }
        Ok(symbol)
    }

    fn within(&mut self) -> Result<Relation, SyntaxError> {
        self.peek();
        let start = self.at;
        if self.word(char::is_alphabetic) != "within" {
            self.at = start;
            let help = "say how near is near enough: `mean(...) ~ mean(...) within 2`";
            return Err(SyntaxError { help: Some(help.to_owned()), ..self.expected("`within`") });
        }
        self.peek();
        let start = self.at;
        let number = self.number()?;
        if number == 0.0 {
            self.at = start;
            return Err(self.expected("a number above 0"));
        }
        Ok(Relation::Within(number))
    }

    fn number(&mut self) -> Result<f64, SyntaxError> {
        self.peek();
        let start = self.at;
        let mut before = ' ';
        let text = self.word(|c| {
            let part = c.is_ascii_alphanumeric() || c == '.' || ("+-".contains(c) && "eE".contains(before));
            before = c;
            part
        });
        text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0).ok_or_else(|| {
            self.at = start;
            self.expected("a number")
        })
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            None => Ok(()),
            Some('<' | '>' | '~' | '=') => {
                let help = "a claim has one relation; write a second claim for the second one";
                Err(SyntaxError { help: Some(help.to_owned()), ..self.expected("the end") })
            }
            Some(_) => Err(self.expected("`+`, `-` or the end")),
        }
    }

    /// The next character that is no space; what is before it is skipped.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    /// Takes `wanted` if it comes next.
    fn skip(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// Takes the characters that belong to a word.
    fn word(&mut self, mut belongs: impl FnMut(char) -> bool) -> &'a str {
        self.peek();
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// What would be accepted here, what stands before, what was found.
    fn expected(&mut self, what: &str) -> SyntaxError {
        let found = match self.peek() {
            None => "nothing more".to_owned(),
            Some(c) if c.is_alphanumeric() => {
                let start = self.at;
                let word = self.word(|c| c.is_alphanumeric() || c == '_');
                self.at = start;
                format!("`{word}`")
            }
            Some(c) => format!("`{c}`"),
        };
        let before = self.text[..self.at].trim();
        let place = if before.is_empty() { String::new() } else { format!(" after `{before}`") };
        SyntaxError { message: format!("expected {what}{place}, found {found}"), help: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean(choices: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        choices.iter().map(|(axis, list)| ((*axis).to_owned(), values(list))).collect()
    }

    fn choices(term: &Term) -> &[(String, Vec<String>)] {
        match term {
            Term::Mean(selection) => &selection.choices,
            other => panic!("{other:?} is no mean"),
        }
    }

    #[test]
    fn claims_are_read() {
        let read = Statement::parse("mean(method=[mst,spp , scp], k=1e-5)>mean( method = pt )+ 2.5").unwrap();
        assert_eq!(read.relation, Relation::Above);
        assert_eq!(choices(&read.left[0].term), mean(&[("method", &["mst", "spp", "scp"]), ("k", &["1e-5"])]));
        assert_eq!(choices(&read.right[0].term), mean(&[("method", &["pt"])]));
        assert_eq!(read.number(), -2.5);
        let Term::Mean(selection) = &read.right[0].term else { unreachable!() };
        assert_eq!(selection.text, "mean( method = pt )");

        let read =
            Statement::parse("-5 + mean(backbone='a b', part=google-t5/t5-base) - chance ~ mean() within 1e1").unwrap();
        assert_eq!(read.relation, Relation::Within(10.0));
        assert_eq!(choices(&read.left[1].term)[0].1, ["a b"]);
        assert_eq!(choices(&read.left[1].term)[1].1, ["google-t5/t5-base"]);
        assert_eq!((read.left[2].sign, &read.left[2].term), (-1.0, &Term::Chance));
        let signs: Vec<f64> = read.terms().map(|(sign, _)| sign).collect();
        assert_eq!(signs, [-1.0, 1.0, -1.0, -1.0]);
    }

    #[test]
    fn faults_say_what_is_accepted_and_where() {
        let said = |text: &str| {
            let error = Statement::parse(text).unwrap_err();
            format!("{} | {}", error.message, error.help.unwrap_or_default())
        };
        let faults = [
            "",
            "maen(method=spp) > 3",
            "mean(method=spp",
            "mean(method=spp k=3) > 1",
            "mean(method) > 1",
            "mean(method=) > 1",
            "mean(method=[spp scp]) > 1",
            "mean(method=spp, method=scp) > 1",
            "mean(method='spp) > 1",
            "mean(=spp) > 1",
            "mean() >= 1",
            "mean() = 1",
            "mean() > 1 > 2",
            "mean() > 1 2",
            "mean() > 1.2.3",
            "mean() ~ chance",
            "mean() ~ chance within -1",
            "mean() ~ chance within 0",
            "chance > 3",
            "mean() > ",
        ];
        let text: Vec<String> = faults.iter().map(|fault| format!("{fault}\n    {}", said(fault))).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9 .=<>~+,()\\[\\]'éß-]{0,40}") {
            if let Err(error) = Statement::parse(&text) {
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}
