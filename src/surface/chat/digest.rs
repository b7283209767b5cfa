//! A short stand-in for a text that is too long to be carried.

use std::hash::{DefaultHasher, Hasher as _};

/// How many digits distinguish the names, or the ids, of one conversation.
pub(super) const DIGEST: usize = 8;

/// The digits: lower case only, because a model has to repeat them in a name.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// `len` digits, at most 12, distinct from those of other texts. They may differ between builds.
pub(super) fn digest(pieces: &[&str], len: usize) -> String {
    let mut hasher = DefaultHasher::new();
    for piece in pieces {
        hasher.write(piece.as_bytes());
        // No piece contains this byte.
        hasher.write_u8(0xff);
    }
    let bits = hasher.finish();
    let digit = |n: usize| {
        let at = (bits >> (5 * n)) as usize % DIGITS.len();
        DIGITS.get(at).map(|digit| char::from(*digit))
    };
    (0..len.min(12)).filter_map(digit).collect()
}

/// Whether it could be a digest.
pub(super) fn is_digest(text: &str) -> bool {
    text.bytes().all(|b| DIGITS.contains(&b))
}
