//! No connection to the upstream: how often one request tries again, and when (spec §4.2).
//!
//! Pure: a cause goes in, a wait comes out. That no model rests for it is the walk's rule.

use std::time::Duration;

use crate::upstream::Unreachable;

/// 3 s in all: half a second without a network must not fail a request, and a minute without one must not
/// keep a client waiting.
const WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1500),
];

/// Tries that are slow to fail are fewer: none begins once this much time has passed since the first
/// failed.
const PATIENCE: Duration = Duration::from_secs(4);

/// How many tries there are if a candidate elsewhere could be asked.
const QUICK: usize = 2;

/// Consecutive tries that brought no connection.
#[derive(Debug, Default)]
pub(super) struct Way {
    failures: usize,
    /// What waits and tries have taken since the first failed.
    spent: Duration,
}

impl Way {
    /// A try has failed after `took`: how long to wait before the next, if there is to be one. If a candidate
    /// `elsewhere` could be asked, two are enough (spec §10.4).
    pub(super) fn fails(
        &mut self,
        why: Unreachable,
        took: Duration,
        elsewhere: bool,
    ) -> Option<Duration> {
        if self.failures > 0 {
            self.spent += took;
        }
        let wait = WAITS.get(self.failures).copied()?;
        self.failures += 1;
        self.spent += wait;
        let again = why.may_pass() && self.spent <= PATIENCE;
        (again && (!elsewhere || self.failures < QUICK)).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_2_a_way_that_fails_is_tried_five_times_again_within_3_s() {
        let mut way = Way::default();
        let took = Duration::from_millis(50);
        let waits: Vec<_> = std::iter::from_fn(|| way.fails(Unreachable::Refused, took, false))
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1500]);
        assert_eq!(waits.iter().sum::<u128>(), 3000);
    }

    #[test]
    fn s10_4_two_quick_tries_are_enough_where_another_can_be_asked() {
        let mut way = Way::default();
        let mut fails = |elsewhere| way.fails(Unreachable::Refused, Duration::ZERO, elsewhere);
        assert_eq!(fails(true), Some(Duration::from_millis(100)));
        assert_eq!(fails(true), None);
        assert_eq!(
            fails(false),
            Some(Duration::from_millis(400)),
            "all others failed"
        );
    }

    #[test]
    fn s4_2_what_does_not_pass_in_a_moment_is_not_tried_again() {
        for why in Unreachable::ALL {
            let settled = [
                Unreachable::Timeout,
                Unreachable::TlsCertificate,
                Unreachable::Proxy407,
                Unreachable::ProxyRefused,
            ]
            .contains(&why);
            let wait = Way::default().fails(why, Duration::ZERO, false);
            assert_eq!(wait.is_none(), settled, "{why:?}");
        }
    }

    #[test]
    fn s4_2_tries_that_take_long_to_fail_are_fewer() {
        #[rustfmt::skip]
        let rows = [
            // each takes, ms   tries   until the last has failed, ms
            (0,                 6,      3_000),
            (100,               6,      3_600),
            (1_000,             4,      4_700),
            (4_000,             2,      8_100),
            (9_900,             2,      19_900),
        ];
        for (each, tries, all) in rows {
            let took = Duration::from_millis(each);
            let mut way = Way::default();
            let waits: Vec<_> =
                std::iter::from_fn(|| way.fails(Unreachable::Tls, took, false)).collect();
            assert_eq!(waits.len() + 1, tries, "{each}");
            let whole = waits.iter().sum::<Duration>() + took * (waits.len() as u32 + 1);
            assert_eq!(whole.as_millis(), all, "{each}");
        }
    }
}
