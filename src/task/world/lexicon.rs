//! The words of the world: which forms a sense has, and which senses stand in opposition. Every other file speaks of
//! senses by their index in these tables, so that two words of one sense can never come apart in meaning.

/// What sort of being or thing a noun names; it decides which properties and events make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Category {
    /// People, by role or by name.
    Person,
    /// Animals.
    Animal,
    /// Things that drive, sail or roll.
    Vehicle,
    /// Small things of a household or an office.
    Thing,
    /// Houses of public use.
    Building,
    /// Insects.
    Insect,
    /// Plants.
    Plant,
    /// What physics and astronomy speak of.
    Body,
}

/// A countable noun.
pub(crate) struct Noun {
    pub(crate) one: &'static str,
    pub(crate) many: &'static str,
    pub(crate) category: Category,
    /// True for the noun that names the whole category, such as `animal`.
    pub(crate) general: bool,
}

const fn noun(one: &'static str, many: &'static str, category: Category) -> Noun {
    Noun { one, many, category, general: false }
}

const fn general(one: &'static str, many: &'static str, category: Category) -> Noun {
    Noun { one, many, category, general: true }
}

use Category::{Animal, Body, Building, Insect, Person, Plant, Thing, Vehicle};

/// All nouns. `person` is only spoken as `someone`, `anyone` and `nobody`.
pub(crate) const NOUNS: &[Noun] = &[
    general("person", "people", Person),
    noun("farmer", "farmers", Person),
    noun("doctor", "doctors", Person),
    noun("teacher", "teachers", Person),
    noun("baker", "bakers", Person),
    noun("pilot", "pilots", Person),
    noun("driver", "drivers", Person),
    noun("guide", "guides", Person),
    noun("clerk", "clerks", Person),
    noun("mayor", "mayors", Person),
    noun("minister", "ministers", Person),
    noun("judge", "judges", Person),
    noun("senator", "senators", Person),
    noun("lawyer", "lawyers", Person),
    general("animal", "animals", Animal),
    noun("dog", "dogs", Animal),
    noun("cat", "cats", Animal),
    noun("fox", "foxes", Animal),
    noun("horse", "horses", Animal),
    noun("rabbit", "rabbits", Animal),
    noun("goat", "goats", Animal),
    general("vehicle", "vehicles", Vehicle),
    noun("car", "cars", Vehicle),
    noun("bus", "buses", Vehicle),
    noun("boat", "boats", Vehicle),
    noun("truck", "trucks", Vehicle),
    noun("bike", "bikes", Vehicle),
    noun("cube", "cubes", Thing),
    noun("ball", "balls", Thing),
    noun("box", "boxes", Thing),
    noun("cup", "cups", Thing),
    noun("lamp", "lamps", Thing),
    noun("chair", "chairs", Thing),
    noun("table", "tables", Thing),
    noun("bag", "bags", Thing),
    noun("clock", "clocks", Thing),
    noun("bridge", "bridges", Building),
    noun("bank", "banks", Building),
    noun("factory", "factories", Building),
    noun("museum", "museums", Building),
    noun("hotel", "hotels", Building),
    general("insect", "insects", Insect),
    noun("ant", "ants", Insect),
    noun("bee", "bees", Insect),
    noun("beetle", "beetles", Insect),
    general("plant", "plants", Plant),
    noun("rose", "roses", Plant),
    noun("tree", "trees", Plant),
    noun("fern", "ferns", Plant),
    noun("planet", "planets", Body),
    noun("moon", "moons", Body),
    noun("star", "stars", Body),
    noun("rock", "rocks", Body),
    noun("crystal", "crystals", Body),
    noun("magnet", "magnets", Body),
    noun("wire", "wires", Body),
];

/// Names of people.
pub(crate) const NAMES: &[&str] =
    &["Anna", "Tom", "Mary", "John", "Peter", "Lucy", "David", "Emma", "Paul", "Sara", "Max", "Nina"];

/// Colours, which only ever stand before a noun; nothing has two of them.
pub(crate) const COLOURS: &[&str] = &["white", "black", "brown", "red", "blue", "green"];

/// How many of the colours things of this category come in, counted from the first; none where colours tell nothing.
pub(crate) fn colours(category: Category) -> usize {
    match category {
        Category::Person | Category::Body | Category::Building => 0,
        // There are no green horses.
        Category::Animal => 3,
        _ => COLOURS.len(),
    }
}

/// A scale with two poles that exclude each other, such as size.
pub(crate) struct Dimension {
    /// Adjectives of the high and of the low pole; all of one pole mean the same.
    pub(crate) poles: [&'static [&'static str]; 2],
    /// Comparatives (`bigger`, `smaller`), or none where comparing is odd.
    pub(crate) more: [&'static [&'static str]; 2],
    /// True where nothing lies between the poles, so that `not asleep` says `awake`.
    pub(crate) complementary: bool,
    pub(crate) holds_for: &'static [Category],
}

