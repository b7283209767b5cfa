//! How large a bucket is, and how that is known (spec §10.5).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::saved::SavedUntil;
use super::time::{Moment, Until};
use super::{LimitSource, Stated};

/// The limits known for one bucket. The strongest counts; of a set and a stated one, the smaller.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    /// From the user's file.
    set: Option<u64>,
    /// From the built-in table.
    default: Option<u64>,
    /// Of this account's headers and errors, until it lapses: unless it is stated again, once two of its
    /// windows have passed, or what is known at `OpenRouter` with its window.
    stated: Option<(u64, Until)>,
    /// The count at which a 429 came.
    learnt: Option<(u64, Until)>,
    /// The amount used with success within a window, and when that window ends.
    raised: Option<(u64, Until)>,
}

/// The limit in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) amount: u64,
    pub(super) source: LimitSource,
    /// A success has shown that this much is allowed.
    pub(super) raised: bool,
}

impl Numbers {
    /// Forgets what the file and the table say, before they are read again.
    pub(super) fn clear_base(&mut self) {
        (self.set, self.default) = (None, None);
    }

    /// What the file or the table says; the first counts.
    pub(super) fn base(&mut self, amount: u64, source: LimitSource) {
        let base = if source == LimitSource::Set {
            &mut self.set
        } else {
            &mut self.default
        };
        base.get_or_insert(amount);
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.is_some()
    }

    /// What this account's answers state.
    pub(super) fn stated(&self, at: Moment) -> Option<u64> {
        let stated = self.stated.filter(|(_, until)| !until.is_past(at));
        stated.map(|(amount, _)| amount)
    }

    /// Whether there is no limit at all, at any time.
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_none()
            && self.default.is_none()
            && self.stated.is_none()
            && self.learnt.is_none()
    }

    /// Drops what has expired.
    pub(super) fn tidy(&mut self, at: Moment) {
        self.stated = self.stated.filter(|(_, until)| !until.is_past(at));
        self.learnt = self.learnt.filter(|(_, until)| !until.is_past(at));
        self.raised = self.raised.filter(|(_, until)| !until.is_past(at));
    }

    /// A lower bound on the limit at any moment.
    pub(super) fn at_least(&self) -> u64 {
        [
            self.set,
            self.default,
            self.stated.map(|(amount, _)| amount),
            self.learnt.map(|(amount, _)| amount),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(u64::MAX)
    }

    /// The limit in force at `at`.
    pub(super) fn now(&self, at: Moment) -> Option<Number> {
        let number = |amount, source| Number {
            amount,
            source,
            raised: false,
        };
        let stated = self.stated(at);
        let stated = stated.map(|amount| number(amount, LimitSource::Stated));
        let set = self.set.map(|amount| number(amount, LimitSource::Set));
        if let Some(certain) = least(set, stated) {
            return Some(certain);
        }
        let default = self.default.map(|n| number(n, LimitSource::Default));
        let learnt = self.learnt.filter(|(_, until)| !until.is_past(at));
        let learnt = learnt.map(|(amount, _)| number(amount, LimitSource::Learnt));
        let soft = least(learnt, default)?;
        let raised = self.raised.filter(|(_, until)| !until.is_past(at));
        Some(match raised {
            Some((amount, _)) if amount > soft.amount => Number {
                amount,
                raised: true,
                ..soft
            },
            _ => soft,
        })
    }

    /// A header states it: that lowers and raises.
    pub(super) fn header(&mut self, amount: u64, until: Until) {
        self.state(amount, until);
    }

    /// An error's text states it, which lowers only.
    pub(super) fn text(&mut self, amount: u64, until: Until, at: Moment) {
        let known = self.now(at).filter(|known| match known.source {
            LimitSource::Set | LimitSource::Stated | LimitSource::Default => !known.raised,
            // A learnt limit was a guess.
            LimitSource::Learnt => false,
        });
        if known.is_none_or(|known| amount <= known.amount) {
            self.state(amount, until);
        }
    }

    /// `OpenRouter` states it for a window that ends at `until`; after that it is void.
    pub(super) fn until(&mut self, amount: u64, until: Until) {
        self.state(amount, until);
    }

    /// So much was answered well: a stated limit below that is none.
    pub(super) fn disprove(&mut self, proven: u64) {
        self.stated = self.stated.filter(|(amount, _)| proven <= *amount);
    }

    fn state(&mut self, amount: u64, until: Until) {
        self.stated = Some((amount, until));
        (self.learnt, self.raised) = (None, None);
    }

    /// A 429 came at this count.
    pub(super) fn learn(&mut self, amount: u64, until: Until) {
        if amount > 0 {
            self.learnt = Some((amount, until));
            self.raised = None;
        }
    }

    /// This much was used with success.
    pub(super) fn raise(&mut self, proven: u64, until: Until, at: Moment) {
        let beyond = self
            .now(at)
            .is_some_and(|known| !known.source.is_certain() && proven > known.amount);
        if beyond {
            self.raised = Some((proven, until));
        }
    }

    /// Forgets what was learnt, not what was stated.
    pub(super) fn forget_lessons(&mut self) {
        (self.learnt, self.raised) = (None, None);
    }
}

/// The limits that outlive the process, each with its end; what the file and the table say is read anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedNumbers {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stated: Option<(u64, SavedUntil)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learnt: Option<(u64, SavedUntil)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raised: Option<(u64, SavedUntil)>,
}

impl SavedNumbers {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Numbers {
    pub(super) fn save(&self, at: Moment) -> SavedNumbers {
        let save = |number: Option<(u64, Until)>| {
            let (amount, until) = number.filter(|(_, until)| !until.is_past(at))?;
            Some((amount, SavedUntil::of(until)))
        };
        SavedNumbers {
            stated: save(self.stated),
            learnt: save(self.learnt),
            raised: save(self.raised),
        }
    }

    /// Takes these over; none lasts longer than two windows, of which the longest lasts so long.
    pub(super) fn restore(&mut self, saved: SavedNumbers, longest: Duration, at: Moment) {
        let back = |number: Option<(u64, SavedUntil)>, windows: u32| {
            let (amount, until) = number.filter(|(amount, _)| Stated::is_plausible(*amount))?;
            Some((amount, until.back(longest.saturating_mul(windows), at)?))
        };
        self.stated = back(saved.stated, 2);
        self.learnt = back(saved.learnt, 2);
        self.raised = back(saved.raised, 1);
    }
}

/// The smaller of two; of equals the first.
fn least(a: Option<Number>, b: Option<Number>) -> Option<Number> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.amount < a.amount { b } else { a }),
        (a, b) => a.or(b),
    }
}
