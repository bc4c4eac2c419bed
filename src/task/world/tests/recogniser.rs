//! A small grammar of the world's English, written from the outside: it reads sentences back into what they say. It
//! shares the word lists with the generator, and nothing else. What it can't read, it takes for ungrammatical.

use super::super::lexicon::{
    BESIDE, COLOURS, Category, DIMENSIONS, HANDINGS, NAMES, NOUNS, PLACES, PLACINGS, TIMES, VERBS,
};

/// A kind as it is spoken of: a noun's place in the list, and a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KindRead {
    pub(crate) noun: usize,
    pub(crate) colour: Option<usize>,
}

/// Someone or something in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Noun {
    /// A certain one: its words, and its kind if it has one (a name has none).
    Certain(String, Option<KindRead>),
    /// One of a kind; `None` stands for some person.
    One(Option<KindRead>),
}

/// Who a statement about a property is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Certain(Noun),
    AtLeastOne(KindRead),
    All(KindRead),
}

/// What a clause says, before it is denied or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Has { whom: Whom, dimension: usize, pole: usize },
    Beyond { scale: String, more: Noun, less: Noun },
    Beside { pair: [Noun; 2] },
    Did { verb: String, agent: Noun, patient: Noun, thing: Option<Noun>, setting: Option<String> },
}

/// A clause read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) denied: bool,
    pub(crate) said: Said,
}

/// The clauses of a statement: what stands before them (an opener, a report) says nothing.
pub(crate) fn statement(text: &str) -> Option<Vec<Read>> {
    let lower = text.strip_suffix('.')?.to_lowercase();
    let mut body = lower.as_str();
    for opener in
        ["well, ", "you know, ", "yes, ", "as you can see, ", "the report says that ", "according to the report, "]
    {
        body = body.strip_prefix(opener).unwrap_or(body);
    }
    let separator = if body.contains(", and ") { ", and " } else { " and " };
    body.split(separator).map(clause).collect()
}

/// One clause in small letters.
pub(crate) fn clause(text: &str) -> Option<Read> {
    let settings = || PLACES.iter().chain(TIMES).map(|words| words.to_lowercase());
    for words in settings() {
        if let Some(rest) = text.strip_prefix(&format!("{words}, ")) {
            return core(rest, Some(words));
        }
        if let Some(rest) = text.strip_suffix(&format!(" {words}")) {
            return core(rest, Some(words));
        }
    }
    core(text, None)
}

/// What a subject says about number, quantity and denial.
enum Subject {
    Noun { noun: Noun, denying: bool },
    Quantity { whom: Whom, denying: bool, plural: bool },
}

fn core(text: &str, setting: Option<String>) -> Option<Read> {
    let tokens: Vec<&str> = text.split(' ').collect();
    let (subject, rest) = subject(&tokens)?;
    match (subject, setting) {
        (Subject::Quantity { whom, denying, plural }, None) => {
            if let Some(read) = about_class(whom, denying, plural, rest) {
                return Some(read);
            }
            // `a dog chased the cat`, `no dog chased the cat`: one of a kind may also do something.
            let (noun, denying) = acting(&tokens)?;
            about_noun(noun, denying, &rest_of_acting(&tokens)?, None)
        }
        (Subject::Quantity { .. }, setting) => {
            let (noun, denying) = acting(&tokens)?;
            about_noun(noun, denying, &rest_of_acting(&tokens)?, setting)
        }
        (Subject::Noun { noun, denying }, setting) => about_noun(noun, denying, rest, setting),
    }
}

/// `a dog`, `no dog` at the beginning, as someone who does something.
fn acting(tokens: &[&str]) -> Option<(Noun, bool)> {
    let denying = tokens[0] == "no";
    if !denying && !matches!(tokens[0], "a" | "an") {
        return None;
    }
    let (kind, plural, _) = kind(&tokens[1..])?;
    (!plural && article_fits(tokens[0], tokens[1])).then_some((Noun::One(Some(kind)), denying))
}

fn rest_of_acting<'a>(tokens: &[&'a str]) -> Option<Vec<&'a str>> {
    kind(&tokens[1..]).map(|(_, _, rest)| rest.to_vec())
}

fn article_fits(article: &str, next: &str) -> bool {
    let vowel = next.starts_with(['a', 'e', 'i', 'o']);
    match article {
        "a" => !vowel,
        "an" => vowel,
        _ => true,
    }
}

/// A kind at the beginning, whether it is plural, and what follows.
fn kind<'a, 'b>(tokens: &'b [&'a str]) -> Option<(KindRead, bool, &'b [&'a str])> {
    let colour = COLOURS.iter().position(|word| Some(word) == tokens.first());
    let rest = if colour.is_some() { &tokens[1..] } else { tokens };
    let word = rest.first()?;
    let noun = NOUNS.iter().position(|noun| noun.one == *word || noun.many == *word)?;
    Some((KindRead { noun, colour }, NOUNS[noun].many == *word, &rest[1..]))
}

