//! How long a quota can stay used up, given the window that its refusal names (spec §10.5).
//!
//! Pure. A wait beyond that is an error of the upstream's, or in its unit.

use super::retry_after::Clock;
use super::wait::left;
use crate::ledger::{Ends, Per};
use crate::verdict::Rest;

/// The window of a used-up quota, as a bound on the waits that are stated for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    per: Per,
    ends: Option<Ends>,
}

impl Bound {
    /// A window that ends by this clock, or rolls.
    pub(super) fn of(per: Per, ends: Option<Ends>) -> Self {
        // Shorter windows are short enough.
        let by_date = matches!(per, Per::Day | Per::Week | Per::Month);
        Self {
            per,
            ends: ends.filter(|_| by_date),
        }
    }

    /// Whether the quota can take that long to come back.
    pub(super) fn allows(self, rest: Rest, clock: Clock) -> bool {
        let most = match self.ends {
            Some(ends) => {
                let end = clock.end(self.per, ends);
                Some(left(end, clock.ours()).saturating_add(Per::LITTLE))
            }
            None => self.per.lasts(),
        };
        most.is_none_or(|most| left(rest, clock.ours()) <= most)
    }

    /// The longest it can take: until its end, if that is known.
    pub(super) fn most(self, clock: Clock) -> Rest {
        match self.ends {
            Some(ends) => clock.end(self.per, ends),
            None => Rest::For(self.per.length().max(Per::Minute.length())),
        }
    }
}

/// The wait that an answer states: the first that is possible in view of the quota that is used up; if it only
/// states longer ones, the longest that is possible. `first` finds the first that it is shown to like.
pub(super) fn stated(
    of: Option<Bound>,
    clock: Clock,
    first: impl Fn(&dyn Fn(&Rest) -> bool) -> Option<Rest>,
) -> Option<Rest> {
    let Some(bound) = of else {
        return first(&|_| true);
    };
    first(&|rest| bound.allows(*rest, clock))
        .or_else(|| first(&|_| true).map(|_| bound.most(clock)))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use crate::clock::Now;

    /// 2026-10-02 12:00:00 UTC, 05:00 in California.
    const NOW: u64 = 1_790_942_400;
    const HOUR: u64 = 3600;

    #[test]
    fn s10_5_no_wait_is_longer_than_the_window_that_the_refusal_names() {
        let now = Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
        };
        let (utc, pacific) = (Some(Ends::Utc), Some(Ends::Pacific));
        let hour_ahead = "Fri, 02 Oct 2026 13:00:00 GMT";
        #[rustfmt::skip]
        let rows = [
            // window          ends     their clock  stated, s      the wait, s
            (Per::Second,      None,    "",          1,             1),
            // A minute is never absurd.
            (Per::Second,      None,    "",          60,            60),
            (Per::Second,      None,    "",          66,            60),
            (Per::Minute,      None,    "",          0,             0),
            (Per::Minute,      None,    "",          61,            61),
            (Per::Minute,      None,    "",          65,            65),
            (Per::Minute,      None,    "",          66,            60),
            (Per::Minute,      utc,     "",          59,            59),
            (Per::Minute,      utc,     "",          3600,          60),
            (Per::Hour,        None,    "",          HOUR,          HOUR),
            (Per::Hour,        None,    "",          HOUR + 6,      HOUR),
            (Per::Hours(5),    None,    "",          5 * HOUR,      5 * HOUR),
            (Per::Hours(5),    None,    "",          6 * HOUR,      5 * HOUR),
            (Per::Day,         None,    "",          24 * HOUR,     24 * HOUR),
            (Per::Day,         None,    "",          26 * HOUR,     24 * HOUR),
            (Per::Day,         utc,     "",          11 * HOUR,     11 * HOUR),
            (Per::Day,         utc,     "",          12 * HOUR + 1, 12 * HOUR + 1),
            (Per::Day,         utc,     "",          13 * HOUR,     12 * HOUR),
            (Per::Day,         utc,     "",          26 * HOUR,     12 * HOUR),
            (Per::Day,         pacific, "",          26 * HOUR,     19 * HOUR),
            // The day ends when it does for the provider.
            (Per::Day,         utc,     hour_ahead,  12 * HOUR,     11 * HOUR),
            (Per::Month,       utc,     "",          26 * HOUR,     26 * HOUR),
            // Nothing named bounds nothing.
            (Per::Moment,      None,    "",          26 * HOUR,     26 * HOUR),
        ];
        for (per, ends, theirs, stated, expected) in rows {
            let clock = Clock::of(Some(theirs), now);
            let rest = Rest::For(Duration::from_secs(stated));
            let wait = super::stated(Some(Bound::of(per, ends)), clock, |fits| {
                Some(rest).filter(fits)
            });
            let wait = wait.map(|rest| left(rest, now).as_secs());
            assert_eq!(wait, Some(expected), "{per:?} {ends:?} {theirs} {stated}");
        }
    }
}
