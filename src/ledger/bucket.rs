//! One bucket: a count, its limits, and what others have used of it.

mod saved;
mod told;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(super) use saved::SavedBucket;
pub(super) use told::{Refused, Told};

use super::beyond::Beyond;
use super::count::Count;
use super::fair::Shares;
use super::numbers::{Number, Numbers};
use super::time::{Moment, Until};
use super::{Counted, Ends, FreeDay, LimitSource, Per, Unit};
use crate::model::{AccountId, ModelId, ProviderId};

/// What draws from a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// All offers of an account.
    Account(AccountId),
    /// One offer of an account.
    Model(AccountId, ModelId),
    /// All accounts at a provider: they share this machine's address.
    Address(ProviderId),
}

impl Whose {
    /// The provider at which it is drawn.
    pub(super) fn provider(&self) -> &ProviderId {
        match self {
            Self::Account(account) | Self::Model(account, _) => &account.provider,
            Self::Address(provider) => provider,
        }
    }
}

/// What it counts, and within which window; one holder has one bucket of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) unit: Unit,
    pub(super) per: Per,
    pub(super) ends: Option<Ends>,
    /// Patterns for the model ids that share it; empty for all.
    pub(super) models: Arc<[String]>,
}

/// A bucket's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    Behind(LimitSource),
    Busy,
    Out(Option<Duration>),
    TooLarge,
}

/// A bucket: its count and its limits.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) whose: Whose,
    pub(super) kind: Kind,
    pub(super) numbers: Numbers,
    count: Count,
    /// The part of the count drawn by requests under way, as estimated.
    pending: u64,
    beyond: Option<Beyond>,
    /// What each client has used of a day, where days are fair.
    pub(super) shares: Shares,
    /// The total ever drawn, and that total when the key endpoint last reported.
    drawn: u64,
    drawn_when_told: u64,
    /// What the key endpoint reported about this window.
    told: Option<(FreeDay, Until)>,
    /// A refusal reported how much is used, which holds until then.
    refused: Option<Until>,
    /// The first reservation that draws from it.
    pub(super) since: u64,
    /// Every listed model of its account draws from it.
    pub(super) of_all: bool,
    /// An upper bound on usage, now and later, and a lower bound on the limit: if these leave room, nothing
    /// else needs checking.
    used_at_most: u64,
    allowed_at_least: u64,
}

impl Bucket {
    pub(super) fn new(whose: Whose, kind: Kind, since: u64) -> Self {
        Self {
            count: Count::new(kind.unit, kind.per, kind.ends),
            whose,
            kind,
            numbers: Numbers::default(),
            pending: 0,
            beyond: None,
            shares: Shares::default(),
            drawn: 0,
            drawn_when_told: 0,
            told: None,
            refused: None,
            since,
            of_all: false,
            used_at_most: 0,
            allowed_at_least: u64::MAX,
        }
    }

    /// Who shares it; this tells two buckets of the same window apart.
    pub(super) fn of(&self) -> Counted {
        match self.whose {
            Whose::Account(_) => Counted::Account,
            Whose::Model(..) => Counted::Model,
            Whose::Address(_) => Counted::Address,
        }
    }

    /// Whether there is certainly room for `need` more, at any time.
    pub(super) fn has_plenty(&self, need: u64) -> bool {
        self.used_at_most.saturating_add(need) <= self.allowed_at_least
    }

    /// Whether there is room: for `need` now, and for `alone` at all.
    pub(super) fn room(&self, need: u64, alone: Option<u64>, at: Moment) -> Room {
        let Some(number) = self.numbers.now(at) else {
            return Room::Free;
        };
        let Number {
            amount,
            source,
            raised,
        } = number;
        if alone.is_some_and(|alone| alone > amount) {
            match source {
                LimitSource::Set | LimitSource::Stated => return Room::TooLarge,
                LimitSource::Default => return Room::Behind(source),
                // The count at which a 429 came says nothing about how large one request may be.
                LimitSource::Learnt => {}
            }
        }
        // An estimate above the whole limit waits for an empty bucket, not for ever.
        let need = need.min(amount.max(1));
        let used = self.used(at);
        // Success beyond the limit is no argument against one more request.
        if used.saturating_add(need) <= amount || raised && used <= amount {
            return Room::Free;
        }
        if self.kind.unit == Unit::AtOnce {
            return Room::Busy;
        }
        if source.is_certain() {
            return Room::Out(self.until(amount.saturating_sub(need), at));
        }
        Room::Behind(source)
    }

    /// How long until there is room for the `nth` of requests that need `need` each (1: the first): as many
    /// as fit go in one window. `None` if time alone brings no room.
    pub(super) fn turn(&self, need: u64, nth: u64, at: Moment) -> Option<Duration> {
        let number = self
            .numbers
            .now(at)
            .filter(|number| number.source.is_certain() && self.kind.unit != Unit::AtOnce);
        let Some(Number { amount, .. }) = number else {
            return Some(Duration::ZERO);
        };
        let need = need.clamp(1, amount.max(1));
        let in_one = (amount / need).max(1);
        let (windows, place) = ((nth - 1) / in_one, (nth - 1) % in_one + 1);
        let first = self.until(amount.saturating_sub(need * place), at)?;
        let windows = u32::try_from(windows).unwrap_or(u32::MAX);
        Some(first.saturating_add(self.kind.per.length().saturating_mul(windows)))
    }

