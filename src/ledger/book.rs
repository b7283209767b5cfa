//! The ledger: buckets by account, model and address, and which of them each candidate draws from.
//!
//! A plain value: the registry holds the lock around it. A caller that asks for headroom and then reserves
//! must do both under one lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use super::bucket::{Bucket, Room, Whose};
use super::charge::{Ask, Charge, Ratio, Used};
use super::fair::Fair;
use super::time::{Moment, Running};
use super::{Ends, Limit, LimitSource, Unit};
use crate::clock::Now;
use crate::model::{AccountId, ClientName, ModelId};

/// No request holds on to a list for longer than this, after which a candidate that left is forgotten.
pub(super) const GRACE: Duration = Duration::from_secs(3600);

/// The most buckets per account, model or address: any more that errors and headers name are ignored.
pub(super) const MOST_BUCKETS: usize = 24;

/// What limits a provider's offers, according to its row or the user's file.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Its limits, all *set* or *default*. If two cover the same model and window, the first counts.
    pub limits: &'a [Limit],
    /// `max_tokens` counts towards its limits on tokens.
    pub counts_max_tokens: bool,
    /// When its day ends, if that is fixed.
    pub day_ends: Option<Ends>,
}

/// A candidate's place in the ledger. It is kept with the candidate, and stays valid for an hour after the
/// candidate has left the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// Identifies the bucket that says no; valid until the next list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketId(pub(super) u32);

#[cfg(test)]
impl BucketId {
    pub(crate) fn of(index: u32) -> Self {
        Self(index)
    }
}

/// The ledger's answer to a request for a candidate; the worst of its buckets decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headroom {
    /// No limit stands in the way.
    Free,
    /// An uncertain limit is used up: the candidate is asked after all that have headroom.
    Behind {
        /// How that limit is known.
        source: LimitSource,
        /// The bucket.
        bucket: BucketId,
    },
    /// As many of our requests are under way as are allowed.
    Busy {
        /// The bucket.
        bucket: BucketId,
    },
    /// A certain limit is used up: the request would be refused.
    Out {
        /// How long until there is room for this request; `None` if time alone will not bring any.
        returns_in: Option<Duration>,
        /// The bucket that blocks it longest.
        bucket: BucketId,
    },
    /// The request by itself exceeds a limit on tokens.
    TooLarge {
        /// The bucket.
        bucket: BucketId,
    },
}

/// What a request has drawn. Each is settled or refunded exactly once; one that is dropped counts as under
/// way for ever.
#[must_use = "a reservation must be settled or refunded"]
#[derive(Debug)]
pub struct Reservation {
    pub(super) slot: Slot,
    pub(super) number: u64,
    pub(super) charge: Charge,
    ask: Ask,
    then: Moment,
    /// Whose share it counts in, where days are fair.
    client: Option<ClientName>,
    /// The bucket whose provider refused the request, and reported a usage that leaves it out.
    pub(super) left_out_of: Option<u32>,
}

impl Reservation {
    /// The candidate it belongs to.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Whose share of the day it counts in, if days are fair.
    #[must_use]
    pub fn client(&self) -> Option<&ClientName> {
        self.client.as_ref()
    }

    /// What was known of the request when it was reserved.
    #[must_use]
    pub fn ask(&self) -> Ask {
        self.ask
    }
}

/// An offer through an account.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) account: Arc<AccountId>,
    pub(super) model: ModelId,
    /// Buckets with a known limit.
    pub(super) buckets: Vec<u32>,
    /// Buckets without one, which only count.
    pub(super) tallies: Vec<u32>,
    /// The tallies have been created.
    pub(super) is_tallied: bool,
    pub(super) ratio: Ratio,
    pub(super) counts_max_tokens: bool,
    pub(super) day_ends: Option<Ends>,
    pub(super) generation: u32,
    pub(super) under_way: u32,
    /// When it left the list.
    pub(super) left: Option<Duration>,
}

impl Line {
    pub(super) fn new(account: Arc<AccountId>, model: ModelId, generation: u32) -> Self {
        Self {
            account,
            model,
            buckets: Vec::new(),
            tallies: Vec::new(),
            is_tallied: false,
            ratio: Ratio::default(),
            counts_max_tokens: false,
            day_ends: None,
            generation,
            under_way: 0,
            left: None,
        }
    }
}

/// Everything that is counted.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(super) running: Running,
    pub(super) lines: Slab<Line>,
    pub(super) by_candidate: HashMap<(AccountId, ModelId), u32>,
    pub(super) buckets: Slab<Bucket>,
    pub(super) by_whose: HashMap<Whose, Vec<u32>>,
    pub(super) generations: u32,
    pub(super) reservations: u64,
    /// When it took over what an earlier process knew: all of that is kept for a while, as the first lists may
    /// not name everything yet.
    pub(super) restored: Option<Duration>,
    /// When each client asked last; `None` if days need not be fair.
    pub(super) fair: Option<Fair>,
    /// The amounts kept in these buckets for requests that came first.
    kept: Vec<(BucketId, u64)>,
}

