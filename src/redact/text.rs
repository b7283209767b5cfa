//! Finds a key in a text, however it is escaped in JSON, and redacts it.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

use super::Secret;

/// Whether the text may contain the key, however it is escaped in JSON.
#[must_use]
pub fn may_hold_key(text: &[u8], key: &Secret) -> bool {
    key.is_in(text) || may_be_escaped(key, text)
}

/// The text with every occurrence of the key redacted, however it is escaped in JSON.
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
                at += memchr::memchr2(
                    *key.first().unwrap_or(&0),
                    b'\\',
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

/// How many bytes of `text` spell the key, if it begins with it.
fn spelt(text: &[u8], key: &[u8]) -> Option<usize> {
    key.iter().try_fold(0, |at, wanted| {
        let (byte, length) = character(text.get(at..)?)?;
        (byte == *wanted).then_some(at + length)
    })
}

/// The first character of a JSON text that may be escaped, if it is ASCII, and its length.
fn character(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'\\', b'u', b'0', b'0', high, low, ..] => {
            let digit = |hex: u8| char::from(hex).to_digit(16);
            let code = digit(*high)? * 16 + digit(*low)?;
            Some((u8::try_from(code).ok()?, 6))
        }
        [b'\\', same, ..] => Some((*same, 2)),
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}
