//! Writes JSON texts: what is not passed on unchanged is assembled here, byte by byte.

use std::borrow::Cow;

use super::Raw;

/// A string with its quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// The text between a string's quotes, escaped as far as JSON requires.
pub fn escape(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|b| *b < 0x20 || matches!(b, b'"' | b'\\'))
    {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else {
            return;
        };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// An object of these members.
#[must_use]
pub fn object<'a>(members: impl Iterator<Item = (Cow<'a, str>, Raw<'a>)>) -> String {
    let mut json = b"{".to_vec();
    for (name, value) in members {
        if json.len() > 1 {
            json.push(b',');
        }
        string(&mut json, &name);
        json.push(b':');
        json.extend_from_slice(value.text().as_bytes());
    }
    json.push(b'}');
    // It was built from strings.
    String::from_utf8(json).unwrap_or_default()
}

/// A whole number.
pub fn number(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        // The remainder is a digit.
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}