const ALL: &[Category] = &[Person, Animal, Vehicle, Thing, Building, Insect, Plant, Body];

/// The high pole's place in the arrays of [`Dimension`].
pub(crate) const HIGH: usize = 0;
/// The low pole's place.
pub(crate) const LOW: usize = 1;

const fn scale(
    poles: [&'static [&'static str]; 2],
    more: [&'static [&'static str]; 2],
    holds_for: &'static [Category],
) -> Dimension {
    Dimension { poles, more, complementary: false, holds_for }
}

const fn either(poles: [&'static [&'static str]; 2], holds_for: &'static [Category]) -> Dimension {
    Dimension { poles, more: [&[], &[]], complementary: true, holds_for }
}

/// All scales of properties.
pub(crate) const DIMENSIONS: &[Dimension] = &[
    scale([&["big", "large"], &["small"]], [&["bigger", "larger"], &["smaller"]], ALL_BUT_PEOPLE),
    scale([&["heavy"], &["light"]], [&["heavier"], &["lighter"]], &[Vehicle, Thing, Insect, Body]),
    scale([&["tall"], &["short"]], [&["taller"], &["shorter"]], &[Person]),
    scale(
        [&["strong", "powerful"], &["weak", "feeble"]],
        [&["stronger"], &["weaker"]],
        &[Person, Animal, Insect, Body],
    ),
    scale([&["fast", "quick"], &["slow"]], [&["faster", "quicker"], &["slower"]], &[Animal, Vehicle, Insect]),
    scale([&["rich", "wealthy"], &["poor"]], [&["richer", "wealthier"], &["poorer"]], &[Person]),
    scale([&["happy", "glad"], &["sad", "unhappy"]], [&["happier"], &["sadder"]], &[Person, Animal]),
    scale([&["loud", "noisy"], &["quiet", "silent"]], [&["louder", "noisier"], &["quieter"]], MOVERS),
    scale([&["clean"], &["dirty", "filthy"]], [&["cleaner"], &["dirtier"]], &[Animal, Vehicle, Thing, Building]),
    scale([&["hot"], &["cold"]], [&["hotter"], &["colder"]], &[Body, Thing]),
    scale([&["wet"], &["dry"]], [&["wetter"], &["drier"]], ALL),
    scale([&["expensive", "costly"], &["cheap", "inexpensive"]], [&[], &[]], &[Vehicle, Thing, Building]),
    scale([&["bright"], &["dark", "dim"]], [&["brighter"], &["darker"]], &[Body, Building]),
    scale([&["famous"], &["unknown"]], [&[], &[]], &[Person, Building]),
    scale([&["busy"], &["idle"]], [&["busier"], &[]], &[Person, Insect]),
    scale([&["calm"], &["nervous", "anxious"]], [&["calmer"], &[]], &[Person, Animal]),
    scale([&["healthy"], &["sick", "ill"]], [&["healthier"], &["sicker"]], &[Person, Animal, Plant]),
    either([&["awake"], &["asleep"]], &[Person, Animal]),
    either([&["intact"], &["broken", "damaged"]], &[Vehicle, Thing, Building]),
    either([&["alive"], &["dead"]], &[Insect, Plant]),
];

const ALL_BUT_PEOPLE: &[Category] = &[Animal, Vehicle, Thing, Building, Insect, Plant, Body];
const MOVERS: &[Category] = &[Person, Animal, Vehicle];

/// A relation of place that holds in one direction only, with its converse.
pub(crate) struct Placing {
    /// `A is above B`, and the words for `B is below A`.
    pub(crate) words: [&'static [&'static str]; 2],
}

/// Relations of place.
pub(crate) const PLACINGS: &[Placing] = &[
    Placing { words: [&["above"], &["below", "under"]] },
    Placing { words: [&["in front of"], &["behind"]] },
    Placing { words: [&["to the left of"], &["to the right of"]] },
];

/// The relation of place that holds both ways.
pub(crate) const BESIDE: &[&str] = &["next to", "beside"];

/// One word for an event.
pub(crate) struct VerbForm {
    pub(crate) base: &'static str,
    pub(crate) third: &'static str,
    pub(crate) past: &'static str,
    pub(crate) participle: &'static str,
}

/// An event between an agent and a patient.
pub(crate) struct Verb {
    /// Words of the same meaning.
    pub(crate) forms: &'static [VerbForm],
    pub(crate) agents: &'static [Category],
    pub(crate) patients: &'static [Category],
}

const fn form(base: &'static str, third: &'static str, past: &'static str) -> VerbForm {
    VerbForm { base, third, past, participle: past }
}

const PEOPLE: &[Category] = &[Person];
const ANIMATE: &[Category] = &[Person, Animal];
const OBJECTS: &[Category] = &[Thing, Vehicle];
const ASSETS: &[Category] = &[Thing, Vehicle, Building];
const NATURE: &[Category] = &[Insect, Plant, Body];