impl Ledger {
    pub(super) fn line(&self, slot: Slot) -> Option<&Line> {
        let line = self.lines.get(slot.index as usize)?;
        (line.generation == slot.generation).then_some(line)
    }

    fn line_mut(&mut self, slot: Slot) -> Option<&mut Line> {
        let line = self.lines.get_mut(slot.index as usize)?;
        (line.generation == slot.generation).then_some(line)
    }

    /// Whether a candidate may be sent a request now. `ask`, the request's size, is evaluated only if anything
    /// is limited.
    #[must_use]
    pub fn headroom(&self, slot: Slot, ask: impl FnOnce() -> Ask, now: Now) -> Headroom {
        let Some(line) = self.line(slot) else {
            return Headroom::Free;
        };
        if line.buckets.is_empty() {
            return Headroom::Free;
        }
        let charge = line.ratio.estimate(ask(), line.counts_max_tokens);
        let mut at = None;
        let mut worst = Headroom::Free;
        for index in &line.buckets {
            let Some(bucket) = self.buckets.get(*index as usize) else {
                continue;
            };
            let need = charge.of(bucket.kind.unit);
            let need = need.saturating_add(self.kept(BucketId(*index)));
            if !bucket.has_plenty(need) {
                let at = *at.get_or_insert_with(|| self.running.at(now));
                let room = bucket.room(need, charge.alone(bucket.kind.unit), at);
                worst = worst.or_worse(room, BucketId(*index));
            }
        }
        worst
    }

    /// Keeps these amounts for requests that came first and are waiting: until the next call, others get
    /// headroom only beyond that.
    pub fn keep(&mut self, kept: Vec<(BucketId, u64)>) {
        self.kept = kept;
    }

