//! The data set files of the program itself, so that a pipeline anywhere can name them. A project's own file of the same
//! name wins.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/", $name, ".yaml")))),*]
    };
}

/// Names and texts.
const FILES: [(&str, &str); 13] = files![
    "cola",
    "imdb",
    "mnli",
    "mrpc",
    "multinli",
    "paws",
    "qnli",
    "qqp",
    "rte",
    "scitail",
    "sst2",
    "stsb",
    "yelp_polarity",
];

/// The text of a built-in file.
pub(super) fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Names of the built-in files.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}
