//! The scores of stsb against the definition: what two sentences share is read from their words and weighed anew.

use std::collections::BTreeSet;

use super::super::lexicon::{Category, NOUNS};
use super::recogniser::{KindRead, Noun, Read, Said, Whom, category, statement};
use super::{splits, texts};

fn read(text: &str) -> Read {
    let mut clauses = statement(text).unwrap_or_else(|| panic!("cannot read `{text}`"));
    assert_eq!(clauses.len(), 1, "{text}");
    clauses.remove(0)
}

/// Two of 5 points are for the predicate, 1.25 for each participant and half a point for circumstances; a property and
/// whom it is said of weigh half each. A denial keeps three fifths. Several results where the words leave open who stands
/// first.
fn scores(one: &Read, other: &Read) -> Vec<f64> {
    let found = match (&one.said, &other.said) {
        (
            Said::Has { whom, dimension, pole },
            Said::Has { whom: other_whom, dimension: other_dimension, pole: other_pole },
        ) => {
            let property = match (dimension == other_dimension, pole == other_pole) {
                (true, true) => 1.0,
                (true, false) => 0.5,
                _ => 0.0,
            };
            vec![2.5 * (property + whom_alike(whom, other_whom))]
        }
        (
            Said::Did { verb, agent, patient, thing, setting },
            Said::Did { verb: v, agent: a, patient: p, thing: t, setting: s },
        ) => {
            let predicate = match (thing, t) {
                (Some(thing), Some(t)) => 0.5 * f64::from(u8::from(verb == v)) + 0.5 * alike(thing, t),
                _ => f64::from(u8::from(verb == v)),
            };
            let circumstances = f64::from(u8::from(setting == s));
            vec![2.0 * predicate + participants([agent, patient], [a, p]) + 0.5 * circumstances]
        }
        (one, other) => {
            let (Some((scale, pairs)), Some((other_scale, other_pairs))) = (order(one), order(other)) else {
                return vec![0.0]; // nothing in common
            };
            let same = if scale == other_scale { 2.5 } else { 0.0 };
            let both = pairs.iter().flat_map(|pair| other_pairs.iter().map(move |other| participants(*pair, *other)));
            let all: Vec<f64> = both.map(|points| same + points).collect();
            if scale == "beside" && scale == other_scale { vec![all.into_iter().fold(0.0, f64::max)] } else { all }
        }
    };
    let kept = if one.denied == other.denied { 1.0 } else { 0.6 };
    found.into_iter().map(|score| kept * score).collect()
}

/// The scale of an order and who stands where on it; `beside` has no first.
fn order(said: &Said) -> Option<(&str, Vec<[&Noun; 2]>)> {
    match said {
        Said::Beyond { scale, more, less } => Some((scale, vec![[more, less]])),
        Said::Beside { pair: [a, b] } => Some(("beside", vec![[a, b], [b, a]])),
        _ => None,
    }
}

/// Someone in the other one's role counts two fifths.
fn participants([a, b]: [&Noun; 2], [c, d]: [&Noun; 2]) -> f64 {
    let straight = alike(a, c) + alike(b, d);
    let crossed = alike(a, d) + alike(b, c);
    1.25 * straight.max(0.4 * crossed)
}

/// The same: 1; of another colour: 0.6; of the same sort: 0.2.
fn alike(one: &Noun, other: &Noun) -> f64 {
    match (one, other) {
        _ if one == other => 1.0,
        (Noun::Certain(_, Some(a)), Noun::Certain(_, Some(b))) if a.noun == b.noun => 0.6,
        _ if category(one) == category(other) => 0.2,
        _ => 0.0,
    }
}

fn whom_alike(one: &Whom, other: &Whom) -> f64 {
    let kind = |whom: &Whom| match whom {
        Whom::Certain(_) => None,
        Whom::AtLeastOne(kind) | Whom::All(kind) => Some(*kind),
    };
    let sort = |whom: &Whom| -> Category {
        match whom {
            Whom::Certain(noun) => category(noun),
            Whom::AtLeastOne(kind) | Whom::All(kind) => NOUNS[kind.noun].category,
        }
    };
    let wider = |wide: KindRead, narrow: KindRead| {
        let general = NOUNS[wide.noun].general && NOUNS[wide.noun].category == NOUNS[narrow.noun].category;
        (wide.noun == narrow.noun || general) && (wide.colour.is_none() || wide.colour == narrow.colour)
    };
    match (one, other) {
        (Whom::Certain(one), Whom::Certain(other)) => return alike(one, other),
        (Whom::Certain(Noun::Certain(_, Some(one))), quantity)
        | (quantity, Whom::Certain(Noun::Certain(_, Some(one))))
            if kind(quantity).is_some_and(|kind| wider(kind, *one)) =>
        {
            return 0.6;
        }
        _ => {}
    }
    match (kind(one), kind(other)) {
        (Some(a), Some(b)) if a == b => {
            if one == other {
                1.0
            } else {
                0.8
            }
        }
        (Some(a), Some(b)) if wider(a, b) || wider(b, a) => 0.6,
        _ if sort(one) == sort(other) => 0.2,
        _ => 0.0,
    }
}

