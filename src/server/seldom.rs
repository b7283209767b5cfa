//! Things that may happen thousands of times a second are reported once a minute, with a count.
//!
//! Pure.

use std::time::Duration;

use tokio::time::Instant;

const PERIOD: Duration = Duration::from_secs(60);

/// One kind of such events.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// Counts an event. If it is to be reported now, returns how many there were since the last
    /// report.
    pub(super) fn happened(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self
            .told
            .is_some_and(|told| now.duration_since(told) < PERIOD)
        {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_events_are_reported_once_a_minute() {
        let (mut seldom, start) = (Seldom::default(), Instant::now());
        #[rustfmt::skip]
        let rows = [
            (0,   Some(1)),
            (0,   None),
            (59,  None),
            (60,  Some(3)),
            (61,  None),
            (500, Some(2)),
        ];
        for (at, expected) in rows {
            let told = seldom.happened(start + Duration::from_secs(at));
            assert_eq!(told, expected, "at {at} s");
        }
    }
}
