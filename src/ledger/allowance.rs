//! What each client may still ask: its own limits, over all its requests, whoever answers them (spec §13).
//!
//! By name, not by key: a key in place of another brings no fresh allowance.

mod saved;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

pub use self::saved::SavedAllowances;
use super::charge::{Ask, Charge, Ratio, Used};
use super::count::Count;
use super::time::{Moment, Running};
use super::{Ends, Limit, Per, Unit};
use crate::clock::Now;
use crate::model::ClientName;

/// The limits of all clients that have any, and what is used of them.
#[derive(Debug, Default)]
pub struct Allowances {
    running: Running,
    clients: HashMap<ClientName, Allowance>,
    /// How many requests were admitted.
    admitted: u64,
}

/// One client's.
#[derive(Debug, Default)]
struct Allowance {
    buckets: Vec<Bucket>,
    ratio: Ratio,
    /// The settings no longer name this client.
    is_gone: bool,
}

/// One limit, which is certain: the operator set it.
#[derive(Debug)]
struct Bucket {
    limit: Limit,
    count: Count,
    /// What the answers under way may use. It is no part of the count: tokens of an answer are used when it comes,
    /// however long that takes.
    reserved: u64,
    /// The requests after this one have drawn from it.
    since: u64,
}

/// What a request has drawn from its client's limits. It is settled or refunded once.
#[must_use = "a debit must be settled or refunded"]
#[derive(Debug)]
pub struct Debit {
    client: ClientName,
    ask: Ask,
    charge: Charge,
    then: Moment,
    number: u64,
}

/// A limit that has no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// How much it allows.
    pub limit: u64,
    /// Of what.
    pub unit: Unit,
    /// In which window.
    pub per: Per,
    /// How long until there is room; zero if that may be at any moment.
    pub returns_in: Duration,
}

/// A limit as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceView {
    /// What is counted.
    pub unit: Unit,
    /// How much there is.
    pub limit: u64,
    /// How much of it is used.
    pub used: u64,
    /// In which window.
    pub per: Per,
    /// The clock of a fixed window.
    pub ends: Option<Ends>,
    /// When everything used is back; `None` if nothing is used, or time brings nothing back.
    pub resets_at: Option<SystemTime>,
}

