//! A limit as a provider's row, the user's file or an answer states it.

use serde::{Deserialize, Serialize};

use crate::model::fits;

/// An amount of a unit within a window (spec §10.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How much. Never zero.
    pub amount: u64,
    /// What is counted.
    pub unit: Unit,
    /// Within which window; [`Per::Moment`] only for [`Unit::AtOnce`].
    pub per: Per,
    /// Who shares it.
    pub of: Counted,
    /// The clock by which a fixed window ends; `None` if it rolls.
    pub ends: Option<Ends>,
    /// The ids it applies to, with `*` for any characters; empty for all.
    pub models: Vec<String>,
    /// How it is known.
    pub source: LimitSource,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens of prompt and answer together.
    Tokens,
    /// Tokens of the prompt.
    TokensIn,
    /// Tokens of the answer.
    TokensOut,
    /// Cloudflare's measure of work.
    Neurons,
    /// Requests under way.
    AtOnce,
}

/// A window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// No window: what is under way now.
    Moment,
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week; starts on Monday if its end is fixed.
    Week,
    /// A calendar month if its end is fixed, otherwise 30 days.
    Month,
    /// This many hours.
    Hours(u32),
}

/// Who shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// All requests through the account.
    Account,
    /// Each model through the account.
    Model,
    /// Everything from this machine's address, through any account.
    Address,
}

/// The clock by which a fixed window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// UTC.
    Utc,
    /// California, with its daylight saving.
    Pacific,
    /// China.
    Shanghai,
}

/// How a limit is known; weakest last (spec §10.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitSource {
    /// The user's file says so.
    Set,
    /// A header or an error of this account stated it.
    Stated,
    /// A 429 named the window, at this count.
    Learnt,
    /// The built-in table says so.
    Default,
}

impl LimitSource {
    /// Whether a request beyond it is not sent at all; otherwise the candidate is only asked last.
    #[must_use]
    pub fn is_certain(self) -> bool {
        match self {
            Self::Set | Self::Stated => true,
            Self::Learnt | Self::Default => false,
        }
    }

    /// As spelt in JSON, the log and the admin page.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Stated => "stated",
            Self::Learnt => "learnt",
            Self::Default => "default",
        }
    }
}

/// Whether a limit applies to this id: `*` in a pattern matches any characters; no patterns match every id.
pub(super) fn is_about(patterns: &[String], id: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, id))
}
