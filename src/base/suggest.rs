//! "Did you mean": the known name that is nearest to what was typed.

/// The nearest of `known`, when it is near enough to be a slip of the finger.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len().max(typed.len()) / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_nothing_far_away() {
        let known = ["train", "evaluate", "sample"];
        assert_eq!(nearest("trian", known), Some("train"));
        assert_eq!(nearest("Evaluate", known), Some("evaluate"));
        assert_eq!(nearest("plot", known), None);
    }
}
