//! The input of a freeform tool, unwrapped from the arguments it was carried in.
//!
//! The upstream writes `{"input":"..."}` as a string within a string, in fragments. The inner
//! string's own escapes are JSON escapes too, so it is passed on as it is; it is only repaired
//! where the model's output is not valid JSON.

use crate::json::{Unescape, write};

/// How far the arguments have been read.
#[derive(Debug, Default)]
pub(super) struct Freeform {
    state: State,
    /// An escape that is not complete yet: a client must not get half of one.
    escape: String,
    /// Half a surrogate pair, with its escape.
    half: String,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    /// Between members: expects a name or the end.
    Object,
    Name {
        name: String,
        escaped: bool,
    },
    /// After a name; whether it is `input`.
    Colon(bool),
    /// Another member's value.
    Other {
        depth: u32,
        in_string: bool,
        escaped: bool,
    },
    Input,
    /// The arguments are not an object: they are the input.
    Plain,
    Done,
}

impl Freeform {
    /// Takes the next fragment of the arguments, still escaped, and writes what it contains of the
    /// input, escaped.
    pub(super) fn feed(&mut self, escaped: &str, out: &mut Vec<u8>) {
        for c in Unescape::new(escaped) {
            self.take(c, out);
        }
    }

    /// Whether the input has been found. If it is still missing when the arguments end, the
    /// arguments themselves are the input.
    pub(super) fn found(&self) -> bool {
        matches!(self.state, State::Input | State::Plain | State::Done)
    }

    fn take(&mut self, c: char, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Start if c.is_whitespace() => {}
            State::Start if c == '{' => self.state = State::Object,
            State::Start => {
                self.state = State::Plain;
                put(c, out);
            }
            State::Plain => put(c, out),
            State::Object if c == '"' => {
                self.state = State::Name {
                    name: String::new(),
                    escaped: false,
                }
            }
            State::Object => {}
            State::Name { name, escaped } => match c {
                _ if std::mem::take(escaped) => name.push(c),
                '\\' => *escaped = true,
                '"' => self.state = State::Colon(name == "input"),
                _ => name.push(c),
            },
            State::Colon(_) if c.is_whitespace() || c == ':' => {}
            State::Colon(true) if c == '"' => self.state = State::Input,
            State::Colon(_) => {
                self.state = State::Other {
                    depth: 0,
                    in_string: false,
                    escaped: false,
                };
                self.take(c, out);
            }
            State::Other {
                depth,
                in_string,
                escaped,
            } => match c {
                _ if std::mem::take(escaped) => {}
                '\\' if *in_string => *escaped = true,
                '"' => *in_string = !*in_string,
                '{' | '[' if !*in_string => *depth += 1,
                '}' | ']' if !*in_string => match depth.checked_sub(1) {
                    Some(less) => *depth = less,
                    None => self.state = State::Object,
                },
                ',' if !*in_string && *depth == 0 => self.state = State::Object,
                _ => {}
            },
            State::Input => self.input(c, out),
            State::Done => {}
        }
    }

    fn input(&mut self, c: char, out: &mut Vec<u8>) {
        if self.escape.is_empty() {
            match c {
                '\\' => self.escape.push(c),
                '"' => {
                    self.drop_half(out);
                    self.state = State::Done;
                }
                _ => {
                    self.drop_half(out);
                    put(c, out);
                }
            }
            return;
        }
        self.escape.push(c);
        let Some(digits) = self.escape.strip_prefix("\\u") else {
            self.drop_half(out);
            if !matches!(c, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') {
                // A lone backslash, as in a pattern that was not escaped.
                out.push(b'\\');
            }
            out.push(b'\\');
            self.escape.clear();
            put_after_backslash(c, out);
            return;
        };
        let hex = digits.chars().all(|c| c.is_ascii_hexdigit());
        if hex && digits.len() < 4 {
            return;
        }
        let escape = std::mem::take(&mut self.escape);
        match u32::from_str_radix(escape.get(2..).unwrap_or_default(), 16) {
            Ok(0xd800..0xdc00) if hex => {
                self.drop_half(out);
                self.half = escape;
            }
            Ok(0xdc00..0xe000) if hex => match std::mem::take(&mut self.half) {
                half if half.is_empty() => out.extend_from_slice(br"\ufffd"),
                half => {
                    out.extend_from_slice(half.as_bytes());
                    out.extend_from_slice(escape.as_bytes());
                }
            },
            Ok(_) if hex => {
                self.drop_half(out);
                out.extend_from_slice(escape.as_bytes());
            }
            Ok(_) | Err(_) => {
                self.drop_half(out);
                // Not an escape: its characters are meant literally.
                let mut chars = escape.chars();
                let last = chars.next_back();
                let before = chars.as_str();
                write::escape(out, before);
                if let Some(last) = last {
                    self.take(last, out);
                }
            }
        }
    }

    fn drop_half(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.half).is_empty() {
            out.extend_from_slice(br"\ufffd");
        }
    }
}

