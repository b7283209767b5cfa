//! What answers teach the ledger: quota headers, refusals, `OpenRouter`'s key endpoint; and what an
//! operator can make it forget (spec §10.5).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::book::MOST_BUCKETS;
use super::bucket::{Bucket, Kind, Refused, Told, Whose};
use super::headers::Correction;
use super::listing::whose;
use super::{Counted, Ends, Ledger, Per, Reservation, Slot, Stated, Unit};
use crate::clock::Now;
use crate::model::{AccountId, ProviderId, Subject, Whom};

/// The ids whose requests count as free at `OpenRouter`; there are others only with `ALLOW_PAID`.
const FREE_IDS: [&str; 2] = ["*:free", "openrouter/free"];

/// A refusal whose text or headers name the exhausted quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is counted.
    pub unit: Unit,
    /// Within which window.
    pub per: Per,
    /// Who shares it.
    pub of: Counted,
    /// How much there is, if the refusal says so.
    pub limit: Option<u64>,
    /// How much of it is used, if the refusal says so.
    pub used: Option<u64>,
    /// It is used up; `false` if one request by itself was too large for it.
    pub spent: bool,
    /// How long to wait, if the refusal says so; not shorter than the account's rest because of it.
    pub wait: Option<Duration>,
    /// When the window ends, if the refusal says so.
    pub resets_at: Option<SystemTime>,
    /// Its numbers are from headers, which may raise a stated limit as well as lower it.
    pub by_header: bool,
}

/// The free requests per day at `OpenRouter`, as its key endpoint reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeDay {
    /// How many there are.
    pub limit: u64,
    /// How many are used, by everything that uses the account.
    pub used: u64,
}

impl Refusal {
    /// From what the error parser found. `spent` is false if the request by itself was too large. If no unit
    /// is named, it is requests.
    #[must_use]
    pub fn of(stated: Stated, spent: bool, now: Now) -> Self {
        let Stated {
            amount,
            used,
            by_header,
            unit,
            per,
            of,
            until,
            resets_at,
        } = stated;
        Self {
            unit: unit.unwrap_or(Unit::Requests),
            per,
            of,
            limit: amount,
            used,
            spent,
            by_header,
            resets_at,
            wait: until.and_then(|until| until.duration_since(now.wall).ok()),
        }
    }
}

impl Ledger {
    /// Quota headers came with a successful answer to `reservation`.
    pub fn correct(&mut self, reservation: &Reservation, corrections: &[Correction], now: Now) {
        let at = self.running.advance(now);
        let mut is_first = false;
        for correction in corrections {
            let Correction {
                unit,
                per,
                of,
                limit,
                remaining,
                reset,
            } = *correction;
            // What remains is no use for a new bucket without a limit.
            let found = self.find(reservation.slot, unit, per, of, limit.is_some());
            let Some(bucket) = found.and_then(|index| self.buckets.get_mut(index as usize)) else {
                continue;
            };
            // Less than the very answer used that states it, whose estimate is hardly twice too high, or than
            // was answered well before.
            let proven = bucket.proven(at).max(own(bucket, reservation) / 2);
            let is_absurd = |limit: u64| limit < proven;
            if limit.is_some_and(is_absurd) {
                continue;
            }
            if let Some(limit) = limit {
                is_first |= bucket.numbers.is_empty();
                let until = bucket.second_end(at);
                bucket.numbers.header(limit, until);
            }
            let known = limit.or_else(|| bucket.numbers.now(at).map(|number| number.amount));
            let used = known.zip(remaining).and_then(|(limit, remaining)| {
                // More remaining than the limit: one of them is nonsense.
                limit.checked_sub(remaining)
            });
            if let Some(used) = used {
                let own = own(bucket, reservation);
                let told = Told {
                    used,
                    own,
                    reset,
                    steadily: false,
                };
                bucket.believe(told, at);
            }
            bucket.tidy(at);
        }
        if is_first {
            self.link();
        }
    }

    /// `reservation` was refused for a quota that the refusal names.
    pub fn refused(&mut self, reservation: &mut Reservation, refusal: Refusal, now: Now) {
        let at = self.running.advance(now);
        let Refusal {
            unit,
            per,
            of,
            limit,
            used,
            spent,
            wait,
            resets_at,
            by_header,
        } = refusal;
        let slot = reservation.slot;
        let limit = limit.filter(|limit| *limit > 0);
        let is_void_later = self
            .line(slot)
            .is_some_and(|line| line.account.provider.is_openrouter());
        let Some(index) = self.find(slot, unit, per, Some(of), true) else {
            return;
        };
        let Some(bucket) = self.buckets.get_mut(index as usize) else {
            return;
        };
        let was_empty = bucket.numbers.is_empty();
        if let Some(resets_at) = resets_at {
            bucket.ends_at(resets_at, at);
        }
        let ends = bucket.window_ends(at);
        let is_disproved = limit.is_some_and(|limit| bucket.is_disproved(limit, at));
        match limit {
            // More than that has succeeded: whatever the number means, it is not a limit.
            Some(limit) if is_disproved => bucket.numbers.learn(limit, ends),
            Some(limit) if by_header => bucket.numbers.until(limit, ends),
            Some(limit) => {
                let until = if is_void_later {
                    ends
                } else {
                    bucket.second_end(at)
                };
                bucket.numbers.text(limit, until, at);
            }
            None if spent => {
                let count = bucket.used(at).saturating_sub(own(bucket, reservation));
                let until = if is_void_later {
                    ends
                } else {
                    bucket.second_end(at)
                };
                bucket.numbers.learn(count, until);
            }
            None => {}
        }
        if let Some(limit) = limit.filter(|_| spent && !is_disproved) {
            let told = Refused {
                limit,
                used,
                own: own(bucket, reservation),
                wait,
            };
            if bucket.refused(told, at) {
                reservation.left_out_of = Some(index);
            }
        }
        bucket.tidy(at);
        if was_empty {
            self.link();
        }
    }

