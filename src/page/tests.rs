//! The page as a whole, of made-up facts.

use proptest::prelude::*;

use super::run::{Facts, Instance, Outcome, Provenance, Source, Stage};
use super::science::{Finding, Science, Tone};
use super::{Section, page};

pub(super) fn stage(name: &str, count: usize) -> Stage {
    let instance = |at: usize| Instance {
        name: format!("{name}[seed={at}]"),
        outcome: if at == 0 { Outcome::Made } else { Outcome::Cached },
        seconds: Some(1.5),
        memory: Some(1_000_000),
        digests: Some(["ab".repeat(32), "cd".repeat(32)]),
    };
    Stage {
        name: name.to_owned(),
        title: None,
        operation: ("train".to_owned(), 1),
        reads: Vec::new(),
        publishes: true,
        instances: (0..count).map(instance).collect(),
    }
}

/// Facts with `text` wherever somebody's words can stand.
fn facts(text: &str) -> Facts {
    Facts {
        pipeline: text.to_owned(),
        title: Some(text.to_owned()),
        made: 0,
        stages: vec![
            Stage { title: Some(text.to_owned()), ..stage(text, 2) },
            Stage { reads: vec![0], ..stage("table", 1) },
        ],
        seconds: Some(3.0),
        interrupted: false,
        energy: None,
        provenance: Provenance {
            command: text.to_owned(),
            file: text.to_owned(),
            text: text.to_owned(),
            digest: text.to_owned(),
            profile: Some(text.to_owned()),
            set: vec![(text.to_owned(), text.to_owned())],
            values: vec![(text.to_owned(), text.to_owned())],
            sources: vec![Source {
                kind: "dataset".to_owned(),
                name: text.to_owned(),
                revision: Some(text.to_owned()),
                digest: text.to_owned(),
                files: (1, 10),
            }],
            versions: vec![(text.to_owned(), text.to_owned())],
            machine: vec![(text.to_owned(), text.to_owned())],
            hosts: vec![text.to_owned()],
        },
    }
}

fn science(text: &str) -> Science {
    Science {
        findings: vec![Finding { tone: Tone::Good, text: text.to_owned() }],
        sections: vec![Section::new("tables", "Tables", maud::html! { p { (text) } })],
    }
}

/// The tags of a page, in order; a `<` or `>` that is no tag's fails.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("every tag ends");
        tags.push(&rest[at + 1..end]);
        rest = &rest[end + 1..];
    }
    tags
}

#[test]
fn the_page_loads_nothing() {
    let page = page(&science("x"), &facts("x"));
    for external in ["src=\"http", "href=\"http", "url(", "@import", "src=\"//", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(external), "{external}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains(" style=\"") && !page.contains(" onclick"));
}

#[test]
fn what_is_not_there_is_said() {
    let mut facts = facts("x");
    facts.stages[0].instances[1].outcome = Outcome::Failed;
    let page = page(&science("x"), &facts);
    assert!(page.contains("This page is not complete: </strong>2 of 3 results are there, 1 failed"), "{page}");
    assert!(page.contains("not measured"));
}

proptest! {
    #[test]
    fn no_words_become_markup(text in "[<>&\"'/a-z=\\- ]{0,24}|\\PC{0,24}") {
        let plain = page(&science("x"), &facts("x"));
        let told = page(&science(&text), &facts(&text));
        let skeleton = |html: &str| -> Vec<String> {
            // Style and script have their own rules and are the same in both.
            let html = html.replace(super::STYLE, "").replace(super::SCRIPT, "");
            tags(&html).iter().map(|tag| tag.split([' ', '\n']).next().unwrap_or_default().to_owned()).collect()
        };
        prop_assert_eq!(skeleton(&told), skeleton(&plain));
    }
}
