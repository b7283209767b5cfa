//! A call's arguments as they arrive: a JSON object in pieces, with nothing after it.

use std::borrow::Cow;

use crate::json::Unescape;

/// How far the arguments have got.
///
/// Once an object is closed, the arguments are complete: some providers repeat the whole object in
/// the last fragment, and no client can read what follows it. Some start with a placeholder `{}`,
/// so that is not handed out; a call that ends without arguments has an empty object.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    state: State,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// How many letters of a `null` have come, and are held back.
    null: usize,
    /// A fingerprint of what has come so far, without the white space between values.
    mark: Mark,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Nothing,
    /// `{}` or `null`, perhaps with more to come.
    Empty,
    /// Within an object.
    Open,
    /// After it.
    Closed,
    /// Not an object: a freeform tool's input as a model may write it.
    Text,
}

impl Progress {
    /// Takes the next piece, escaped, and returns what of it belongs to the arguments.
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

    /// Whether they appear to be complete.
    pub(super) fn are_whole(&self) -> bool {
        matches!(self.state, State::Empty | State::Closed)
    }

    /// Whether they are a closed object: nothing can follow.
    pub(super) fn are_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether these arguments, escaped, are the same.
    pub(super) fn are(&self, others: &str) -> bool {
        let mut whole = Self {
            state: State::Open,
            ..Self::default()
        };
        whole.feed(others);
        whole.mark == self.mark
    }

    /// Reads on; returns where the object ends, if it does.
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

/// What the first pieces of the arguments show.
enum First {
    Blank,
    /// This many letters of a `null`, perhaps with more to come.
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

/// Distinguishes texts without keeping them. An upstream that provokes a collision loses a call of
/// its own answer.
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

/// The same for a complete text.
pub(super) fn mark(text: &str) -> u64 {
    let mut mark = Mark::default();
    text.chars().for_each(|c| mark.add(u32::from(c)));
    mark.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed out, and whether it looks complete.
    fn taken(pieces: &[&str]) -> (String, bool) {
        let mut arguments = Progress::default();
        let out = pieces
            .iter()
            .filter_map(|piece| arguments.take(Cow::Borrowed(piece)));
        let out = out.collect::<String>();
        (out, arguments.are_whole())
    }

    #[test]
    fn arguments_are_complete_when_their_object_is() {
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
            // Repeated in full in the last fragment, or again in pieces; spaced differently.
            (&[r#"{\"a\""#, ":1}", r#"{\"a\":1}"#],         r#"{\"a\":1}"#,           true),
            (&[r#"{\"a\": 1}"#, r#"{\"a\""#, ":1}"],        r#"{\"a\": 1}"#,          true),
            (&[r#"{\"a\":1}{\"a\":1}"#],                    r#"{\"a\":1}"#,           true),
            (&[r#"{\"a\":1}\n\n"#, " }"],                  r#"{\"a\":1}"#,           true),
            // Equal pieces are not a repetition.
            (&[r#"{\"a\":\""#, "ab", "ab", r#"\"}"#],       r#"{\"a\":\"abab\"}"#,    true),
            // An empty object may be a placeholder for what is still to come.
            (&["{}"],                                       "",                         true),
            (&["{ }", r#"{\"a\":1}"#],                      r#"{\"a\":1}"#,           true),
            (&["null"],                                     "",                         true),
            (&["n", "ul", "l"],                             "",                         true),
            (&["nu", "ll", r#"{\"a\":1}"#],                 r#"{\"a\":1}"#,           true),
            (&["n", "u", "mber"],                           "number",                   false),
            (&["", "  ", r"\n"],                            "",                         false),
            // What is not an object has no visible end.
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
    fn equal_arguments_are_recognised_however_they_are_cut_and_spaced() {
        let mut arguments = Progress::default();
        for piece in [r#"{\"a\""#, r#": \"x y\"}"#] {
            arguments.take(Cow::Borrowed(piece));
        }
        assert!(arguments.are(r#"{ \"a\":\"x y\"}"#));
        assert!(!arguments.are(r#"{\"a\":\"xy\"}"#));
        assert!(!arguments.are(r#"{\"a\":\"x y\""#));
    }
}