    /// `OpenRouter`'s key endpoint reported the account's free requests of this day; void once the day ends.
    /// Returns whether that restores some that were known to be gone.
    pub fn told_free_day(&mut self, account: &AccountId, told: FreeDay, now: Now) -> bool {
        let at = self.running.advance(now);
        if told.limit == 0 {
            return false;
        }
        let kind = Kind {
            unit: Unit::Requests,
            per: Per::Day,
            ends: Some(Ends::Utc),
            models: shared_by(Counted::Account, &account.provider),
        };
        let index = self.bucket(Whose::Account(account.clone()), kind);
        let bucket = self.buckets.get_mut(index as usize);
        let gives_back = bucket.is_some_and(|bucket| bucket.endpoint(told, at));
        self.link();
        gives_back
    }

    /// The bucket that a header or an error text is about. It need not say who shares the bucket, and the
    /// ledger may know better; a missing bucket is made if `make` says so.
    fn find(
        &mut self,
        slot: Slot,
        unit: Unit,
        per: Per,
        of: Option<Counted>,
        make: bool,
    ) -> Option<u32> {
        let line = self.line(slot)?;
        let alike = |index: &u32| {
            let bucket = self.buckets.get(*index as usize)?;
            let same = bucket.kind.unit == unit && bucket.kind.per == per;
            same.then_some((*index, bucket.of()))
        };
        let known: Vec<_> = line.buckets.iter().filter_map(alike).collect();
        let tallies: Vec<_> = line.tallies.iter().filter_map(alike).collect();
        let by = |of| move |one: &&(u32, Counted)| one.1 == of;
        let meant = match of {
            Some(of) => known.iter().chain(&tallies).find(by(of)),
            None => known.first().or(tallies.iter().find(by(Counted::Model))),
        };
        if meant.is_some() || !make {
            return meant.map(|(index, _)| *index);
        }
        let whose = whose(of.unwrap_or(Counted::Model), &line.account, &line.model);
        let of_whose = self.by_whose.get(&whose).map_or(0, Vec::len);
        if of_whose >= MOST_BUCKETS {
            return None;
        }
        let by_date = matches!(per, Per::Day | Per::Week | Per::Month);
        let ends = if line.account.provider.is_openrouter() {
            Some(Ends::Utc)
        } else {
            line.day_ends.filter(|_| by_date)
        };
        let models = shared_by(of.unwrap_or(Counted::Model), &line.account.provider);
        let kind = Kind {
            unit,
            per,
            ends,
            models,
        };
        let index = self.bucket(whose, kind);
        self.link();
        Some(index)
    }

    /// `/admin/refresh`: forgets what was learnt, but not what was used or stated.
    pub fn forget_lessons(&mut self, now: Now) {
        self.forget(|_| true, now);
    }

    /// The same of some providers' accounts.
    pub fn forget_lessons_at(&mut self, is_meant: impl Fn(&ProviderId) -> bool, now: Now) {
        self.forget(|whose| is_meant(whose.provider()), now);
    }

    /// The same of what an operator clears: of an account with its models, of a model, or of what a provider
    /// counts by this machine's address.
    pub fn forget_lessons_of(&mut self, subject: &Subject, now: Now) {
        let is_meant = |whose: &Whose| match (subject.whom(), whose) {
            (Whom::Account(meant), Whose::Account(own) | Whose::Model(own, _)) => meant == own,
            (Whom::Candidate(meant, id), Whose::Model(own, own_id)) => meant == own && id == own_id,
            (Whom::Model(meant, id), Whose::Model(own, own_id)) => {
                *meant == own.provider && id == own_id
            }
            (Whom::Provider(meant), Whose::Address(own)) => meant == own,
            _ => false,
        };
        self.forget(is_meant, now);
    }

    fn forget(&mut self, is_meant: impl Fn(&Whose) -> bool, now: Now) {
        let at = self.running.advance(now);
        let buckets = self.buckets.iter_mut().map(|(_, bucket)| bucket);
        for bucket in buckets.filter(|bucket| is_meant(&bucket.whose)) {
            bucket.numbers.forget_lessons();
            bucket.tidy(at);
        }
    }

    /// The account has a new key: forgets everything used and stated under the old one, except what is counted
    /// by this machine's address. Must be followed by a new list.
    pub fn forget_account(&mut self, account: &AccountId) {
        self.buckets.retain(|_, bucket| match &bucket.whose {
            Whose::Account(whose) | Whose::Model(whose, _) => whose != account,
            Whose::Address(_) => true,
        });
        let buckets = &self.buckets;
        for of_whose in self.by_whose.values_mut() {
            of_whose.retain(|index| buckets.contains(*index as usize));
        }
        self.link();
    }
}

/// The models that share the quota an answer named: all of the account's, but at `OpenRouter` only those
/// that are free.
fn shared_by(of: Counted, provider: &ProviderId) -> Arc<[String]> {
    if of == Counted::Account && provider.is_openrouter() {
        FREE_IDS.map(str::to_owned).into()
    } else {
        [].into()
    }
}

/// What the request drew from a bucket, if the bucket existed then.
fn own(bucket: &Bucket, reservation: &Reservation) -> u64 {
    if bucket.since < reservation.number {
        reservation.charge.of(bucket.kind.unit)
    } else {
        0
    }
}
