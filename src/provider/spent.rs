//! How long to wait for a used-up quota, and what has to wait (spec §10.4, §10.5).
//!
//! Pure. Only here may a rest last longer than what an answer states.

use std::time::SystemTime;

use super::bound::Bound;
use super::case::Case;
use super::quota::Quota;
use super::ruling::{Ruling, date, doubling};
use super::size;
use super::wait::left;
use crate::ledger::{Counted, Ends, Limit, Per, Stated, next_end};
use crate::verdict::{AccountLimit, Lesson, Rest, Scope};

impl Case<'_> {
    /// A quota named in the error itself.
    pub(super) fn spent(&self, per: Per) -> Ruling {
        self.of_quota(per, self.rest(per))
    }

    /// A quota that a row says is used up: a day's or a month's lasts to its end, the UTC one if no
    /// other is known, whatever wait is stated.
    pub(super) fn taught(&self, per: Per) -> Ruling {
        let rest = if matches!(per, Per::Day | Per::Month) {
            let ends = self.ends(per).unwrap_or(Ends::Utc);
            Rest::Until(next_end(per, ends, self.now.wall))
        } else {
            self.rest(per)
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
                .stated(None, self.quota().per.map(|per| self.bound(per)))
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
        let wait = self.stated_for(per);
        match (per, self.ends(per), wait) {
            (Per::Moment | Per::Second | Per::Minute, _, wait) => {
                wait.unwrap_or(Rest::Unadvised(self.rate_limit))
            }
            (_, Some(ends), wait) => self.until(next_end(per, ends, self.now.wall), wait),
            (Per::Hour | Per::Hours(_), None, Some(wait)) => wait,
            // A day marker beats a short wait.
            (_, None, Some(wait)) if left(wait, self.now) >= self.rate_limit => wait,
            (_, None, Some(_)) => Rest::For(self.rate_limit),
            (_, None, None) => doubling(self.rate_limit),
        }
    }

    /// Until the end of the window, or for the stated wait, if that is longer.
    fn until(&self, end: SystemTime, stated: Option<Rest>) -> Rest {
        let stated = stated.map(|wait| self.now.plus(left(wait, self.now)).wall);
        Rest::Until(stated.map_or(end, |stated| stated.max(end)))
    }

    /// The wait that is stated for the quota of this window, if it can be right.
    fn stated_for(&self, per: Per) -> Option<Rest> {
        self.stated(self.quota().unit, Some(self.bound(per)))
    }

    fn bound(&self, per: Per) -> Bound {
        Bound::of(per, self.ends(per))
    }

    /// By which clock a window ends; `None` if it rolls, or nothing is known about it.
    fn ends(&self, per: Per) -> Option<Ends> {
        let of_the_day = self.provider.day_ends.filter(|_| per == Per::Day);
        of_the_day.or_else(|| self.limits(per).find_map(|limit| limit.ends))
    }
}
