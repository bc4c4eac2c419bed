//! Reviews: opinions about a film or a restaurant, whose verdict is the sum of what they say. A part may be blamed
//! where the whole is praised, but then the sentence says so (`but`, `although`), and the verdict on the whole counts.

use super::lexicon::{NAMES, PLACES, TIMES};
use super::sentence::{punctuated, with_article};
use crate::base::random::Stream;

/// Something that has qualities of its own.
pub(crate) struct Aspect {
    pub(crate) words: &'static [&'static str],
    /// Words of praise and of blame that are said of this sort of thing only.
    pub(crate) own: [&'static [&'static str]; 2],
}

/// What is reviewed.
pub(crate) struct Subject {
    /// The whole.
    pub(crate) whole: Aspect,
    /// Its parts.
    pub(crate) parts: &'static [Aspect],
    /// Sentences without an opinion; `{name}`, `{time}` and `{place}` are filled in.
    pub(crate) asides: &'static [&'static str],
}

/// Films.
pub(crate) const FILM: Subject = Subject {
    whole: Aspect {
        words: &["film", "movie"],
        own: [
            &["funny", "gripping", "moving", "clever", "touching", "original"],
            &["boring", "dull", "predictable", "silly", "lifeless", "tedious"],
        ],
    },
    parts: &[
        Aspect {
            words: &["story", "plot", "ending", "dialogue"],
            own: [
                &["funny", "gripping", "moving", "clever", "touching", "original"],
                &["boring", "dull", "predictable", "silly", "lifeless", "tedious"],
            ],
        },
        Aspect {
            words: &["acting", "music", "cast"],
            own: [&["moving", "touching", "original"], &["boring", "dull", "lifeless"]],
        },
    ],
    asides: &[
        "I saw it with {name} {time}",
        "{name} and I watched it {time}",
        "it was shown {place}",
        "the story is about a {who} and a {other}",
        "it is the second part of a series",
    ],
};

/// Restaurants.
pub(crate) const RESTAURANT: Subject = Subject {
    whole: Aspect {
        words: &["restaurant", "place"],
        own: [&["cozy", "charming", "friendly"], &["ugly", "crowded", "overpriced"]],
    },
    parts: &[
        Aspect {
            words: &["food", "soup", "pizza", "cake", "fish"],
            own: [&["tasty", "delicious", "fresh"], &["bland", "stale", "tasteless"]],
        },
        Aspect {
            words: &["service", "staff", "waiter"],
            own: [&["friendly", "polite", "attentive"], &["rude", "careless", "lazy"]],
        },
    ],
    asides: &[
        "I came here with {name} {time}",
        "{name} and I had lunch here {time}",
        "we ordered the soup and the fish",
        "it is next to the station",
        "we sat near the window",
    ],
};

/// Words of praise and of blame for anything.
pub(crate) const SHARED: [&[&str]; 2] = [
    &["great", "wonderful", "excellent", "good", "lovely", "superb"],
    &["terrible", "awful", "horrible", "bad", "poor", "disappointing"],
];
/// What one does with the whole.
pub(crate) const FEELINGS: [&[&str]; 2] =
    [&["loved", "enjoyed", "liked"], &["hated", "disliked", "did not like", "did not enjoy"]];
/// How a denial of a quality is put. Only the last two turn any blame into praise: `not bad` is not yet good.
pub(crate) const DENIALS: &[&str] = &["not", "never", "anything but", "far from"];
const STRENGTH: &[&str] = &["", "", "really ", "truly "];
/// Parts that one does not count.
const MASS: &[&str] = &["acting", "music"];
/// How often an opinion is put as the denial of its opposite.
const DENIED: f64 = 0.3;

fn pick<'a>(words: &[&'a str], stream: &mut Stream) -> &'a str {
    words[stream.below(words.len())]
}

/// A quality that says `positive` of the aspect: `great`, `really funny`, `never boring`.
fn quality(aspect: &Aspect, positive: bool, stream: &mut Stream) -> String {
    if stream.unit() < DENIED {
        let (word, denials) = match (positive, stream.below(2)) {
            (true, 0) => (pick(SHARED[1], stream), &DENIALS[2..]),
            (true, _) => (pick(aspect.own[1], stream), &DENIALS[1..]),
            (false, _) => (word(aspect, true, stream), DENIALS),
        };
        return format!("{} {word}", pick(denials, stream));
    }
    format!("{}{}", pick(STRENGTH, stream), word(aspect, positive, stream))
}

fn word(aspect: &Aspect, positive: bool, stream: &mut Stream) -> &'static str {
    let side = usize::from(!positive);
    if stream.below(2) == 0 { pick(SHARED[side], stream) } else { pick(aspect.own[side], stream) }
}

