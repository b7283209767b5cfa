//! What a request has drawn from the quotas of the candidate that it asks (spec §10.5).

use std::sync::Arc;

use super::{Admitted, Registry};
use crate::answer::Usage;
use crate::clock::Now;
use crate::ledger::{Correction, Headroom, Refusal, Reservation, Used};
use crate::verdict::{Failure, Lesson};

/// Charged when the candidate is chosen, and settled once, on drop, by what is known of the answer by then. A
/// request whose client goes away has used something too.
#[derive(Debug)]
pub struct Drawn {
    registry: Arc<Registry>,
    /// `None` once it is refunded, or if no limits are known for the candidate's snapshot.
    reservation: Option<Reservation>,
    /// Tokens of prompt and answer, as the provider stated them.
    told: Option<(u64, u64)>,
    received: Received,
    succeeded: bool,
    /// What the same request has drawn from its client's limits.
    client: Option<Admitted>,
}

/// How long an answer's text is, as far as can be told without looking into its events: what exceeds the
/// shortest event, which is hardly more than a frame.
#[derive(Debug, Default)]
struct Received {
    events: u64,
    bytes: u64,
    shortest: u64,
}

impl Received {
    /// A short piece of text that cannot be told apart from the frame of its event, in bytes.
    const LEAST: u64 = 4;

    fn event(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.shortest = if self.events == 0 {
            bytes
        } else {
            self.shortest.min(bytes)
        };
        self.events += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn text(&self) -> u64 {
        let frames = self.events.saturating_mul(self.shortest);
        let least = self.events.saturating_mul(Self::LEAST);
        self.bytes.saturating_sub(frames).saturating_add(least)
    }
}

impl Drawn {
    pub(super) fn new(registry: Arc<Registry>, reservation: Option<Reservation>) -> Self {
        Self {
            registry,
            reservation,
            told: None,
            received: Received::default(),
            succeeded: false,
            client: None,
        }
    }

    /// It gives the request's answer: what that uses, its client has used too.
    #[must_use]
    pub fn answers(mut self, client: Admitted) -> Self {
        self.client = Some(client);
        self
    }

    /// Quota headers came with a good answer.
    pub fn correct(&self, corrections: &[Correction]) {
        if let (Some(reservation), false) = (&self.reservation, corrections.is_empty()) {
            let mut held = self.registry.lock();
            held.ledger.correct(reservation, corrections, Now::read());
            self.registry.lets_go(held);
        }
    }

    /// It was refused, perhaps for a quota that the refusal names.
    pub fn refused(&mut self, failure: &Failure) {
        if let (Some(reservation), Some(quota)) = (&mut self.reservation, &failure.quota) {
            let spent = failure.lesson != Some(Lesson::OverLimit);
            let mut known = self.registry.lock();
            let now = Now::read();
            let refusal = Refusal::of(**quota, spent, now);
            known.ledger.refused(reservation, refusal, now);
        }
    }

    /// The same request is to be sent once more. What was sent so far has been used; returns whether there is
    /// headroom for the second one, and charges it if so. A second try is not worth a 429.
    pub fn again(&mut self) -> bool {
        let Some(reservation) = self.reservation.take() else {
            return true;
        };
        let mut again = None;
        self.registry.ends(reservation, |known, reservation, now| {
            let ledger = &mut known.ledger;
            let (slot, ask) = (reservation.slot(), reservation.ask());
            let client = reservation.client().cloned();
            ledger.settle(reservation, Used::Received { bytes: 0 }, false, now);
            // It has had its turn, so it may use what is kept for waiting requests. They are served next.
            ledger.keep(Vec::new());
            if ledger.headroom(slot, || ask, now) == Headroom::Free {
                again = Some(ledger.reserve_for(slot, ask, client, now));
            }
        });
        self.reservation = again;
        self.reservation.is_some()
    }

    /// The provider stated what was used; one half of it alone is ignored.
    pub fn told(&mut self, used: Usage) {
        self.told = both(used).or(self.told);
    }

    /// A plain answer of this many bytes has arrived in full.
    pub fn answered(&mut self, used: Usage, bytes: usize) {
        self.told(used);
        self.received.bytes = bytes as u64;
        self.is_well();
    }

    /// An event of the answer, of this many bytes, has arrived.
    pub fn received(&mut self, bytes: usize) {
        self.received.event(bytes);
    }

    /// The answer is whole.
    pub fn is_well(&mut self) {
        self.succeeded = true;
    }

    /// The provider was never reached: nothing was used.
    pub fn refund(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            self.registry.ends(reservation, |known, reservation, now| {
                known.ledger.refund(reservation, now);
            });
        }
    }
}

/// Tokens of prompt and answer; one half of it alone is ignored.
fn both(used: Usage) -> Option<(u64, u64)> {
    used.prompt.zip(used.completion)
}

fn used(told: Option<(u64, u64)>, bytes: u64) -> Used {
    match told {
        Some((tokens_in, tokens_out)) => Used::Told {
            tokens_in,
            tokens_out,
        },
        None => Used::Received { bytes },
    }
}

/// What a plain answer of so many bytes has used.
pub(super) fn used_by(usage: Usage, bytes: usize) -> Used {
    used(both(usage), bytes as u64)
}

impl Drop for Drawn {
    fn drop(&mut self) {
        let used = used(self.told, self.received.text());
        if let Some(client) = &mut self.client {
            client.used(used);
        }
        let Some(reservation) = self.reservation.take() else {
            return;
        };
        let succeeded = self.succeeded;
        self.registry.ends(reservation, |known, reservation, now| {
            known.ledger.settle(reservation, used, succeeded, now);
        });
    }
}
