//! A trace as a world: it estimates the outcome of attempts that were never made.
//!
//! An attempt that was made has its recorded outcome. Any other is estimated from the candidate's own attempts
//! nearest in time: one of the nearest few, chosen pseudorandomly, decides whether it answers, and the answers
//! before and after it decide how soon, by interpolation. An account that refused everything keeps doing so
//! until its stated return, or until it answered. When a request found no candidate, because all were resting
//! or out of quota, all accounts are taken to have been so until they were next asked. [`Near`] counts how much
//! is estimated, and from how far away.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::seen::{SILENCE, Seen, Stands, nearest};
use super::trace::{End, Recorded, Trace, Try, has_tools};
use super::{Attempt, Failure, NEVER, Outcome, Place, Quotas, Request, World};

/// What a trace shows about its candidates.
#[derive(Debug)]
pub struct Observed<'t> {
    trace: &'t Trace,
    /// The requests that are replayed.
    requests: Vec<&'t Recorded>,
    candidates: Vec<Seen>,
    /// By account: the periods in which it refuses everything, as start and end.
    shut: Vec<Vec<(f64, f64)>>,
    /// By tier: the number of ranks before it.
    ranks: BTreeMap<u32, u32>,
    /// The moments at which a candidate moves to another place, in order.
    moves: Vec<f64>,
    /// The order that holds after so many moves, as last worked out.
    order: Option<(usize, Order)>,
    near: Near,
}

/// All candidates, with the places by which they stand in order.
type Order = Rc<[(usize, Place)]>;

/// How near in time the observations behind a replay are.
#[derive(Clone, Debug, Default)]
pub struct Near {
    /// Attempts with their recorded outcome.
    pub recorded: usize,
    /// For each of the others, the distance to the attempt it is estimated from, in seconds.
    pub seconds: Vec<f64>,
}

impl Near {
    /// The share of attempts with their recorded outcome, in %.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of millions at most")]
    pub fn share(&self) -> f64 {
        let all = self.recorded + self.seconds.len();
        100.0 * self.recorded as f64 / all.max(1) as f64
    }

    /// The median distance of the others, in seconds; `None` if there are none.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

impl<'t> Observed<'t> {
    /// Builds the world that a trace shows.
    #[must_use]
    pub fn of(trace: &'t Trace) -> Self {
        let mut observed = Self {
            requests: trace.requests.iter().filter(|one| one.counts).collect(),
            candidates: trace.candidates.iter().map(|_| Seen::default()).collect(),
            shut: vec![Vec::new(); trace.accounts()],
            ranks: BTreeMap::new(),
            moves: Vec::new(),
            order: None,
            near: Near::default(),
            trace,
        };
        let mut well = vec![Vec::new(); trace.accounts()];
        let mut asked = vec![Vec::new(); trace.accounts()];
        for request in &trace.requests {
            for one in &request.tries {
                let began = request.at + one.after;
                let account = trace.accounts[one.candidate];
                asked[account].push(began);
                match one.end {
                    End::OfAccount(wait) => {
                        observed.shut[account].push((began, began + one.total + wait));
                    }
                    End::Answered { .. } => well[account].push(began),
                    End::Failed(_) | End::Left { .. } => {}
                }
                let most = observed.ranks.entry(one.tier).or_default();
                *most = (*most).max(one.place + 1);
                observed.candidates[one.candidate].sees(request, one, began);
            }
        }
        for seen in &mut observed.candidates {
            seen.sort();
            observed.moves.extend(seen.moves());
        }
        observed.moves.sort_by(f64::total_cmp);
        let found_none = trace.requests.iter().filter(|one| one.found_none());
        let found_none: Vec<_> = found_none.map(|one| one.at).collect();
        for (shut, mut asked) in observed.shut.iter_mut().zip(asked) {
            asked.sort_by(f64::total_cmp);
            found_nobody(&found_none, &asked, shut);
        }
        for (shut, mut well) in observed.shut.iter_mut().zip(well) {
            well.sort_by(f64::total_cmp);
            open_again(shut, &well);
        }
        let mut before = 0_u32;
        for ranks in observed.ranks.values_mut() {
            let own = std::mem::replace(ranks, before);
            before = before.saturating_add(own);
        }
        observed
    }

    /// How near the observations used so far were.
    #[must_use]
    pub fn near(&self) -> &Near {
        &self.near
    }

    /// Each replayed request, with its recorded attempts.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (Request, &[Try])> {
        let requests = self.requests.iter().enumerate();
        requests.map(|(n, recorded)| (self.request(n), &recorded.tries[..]))
    }

    /// The rank of a place within a tier.
    pub(super) fn rank(&self, tier: u32, place: u32) -> u32 {
        let before = self.ranks.get(&tier).copied().unwrap_or_default();
        before.saturating_add(place).saturating_add(1)
    }

    fn stands(&self, candidate: usize, now: f64) -> Stands {
        let stands = nearest(&self.candidates[candidate].stands, now);
        stands.map_or(Stands::UNKNOWN, |(_, stands)| stands)
    }

    /// All candidates in order at a moment. It is worked out anew only when one has moved.
    fn in_order(&mut self, now: f64) -> Order {
        let moves = self.moves.partition_point(|at| *at < now);
        if let Some((after, order)) = &self.order
            && *after == moves
        {
            return Rc::clone(order);
        }
        let placed = (0..self.candidates.len()).map(|n| (n, self.place(n, now)));
        let mut order: Vec<_> = placed.collect();
        order.sort_by_key(|(_, place)| *place);
        let order: Order = order.into();
        self.order = Some((moves, Rc::clone(&order)));
        order
    }

