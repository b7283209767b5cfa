//! The ids of calls, as a client sees them.
//!
//! The upstream's ids for its calls cannot be relied on: some restart numbering in each answer,
//! some give two calls the same id, some give none, and clients drop what looks like a repetition.
//! So each call gets one of our ids: `flp_`, twelve digits that no other call has, and after them
//! what leads back to the upstream's own id, which is sent upstream again in the next turn:
//!
//! | after the digits | |
//! | --- | --- |
//! | `_` and the upstream's id | as it is, if it has only letters, digits, `_` and `-` |
//! | `-` and the upstream's id | each other byte, and `-`, as `-` and two hex digits |
//! | `d` and a digest | the upstream's id would not fit: `reasoning_details` of the turn may name
//! it |
//! | nothing | there is none, or another call of the answer has it: ours is sent upstream |

use std::borrow::Cow;

use super::digest::{DIGEST, digest, is_digest};
use crate::json::{Unescape, write};

const MARK: &str = "flp_";

/// How many digits make it unique.
const DIGITS: usize = 12;

/// An upstream id longer than this is ignored: ids are kept, and compared with each other.
pub(super) const MAX_ID: usize = 128;

/// What strict clients accept.
const LONGEST: usize = 64;

/// The id of call number `at` in an answer; `own` is the upstream's id, escaped.
pub(in crate::surface) fn call_id(answer: &str, at: usize, own: &str) -> String {
    let mut id = String::with_capacity(LONGEST);
    id.push_str(MARK);
    id.push_str(&digest(&[answer, &at.to_string()], DIGITS));
    let own: String = Unescape::new(own).collect();
    if own.is_empty() {
        return id;
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let start = id.len();
    if own.bytes().all(plain) {
        id.push('_');
        id.push_str(&own);
    } else {
        id.push('-');
        for byte in own.bytes() {
            if plain(byte) && byte != b'-' {
                id.push(char::from(byte));
            } else {
                id.push_str(&format!("-{byte:02x}"));
            }
        }
    }
    if id.len() > LONGEST {
        id.truncate(start);
        id.push('d');
        id.push_str(&digest(&[&own], DIGEST));
    }
    id
}

/// Whether upstreams accept an id that is not ours: at most as long as strict hosts allow, and made
/// of the characters that all of them allow.
pub(super) fn fits(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
    id.len() <= LONGEST && id.bytes().all(plain)
}

/// One of our ids for call number `at` of a conversation, whose own id is unusable.
pub(super) fn made(own: &str, at: usize) -> String {
    format!("{MARK}{}", digest(&[own, &at.to_string()], DIGITS))
}

/// What an id in a history leads to. All strings are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// The id to send upstream: the upstream's own, or the given one if it leads nowhere.
    As(Cow<'a, str>),
    /// The id with this digest, if the details name it.
    Digest(&'a str),
}

/// Reads an id from a history.
pub(super) fn known(id: &str) -> Known<'_> {
    let as_it_is = Known::As(Cow::Borrowed(id));
    let Some((digits, rest)) = id
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_at_checked(DIGITS))
    else {
        return as_it_is;
    };
    if !is_digest(digits) || id.len() > LONGEST {
        return as_it_is;
    }
    let mut rest = rest.chars();
    match (rest.next(), rest.as_str()) {
        (Some('_'), own) if !own.is_empty() => Known::As(Cow::Borrowed(own)),
        (Some('-'), own) => decoded(own).map_or(as_it_is, |own| Known::As(Cow::Owned(own))),
        (Some('d'), own) if own.len() == DIGEST => Known::Digest(own),
        _ => as_it_is,
    }
}

/// What represents this escaped id in one of ours. `None` if it is too long to be the id of a call.
pub(super) fn digest_of(id: &str) -> Option<String> {
    let own: String = Unescape::new(id).collect();
    (id.len() <= MAX_ID).then(|| digest(&[&own], DIGEST))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut pieces = text.split('-');
    bytes.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let (hex, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let own = String::from_utf8(bytes).ok()?;
    let mut escaped = Vec::new();
    write::escape(&mut escaped, &own);
    String::from_utf8(escaped).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstreams_own_id_is_recovered_where_it_fits() {
        let vllm = format!("chatcmpl-tool-{}", "0f".repeat(16));
        let long = format!("tool_0_{}", "x".repeat(60));
        #[rustfmt::skip]
        let rows = [
            // own                           what is sent upstream: itself, ours, or what details name
            ("call_0",                       "own"),
            ("functions.Bash:0",             "own"),
            ("call-1b4e28ba-2fa1-11d2",      "own"),
            (vllm.as_str(),                  "own"),
            ("9",                            "own"),
            (r#"a\"b\\c"#,                   "own"),
            ("é",                            "own"),
            ("",                             "ours"),
            (long.as_str(),                  "digest"),
        ];
        for (own, expected) in rows {
            let id = call_id("1a2b", 0, own);
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            assert!(id.len() <= LONGEST && id.bytes().all(plain), "{id}");
            let up = match known(&id) {
                Known::As(up) if up == own => "own",
                Known::As(up) if up == id => "ours",
                Known::Digest(digest) if digest_of(own).as_deref() == Some(digest) => "digest",
                other @ (Known::As(_) | Known::Digest(_)) => panic!("{own}: {other:?}"),
            };
            assert_eq!(up, expected, "{own}");
        }
    }

    #[test]
    fn no_two_calls_have_the_same_id() {
        let mut seen = std::collections::HashSet::new();
        for answer in 0..1_000 {
            for at in 0..10 {
                assert!(seen.insert(call_id(&format!("{answer:032x}"), at, "call_0")));
            }
        }
    }

    #[test]
    fn an_id_that_is_not_ours_is_sent_upstream_unchanged() {
        #[rustfmt::skip]
        let rows = [
            "", "call_0", "toolu_01", "flp_", "flp_short", "flp_abcdefghijkl_", "flp_ABCDEFGHIJKL_x", "flp_abcdefghijklx",
            "flp_abcdefghijkl-x-", "flp_abcdefghijkl-x-zz", "flp_abcdefghijkl--ff", "flp_abcdefghijkldx", "flp_abcdefghijk\\u00e9",
        ];
        for id in rows {
            assert_eq!(known(id), Known::As(Cow::Borrowed(id)), "{id}");
        }
    }
}
