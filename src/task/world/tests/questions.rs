//! Reads questions by turning them back into statements with a blank (`x-who`) where the answer belongs.

use super::super::lexicon::{Category, PLACES, VERBS};
use super::recogniser::{Noun, Read, Said, category, clause, statement};

/// What a question says, and what sort of answer it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) sort: &'static str,
    pub(crate) read: Option<Read>,
    /// `repair a car`, where the question is how to do it: the verb and the rest.
    how: Option<(usize, String)>,
}

/// Reads a question; `None` for what is none.
pub(crate) fn question(text: &str) -> Option<Asked> {
    let lower = text.strip_suffix('?')?.to_lowercase();
    let statement = |sort, words: String| clause(&words).map(|read| Asked { sort, read: Some(read), how: None });
    // `did A help B` is read as `A did not help B`, affirmed.
    let affirmed = |sort, words: String| {
        let mut asked = statement(sort, words)?;
        let read = asked.read.as_mut()?;
        read.denied = !read.denied;
        Some(asked)
    };
    for frame in ["how can i ", "how do i ", "what is the best way to "] {
        if let Some(rest) = lower.strip_prefix(frame) {
            let (word, rest) = rest.split_once(' ')?;
            let verb = VERBS.iter().position(|verb| verb.forms.iter().any(|form| form.base == word))?;
            return Some(Asked { sort: "how", read: None, how: Some((verb, rest.to_string())) });
        }
    }
    for (word, sort) in [("where ", "where"), ("when ", "when")] {
        if let Some(rest) = lower.strip_prefix(word) {
            return yes_or_no(rest).map(|asked| Asked { sort, ..asked }).filter(|asked| asked.read.is_some());
        }
    }
    for (blank, words) in [("x-who", ["who", "whom"]), ("x-animal", ["which animal"; 2]), ("x-what", ["what"; 2])] {
        for word in words {
            if let Some(rest) = lower.strip_prefix(&format!("by {word} was ")) {
                // `by whom was B helped on Monday`: the blank goes right after the verb.
                let tokens: Vec<&str> = rest.split(' ').collect();
                let verb = tokens.iter().position(|token| {
                    VERBS.iter().any(|verb| verb.forms.iter().any(|form| form.participle == *token))
                })?;
                let (before, after) = (tokens[..verb].join(" "), tokens[verb + 1..].join(" "));
                return statement(
                    blank,
                    format!("{before} was {} by {blank} {after}", tokens[verb]).trim().to_string(),
                );
            }
            for preposition in ["to", "from"] {
                if let Some(rest) = lower.strip_prefix(&format!("{preposition} {word} did ")) {
                    return negated(rest).and_then(|words| affirmed(blank, format!("{words} {preposition} {blank}")));
                }
            }
            if let Some(rest) = lower.strip_prefix(&format!("{word} did ")) {
                let words = negated(rest)?;
                // The blank follows the verb; what follows it is `to B`, `from B` or a setting.
                let tokens: Vec<&str> = words.split(' ').collect();
                let verb = tokens.iter().position(|token| *token == "not")? + 1;
                let (before, after) = (tokens[..=verb].join(" "), tokens[verb + 1..].join(" "));
                return affirmed(blank, format!("{before} {blank} {after}").trim().to_string());
            }
            if let Some(rest) = lower.strip_prefix(&format!("{word} ")) {
                return statement(blank, format!("{blank} {rest}"));
            }
        }
    }
    yes_or_no(&lower)
}

/// `A help B` with `did not` put where it reads.
fn negated(rest: &str) -> Option<String> {
    let tokens: Vec<&str> = rest.split(' ').collect();
    (1..tokens.len()).find_map(|at| {
        let base = |token: &str| {
            let handings = super::super::lexicon::HANDINGS;
            let mut forms = handings.iter().flat_map(|handing| handing.away.iter().chain([&handing.back]));
            VERBS.iter().any(|verb| verb.forms.iter().any(|form| form.base == token))
                || forms.any(|form| form.base == token)
        };
        base(tokens[at]).then(|| format!("{} did not {}", tokens[..at].join(" "), tokens[at..].join(" ")))
    })
}

fn yes_or_no(text: &str) -> Option<Asked> {
    if let Some(rest) = text.strip_prefix("did ") {
        let mut read = clause(&negated(rest)?)?;
        read.denied = !read.denied;
        return Some(Asked { sort: "whether", read: Some(read), how: None });
    }
    let (be, rest) = text.split_once(' ').filter(|(be, _)| ["is", "was"].contains(be))?;
    let tokens: Vec<&str> = rest.split(' ').collect();
    let read = (1..tokens.len())
        .find_map(|at| clause(&format!("{} {be} {}", tokens[..at].join(" "), tokens[at..].join(" "))))?;
    Some(Asked { sort: "whether", read: Some(read), how: None })
}

/// True when some clause of the text gives what the question asks for.
pub(crate) fn answers(asked: &Asked, text: &str) -> bool {
    let clauses = statement(text).expect("a sentence");
    let Some(Read { denied: false, said: Said::Did { verb, agent, patient, thing, setting } }) = &asked.read else {
        panic!("only events are asked for here")
    };
    let fits = |wanted: &Noun, given: &Noun| match wanted {
        Noun::Certain(blank, None) if blank.starts_with("x-") => {
            let sort = match category(given) {
                Category::Person => "x-who",
                Category::Animal => "x-animal",
                _ => "x-what",
            };
            matches!(given, Noun::Certain(..)) && sort == blank
        }
        wanted => wanted == given,
    };
    clauses.iter().any(|read| match &read.said {
        Said::Did { verb: v, agent: a, patient: p, thing: t, setting: s } if !read.denied => {
            let places = || PLACES.iter().map(|place| place.to_lowercase());
            let place = s.as_ref().map(|given| places().any(|place| place == *given));
            let setting = match (asked.sort, setting) {
                ("where", _) => place == Some(true),
                ("when", _) => place == Some(false),
                (_, None) => true,
                (_, wanted) => wanted == s,
            };
            let thing = match (thing, t) {
                (Some(wanted), Some(given)) => fits(wanted, given),
                (wanted, given) => wanted.is_none() && given.is_none(),
            };
            v == verb && fits(agent, a) && fits(patient, p) && thing && setting
        }
        _ => false,
    })
}