fn subject<'a, 'b>(tokens: &'b [&'a str]) -> Option<(Subject, &'b [&'a str])> {
    let quantity = |skip: usize, all: bool, denying: bool, want: &str| {
        let (kind, plural, rest) = kind(&tokens[skip..])?;
        let fits = match want {
            "one" => !plural,
            "many" => plural,
            _ => true,
        };
        let whom = if all { Whom::All(kind) } else { Whom::AtLeastOne(kind) };
        fits.then_some((Subject::Quantity { whom, denying, plural }, rest))
    };
    match tokens {
        ["not", "every", ..] => quantity(2, true, true, "one"),
        ["not", "all", ..] => quantity(2, true, true, "many"),
        ["every" | "each", ..] => quantity(1, true, false, "one"),
        ["all", ..] => quantity(1, true, false, "many"),
        ["some", ..] => quantity(1, false, false, "many"),
        ["at", "least", "one", ..] => quantity(3, false, false, "one"),
        ["no", ..] => quantity(1, false, true, "any"),
        [article @ ("a" | "an"), next, ..] if article_fits(article, next) => quantity(1, false, false, "one"),
        ["someone", rest @ ..] => Some((Subject::Noun { noun: Noun::One(None), denying: false }, rest)),
        ["nobody", rest @ ..] => Some((Subject::Noun { noun: Noun::One(None), denying: true }, rest)),
        _ => {
            let (noun, rest) = certain(tokens)?;
            Some((Subject::Noun { noun, denying: false }, rest))
        }
    }
}

/// `Anna`, `the red cube`; also the blanks that questions are read with (`x-who`).
fn certain<'a, 'b>(tokens: &'b [&'a str]) -> Option<(Noun, &'b [&'a str])> {
    let first = tokens.first()?;
    if first.starts_with("x-") || NAMES.iter().any(|name| name.to_lowercase() == *first) {
        return Some((Noun::Certain(first.to_string(), None), &tokens[1..]));
    }
    if *first != "the" {
        return None;
    }
    let (kind, plural, rest) = kind(&tokens[1..])?;
    let words = tokens[1..tokens.len() - rest.len()].join(" ");
    (!plural).then_some((Noun::Certain(words, Some(kind)), rest))
}

/// A participant after the verb; under a denial, one of a kind is `any dog`, otherwise `a dog`.
fn object<'a, 'b>(tokens: &'b [&'a str], denied: bool) -> Option<(Noun, &'b [&'a str])> {
    match tokens {
        ["someone", rest @ ..] if !denied => Some((Noun::One(None), rest)),
        ["anyone", rest @ ..] if denied => Some((Noun::One(None), rest)),
        [article @ ("a" | "an" | "any"), next, ..] if (*article == "any") == denied && article_fits(article, next) => {
            let (kind, plural, rest) = kind(&tokens[1..])?;
            (!plural).then_some((Noun::One(Some(kind)), rest))
        }
        _ => certain(tokens),
    }
}

fn adjective(word: &str) -> Option<(usize, usize)> {
    let places = (0..DIMENSIONS.len()).flat_map(|dimension| [(dimension, 0), (dimension, 1)]);
    places.into_iter().find(|&(dimension, pole)| DIMENSIONS[dimension].poles[pole].contains(&word))
}

fn about_class(whom: Whom, denying: bool, plural: bool, rest: &[&str]) -> Option<Read> {
    let (not, word) = match rest {
        [be, word] if *be == if plural { "are" } else { "is" } => (false, *word),
        // Only `some cubes are not red` denies twice over: not of all of them.
        ["are", "not", word] if plural && !denying => (true, *word),
        _ => return None,
    };
    let (dimension, pole) = adjective(word)?;
    let (whom, denied) = match (whom, not) {
        (whom, false) => (whom, denying),
        (Whom::AtLeastOne(kind), true) => (Whom::All(kind), true),
        _ => return None,
    };
    Some(Read { denied, said: Said::Has { whom, dimension, pole } })
}

/// The words of a relation at the beginning: its scale, whether it is told from the far end, and what follows.
fn relation<'a, 'b>(tokens: &'b [&'a str]) -> Option<(String, bool, &'b [&'a str])> {
    let after = |words: &str| {
        let count = words.split(' ').count();
        (tokens.len() > count && tokens[..count].join(" ") == words).then(|| &tokens[count..])
    };
    for (index, dimension) in DIMENSIONS.iter().enumerate() {
        for end in 0..2 {
            for word in dimension.more[end] {
                if let Some(rest) = after(&format!("{word} than")) {
                    return Some((format!("degree {index}"), end == 1, rest));
                }
            }
        }
    }
    for (index, placing) in PLACINGS.iter().enumerate() {
        for end in 0..2 {
            if let Some(rest) = placing.words[end].iter().find_map(|words| after(words)) {
                return Some((format!("place {index}"), end == 1, rest));
            }
        }
    }
    BESIDE.iter().find_map(|words| after(words)).map(|rest| ("beside".to_string(), false, rest))
}

