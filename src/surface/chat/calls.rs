//! Which call a fragment of `tool_calls` belongs to, and how far a call's arguments have got.

use std::borrow::Cow;
use std::collections::HashMap;

use super::id::MAX_ID;
use super::progress::{Progress, mark};
use crate::json::{self, Kind, Raw, Reader, write};

/// More calls than any model makes in one answer. Each is kept until the answer ends, so an answer
/// that keeps starting new ones has to be stopped.
const MAX_CALLS: usize = 1_024;

/// The calls seen so far.
#[derive(Debug, Default)]
pub(in crate::surface) struct Calls {
    seen: Vec<Seen>,
    /// The last call of each index.
    last: HashMap<u64, usize>,
    /// The list contains complete calls, as a plain answer's does.
    are_whole: bool,
    too_many: bool,
}

#[derive(Debug, Default)]
struct Seen {
    id: String,
    name: Option<u64>,
    arguments: Progress,
}

/// A piece of a call. Strings are still escaped, and none is empty.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::surface) struct Fragment<'a> {
    /// Which call it belongs to, in the order in which they began.
    pub(in crate::surface) call: usize,
    /// Its own id, unless another call of the answer already has it.
    pub(in crate::surface) id: Option<&'a str>,
    pub(in crate::surface) name: Option<&'a str>,
    /// What was added to the arguments.
    pub(in crate::surface) arguments: Option<Cow<'a, str>>,
    /// The arguments appear to be complete.
    pub(in crate::surface) whole: bool,
}

/// A fragment as it appears in the list.
#[derive(Default)]
struct Piece<'a> {
    index: Option<u64>,
    id: Option<&'a str>,
    name: Option<&'a str>,
    arguments: Option<Cow<'a, str>>,
}

impl Calls {
    /// The calls of a plain answer: every element is a call.
    pub(in crate::surface) fn whole() -> Self {
        Self {
            are_whole: true,
            ..Self::default()
        }
    }

    /// Whether there are more calls than an answer may have. Those beyond the limit are not handed
    /// out.
    pub(in crate::surface) fn are_too_many(&self) -> bool {
        self.too_many
    }

    /// Reads `tool_calls` and hands each fragment in it to `take`.
    pub(in crate::surface) fn read<'a>(
        &mut self,
        calls: Raw<'a>,
        mut take: impl FnMut(&Fragment<'a>),
    ) {
        let mut count = 0;
        let mut element = |reader: &mut Reader<'a>| {
            count += 1;
            self.too_many |= count > MAX_CALLS;
            if self.too_many || reader.kind() != Some(Kind::Object) {
                return reader.value().map(drop);
            }
            if let Some(fragment) = self.place(Piece::read(reader)?) {
                take(&fragment);
            }
            Ok(())
        };
        let read = Reader::new(calls.text().as_bytes(), json::MAX_DEPTH)
            .and_then(|mut reader| reader.array(&mut element));
        debug_assert!(read.is_ok(), "it has been checked");
    }

    fn place<'a>(&mut self, piece: Piece<'a>) -> Option<Fragment<'a>> {
        let at = self.belongs_to(&piece);
        if at >= MAX_CALLS {
            self.too_many = true;
            return None;
        }
        if self.seen.len() <= at {
            self.last.insert(piece.index.unwrap_or(at as u64), at);
            self.seen.resize_with(at + 1, Seen::default);
        }
        let other = |id: &&str| self.seen.iter().take(at).any(|seen| seen.id == *id);
        let own = piece.id.filter(|id| !other(id));
        let seen = self.seen.get_mut(at)?;
        if let (Some(id), true) = (piece.id, seen.id.is_empty()) {
            id.clone_into(&mut seen.id);
        }
        seen.name = seen.name.or(piece.name.map(mark));
        let arguments = piece.arguments.and_then(|more| seen.arguments.take(more));
        Some(Fragment {
            call: at,
            id: own,
            name: piece.name,
            arguments,
            whole: seen.arguments.are_whole(),
        })
    }

    /// Calls are keyed by `index`. Some providers leave it out, or give every call the same one:
    /// then a different id with a name starts another call, and without any id a different name
    /// does. Some give every call the same id as well: then a named fragment that differs from a
    /// call whose arguments are complete starts another.
    fn belongs_to(&self, piece: &Piece<'_>) -> usize {
        let next = self.seen.len();
        if self.are_whole {
            return next;
        }
        let known = match piece.index {
            Some(index) => self.last.get(&index).copied(),
            None => next.checked_sub(1),
        };
        let Some((at, seen)) = known.and_then(|at| Some((at, self.seen.get(at)?))) else {
            return next;
        };
        let named = piece.name.is_some();
        let another = match (piece.id, piece.index) {
            (Some(id), index) if !seen.id.is_empty() && seen.id != id => named || index.is_none(),
            (_, None) if seen.id.is_empty() && named && seen.name.is_some() => true,
            (Some(_) | None, Some(_) | None) => seen.is_followed_by(piece),
        };
        if another { next } else { at }
    }
}

