//! A bucket as it outlives the process.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Bucket, Kind};
use crate::ledger::beyond::{Beyond, SavedBeyond};
use crate::ledger::count::SavedCount;
use crate::ledger::fair::Shares;
use crate::ledger::numbers::SavedNumbers;
use crate::ledger::saved::SavedUntil;
use crate::ledger::time::Moment;
use crate::ledger::{Ends, FreeDay, Per, Stated, Unit};
use crate::model::ClientName;

/// The longest wait that an answer may advise (spec §4.3).
const ADVISED: Duration = Duration::from_secs(26 * 3600);

/// The most patterns of one bucket, and the longest: more are no limit of ours.
const MOST_PATTERNS: usize = 64;
const LONGEST_PATTERN: usize = 128;

/// A bucket: what it counts, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::ledger) struct SavedBucket {
    unit: Unit,
    per: Per,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Ends>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    models: Vec<String>,
    #[serde(default, skip_serializing_if = "SavedNumbers::is_none")]
    numbers: SavedNumbers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<SavedCount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beyond: Option<SavedBeyond>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<SavedTold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<SavedUntil>,
    /// What each client has used of a fair day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shares: Vec<(ClientName, SavedCount)>,
}

/// What the key endpoint reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct SavedTold {
    limit: u64,
    used: u64,
    until: SavedUntil,
    /// What was drawn since then.
    since: u64,
}

impl SavedBucket {
    /// What it counts, if that can be.
    pub(in crate::ledger) fn kind(&self) -> Option<Kind> {
        let is_whole = self.models.len() <= MOST_PATTERNS
            && self.models.iter().all(|id| id.len() <= LONGEST_PATTERN)
            && self.unit != Unit::AtOnce
            && self.per != Per::Moment;
        is_whole.then(|| Kind {
            unit: self.unit,
            per: self.per,
            ends: self.ends,
            models: self.models.clone().into(),
        })
    }
}

impl Bucket {
    /// What is to be kept of it; `None` if there is nothing.
    pub(in crate::ledger) fn save(&self, at: Moment) -> Option<SavedBucket> {
        let numbers = self.numbers.save(at);
        if self.kind.unit == Unit::AtOnce || (self.is_idle(at) && numbers.is_none()) {
            return None;
        }
        let until = |until: &crate::ledger::time::Until| !until.is_past(at);
        Some(SavedBucket {
            unit: self.kind.unit,
            per: self.kind.per,
            ends: self.kind.ends,
            models: self.kind.models.to_vec(),
            numbers,
            count: self.count.save(at),
            beyond: self.beyond(at).map(Beyond::save),
            told: self
                .told
                .filter(|(_, end)| until(end))
                .map(|(told, end)| SavedTold {
                    limit: told.limit,
                    used: told.used,
                    until: SavedUntil::of(end),
                    since: self.drawn.saturating_sub(self.drawn_when_told),
                }),
            refused: self.refused.filter(until).map(SavedUntil::of),
            shares: self.shares.save(at),
        })
    }

    /// Takes that over. `at` is now, or when it was saved if the clock was put back since.
    pub(in crate::ledger) fn restore(&mut self, saved: SavedBucket, at: Moment) {
        let longest = self.kind.per.longest();
        self.numbers.restore(saved.numbers, longest, at);
        let kind = (self.kind.unit, self.kind.per, self.kind.ends);
        self.shares = Shares::restore(saved.shares, kind, at);
        if let Some(count) = saved.count {
            self.count.restore(count, longest, at);
        }
        // Which window an answer means that names none is an assumption: what it advises is bounded like any advice.
        let advised = longest.max(ADVISED);
        self.beyond = saved.beyond.and_then(|others| others.back(advised, at));
        self.told = saved.told.and_then(|told| {
            let until = told.until.back(longest, at)?;
            let SavedTold { limit, used, .. } = told;
            Stated::is_plausible(limit).then_some((FreeDay { limit, used }, until))
        });
        self.drawn = saved.told.map_or(0, |told| told.since);
        self.refused = saved.refused.and_then(|until| until.back(longest, at));
        self.tidy(at);
    }
}

impl Per {
    /// The longest that one of its windows lasts: days and months by the calendar differ.
    pub(in crate::ledger) fn longest(self) -> Duration {
        const HOUR: Duration = Duration::from_secs(3600);
        let by_the_calendar = match self {
            Self::Moment | Self::Second | Self::Minute | Self::Hour | Self::Hours(_) => {
                Duration::ZERO
            }
            Self::Day | Self::Week => HOUR,
            Self::Month => 25 * HOUR,
        };
        let lasts = self.lasts().unwrap_or_default();
        lasts.saturating_add(by_the_calendar)
    }
}
