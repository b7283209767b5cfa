//! Why a candidate is not asked: the rules of [`next`](super::next), applied to each.
//!
//! The same functions decide here as there; a property test keeps the two in agreement.

use std::sync::Arc;
use std::time::Duration;

use super::by::By;
use super::fate::{Fate, fate};
use super::headroom::{is_beyond_share, none_lets_through};
use super::price::{cost_of, total};
use super::{Wants, largest};
use crate::clock::Now;
use crate::learnt::{Cost, starts_on};
use crate::ledger::BucketId;
use crate::model::{Candidate, Capability, Subject};
use crate::registry::{Knowledge, Snapshot, Standing};

/// Why a candidate is not asked: the first of the rules that excludes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// `MODEL_FIELD=pin`, and the request names another.
    NotWanted,
    /// Its client may not ask it.
    NotAllowed,
    /// It cannot do all that the request needs.
    Lacks(Vec<Capability>),
    /// Its context is too small for the prompt.
    TooSmall {
        /// How many tokens the prompt has, at least.
        needs: u64,
        /// How many the model can hold.
        has: u64,
    },
    /// It has been asked already.
    Tried,
    /// Its account or its provider rests, and [`rest_of`](crate::registry::Rests::rest_of) says why; or it is being probed.
    Account(Subject),
    /// The model rests; [`rest_of`](crate::registry::Rests::rest_of) says why.
    Resting(Subject),
    /// Its rest is over, and another request is finding out whether that helped.
    Probing,
    /// A certain quota is used up; [`crate::ledger::Ledger::bucket_view`] says which.
    Spent {
        /// How long until there is room for this request; `None` if time alone brings none.
        returns_in: Option<Duration>,
        /// Which quota.
        bucket: BucketId,
    },
    /// Its client's share of a day is used up.
    ShareUsed {
        /// How long until it may use more.
        returns_in: Duration,
        /// The day.
        bucket: BucketId,
    },
    /// As many requests are under way there as are allowed at once.
    Busy(BucketId),
    /// This request alone exceeds that quota.
    OverLimit(BucketId),
}

/// A candidate that could be asked.
#[derive(Clone, Debug)]
pub struct Awake {
    /// The candidate.
    pub candidate: Arc<Candidate>,
    /// How many models come before it in its tier.
    pub place: u32,
    /// What the request would cost there; `None` if the order is by rank.
    pub cost: Option<Cost>,
}

/// The candidates that could be asked now, each once, in the order in which they would be asked.
#[must_use]
pub fn awake(snapshot: &Snapshot, wants: Wants<'_>, known: &Knowledge, now: Now) -> Vec<Awake> {
    let sieve = Sieve::new(snapshot, wants, known, now);
    let mut found: Vec<(Rank, Awake)> = Vec::new();
    let mut at: Option<(usize, _)> = None;
    // How many of those found so far the request has named.
    let mut first = 0;
    for placed in wants.placed(snapshot) {
        let tier = match at {
            Some((tier, before)) => tier + usize::from(before != placed.tier),
            None => 0,
        };
        at = Some((tier, placed.tier));
        let kind = match sieve.passes(placed.candidate) {
            Ok(Fate::AwakeBehind) => 1,
            Ok(Fate::AwakeUnreached | Fate::OverLimit(_)) => 2,
            Ok(_) => 0,
            Err(_) => continue,
        };
        let candidate = Arc::clone(placed.candidate);
        // What was put first is met again in its own place.
        if placed.tier.is_none() {
            first += 1;
        } else if found
            .iter()
            .take(first)
            .any(|(_, known)| Arc::ptr_eq(&known.candidate, &candidate))
        {
            continue;
        }
        let cost = cost_of(placed, snapshot, wants, known, now);
        let place = placed.place;
        found.push((
            Rank {
                kind,
                tier,
                cost: total(cost),
            },
            Awake {
                candidate,
                place,
                cost,
            },
        ));
    }
    // Stable: of two that cost the same, the first is asked.
    found.sort_by(|(one, _), (other, _)| {
        (one.kind, one.tier)
            .cmp(&(other.kind, other.tier))
            .then(one.cost.total_cmp(&other.cost))
    });
    start_sessions(&mut found, snapshot, wants.by);
    found.into_iter().map(|(_, awake)| awake).collect()
}

/// Puts before each candidate the one that the request's session would start on instead, as
/// [`starts_on_one_of`](super::price::starts_on_one_of) says.
fn start_sessions(found: &mut [(Rank, Awake)], snapshot: &Snapshot, by: By<'_>) {
    for at in 0..found.len() {
        let Some(((rank, best), behind)) = found.get(at..).and_then(<[_]>::split_first) else {
            return;
        };
        if rank.kind > 0 || snapshot.through_accounts(&best.candidate).len() < 2 {
            continue;
        }
        let sticks = best.cost.is_some_and(|cost| cost.session > 0.0);
        let Some(start) = by.start(rank.cost, sticks) else {
            continue;
        };
        let may_be_asked = |(_, (rank, other)): &(usize, &(Rank, Awake))| {
            rank.kind == 0
                && rank.cost <= start.most
                && other.candidate.model() == best.candidate.model()
        };
        let others: Vec<_> = (1..).zip(behind).filter(may_be_asked).collect();
        let accounts = others
            .iter()
            .map(|(_, (_, other))| &*other.candidate.account);
        let accounts = accounts.chain([&*best.candidate.account]);
        let account = starts_on(start.session, accounts, start.salt);
        let is_it = |(_, (_, other)): &&(usize, &(Rank, Awake))| {
            account.is_some_and(|account| *other.candidate.account == *account)
        };
        if let Some(steps) = others.iter().find(is_it).map(|(steps, _)| *steps)
            && let Some(moved) = found.get_mut(at..=at + steps)
        {
            moved.rotate_right(1);
        }
    }
}

