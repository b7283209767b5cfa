//! Which call a fragment of `tool_calls` belongs to, and whether a call's arguments are whole.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::json::{self, Kind, Raw, Reader, Unescape, write};

/// More calls than any model makes in one answer. A stream keeps each to its end, so that one
/// which never stops beginning another has to be stopped.
pub(in crate::surface) const MAX_CALLS: usize = 1_024;

/// The calls met so far.
#[derive(Debug, Default)]
pub(in crate::surface) struct Calls {
    seen: Vec<Seen>,
    /// The last call of each index.
    last: HashMap<u64, usize>,
}

#[derive(Debug)]
struct Seen {
    id: String,
    /// It has a name.
    named: bool,
}

/// A piece of a call. Strings are still escaped, and none is empty.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::surface) struct Fragment<'a> {
    /// Which call it is of, counted in the order in which they began.
    pub(in crate::surface) call: usize,
    pub(in crate::surface) id: Option<&'a str>,
    pub(in crate::surface) name: Option<&'a str>,
    pub(in crate::surface) arguments: Option<Cow<'a, str>>,
}

impl Calls {
    /// Whether there are more of them than a stream may begin.
    pub(in crate::surface) fn are_too_many(&self) -> bool {
        self.seen.len() > MAX_CALLS
    }

    /// Reads `tool_calls`; each fragment in it is handed to `take`.
    pub(in crate::surface) fn read<'a>(
        &mut self,
        calls: Raw<'a>,
        mut take: impl FnMut(&Fragment<'a>),
    ) {
        let text = |value: Raw<'a>| value.escaped().filter(|text| !text.is_empty());
        let mut elements = |reader: &mut Reader<'a>| {
            let (mut index, mut id, mut name, mut arguments) = (None, None, None, None);
            reader.object(|key, reader| match key {
                "index" => reader.value().map(|value| index = value.as_u64()),
                "id" => reader.value().map(|value| id = text(value)),
                "function" => reader.object(|key, reader| {
                    let value = reader.value()?;
                    match key {
                        "name" => name = text(value),
                        "arguments" => arguments = as_text(value),
                        _ => {}
                    }
                    Ok(())
                }),
                _ => reader.value().map(drop),
            })?;
            take(&Fragment {
                call: self.belongs_to(index, id, name.is_some()),
                id,
                name,
                arguments,
            });
            Ok(())
        };
        let read = Reader::new(calls.text().as_bytes(), json::MAX_DEPTH)
            .and_then(|mut reader| reader.array(&mut elements));
        debug_assert!(read.is_ok(), "it has been checked");
    }

    /// Calls are keyed by `index`. Some providers leave it out, or give every call the same one:
    /// then another id with a name begins another call, and without any id another name.
    fn belongs_to(&mut self, index: Option<u64>, id: Option<&str>, named: bool) -> usize {
        let known = match index {
            Some(index) => self.last.get(&index).copied(),
            None => self.seen.len().checked_sub(1),
        };
        if let Some((at, seen)) = known.and_then(|at| Some((at, self.seen.get_mut(at)?))) {
            let another = match (id, index) {
                (Some(id), _) if !seen.id.is_empty() => seen.id != id && (named || index.is_none()),
                (_, None) if seen.id.is_empty() => named && seen.named,
                (Some(_) | None, Some(_)) | (_, None) => false,
            };
            if !another {
                seen.named |= named;
                if let (Some(id), true) = (id, seen.id.is_empty()) {
                    id.clone_into(&mut seen.id);
                }
                return at;
            }
        }
        let at = self.seen.len();
        self.last.insert(index.unwrap_or(at as u64), at);
        self.seen.push(Seen {
            id: id.unwrap_or_default().to_owned(),
            named,
        });
        at
    }
}

/// Arguments are a string; a provider that sends the document itself means the same.
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

/// Tells whether the pieces of a JSON object so far are the whole of it, by its brackets.
#[derive(Clone, Debug, Default)]
pub(in crate::surface) struct Balance {
    depth: u32,
    in_string: bool,
    escaped: bool,
    complete: bool,
}

