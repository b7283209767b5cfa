//! A call's arguments as they come: a JSON object in pieces, of which nothing may be left over.

use std::borrow::Cow;

use crate::json::Unescape;

/// How far they have come.
///
/// An object that is closed is all there is: some providers repeat it whole in the last fragment,
/// and no client can read what is behind it. Some begin with a `{}` that stands for nothing yet,
/// so that one is not handed out; whoever ends up with no arguments has an empty object.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    state: State,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// How many letters of a `null` have come, which are not handed out.
    null: usize,
    /// Of what has come so far, less the white space between its values.
    mark: Mark,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Nothing,
    /// `{}` or `null`, and perhaps more to come.
    Empty,
    /// Within an object.
    Open,
    /// Behind it.
    Closed,
    /// No object: a freeform tool's input as a model may write it.
    Text,
}

impl Progress {
    /// Takes the next piece, escaped, and answers what of it belongs to them.
    pub(super) fn take<'a>(&mut self, piece: Cow<'a, str>) -> Option<Cow<'a, str>> {
        match self.state {
            State::Closed => return None,
            State::Text => return Some(piece),
            State::Nothing | State::Empty => {
                let held = NULL.get(..self.null).unwrap_or_default();
                match first(held, &piece) {
                    First::Blank => return None,
                    First::Null(letters) => {
                        self.null = letters;
                        return None;
                    }
                    First::Empty => {
                        self.null = 0;
                        self.state = State::Empty;
                        return None;
                    }
                    First::Object => self.state = State::Open,
                    First::Other => {
                        self.state = State::Text;
                        let all = held.is_empty().then_some(piece.clone());
                        return Some(all.unwrap_or_else(|| format!("{held}{piece}").into()));
                    }
                };
            }
            State::Open => {}
        }
        let end = self.feed(&piece);
        Some(match (end, piece) {
            (None, piece) => piece,
            (Some(end), Cow::Borrowed(piece)) => Cow::Borrowed(piece.get(..end)?),
            (Some(end), Cow::Owned(mut piece)) => {
                piece.truncate(end);
                Cow::Owned(piece)
            }
        })
    }

    /// As it looks, they are whole.
    pub(super) fn are_whole(&self) -> bool {
        matches!(self.state, State::Empty | State::Closed)
    }

    /// They are an object that is closed: nothing can follow.
    pub(super) fn are_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether these, escaped, are the same.
    pub(super) fn are(&self, others: &str) -> bool {
        let mut whole = Self {
            state: State::Open,
            ..Self::default()
        };
        whole.feed(others);
        whole.mark == self.mark
    }

    /// Reads on; answers where the object ends, if it does.
    fn feed(&mut self, piece: &str) -> Option<usize> {
        let mut chars = Unescape::new(piece);
        while let Some(c) = chars.next() {
            if self.in_string || !c.is_ascii_whitespace() {
                self.mark.add(u32::from(c));
            }
            match c {
                _ if std::mem::take(&mut self.escaped) => {}
                '\\' if self.in_string => self.escaped = true,
                '"' => self.in_string = !self.in_string,
                '{' | '[' if !self.in_string => self.depth += 1,
                '}' | ']' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.state = State::Closed;
                        return Some(piece.len() - chars.rest().len());
                    }
                }
                _ => {}
            }
        }
        None
    }
}

const NULL: &str = "null";

/// What the first pieces of arguments show.
enum First {
    Blank,
    /// So many letters of a `null`, and perhaps more to come.
    Null(usize),
    Empty,
    Object,
    Other,
}

fn first(held: &str, piece: &str) -> First {
    let solid = Unescape::new(piece).filter(|c| !c.is_ascii_whitespace());
    // One more than `null` has.
    let start: String = held.chars().chain(solid).take(NULL.len() + 1).collect();
    match start.as_str() {
        "" => First::Blank,
        "{}" | NULL => First::Empty,
        start if NULL.starts_with(start) => First::Null(start.len()),
        start if start.starts_with('{') => First::Object,
        _ => First::Other,
    }
}

/// Tells texts apart without keeping them. Whoever makes two alike on purpose loses a call of his
/// own answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(u64);

