//! The one place that prints for people. A reader that has gone away is not an error.

use std::fmt::Display;
use std::io::Write as _;

/// One line, or several, on stdout.
pub fn line(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// JSON on stdout, for programs, and harmless on a terminal: what a terminal might obey is written
/// as a JSON escape, which means the same.
pub fn json(value: &serde_json::Value) {
    line(escaped(&format!("{value:#}")));
}

fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Line ends occur between members; within a text JSON has already escaped them.
        if c != '\n' && is_obeyed(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out += &format!("\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Exactly these bytes on stdout.
pub fn raw(bytes: &[u8]) {
    std::io::stdout().lock().write_all(bytes).ok();
}

/// A question, on stdout, to be answered on the same line.
pub fn question(text: impl Display) {
    let mut stdout = std::io::stdout().lock();
    // A terminal does not show an unfinished line until it is flushed.
    write!(stdout, "{text} ").and_then(|()| stdout.flush()).ok();
}

/// What is wrong, on stderr.
pub fn problem(text: impl Display) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// Text from outside without anything that a terminal might obey.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_obeyed(*c)).collect()
}

/// Control characters, and those that change the writing direction or are invisible.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s8_terminal_control_characters_are_left_out_of_texts_and_escaped_in_json() {
        #[rustfmt::skip]
        let rows = [
            ("a б 漢 😀",       "a б 漢 😀", "\"a б 漢 😀\""),
            ("\u{1b}[31m",      "[31m",      r#""\u001b[31m""#),
            ("\u{9b}31m\u{7f}", "31m",       r#""\u009b31m\u007f""#),
            ("a\u{202e}b",      "ab",        r#""a\u202eb""#),
            ("a\u{61c}b",       "ab",        r#""a\u061cb""#),
            ("a\nb",            "ab",        r#""a\nb""#),
        ];
        for (text, cleaned, spelt) in rows {
            assert_eq!(clean(text), cleaned);
            let json = escaped(&json!(text).to_string());
            assert_eq!(json, spelt);
            let read: String = serde_json::from_str(&json).unwrap();
            assert_eq!(read, text);
        }
        let json = json!({"a": ["b"]});
        assert_eq!(escaped(&format!("{json:#}")), format!("{json:#}"));
    }
}
