//! A connection that failed: its provider is asked last for a while, which is longer the more often it fails
//! (spec §10.4). This is not a rest: if no other candidate is left, it is asked.

use std::time::{Duration, Instant};

use crate::clock::Now;

const FIRST: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_secs(60);

/// A provider that could not be reached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unreached {
    last: Option<(Instant, Duration)>,
}

impl Unreached {
    /// It has failed, perhaps once more. Failures while it is asked last anyway count as the same one.
    pub(super) fn again(&mut self, now: Now) {
        let length = match self.last {
            Some(_) if self.lasts(now) => return,
            Some((_, length)) => length.saturating_mul(2).min(MOST),
            None => FIRST,
        };
        self.last = Some((now.plus(length).steady, length));
    }

    /// Whether it is still to be asked last.
    pub(super) fn lasts(&self, now: Now) -> bool {
        self.last.is_some_and(|(until, _)| now.steady < until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn s10_4_a_way_that_failed_is_asked_last_for_5_s_doubling_to_60_s() {
        let mut at = Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH,
        };
        let mut way = Unreached::default();
        assert!(!way.lasts(at));
        for seconds in [5, 10, 20, 40, 60, 60] {
            way.again(at);
            // Others fail in the same outage.
            way.again(at.plus(Duration::from_secs(1)));
            let end = at.plus(Duration::from_secs(seconds));
            assert!(way.lasts(at.plus(Duration::from_millis(seconds * 1000 - 1))));
            assert!(!way.lasts(end));
            at = end;
        }
    }
}
