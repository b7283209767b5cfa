//! The requests that wait for a candidate to wake, first come, first served (spec §11.5).
//!
//! A plain value under the lock of what is known: a request that is let go is charged before any other chooses,
//! so that a probe, or a unit of headroom, lets one go and not a herd. Requests that want the same are in line
//! behind one another, and only the first of each kind looks. The share of headroom that a request waits for is
//! kept for it: a later one gets only what is beyond that. The queue does not know what a request wants: the
//! request brings a function that looks.

mod kept;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::in_line::{InLine, SameInLine};
use super::{Chosen, Knowledge, Snapshot};
use crate::clock::Now;
use crate::ledger::{BucketId, Reservation};
use crate::model::{Candidate, Subject};
use kept::Kept;

/// The most looks under one hold of the lock: 10,000 requests that may go at once hold up no other for long.
const LOOKS: usize = 64;

/// The shortest time until the next look for time alone.
const AGAIN: Duration = Duration::from_millis(1);

/// What a request that would wait, or waits, sees.
#[derive(Clone, Debug)]
pub enum Sight {
    /// This one can be asked now.
    Ask(Chosen),
    /// No candidate now, but one returns.
    Wait(Return),
    /// No candidate now, and none that waiting would bring.
    Never,
}

/// The first return that is worth waiting for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// What returns: requests that wait for the same are in line for it.
    pub awaited: Awaited,
    /// How much of it the request draws, if it is headroom that time brings: this much is kept for the request. 0
    /// otherwise.
    pub draws: u64,
    /// How long until it returns at the earliest, as far as is known; zero if that may be at any moment, because a
    /// candidate is being probed or is busy.
    pub earliest: Duration,
    /// When time alone may have brought a candidate back; `None` if only an event does.
    pub look_in: Option<Duration>,
}

impl Return {
    /// What is kept for the request that waits for it.
    fn kept(&self) -> Option<(BucketId, u64)> {
        match self.awaited {
            Awaited::Bucket(bucket) if self.draws > 0 => Some((bucket, self.draws)),
            Awaited::Bucket(_) | Awaited::Subject(_) => None,
        }
    }
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The end of a rest, or of a probe.
    Subject(Subject),
    /// Headroom in a bucket.
    Bucket(BucketId),
}

/// Looks for a candidate to ask, as if this many requests were ahead.
pub type Look = Box<dyn Fn(&Snapshot, &Knowledge, usize, Now) -> Sight + Send>;

/// A request that would wait.
pub struct Waiter {
    /// What it wants, as a hash: requests that want the same see the same.
    pub kind: u64,
    /// How it looks.
    pub look: Look,
    /// It waits no longer than this, and for nothing that returns later.
    pub until: Instant,
    /// The same for a candidate that is being probed or is busy.
    pub budget: Instant,
}

impl Waiter {
    /// How long until its turn with this many requests ahead, if it waits for `back`. An error if it cannot wait
    /// that long; if the requests ahead are why, the error says how long it would have to.
    pub(super) fn turn(
        &self,
        back: &Return,
        ahead: usize,
        known: &Knowledge,
        list: &Snapshot,
        now: Now,
    ) -> Result<Duration, Option<Duration>> {
        let turn = match (self.look)(list, known, ahead, now) {
            Sight::Wait(turn) => turn.earliest,
            Sight::Ask(_) | Sight::Never => back.earliest,
        };
        if is_late(self.until, self.budget, turn, now) {
            return Err((ahead > 0).then_some(turn));
        }
        Ok(turn)
    }
}

/// What a request that was let go asks.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) list: Arc<Snapshot>,
    pub(super) candidate: Arc<Candidate>,
    pub(super) key: Option<Subject>,
    pub(super) probe: Option<u64>,
    pub(super) reservation: Option<Reservation>,
}

/// A place in the queue, and what is told there: what to ask, or that there is nothing to wait for any more.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) ticket: u64,
    pub(super) told: oneshot::Receiver<Option<Granted>>,
}

/// What a request is to do when its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// It has been told something, or waits for candidates that are being probed or busy: its budget bounds that.
    Stays,
    /// Others are to look first, and what they leave is not known yet.
    LooksAgain,
    /// There is no candidate for it.
    Leaves,
}

/// What came of joining.
pub(super) enum Joined {
    /// There was a candidate to ask.
    Asks(Box<Granted>),
    /// It waits.
    Waits(Entry),
    /// It does not wait. If the requests ahead are why: how long until its turn would come.
    Refused(Option<Duration>),
}

struct Waiting {
    look: Look,
    until: Instant,
    budget: Instant,
    tell: oneshot::Sender<Option<Granted>>,
}

impl Waiting {
    /// Whether it cannot wait for what is `earliest` away.
    fn is_late(&self, earliest: Duration, now: Now) -> bool {
        is_late(self.until, self.budget, earliest, now)
    }
}

fn is_late(until: Instant, budget: Instant, earliest: Duration, now: Now) -> bool {
    let until = if earliest.is_zero() { budget } else { until };
    until <= now.plus(earliest).steady
}

