//! Text line by line, anything else byte by byte.

use super::tally::Tally;

/// Compares two files; every difference counts as one beyond any tolerance.
pub(super) fn compare(recorded: &[u8], rerun: &[u8], tally: &mut Tally) {
    match (as_text(recorded), as_text(rerun)) {
        (Some(a), Some(b)) => lines(a, b, tally),
        _ => {
            let place = recorded.iter().zip(rerun).position(|(a, b)| a != b);
            match place {
                Some(at) => tally.other(format!("byte {at}"), recorded[at].to_string(), rerun[at].to_string()),
                None => tally.other("its length", recorded.len().to_string(), rerun.len().to_string()),
            }
        }
    }
}

fn as_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn lines(recorded: &str, rerun: &str, tally: &mut Tally) {
    let (mut a, mut b) = (recorded.split('\n'), rerun.split('\n'));
    let mut number = 0;
    loop {
        number += 1;
        match (a.next(), b.next()) {
            (None, None) => return,
            (a, b) => tally.other(format!("line {number}"), a.unwrap_or("no line"), b.unwrap_or("no line")),
        }
    }
}
