//! The headroom that is kept for waiting requests (spec §11.5): otherwise later requests that need less of it
//! would take each piece as it returns.

use std::collections::BTreeMap;

use crate::ledger::BucketId;

/// The most requests that something is kept for, oldest first: it bounds what a look costs.
const MOST: usize = 64;

/// What is kept, by the tickets of the requests it is kept for.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<u64, (BucketId, u64)>);

impl Kept {
    /// Sets what is kept for this ticket from now on; returns whether something kept before no longer is.
    pub(super) fn set(&mut self, ticket: u64, kept: Option<(BucketId, u64)>) -> bool {
        let before = match kept {
            Some(kept) => self.0.insert(ticket, kept),
            None => self.0.remove(&ticket),
        };
        before.is_some() && before != kept
    }

    /// What is kept from the request with this ticket: for those that came before it.
    pub(super) fn before(&self, ticket: u64) -> Vec<(BucketId, u64)> {
        let before = self.0.range(..ticket).take(MOST);
        before.map(|(_, kept)| *kept).collect()
    }

    /// What is kept from a request that comes now.
    pub(super) fn of_all(&self) -> Vec<(BucketId, u64)> {
        self.0.values().take(MOST).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s11_5_headroom_is_kept_from_those_who_came_later() {
        let bucket = BucketId::of;
        let mut kept = Kept::default();
        #[rustfmt::skip]
        let rows = [
            // ticket     how much                    something is not kept any more
            (3,           Some((bucket(1), 400)),     false),
            (5,           Some((bucket(2), 7)),       false),
            (3,           Some((bucket(1), 400)),     false),
            (3,           Some((bucket(1), 300)),     true),
            (9,           None,                       false),
        ];
        for (ticket, amount, expected) in rows {
            assert_eq!(kept.set(ticket, amount), expected, "{ticket} {amount:?}");
        }
        assert_eq!(kept.before(3), []);
        assert_eq!(kept.before(5), [(bucket(1), 300)]);
        assert_eq!(kept.of_all(), [(bucket(1), 300), (bucket(2), 7)]);
        assert!(kept.set(3, None));
        assert_eq!(kept.before(9), [(bucket(2), 7)]);
    }
}