#[test]
fn scores_are_what_the_shared_meaning_weighs() {
    for row in &splits("stsb", 1500, 0, 0).train {
        let label: f64 = row.label.parse().unwrap();
        // That the top score means the same, and nothing else does, is tested with models.
        if label == 5.0 {
            continue;
        }
        let texts = texts("stsb", row);
        let found = scores(&read(&texts[0]), &read(&texts[1]));
        assert!(found.iter().any(|score| (score - label).abs() < 0.0501), "{row:?}: {found:?}");
    }
}

/// What two sentences say: who, of what sort of predicate, where and when, denied or not.
fn parts(read: &Read) -> Vec<String> {
    let predicate = |name: String| format!("{name}{}", if read.denied { ", denied" } else { "" });
    match &read.said {
        Said::Has { whom, dimension, pole } => vec![predicate(format!("is {dimension} {pole}")), format!("{whom:?}")],
        Said::Beyond { scale, more, less } => vec![predicate(scale.clone()), format!("{more:?}"), format!("{less:?}")],
        Said::Beside { pair: [a, b] } => vec![predicate("beside".to_owned()), format!("{a:?}"), format!("{b:?}")],
        Said::Did { verb, agent, patient, thing, .. } => {
            let nouns = [Some(agent), Some(patient), thing.as_ref()].into_iter().flatten();
            [predicate(verb.clone())].into_iter().chain(nouns.map(|noun| format!("{noun:?}"))).collect()
        }
    }
}

/// What a sentence is about: the sort of its predicate, whatever its sign, and everyone and everything it names.
fn topics(read: &Read) -> BTreeSet<String> {
    let kind = |kind: &KindRead| NOUNS[kind.noun].one.to_owned();
    let named = |noun: &Noun| match noun {
        Noun::Certain(_, Some(of)) | Noun::One(Some(of)) => kind(of),
        Noun::Certain(name, None) => name.clone(),
        Noun::One(None) => "person".to_owned(),
    };
    let (predicate, names): (String, Vec<String>) = match &read.said {
        Said::Has { whom: Whom::Certain(noun), dimension, .. } => (format!("property {dimension}"), vec![named(noun)]),
        Said::Has { whom: Whom::AtLeastOne(of) | Whom::All(of), dimension, .. } => {
            (format!("property {dimension}"), vec![kind(of)])
        }
        Said::Beyond { scale, more, less } => (scale.clone(), vec![named(more), named(less)]),
        Said::Beside { pair: [a, b] } => ("beside".to_owned(), vec![named(a), named(b)]),
        Said::Did { verb, agent, patient, thing, .. } => {
            (verb.clone(), [Some(agent), Some(patient), thing.as_ref()].into_iter().flatten().map(named).collect())
        }
    };
    names.into_iter().chain([predicate]).collect()
}

/// Without any weights: the more of their parts two sentences share, the higher the score on average, and those that speak
/// of nothing in common stay below 2.
#[test]
fn more_shared_meaning_is_a_higher_score() {
    let mut by_share: [Vec<f64>; 4] = Default::default();
    let mut unrelated = 0;
    for row in &splits("stsb", 3000, 0, 0).train {
        let label: f64 = row.label.parse().unwrap();
        let texts = texts("stsb", row);
        let (one, other) = (read(&texts[0]), read(&texts[1]));
        if topics(&one).is_disjoint(&topics(&other)) {
            unrelated += 1;
            assert!(label < 2.0, "{row:?} have nothing in common");
        }
        let (one, other) = (parts(&one), parts(&other));
        let shared = one.iter().filter(|part| other.contains(part)).count();
        by_share[3 * shared / one.len().max(other.len())].push(label);
    }
    assert!(unrelated > 100, "{unrelated} pairs have nothing in common");
    let means = by_share.map(|labels| labels.iter().sum::<f64>() / labels.len() as f64);
    println!("mean scores by thirds of shared parts: {means:?}; {unrelated} pairs have nothing in common");
    assert!(means.windows(2).all(|pair| pair[0] + 0.5 < pair[1]), "{means:?}");
}
