//! Who waits for somebody to wake, first come, first served (spec §11.5).
//!
//! A plain value under the lock of what is known: who is let go is charged before anybody else chooses,
//! so that a probe, or a unit of headroom, lets one go and not a herd. Requests that want the same stand
//! behind one another, and only the first of each kind looks. Of the headroom that this one waits for, its
//! share is kept: whoever came later has what is beyond that. What a request wants is its own affair: it brings
//! a function that looks.

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

/// So many looks are taken under one hold of the lock: 10,000 who may go at once hold up nobody for long.
const LOOKS: usize = 64;

/// Not sooner than this is looked again for time alone.
const AGAIN: Duration = Duration::from_millis(1);

/// What a request sees that would wait, or waits.
#[derive(Clone, Debug)]
pub enum Sight {
    /// This one can be asked now.
    Ask(Chosen),
    /// Nobody now, but somebody returns.
    Wait(Return),
    /// Nobody whom waiting would bring.
    Nobody,
}

/// The first return of anybody that is worth waiting for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// What returns: who waits for the same stands in line for it.
    pub awaited: Awaited,
    /// How much of it, where it is headroom that time brings: so much is kept for who waits. 0 otherwise.
    pub draws: u64,
    /// It is no sooner than in so long, as far as is known; zero where it may come at any moment, as
    /// somebody is being probed or busy.
    pub earliest: Duration,
    /// When time alone may have brought somebody; `None` where only an event does.
    pub look_in: Option<Duration>,
}

impl Return {
    /// What is kept for who waits for it.
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

/// Looks for somebody to ask, as if so many others were before it.
pub type Look = Box<dyn Fn(&Snapshot, &Knowledge, usize, Now) -> Sight + Send>;

/// A request that would wait.
pub struct Waiter {
    /// What it wants, as a hash: those who want the same see the same.
    pub kind: u64,
    /// How it looks.
    pub look: Look,
    /// It waits for nothing that returns later, nor longer for it.
    pub until: Instant,
    /// It waits no longer than that for who is being probed or busy.
    pub budget: Instant,
}

impl Waiter {
    /// How long its turn is away where so many are before it, which would wait for that to return; an error if it
    /// cannot wait so long, which says the same where those before it are why.
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
            Sight::Ask(_) | Sight::Nobody => back.earliest,
        };
        if is_late(self.until, self.budget, turn, now) {
            return Err((ahead > 0).then_some(turn));
        }
        Ok(turn)
    }
}

/// Who was let go asks this one.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) list: Arc<Snapshot>,
    pub(super) candidate: Arc<Candidate>,
    pub(super) key: Option<Subject>,
    pub(super) probe: Option<u64>,
    pub(super) reservation: Option<Reservation>,
}

/// A place in the queue, and what is told there: whom to ask, or that there is nobody any more.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) ticket: u64,
    pub(super) told: oneshot::Receiver<Option<Granted>>,
}

/// What one is to do whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// It has been told something, or its own are being probed or busy: these its budget bounds.
    Stays,
    /// Others are to look before it: what they leave is not known yet.
    LooksAgain,
    /// There is nobody for it.
    Leaves,
}

/// What came of joining.
pub(super) enum Joined {
    /// There was somebody to ask.
    Asks(Granted),
    /// It waits.
    Waits(Entry),
    /// It does not wait. Where others before it are why: how long until its turn would come.
    Refused(Option<Duration>),
}

struct Waiting {
    look: Look,
    until: Instant,
    budget: Instant,
    tell: oneshot::Sender<Option<Granted>>,
}

impl Waiting {
    /// Whether it cannot wait for what returns no sooner than in so long.
    fn is_late(&self, earliest: Duration, now: Now) -> bool {
        is_late(self.until, self.budget, earliest, now)
    }
}

fn is_late(until: Instant, budget: Instant, earliest: Duration, now: Now) -> bool {
    let until = if earliest.is_zero() { budget } else { until };
    until <= now.plus(earliest).steady
}

