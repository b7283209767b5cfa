//! The end of a rest, on the clock it was given on.

use std::time::{Duration, Instant, SystemTime};

use crate::clock::Now;

/// When a rest ends, on the clock it was given on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A length of time was given.
    Steady(Instant),
    /// A date was given.
    Wall {
        /// The date.
        date: SystemTime,
        /// When it was given.
        given: Now,
    },
}

impl Wake {
    /// How long is left; zero once awake.
    #[must_use]
    pub fn left(self, now: Now) -> Duration {
        match self {
            Self::Steady(at) => at.saturating_duration_since(now.steady),
            // The clock was put back: what is left is no longer than it was, less the time since.
            Self::Wall { date, given } if now.wall < given.wall => {
                let length = date.duration_since(given.wall).unwrap_or_default();
                length.saturating_sub(now.steady.saturating_duration_since(given.steady))
            }
            Self::Wall { date, .. } => date.duration_since(now.wall).unwrap_or_default(),
        }
    }

    /// The same moment as a date, for people.
    #[must_use]
    pub fn date(self, now: Now) -> SystemTime {
        match self {
            Self::Wall { date, given } if given.wall <= now.wall => date,
            Self::Steady(_) | Self::Wall { .. } => now.plus(self.left(now)).wall,
        }
    }
}
