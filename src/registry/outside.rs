//! What outside services last said about themselves: for people who ask why nothing is answered. No
//! decision about a request depends on it.
//!
//! A plain value: the lock around it is the registry's.

use std::time::SystemTime;

use crate::clock::Now;
use crate::ledger::{Ends, Per, next_end};
use crate::provider::{KeySaid, Today};
use crate::verdict::FreeRequests;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// How the last read of the ranking failed, if it did.
    pub ranking: Option<FailedRead>,
    /// How the last read of the catalogue failed, if it did.
    pub catalogue: Option<FailedRead>,
    /// Why the last list read from another provider brought no model, if it brought none.
    pub list: Option<FailedRead>,
    /// How many of the ranked models the catalogue has; `None` until both were read.
    pub there: Option<There>,
    /// What the key endpoint last said about the key, and when: the status it refused the key with, if it did.
    pub key: Option<(Option<u16>, SystemTime)>,
    /// When the upstream last answered one of our own reads.
    pub reached_at: Option<SystemTime>,
    /// When an operator last cleared: what failed before that is forgotten.
    pub forgotten_at: Option<SystemTime>,
    today: Option<Told>,
}

/// A read that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRead {
    /// The log's word for it.
    pub kind: &'static str,
    /// The status, if that was why.
    pub status: Option<u16>,
    /// In words, with nothing in them that came from outside.
    pub why: String,
}

/// Which of the ranked models exist at the upstream, as far as its catalogue says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct There {
    /// Ranked models that it has.
    pub models: usize,
    /// All ranked models.
    pub of: usize,
    /// Whether it has the fallback router.
    pub fallback: bool,
}

/// The free requests of a day, and how they are known.
#[derive(Clone, Copy, Debug)]
struct Told {
    today: Today,
    at: SystemTime,
    /// When its day ends.
    resets_at: SystemTime,
    by_refusal: bool,
}

/// The free requests of this day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TodayView {
    /// The figures.
    pub today: Today,
    /// When they were reported.
    pub at: SystemTime,
    /// When the next day begins.
    pub resets_at: SystemTime,
    /// Whether a refusal reported them rather than the key endpoint.
    pub by_refusal: bool,
}

impl Outside {
    /// The key endpoint has answered. With `gives_back`, what it says about the day is news, and brings back what a
    /// refusal had said was gone.
    pub fn key_said(&mut self, said: KeySaid, gives_back: bool, now: Now) {
        match said {
            KeySaid::Nothing => {}
            KeySaid::Refused { status } => {
                self.key = Some((Some(status), now.wall));
                self.reached_at = Some(now.wall);
            }
            KeySaid::Accepted { today } => {
                self.key = Some((None, now.wall));
                self.reached_at = Some(now.wall);
                if let Some(today) = today {
                    self.tell(today, false, gives_back, now);
                }
            }
        }
    }

    /// Whether the key endpoint refused the key when it was last asked.
    #[must_use]
    pub fn key_is_refused(&self) -> bool {
        matches!(self.key, Some((Some(_), _)))
    }

    /// What failed until now is to be tried again.
    pub fn forget(&mut self, now: Now) {
        self.forgotten_at = Some(now.wall);
        self.key = None;
    }

    /// The upstream refused a request because the quota of the day is used up.
    pub fn day_refused(&mut self, told: Option<FreeRequests>, now: Now) {
        let known = self.today(now).map(|view| view.today);
        let today = match (told, known) {
            (Some(told), _) => Some(Today {
                limit: told.limit,
                used: told.limit.saturating_sub(told.remaining),
                remaining: told.remaining,
            }),
            (None, Some(known)) => Some(Today {
                used: known.used.max(known.limit),
                remaining: 0,
                ..known
            }),
            (None, None) => None,
        };
        if let Some(today) = today {
            self.tell(today, true, false, now);
        }
    }

    fn tell(&mut self, today: Today, by_refusal: bool, gives_back: bool, now: Now) {
        let resets_at = next_end(Per::Day, Ends::Utc, now.wall);
        // The key endpoint lags behind: it brings back nothing that a refusal has said is gone.
        let stands = |known: &Told| {
            !by_refusal
                && !gives_back
                && known.by_refusal
                && known.resets_at == resets_at
                && known.today.remaining <= today.remaining
        };
        if !self.today.as_ref().is_some_and(stands) {
            self.today = Some(Told {
                today,
                at: now.wall,
                resets_at,
                by_refusal,
            });
        }
    }

    /// The free requests of this day; `None` if they are unknown, or were reported on another day.
    #[must_use]
    pub fn today(&self, now: Now) -> Option<TodayView> {
        let resets_at = next_end(Per::Day, Ends::Utc, now.wall);
        self.today
            .filter(|told| told.resets_at == resets_at)
            .map(|told| TodayView {
                today: told.today,
                at: told.at,
                resets_at,
                by_refusal: told.by_refusal,
            })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// 2027-01-15 08:00:00 UTC.
    const START: u64 = 1_800_000_000;

    fn at(seconds: u64) -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds),
        }
    }

    fn said(limit: u64, used: u64, remaining: u64) -> KeySaid {
        KeySaid::Accepted {
            today: Some(Today {
                limit,
                used,
                remaining,
            }),
        }
    }

    fn left(outside: &Outside, seconds: u64) -> Option<(u64, u64)> {
        let view = outside.today(at(seconds))?;
        Some((view.today.remaining, view.today.limit))
    }

    #[test]
    fn s10_5_the_days_quota_comes_from_the_key_endpoint_or_a_refusal() {
        let free = |limit, remaining| {
            Some(FreeRequests {
                limit,
                remaining,
                resets_at: None,
            })
        };
        let mut outside = Outside::default();
        assert_eq!(left(&outside, 0), None);
        outside.day_refused(None, at(0));
        assert_eq!(left(&outside, 0), None, "no number was told");
        outside.key_said(said(50, 2, 48), false, at(10));
        assert_eq!(left(&outside, 10), Some((48, 50)));
        outside.key_said(KeySaid::Nothing, false, at(20));
        outside.key_said(KeySaid::Accepted { today: None }, false, at(20));
        assert_eq!(left(&outside, 20), Some((48, 50)), "nothing new was told");
        outside.day_refused(None, at(30));
        assert_eq!(left(&outside, 30), Some((0, 50)));
        outside.key_said(said(50, 48, 2), false, at(40));
        assert_eq!(left(&outside, 40), Some((0, 50)), "its count lags behind");
        outside.key_said(said(1000, 50, 950), true, at(50));
        assert_eq!(left(&outside, 50), Some((950, 1000)), "credits were bought");
        outside.day_refused(free(1000, 1), at(60));
        assert_eq!(left(&outside, 60), Some((1, 1000)));
    }

    #[test]
    fn s10_5_it_is_void_once_its_day_ends() {
        let mut outside = Outside::default();
        outside.key_said(said(50, 50, 0), false, at(0));
        let until_midnight = 16 * 3600;
        let view = outside.today(at(0)).unwrap();
        assert_eq!(view.resets_at, at(until_midnight).wall);
        assert_eq!(left(&outside, until_midnight - 1), Some((0, 50)));
        assert_eq!(left(&outside, until_midnight), None);
        outside.key_said(said(50, 1, 49), false, at(until_midnight));
        assert_eq!(left(&outside, until_midnight), Some((49, 50)));
    }
}
