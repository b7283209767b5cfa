//! What outside services last said about themselves: for people who ask why nothing is answered. No
//! decision about a request depends on it.
//!
//! A plain value: the lock around it is the registry's.

use std::time::SystemTime;

use crate::clock::Now;
use crate::ledger::{Ends, Per, next_end};
use crate::provider::KeySaid;

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
    today: Option<ToldOfDay>,
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

/// That the free requests of a day were reported; the ledger has the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldOfDay {
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
                // It lags behind: it brings back nothing that a refusal has said is gone.
                let refused = self.today(now).is_some_and(|told| told.by_refusal);
                if today.is_some() && (gives_back || !refused) {
                    self.tell(false, now);
                }
            }
        }
    }

    /// Whether the key endpoint refused the key when it was last asked.
    #[must_use]
    pub fn key_is_refused(&self) -> bool {
        matches!(self.key, Some((Some(_), _)))
    }

    /// The key is another one: what was said about the old one is not about it.
    pub fn other_key(&mut self) {
        (self.key, self.today) = (None, None);
    }

    /// What failed until now is to be tried again.
    pub fn forget(&mut self, now: Now) {
        self.forgotten_at = Some(now.wall);
        self.key = None;
    }

    /// The upstream refused a request because the quota of the day is used up, and said how large it is.
    pub fn day_refused(&mut self, now: Now) {
        self.tell(true, now);
    }

    fn tell(&mut self, by_refusal: bool, now: Now) {
        self.today = Some(ToldOfDay {
            at: now.wall,
            resets_at: next_end(Per::Day, Ends::Utc, now.wall),
            by_refusal,
        });
    }

    /// When and how the free requests of this day were reported; `None` if they were not, or on another day.
    #[must_use]
    pub fn today(&self, now: Now) -> Option<ToldOfDay> {
        let resets_at = next_end(Per::Day, Ends::Utc, now.wall);
        self.today.filter(|told| told.resets_at == resets_at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::provider::Today;

    /// 2027-01-15 08:00:00 UTC.
    const START: u64 = 1_800_000_000;

    fn at(seconds: u64) -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds),
        }
    }

    fn said(limit: u64, used: u64) -> KeySaid {
        KeySaid::Accepted {
            today: Some(Today {
                limit,
                used,
                remaining: limit - used,
            }),
        }
    }

    /// Seconds since the start, and by what.
    fn told(outside: &Outside, seconds: u64) -> Option<(u64, &'static str)> {
        let told = outside.today(at(seconds))?;
        let since = told.at.duration_since(at(0).wall).unwrap().as_secs();
        Some((since, if told.by_refusal { "refusal" } else { "key" }))
    }

    #[test]
    fn s10_5_the_days_quota_comes_from_the_key_endpoint_or_a_refusal() {
        let mut outside = Outside::default();
        assert_eq!(told(&outside, 0), None);
        outside.key_said(said(50, 2), false, at(10));
        assert_eq!(told(&outside, 10), Some((10, "key")));
        outside.key_said(KeySaid::Nothing, false, at(20));
        outside.key_said(KeySaid::Accepted { today: None }, false, at(20));
        assert_eq!(told(&outside, 20), Some((10, "key")), "nothing new");
        outside.day_refused(at(30));
        assert_eq!(told(&outside, 30), Some((30, "refusal")));
        outside.key_said(said(50, 48), false, at(40));
        assert_eq!(told(&outside, 40), Some((30, "refusal")), "it lags behind");
        outside.key_said(said(1000, 50), true, at(50));
        assert_eq!(told(&outside, 50), Some((50, "key")), "credits were bought");
    }

    #[test]
    fn s10_5_it_is_void_once_its_day_ends() {
        let mut outside = Outside::default();
        outside.day_refused(at(0));
        let until_midnight = 16 * 3600;
        let view = outside.today(at(0)).unwrap();
        assert_eq!(view.resets_at, at(until_midnight).wall);
        assert_eq!(told(&outside, until_midnight - 1), Some((0, "refusal")));
        assert_eq!(told(&outside, until_midnight), None);
        // The lag is of that day too.
        outside.key_said(said(50, 1), false, at(until_midnight));
        assert_eq!(
            told(&outside, until_midnight),
            Some((until_midnight, "key"))
        );
    }
}