impl Default for Mark {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Mark {
    /// FNV-1a, by characters.
    fn add(&mut self, next: u32) {
        self.0 = (self.0 ^ u64::from(next)).wrapping_mul(0x0100_0000_01b3);
    }
}

/// The same for a text that is there as a whole.
pub(super) fn mark(text: &str) -> u64 {
    let mut mark = Mark::default();
    text.chars().for_each(|c| mark.add(u32::from(c)));
    mark.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed out, and whether it looks whole.
    fn taken(pieces: &[&str]) -> (String, bool) {
        let mut arguments = Progress::default();
        let out = pieces
            .iter()
            .filter_map(|piece| arguments.take(Cow::Borrowed(piece)));
        let out = out.collect::<String>();
        (out, arguments.are_whole())
    }

    #[test]
    fn arguments_are_whole_when_their_object_is() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &str, bool)] = &[
            (&[r#"{\"a\":"#, r#"\"}\"}"#],                 r#"{\"a\":\"}\"}"#,        true),
            (&[r#"{\"a\":\"}"#],                           r#"{\"a\":\"}"#,           false),
            (&[r#"{\"a\":\"\\\"}\"}"#],                    r#"{\"a\":\"\\\"}\"}"#,    true),
            (&[r#"{\"a\":\"\\"#, r#"\"}\""#],              r#"{\"a\":\"\\\"}\""#,     false),
            (&[r#"{\"a\":[{}"#],                           r#"{\"a\":[{}"#,           false),
            (&[r#"{\"a\":[{}]}"#],                         r#"{\"a\":[{}]}"#,         true),
            (&[r"\u007b\u007d\u007d", "x"],                r"\u007b\u007d",             true),
            (&["{", "}"],                                   "{}",                       true),
            // Repeated whole in the last fragment, or in pieces again; spaced in another way.
            (&[r#"{\"a\""#, ":1}", r#"{\"a\":1}"#],         r#"{\"a\":1}"#,           true),
            (&[r#"{\"a\": 1}"#, r#"{\"a\""#, ":1}"],        r#"{\"a\": 1}"#,          true),
            (&[r#"{\"a\":1}{\"a\":1}"#],                    r#"{\"a\":1}"#,           true),
            (&[r#"{\"a\":1}\n\n"#, " }"],                  r#"{\"a\":1}"#,           true),
            // Pieces that are alike are no repetition.
            (&[r#"{\"a\":\""#, "ab", "ab", r#"\"}"#],       r#"{\"a\":\"abab\"}"#,    true),
            // An empty object may stand for what is still to come.
            (&["{}"],                                       "",                         true),
            (&["{ }", r#"{\"a\":1}"#],                      r#"{\"a\":1}"#,           true),
            (&["null"],                                     "",                         true),
            (&["n", "ul", "l"],                             "",                         true),
            (&["nu", "ll", r#"{\"a\":1}"#],                 r#"{\"a\":1}"#,           true),
            (&["n", "u", "mber"],                           "number",                   false),
            (&["", "  ", r"\n"],                            "",                         false),
            // What is no object has no end that could be seen.
            (&["*** Begin {x}", " end"],                    "*** Begin {x} end",        false),
            (&[r#"\"{}\""#, "x"],                           r#"\"{}\"x"#,             false),
            (&["[1]", "2"],                                 "[1]2",                     false),
        ];
        for (pieces, expected, whole) in rows {
            assert_eq!(
                taken(pieces),
                ((*expected).to_owned(), *whole),
                "{pieces:?}"
            );
        }
    }

    #[test]
    fn the_same_arguments_are_known_however_they_are_cut_and_spaced() {
        let mut arguments = Progress::default();
        for piece in [r#"{\"a\""#, r#": \"x y\"}"#] {
            arguments.take(Cow::Borrowed(piece));
        }
        assert!(arguments.are(r#"{ \"a\":\"x y\"}"#));
        assert!(!arguments.are(r#"{\"a\":\"xy\"}"#));
        assert!(!arguments.are(r#"{\"a\":\"x y\""#));
    }
}