impl Balance {
    /// Takes the next piece, still escaped.
    pub(in crate::surface) fn feed(&mut self, escaped: &str) {
        for c in Unescape::new(escaped) {
            match c {
                _ if std::mem::take(&mut self.escaped) => {}
                '\\' if self.in_string => self.escaped = true,
                '"' => self.in_string = !self.in_string,
                '{' | '[' if !self.in_string => self.depth += 1,
                '}' | ']' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether an object has been opened and closed.
    pub(in crate::surface) fn is_complete(&self) -> bool {
        self.complete
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
            // The id and the name repeated in each.
            (&[r#"{"index":0,"id":"a","function":{"name":"f"}}"#, r#"{"index":0,"id":"a","function":{"name":"f"}}"#], &[0, 0]),
            // No index: a plain answer's calls, or a careless stream's.
            (&[r#"{"id":"a","function":{"name":"f"}}"#, r#"{"function":{"arguments":"x"}}"#, r#"{"id":"b"}"#], &[0, 0, 1]),
            // Neither index nor id: a name each.
            (&[r#"{"function":{"name":"f","arguments":"x"}}"#, r#"{"function":{"arguments":"y"}}"#,
               r#"{"function":{"name":"f"}}"#, r#"{"function":{"arguments":"z"}}"#], &[0, 0, 1, 1]),
            (&[r#"{"function":{"arguments":"x"}}"#, r#"{"function":{"name":"f"}}"#], &[0, 0]),
            // Index 0 for every call.
            (&[r#"{"index":0,"id":"a","function":{"name":"f"}}"#, r#"{"index":0,"id":"b","function":{"name":"f"}}"#,
               r#"{"index":0,"function":{"arguments":"x"}}"#], &[0, 1, 1]),
            // The id comes late.
            (&[r#"{"index":0,"function":{"name":"f"}}"#, r#"{"index":0,"id":"a"}"#], &[0, 0]),
            // Indices with gaps, and from behind.
            (&[r#"{"index":7,"id":"a"}"#, r#"{"index":3,"id":"b"}"#, r#"{"index":7}"#], &[0, 1, 0]),
            (&["7", "[]", "null"], &[0, 0, 0]),
        ];
        for (fragments, expected) in rows {
            assert_eq!(calls_of(fragments), *expected, "{fragments:?}");
        }
    }

    #[test]
    fn arguments_that_are_no_string_are_made_one() {
        let arguments = |text: &str| {
            let list = format!(r#"[{{"function":{{"arguments":{text}}}}}]"#);
            let mut arguments = None;
            Calls::default().read(Raw::parse(list.as_bytes(), 9).unwrap(), |fragment| {
                arguments = fragment.arguments.clone().map(Cow::into_owned);
            });
            arguments
        };
        assert_eq!(arguments(r#"{"a":"b"}"#).unwrap(), r#"{\"a\":\"b\"}"#);
        assert_eq!(arguments(r#""{}""#).unwrap(), "{}");
        assert_eq!(arguments(r#""""#), None);
        assert_eq!(arguments("null"), None);
    }

    #[test]
    fn arguments_are_whole_when_their_brackets_are() {
        #[rustfmt::skip]
        let rows = [
            (&[r"{}"][..],                                   true),
            (&[r#"{\"a\":"#, r#"\"}\"}"#],                   true),
            (&[r#"{\"a\":\"}"#],                             false),
            (&[r#"{\"a\":\"\\\"}\"}"#],                      true),
            (&[r#"{\"a\":\"\\"#, r#"\"}\""#],                false),
            (&[r#"{\"a\":[{}"#],                             false),
            (&[r#"{\"a\":[{}]}"#],                           true),
            (&[r"\u007b\u007d"],                             true),
            (&[r"  "],                                       false),
            (&[],                                            false),
        ];
        for (pieces, expected) in rows {
            let mut balance = Balance::default();
            for piece in pieces {
                balance.feed(piece);
            }
            assert_eq!(balance.is_complete(), expected, "{pieces:?}");
        }
    }
}
