//! What a row of a provider's errors implies (spec §10.1, `[[errors]]`).
//!
//! Pure.

use std::time::Duration;

use super::case::Case;
use super::row::{ErrorRow, Means};
use super::ruling::{KEY_REST, Ruling};
use super::said::ErrorSaid;
use crate::ledger::Per;
use crate::verdict::{Rest, Scope};

/// An unsupported region will still be unsupported in a minute (spec §10.4).
const REGION_REST: Duration = Duration::from_secs(6 * 3600);
/// How long to wait for one of our own requests to end, if concurrency is limited.
const BUSY_REST: Duration = Duration::from_secs(2);

impl ErrorRow {
    /// Whether it matches this error: everything it specifies must match, and it must specify
    /// something. If the status is not known, its words alone decide.
    pub(super) fn fits(&self, status: Option<u16>, said: &ErrorSaid<'_>) -> bool {
        let of_status = match (self.status, status) {
            (None, _) => true,
            (Some(wanted), Some(status)) => wanted == status,
            (Some(_), None) => self.has_words(),
        };
        let of_code = || self.code.as_ref().is_none_or(|code| said.is_marked(code));
        let of_words = || {
            self.matches
                .as_ref()
                .is_none_or(|words| matches(words, said))
        };
        (self.status.is_some() || self.has_words()) && of_status && of_code() && of_words()
    }

    /// Whether it specifies more than a status.
    pub(super) fn has_words(&self) -> bool {
        self.code.is_some() || self.matches.is_some()
    }
}

/// `^` anchors words to the beginning of the message, where a `*` matches a name or an id:
/// elsewhere the message may quote the request.
fn matches(words: &str, said: &ErrorSaid<'_>) -> bool {
    match words.strip_prefix('^') {
        Some(beginning) => begins(&said.message, &beginning.to_lowercase()),
        None => !words.is_empty() && said.has_anywhere(words),
    }
}

fn begins(message: &str, pattern: &str) -> bool {
    /// No name is longer, in bytes.
    const LONGEST_NAME: usize = 80;
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = message.strip_prefix(first) else {
        return false;
    };
    for part in parts {
        let Some(at) = rest.find(part).filter(|at| *at <= LONGEST_NAME) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    !pattern.is_empty()
}

impl Case<'_> {
    /// What a matching row implies.
    pub(super) fn of_row(&self, row: &ErrorRow) -> Ruling {
        // A page from an edge in front of the provider says nothing about the key.
        if row.means == Means::KeyDead && !row.has_words() && !self.said.is_json {
            return Ruling::of(Scope::Key, Rest::None);
        }
        self.of_means(row.means)
    }

    pub(super) fn of_means(&self, means: Means) -> Ruling {
        match means {
            Means::MinuteSpent => self.taught(Per::Minute),
            Means::DaySpent => self.taught(Per::Day),
            Means::MonthSpent => self.taught(Per::Month),
            Means::AccountOut => self.account_out(),
            Means::KeyDead => Ruling::of(Scope::Key, KEY_REST),
            Means::ModelGone => Ruling::model(Rest::UntilNextList),
            Means::NotForThisAccount => Ruling::candidate(Rest::UntilNextList),
            Means::TooLarge => self.too_large(),
            Means::Overloaded if self.status == 429 => Ruling::model(self.wait_or_usual(None)),
            Means::Overloaded => Ruling::model(Rest::Unadvised(self.generic)),
            Means::Region => Ruling::of(Scope::Provider, Rest::For(REGION_REST)),
            Means::Busy => Ruling::candidate(Rest::For(BUSY_REST)),
            Means::Failed => Ruling::model(Rest::None),
        }
    }
}

impl Means {
    /// The status that an error with this meaning usually has.
    pub(super) fn usual_status(self) -> u16 {
        match self {
            Self::MinuteSpent | Self::DaySpent | Self::MonthSpent | Self::Busy => 429,
            Self::AccountOut => 402,
            Self::KeyDead => 401,
            Self::NotForThisAccount | Self::Region => 403,
            Self::ModelGone => 404,
            Self::TooLarge => 413,
            Self::Overloaded => 503,
            Self::Failed => 400,
        }
    }
}
