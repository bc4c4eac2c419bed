//! Two results, file by file and value by value.
//!
//! Numbers in JSON, CSV, Parquet and safetensors are compared as numbers, everything else as text, line by line, or as
//! bytes. A difference names the file and the first place that matters.

mod json;
mod table;
mod tally;
mod tensors;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::Digest;
use crate::protocol::Files;

pub use tally::{Difference, Place, Tolerance};

use tally::Tally;

/// The files that differ between two results, given their digests and where they are.
pub fn differences(
    recorded: (&Files, &BTreeMap<String, Digest>),
    rerun: (&Files, &BTreeMap<String, Digest>),
    tolerance: Tolerance,
) -> Vec<Difference> {
    let names: std::collections::BTreeSet<&String> = recorded.1.keys().chain(rerun.1.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let mut tally = Tally::new(tolerance);
        match (recorded.1.get(name), rerun.1.get(name)) {
            (Some(a), Some(b)) if a == b => continue,
            (Some(_), Some(_)) => compare(&recorded.0.file(name), &rerun.0.file(name), &mut tally),
            (a, b) => {
                let there = |digest: Option<&Digest>| if digest.is_some() { "there" } else { "not there" };
                tally.other("the file", there(a), there(b));
            }
        }
        found.push(tally.of_file(name));
    }
    found
}

