//! Where every node of a YAML text stands: a tree made from a parser's events, in which nodes are found by their paths.
//!
//! The second parser of [`super::yaml`]. It sees what the values no longer show: places, names that are given twice, merge
//! keys. It may run while the first parser does, which refuses what nests too deep or repeats too often; so it stops at the
//! same depth, and an alias costs no more than a node.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

/// So deep a text may nest, as serde_yaml has it.
const DEEPEST: usize = 128;

/// Where a node stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The key, when the node is a map's entry.
    pub key: Option<Range<usize>>,
    /// The value.
    pub value: Range<usize>,
}

/// The places of a text's nodes.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// A node stands before those in it.
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    span: Range<usize>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scalar,
    List(Vec<usize>),
    /// In the order of the names.
    Map(Vec<Entry>),
    /// What is in another node.
    Alias(usize),
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    key: Range<usize>,
    node: usize,
}

/// What a parser accepts and a pipeline does not.
#[derive(Debug, PartialEq)]
pub(super) enum Oddity {
    /// A name that the same map has before.
    Twice { name: String, first: Range<usize>, again: Range<usize> },
    /// `<<`
    MergeKey(Range<usize>),
    /// `.inf`, `.nan`, or a number that is too large.
    NotFinite(Range<usize>),
}

impl Oddity {
    fn at(&self) -> usize {
        match self {
            Self::Twice { again: span, .. } | Self::MergeKey(span) | Self::NotFinite(span) => span.start,
        }
    }
}

impl Outline {
    /// The outline of a text's first document, and what is odd in it, from its beginning to its end.
    ///
    /// # Errors
    /// The byte of the first thing that is no YAML, and what is wrong with it.
    pub fn of(text: &str) -> Result<(Self, Vec<Oddity>), (usize, String)> {
        let mut builder = Builder::new(text);
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| (builder.offset(error.marker()), error.info().to_owned()))?;
            if event == Event::DocumentEnd {
                break;
            }
            builder.take(event, span);
            if builder.open.len() > DEEPEST {
                return Err((builder.offset(&span.start), "recursion limit exceeded".to_owned()));
            }
        }
        builder.oddities.sort_by_key(Oddity::at);
        Ok((Self { nodes: builder.nodes }, builder.oddities))
    }

    /// The place of the node with this path; the empty path is the whole text.
    pub fn place(&self, path: &str) -> Option<Place> {
        self.nodes.first()?;
        let (entry, node) = self.find(0, path, path.is_empty())?;
        Some(Place { key: entry.map(|entry| entry.key.clone()), value: self.nodes[node].span.clone() })
    }

    /// The node at `rest` of a path, seen from this node, with its entry if it is a map's.
    fn find(&self, node: usize, rest: &str, is_there: bool) -> Option<(Option<&Entry>, usize)> {
        if is_there {
            return Some((None, node));
        }
        match &self.nodes[node].content {
            Content::Scalar => None,
            Content::Alias(target) => self.find(*target, rest, false),
            Content::List(items) => {
                let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
                self.find(*items.get(index.parse::<usize>().ok()?)?, rest, rest.is_empty())
            }
            Content::Map(entries) => {
                let rest = if node == 0 { rest } else { rest.strip_prefix('.').unwrap_or(rest) };
                // A name may hold what separates names.
                let ends = rest.match_indices(['.', '[']).map(|(at, _)| at).filter(|at| *at > 0).chain([rest.len()]);
                ends.into_iter().find_map(|end| {
                    let (name, rest) = rest.split_at(end);
                    let entry = &entries[entries.binary_search_by(|entry| (*entry.name).cmp(name)).ok()?];
                    let (below, node) = self.find(entry.node, rest, rest.is_empty())?;
                    Some((below.or_else(|| rest.is_empty().then_some(entry)), node))
                })
            }
        }
    }
}

/// A list or a map that has not ended.
struct Open {
    node: usize,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<usize>),
    /// The entries so far, and the key whose value comes next.
    Map(Vec<Entry>, Option<Key>),
}

/// A key; without a name if it is one that no map of a pipeline may have.
struct Key {
    name: Option<Box<str>>,
    span: Range<usize>,
}

