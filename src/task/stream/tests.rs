use proptest::prelude::*;
use serde_json::Value;

use super::csv::{Records, push_record};
use super::{CSV, Reader, Row, Shape, TSV, Writer};
use crate::protocol::Answer;

fn rows(text: &str, shape: Shape) -> Vec<Result<Row, String>> {
    let reader = Reader::open(text.as_bytes(), shape, "`in`").unwrap();
    reader.map(|row| row.map_err(|error| error.message)).collect()
}

fn fault(text: &str, shape: Shape) -> String {
    match Reader::open(text.as_bytes(), shape, "`in`") {
        Err(error) => error.message,
        Ok(reader) => reader.filter_map(Result::err).next().expect("a fault").message,
    }
}

/// What is written for a text when every row is answered with `yes` and the log-likelihoods -1 and -3.
fn answered(text: &str, from: Shape, to: Shape, scores: bool) -> String {
    let labels = if scores { vec!["yes".to_owned(), "no".to_owned()] } else { Vec::new() };
    let mut output = Vec::new();
    let mut writer = Writer::new(&mut output, to, labels);
    for row in rows(text, from) {
        let row = row.unwrap();
        writer.accept(&row.names(), row.line).unwrap();
        let answer = Answer { text: "yes".to_owned(), scores: vec![-1.0, -3.0] };
        writer.write(&[row], &[answer]).unwrap();
    }
    String::from_utf8(output).unwrap()
}

#[test]
fn rows_keep_their_lines_and_texts() {
    let text = "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\"\r\n\r\n\"two\nlines\",\n5\" pipe,\"\"";
    let found: Vec<_> = rows(text, CSV).into_iter().map(|row| row.unwrap()).collect();
    let cells: Vec<_> = found.iter().map(|row| (row.line, row.text("a").unwrap(), row.text("b").unwrap())).collect();
    let expected = [(2, "1", "x, \"y\""), (4, "two\nlines", ""), (6, "5\" pipe", "")];
    assert_eq!(cells, expected.map(|(line, a, b)| (line, a.to_owned(), b.to_owned())));
    let tabs = rows("a\tb\n1,2\t3\n", TSV)[0].clone().unwrap();
    assert_eq!(tabs.text("a").unwrap(), "1,2");
}

#[test]
fn faults_name_the_line() {
    assert_eq!(fault("", CSV), "`in` is empty: a header with columns is missing");
    assert_eq!(fault("a,a\n", CSV), "`in` has the column `a` twice");
    assert_eq!(fault("a,b\n1,2\n3\n", CSV), "line 3 of `in`: 1 field, but the header has 2");
    assert_eq!(fault("a\n\"x\n\n", CSV), "line 2 of `in`: a quote is opened and never closed");
    assert_eq!(
        fault("a\n\"x\" y\n", CSV),
        "line 2 of `in`: field 1 goes on after its closing quote; a quote inside is doubled"
    );
    let json = Shape::JsonLines;
    assert_eq!(fault("{\"a\": 1}\n\n{\"a\" 1}\n", json), "line 3 of `in`: no JSON object: expected `:` at column 6");
    assert!(fault("[{\"a\": 1}]", json).starts_with("line 1 of `in`: expected an object, found a list"));
    let row = rows("{\"text\": null, \"n\": 3, \"l\": [1]}", json)[0].clone().unwrap();
    let refused = |column: &str| row.text(column).unwrap_err().message;
    assert_eq!(refused("text"), "`text` is null, expected a text");
    assert_eq!(refused("l"), "`l` is `[1]`, expected a text");
    assert_eq!(refused("tex"), "the column `tex` is missing, found `text`, `n`, `l`; is it `text`?");
    assert_eq!(row.text("n").unwrap(), "3");
}

#[test]
fn a_quote_left_open_does_not_fill_the_memory() {
    let endless = format!("a\n\"{}", "x\n".repeat(9 << 20));
    let message = fault(&endless, CSV);
    assert_eq!(message, "line 2 of `in`: the row is longer than 16 MiB; perhaps a quote is not closed");
}

#[test]
fn answers_go_behind_what_was_there() {
    let json = Shape::JsonLines;
    assert_eq!(answered("id,t\n7,\"a, b\"\n", CSV, CSV, false), "id,t,prediction\n7,\"a, b\",yes\n");
    assert_eq!(answered("t\na\n", CSV, json, false), "{\"t\": \"a\", \"prediction\": \"yes\"}\n");
    // Numbers and nested values stay as they were written, and so does their order.
    let object = "{\"z\": 1.50, \"a\": {\"b\": {}}}";
    assert_eq!(answered(object, json, json, false), "{\"z\": 1.50, \"a\": {\"b\": {}}, \"prediction\": \"yes\"}\n");
    assert_eq!(answered(object, json, CSV, false), "z,a,prediction\n1.5,\"{\"\"b\"\":{}}\",yes\n");
    // By hand: 1 / (1 + e^-2) = 0.880797.
    assert_eq!(
        answered("t\na\n", CSV, CSV, true),
        "t,prediction,log_likelihood_yes,log_likelihood_no,probability_yes,probability_no\n\
         a,yes,-1,-3,0.880797,0.119203\n"
    );
    let scored: Value = serde_json::from_str(&answered(object, json, json, true)).unwrap();
    assert_eq!(scored["probability"]["no"], 0.119203);
    assert_eq!(scored["log_likelihood"]["yes"], -1.0);
}

#[test]
fn rows_that_can_not_be_written_are_refused_before_they_are_answered() {
    let mut writer = Writer::new(Vec::new(), CSV, Vec::new());
    let taken = writer.accept(&["prediction"], 1).unwrap_err().message;
    assert_eq!(taken, "there is a `prediction` already, where the answer goes; rename it in the input");
    writer.accept(&["a", "b"], 1).unwrap();
    writer.accept(&["b"], 2).unwrap();
    let refused = writer.accept(&["b", "c"], 3).unwrap_err();
    assert_eq!(refused.line, 3);
    assert!(refused.message.starts_with("`c` is not in the first row"), "{}", refused.message);
}

#[test]
fn shapes_are_told_by_name_or_first_byte() {
    let names = ["a.csv", "b.TSV", "c.jsonl", "d.ndjson", "e.json"];
    let json = Shape::JsonLines;
    assert_eq!(names.map(Shape::of_name), [Some(CSV), Some(TSV), Some(json), Some(json), Some(json)]);
    assert_eq!(Shape::of_name("a.parquet"), None);
    assert_eq!(Shape::sniff(&mut "\n {\"a\": 1}".as_bytes()).unwrap(), json);
    assert_eq!(Shape::sniff(&mut "a,b\n".as_bytes()).unwrap(), CSV);
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in prop::collection::vec(prop::collection::vec("[a\",\n\r\té ]{0,6}", 1..4), 0..6)) {
        let mut text = String::new();
        for record in &records {
            push_record(&mut text, record, b',');
        }
        let read: Vec<Vec<String>> = Records::new(text.as_bytes(), b',').map(|record| record.unwrap().1).collect();
        prop_assert_eq!(read, records);
    }
}
