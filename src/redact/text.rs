//! Finds a key in a text, however it is escaped in JSON or encoded in an address, and redacts it.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

use super::Secret;

/// Whether the text may contain the key, however it is escaped in JSON or encoded in an address.
#[must_use]
pub fn may_hold_key(text: &[u8], key: &Secret) -> bool {
    key.is_in(text) || may_be_escaped(key, text) || may_be_encoded(key, text)
}

/// The text with every occurrence of the key redacted, however it is escaped in JSON or encoded in
/// an address.
#[must_use]
pub fn without_key(text: Bytes, key: &Secret) -> Bytes {
    if !may_hold_key(&text, key) {
        return text;
    }
    let key = key.expose().as_bytes();
    let mut clean = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match spelt(rest, key) {
            Some(length) => {
                clean.extend_from_slice(text.get(copied..at).unwrap_or_default());
                clean.extend_from_slice(b"***");
                at += length;
                copied = at;
            }
            // An escape is skipped as a whole: what follows a backslash begins nothing.
            None if rest.first() == Some(&b'\\') => at += 2,
            None => {
                at += memchr::memchr3(
                    *key.first().unwrap_or(&0),
                    b'\\',
                    b'%',
                    rest.get(1..).unwrap_or_default(),
                )
                .map_or(rest.len(), |skip| skip + 1)
            }
        }
    }
    if copied == 0 {
        return text;
    }
    clean.extend_from_slice(text.get(copied..).unwrap_or_default());
    clean.into()
}

/// Whether the key could occur in the text with some of its characters escaped: any by code point,
/// a few by short escapes (RFC 8259 §7).
fn may_be_escaped(key: &Secret, text: &[u8]) -> bool {
    static BY_CODE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\\u00"));
    let by_itself = || memchr::memchr3(b'"', b'\\', b'/', key.expose().as_bytes()).is_some();
    key.is_searched_for() && (BY_CODE.find(text).is_some() || by_itself())
}

/// Whether the key could occur in the text percent-encoded (RFC 3986 §2.1): it has a character that
/// does not go into an address as it is.
fn may_be_encoded(key: &Secret, text: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    memchr::memchr(b'%', text).is_some()
        && key.is_searched_for()
        && !key.expose().as_bytes().iter().all(is_plain)
}

/// How many bytes of `text` spell the key, if it begins with it.
fn spelt(text: &[u8], key: &[u8]) -> Option<usize> {
    let by = |read: fn(&[u8]) -> Option<(u8, usize)>| {
        key.iter().try_fold(0, |at, wanted| {
            let (byte, length) = read(text.get(at..)?)?;
            (byte == *wanted).then_some(at + length)
        })
    };
    by(character).or_else(|| by(decoded))
}

/// The first character of a text that may be percent-encoded and then escaped, and its length.
fn decoded(text: &[u8]) -> Option<(u8, usize)> {
    let (first, length) = character(text)?;
    let encoded = || {
        let (high, of_high) = character(text.get(length..)?)?;
        let (low, of_low) = character(text.get(length + of_high..)?)?;
        Some((hex(high, low)?, length + of_high + of_low))
    };
    let encoded = (first == b'%').then(encoded).flatten();
    Some(encoded.unwrap_or((first, length)))
}

/// The first character of a JSON text that may be escaped, if it is ASCII, and its length.
fn character(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', b'u', b'0', b'0', high, low, ..] => Some((hex(*high, *low)?, 6)),
        [b'\\', same, ..] => Some((*same, 2)),
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |hex: u8| char::from(hex).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
