//! Which requests belong together, and which candidate answered the last of them (spec §11.4).
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

/// The secret that sessions are hashed with, the same in all replicas. Without it a client can neither name
/// another client's session nor choose the account that its own starts on.
#[derive(Clone, Copy)]
pub struct Salt([u8; 16]);

impl Salt {
    /// From these bytes, which must be secret.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self(secret)
    }

    /// The secret.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl Salt {
    /// From secrets: the same for the same set of them, in any order and with any repetition.
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

/// The client of a request, and the session as far as its headers name one. Of fixed size, whatever the
/// headers contain.
#[derive(Clone, Copy)]
pub struct Caller {
    /// The hash of the client, to be continued.
    hash: SipHasher13,
    named: Option<SessionKey>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller(***)")
    }
}

impl Caller {
    /// From the headers of a request by this client.
    #[must_use]
    pub fn of(headers: &HeaderMap, client: &[u8], salt: Salt) -> Self {
        let mut hash = SipHasher13::new_with_key(&salt.0);
        part(&mut hash, client);
        let named = named_by(headers).map(|name| SessionKey::named(hash, name));
        Self { hash, named }
    }

    /// The same, with the name that a body of another API gives the session, if no header names one.
    #[must_use]
    pub fn or_named(self, name: Option<&str>) -> Self {
        let by_name = || Some(SessionKey::named(self.hash, name?.as_bytes()));
        let named = self.named.or_else(by_name);
        Self { named, ..self }
    }

    /// The session that the request belongs to: by its headers, otherwise by a field of its body, otherwise by
    /// its opening; `None` without any of these.
    #[must_use]
    pub fn session(self, opening: &Opening) -> Option<SessionKey> {
        let of_body = || SessionKey::of_body(self.hash, opening);
        self.named.or_else(of_body)
    }
}

impl SessionKey {
    /// The session with this number, for a replay, where sessions are already numbered.
    #[must_use]
    pub fn numbered(number: u32) -> Self {
        Self(number.into())
    }

    fn named(mut hash: SipHasher13, name: &[u8]) -> Self {
        hash.write_u8(0);
        ends(&mut hash, name);
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

    /// Its hash under this salt, which reveals nothing without the salt.
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

/// Hashes one part with its length, so that the boundary to the next part is unambiguous.
fn part(hash: &mut SipHasher13, bytes: &[u8]) {
    hash.write_u64(bytes.len() as u64);
    hash.write(bytes);
}

/// How many bytes of either end of a name, or of a part of an opening, are hashed.
const END: usize = 1024;

/// Hashes the length and both ends of what a client sent, which may be as long as a body. Texts that agree in
/// these count as equal: at worst two conversations of one client share a pin, while hashing a long one in full
/// would take as long as reading it.
fn ends(hash: &mut SipHasher13, bytes: &[u8]) {
    let (first, rest) = bytes.split_at(bytes.len().min(END));
    let (_, last) = rest.split_at(rest.len().saturating_sub(END));
    hash.write_u64(bytes.len() as u64);
    hash.write(first);
    hash.write(last);
}

/// The value of the first session header that is not empty. If a header is repeated, its first value counts.
fn named_by(headers: &HeaderMap) -> Option<&[u8]> {
    HEADERS.iter().find_map(|name| {
        let value = headers.get(name)?.as_bytes().trim_ascii();
        (!value.is_empty()).then_some(value)
    })
}
