//! How long to wait for a used-up quota, and what has to wait (spec §10.4, §10.5).
//!
//! Pure. Only here may a rest last longer than what an answer states.

use std::time::SystemTime;

use super::case::Case;
use super::quota::Quota;
use super::ruling::{Ruling, date, doubling};
use super::size;
use super::wait::left;
use crate::ledger::{Counted, Ends, Limit, Per, Stated, next_end};
use crate::verdict::{AccountLimit, Lesson, Rest, Scope};

/// When a window ends.
enum End {
    /// At this time.
    At(SystemTime),
    /// It rolls, or nothing is known about it.
    Unknown,
}

impl Case<'_> {
    /// A quota named in the error itself.
    pub(super) fn spent(&self, per: Per) -> Ruling {
        self.of_quota(per, self.rest(per))
    }

    /// A quota that a row says is used up: a day's or a month's lasts to its end, the UTC one if no
    /// other is known, whatever wait is stated.
    pub(super) fn taught(&self, per: Per) -> Ruling {
        let rest = match (per, self.end(per)) {
            (Per::Day | Per::Month, End::At(end)) => Rest::Until(end),
            (Per::Day | Per::Month, End::Unknown) => {
                Rest::Until(next_end(per, Ends::Utc, self.now.wall))
            }
            _ => self.rest(per),
        };
        self.of_quota(per, rest)
    }

    /// The account has no credit, or a quota of its own is used up.
    pub(super) fn account_out(&self) -> Ruling {
        let limit = match (self.status, self.quota().per) {
            (402, _) => AccountLimit::Credit,
            (_, Some(Per::Minute)) => AccountLimit::Minute,
            (_, Some(Per::Day)) => AccountLimit::Day,
            _ => AccountLimit::Quota,
        };
        let long = self
            .quota()
            .per
            .filter(|per| per.length() > Per::Minute.length());
        let rest = match long {
            Some(per) => self.rest(per),
            None => self
                .stated(None)
                .unwrap_or_else(|| doubling(self.rate_limit)),
        };
        Ruling {
            quota: long.map(|per| self.as_stated(per, rest, Counted::Account)),
            ..Ruling::of(Scope::Account(limit), rest)
        }
    }

    /// The request is more than the offer accepts: at once if a limit is named, else at
    /// all.
    pub(super) fn too_large(&self) -> Ruling {
        match self.quota() {
            Quota {
                per: Some(per),
                unit: Some(_),
                ..
            } => Ruling {
                lesson: Some(Lesson::OverLimit),
                quota: Some(self.as_stated(per, Rest::None, self.of(per))),
                ..Ruling::candidate(Rest::None)
            },
            _ => Ruling::too_long(size::too_long(&self.said).and_then(|told| told.window)),
        }
    }

    fn of_quota(&self, per: Per, rest: Rest) -> Ruling {
        let of = self.of(per);
        let scope = match (of, per) {
            (Counted::Model, _) => Scope::Candidate,
            (Counted::Account | Counted::Address, Per::Minute) => {
                Scope::Account(AccountLimit::Minute)
            }
            (Counted::Account | Counted::Address, Per::Day) => Scope::Account(AccountLimit::Day),
            (Counted::Account | Counted::Address, _) => Scope::Account(AccountLimit::Quota),
        };
        Ruling {
            quota: Some(self.as_stated(per, rest, of)),
            ..Ruling::of(scope, rest)
        }
    }

    fn as_stated(&self, per: Per, rest: Rest, of: Counted) -> Stated {
        let quota = self.quota();
        // A number beside a different window belongs to that one.
        let is_of_this = quota.per.is_none_or(|named| named == per);
        Stated {
            amount: quota.amount.filter(|_| is_of_this),
            used: quota.used.filter(|_| is_of_this),
            by_header: false,
            unit: quota.unit,
            per,
            of,
            until: date(rest, self.now),
            resets_at: None,
        }
    }

    /// What shares the quota: as the error says, else as in the provider's limits, else each model.
    fn of(&self, per: Per) -> Counted {
        let shared = || {
            let mut limits = self.limits(per).map(|limit| limit.of);
            let first = limits.next()?;
            limits.all(|of| of == first).then_some(first)
        };
        self.quota().of.or_else(shared).unwrap_or(Counted::Model)
    }

    /// The limits of the row that it may be.
    fn limits(&self, per: Per) -> impl Iterator<Item = &Limit> {
        let unit = self.quota().unit;
        let limits = self.provider.limits.iter();
        limits.filter(move |limit| limit.per == per && unit.is_none_or(|unit| unit == limit.unit))
    }

    fn rest(&self, per: Per) -> Rest {
        let wait = self.stated(self.quota().unit);
        match (per, self.end(per), wait) {
            (Per::Moment | Per::Second | Per::Minute, _, wait) => {
                wait.unwrap_or(Rest::Unadvised(self.rate_limit))
            }
            (_, End::At(date), _) => self.until(date),
            (Per::Hour | Per::Hours(_), End::Unknown, Some(wait)) => wait,
            // A day marker beats a short wait.
            (_, End::Unknown, Some(wait)) if left(wait, self.now) >= self.rate_limit => wait,
            (_, End::Unknown, Some(_)) => Rest::For(self.rate_limit),
            (_, End::Unknown, None) => doubling(self.rate_limit),
        }
    }

    /// Until the end of the window, or for the stated wait, if that is longer.
    fn until(&self, end: SystemTime) -> Rest {
        let stated = self
            .stated(self.quota().unit)
            .map(|wait| left(wait, self.now));
        let stated = stated.map(|wait| self.now.plus(wait).wall);
        Rest::Until(stated.map_or(end, |stated| stated.max(end)))
    }

    fn end(&self, per: Per) -> End {
        let of_the_day = self.provider.day_ends.filter(|_| per == Per::Day);
        let ends = of_the_day.or_else(|| self.limits(per).find_map(|limit| limit.ends));
        ends.map_or(End::Unknown, |ends| {
            End::At(next_end(per, ends, self.now.wall))
        })
    }
}