/// Those who want the same, by their tickets.
struct Kind {
    waiting: BTreeMap<u64, Waiting>,
    /// The round in which the first of them looked in vain.
    looked: u64,
    awaited: Option<Awaited>,
    /// Time alone may have brought somebody by then.
    due: Option<Instant>,
    /// Nobody returns sooner.
    earliest: Instant,
}

/// All who wait.
#[derive(Default)]
pub(super) struct Queue {
    kinds: HashMap<u64, Kind>,
    tickets: u64,
    /// One more with each change: the first of each kind is to look again.
    round: u64,
    /// From this ticket on the next pass goes on, as the last one came no further; 0 where it came to its end.
    reached: u64,
    kept: Kept,
    /// Somebody keeps the time.
    pub(super) has_keeper: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: usize = self.kinds.values().map(|kind| kind.waiting.len()).sum();
        write!(f, "Queue({waiting} of {} kinds)", self.kinds.len())
    }
}

impl Kind {
    /// Of whom the first has yet to look.
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

    /// The first has looked in vain. If what they wait for is later than it was, those are let go for whom
    /// that is too late.
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
                // Who left meanwhile need not be told.
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

    /// Something has changed: all are to look again.
    pub(super) fn stir(&mut self) {
        self.round += 1;
    }

    /// Whether somebody of those who wait is to look before anybody else may choose.
    pub(super) fn is_pending(&self, now: Now) -> bool {
        self.kinds
            .values()
            .any(|kind| kind.is_to_look(self.round, now))
    }

    /// When the next of them is to look, where time says so.
    pub(super) fn due(&self, now: Now) -> Option<Instant> {
        if self.is_pending(now) {
            return Some(now.steady);
        }
        self.kinds.values().filter_map(|kind| kind.due).min()
    }

    /// Lets go whoever can be served, in the order in which they came. What it does not come to is
    /// pending, and first the next time: else those behind the first many would never look.
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

    /// The first of a kind looks. Answers who of the kind is to look next: nobody if it waits on.
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
            Sight::Nobody => None,
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

    /// One who waits is told whom to ask, or that there is nobody. Answers who is the first of its kind then.
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
            // It has left, and whom it was to ask is free again.
            known.take_back(granted, now);
            self.stir();
        }
        next
    }

    /// For the first of a kind so much is kept from now on. Where that is no longer what it was, there may be more
    /// for those behind it.
    fn keeps(&mut self, ticket: u64, kept: Option<(BucketId, u64)>) {
        if self.kept.set(ticket, kept) {
            self.stir();
        }
    }

    /// A request joins at the end, unless there is somebody to ask, or nobody to wait for in its time. Those
    /// who wait have been served before.
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
                return Joined::Asks(known.grant(chosen, list, now));
            }
            Sight::Ask(_) => None,
            Sight::Wait(back) => {
                let ahead = self.before(kind, &back.awaited);
                if let Err(turn_in) = waiter.turn(&back, ahead, known, list, now) {
                    return Joined::Refused(turn_in);
                }
                Some(back)
            }
            Sight::Nobody => return Joined::Refused(None),
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

    /// The time of one who waits is over, and those who wait have been served. It looks for itself once more, whoever
    /// is the first of its kind: none waits longer for another's sake.
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
            Sight::Wait(_) | Sight::Nobody => AtEnd::Leaves,
        };
        known.ledger.keep(self.kept.of_all());
        end
    }

    /// Who waits, for people.
    pub(super) fn in_line(&self) -> InLine {
        let same = |(id, kind): (&u64, &Kind)| SameInLine {
            kind: *id,
            requests: kind.waiting.len(),
            awaited: kind.awaited.clone(),
            earliest: kind.earliest,
        };
        InLine(self.kinds.iter().map(same).collect())
    }

    /// How many stand in line for the same.
    fn before(&self, kind: u64, awaited: &Awaited) -> usize {
        let same =
            |(id, other): &(&u64, &Kind)| **id == kind || other.awaited.as_ref() == Some(awaited);
        let same = self.kinds.iter().filter(same);
        same.map(|(_, kind)| kind.waiting.len()).sum()
    }

    /// Somebody leaves. Who stands behind looks again, as it may want a little less.
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