/// Requests that want the same, by their tickets.
struct Kind {
    waiting: BTreeMap<u64, Waiting>,
    /// The round in which the first of them last looked and found nothing.
    looked: u64,
    awaited: Option<Awaited>,
    /// When time alone may have brought a candidate back.
    due: Option<Instant>,
    /// No candidate returns sooner.
    earliest: Instant,
}

/// All requests that wait.
#[derive(Default)]
pub(super) struct Queue {
    kinds: HashMap<u64, Kind>,
    tickets: u64,
    /// Counts changes: after each, the first of each kind is to look again.
    round: u64,
    /// The ticket where the next pass goes on, as the last one got no further; 0 if that came to its end.
    reached: u64,
    kept: Kept,
    /// Whether there is a timekeeper.
    pub(super) has_keeper: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: usize = self.kinds.values().map(|kind| kind.waiting.len()).sum();
        write!(f, "Queue({waiting} of {} kinds)", self.kinds.len())
    }
}

impl Kind {
    /// A kind whose first has yet to look.
    fn new(round: u64, now: Now) -> Self {
        Self {
            waiting: BTreeMap::new(),
            looked: round.wrapping_sub(1),
            awaited: None,
            due: None,
            earliest: now.steady,
        }
    }

    fn is_to_look(&self, round: u64, now: Now) -> bool {
        self.looked != round || self.due.is_some_and(|due| due <= now.steady)
    }

