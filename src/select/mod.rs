//! Which candidate is asked next (spec §4.1, §4.2, §4.7, §10.4, §10.5).
//!
//! Pure: a snapshot, what the request wants, what is known of rests and quotas, and `now` go in; a [`Next`]
//! comes out. No clock, no lock, no log line, no I/O in this room. The candidates are walked in order and only
//! as far as needed: a thousand are usual, and nothing is collected from them. Where they are ordered by cost,
//! that is until those that follow in the tier cannot be cheaper, beginning with the one that was quoted as
//! the cheapest.

mod by;
mod explain;
mod fate;
mod headroom;
mod price;
mod quote;
mod shut;
mod turn;
mod unavailable;
mod wants;

use std::sync::Arc;
use std::time::Duration;

pub use by::By;
pub use explain::{Awake, LeftOut, awake, left_out};
pub use headroom::{ask, is_beyond_share};
pub use price::costs;
pub use quote::Quote;
pub use turn::{USUAL, first_return, within_reach};
pub use unavailable::{AGREES, Ruled, Unavailable, ruled};
pub use wants::{Out, OutBy, Preference, Wants};

use crate::clock::Now;
use crate::model::{Candidate, Capability, Offer};
use crate::registry::{Knowledge, Rests, Snapshot};
use crate::request::Needs;
use fate::{Fate, fate};
use headroom::none_lets_through;
use price::{Price, Prices, starts_on_one_of};
use shut::Shut;
use wants::{Placed, are_met};

/// Which candidate is asked next, or exactly why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'s> {
    /// The best candidate that is able and awake.
    Ask(&'s Arc<Candidate>),
    /// None is awake, but one is being probed or busy: wait for how that ends, or for one to wake.
    Wait {
        /// Until the first resting one wakes, or one more request may probe an account.
        wakes_in: Option<Duration>,
    },
    /// There is no candidate to ask or to wait for.
    None(Why),
}

/// Why there is no candidate to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Able candidates are left, and all of them rest: 503 with `Retry-After`.
    Resting {
        /// Until the first of them wakes.
        wakes_in: Duration,
    },
    /// This request has ruled out every able candidate.
    Exhausted,
    /// No listed model can do this; waiting will not help: 400.
    NoneCapable {
        /// The needs that no model has or, if each has some model, all of them together.
        missing: Vec<Capability>,
    },
    /// `MODEL_FIELD=pin`, and the named model is not in the snapshot: 404.
    NotListed,
    /// No listed model is one that the client may ask: 403.
    NotAllowed,
    /// No list has been read yet: 503.
    NoSnapshot,
}

impl<'s> Next<'s> {
    /// The candidate to ask, if there is one.
    #[must_use]
    pub fn candidate(&self) -> Option<&'s Arc<Candidate>> {
        match self {
            Self::Ask(candidate) => Some(candidate),
            Self::Wait { .. } | Self::None(_) => None,
        }
    }
}

/// Chooses the candidate that a request asks next.
#[must_use]
pub fn next<'s>(
    snapshot: Option<&'s Snapshot>,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Next<'s> {
    next_quoted(snapshot, wants, &Quote::default(), known, now)
}

/// The same, with the costs worked out beforehand for the same snapshot and wants.
#[must_use]
pub fn next_quoted<'s>(
    snapshot: Option<&'s Snapshot>,
    wants: Wants<'_>,
    quote: &Quote<'s>,
    known: &Knowledge,
    now: Now,
) -> Next<'s> {
    let Some(snapshot) = snapshot else {
        return Next::None(Why::NoSnapshot);
    };
    let choice = Choice {
        snapshot,
        wants,
        known,
        now,
    };
    let mut round = Round::default();
    let seen = choice.walks(&mut round, quote);
    if let Some(best) = round.best {
        return choice.asks(best, quote);
    }
    if !seen.listed {
        let is_barred = wants.is_barred();
        return Next::None(if is_barred {
            Why::NotAllowed
        } else {
            Why::NotListed
        });
    }
    if !seen.able {
        let missing = missing(snapshot, wants, known);
        return Next::None(Why::NoneCapable { missing });
    }
    if !seen.fits {
        choice.tries_largest(&mut round);
        if let Some(best) = round.best {
            return choice.asks(best, quote);
        }
    }
    match round.over_limit {
        Some(kept) if !round.has_last() && none_lets_through(snapshot, wants, known, now) => {
            Next::Ask(kept.placed.candidate)
        }
        Some(_) | None => round.ends(),
    }
}

/// What a choice is made from.
#[derive(Clone, Copy)]
struct Choice<'s, 'a> {
    snapshot: &'s Snapshot,
    wants: Wants<'a>,
    known: &'a Knowledge,
    now: Now,
}

/// What a walk has met, whether or not it may be asked now.
#[derive(Default)]
struct Met {
    /// A candidate that the request allows.
    listed: bool,
    /// One of them that can do what it needs.
    able: bool,
    /// One of those that its prompt fits into.
    fits: bool,
}

