//! Slows down the guessing of keys (spec §13): which address has sent too many wrong ones.
//!
//! Pure, and of bounded size however many addresses there are. `gate` does the slowing.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Up to this many wrong keys from one address count as mistakes.
const FREE: usize = 20;
/// Within this time.
const WINDOW: Duration = Duration::from_secs(60);
/// How many addresses are tracked separately; the others count as one.
const ADDRESSES: usize = 4_096;

/// The wrong keys of the last minute.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    by: HashMap<IpAddr, Recent>,
    others: Recent,
    swept: Option<Instant>,
}

impl Guesses {
    /// Counts a wrong key, and returns whether it is one too many.
    pub(super) fn wrong(&mut self, peer: IpAddr, now: Instant) -> bool {
        let peer = network(peer);
        if let Some(recent) = self.by.get_mut(&peer) {
            return recent.add(now);
        }
        if self.by.len() == ADDRESSES {
            self.sweep(now);
        }
        if self.by.len() == ADDRESSES {
            return self.others.add(now);
        }
        self.by.entry(peer).or_default().add(now)
    }

    /// Forgets the addresses whose wrong keys are all old. At most once a second, because it looks
    /// at every one.
    fn sweep(&mut self, now: Instant) {
        let lately = |swept| now.duration_since(swept) < Duration::from_secs(1);
        if self.swept.is_some_and(lately) {
            return;
        }
        self.swept = Some(now);
        self.by.retain(|_, recent| !recent.is_over(now));
    }
}

/// The network that an address belongs to: with IPv6 a household has 2^64 addresses or more.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// When the last wrong keys came, oldest first; never more of them than are tolerated.
#[derive(Debug, Default)]
struct Recent(VecDeque<Instant>);

impl Recent {
    fn add(&mut self, now: Instant) -> bool {
        let is_full = self.0.len() == FREE;
        let oldest = is_full.then(|| self.0.pop_front()).flatten();
        self.0.push_back(now);
        oldest.is_some_and(|oldest| now.duration_since(oldest) < WINDOW)
    }

    fn is_over(&self, now: Instant) -> bool {
        let last = self.0.back();
        last.is_none_or(|last| now.duration_since(*last) >= WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_from_the_21st_wrong_key_a_minute_an_address_is_slowed() {
        type Row<'a> = (&'a str, &'a [(u64, usize)], usize);
        #[rustfmt::skip]
        let rows: [Row<'_>; 6] = [
            // what arrives                            at s, how many        of them slowed
            ("as many as count as mistakes",           &[(0, 20)],           0),
            ("the 21st is not",                        &[(0, 21)],           1),
            ("all from the 21st on",                   &[(0, 100)],          80),
            ("spread over the minute",                 &[(0, 10), (59, 11)], 1),
            ("the first of them are a minute old",     &[(0, 10), (60, 11)], 0),
            ("a guess that was slowed counts as well", &[(0, 40), (50, 20), (61, 1)], 41),
        ];
        for (what, guesses, expected) in rows {
            let (mut known, start) = (Guesses::default(), Instant::now());
            let mut slowed = 0;
            for (at, count) in guesses {
                let now = start + Duration::from_secs(*at);
                slowed += (0..*count)
                    .filter(|_| known.wrong(peer("10.0.0.1"), now))
                    .count();
            }
            assert_eq!(slowed, expected, "{what}");
        }
    }

    #[test]
    fn s13_addresses_are_tracked_by_network() {
        #[rustfmt::skip]
        let rows = [
            ("10.0.0.1",          "10.0.0.2",                false),
            ("10.0.0.1",          "::ffff:10.0.0.1",         true),
            ("2001:db8:0:1::1",   "2001:db8:0:1:ffff::2",    true),
            ("2001:db8:0:1::1",   "2001:db8:0:2::1",         false),
        ];
        for (one, other, same) in rows {
            let (mut known, now) = (Guesses::default(), Instant::now());
            assert!((0..FREE).all(|_| !known.wrong(peer(one), now)));
            assert_eq!(known.wrong(peer(other), now), same, "{one} {other}");
        }
    }

    #[test]
    fn s13_addresses_beyond_the_limit_count_as_one() {
        let (mut known, start) = (Guesses::default(), Instant::now());
        let address = |n: u32| IpAddr::V4(n.into());
        for n in 0..u32::try_from(ADDRESSES + FREE).unwrap() {
            assert!(!known.wrong(address(n), start));
        }
        assert!(known.wrong(address(u32::MAX), start), "one of the others");
        assert_eq!(known.by.len(), ADDRESSES);
        let later = start + WINDOW;
        assert!(!known.wrong(address(u32::MAX), later));
        assert_eq!(known.by.len(), 1, "the old ones are forgotten");
    }

    fn peer(address: &str) -> IpAddr {
        address.parse().unwrap()
    }
}