    /// The first has looked and found nothing. If what they wait for is now later, those for which that is too late
    /// are turned away.
    fn waits(&mut self, back: Return, round: u64, now: Now) {
        let earliest = now.plus(back.earliest).steady;
        let first = self.waiting.values().next();
        let is_late = |one: &Waiting| one.is_late(back.earliest, now);
        if first.is_some_and(is_late) || !back.earliest.is_zero() && earliest > self.earliest {
            let late = self.waiting.iter().filter(|(_, one)| is_late(one));
            let late: Vec<_> = late.map(|(ticket, _)| *ticket).collect();
            for one in late
                .into_iter()
                .filter_map(|ticket| self.waiting.remove(&ticket))
            {
                // A request that has left in the meantime need not be told.
                drop(one.tell.send(None));
            }
        }
        self.looked = round;
        self.awaited = Some(back.awaited);
        self.due = back.look_in.map(|left| now.plus(left.max(AGAIN)).steady);
        self.earliest = earliest;
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Something has changed: every kind is to look again.
    pub(super) fn stir(&mut self) {
        self.round += 1;
    }

    /// Whether a waiting request is to look before any other may choose.
    pub(super) fn is_pending(&self, now: Now) -> bool {
        self.kinds
            .values()
            .any(|kind| kind.is_to_look(self.round, now))
    }

    /// When the next of them is to look, if time says so.
    pub(super) fn due(&self, now: Now) -> Option<Instant> {
        if self.is_pending(now) {
            return Some(now.steady);
        }
        self.kinds.values().filter_map(|kind| kind.due).min()
    }

    /// Lets go the requests that can be served, in the order in which they came. What it does not get to is pending,
    /// and comes first the next time: otherwise the requests behind the first many would never look.
    pub(super) fn serve(&mut self, known: &mut Knowledge, list: &Arc<Snapshot>, now: Now) {
        let to_look = self
            .kinds
            .iter()
            .filter(|(_, kind)| kind.is_to_look(self.round, now));
        let first = |(id, kind): (&u64, &Kind)| Some((*kind.waiting.keys().next()?, *id));
        let mut firsts: BTreeMap<u64, u64> = to_look.filter_map(first).collect();
        for _ in 0..LOOKS {
            let next = firsts.range(self.reached..).next();
            let Some((&ticket, &id)) = next.or_else(|| firsts.iter().next()) else {
                break;
            };
            firsts.remove(&ticket);
            self.reached = ticket + 1;
            let next = self.looks(id, ticket, known, list, now);
            firsts.extend(next.map(|next| (next, id)));
        }
        if firsts.is_empty() {
            self.reached = 0;
        }
        known.ledger.keep(self.kept.of_all());
    }

    /// The first of a kind looks. Returns the next of the kind to look; `None` if the first waits on.
    fn looks(
        &mut self,
        id: u64,
        ticket: u64,
        known: &mut Knowledge,
        list: &Arc<Snapshot>,
        now: Now,
    ) -> Option<u64> {
        known.ledger.keep(self.kept.before(ticket));
        let kind = self.kinds.get_mut(&id)?;
        let first = kind.waiting.get(&ticket)?;
        let granted = match (first.look)(list, known, 0, now) {
            Sight::Ask(chosen) => Some(known.grant(chosen, list, now)),
            Sight::Never => None,
            Sight::Wait(back) => {
                let kept = back.kept();
                kind.waits(back, self.round, now);
                let kept = kept.filter(|_| kind.waiting.contains_key(&ticket));
                if kind.waiting.is_empty() {
                    self.kinds.remove(&id);
                }
                self.keeps(ticket, kept);
                return None;
            }
        };
        self.tells(id, ticket, granted, known, now)
    }

    /// Tells a waiting request what to ask, or that there is nothing to wait for. Returns what is then the first of
    /// its kind.
    fn tells(
        &mut self,
        id: u64,
        ticket: u64,
        granted: Option<Granted>,
        known: &mut Knowledge,
        now: Now,
    ) -> Option<u64> {
        let kind = self.kinds.get_mut(&id)?;
        let one = kind.waiting.remove(&ticket);
        let told = one.map(|one| one.tell.send(granted));
        let next = kind.waiting.keys().next().copied();
        if next.is_none() {
            self.kinds.remove(&id);
        }
        self.keeps(ticket, None);
        if let Some(Err(Some(granted))) = told {
            // It has left, and the candidate that it was to ask is free again.
            known.take_back(granted, now);
            self.stir();
        }
        next
    }

    /// Sets how much is kept for the first of a kind from now on. If it was something else before, there may be more
    /// for the requests behind it.
    fn keeps(&mut self, ticket: u64, kept: Option<(BucketId, u64)>) {
        if self.kept.set(ticket, kept) {
            self.stir();
        }
    }

    /// A request joins at the end, unless there is a candidate to ask, or none to wait for in its time. The waiting
    /// requests have been served before.
    pub(super) fn join(
        &mut self,
        waiter: Waiter,
        known: &mut Knowledge,
        list: &Arc<Snapshot>,
        now: Now,
    ) -> Joined {
        let kind = waiter.kind;
        let back = match (waiter.look)(list, known, 0, now) {
            Sight::Ask(chosen) if !self.is_pending(now) => {
                return Joined::Asks(Box::new(known.grant(chosen, list, now)));
            }
            Sight::Ask(_) => None,
            Sight::Wait(back) => {
                let ahead = self.before(kind, &back.awaited);
                if let Err(turn_in) = waiter.turn(&back, ahead, known, list, now) {
                    return Joined::Refused(turn_in);
                }
                Some(back)
            }
            Sight::Never => return Joined::Refused(None),
        };
        self.tickets += 1;
        let (tell, told) = oneshot::channel();
        let one = Waiting {
            look: waiter.look,
            until: waiter.until,
            budget: waiter.budget,
            tell,
        };
        let round = self.round;
        let kind = self
            .kinds
            .entry(kind)
            .or_insert_with(|| Kind::new(round, now));
        if let (Some(back), true) = (back, kind.waiting.is_empty()) {
            let kept = back.kept();
            kind.waits(back, round, now);
            self.kept.set(self.tickets, kept);
            known.ledger.keep(self.kept.of_all());
        }
        kind.waiting.insert(self.tickets, one);
        Joined::Waits(Entry {
            ticket: self.tickets,
            told,
        })
    }

    /// The time of a waiting request is over, and all of them have been served. It looks once more for itself, even
    /// if it is not the first of its kind: no request waits longer for another's sake.
    pub(super) fn at_end(
        &mut self,
        kind: u64,
        ticket: u64,
        known: &mut Knowledge,
        list: &Arc<Snapshot>,
        now: Now,
    ) -> AtEnd {
        let own = self.kinds.get(&kind);
        let Some(one) = own.and_then(|own| own.waiting.get(&ticket)) else {
            return AtEnd::Stays;
        };
        if self.is_pending(now) {
            return AtEnd::LooksAgain;
        }
        known.ledger.keep(self.kept.before(ticket));
        let end = match (one.look)(list, known, 0, now) {
            Sight::Ask(chosen) => {
                let granted = known.grant(chosen, list, now);
                self.tells(kind, ticket, Some(granted), known, now);
                AtEnd::Stays
            }
            Sight::Wait(back) if back.earliest.is_zero() => AtEnd::Stays,
            Sight::Wait(_) | Sight::Never => AtEnd::Leaves,
        };
        known.ledger.keep(self.kept.of_all());
        end
    }

    /// The queue, as people are shown it.
    pub(super) fn in_line(&self) -> InLine {
        let same = |(id, kind): (&u64, &Kind)| SameInLine {
            kind: *id,
            requests: kind.waiting.len(),
            awaited: kind.awaited.clone(),
            earliest: kind.earliest,
        };
        InLine(self.kinds.iter().map(same).collect())
    }

    /// How many are in line for the same.
    fn before(&self, kind: u64, awaited: &Awaited) -> usize {
        let same =
            |(id, other): &(&u64, &Kind)| **id == kind || other.awaited.as_ref() == Some(awaited);
        let same = self.kinds.iter().filter(same);
        same.map(|(_, kind)| kind.waiting.len()).sum()
    }

    /// A request leaves. The one behind it looks again, as it may want a little less.
    pub(super) fn leave(&mut self, kind: u64, ticket: u64, known: &mut Knowledge) {
        let Some(own) = self.kinds.get_mut(&kind) else {
            return;
        };
        let was_first = own.waiting.keys().next() == Some(&ticket);
        if own.waiting.remove(&ticket).is_some() && was_first {
            own.looked = self.round.wrapping_sub(1);
        }
        if own.waiting.is_empty() {
            self.kinds.remove(&kind);
        }
        self.keeps(ticket, None);
        known.ledger.keep(self.kept.of_all());
    }
}

#[cfg(test)]
mod tests;
