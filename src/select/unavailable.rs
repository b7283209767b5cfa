//! Why no candidate can answer a request: counted for people, and whether accounts alone are why.

use std::sync::Arc;
use std::time::Duration;

use super::headroom::headroom;
use super::{LeftOut, Wants, left_out};
use crate::clock::Now;
use crate::ledger::{BucketId, BucketView, Counted, Headroom, Per, Unit};
use crate::model::{Candidate, Subject};
use crate::registry::{Knowledge, Snapshot};
use crate::verdict::AccountLimit;

/// How many of the models that could serve a request cannot do so now, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// Models that rest because they were asked too often.
    pub rate_limited: usize,
    /// Models that rest because they failed.
    pub failing: usize,
    /// Models that are withdrawn, until the next list at least.
    pub gone: usize,
    /// Models that another request is probing.
    pub probing: usize,
    /// Models with as many requests under way as are allowed at once.
    pub busy: usize,
    /// Models with a quota that this request alone exceeds.
    pub over_limit: usize,
    /// Models that failed on this request, or refused it, and do not rest for that.
    pub refused: usize,
    /// Accounts whose quota of the day is used up.
    pub out_today: usize,
    /// Accounts that are out of another quota, or of credit.
    pub out: usize,
    /// Accounts whose key is refused.
    pub keys_refused: usize,
    /// Providers that refuse requests from here.
    pub providers: usize,
}

impl Unavailable {
    /// Counts the listed models, each once, and the accounts that keep others from answering.
    #[must_use]
    pub fn count(snapshot: &Snapshot, wants: Wants<'_>, known: &Knowledge, now: Now) -> Self {
        let mut count = Self::default();
        let untried = Wants { out: &[], ..wants };
        let left_out = left_out(snapshot, untried, known, now);
        let mut accounts: Vec<&Subject> = Vec::new();
        let mut models: Vec<&Subject> = Vec::new();
        let mut reasons: Vec<Option<&LeftOut>> = vec![None; snapshot.candidates().len()];
        for (candidate, why) in &left_out {
            if let Some(reason) = reasons.get_mut(candidate.index) {
                *reason = Some(why);
            }
        }
        for candidate in snapshot.candidates() {
            let why = reasons.get(candidate.index).copied().flatten();
            let is_new = candidate.is_listed && !models.contains(&candidate.model());
            let counted = match why {
                Some(LeftOut::Account(whose)) if !accounts.contains(&whose) => {
                    accounts.push(whose);
                    count.account_rests(known, whose, now);
                    false
                }
                None if wants.rules_out(candidate) => count.has(is_new, |c| &mut c.refused),
                Some(LeftOut::Resting(whose)) => {
                    let of = Self::of_rest(known, whose, now);
                    count.has(is_new, of)
                }
                Some(LeftOut::Probing) => count.has(is_new, |c| &mut c.probing),
                Some(LeftOut::Busy(_)) => count.has(is_new, |c| &mut c.busy),
                Some(LeftOut::OverLimit(_)) => count.has(is_new, |c| &mut c.over_limit),
                Some(LeftOut::Spent { bucket, .. } | LeftOut::ShareUsed { bucket, .. }) => {
                    let spent = known.ledger.bucket_view(*bucket, now);
                    match spent.filter(|spent| spent.of != Counted::Model) {
                        None => count.has(is_new, |c| &mut c.rate_limited),
                        Some(spent) => {
                            let account = candidate.of_account();
                            if !accounts.contains(&account) {
                                accounts.push(account);
                                *count.of_limit(limit(&spent)) += 1;
                            }
                            false
                        }
                    }
                }
                None
                | Some(
                    LeftOut::NotWanted
                    | LeftOut::NotAllowed
                    | LeftOut::Lacks(_)
                    | LeftOut::TooSmall { .. }
                    | LeftOut::Tried
                    | LeftOut::Account(_),
                ) => false,
            };
            if counted {
                models.push(candidate.model());
            }
        }
        count
    }

    fn has(&mut self, is_new: bool, of: impl FnOnce(&mut Self) -> &mut usize) -> bool {
        *of(self) += usize::from(is_new);
        is_new
    }

