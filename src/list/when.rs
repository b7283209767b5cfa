//! When lists are read: how long after a read, good or failed, comes the next.

use std::time::Duration;

use crate::clock::Now;

/// How often a long wait looks at the wall clock, to notice that the laptop slept.
const TICK: Duration = Duration::from_secs(15);
/// The first wait after a failed read with a ranking in hand.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// How often the list of the user's own server is read: it is started, stopped and given other models
/// while the proxy runs (spec §10.1).
const OWN_PERIOD: Duration = Duration::from_secs(60);
/// The same while there is no model at all.
const OWN_PERIOD_ALONE: Duration = Duration::from_secs(5);

/// How long until the next read of the user's own list alone; `listed`: there is a snapshot.
pub(super) fn own_period(listed: bool) -> Duration {
    if listed { OWN_PERIOD } else { OWN_PERIOD_ALONE }
}

/// How long until the next read (spec §2).
pub(super) fn next_read(failures: u32, have_ranking: bool, period: Duration) -> Duration {
    let doubled = |times: u32| 2_u32.saturating_pow(times);
    match failures {
        0 => period,
        n if have_ranking => FIRST_RETRY.saturating_mul(doubled(n - 1)).min(period),
        n => Duration::from_secs(doubled(n - 1).min(15).into()),
    }
}

/// Waits until so much time has gone by on either clock: a laptop that slept reads the list
/// when it wakes.
pub(super) async fn pass(wait: Duration) {
    let start = Now::read();
    let due = start.plus(wait);
    loop {
        let now = Now::read();
        let left = due.steady.saturating_duration_since(now.steady);
        if left.is_zero() || now.wall >= due.wall {
            return;
        }
        tokio::time::sleep(left.min(TICK)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_a_failed_read_is_tried_again_sooner() {
        let waits = |have, period| -> Vec<u64> {
            (0..9)
                .map(|n| next_read(n, have, Duration::from_secs(period)).as_secs())
                .collect()
        };
        assert_eq!(waits(false, 3600), [3600, 1, 2, 4, 8, 15, 15, 15, 15]);
        assert_eq!(
            waits(true, 3600),
            [3600, 60, 120, 240, 480, 960, 1920, 3600, 3600]
        );
        assert_eq!(waits(true, 30), [30; 9]);
        assert_eq!(
            next_read(u32::MAX, true, Duration::from_secs(3600)).as_secs(),
            3600
        );
    }
}
