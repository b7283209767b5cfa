//! Which requests belong together, and who answered the last of them (spec §11.4).
//!
//! A session is a hash under a secret, of fixed size: no text of a header or a body is kept.

mod pins;
mod rendezvous;

use std::collections::BTreeSet;
use std::hash::Hasher as _;

use http::{HeaderMap, HeaderName};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

pub use pins::{Pin, Pins, Sticks};
pub use rendezvous::{score, starts_on};

use crate::request::Opening;

/// What sessions are hashed with: the same for all replicas, and nobody else's to know. So a client cannot
/// name another one's session, nor choose the account that it starts on.
#[derive(Clone, Copy)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Of these bytes, which must be secret.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self(secret)
    }
}

impl Salt {
    /// Of secrets: the same for all who have the same, in whatever order and however often.
    #[must_use]
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = SipHasher13::new();
        for secret in BTreeSet::from_iter(secrets) {
            part(&mut hash, secret.as_bytes());
        }
        Self(hash.finish128().as_bytes())
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(***)")
    }
}

/// A session of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(u128);

/// The headers that tell a session, the first one first; as names, since a text would be parsed into one at
/// each look-up.
static HEADERS: [HeaderName; 7] = [
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("x-claude-code-session-id"),
    HeaderName::from_static("session-id"),
    HeaderName::from_static("session_id"),
    HeaderName::from_static("x-opencode-session"),
    HeaderName::from_static("agent-session-id"),
    HeaderName::from_static("helicone-session-id"),
];

/// Who asks, and the session as far as the head of the request tells it. Of fixed size, whatever the
/// headers hold.
#[derive(Clone, Copy)]
pub struct Caller {
    /// The client.
    hash: SipHasher13,
    named: Option<SessionKey>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller(***)")
    }
}

impl Caller {
    /// What these headers tell of a request of this client.
    #[must_use]
    pub fn of(headers: &HeaderMap, client: &[u8], salt: Salt) -> Self {
        let mut hash = SipHasher13::new_with_key(&salt.0);
        part(&mut hash, client);
        let named = named_by(headers).map(|name| SessionKey::named(hash, name));
        Self { hash, named }
    }

    /// The same with the name that the body has for the session in the words of another API, where no header
    /// tells it.
    #[must_use]
    pub fn or_named(self, name: Option<&str>) -> Self {
        let by_name = || Some(SessionKey::named(self.hash, name?.as_bytes()));
        let named = self.named.or_else(by_name);
        Self { named, ..self }
    }

    /// The session that the request belongs to: by its headers, else by a field of its body, else by its
    /// opening; `None` where there is none of them.
    #[must_use]
    pub fn session(self, opening: &Opening) -> Option<SessionKey> {
        let of_body = || SessionKey::of_body(self.hash, opening);
        self.named.or_else(of_body)
    }
}

impl SessionKey {
    /// The session of that number, where sessions have numbers already: in a replay.
    #[must_use]
    pub fn numbered(number: u32) -> Self {
        Self(number.into())
    }

    fn named(mut hash: SipHasher13, name: &[u8]) -> Self {
        hash.write_u8(0);
        part(&mut hash, name);
        Self(hash.finish128().as_u128())
    }

    fn of_body(mut hash: SipHasher13, opening: &Opening) -> Option<Self> {
        if let Some(name) = opening.name() {
            return Some(Self::named(hash, name));
        }
        let parts = opening.parts();
        if parts.iter().all(|part| part.is_empty()) {
            return None;
        }
        hash.write_u8(1);
        for bytes in parts {
            ends(&mut hash, bytes);
        }
        Some(Self(hash.finish128().as_u128()))
    }

    /// What it is called under this salt alone, which tells nothing to who does not have it.
    #[must_use]
    pub fn under(self, salt: Salt) -> u64 {
        let mut hash = SipHasher13::new_with_key(&salt.0);
        hash.write(&self.bytes());
        hash.finish()
    }

    fn bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }
}

/// Hashes one part, so that it cannot be taken for a piece of the next.
fn part(hash: &mut SipHasher13, bytes: &[u8]) {
    hash.write_u64(bytes.len() as u64);
    hash.write(bytes);
}

/// How much of either end of a part of an opening tells it.
const END: usize = 1024;

/// Hashes the length of a part of an opening, and both of its ends. Parts that are equal in these are taken
/// for the same: all that comes of it is that two conversations of one client have one pin, and to hash a
/// long prompt as a whole would take as long as to read it.
fn ends(hash: &mut SipHasher13, bytes: &[u8]) {
    let (first, rest) = bytes.split_at(bytes.len().min(END));
    let (_, last) = rest.split_at(rest.len().saturating_sub(END));
    hash.write_u64(bytes.len() as u64);
    hash.write(first);
    hash.write(last);
}

/// What the first header that says something says. Of one that came several times the first counts.
fn named_by(headers: &HeaderMap) -> Option<&[u8]> {
    HEADERS.iter().find_map(|name| {
        let value = headers.get(name)?.as_bytes().trim_ascii();
        (!value.is_empty()).then_some(value)
    })
}