/// How awake candidates are ordered, lowest first.
struct Rank {
    /// 0 with headroom and within reach, 1 behind those, 2 behind all.
    kind: u8,
    /// How many tiers come before its own.
    tier: usize,
    cost: f64,
}

/// The candidates that cannot be asked now, in the order of the snapshot, each with the reason.
#[must_use]
pub fn left_out(
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Vec<(Arc<Candidate>, LeftOut)> {
    let sieve = Sieve::new(snapshot, wants, known, now);
    let with_reason = |candidate: &Arc<Candidate>| {
        let why = sieve.passes(candidate).err()?;
        Some((Arc::clone(candidate), why))
    };
    snapshot
        .candidates()
        .iter()
        .filter_map(with_reason)
        .collect()
}

/// The rules, with what they say about all candidates together.
struct Sieve<'a> {
    snapshot: &'a Snapshot,
    wants: Wants<'a>,
    known: &'a Knowledge,
    now: Now,
    /// The model that is asked because the prompt is too long for all.
    largest: Option<&'a Subject>,
    /// Every candidate has a quota that the request exceeds, so that this excludes none.
    none_lets_through: bool,
}

impl<'a> Sieve<'a> {
    fn new(snapshot: &'a Snapshot, wants: Wants<'a>, known: &'a Knowledge, now: Now) -> Self {
        let able = |c: &&Arc<Candidate>| wants.are_met(c, known);
        let mut listed = wants.candidates(snapshot).filter(able);
        let none_fits = !listed.any(|candidate| wants.fit(candidate, known));
        let largest = none_fits.then(|| largest(snapshot, wants, known)).flatten();
        let largest = largest.and_then(|offer| {
            let mut all = snapshot.candidates().iter();
            all.find(|candidate| candidate.offer.is(offer))
                .map(|c| c.model())
        });
        Self {
            snapshot,
            wants,
            known,
            now,
            largest,
            none_lets_through: none_lets_through(snapshot, wants, known, now),
        }
    }

    /// How a candidate may be asked, or why not.
    fn passes(&self, candidate: &Arc<Candidate>) -> Result<Fate, LeftOut> {
        let Self {
            wants, known, now, ..
        } = *self;
        if !wants.preference.takes(candidate, self.snapshot) {
            return Err(LeftOut::NotWanted);
        }
        if !wants.may_ask(candidate) {
            return Err(LeftOut::NotAllowed);
        }
        if !wants.are_met(candidate, known) {
            let provider = &candidate.offer.provider;
            let unmet = wants.needs.unmet_at(provider, known.abilities(candidate));
            return Err(LeftOut::Lacks(unmet.collect()));
        }
        if !wants.fit(candidate, known) && self.largest != Some(candidate.model()) {
            return Err(LeftOut::TooSmall {
                needs: wants.needs.prompt_tokens(),
                has: known.window(candidate).unwrap_or_default(),
            });
        }
        match fate(candidate, self.snapshot, wants, known, now) {
            fate @ (Fate::Awake | Fate::AwakeBehind | Fate::AwakeUnreached) => Ok(fate),
            fate @ Fate::OverLimit(_) if self.none_lets_through => Ok(fate),
            Fate::OverLimit(bucket) => Err(LeftOut::OverLimit(bucket)),
            Fate::Spent { returns_in, bucket } => {
                let is_share = is_beyond_share(candidate, self.snapshot, wants, known, now);
                Err(match returns_in.filter(|_| is_share) {
                    Some(returns_in) => LeftOut::ShareUsed { returns_in, bucket },
                    None => LeftOut::Spent { returns_in, bucket },
                })
            }
            Fate::Busy(bucket) => Err(LeftOut::Busy(bucket)),
            Fate::Out => Err(LeftOut::Tried),
            Fate::Resting(_) => Err(self.rests(candidate)),
            Fate::Probing(_) => Err(self.is_probed(candidate)),
        }
    }

    /// What rests: the model rather than its account.
    fn rests(&self, candidate: &Candidate) -> LeftOut {
        let mut subjects = candidate.subjects().iter().rev();
        let resting = subjects.find(|s| self.known.rest_of(s, self.now).is_some());
        match resting {
            Some(subject) if subject.is_shared() => LeftOut::Account(subject.clone()),
            Some(_) | None => LeftOut::Resting(resting.unwrap_or(candidate.itself()).clone()),
        }
    }

    fn is_probed(&self, candidate: &Candidate) -> LeftOut {
        let by_others = |subject: &&Subject| {
            self.known.standing(subject, self.now) == Standing::Probing
                && !self.known.is_probed_by(subject, candidate)
        };
        let mut subjects = candidate.subjects().iter().rev();
        match subjects.find(by_others) {
            Some(subject) if subject.is_shared() => LeftOut::Account(subject.clone()),
            Some(_) | None => LeftOut::Probing,
        }
    }
}