    fn kept(&self, bucket: BucketId) -> u64 {
        let kept = self.kept.iter().filter(|(id, _)| *id == bucket);
        kept.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// What a request for this candidate would draw from a bucket, as estimated beforehand.
    #[must_use]
    pub fn draws(&self, slot: Slot, ask: Ask, bucket: BucketId) -> u64 {
        let line = self.line(slot);
        let bucket = self.buckets.get(bucket.0 as usize);
        line.zip(bucket).map_or(0, |(line, bucket)| {
            let charge = line.ratio.estimate(ask, line.counts_max_tokens);
            charge.of(bucket.kind.unit)
        })
    }

    /// The certain quota, shared by all the account's models, that leaves the candidate's account unable to
    /// serve anything; if there are several, the one that does so longest.
    #[must_use]
    pub fn spent(&self, slot: Slot, now: Now) -> Option<BucketId> {
        let at = self.running.at(now);
        let returns = |index: &u32| {
            let bucket = self.buckets.get(*index as usize)?;
            let may_be = bucket.of_all && !bucket.has_plenty(1);
            match may_be.then(|| bucket.room(1, None, at))? {
                Room::Out(returns_in) => Some((returns_in.unwrap_or(Duration::MAX), *index)),
                Room::Free | Room::Behind(_) | Room::Busy | Room::TooLarge => None,
            }
        };
        let of_line = self.line(slot)?.buckets.iter().filter_map(returns);
        of_line.max().map(|(_, index)| BucketId(index))
    }

    /// How long until the `nth` of requests like this one has its turn (1: the first), if all draw from this
    /// candidate's buckets; `None` if time alone never brings it.
    #[must_use]
    pub fn turn(&self, slot: Slot, ask: Ask, nth: usize, now: Now) -> Option<Duration> {
        let Some(line) = self.line(slot) else {
            return Some(Duration::ZERO);
        };
        let charge = line.ratio.estimate(ask, line.counts_max_tokens);
        let at = self.running.at(now);
        let buckets = line.buckets.iter();
        let buckets = buckets.filter_map(|index| self.buckets.get(*index as usize));
        let mut turns =
            buckets.map(|bucket| bucket.turn(charge.of(bucket.kind.unit), nth as u64, at));
        turns.try_fold(Duration::ZERO, |latest, turn| Some(latest.max(turn?)))
    }

    /// Whether a request counts towards a limit on concurrent requests.
    #[must_use]
    pub fn counts_under_way(&self, reservation: &Reservation) -> bool {
        let line = self.line(reservation.slot).into_iter();
        let mut buckets = line.flat_map(|line| &line.buckets);
        buckets.any(|index| {
            let bucket = self.buckets.get(*index as usize);
            bucket.is_some_and(|bucket| bucket.kind.unit == Unit::AtOnce)
        })
    }

    /// Charges a request that is about to be sent.
    pub fn reserve(&mut self, slot: Slot, ask: Ask, now: Now) -> Reservation {
        let then = self.running.advance(now);
        self.tally(slot);
        self.reservations += 1;
        let number = self.reservations;
        let mut charge = Charge::default();
        if let Some(line) = self.line_mut(slot) {
            line.under_way += 1;
            charge = line.ratio.estimate(ask, line.counts_max_tokens);
        }
        self.each_bucket(slot, |_, bucket| {
            bucket.charge(charge.of(bucket.kind.unit), then)
        });
        Reservation {
            slot,
            number,
            charge,
            ask,
            then,
            client: None,
            left_out_of: None,
        }
    }

    /// The same for a client, in whose share of the day it counts if days are fair.
    pub fn reserve_for(
        &mut self,
        slot: Slot,
        ask: Ask,
        client: Option<ClientName>,
        now: Now,
    ) -> Reservation {
        let mut reservation = self.reserve(slot, ask, now);
        reservation.client = client.filter(|_| self.fair.is_some());
        if let Some(client) = &reservation.client {
            let (charge, then) = (reservation.charge, reservation.then);
            self.each_bucket(slot, |_, bucket| {
                bucket.share(client, charge.of(bucket.kind.unit), then);
            });
        }
        reservation
    }

    /// The request has ended, successfully or not: what it used counts either way.
    pub fn settle(&mut self, reservation: Reservation, used: Used, succeeded: bool, now: Now) {
        let at = self.running.advance(now);
        let Reservation {
            slot,
            number,
            charge,
            ask,
            then,
            client,
            left_out_of,
        } = reservation;
        let Some(line) = self.line_mut(slot) else {
            return;
        };
        line.under_way = line.under_way.saturating_sub(1);
        let real = line.ratio.settle(ask, charge, used);
        self.each_bucket(slot, |index, bucket| {
            let unit = bucket.kind.unit;
            let drew = bucket.since < number;
            if drew {
                let used = if left_out_of == Some(index) {
                    (0, 0)
                } else {
                    real.by_time(charge, unit)
                };
                let charged = charge.of(unit);
                bucket.settle(charged, used, then, at);
                let used = used.0.saturating_add(used.1);
                bucket
                    .shares
                    .correct(client.as_ref(), (charged, used), then, at);
            }
            if succeeded {
                bucket.succeeded(if drew { real.of(unit) } else { 0 }, at);
            }
        });
    }

    /// The provider was never reached: nothing was used.
    pub fn refund(&mut self, reservation: Reservation, now: Now) {
        let at = self.running.advance(now);
        let Reservation {
            slot,
            number,
            charge,
            then,
            client,
            ..
        } = reservation;
        let Some(line) = self.line_mut(slot) else {
            return;
        };
        line.under_way = line.under_way.saturating_sub(1);
        self.each_bucket(slot, |_, bucket| {
            if bucket.since < number {
                let charged = charge.of(bucket.kind.unit);
                bucket.settle(charged, (0, 0), then, at);
                bucket
                    .shares
                    .correct(client.as_ref(), (charged, 0), then, at);
            }
        });
    }

    fn each_bucket(&mut self, slot: Slot, mut with: impl FnMut(u32, &mut Bucket)) {
        let line = self.lines.get(slot.index as usize);
        let line = line.filter(|line| line.generation == slot.generation);
        for index in line
            .into_iter()
            .flat_map(|line| line.buckets.iter().chain(&line.tallies))
        {
            if let Some(bucket) = self.buckets.get_mut(*index as usize) {
                with(*index, bucket);
            }
        }
    }
}

impl Headroom {
    fn or_worse(self, room: Room, bucket: BucketId) -> Self {
        let other = match room {
            Room::Free => Self::Free,
            Room::Behind(source) => Self::Behind { source, bucket },
            Room::Busy => Self::Busy { bucket },
            Room::Out(returns_in) => Self::Out { returns_in, bucket },
            Room::TooLarge => Self::TooLarge { bucket },
        };
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }

    /// The heavier, the worse; of two that are out, the later one is worse.
    fn weight(self) -> (u8, Duration) {
        match self {
            Self::Free => (0, Duration::ZERO),
            Self::Behind { .. } => (1, Duration::ZERO),
            Self::Busy { .. } => (2, Duration::ZERO),
            Self::Out { returns_in, .. } => (3, returns_in.unwrap_or(Duration::MAX)),
            Self::TooLarge { .. } => (4, Duration::ZERO),
        }
    }
}