impl Allowances {
    /// From now on these are the limits. What is used of one that stays is kept, whatever its amount is now; and a
    /// client that is gone keeps its limits until they are set again, for requests that it began before.
    pub fn set<'a>(&mut self, clients: impl IntoIterator<Item = (&'a ClientName, &'a [Limit])>) {
        let mut before = std::mem::take(&mut self.clients);
        for (name, limits) in clients {
            let known = before.remove(name).unwrap_or_default();
            if limits.is_empty() {
                continue;
            }
            let Allowance {
                mut buckets, ratio, ..
            } = known;
            let kept = limits.iter().map(|limit| {
                let kind = (limit.unit, limit.per, limit.ends);
                let same = buckets.iter().position(|bucket| bucket.kind() == kind);
                let same = same.map(|at| buckets.swap_remove(at));
                let limit = limit.clone();
                match same {
                    Some(bucket) => Bucket { limit, ..bucket },
                    None => Bucket::new(limit, self.admitted),
                }
            });
            let allowance = Allowance {
                buckets: kept.collect(),
                ratio,
                is_gone: false,
            };
            self.clients.insert(name.clone(), allowance);
        }
        before.retain(|_, allowance| !std::mem::replace(&mut allowance.is_gone, true));
        self.clients.extend(before);
    }

    /// Whether no client has limits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Charges a request that a client sends; `None` if it has no limits.
    ///
    /// # Errors
    ///
    /// The limit that has no room for it, and of several the one that returns last. Nothing is charged then.
    pub fn admit(
        &mut self,
        client: &ClientName,
        ask: Ask,
        now: Now,
    ) -> Result<Option<Debit>, Over> {
        let Some(allowance) = self.clients.get_mut(client) else {
            return Ok(None);
        };
        let then = self.running.advance(now);
        // Until it has ended, the longest answer that it allows may be used: a burst must not pass on guesses.
        let charge = allowance.ratio.estimate(ask, true);
        let buckets = allowance.buckets.iter();
        let over = buckets.filter_map(|bucket| bucket.over(charge, then));
        if let Some(over) = over.max_by_key(|over| over.returns_in) {
            return Err(over);
        }
        for bucket in &mut allowance.buckets {
            let (sent, answer) = by_time(charge, bucket.limit.unit);
            bucket.count.add(sent, then);
            bucket.reserved = bucket.reserved.saturating_add(answer);
        }
        self.admitted += 1;
        Ok(Some(Debit {
            client: client.clone(),
            ask,
            charge,
            then,
            number: self.admitted,
        }))
    }

    /// The request has ended, and was sent so many times. Of tokens, its prompt counts each time, and what its answer
    /// used; `None` if there was no answer.
    pub fn settle(&mut self, debit: Debit, sent: u32, used: Option<Used>, now: Now) {
        self.ends(&debit, now, |ratio| {
            let answered = used.map(|used| ratio.settle(debit.ask, debit.charge, used));
            let unanswered = u64::from(sent).saturating_sub(answered.iter().count() as u64);
            let prompts = debit.charge.tokens_in.saturating_mul(unanswered);
            let answered = answered.unwrap_or_default();
            Some(Charge {
                tokens_in: answered.tokens_in.saturating_add(prompts),
                ..answered
            })
        });
    }

    /// Nobody was asked: nothing was used.
    pub fn refund(&mut self, debit: Debit, now: Now) {
        self.ends(&debit, now, |_| None);
    }

    fn ends(&mut self, debit: &Debit, now: Now, real: impl FnOnce(&mut Ratio) -> Option<Charge>) {
        let at = self.running.advance(now);
        let Some(allowance) = self.clients.get_mut(&debit.client) else {
            return;
        };
        let real = real(&mut allowance.ratio);
        let buckets = allowance.buckets.iter_mut();
        for bucket in buckets.filter(|bucket| bucket.since < debit.number) {
            let unit = bucket.limit.unit;
            let (charged, reserved) = by_time(debit.charge, unit);
            let real = real.filter(|_| unit != Unit::AtOnce);
            let (sent, answer) = real.map_or((0, 0), |real| by_time(real, unit));
            bucket.reserved = bucket.reserved.saturating_sub(reserved);
            bucket.count.correct(charged, sent, debit.then, at);
            if answer > 0 {
                bucket.count.add(answer, at);
            }
        }
    }

    /// A client's limits, in its order.
    #[must_use]
    pub fn of(&self, client: &ClientName, now: Now) -> Vec<AllowanceView> {
        let at = self.running.at(now);
        let buckets = self.clients.get(client).into_iter();
        let buckets = buckets.flat_map(|allowance| &allowance.buckets);
        buckets.map(|bucket| bucket.view(at)).collect()
    }
}

/// How much of it is used when a request is sent, and how much by its answer.
fn by_time(charge: Charge, unit: Unit) -> (u64, u64) {
    charge.by_time(Charge::default(), unit)
}

impl Bucket {
    fn new(limit: Limit, since: u64) -> Self {
        Self {
            count: Count::new(limit.unit, limit.per, limit.ends),
            limit,
            reserved: 0,
            since,
        }
    }

    fn used(&self, at: Moment) -> u64 {
        self.count.used(at).saturating_add(self.reserved)
    }

    /// What it counts, in which window.
    fn kind(&self) -> (Unit, Per, Option<Ends>) {
        (self.limit.unit, self.limit.per, self.limit.ends)
    }

    fn over(&self, charge: Charge, at: Moment) -> Option<Over> {
        let Limit {
            amount, unit, per, ..
        } = self.limit;
        // An estimate above the whole limit waits for an empty bucket, not for ever.
        let need = charge.of(unit).min(amount);
        let most = amount - need;
        (self.used(at) > most).then(|| {
            // An answer under way may end at any moment.
            let most = most.checked_sub(self.reserved);
            let returns_in = most.and_then(|most| self.count.until(most, at));
            Over {
                limit: amount,
                unit,
                per,
                returns_in: returns_in.unwrap_or_default(),
            }
        })
    }

    fn view(&self, at: Moment) -> AllowanceView {
        let used = self.used(at);
        AllowanceView {
            unit: self.limit.unit,
            limit: self.limit.amount,
            used,
            per: self.limit.per,
            ends: self.limit.ends,
            resets_at: self.count.resets_at(at).filter(|_| used > 0),
        }
    }
}

#[cfg(test)]
mod tests;
