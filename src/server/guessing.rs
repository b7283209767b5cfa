//! Slows down the guessing of keys (spec §13): which address has sent too many wrong ones.
//!
//! Pure, and of bounded size however many addresses there are. `gate` does the slowing.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Up to this many wrong keys from one address count as mistakes.
const FREE: usize = 20;
/// Within this time.
const WINDOW: Duration = Duration::from_secs(60);
/// How many addresses are tracked. One more takes the place of the least guilty: if the table took in no more, nobody
/// new could be slowed, and if the oldest had to go, a guesser could make room for itself.
const ADDRESSES: usize = 4_096;

/// The wrong keys of the last minute.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    by: HashMap<IpAddr, Recent>,
    /// The same addresses, the least guilty first: by how many wrong keys are kept, and by the last of them.
    guilt: BTreeSet<(usize, Option<Instant>, IpAddr)>,
    swept: Option<Instant>,
}

impl Guesses {
    /// Counts a wrong key, and returns whether it is one too many.
    pub(super) fn wrong(&mut self, peer: IpAddr, now: Instant) -> bool {
        let peer = network(peer);
        let mut recent = match self.by.remove(&peer) {
            Some(recent) => {
                self.guilt.remove(&recent.guilt(peer));
                recent
            }
            None => {
                self.make_room(now);
                Recent::default()
            }
        };
        let is_one_too_many = recent.add(now);
        self.guilt.insert(recent.guilt(peer));
        self.by.insert(peer, recent);
        is_one_too_many
    }

    fn make_room(&mut self, now: Instant) {
        if self.by.len() == ADDRESSES {
            self.sweep(now);
        }
        if self.by.len() == ADDRESSES
            && let Some((_, _, least)) = self.guilt.pop_first()
        {
            self.by.remove(&least);
        }
    }

    /// Forgets the addresses whose wrong keys are all old. At most once a second, because it looks
    /// at every one.
    fn sweep(&mut self, now: Instant) {
        let lately = |swept| now.duration_since(swept) < Duration::from_secs(1);
        if self.swept.is_some_and(lately) {
            return;
        }
        self.swept = Some(now);
        let is_over = |last: Option<Instant>| last.is_none_or(|last| is_old(last, now));
        self.by.retain(|_, recent| !is_over(recent.last()));
        self.guilt.retain(|(_, last, _)| !is_over(*last));
    }
}

fn is_old(at: Instant, now: Instant) -> bool {
    now.duration_since(at) >= WINDOW
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
        while self.0.front().is_some_and(|first| is_old(*first, now)) {
            self.0.pop_front();
        }
        let is_full = self.0.len() == FREE;
        if is_full {
            self.0.pop_front();
        }
        self.0.push_back(now);
        is_full
    }

    fn guilt(&self, peer: IpAddr) -> (usize, Option<Instant>, IpAddr) {
        (self.0.len(), self.last(), peer)
    }

    fn last(&self) -> Option<Instant> {
        self.0.back().copied()
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
    fn s13_a_full_table_forgets_the_least_guilty() {
        let (mut known, start) = (Guesses::default(), Instant::now());
        let guesser = address(0);
        assert!((0..FREE).all(|_| !known.wrong(guesser, start)));
        // As many others as the table holds, and as many again: each with a wrong key or two.
        for n in 1..=2 * u32::try_from(ADDRESSES).unwrap() {
            let at = start + Duration::from_millis(n.into());
            assert!(!known.wrong(address(n), at));
            if n == 1 {
                assert!(!known.wrong(address(n), at));
            }
        }
        assert_eq!((known.by.len(), known.guilt.len()), (ADDRESSES, ADDRESSES));
        let (first, second) = (address(1), address(2));
        assert!(known.by.contains_key(&first), "with two, it stays");
        assert!(!known.by.contains_key(&second), "with one, the older goes");
        let later = start + Duration::from_secs(30);
        assert!(known.wrong(guesser, later), "no crowd clears a guesser");
        let much_later = later + WINDOW;
        assert!(!known.wrong(guesser, much_later));
        assert!(!known.wrong(address(u32::MAX), much_later));
        assert_eq!(
            (known.by.len(), known.guilt.len()),
            (2, 2),
            "what is old is forgotten"
        );
    }

    proptest::proptest! {
        #[test]
        fn s13_the_two_orders_of_the_table_agree(
            keys in proptest::collection::vec((0..9_u32, 0..90_000_u64), 0..200),
        ) {
            let (mut known, mut now) = (Guesses::default(), Instant::now());
            for (n, millis) in keys {
                now += Duration::from_millis(millis);
                known.wrong(address(n), now);
                let guilt: BTreeSet<_> = known.by.iter().map(|(peer, recent)| recent.guilt(*peer)).collect();
                proptest::prop_assert_eq!(&guilt, &known.guilt);
            }
        }
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    fn peer(address: &str) -> IpAddr {
        address.parse().unwrap()
    }
}