    /// The start and end of the period in which an account refuses everything, if `now` is in one.
    fn is_shut(&self, account: usize, now: f64) -> Option<(f64, f64)> {
        let shut = &self.shut[account];
        let begun = shut.partition_point(|(from, _)| *from <= now);
        let (from, until) = shut.get(begun.checked_sub(1)?)?;
        (now < *until).then_some((*from, *until))
    }
}

impl World for Observed<'_> {
    fn requests(&self) -> usize {
        self.requests.len()
    }

    fn request(&self, number: usize) -> Request {
        let recorded = self.requests[number];
        Request {
            at: recorded.at,
            session: recorded.session,
            tools: has_tools(recorded.needs),
            stream: recorded.stream,
            wish: recorded.wish,
            prompt_tokens: recorded.prompt_tokens,
        }
    }

    fn candidates(&self) -> usize {
        self.candidates.len()
    }

    fn accounts(&self) -> usize {
        self.shut.len()
    }

    fn account(&self, candidate: usize) -> usize {
        self.trace.accounts[candidate]
    }

    fn able(&mut self, number: usize) -> Vec<(usize, Place)> {
        let request = self.requests[number];
        let order = self.in_order(request.at);
        let asked = |n| request.tries.iter().any(|one| one.candidate == n);
        let able = order.iter().copied();
        able.filter(|(n, _)| asked(*n) || self.candidates[*n].can(request))
            .collect()
    }

    fn place(&self, candidate: usize, now: f64) -> Place {
        let (tier, place) = self.candidates[candidate].place(now);
        Place {
            tier,
            place,
            rank: self.rank(tier, place),
        }
    }

    fn asks(&mut self, attempt: &Attempt, nth: usize, _is_warm: bool) -> Outcome {
        let request = self.requests[attempt.request];
        let own = request.tries.iter();
        let mut own = own.filter(|one| one.candidate == attempt.candidate);
        if let Some(outcome) = own.nth(nth).and_then(|one| one.outcome(attempt.at)) {
            self.near.recorded += 1;
            return outcome;
        }
        if let Some((from, until)) = self.is_shut(attempt.account, attempt.at) {
            self.near.seconds.push(attempt.at - from);
            let failure = Failure::Account { until };
            return Outcome::Fails {
                after: REFUSAL,
                failure,
            };
        }
        let seen = &self.candidates[attempt.candidate];
        let Some((away, look)) = seen.look(attempt) else {
            // It was asked, but none of those attempts says how this one would end.
            return Outcome::Fails {
                after: REFUSAL,
                failure: Failure::Refused,
            };
        };
        self.near.seconds.push(away);
        look.outcome(request)
    }
}

/// How long an account takes to refuse, in seconds.
const REFUSAL: f64 = 0.15;

impl Quotas for &Observed<'_> {
    fn draws(&mut self, _candidate: usize, _now: f64) {
        // Quota usage is taken as recorded.
    }

    fn tight(&self, candidate: usize, now: f64) -> f64 {
        self.stands(candidate, now).tight
    }

    fn day_left(&self, candidate: usize, now: f64) -> Option<f64> {
        self.stands(candidate, now).day_left
    }
}

impl Try {
    /// Its recorded outcome, as if it began at `now`; `None` if its client did not wait for it.
    fn outcome(&self, now: f64) -> Option<Outcome> {
        let after = self.total;
        let failure = match self.end {
            End::Answered { breaks } => {
                return Some(Outcome::Speaks {
                    first: self.first.unwrap_or(self.total),
                    total: self.total,
                    breaks,
                });
            }
            End::Left { .. } => return None,
            End::Failed(Failure::Late) => return Some(late(after)),
            End::Failed(failure) => failure,
            End::OfAccount(wait) => Failure::Account {
                until: now + after + wait,
            },
        };
        Some(Outcome::Fails { after, failure })
    }
}

/// The outcome of an attempt that was given up after this many seconds.
fn late(after: f64) -> Outcome {
    Outcome::Speaks {
        first: SILENCE * after,
        total: SILENCE * after,
        breaks: false,
    }
}

/// An account is shut from when a request found nobody until it was next asked.
fn found_nobody(found_none: &[f64], asked: &[f64], shut: &mut Vec<(f64, f64)>) {
    let mut rest = found_none;
    while let Some(from) = rest.first() {
        let next = asked.partition_point(|at| at <= from);
        // For an account that was not asked again, nothing shows that it came back.
        let until = asked.get(next).copied().unwrap_or(NEVER);
        shut.push((*from, until));
        let (_, later) = rest.split_at(rest.partition_point(|at| *at < until));
        rest = later;
    }
}

/// Sorts and merges the periods in which an account refuses everything; each ends, at the latest, when the
/// account next answered.
fn open_again(shut: &mut Vec<(f64, f64)>, well: &[f64]) {
    shut.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(shut.len());
    for (from, until) in shut.drain(..) {
        let next = well.partition_point(|at| *at <= from);
        let until = well.get(next).map_or(until, |at| until.min(*at));
        if let Some(last) = merged.last_mut()
            && from <= last.1
        {
            last.1 = last.1.max(until);
        } else {
            merged.push((from, until));
        }
    }
    *shut = merged;
}