    fn of_rest(known: &Knowledge, whose: &Subject, now: Now) -> fn(&mut Self) -> &mut usize {
        match known.rest_of(whose, now) {
            Some(rest) if rest.until_next_list => |c| &mut c.gone,
            Some(rest) if rest.because.of_quota => |c| &mut c.rate_limited,
            Some(_) | None => |c| &mut c.failing,
        }
    }

    fn account_rests(&mut self, known: &Knowledge, whose: &Subject, now: Now) {
        let Some(rest) = known.rest_of(whose, now) else {
            return;
        };
        *match rest.because.limit() {
            Some(limit) => self.of_limit(limit),
            None => &mut self.providers,
        } += 1;
    }

    fn of_limit(&mut self, limit: AccountLimit) -> &mut usize {
        match limit {
            AccountLimit::Day => &mut self.out_today,
            AccountLimit::Minute | AccountLimit::Quota | AccountLimit::Credit => &mut self.out,
            AccountLimit::Key => &mut self.keys_refused,
        }
    }

    /// In words: "5 models are rate limited, 1 is gone, 2 accounts are out for today". `None` if none
    /// is counted.
    #[must_use]
    pub fn in_words(self) -> Option<String> {
        self.counted(0)
    }

    /// The same with the accounts before the models, where they are why.
    #[must_use]
    pub fn accounts_first(self) -> Option<String> {
        const OF_MODELS: usize = 7;
        self.counted(OF_MODELS)
    }

