//! The ledger's own time, by which windows roll.

use std::time::{Duration, SystemTime};

use crate::clock::Now;

/// A moment as buckets see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// How long the ledger has run, by which windows roll.
    pub(super) running: Duration,
    /// The date, by which fixed windows end.
    pub(super) wall: SystemTime,
}

/// When something is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// A reading of [`Moment::running`].
    Running(Duration),
    /// A date.
    Wall {
        end: SystemTime,
        /// When that was worked out.
        given: Moment,
    },
}

impl Until {
    pub(super) fn left(self, at: Moment) -> Duration {
        match self {
            Self::Running(end) => end.saturating_sub(at.running),
            // The clock was put back: what is left is no longer than it was, less the time since.
            Self::Wall { end, given } if at.wall < given.wall => {
                let length = end.duration_since(given.wall).unwrap_or_default();
                length.saturating_sub(at.running.saturating_sub(given.running))
            }
            Self::Wall { end, .. } => end.duration_since(at.wall).unwrap_or_default(),
        }
    }

    pub(super) fn is_past(self, at: Moment) -> bool {
        self.left(at).is_zero()
    }
}

/// How long the ledger has run, including the time the machine slept: the steady clock stops during sleep,
/// but a provider's windows do not. Setting the wall clock back takes nothing away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Running {
    last: Option<Now>,
    elapsed: Duration,
}

impl Running {
    /// What it will be at `now`.
    pub(super) fn at(self, now: Now) -> Moment {
        let moved = self.last.map_or(Duration::ZERO, |last| now.since(last));
        Moment {
            running: self.elapsed.saturating_add(moved),
            wall: now.wall,
        }
    }

    /// Goes on from a reading of an earlier process at a date.
    pub(super) fn resume(&mut self, elapsed: Duration, saved_at: SystemTime, now: Now) -> Moment {
        // A clock that was put back meanwhile brings nothing back.
        let wall = now.wall.max(saved_at);
        let gone = wall.duration_since(saved_at).unwrap_or_default();
        (self.elapsed, self.last) = (elapsed.saturating_add(gone), Some(now));
        Moment {
            running: self.elapsed,
            wall,
        }
    }

    /// Moves on to `now`.
    pub(super) fn advance(&mut self, now: Now) -> Moment {
        let moment = self.at(now);
        if self.last.is_none_or(|last| last.steady <= now.steady) {
            self.elapsed = moment.running;
            self.last = Some(now);
        }
        moment
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn s10_5_a_night_asleep_counts_and_a_clock_put_back_does_not() {
        let start = Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        };
        let sec = Duration::from_secs;
        let mut running = Running::default();
        let after = |steady: u64, wall: i64| Now {
            steady: start.steady + sec(steady),
            wall: match u64::try_from(wall) {
                Ok(ahead) => start.wall + sec(ahead),
                Err(_) => start.wall - sec(wall.unsigned_abs()),
            },
        };
        #[rustfmt::skip]
        let rows = [
            // steady, wall, running
            (0,   0,       0),
            (60,  60,      60),
            (61,  60,      61),      // the clocks need not agree to the second
            (70,  28_870,  28_870),  // eight hours asleep
            (80,  28_880,  28_880),
            (90,  -9_999,  28_890),  // the clock was put back
            (85,  -9_999,  28_890),  // a moment that was read a little earlier
            (100, -9_989,  28_900),
        ];
        for (steady, wall, expected) in rows {
            let moment = running.advance(after(steady, wall));
            let expected = if steady == 61 { 61 } else { expected };
            assert!(
                moment.running.abs_diff(sec(expected)) <= sec(1),
                "{steady} {wall}: {:?}",
                moment.running
            );
        }
    }
}
