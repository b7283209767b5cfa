//! The monotonic clock, which all processes of a machine share: a timestamp written by the upstream
//! can be read by the load generator.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment, in nanoseconds since the machine started.
pub(crate) type Nanos = u64;

/// This moment.
pub(crate) fn now() -> Nanos {
    let now = clock_gettime(ClockId::Monotonic);
    // Neither is ever negative on this clock.
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// A duration, in the clock's units.
pub(crate) fn nanos(length: Duration) -> Nanos {
    u64::try_from(length.as_nanos()).unwrap_or(Nanos::MAX)
}