struct Builder<'a> {
    text: &'a str,
    /// The byte of each character, for a text in which they differ.
    offsets: Option<Vec<usize>>,
    nodes: Vec<Node>,
    open: Vec<Open>,
    /// The nodes with anchors, and what the scalars among them say.
    anchors: HashMap<usize, (usize, Option<Box<str>>)>,
    oddities: Vec<Oddity>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(offset, _)| offset).collect());
        Self { text, offsets, nodes: Vec::new(), open: Vec::new(), anchors: HashMap::new(), oddities: Vec::new() }
    }

    /// The byte of a marker.
    fn offset(&self, marker: &Marker) -> usize {
        let end = self.text.len();
        match &self.offsets {
            None => marker.index().min(end),
            Some(offsets) => offsets.get(marker.index()).copied().unwrap_or(end),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::SequenceStart(anchor, _) => self.begin(anchor, &span, Inside::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(anchor, &span, Inside::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            Event::Scalar(value, style, anchor, tag) => {
                let span = self.scalar_span(&span);
                let is_plain = !is_text(style, tag.as_deref());
                if self.is_key() {
                    let name = if is_plain && value == "<<" {
                        self.oddities.push(Oddity::MergeKey(span.clone()));
                        None
                    } else {
                        Some(Box::from(&*value))
                    };
                    self.anchor(anchor, usize::MAX, name.clone());
                    return self.key(Key { name, span });
                }
                if is_plain && is_not_finite(&value) {
                    self.oddities.push(Oddity::NotFinite(span.clone()));
                }
                let node = self.add(span, Content::Scalar);
                self.anchor(anchor, node, Some(Box::from(&*value)));
                self.put(node);
            }
            Event::Alias(anchor) => {
                let span = self.scalar_span(&span);
                // One that is not known is inside of what it names, which the first parser refuses.
                let (target, name) = self.anchors.get(&anchor).cloned().unwrap_or((usize::MAX, None));
                if self.is_key() {
                    return self.key(Key { name, span });
                }
                let content = if target < self.nodes.len() { Content::Alias(target) } else { Content::Scalar };
                let node = self.add(span, content);
                self.put(node);
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
    }

    fn begin(&mut self, anchor: usize, span: &Span, inside: Inside) {
        let start = self.offset(&span.start);
        let node = self.add(start..start, Content::Scalar);
        self.open.push(Open { node, anchor, inside });
    }

    fn end(&mut self, span: &Span) {
        let Some(Open { node, anchor, inside }) = self.open.pop() else { return };
        let start = self.nodes[node].span.start;
        self.nodes[node].span = self.collection_span(start, self.offset(&span.start).max(start));
        self.nodes[node].content = match inside {
            Inside::List(items) => Content::List(items),
            Inside::Map(mut entries, _) => {
                // Among equal names, the first one of the text stays the first.
                entries.sort_by(|one, other| one.name.cmp(&other.name));
                self.oddities.extend(entries.windows(2).filter(|pair| pair[0].name == pair[1].name).map(|pair| {
                    let name = pair[1].name.to_string();
                    Oddity::Twice { name, first: pair[0].key.clone(), again: pair[1].key.clone() }
                }));
                Content::Map(entries)
            }
        };
        self.anchor(anchor, node, None);
        if self.is_key() {
            return self.key(Key { name: None, span: self.nodes[node].span.clone() });
        }
        self.put(node);
    }

    fn add(&mut self, span: Range<usize>, content: Content) -> usize {
        self.nodes.push(Node { span, content });
        self.nodes.len() - 1
    }

    /// Anchors are counted from 1; 0 is none.
    fn anchor(&mut self, anchor: usize, node: usize, name: Option<Box<str>>) {
        if anchor > 0 {
            self.anchors.insert(anchor, (node, name));
        }
    }

    /// Whether the node that is complete now is a key.
    fn is_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Map(_, None), .. }))
    }

    fn key(&mut self, key: Key) {
        if let Some(Open { inside: Inside::Map(_, next), .. }) = self.open.last_mut() {
            *next = Some(key);
        }
    }

    /// Puts a complete node into the list or map around it.
    fn put(&mut self, node: usize) {
        match self.open.last_mut().map(|open| &mut open.inside) {
            Some(Inside::List(items)) => items.push(node),
            Some(Inside::Map(entries, next)) => {
                if let Some(Key { name: Some(name), span }) = next.take() {
                    entries.push(Entry { name, key: span, node });
                }
            }
            None => {}
        }
    }

    fn scalar_span(&self, span: &Span) -> Range<usize> {
        let start = self.offset(&span.start);
        let end = self.offset(&span.end).max(start);
        start..start + self.text[start..end].trim_end().len()
    }

    /// The bytes of a list or a map, without the blank lines and comments that the parser counts to a block.
    fn collection_span(&self, start: usize, end: usize) -> Range<usize> {
        // The end marker stands before the closing bracket of a flow collection.
        let bytes = self.text.as_bytes();
        if matches!(bytes.get(start), Some(b'[' | b'{')) && matches!(bytes.get(end), Some(b']' | b'}')) {
            return start..end + 1;
        }
        start..start + without_trailing_comments(&self.text[start..end]).len()
    }
}

