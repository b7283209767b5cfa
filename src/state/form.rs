//! The text of the file: a line that marks it as ours, with its version, and one JSON object. Pure.
//!
//! Everything read is hostile until checked: a file may be of another version, cut short, or edited by hand.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::roll::{Roll, SavedAccount, Who};
use crate::clock::{Now, from_unix_millis, unix_millis};
use crate::learnt::Salt;
use crate::model::Whom;
use crate::registry::Lasting;

/// What every version of the file begins with.
pub(super) const MARK: &[u8] = b"free-llm-proxy state ";

/// The version that is written.
const VERSION: u32 = 1;

/// The largest file that is read.
pub(super) const MOST_BYTES: u64 = 16 << 20;

/// What is left out where there is no room: first what traffic teaches again, then what only people look at, and used
/// quota and rests last.
const LEAST_IMPORTANT_FIRST: [fn(&mut Form); 3] = [
    |form| form.known.leave_out_learnt(),
    |form| form.history = None,
    |form| form.known = Lasting::default(),
];

/// Everything in the file.
#[derive(Debug)]
pub struct Form {
    /// The file's own secret.
    pub salt: Salt,
    written_at: SystemTime,
    accounts: Vec<SavedAccount>,
    known: Lasting<Who>,
    /// The daily history (spec §12.5), as it stands there.
    history: Option<Box<RawValue>>,
}

/// Its JSON.
#[derive(Serialize, Deserialize)]
struct Json<'a> {
    written_at_ms: u64,
    salt: String,
    accounts: Cow<'a, [SavedAccount]>,
    known: Cow<'a, Lasting<Who>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<Cow<'a, RawValue>>,
}

/// Why a file with our mark cannot be read. Displays as a phrase that follows the file's name; nothing of its
/// content is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A later version of this program wrote it.
    #[error("was written by a newer version ({0})")]
    Newer(u32),
    /// It is larger than any that we write.
    #[error("is larger than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    /// It was cut short, or changed by something else.
    #[error("is damaged (line {line}, column {column})")]
    Damaged {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
}

impl Form {
    /// Nothing but a salt.
    #[must_use]
    pub fn empty(salt: Salt, now: Now) -> Self {
        Self {
            salt,
            written_at: now.wall,
            accounts: Vec::new(),
            known: Lasting::default(),
            history: None,
        }
    }

    /// What is known now.
    #[must_use]
    pub fn of(
        lasting: Lasting<Whom>,
        roll: &Roll,
        salt: Salt,
        history: Option<Box<RawValue>>,
        now: Now,
    ) -> Self {
        Self {
            salt,
            written_at: now.wall,
            accounts: roll.saved(),
            known: lasting.about(|whom| roll.who(&whom)),
            history,
        }
    }

    /// What it says of the accounts that there are now, and when it was written.
    #[must_use]
    pub fn lasting(self, roll: &Roll) -> (Lasting<Whom>, SystemTime) {
        let known = self.known.about(roll.reader(&self.accounts));
        (known, self.written_at)
    }

    /// Its history.
    pub fn take_history(&mut self) -> Option<Box<RawValue>> {
        self.history.take()
    }

    /// The whole text, without the least important if it would be more than is read.
    ///
    /// # Errors
    /// Never with what we put in.
    pub fn text(mut self) -> serde_json::Result<Vec<u8>> {
        let mut text = self.written()?;
        for leave_out in LEAST_IMPORTANT_FIRST {
            if text.len() as u64 > MOST_BYTES {
                leave_out(&mut self);
                text = self.written()?;
            }
        }
        Ok(text)
    }

    fn written(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = [MARK, VERSION.to_string().as_bytes(), b"\n"].concat();
        let json = Json {
            written_at_ms: unix_millis(self.written_at),
            salt: hex(self.salt.bytes()),
            accounts: Cow::Borrowed(&self.accounts),
            known: Cow::Borrowed(&self.known),
            history: self.history.as_deref().map(Cow::Borrowed),
        };
        serde_json::to_writer(&mut text, &json)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads a text that begins with the mark of ours.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        if text.len() as u64 > MOST_BYTES {
            return Err(Unreadable::TooLarge);
        }
        let damaged = |line, column| Unreadable::Damaged { line, column };
        let rest = text.strip_prefix(MARK).ok_or(damaged(1, 1))?;
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (version, json) = rest.split_at(end.ok_or(damaged(1, 1))?);
        let version = std::str::from_utf8(version).ok();
        let version = version.and_then(|digits| digits.parse::<u32>().ok());
        match version {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(Unreadable::Newer(newer)),
            Some(_) | None => return Err(damaged(1, MARK.len() + 1)),
        }
        let read: Result<Json<'_>, _> = serde_json::from_slice(json);
        let json = read.map_err(|error| damaged(error.line(), error.column()))?;
        let (Some(salt), Some(written_at)) =
            (from_hex(&json.salt), from_unix_millis(json.written_at_ms))
        else {
            return Err(damaged(2, 1));
        };
        Ok(Self {
            salt: Salt::new(salt),
            written_at,
            accounts: json.accounts.into_owned(),
            known: json.known.into_owned(),
            history: json.history.map(Cow::into_owned),
        })
    }
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn from_hex(text: &str) -> Option<[u8; 16]> {
    let is_hex = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
    number.map(u128::to_be_bytes)
}
