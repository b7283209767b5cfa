//! Which accounts rest, found once for a walk: hundreds of offers may stand or fall with one.

use crate::clock::Now;
use crate::model::{Candidate, Subject};
use crate::registry::{Knowledge, Snapshot};

/// The accounts of a snapshot that rest, themselves or with their provider, as bits by their places.
/// Those behind the 64th are left to be looked at one candidate at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shut(u64);

impl Shut {
    pub(super) fn of(snapshot: &Snapshot, known: &Knowledge, now: Now) -> Self {
        if known.is_empty() {
            return Self::default();
        }
        let rests = |subject: &Subject| known.rest_of(subject, now).is_some();
        let shut = |[provider, account]: &[Subject; 2]| rests(account) || rests(provider);
        let doors = snapshot.doors().iter().enumerate().take(64);
        let bits = doors.filter(|(_, door)| shut(door));
        Self(bits.fold(0, |bits, (place, _)| bits | 1 << place))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a candidate's account is known to rest.
    pub(super) fn has(self, candidate: &Candidate) -> bool {
        candidate.place < 64 && self.0 >> candidate.place & 1 == 1
    }
}