    /// How long until no more than `most` is used.
    fn until(&self, most: u64, at: Moment) -> Option<Duration> {
        match self.beyond(at) {
            None => self.count.until(most, at),
            Some(others) => {
                let both = self.count.until(most, at)?.max(others.left(at));
                // Giving back either of the two may be enough.
                let ours = most
                    .checked_sub(others.now(at))
                    .and_then(|most| self.count.until(most, at));
                let theirs = most
                    .checked_sub(self.count.used(at))
                    .map(|most| others.until(most, at));
                [Some(both), ours, theirs].into_iter().flatten().min()
            }
        }
    }

    fn beyond(&self, at: Moment) -> Option<Beyond> {
        self.beyond.filter(|others| !others.is_over(at))
    }

    /// What is used now, by us and by others.
    pub(super) fn used(&self, at: Moment) -> u64 {
        let others = self.beyond(at).map_or(0, |others| others.now(at));
        self.count.used(at).saturating_add(others)
    }

    /// Whether nothing in it needs to be remembered.
    pub(super) fn is_idle(&self, at: Moment) -> bool {
        self.pending == 0 && self.used(at) == 0
    }

    /// A request that draws from it is being sent.
    pub(super) fn charge(&mut self, amount: u64, at: Moment) {
        self.count.add(amount, at);
        self.pending = self.pending.saturating_add(amount);
        self.drawn = self.drawn.saturating_add(amount);
        self.tidy(at);
    }

    /// The request has ended: of what was estimated, `sent` was used on sending and `after` by the answer.
    pub(super) fn settle(
        &mut self,
        estimated: u64,
        (sent, after): (u64, u64),
        then: Moment,
        at: Moment,
    ) {
        let is_over = self.kind.unit == Unit::AtOnce;
        let sent = if is_over { 0 } else { sent };
        self.count.correct(estimated, sent, then, at);
        if after > 0 {
            self.count.add(after, at);
        }
        self.pending = self.pending.saturating_sub(estimated);
        self.tidy(at);
    }

    /// It succeeded, and drew so much: if that was beyond a number which is no certain one, so much is
    /// allowed in this window, and a stated one that is less is none.
    pub(super) fn succeeded(&mut self, drew: u64, at: Moment) {
        if self.kind.unit != Unit::AtOnce {
            self.count.answered(drew, at);
            if let Whose::Model(account, _) | Whose::Account(account) = &self.whose
                && !account.provider.is_openrouter()
            {
                self.numbers.disprove(drew.max(self.proven(at)));
            }
            let proven = self.used(at).saturating_sub(self.pending);
            self.numbers.raise(proven, self.count.window_ends(at), at);
        }
    }

    /// No less than so much is allowed in a window, as we have used it. Two of the provider's windows may
    /// lie in one of ours that rolls.
    pub(super) fn proven(&self, at: Moment) -> u64 {
        let settled = self.count.used(at).saturating_sub(self.pending);
        if self.kind.ends.is_some() {
            settled
        } else {
            settled / 2
        }
    }

    /// When this window ends, and the one after it.
    pub(super) fn window_ends(&self, at: Moment) -> Until {
        self.count.window_ends(at)
    }

    pub(super) fn second_end(&self, at: Moment) -> Until {
        self.count.second_end(at)
    }

    /// When some quota comes back, for display.
    pub(super) fn resets_at(&self, at: Moment) -> Option<SystemTime> {
        let ours = self.count.resets_at(at);
        let others = self
            .beyond(at)
            .and_then(|others| at.wall.checked_add(others.left(at)));
        ours.max(others)
    }

    /// The share of its limit that is used and, for a fixed window, the share of the window that has passed.
    pub(super) fn shares(&self, at: Moment) -> Option<(f64, Option<f64>)> {
        self.share_of(self.used(at), at)
    }

    fn share_of(&self, used: u64, at: Moment) -> Option<(f64, Option<f64>)> {
        let amount = self.numbers.now(at)?.amount;
        let over = self.count.window(at).and_then(|window| {
            let length = window.end.duration_since(window.start).ok()?;
            let gone = at.wall.duration_since(window.start).ok()?;
            (!length.is_zero()).then(|| gone.as_secs_f64() / length.as_secs_f64())
        });
        Some((share(used, amount), over))
    }

    /// Drops what has expired, and updates the bounds of the quick check. Call after each change.
    pub(super) fn tidy(&mut self, at: Moment) {
        self.beyond = self.beyond(at);
        self.refused = self.refused.filter(|until| !until.is_past(at));
        self.told = self.told.filter(|(_, until)| !until.is_past(at));
        self.numbers.tidy(at);
        let others = self.beyond.map_or(0, Beyond::at_most);
        self.used_at_most = self.count.at_most().saturating_add(others);
        self.allowed_at_least = self.numbers.at_least();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn share(used: u64, amount: u64) -> f64 {
    used as f64 / amount.max(1) as f64
}
