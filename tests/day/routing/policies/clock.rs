//! The program's moments for the world's seconds.

use std::time::{Duration, Instant, SystemTime};

use free_llm_proxy::clock::Now;

use crate::routing::world::World;

/// Quotas know the time of day: episodes begin at noon, a day at its midnight.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    day: Duration,
}

const AN_HOUR: Duration = Duration::from_secs(3600);

impl Clock {
    pub fn of(world: &World) -> Self {
        let hours = if world.minutes < 1440 { 12 } else { 0 };
        Self {
            start: Instant::now() + AN_HOUR,
            // Any day.
            day: Duration::from_secs(20_000 * 86_400) + hours * AN_HOUR,
        }
    }

    pub fn at(self, seconds: f64) -> Now {
        let since = Duration::from_secs_f64(seconds);
        Now {
            steady: self.start + since,
            wall: SystemTime::UNIX_EPOCH + self.day + since,
        }
    }

    /// An hour before.
    pub fn before(self) -> Now {
        Now {
            steady: self.start - AN_HOUR,
            wall: SystemTime::UNIX_EPOCH + self.day - AN_HOUR,
        }
    }
}