fn about_noun(noun: Noun, denying: bool, rest: &[&str], setting: Option<String>) -> Option<Read> {
    let one_of_many = matches!(noun, Noun::One(_));
    match rest {
        [be @ ("is" | "was"), rest @ ..] => {
            let (not, rest) = match rest {
                // Whether `someone was not helped` denies one case or all of them, nobody can tell.
                ["not", ..] if one_of_many => return None,
                ["not", rest @ ..] => (true, rest),
                rest => (false, rest),
            };
            if let ([word], "is", None, false) = (rest, *be, &setting, one_of_many) {
                let (dimension, pole) = adjective(word)?;
                return Some(Read { denied: not, said: Said::Has { whom: Whom::Certain(noun), dimension, pole } });
            }
            if let (Some((scale, far, rest)), "is", None, false) = (relation(rest), *be, &setting, one_of_many) {
                let (other, rest) = certain(rest)?;
                if !rest.is_empty() {
                    return None;
                }
                let (more, less) = if far { (other, noun) } else { (noun, other) };
                let said = if scale == "beside" {
                    let mut pair = [more, less];
                    pair.sort_unstable();
                    Said::Beside { pair }
                } else {
                    Said::Beyond { scale, more, less }
                };
                return Some(Read { denied: not, said });
            }
            passive(noun, not || denying, rest, setting)
        }
        ["did" | "does", "not", rest @ ..] if !one_of_many => active(noun, true, Form::Base, rest, setting),
        rest => active(noun, denying, Form::Finite, rest, setting),
    }
}

fn passive(patient: Noun, denied: bool, rest: &[&str], setting: Option<String>) -> Option<Read> {
    let (word, rest) = rest.split_first()?;
    let whole = |(noun, rest): (Noun, &[&str])| rest.is_empty().then_some(noun);
    for (index, verb) in VERBS.iter().enumerate() {
        if let (true, ["by", rest @ ..]) = (verb.forms.iter().any(|form| form.participle == *word), rest) {
            let agent = whole(object(rest, denied)?)?;
            let said = Said::Did { verb: format!("do {index}"), agent, patient, thing: None, setting };
            return Some(Read { denied, said });
        }
    }
    for (index, handing) in HANDINGS.iter().enumerate() {
        if let (true, ["to", rest @ ..]) = (handing.away.iter().any(|form| form.participle == *word), rest) {
            let (receiver, rest) = certain(rest)?;
            let ["by", rest @ ..] = rest else { return None };
            let agent = whole(certain(rest)?)?;
            let verb = format!("hand {index}");
            let said = Said::Did { verb, agent, patient: receiver, thing: Some(patient), setting };
            return Some(Read { denied, said });
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Base,
    Finite,
}

fn active(agent: Noun, denied: bool, form: Form, rest: &[&str], setting: Option<String>) -> Option<Read> {
    let (word, rest) = rest.split_first()?;
    let (first, rest) = object(rest, denied)?;
    let fits = |verb: &super::super::lexicon::VerbForm| match form {
        Form::Base => verb.base == *word,
        Form::Finite => verb.past == *word || verb.third == *word,
    };
    if rest.is_empty() {
        let index = VERBS.iter().position(|verb| verb.forms.iter().any(fits))?;
        let said = Said::Did { verb: format!("do {index}"), agent, patient: first, thing: None, setting };
        return Some(Read { denied, said });
    }
    for (index, handing) in HANDINGS.iter().enumerate() {
        let verb = format!("hand {index}");
        let (giver, receiver, thing) = if handing.away.iter().any(fits) {
            match rest {
                ["to", rest @ ..] => match certain(rest)? {
                    (receiver, []) => (agent.clone(), receiver, first.clone()),
                    _ => return None,
                },
                rest if handing.double_object => match certain(rest)? {
                    (thing, []) => (agent.clone(), first.clone(), thing),
                    _ => return None,
                },
                _ => return None,
            }
        } else if let (true, ["from", rest @ ..]) = (fits(&handing.back), rest) {
            match certain(rest)? {
                (giver, []) => (giver, agent.clone(), first.clone()),
                _ => return None,
            }
        } else {
            continue;
        };
        let said = Said::Did { verb, agent: giver, patient: receiver, thing: Some(thing), setting };
        return Some(Read { denied, said });
    }
    None
}

/// The category of a certain or uncertain participant.
pub(crate) fn category(noun: &Noun) -> Category {
    match noun {
        Noun::Certain(_, Some(kind)) | Noun::One(Some(kind)) => NOUNS[kind.noun].category,
        Noun::Certain(_, None) | Noun::One(None) => Category::Person,
    }
}
