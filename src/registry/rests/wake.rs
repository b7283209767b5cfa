//! The end of a rest, on the clock it was given on.

use std::time::{Duration, Instant, SystemTime};

use crate::clock::Now;

/// When a rest ends, on the clock it was given on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A length of time was given.
    Steady(Instant),
    /// A date was given.
    Wall(SystemTime),
}

impl Wake {
    /// How long is left; zero once awake.
    #[must_use]
    pub fn left(self, now: Now) -> Duration {
        match self {
            Self::Steady(at) => at.saturating_duration_since(now.steady),
            Self::Wall(at) => at.duration_since(now.wall).unwrap_or_default(),
        }
    }

    /// The same moment as a date, for people.
    #[must_use]
    pub fn date(self, now: Now) -> SystemTime {
        match self {
            Self::Steady(_) => now.plus(self.left(now)).wall,
            Self::Wall(at) => at,
        }
    }
}
