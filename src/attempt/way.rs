//! No connection to the upstream: how often one request tries again, and when (spec §4.2).
//!
//! Pure: a cause goes in, a wait comes out. That no model rests for it is the walk's rule.

use std::time::Duration;

use crate::upstream::Unreachable;

/// Half a second without a network must cost no request, a minute no client its patience: 3 s in all.
const WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1500),
];

/// The tries of one request that brought no connection.
#[derive(Debug, Default)]
pub(super) struct Way {
    failures: usize,
}

impl Way {
    /// It has failed: how long to wait before the next try, if there is to be one.
    pub(super) fn fails(&mut self, why: Unreachable) -> Option<Duration> {
        let wait = WAITS.get(self.failures).copied();
        self.failures += 1;
        wait.filter(|_| why.may_pass())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_2_a_way_that_fails_is_tried_five_times_again_within_3_s() {
        let mut way = Way::default();
        let waits: Vec<_> = std::iter::from_fn(|| way.fails(Unreachable::Refused))
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1500]);
        assert_eq!(waits.iter().sum::<u128>(), 3000);
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
            assert_eq!(Way::default().fails(why).is_none(), settled, "{why:?}");
        }
    }
}