/// Compares two files as what their name says they are; as bytes when they are not that.
fn compare(recorded: &Path, rerun: &Path, tally: &mut Tally) {
    let kind = recorded.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let (Ok(a), Ok(b)) = (fs_err::read(recorded), fs_err::read(rerun)) else {
        return tally.other("the file", "can't be read", "can't be read");
    };
    let done = match kind {
        "json" => json::compare(&a, &b, tally),
        "jsonl" => json::compare_lines(&a, &b, tally),
        "csv" => table::compare_csv(&a, &b, tally),
        "parquet" => table::compare_parquet(&a, &b, tally),
        "safetensors" => tensors::compare(&a, &b, tally),
        _ => None,
    };
    if done.is_none() {
        tally.clear();
        text::compare(&a, &b, tally);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Difference, Tolerance, differences};
    use crate::base::Digest;

    /// What differs between two folders with these files.
    fn between(recorded: &[(&str, &[u8])], rerun: &[(&str, &[u8])], tolerance: f64) -> Vec<Difference> {
        let folder = tempfile::tempdir().unwrap();
        let write = |side: &str, files: &[(&str, &[u8])]| -> BTreeMap<String, Digest> {
            let root = folder.path().join(side);
            fs_err::create_dir_all(&root).unwrap();
            for (name, bytes) in files {
                fs_err::write(root.join(name), bytes).unwrap();
            }
            files.iter().map(|(name, bytes)| ((*name).to_owned(), Digest::of(bytes))).collect()
        };
        let (a, b) = (write("a", recorded), write("b", rerun));
        let (left, right) = (folder.path().join("a").into(), folder.path().join("b").into());
        differences((&left, &a), (&right, &b), Tolerance(tolerance))
    }

    /// The only file that differs: how many values, how many beyond the tolerance, and the sentence.
    fn one(name: &str, recorded: &[u8], rerun: &[u8], tolerance: f64) -> (usize, usize, String) {
        let found = between(&[(name, recorded), ("same", b"x")], &[(name, rerun), ("same", b"x")], tolerance);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].file, name);
        (found[0].values, found[0].beyond, found[0].to_string())
    }

    #[test]
    fn json_names_the_path_and_both_numbers() {
        let (values, beyond, text) =
            one("m.json", br#"{"a": [1, {"loss": 0.25}], "n": 1}"#, br#"{"a": [1, {"loss": 0.5}], "n": 1.0}"#, 1e-6);
        assert_eq!((values, beyond), (1, 1));
        assert_eq!(
            text,
            "`m.json`: 1 value differs, at a[1].loss: 0.25 in the record, 0.5 in the rerun; \
             largest difference 2.5e-1 absolute, 5.0e-1 relative"
        );
        assert_eq!(one("m.json", br#"{"a": 1.0}"#, br#"{"a": 1.0000001}"#, 1e-6).1, 0);
        assert_eq!(one("m.json", br#"{"a": 1}"#, br#"{"b": 1}"#, 1e-6).1, 2);
        assert_eq!(one("m.jsonl", b"{\"a\":1}\n{\"a\":2}\n", b"{\"a\":1}\n{\"a\":3}\n", 1e-6).1, 1);
        assert!(one("m.jsonl", b"{\"a\":1}\n{\"a\":2}\n", b"{\"a\":1}\n{\"a\":3}\n", 0.0).2.contains("line 2 a: 2 in"));
        assert!(one("m.jsonl", b"1\n", b"1\n2\n", 0.0).2.contains("at lines: 1 in the record, 2 in the rerun"));
    }

    #[test]
    fn json_that_means_the_same_has_no_value_that_differs() {
        let (values, beyond, text) = one("m.json", b"{\"a\": 1}", b"{\"a\":1.0}\n", 1e-6);
        assert_eq!((values, beyond), (0, 0));
        assert_eq!(text, "`m.json`: the same values, written in another way");
    }

    #[test]
    fn tables_name_line_and_column() {
        let (values, beyond, text) = one("t.csv", b"task,value\na,1\nb,2\n", b"task,value\na,1\nb,2.5\n", 1e-6);
        assert_eq!((values, beyond), (1, 1));
        assert!(text.contains("at line 3, column `value`: 2 in the record, 2.5 in the rerun"), "{text}");
        // A word is no number.
        let (_, beyond, text) = one("t.csv", b"task,value\na,1\n", b"task,value\nb,1\n", 1.0);
        assert_eq!(beyond, 1);
        assert!(text.contains("column `task`: a in the record, b in the rerun"), "{text}");
        assert!(one("t.csv", b"a\n1\n", b"a\n1\n2\n", 1.0).2.contains("at rows: 1 in the record, 2 in the rerun"));
        assert!(one("t.csv", b"a\n1\n", b"b\n1\n", 1.0).2.contains("at columns: a in the record, b in the rerun"));
    }

    #[test]
    fn tensors_name_the_tensor_and_the_element() {
        use safetensors::tensor::{Dtype, TensorView};
        let file = |numbers: [f32; 4]| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let view = TensorView::new(Dtype::F32, vec![2, 2], &bytes).unwrap();
            safetensors::serialize([("prompt", view)], None).unwrap()
        };
        let recorded = file([1.0, 2.0, 3.0, 4.0]);
        let (values, beyond, text) = one("p.safetensors", &recorded, &file([1.0, 2.0, 3.5, 4.0]), 1e-6);
        assert_eq!((values, beyond), (1, 1));
        assert!(text.contains("at `prompt`[1, 0]: 3 in the record, 3.5 in the rerun"), "{text}");
        // The step between two neighbouring f32 at 3 is 2.4e-7.
        let next = f32::from_bits(3.0f32.to_bits() + 1);
        let (values, beyond, text) = one("p.safetensors", &recorded, &file([1.0, 2.0, next, 4.0]), 1e-6);
        assert_eq!((values, beyond), (1, 0));
        assert!(text.contains("2.4e-7 absolute"), "{text}");
        assert_eq!(one("p.safetensors", &recorded, &file([1.0, f32::NAN, 3.0, 4.0]), 1.0).1, 1);
        let other =
            safetensors::serialize([("other", TensorView::new(Dtype::U8, vec![1], &[1]).unwrap())], None).unwrap();
        assert!(one("p.safetensors", &recorded, &other, 1.0).2.contains("2 values differ"));
    }

    #[test]
    fn text_names_the_line_and_bytes_the_offset() {
        let (_, beyond, text) = one("a.svg", b"one\ntwo\nthree", b"one\n2\nthree", 1.0);
        assert_eq!(beyond, 1);
        assert!(text.contains("at line 2: two in the record, 2 in the rerun"), "{text}");
        let (_, beyond, text) = one("a.png", b"\xff\x00\x01", b"\xff\x00\x02", 1.0);
        assert_eq!(beyond, 1);
        assert!(text.contains("at byte 2: 1 in the record, 2 in the rerun"), "{text}");
        // What is not what its name says is compared as bytes.
        assert!(one("a.json", b"{", b"}", 1.0).2.contains("at line 1: { in the record, } in the rerun"));
    }

    #[test]
    fn files_that_only_one_side_has_differ() {
        let found = between(&[("a", b"x")], &[("b", b"x")], 1.0);
        let sentences: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                "`a`: 1 value differs, at the file: there in the record, not there in the rerun",
                "`b`: 1 value differs, at the file: not there in the record, there in the rerun"
            ]
        );
    }
}
