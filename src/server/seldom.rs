//! What may happen thousands of times a second is told once a minute, with how often it was.
//!
//! Pure.

use std::time::Duration;

use tokio::time::Instant;

const PERIOD: Duration = Duration::from_secs(60);

/// One kind of such things.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// It has happened. If it is to be told now: how often since it was last told.
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
    fn s13_it_is_told_once_a_minute() {
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
