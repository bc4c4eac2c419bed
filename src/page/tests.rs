//! The page as a whole, of made-up facts.

use std::collections::BTreeMap;

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
        of: String::new(),
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
        findings: vec![Finding { tone: Tone::Good, text: text.to_owned(), about: String::new() }],
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

/// The colours of one theme: `--ink: #1b1f27;` as red, green, blue.
fn colours(rules: &str) -> BTreeMap<&str, [f64; 3]> {
    let declarations = rules.split("--").skip(1).filter_map(|part| part.split_once(':'));
    let colour = |text: &str| -> Option<[f64; 3]> {
        let digits = text.trim().strip_prefix('#')?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok().map(f64::from);
        Some([part(0)?, part(2)?, part(4)?])
    };
    declarations.filter_map(|(name, value)| Some((name, colour(value)?))).collect()
}

/// The contrast ratio of WCAG 2.1.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |part: f64| match part / 255.0 {
        low if low <= 0.03928 => low / 12.92,
        part => ((part + 0.055) / 1.055).powf(2.4),
    };
    let luminance = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_stands_out_in_both_themes_and_on_paper() {
    // Black on white is 21 to 1; #767676 is the lightest grey that has 4.5 on white.
    assert!((contrast([0.0; 3], [255.0; 3]) - 21.0).abs() < 1e-9);
    assert!((4.5..4.6).contains(&contrast([118.0; 3], [255.0; 3])));
    let themes: Vec<_> =
        super::STYLE.split(":root {").skip(1).map(|rest| colours(rest.split('}').next().unwrap())).collect();
    assert_eq!(themes.len(), 3);
    for theme in themes {
        for (text, back) in [("good", "good-back"), ("bad", "bad-back")] {
            assert!(contrast(theme[text], theme[back]) >= 4.5, "{text} on {back}");
        }
        for text in ["ink", "quiet", "link", "good", "bad", "within"] {
            for back in ["paper", "panel"] {
                assert!(contrast(theme[text], theme[back]) >= 4.5, "{text} on {back}");
            }
        }
        for line in ["made", "cached", "s0", "s1", "s2", "s3", "s4", "s5"] {
            assert!(contrast(theme[line], theme["paper"]) >= 3.0, "{line}");
        }
    }
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