/// All two-place verbs.
pub(crate) const VERBS: &[Verb] = &[
    Verb {
        forms: &[form("help", "helps", "helped"), form("assist", "assists", "assisted")],
        agents: PEOPLE,
        patients: PEOPLE,
    },
    Verb {
        forms: &[form("call", "calls", "called"), form("phone", "phones", "phoned")],
        agents: PEOPLE,
        patients: PEOPLE,
    },
    Verb {
        forms: &[form("hire", "hires", "hired"), form("employ", "employs", "employed")],
        agents: PEOPLE,
        patients: PEOPLE,
    },
    Verb {
        forms: &[form("warn", "warns", "warned"), form("alert", "alerts", "alerted")],
        agents: PEOPLE,
        patients: PEOPLE,
    },
    Verb {
        forms: &[form("praise", "praises", "praised"), form("applaud", "applauds", "applauded")],
        agents: PEOPLE,
        patients: PEOPLE,
    },
    Verb { forms: &[form("visit", "visits", "visited")], agents: PEOPLE, patients: &[Person, Building] },
    Verb { forms: &[form("invite", "invites", "invited")], agents: PEOPLE, patients: PEOPLE },
    Verb {
        forms: &[form("save", "saves", "saved"), form("rescue", "rescues", "rescued")],
        agents: ANIMATE,
        patients: ANIMATE,
    },
    Verb {
        forms: &[form("watch", "watches", "watched"), form("observe", "observes", "observed")],
        agents: ANIMATE,
        patients: &[Person, Animal, Insect, Body],
    },
    Verb { forms: &[form("follow", "follows", "followed")], agents: ANIMATE, patients: &[Person, Animal, Vehicle] },
    Verb {
        forms: &[form("chase", "chases", "chased"), form("pursue", "pursues", "pursued")],
        agents: &[Animal],
        patients: &[Animal],
    },
    Verb {
        forms: &[form("push", "pushes", "pushed"), form("shove", "shoves", "shoved")],
        agents: ANIMATE,
        patients: &[Person, Animal, Thing, Vehicle],
    },
    Verb {
        forms: &[form("repair", "repairs", "repaired"), form("fix", "fixes", "fixed")],
        agents: PEOPLE,
        patients: ASSETS,
    },
    Verb { forms: &[form("paint", "paints", "painted")], agents: PEOPLE, patients: ASSETS },
    Verb {
        forms: &[form("purchase", "purchases", "purchased"), form("buy", "buys", "bought")],
        agents: PEOPLE,
        patients: ASSETS,
    },
    Verb {
        forms: &[form("find", "finds", "found"), form("locate", "locates", "located")],
        agents: PEOPLE,
        patients: OBJECTS,
    },
    Verb {
        forms: &[form("destroy", "destroys", "destroyed"), form("demolish", "demolishes", "demolished")],
        agents: PEOPLE,
        patients: ASSETS,
    },
    Verb { forms: &[form("attract", "attracts", "attracted")], agents: NATURE, patients: NATURE },
    Verb {
        forms: &[form("protect", "protects", "protected"), form("shield", "shields", "shielded")],
        agents: NATURE,
        patients: NATURE,
    },
    Verb {
        forms: &[form("damage", "damages", "damaged"), form("harm", "harms", "harmed")],
        agents: NATURE,
        patients: NATURE,
    },
    Verb { forms: &[form("cover", "covers", "covered")], agents: NATURE, patients: NATURE },
    Verb {
        forms: &[form("heat", "heats", "heated"), form("warm", "warms", "warmed")],
        agents: &[Body],
        patients: NATURE,
    },
    Verb {
        forms: &[form("surround", "surrounds", "surrounded"), form("encircle", "encircles", "encircled")],
        agents: &[Plant, Body, Insect],
        patients: NATURE,
    },
];

/// A handing-over: the giver's verbs and the receiver's.
pub(crate) struct Handing {
    /// `Anna gave the cup to Tom`.
    pub(crate) away: &'static [VerbForm],
    /// `Tom received the cup from Anna`.
    pub(crate) back: VerbForm,
    /// True where the receiver may stand right after the verb: `Anna gave Tom the cup`.
    pub(crate) double_object: bool,
}

/// The ways in which a thing changes hands.
pub(crate) const HANDINGS: &[Handing] = &[
    Handing {
        away: &[
            VerbForm { base: "give", third: "gives", past: "gave", participle: "given" },
            form("hand", "hands", "handed"),
        ],
        back: form("receive", "receives", "received"),
        double_object: true,
    },
    Handing { away: &[form("sell", "sells", "sold")], back: form("buy", "buys", "bought"), double_object: false },
];

/// Where something happened.
pub(crate) const PLACES: &[&str] = &[
    "in the garden",
    "in the kitchen",
    "in the park",
    "at the market",
    "at the station",
    "at the harbor",
    "in Paris",
    "in London",
    "in Rome",
    "in Berlin",
];

/// When something happened.
pub(crate) const TIMES: &[&str] =
    &["yesterday", "on Monday", "on Friday", "on Sunday", "last week", "last year", "in May", "in the morning"];
