//! Fair days (spec §13): once more than half of a day's quota is used, no client takes more of it than the limit
//! divided by the clients seen that day, while another has asked within the hour.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::count::{Count, SavedCount};
use super::saved::whole_nanos;
use super::time::Moment;
use super::{Ask, BucketId, Ends, Ledger, Per, Slot, Unit};
use crate::clock::{Now, from_unix_millis, unix_millis};
use crate::model::ClientName;

/// For so long after its last request a client is taken to want more.
const ASKS_FOR: Duration = Duration::from_secs(3600);
/// Of a window that rolls.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// When each client asked last.
#[derive(Clone, Debug, Default)]
pub(super) struct Fair(HashMap<ClientName, Moment>);

/// What each client has used of a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares(Vec<(ClientName, Count)>);

/// A client's share of a day, which is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How much that is.
    pub amount: u64,
    /// How long until it may use more.
    pub returns_in: Duration,
    /// The day.
    pub bucket: BucketId,
}

impl Fair {
    /// How long, at the most, another client than this one is taken to want more.
    fn others_ask_for(&self, client: &ClientName, at: Moment) -> Option<Duration> {
        let others = self.0.iter().filter(|(name, _)| *name != client);
        let left = others.filter_map(|(_, asked)| {
            let since = at.running.saturating_sub(asked.running);
            ASKS_FOR.checked_sub(since).filter(|left| !left.is_zero())
        });
        left.max()
    }

    /// How many clients have asked in the day that this bucket counts.
    fn seen(&self, day: &Count, at: Moment) -> u64 {
        let is_today = |asked: &&Moment| match day.window(at) {
            Some(window) => asked.wall >= window.start,
            None => at.running.saturating_sub(asked.running) < DAY,
        };
        self.0.values().filter(is_today).count() as u64
    }
}

/// When a client asked last: by the ledger's own time, and by date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedAsked(ClientName, u64, u64);

impl Fair {
    pub(super) fn save(&self) -> Vec<SavedAsked> {
        let all = self.0.iter();
        all.map(|(name, at)| {
            SavedAsked(name.clone(), whole_nanos(at.running), unix_millis(at.wall))
        })
        .collect()
    }

    /// Takes that over; nobody has asked later than now.
    pub(super) fn restore(&mut self, saved: Vec<SavedAsked>, at: Moment) {
        for SavedAsked(name, running, wall) in saved {
            let asked = Moment {
                running: Duration::from_nanos(running).min(at.running),
                wall: from_unix_millis(wall).unwrap_or(at.wall).min(at.wall),
            };
            self.0.insert(name, asked);
        }
    }
}

impl Shares {
    pub(super) fn save(&self, at: Moment) -> Vec<(ClientName, SavedCount)> {
        let all = self.0.iter();
        all.filter_map(|(name, count)| Some((name.clone(), count.save(at)?)))
            .collect()
    }

    /// Takes that over for a bucket of this kind.
    pub(super) fn restore(
        saved: Vec<(ClientName, SavedCount)>,
        (unit, per, ends): (Unit, Per, Option<Ends>),
        at: Moment,
    ) -> Self {
        let mut all: Vec<(ClientName, Count)> = Vec::new();
        for (name, saved) in saved {
            if is_day(unit, per) && all.iter().all(|(known, _)| *known != name) {
                let mut count = Count::new(unit, per, ends);
                count.restore(saved, per.longest(), at);
                all.push((name, count));
            }
        }
        Self(all)
    }

    /// What was counted at `then` as the first amount was really the second.
    pub(super) fn correct(
        &mut self,
        client: Option<&ClientName>,
        (from, to): (u64, u64),
        then: Moment,
        at: Moment,
    ) {
        let mut all = self.0.iter_mut();
        if let Some((_, count)) = all.find(|(name, _)| Some(name) == client) {
            count.correct(from, to, then, at);
        }
    }

    fn of(&self, client: &ClientName) -> Option<&Count> {
        let mut all = self.0.iter();
        all.find(|(name, _)| name == client).map(|(_, count)| count)
    }
}

impl Ledger {
    /// Whether days are fair from now on.
    pub fn set_fair(&mut self, is_fair: bool) {
        if is_fair != self.fair.is_some() {
            self.fair = is_fair.then(Fair::default);
        }
    }

    /// A client asks, whoever will answer.
    pub fn client_asks(&mut self, client: &ClientName, now: Now) {
        if self.fair.is_some() {
            let at = self.running.advance(now);
            if let Some(Fair(asked)) = &mut self.fair {
                asked.insert(client.clone(), at);
            }
        }
    }

    /// The share of a day that leaves a client no room for this request at a candidate, if any; of several the one
    /// that returns last.
    #[must_use]
    pub fn beyond_share(
        &self,
        slot: Slot,
        ask: impl FnOnce() -> Ask,
        client: &ClientName,
        now: Now,
    ) -> Option<Share> {
        let fair = self.fair.as_ref()?;
        let line = self.line(slot)?;
        let at = self.running.at(now);
        let others = fair.others_ask_for(client, at)?;
        let charge = line.ratio.estimate(ask(), line.counts_max_tokens);
        let beyond = line.buckets.iter().filter_map(|index| {
            let bucket = self.buckets.get(*index as usize)?;
            let need = charge.of(bucket.kind.unit);
            let (amount, returns_in) = bucket.beyond_share(need, client, fair, at)?;
            Some(Share {
                amount,
                returns_in: returns_in.min(others),
                bucket: BucketId(*index),
            })
        });
        beyond.max_by_key(|share| share.returns_in)
    }
}

impl Bucket {
    /// A client draws from it.
    pub(super) fn share(&mut self, client: &ClientName, amount: u64, at: Moment) {
        let (unit, per, ends) = (self.kind.unit, self.kind.per, self.kind.ends);
        if !is_day(unit, per) {
            return;
        }
        let shares = &mut self.shares.0;
        let known = shares.iter().position(|(name, _)| name == client);
        let place = known.unwrap_or_else(|| {
            shares.push((client.clone(), Count::new(unit, per, ends)));
            shares.len() - 1
        });
        if let Some((_, count)) = shares.get_mut(place) {
            count.add(amount, at);
        }
    }

    /// The client's share if `need` more of it is too much, and how long until it is not.
    fn beyond_share(
        &self,
        need: u64,
        client: &ClientName,
        fair: &Fair,
        at: Moment,
    ) -> Option<(u64, Duration)> {
        if !is_day(self.kind.unit, self.kind.per) {
            return None;
        }
        let day = self.numbers.now(at)?.amount;
        if self.used(at).saturating_mul(2) <= day {
            return None;
        }
        let own = self.shares.of(client)?;
        let share = day / fair.seen(own, at).max(1);
        let most = share.saturating_sub(need.min(share));
        (own.used(at) > most).then(|| (share, own.until(most, at).unwrap_or_default()))
    }
}

fn is_day(unit: Unit, per: Per) -> bool {
    per == Per::Day && unit != Unit::AtOnce
}