/// One review in the making.
struct Review<'a> {
    subject: &'a Subject,
    /// `is` or `was`.
    verb: &'static str,
    /// The parts spoken of; nobody praises the music and then blames it.
    told: Vec<&'static str>,
}

impl<'a> Review<'a> {
    fn new(subject: &'a Subject, stream: &mut Stream) -> Self {
        Self { subject, verb: if stream.below(2) == 0 { "is" } else { "was" }, told: Vec::new() }
    }

    /// A part that was not spoken of, and its word.
    fn part(&mut self, stream: &mut Stream) -> (&'a Aspect, &'static str) {
        loop {
            let aspect = &self.subject.parts[stream.below(self.subject.parts.len())];
            let word = pick(aspect.words, stream);
            if !self.told.contains(&word) {
                self.told.push(word);
                return (aspect, word);
            }
        }
    }

    /// A clause about one part.
    fn of_part(&mut self, positive: bool, stream: &mut Stream) -> String {
        let (part, word) = self.part(stream);
        format!("the {word} {} {}", self.verb, quality(part, positive, stream))
    }

    /// A clause about the whole.
    fn of_whole(&self, positive: bool, stream: &mut Stream) -> String {
        let whole = pick(self.subject.whole.words, stream);
        match stream.below(4) {
            0 => format!("I {} this {whole}", pick(FEELINGS[usize::from(!positive)], stream)),
            1 if positive => format!("I would recommend this {whole} to everyone"),
            1 => format!("I would not recommend this {whole} to anyone"),
            _ => format!("the {whole} {} {}", self.verb, quality(&self.subject.whole, positive, stream)),
        }
    }

    /// A sentence in which a part and the whole differ, and the whole has the verdict.
    fn concession(&mut self, positive: bool, stream: &mut Stream) -> String {
        let (part, whole) = (self.of_part(!positive, stream), self.of_whole(positive, stream));
        match stream.below(3) {
            0 => format!("{part}, but {whole}"),
            1 => format!("although {part}, {whole}"),
            _ => format!("{whole}, although {part}"),
        }
    }

    fn opinion(&mut self, positive: bool, stream: &mut Stream) -> String {
        match stream.below(6) {
            0 => self.concession(positive, stream),
            1 => format!("{}, and {}", self.of_part(positive, stream), self.of_part(positive, stream)),
            2 => {
                let word = with_article(word(&self.subject.whole, positive, stream));
                format!("what {word} {}", pick(self.subject.whole.words, stream))
            }
            3 => self.of_part(positive, stream),
            _ => self.of_whole(positive, stream),
        }
    }
}

fn aside(subject: &Subject, stream: &mut Stream) -> String {
    let people = ["farmer", "doctor", "teacher", "pilot", "judge"];
    let (who, other) = (stream.below(people.len()), 1 + stream.below(people.len() - 1));
    pick(subject.asides, stream)
        .replace("{name}", pick(NAMES, stream))
        .replace("{time}", pick(TIMES, stream))
        .replace("{place}", pick(PLACES, stream))
        .replace("{who}", people[who])
        .replace("{other}", people[(who + other) % people.len()])
}

/// A review of two to four sentences.
pub(crate) fn review(subject: &Subject, positive: bool, stream: &mut Stream) -> String {
    let mut review = Review::new(subject, stream);
    let mut sentences: Vec<String> = Vec::new();
    let wanted = 2 + stream.below(2);
    while sentences.len() < wanted {
        let opinion = review.opinion(positive, stream);
        if !sentences.contains(&opinion) {
            sentences.push(opinion);
        }
    }
    if stream.below(2) == 0 {
        let at = stream.below(sentences.len());
        sentences.insert(at, aside(subject, stream));
    }
    let mark = |text: &String| punctuated(text, if text.starts_with("what ") { '!' } else { '.' });
    sentences.iter().map(mark).collect::<Vec<_>>().join(" ")
}

/// A critic's phrase in small letters, as the excerpts of sst2 are.
pub(crate) fn excerpt(positive: bool, stream: &mut Stream) -> String {
    let mut review = Review::new(&FILM, stream);
    let whole = pick(FILM.whole.words, stream);
    let first = with_article(word(&FILM.whole, positive, stream));
    match stream.below(8) {
        0 => {
            let (part, name) = review.part(stream);
            let quality = word(part, positive, stream);
            let quality = if MASS.contains(&name) { quality.to_string() } else { with_article(quality) };
            format!("{first} {whole} with {quality} {name}")
        }
        1 => format!("{first} {whole} that is {}", quality(&FILM.whole, positive, stream)),
        2 => format!("{}, and {}", review.of_part(positive, stream), review.of_whole(positive, stream)),
        3 => review.of_part(positive, stream),
        4 => review.concession(positive, stream),
        5 | 6 => format!("{first} {whole}, and {}", review.of_part(positive, stream)),
        _ => review.of_whole(positive, stream),
    }
}