impl<'s> Choice<'s, '_> {
    /// Walks past the candidates until none that follows can be better than the best.
    fn walks(self, round: &mut Round<'s>, quote: &Quote<'s>) -> Met {
        let Self {
            snapshot,
            wants,
            known,
            now,
        } = self;
        let mut seen = Met::default();
        // Mostly the cheapest is awake with all its quota, and then no other needs a look.
        if let Some((placed, price)) = quote.cheapest() {
            self.meets(placed, Some(price), round, &mut seen);
            if round.best.is_some_and(|best| quote.is_settled_by(best)) {
                return seen;
            }
        }
        let mut shut = Shut::default();
        let mut prices = Prices::new(snapshot, wants.by, now);
        // Candidates whose account is out are looked at only if no other is found, for when they return.
        for is_shut in [false, true] {
            let mut order = wants.placed(snapshot);
            let mut reached = 0;
            // A candidate whose quoted price is no better than the best is skipped without a look.
            while let Some(placed) = order.nth(quote.no_better(reached, round.best)) {
                reached = placed.at + 1;
                if round.is_decided(placed, wants.by) {
                    break;
                }
                if shut.has(placed.candidate) != is_shut {
                    continue;
                }
                let work_out = || prices.as_mut().map(|prices| prices.of(placed));
                let price = quote.of(placed.at, work_out);
                if self.meets(placed, price, round, &mut seen) {
                    shut.look(placed.candidate, snapshot, known, now);
                }
            }
            if round.best.is_some() || shut.is_empty() || round.has_last() {
                break;
            }
        }
        seen
    }

    /// Meets a candidate of this price; it has none where the order is by rank. Answers whether time has to
    /// bring it back.
    fn meets(
        self,
        placed: Placed<'s>,
        price: Option<Price>,
        round: &mut Round<'s>,
        seen: &mut Met,
    ) -> bool {
        // One that is no better than the best needs no further look.
        if !round.may_keep(placed, price) {
            return false;
        }
        seen.listed = true;
        if !self.wants.are_met(placed.candidate, self.known) {
            return false;
        }
        seen.able = true;
        if !self.wants.fit(placed.candidate, self.known) {
            return false;
        }
        seen.fits = true;
        round.looks_at(placed, price, self)
    }

    /// Looks at those of the largest window: a prompt's tokens are only a guess.
    fn tries_largest(self, round: &mut Round<'s>) {
        let Self {
            snapshot,
            wants,
            known,
            now,
        } = self;
        let Some(largest) = largest(snapshot, wants, known) else {
            return;
        };
        let mut prices = Prices::new(snapshot, wants.by, now);
        let candidates = wants.placed(snapshot);
        for placed in candidates.filter(|placed| placed.candidate.offer.is(largest)) {
            if round.is_decided(placed, wants.by) {
                break;
            }
            let price = prices.as_mut().map(|prices| prices.of(placed));
            round.looks_at(placed, price, self);
        }
    }

    /// The best is asked, or another account of its offer that the session starts on.
    fn asks(self, best: Kept<'s>, quote: &Quote<'s>) -> Next<'s> {
        let start = self.wants.by.start(best.cost, best.sticks);
        Next::Ask(match start {
            Some(start) => starts_on_one_of(best.placed, start, quote, self),
            None => best.placed.candidate,
        })
    }
}

/// The cheapest of its kind in the first tier that has any; of two that cost the same, the first.
#[derive(Clone, Copy)]
struct Kept<'s> {
    placed: Placed<'s>,
    cost: f64,
    /// Something of that is taken off for the session's sake.
    sticks: bool,
}

impl<'s> Kept<'s> {
    /// Whether another, which costs that, would be kept instead.
    fn gives_way(self, to: Placed<'_>, cost: f64) -> bool {
        let is_first = to.at < self.placed.at;
        if self.placed.tier == to.tier {
            let costs = cost.total_cmp(&self.cost);
            costs.is_lt() || (costs.is_eq() && is_first)
        } else {
            is_first
        }
    }

    fn keep(kept: &mut Option<Self>, new: Self) {
        if kept.is_none_or(|kept| kept.gives_way(new.placed, new.cost)) {
            *kept = Some(new);
        }
    }
}

/// What a walk past the candidates has seen so far.
#[derive(Default)]
struct Round<'s> {
    /// Awake, with headroom, and within reach.
    best: Option<Kept<'s>>,
    /// Awake, but its provider could not be reached lately: asked last (spec §10.4).
    last: Option<Kept<'s>>,
    /// Awake, but a number that is not certain is used up: asked after those with headroom.
    behind: Option<Kept<'s>>,
    /// The request alone exceeds a quota: asked only if that is so of all, as its size is a guess.
    over_limit: Option<Kept<'s>>,
    /// Whether a candidate is being probed, or busy.
    waits: bool,
    wakes_in: Option<Duration>,
}

impl<'s> Round<'s> {
    /// Whether neither this candidate nor a later one can be better than the best so far.
    fn is_decided(&self, placed: Placed<'_>, by: By<'_>) -> bool {
        let is_behind = |best: Kept<'_>| best.placed.tier != placed.tier;
        self.best.is_some_and(|best| {
            best.placed.at < placed.at
                && (is_behind(best) || best.cost <= by.at_least(placed.place))
        })
    }