    /// In words, from this count on; those before it come last.
    fn counted(self, from: usize) -> Option<String> {
        #[rustfmt::skip]
        let mut counts = [
            (self.rate_limited, "model",    ["is rate limited", "are rate limited"]),
            (self.failing,      "model",    ["is failing", "are failing"]),
            (self.gone,         "model",    ["is gone", "are gone"]),
            (self.probing,      "model",    ["is being tried again", "are being tried again"]),
            (self.busy,         "model",    ["is busy", "are busy"]),
            (self.over_limit,   "model",    ["has a limit that this request exceeds", "have a limit that this request exceeds"]),
            (self.refused,      "model",    ["failed on this request"; 2]),
            (self.out_today,    "account",  ["is out for today", "are out for today"]),
            (self.out,          "account",  ["is out of its quota", "are out of their quota"]),
            (self.keys_refused, "key",      ["is refused", "are refused"]),
            (self.providers,    "provider", ["refuses requests from here", "refuse requests from here"]),
        ];
        counts.rotate_left(from);
        let mut words = Vec::new();
        let mut before = "";
        for (count, noun, [one, many]) in counts.into_iter().filter(|(count, ..)| *count > 0) {
            let plural = if count > 1 { "s" } else { "" };
            let what = if count > 1 { many } else { one };
            words.push(if noun == before {
                format!("{count} {what}")
            } else {
                format!("{count} {noun}{plural} {what}")
            });
            before = noun;
        }
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// Ends closer together than this are the same one, stated once as a date and once as a length of time.
pub const AGREES: Duration = Duration::from_secs(1);

/// The candidate reported when accounts rule out every able one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// The one that returns first; one with a quota, if there is any.
    pub candidate: Arc<Candidate>,
    /// What is used up there; a refused key only if that is so of all.
    pub limit: AccountLimit,
    /// How long until it returns.
    pub left: Duration,
    /// The quota that is used up, if it is known to return later than the rest ends, or there is no rest.
    pub bucket: Option<BucketId>,
}

/// Whether every able candidate is ruled out by an account's quota, which may be one per model, or by a refused
/// key (spec §10.4); what the walk's own attempts found counts.
#[must_use]
pub fn ruled(snapshot: &Snapshot, wants: Wants<'_>, known: &Knowledge, now: Now) -> Option<Ruled> {
    let mut first: Option<Ruled> = None;
    for candidate in wants.candidates(snapshot) {
        if !wants.are_met(candidate, known) {
            continue;
        }
        let spent = spent(candidate, snapshot, wants, known, now);
        let Some((limit, left, bucket)) = spent else {
            if wants.fit(candidate, known) && !is_over_limit(candidate, snapshot, wants, known, now)
            {
                return None;
            }
            continue;
        };
        let is_key = |limit| limit == AccountLimit::Key;
        let sooner = first
            .as_ref()
            .is_none_or(|first| (is_key(limit), left) < (is_key(first.limit), first.left));
        if sooner {
            first = Some(Ruled {
                candidate: Arc::clone(candidate),
                limit,
                left,
                bucket,
            });
        }
    }
    first
}

/// What rules a candidate out, if it is its account or a quota of its own, and for how long: the later of the
/// end of its rest and the return of its quota.
fn spent(
    candidate: &Candidate,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Option<(AccountLimit, Duration, Option<BucketId>)> {
    let rests = rests_for(candidate, wants, known, now).map(|(limit, left)| (limit, left, None));
    let quota = match headroom(candidate, snapshot, wants, known, now) {
        Headroom::Out {
            returns_in: Some(left),
            bucket,
        } => {
            let spent = known.ledger.bucket_view(bucket, now);
            let limit = spent.map_or(AccountLimit::Quota, |spent| limit(&spent));
            Some((limit, left, Some(bucket)))
        }
        Headroom::Free
        | Headroom::Behind { .. }
        | Headroom::Busy { .. }
        | Headroom::Out { .. }
        | Headroom::TooLarge { .. } => None,
    };
    match (rests, quota) {
        (Some(rests), Some(quota)) if quota.1 >= rests.1.saturating_add(AGREES) => Some(quota),
        (rests, quota) => rests.or(quota),
    }
}

/// The quota or key that a candidate rests for, or that this request has found to be out, and for how long.
fn rests_for(
    candidate: &Candidate,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Option<(AccountLimit, Duration)> {
    if let Some(rest) = known.rest_of(candidate.of_account(), now)
        && let Some(limit) = rest.because.limit()
    {
        return Some((limit, rest.wake.left(now)));
    }
    // The quota may be back already: it is out for this request all the same, and for no other.
    if let Some(limit) = wants.found_out_of(candidate) {
        return Some((limit, Duration::ZERO));
    }
    let own = known.rest_of(candidate.itself(), now);
    let own = own.filter(|own| own.because.of_quota)?;
    Some((AccountLimit::Quota, own.wake.left(now)))
}

/// What an account is out of if this bucket is used up.
fn limit(spent: &BucketView) -> AccountLimit {
    match (spent.unit, spent.of, spent.per) {
        (Unit::Requests, Counted::Account, Per::Minute) => AccountLimit::Minute,
        (_, Counted::Account | Counted::Address, Per::Day) => AccountLimit::Day,
        _ => AccountLimit::Quota,
    }
}

fn is_over_limit(
    candidate: &Candidate,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> bool {
    let headroom = headroom(candidate, snapshot, wants, known, now);
    matches!(headroom, Headroom::TooLarge { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_the_reasons_are_counted_in_words() {
        let none = Unavailable::default();
        #[rustfmt::skip]
        let rows = [
            (none,                                                   None),
            (Unavailable { rate_limited: 5, gone: 1, ..none },       Some("5 models are rate limited, 1 is gone")),
            (Unavailable { rate_limited: 1, failing: 2, ..none },    Some("1 model is rate limited, 2 are failing")),
            (Unavailable { probing: 1, ..none },                     Some("1 model is being tried again")),
            (Unavailable { failing: 1, refused: 3, ..none },         Some("1 model is failing, 3 failed on this request")),
            (Unavailable { refused: 1, ..none },                     Some("1 model failed on this request")),
            (Unavailable { failing: 3, out_today: 2, keys_refused: 1, ..none }, Some("3 models are failing, 2 accounts are out for today, 1 key is refused")),
            (Unavailable { out_today: 1, out: 2, providers: 1, ..none }, Some("1 account is out for today, 2 are out of their quota, 1 provider refuses requests from here")),
        ];
        for (count, expected) in rows {
            assert_eq!(count.in_words().as_deref(), expected);
        }
    }
}
