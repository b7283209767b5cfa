//! What the program knows, and whom it asks by that: its own selection over its own list, ledger, rests
//! and lessons, each told of the day as the walk tells it.

use std::sync::Arc;
use std::time::Instant;

use free_llm_proxy::clock::Now;
use free_llm_proxy::learnt::{Cells, Evidence, Order, Parameters, Through, teaches};
use free_llm_proxy::ledger::{Correction, FreeDay, Refusal, Reservation, Used};
use free_llm_proxy::model::{AccountId, Candidate, ModelId, Offer, Place, Subject, Tier};
use free_llm_proxy::provider::Provider;
use free_llm_proxy::registry::{Knowledge, Parts, Snapshot};
use free_llm_proxy::request::Needs;
use free_llm_proxy::select::{By, Out, OutBy, Preference, Wants, next};
use free_llm_proxy::verdict::{Because, Failure, Lesson, Scope};

use super::table::Row;

pub struct Proxy {
    /// Nobody has told it of the first account's limits.
    pub asks_key_endpoint: bool,
    order: Order,
    parameters: Parameters,
    known: Knowledge,
    list: Snapshot,
}

/// An attempt under way.
pub struct Attempt {
    candidate: Arc<Candidate>,
    reservation: Reservation,
    began: Instant,
    prompt_tokens: u64,
}

impl Proxy {
    /// One to whom its table says this of the providers of `rows`; each of their models has a place of
    /// its own.
    pub fn new(order: Order, rows: &[Row], table: &[Arc<Provider>], now: Now) -> Self {
        let offer = |(row, model): (&Row, &'static str)| {
            let id = ModelId::try_from(model).unwrap();
            Arc::new(Offer::at(row.provider.id.clone(), id))
        };
        let models = rows
            .iter()
            .flat_map(|row| row.models.iter().map(move |model| (row, *model)));
        let offers: Vec<_> = models.map(offer).collect();
        let place = |place| Place {
            tier: Tier::Rest,
            place,
        };
        let account = |row: &Row| Arc::new(AccountId::only(row.provider.id.clone()));
        let list = Snapshot::new(Parts {
            places: [(0..).map(place).take(offers.len()).collect(), Vec::new()],
            offers,
            accounts: rows.iter().map(account).collect(),
            ..Parts::default()
        });
        let parameters = Parameters::default();
        let mut known = Knowledge::default();
        let list = known.list(list, table, now);
        let candidates = list.candidates().iter().map(|candidate| &**candidate);
        let evidences = Cells::default().list(candidates, &parameters, now);
        Self {
            asks_key_endpoint: table[0].limits.is_empty(),
            order,
            parameters,
            known,
            list: list.with_evidences(evidences),
        }
    }

    fn wants<'a>(&'a self, needs: &'a Needs, out: &'a [Out]) -> Wants<'a> {
        Wants {
            needs,
            preference: Preference::None,
            out,
            above_context: None,
            client: None,
            by: match self.order {
                Order::Rank => By::Rank,
                Order::Balanced => By::Cost {
                    rank_worth: self.parameters.rank_worth,
                    parameters: &self.parameters,
                    pin: None,
                    session: None,
                },
            },
        }
    }

    /// The place of whom it asks next, if anybody.
    pub fn next(&self, needs: &Needs, out: &[Out], now: Now) -> Option<usize> {
        let next = next(Some(&self.list), self.wants(needs, out), &self.known, now);
        Some(next.candidate()?.index)
    }

    /// It asks this one, which is out for the request from here on.
    pub fn asks(&mut self, way: usize, needs: &Needs, out: &mut Vec<Out>, now: Now) -> Attempt {
        let candidate = Arc::clone(&self.list.candidates()[way]);
        let slot = self.list.slot(&candidate).unwrap();
        let ask = self.wants(needs, out).ask();
        let attempt = Attempt {
            reservation: self.known.ledger.reserve(slot, ask, now),
            began: now.steady,
            prompt_tokens: needs.prompt_bytes() / 4,
            candidate,
        };
        out.push(is_out(attempt.candidate.itself(), OutBy::Tried));
        self.learns(&attempt, now, |evidence, through| {
            evidence.began(through, attempt.began);
        });
        attempt
    }

    /// It is refused.
    pub fn is_refused(
        &mut self,
        mut attempt: Attempt,
        failure: &Failure,
        out: &mut Vec<Out>,
        now: Now,
    ) {
        let candidate = &attempt.candidate;
        if let Some(quota) = &failure.quota {
            let spent = failure.lesson != Some(Lesson::OverLimit);
            let refusal = Refusal::of(**quota, spent, now);
            let ledger = &mut self.known.ledger;
            ledger.refused(&mut attempt.reservation, refusal, now);
        }
        let subject = if let Scope::Account(limit) = failure.scope {
            out.push(is_out(candidate.of_account(), OutBy::Spent(Some(limit))));
            candidate.of_account()
        } else {
            candidate.itself()
        };
        let because = Because::of(&candidate.offer.public_id, failure, now);
        self.known.rest(subject, because, failure.rest, now);
        self.learns(&attempt, now, |evidence, through| {
            if teaches(failure) {
                evidence.failed(through, attempt.began, &self.parameters, now);
            } else {
                evidence.left(through, attempt.began);
            }
        });
        let nothing = Used::Received { bytes: 0 };
        let ledger = &mut self.known.ledger;
        ledger.settle(attempt.reservation, nothing, false, now);
    }

    /// A good answer's headers tell of quotas.
    pub fn is_told(&mut self, attempt: &Attempt, corrections: &[Correction], now: Now) {
        let ledger = &mut self.known.ledger;
        ledger.correct(&attempt.reservation, corrections, now);
    }

    /// The answer begins.
    pub fn hears(&self, attempt: &Attempt, now: Now) {
        self.learns(attempt, now, |evidence, through| {
            evidence.first_event(
                through,
                attempt.began,
                attempt.prompt_tokens,
                &self.parameters,
                now,
            );
        });
    }

    /// The answer is whole.
    pub fn is_answered(&mut self, attempt: Attempt, used: Used, now: Now) {
        self.learns(&attempt, now, |evidence, through| {
            evidence.whole(through, &self.parameters, now);
        });
        let ledger = &mut self.known.ledger;
        ledger.settle(attempt.reservation, used, true, now);
    }

    /// What the key endpoint of an account says.
    pub fn is_told_of_the_day(&mut self, account: &AccountId, told: FreeDay, now: Now) {
        self.known.ledger.told_free_day(account, told, now);
    }

    fn learns(&self, attempt: &Attempt, now: Now, learn: impl Fn(&mut Evidence, Through)) {
        let evidences = self.list.evidences();
        evidences.teach(attempt.candidate.index, &self.parameters, now, learn);
    }
}

fn is_out(subject: &Subject, by: OutBy) -> Out {
    let subject = subject.clone();
    Out { subject, by }
}