    /// Whether a candidate may be better than the best, by what it costs at the least.
    fn may_keep(&self, placed: Placed<'_>, price: Option<Price>) -> bool {
        self.would_keep(placed, price.map_or(0.0, |price| price.least))
    }

    fn would_keep(&self, placed: Placed<'_>, cost: f64) -> bool {
        self.best.is_none_or(|best| best.gives_way(placed, cost))
    }

    /// Keeps what comes of an able candidate of this price. Answers whether time has to bring it back.
    fn looks_at(
        &mut self,
        placed: Placed<'s>,
        price: Option<Price>,
        choice: Choice<'s, '_>,
    ) -> bool {
        let Choice {
            snapshot,
            wants,
            known,
            now,
        } = choice;
        let candidate = placed.candidate;
        let cost = price.map_or(0.0, |price| price.total(candidate, snapshot, known, now));
        if !self.would_keep(placed, cost) {
            return false;
        }
        let fate = fate(candidate, snapshot, wants, known, now);
        self.keeps(
            Kept {
                placed,
                cost,
                sticks: price.is_some_and(|price| price.sticks),
            },
            fate,
        );
        matches!(fate, Fate::Resting(_) | Fate::Spent { .. })
    }

    fn keeps(&mut self, new: Kept<'s>, fate: Fate) {
        let mut wakes = |left: Duration| {
            self.wakes_in = Some(self.wakes_in.map_or(left, |first| first.min(left)));
        };
        match fate {
            Fate::Awake => Kept::keep(&mut self.best, new),
            Fate::AwakeBehind => Kept::keep(&mut self.behind, new),
            Fate::AwakeUnreached => Kept::keep(&mut self.last, new),
            Fate::Out => {}
            Fate::Resting(left) => wakes(left),
            Fate::Probing(late_in) => {
                self.waits = true;
                late_in.into_iter().for_each(wakes);
            }
            Fate::Spent { returns_in, .. } => returns_in.into_iter().for_each(wakes),
            Fate::Busy(_) => self.waits = true,
            Fate::OverLimit(_) => Kept::keep(&mut self.over_limit, new),
        }
    }

    /// Whether there is a candidate to ask if none better is found.
    fn has_last(&self) -> bool {
        self.behind.or(self.last).is_some()
    }

    fn ends(self) -> Next<'s> {
        match (self.behind.or(self.last), self.waits, self.wakes_in) {
            (Some(kept), _, _) => Next::Ask(kept.placed.candidate),
            (None, true, wakes_in) => Next::Wait { wakes_in },
            (None, false, Some(wakes_in)) => Next::None(Why::Resting { wakes_in }),
            (None, false, None) => Next::None(Why::Exhausted),
        }
    }
}

/// The listed offers that the needs rule out (for `filtered_out`).
pub fn filtered_out<'s>(
    snapshot: &'s Snapshot,
    needs: &Needs,
    known: &Rests,
) -> impl Iterator<Item = &'s Arc<Offer>> {
    let needs_something = !needs.capabilities().is_empty();
    let candidates = snapshot.candidates().iter().filter(|c| c.is_listed);
    let mut before: Option<&Arc<Offer>> = None;
    // The candidates of an offer are next to each other.
    let offers = candidates
        .take_while(move |_| needs_something)
        .filter(move |candidate| {
            let before = before.replace(&candidate.offer);
            before.is_none_or(|before| !Arc::ptr_eq(before, &candidate.offer))
        });
    let unable = |candidate: &&Arc<Candidate>| !are_met(needs, candidate, known);
    offers.filter(unable).map(|candidate| &candidate.offer)
}

/// For a prompt too long for all: the best of the largest models, as the prompt's tokens are only a guess.
fn largest<'s>(snapshot: &'s Snapshot, wants: Wants<'_>, known: &Knowledge) -> Option<&'s Offer> {
    let able = || {
        let listed = wants.candidates(snapshot);
        listed.filter(|candidate| wants.are_met(candidate, known))
    };
    let largest = able().filter_map(|c| known.window(c)).max();
    let largest = largest.filter(|window| wants.is_above(*window))?;
    able()
        .find(|candidate| known.window(candidate) == Some(largest))
        .map(|candidate| &*candidate.offer)
}

fn missing(snapshot: &Snapshot, wants: Wants<'_>, known: &Knowledge) -> Vec<Capability> {
    let has = |need: &Capability| {
        let mut listed = wants.candidates(snapshot);
        listed.any(|candidate| {
            let able = known.abilities(candidate);
            able.allows_at(&candidate.offer.provider, *need)
        })
    };
    let needs = wants.needs.capabilities();
    let missing: Vec<_> = needs.iter().copied().filter(|need| !has(need)).collect();
    if missing.is_empty() {
        needs.to_vec()
    } else {
        missing
    }
}

#[cfg(test)]
mod tests;