fn without_trailing_comments(block: &str) -> &str {
    let mut block = block.trim_end();
    while let Some(at) = block.rfind('\n')
        && block[at..].trim_start().starts_with('#')
    {
        block = block[..at].trim_end();
    }
    block
}

/// Whether a scalar is a text whatever it says.
fn is_text(style: ScalarStyle, tag: Option<&Tag>) -> bool {
    match tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str()) {
        Some("str") => true,
        Some("float" | "int") => false,
        _ => style != ScalarStyle::Plain,
    }
}

/// Whether a scalar that is no text is a number by the core schema of YAML 1.2 and not a finite one.
fn is_not_finite(plain: &str) -> bool {
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(plain);
    matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || matches!(plain, ".nan" | ".NaN" | ".NAN")
        || plain.bytes().any(|byte| byte.is_ascii_digit()) && plain.parse::<f64>().is_ok_and(|it| !it.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{Oddity, Outline};
    use crate::spec::substitute::below;

    /// What stands at each path: the key and the value.
    fn at(text: &str, path: &str) -> Option<(Option<String>, String)> {
        let (outline, _) = Outline::of(text).unwrap();
        let place = outline.place(path)?;
        Some((place.key.map(|key| text[key].to_owned()), text[place.value].to_owned()))
    }

    fn entry(key: &str, value: &str) -> Option<(Option<String>, String)> {
        Some((Some(key.to_owned()), value.to_owned()))
    }

    fn item(value: &str) -> Option<(Option<String>, String)> {
        Some((None, value.to_owned()))
    }

    #[test]
    fn every_node_is_found_by_its_path() {
        let text = "a:\n  b: [1, { c: x }]\n  # a comment\n\nd:\n- é\n- - 2\n";
        assert_eq!(at(text, ""), item(text.trim_end()));
        assert_eq!(at(text, "a"), entry("a", "b: [1, { c: x }]"));
        assert_eq!(at(text, "a.b"), entry("b", "[1, { c: x }]"));
        assert_eq!(at(text, "a.b[0]"), item("1"));
        assert_eq!(at(text, "a.b[1]"), item("{ c: x }"));
        assert_eq!(at(text, "a.b[1].c"), entry("c", "x"));
        assert_eq!(at(text, "d[0]"), item("é"));
        assert_eq!(at(text, "d[1][0]"), item("2"));
        for path in ["b", "a.b[2]", "a.b[x]", "a.b.c", "a.", "d[1].x", "a.b[1].c.d", "[0]"] {
            assert_eq!(at(text, path), None, "{path}");
        }
    }

    #[test]
    fn names_may_hold_what_separates_names() {
        let text = "a.b: 1\na: { c: 2, 'd[0]': 3, '[1]': 4 }\n";
        assert_eq!(at(text, "a.b"), entry("a.b", "1"));
        assert_eq!(at(text, "a.c"), entry("c", "2"));
        assert_eq!(at(text, "a.d[0]"), entry("'d[0]'", "3"));
        assert_eq!(at(text, "a[1]"), entry("'[1]'", "4"));
    }

    #[test]
    fn what_an_alias_stands_for_is_at_its_anchor() {
        let text = "a: &one { b: [x] }\nc: *one\n&k key: 1\nd: { *k : 2 }\n";
        assert_eq!(at(text, "c"), entry("c", "*one"));
        assert_eq!(at(text, "c.b[0]"), item("x"));
        assert_eq!(at(text, "key"), entry("&k key", "1"));
        assert_eq!(at(text, "d.key"), entry("*k", "2"));
    }

    #[test]
    fn says_what_is_odd_in_the_order_of_the_text() {
        let text =
            "a: .inf\nb: { <<: {}, c: 1, c: 2, 'c': 3 }\n'<<': 1\nd: [.nan, -.Inf, 1e999, inf, '.inf', 1e9]\na: x\n";
        let (_, odd) = Outline::of(text).unwrap();
        let said: Vec<(&str, &str)> = odd
            .iter()
            .map(|oddity| match oddity {
                Oddity::Twice { name, again, .. } => (name.as_str(), &text[again.clone()]),
                Oddity::MergeKey(span) => ("merge", &text[span.clone()]),
                Oddity::NotFinite(span) => ("number", &text[span.clone()]),
            })
            .collect();
        let numbers = [("number", ".nan"), ("number", "-.Inf"), ("number", "1e999")];
        let expected =
            [&[("number", ".inf"), ("merge", "<<"), ("c", "c"), ("c", "'c'")][..], &numbers, &[("a", "a")]].concat();
        assert_eq!(said, expected);
    }

    #[test]
    fn a_deep_text_and_an_alias_in_its_own_anchor_end_nothing() {
        assert!(Outline::of(&"[".repeat(100_000)).is_err());
        let nested = |depth| format!("{}x\n{}", "- ".repeat(depth), "\n# a comment\n".repeat(100));
        assert!(Outline::of(&nested(128)).is_ok());
        assert!(Outline::of(&nested(129)).unwrap_err().1.contains("recursion limit"));
        // The other parser has the same limit.
        assert!(serde_yaml::from_str::<Value>(&nested(127)).is_ok());
        assert!(serde_yaml::from_str::<Value>(&nested(129)).is_err());
        assert_eq!(at("a: &a { b: *a }", "a.b.b"), None);
        assert_eq!(at("", ""), None);
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[ -~]{0,12}", "[a-zé#: \n-]{0,20}", "null|true|1e3|0x1|\\.inf|~|<<"];
        let leaf = prop_oneof![text.prop_map(Value::from), any::<i32>().prop_map(Value::from), Just(Value::Bool(true))];
        leaf.prop_recursive(5, 60, 6, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from);
            let map = prop::collection::btree_map("[a-z é#-]{1,6}|1", inner, 0..6);
            prop_oneof![list, map.prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into())]
        })
    }

    /// What stands at a node's place, read again by the other parser, is the node; a list's or a map's is at hand.
    fn stands_in_its_place(text: &str, outline: &Outline, value: &Value, path: &str) {
        let place = outline.place(path).unwrap_or_else(|| panic!("`{path}` has no place in\n{text}"));
        match value {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    stands_in_its_place(text, outline, item, &format!("{path}[{i}]"));
                }
            }
            Value::Object(map) => {
                for (name, item) in map {
                    let path = below(path, name);
                    let key = outline.place(&path).and_then(|place| place.key).unwrap();
                    assert_eq!(serde_yaml::from_str::<String>(&text[key]).unwrap(), *name);
                    stands_in_its_place(text, outline, item, &path);
                }
            }
            // The place of a block begins below its `|`, so it can't be read by itself.
            Value::String(lines) if lines.contains('\n') => {
                assert!(lines.lines().all(|line| text[place.value.clone()].contains(line.trim())), "{path}\n{text}");
            }
            scalar => assert_eq!(serde_yaml::from_str::<Value>(&text[place.value]).unwrap(), *scalar, "{path}\n{text}"),
        }
    }

    proptest! {
        #[test]
        fn what_another_parser_reads_at_a_place_is_what_stands_there(value in values()) {
            let text = serde_yaml::to_string(&value).unwrap();
            let value: Value = serde_yaml::from_str(&text).unwrap();
            let (outline, odd) = Outline::of(&text).unwrap();
            prop_assert!(odd.is_empty(), "{odd:?}\n{text}");
            stands_in_its_place(&text, &outline, &value, "");
        }

        #[test]
        fn any_text_has_an_outline_or_an_error(text in "([a-c&*é<]|: |\n|  |- |[\\[\\]{},?|>'\"!#%]|---){0,40}") {
            if let Ok((outline, _)) = Outline::of(&text) {
                outline.place("a.b[0]");
            }
        }
    }
}
