//! What is kept of headroom for those who wait for it (spec §11.5): else requests that need less of it, and
//! come later, would take each piece as it returns.

use std::collections::BTreeMap;

use crate::ledger::BucketId;

/// For so many something is kept, the oldest first: what a look costs is bounded.
const MOST: usize = 64;

/// What is kept, by the tickets of those for whom it is.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<u64, (BucketId, u64)>);

impl Kept {
    /// So much is kept for this one from now on; answers whether something was that is not any more.
    pub(super) fn set(&mut self, ticket: u64, kept: Option<(BucketId, u64)>) -> bool {
        let before = match kept {
            Some(kept) => self.0.insert(ticket, kept),
            None => self.0.remove(&ticket),
        };
        before.is_some() && before != kept
    }

    /// What is kept from one with this ticket: for those who came before it.
    pub(super) fn before(&self, ticket: u64) -> Vec<(BucketId, u64)> {
        let before = self.0.range(..ticket).take(MOST);
        before.map(|(_, kept)| *kept).collect()
    }

    /// What is kept from one who comes now.
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
            // for whom   how much                    something is not kept any more
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