impl Seen {
    /// Whether it is complete, and this is not a repetition of it.
    fn is_followed_by(&self, piece: &Piece<'_>) -> bool {
        let (Some(known), Some(name)) = (self.name, piece.name) else {
            return false;
        };
        let arguments = piece.arguments.as_ref();
        let others = || arguments.is_some_and(|more| !self.arguments.are(more));
        self.arguments.are_whole()
            && (known != mark(name) || (self.arguments.are_closed() && others()))
    }
}

impl<'a> Piece<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, json::Error> {
        let text = |value: Raw<'a>| value.escaped().filter(|text| !text.is_empty());
        let mut piece = Self::default();
        reader.object(|key, reader| {
            match key {
                "index" => piece.index = reader.value()?.as_u64(),
                "id" => piece.id = text(reader.value()?).filter(|id| id.len() <= MAX_ID),
                "function" => reader.object(|key, reader| {
                    let value = reader.value()?;
                    match key {
                        "name" => piece.name = text(value),
                        "arguments" => piece.arguments = as_text(value),
                        _ => {}
                    }
                    Ok(())
                })?,
                _ => drop(reader.value()?),
            }
            Ok(())
        })?;
        Ok(piece)
    }
}

/// Arguments are a string; a provider that sends the document itself means the same thing.
fn as_text(arguments: Raw<'_>) -> Option<Cow<'_, str>> {
    match arguments.kind() {
        Kind::String => arguments
            .escaped()
            .filter(|text| !text.is_empty())
            .map(Cow::Borrowed),
        Kind::Object => {
            let mut text = Vec::new();
            write::escape(&mut text, arguments.text());
            String::from_utf8(text).ok().map(Cow::Owned)
        }
        Kind::Array | Kind::Number | Kind::Bool | Kind::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls_of(fragments: &[&str]) -> Vec<usize> {
        let mut calls = Calls::default();
        let list = format!("[{}]", fragments.join(","));
        let mut found = Vec::new();
        calls.read(Raw::parse(list.as_bytes(), 9).unwrap(), |fragment| {
            found.push(fragment.call);
        });
        found
    }

    #[test]
    fn a_fragment_finds_its_call() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &[usize])] = &[
            // As documented: an index, id and name first.
            (&[r#"{"index":0,"id":"a","function":{"name":"f"}}"#, r#"{"index":0,"function":{"arguments":"x"}}"#,
               r#"{"index":1,"id":"b","function":{"name":"g"}}"#, r#"{"index":0,"function":{"arguments":"y"}}"#], &[0, 0, 1, 0]),
            // The id and the name repeated in each fragment.
            (&[r#"{"index":0,"id":"a","function":{"name":"f"}}"#, r#"{"index":0,"id":"a","function":{"name":"f"}}"#], &[0, 0]),
            // No index: a plain answer's calls, or a careless stream's.
            (&[r#"{"id":"a","function":{"name":"f"}}"#, r#"{"function":{"arguments":"x"}}"#, r#"{"id":"b"}"#], &[0, 0, 1]),
            // Neither index nor id, but a name each.
            (&[r#"{"function":{"name":"f","arguments":"x"}}"#, r#"{"function":{"arguments":"y"}}"#,
               r#"{"function":{"name":"f"}}"#, r#"{"function":{"arguments":"z"}}"#], &[0, 0, 1, 1]),
            (&[r#"{"function":{"arguments":"x"}}"#, r#"{"function":{"name":"f"}}"#], &[0, 0]),
            // Index 0 for every call.
            (&[r#"{"index":0,"id":"a","function":{"name":"f"}}"#, r#"{"index":0,"id":"b","function":{"name":"f"}}"#,
               r#"{"index":0,"function":{"arguments":"x"}}"#], &[0, 1, 1]),
            // The id arrives late.
            (&[r#"{"index":0,"function":{"name":"f"}}"#, r#"{"index":0,"id":"a"}"#], &[0, 0]),
            // Indices with gaps, in descending order.
            (&[r#"{"index":7,"id":"a"}"#, r#"{"index":3,"id":"b"}"#, r#"{"index":7}"#], &[0, 1, 0]),
            // The same id for every call, with an index each and without one.
            (&[r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
               r#"{"index":1,"id":"a","function":{"name":"f","arguments":"{}"}}"#], &[0, 1]),
            (&[r#"{"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}}"#,
               r#"{"id":"a","function":{"name":"f","arguments":"{\"a\":2}"}}"#,
               r#"{"id":"a","function":{"name":"g","arguments":"{\"a\":2}"}}"#], &[0, 1, 2]),
            (&[r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}}"#,
               r#"{"index":0,"id":"a","function":{"name":"g","arguments":""}}"#, r#"{"index":0,"function":{"arguments":"{}"}}"#], &[0, 1, 1]),
            // A repetition, of the whole call or of its start, does not start another.
            (&[r#"{"id":"a","function":{"name":"f","arguments":"{\"a\""}}"#, r#"{"function":{"arguments":": 1}"}}"#,
               r#"{"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}}"#, r#"{"id":"a","function":{"name":"f"}}"#], &[0, 0, 0, 0]),
            // What is not a fragment belongs to no call.
            (&["7", "[]", "null"], &[]),
        ];
        for (fragments, expected) in rows {
            assert_eq!(calls_of(fragments), *expected, "{fragments:?}");
        }
    }

    #[test]
    fn arguments_that_are_not_a_string_become_one() {
        let arguments = |text: &str| {
            let list = format!(r#"[{{"function":{{"arguments":{text}}}}}]"#);
            let mut arguments = None;
            Calls::default().read(Raw::parse(list.as_bytes(), 9).unwrap(), |fragment| {
                arguments = fragment.arguments.clone().map(Cow::into_owned);
            });
            arguments
        };
        assert_eq!(arguments(r#"{"a":"b"}"#).unwrap(), r#"{\"a\":\"b\"}"#);
        assert_eq!(arguments(r#""{ \"a\":1}""#).unwrap(), r#"{ \"a\":1}"#);
        assert_eq!(
            arguments("{}"),
            None,
            "missing arguments are an empty object"
        );
        assert_eq!(arguments(r#""{}""#), None);
        assert_eq!(arguments(r#""""#), None);
        assert_eq!(arguments("null"), None);
    }

    #[test]
    fn an_id_is_reported_for_one_call_only() {
        let list = br#"[{"id":"a","function":{"name":"f"}},{"id":"a","function":{"name":"f"}},{"id":7},{"id":""},{"id":null},{}]"#;
        let mut ids = Vec::new();
        Calls::whole().read(Raw::parse(list, 9).unwrap(), |fragment| {
            ids.push((fragment.call, fragment.id));
        });
        let expected = [
            (0, Some("a")),
            (1, None),
            (2, None),
            (3, None),
            (4, None),
            (5, None),
        ];
        assert_eq!(ids, expected);
    }

    #[test]
    fn the_number_of_calls_is_limited() {
        for (element, count, expected, too_many) in [
            ("{}", MAX_CALLS, MAX_CALLS, false),
            ("{}", MAX_CALLS + 1, MAX_CALLS, true),
            ("0", 100_000, 0, true),
        ] {
            let list = format!("[{}]", vec![element; count].join(","));
            let mut calls = Calls::whole();
            let mut taken = 0;
            calls.read(Raw::parse(list.as_bytes(), 9).unwrap(), |_| taken += 1);
            assert_eq!(
                (taken, calls.are_too_many()),
                (expected, too_many),
                "{element}"
            );
        }
    }
}
