//! The program's moments for a replay's seconds.

use std::time::Duration;

use crate::clock::Now;

/// The moments of a replay that begins at one of them.
#[derive(Clone, Copy, Debug)]
pub struct Moments(Now);

impl Moments {
    /// From this moment on.
    #[must_use]
    pub fn from(start: Now) -> Self {
        Self(start)
    }

    /// So many seconds later.
    #[must_use]
    pub fn at(self, seconds: f64) -> Now {
        self.0
            .plus(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}