fn put(c: char, out: &mut Vec<u8>) {
    write::escape(out, c.encode_utf8(&mut [0; 4]));
}

/// The character of an escape: as it is if it makes one with the backslash, escaped if not.
fn put_after_backslash(c: char, out: &mut Vec<u8>) {
    if matches!(c, '"' | '\\') {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        put(c, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds arguments (JSON text as a model writes it) in pieces of `size` characters, and returns
    /// what a client would assemble.
    fn unwrapped(arguments: &str, size: usize) -> Option<String> {
        let mut freeform = Freeform::default();
        let mut whole = Vec::new();
        let chars: Vec<char> = arguments.chars().collect();
        for piece in chars.chunks(size) {
            let piece: String = piece.iter().collect();
            let mut escaped = Vec::new();
            write::escape(&mut escaped, &piece);
            let mut delta = b"\"".to_vec();
            freeform.feed(std::str::from_utf8(&escaped).unwrap(), &mut delta);
            delta.push(b'"');
            let text: String = serde_json::from_slice(&delta).expect("a delta is a JSON string");
            whole.extend_from_slice(text.as_bytes());
        }
        freeform.found().then(|| String::from_utf8(whole).unwrap())
    }

    #[test]
    fn the_input_comes_out_however_it_was_written() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"input":"*** Begin\n+\"a\"\\n"}"#,    Some("*** Begin\n+\"a\"\\n")),
            (r#" { "input" : "x" } "#,                 Some("x")),
            (r#"{"input":"\u00e9 \ud83d\ude00 é"}"#,   Some("é 😀 é")),
            (r#"{"a":{"input":"no"},"b":["}"],"c":1,"input":"yes"}"#, Some("yes")),
            (r#"{"in\u0070ut":"x"}"#,                  None),
            (r#"{"input":""}"#,                        Some("")),
            (r#"{"input":"cut sh"#,                    Some("cut sh")),
            // Invalid JSON whose meaning is clear.
            ("{\"input\":\"a\nb\tc\"}",                Some("a\nb\tc")),
            (r#"{"input":"\d+\."}"#,                   Some(r"\d+\.")),
            (r#"{"input":"\u12"}"#,                    Some(r"\u12")),
            (r#"{"input":"\u12\n"}"#,                  Some("\\u12\n")),
            (r#"{"input":"\ud83d!"}"#,                 Some("\u{fffd}!")),
            (r#"{"input":"\ude00"}"#,                  Some("\u{fffd}")),
            ("*** Begin\n\"x\"",                       Some("*** Begin\n\"x\"")),
            // No input in it.
            (r#"{"patch":"x"}"#,                       None),
            (r#"{"input":7}"#,                         None),
            ("{}",                                     None),
            ("",                                       None),
        ];
        for (arguments, expected) in rows {
            for size in [1, 2, 3, 1_000] {
                let got = unwrapped(arguments, size);
                assert_eq!(got.as_deref(), expected, "{arguments} by {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "(\\PC|[\\x00-\\x7f]){0,40}", ascii in any::<bool>(), size in 1_usize..8) {
            let mut arguments = serde_json::json!({"a": [1, {"input": "no"}], "input": text}).to_string();
            if ascii {
                arguments = arguments.chars().map(|c| {
                    if c.is_ascii() { return c.to_string() }
                    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                }).collect();
            }
            prop_assert_eq!(unwrapped(&arguments, size), Some(text));
        }

        #[test]
        fn every_delta_is_json_whatever_the_arguments(arguments in "[{}\\[\\]:,\"\\\\inputud83e0 \n]{0,40}", size in 1_usize..5) {
            unwrapped(&arguments, size);
        }
    }
}
