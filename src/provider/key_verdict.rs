//! What the answer to a key test says of the key (reference §3).
//!
//! Pure. No connection is no answer, and so no verdict: that is for who asked to say.

use super::case::says_that_the_key_is_dead;
use super::row::{Means, Provider};
use super::said::ErrorSaid;
use crate::answer::{Said, read};
use crate::request::Endpoint;

/// What a key test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyVerdict {
    /// The key is taken.
    Accepted,
    /// It is not.
    Refused,
    /// Neither can be told: a limit, an outage, another error.
    Unknown,
}

/// The verdict on an answer to the row's key test. Only a 401, a 403 or a 400 refuses a key, and the
/// last two only where row or body say so: a status alone misleads.
#[must_use]
pub fn key_verdict(row: &Provider, status: u16, body: &[u8]) -> KeyVerdict {
    let said = ErrorSaid::read(body);
    match status {
        200..=299 if is_error(body) => KeyVerdict::Unknown,
        200..=299 => KeyVerdict::Accepted,
        400 | 401 | 403 => refusal(row, status, &said),
        _ => KeyVerdict::Unknown,
    }
}

fn refusal(row: &Provider, status: u16, said: &ErrorSaid<'_>) -> KeyVerdict {
    let fits = row.errors.iter().find(|row| row.fits(Some(status), said));
    let is_refused = match fits {
        Some(fits) => fits.means == Means::KeyDead && (fits.has_words() || said.is_json),
        None => match status {
            401 => true,
            403 if row.speaks_openrouter(None) => true,
            _ => says_that_the_key_is_dead(said),
        },
    };
    if is_refused {
        KeyVerdict::Refused
    } else {
        KeyVerdict::Unknown
    }
}

/// Whether a body that came with a 200 is an error all the same.
fn is_error(body: &[u8]) -> bool {
    matches!(read(body, Endpoint::Chat), Ok(Said::Error(_)))
}
