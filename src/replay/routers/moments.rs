//! Converts a replay's seconds into the program's moments.

use std::time::Duration;

use crate::clock::Now;

/// The moments of a replay, from its start.
#[derive(Clone, Copy, Debug)]
pub struct Moments(Now);

impl Moments {
    /// Of a replay that starts at this moment.
    #[must_use]
    pub fn from(start: Now) -> Self {
        Self(start)
    }

    /// The moment this many seconds after the start.
    #[must_use]
    pub fn at(self, seconds: f64) -> Now {
        self.0
            .plus(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}
