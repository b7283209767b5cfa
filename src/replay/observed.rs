//! A trace as a world: what an attempt would have come to that was never made.
//!
//! What was made comes to what it came to. Any other is estimated from that candidate's own attempts nearest
//! in time: one of the nearest few, drawn by lot, says whether it answers, the two around it how soon, in
//! between in proportion. An account that refused everything does so until it was to return, or answered.
//! [`Near`] counts how much is estimated, and from how far.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::trace::{End, Recorded, Trace, Try, has_tools};
use super::{Attempt, Failure, Outcome, Place, Quotas, Request, World};

/// An attempt that was given up silent would have taken this much longer (spec §11.1).
const SILENCE: f64 = 1.5;

/// What a trace shows of its candidates.
#[derive(Debug)]
pub struct Observed<'t> {
    trace: &'t Trace,
    /// The requests that are replayed.
    requests: Vec<&'t Recorded>,
    candidates: Vec<Seen>,
    /// By account: when it refuses everything, and until when.
    shut: Vec<Vec<(f64, f64)>>,
    /// By tier: how many ranks there are before it.
    ranks: BTreeMap<u32, u32>,
    near: Near,
}

/// How near the observations are that a replay rests on.
#[derive(Clone, Debug, Default)]
pub struct Near {
    /// Attempts that are as they were.
    pub recorded: usize,
    /// Of each of the others, seconds to the attempt that it is taken from.
    pub seconds: Vec<f64>,
}

impl Near {
    /// The share of attempts that are as they were, %.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of millions at most")]
    pub fn share(&self) -> f64 {
        let all = self.recorded + self.seconds.len();
        100.0 * self.recorded as f64 / all.max(1) as f64
    }

    /// The median of the others' seconds; `None` where there are none.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// What is known of one candidate.
#[derive(Debug, Default)]
struct Seen {
    /// Where it stood, by time.
    stands: Vec<(f64, Stands)>,
    /// What it did, by time: asked for streams, and for plain answers. Failures are of both.
    looks: [Vec<(f64, Look)>; 2],
    /// What was asked of it that it did not refuse.
    needs: HashSet<u16>,
    /// The largest prompt and answer that it takes.
    context: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Stands {
    tier: u32,
    place: u32,
    tight: f64,
    day_left: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
enum Look {
    Answers {
        first: f64,
        total: f64,
        breaks: bool,
        output_tokens: Option<u64>,
    },
    Fails {
        after: f64,
        failure: Failure,
    },
}

impl<'t> Observed<'t> {
    /// What a trace shows.
    #[must_use]
    pub fn of(trace: &'t Trace) -> Self {
        let mut observed = Self {
            requests: trace.requests.iter().filter(|one| one.counts).collect(),
            candidates: trace.candidates.iter().map(|_| Seen::default()).collect(),
            shut: vec![Vec::new(); trace.account_ids.len()],
            ranks: BTreeMap::new(),
            near: Near::default(),
            trace,
        };
        let mut well = vec![Vec::new(); trace.account_ids.len()];
        for request in &trace.requests {
            for one in &request.tries {
                let began = request.at + one.after;
                let account = trace.accounts[one.candidate];
                match one.end {
                    End::OfAccount(wait) => {
                        observed.shut[account].push((began, began + one.total + wait));
                    }
                    End::Answered { .. } => well[account].push(began),
                    End::Failed(_) | End::Left { .. } => {}
                }
                let most = observed.ranks.entry(one.tier).or_default();
                *most = (*most).max(one.place + 1);
                observed.candidates[one.candidate].sees(request, one, began);
            }
        }
        for seen in &mut observed.candidates {
            seen.sort();
        }
        for (shut, mut well) in observed.shut.iter_mut().zip(well) {
            well.sort_by(f64::total_cmp);
            open_again(shut, &well);
        }
        let mut before = 0_u32;
        for ranks in observed.ranks.values_mut() {
            let own = std::mem::replace(ranks, before);
            before = before.saturating_add(own);
        }
        observed
    }

    /// How near the observations are that were looked at.
    #[must_use]
    pub fn near(&self) -> &Near {
        &self.near
    }

    /// What each request that is replayed came to: its attempts, and the place of each.
    pub(super) fn recorded(&self) -> impl Iterator<Item = (Request, &[Try])> {
        let requests = self.requests.iter().enumerate();
        requests.map(|(n, recorded)| (self.request(n), &recorded.tries[..]))
    }

    /// The rank of who stood there.
    pub(super) fn rank(&self, tier: u32, place: u32) -> u32 {
        let before = self.ranks.get(&tier).copied().unwrap_or_default();
        before.saturating_add(place).saturating_add(1)
    }

    fn stands(&self, candidate: usize, now: f64) -> Stands {
        let stands = nearest(&self.candidates[candidate].stands, now);
        let unknown = Stands {
            tier: u32::MAX,
            place: 0,
            tight: 0.0,
            day_left: None,
        };
        stands.map_or(unknown, |(_, stands)| stands)
    }

    /// Since when an account refuses everything, and until when, if it does.
    fn is_shut(&self, account: usize, now: f64) -> Option<(f64, f64)> {
        let shut = &self.shut[account];
        let begun = shut.partition_point(|(from, _)| *from <= now);
        let (from, until) = shut.get(begun.checked_sub(1)?)?;
        (now < *until).then_some((*from, *until))
    }
}

impl World for Observed<'_> {
    fn requests(&self) -> usize {
        self.requests.len()
    }

    fn request(&self, number: usize) -> Request {
        let recorded = self.requests[number];
        Request {
            at: recorded.at,
            session: recorded.session,
            tools: has_tools(recorded.needs),
            stream: recorded.stream,
            prompt_tokens: recorded.prompt_tokens,
        }
    }

    fn candidates(&self) -> usize {
        self.candidates.len()
    }

    fn accounts(&self) -> usize {
        self.shut.len()
    }

    fn account(&self, candidate: usize) -> usize {
        self.trace.accounts[candidate]
    }

    fn able(&self, number: usize) -> Vec<usize> {
        let request = self.requests[number];
        let asked = |n: &usize| request.tries.iter().any(|one| one.candidate == *n);
        let able = |n: &usize| asked(n) || self.candidates[*n].can(request);
        let mut able: Vec<_> = (0..self.candidates.len()).filter(able).collect();
        able.sort_by_key(|n| self.place(*n, request.at));
        able
    }

    fn place(&self, candidate: usize, now: f64) -> Place {
        let Stands { tier, place, .. } = self.stands(candidate, now);
        Place {
            tier,
            place,
            rank: self.rank(tier, place),
        }
    }

    fn asks(&mut self, attempt: &Attempt, nth: usize, _is_warm: bool) -> Outcome {
        let request = self.requests[attempt.request];
        let own = request.tries.iter();
        let mut own = own.filter(|one| one.candidate == attempt.candidate);
        if let Some(outcome) = own.nth(nth).and_then(|one| one.outcome(attempt.at)) {
            self.near.recorded += 1;
            return outcome;
        }
        if let Some((from, until)) = self.is_shut(attempt.account, attempt.at) {
            self.near.seconds.push(attempt.at - from);
            let failure = Failure::Account { until };
            return Outcome::Fails {
                after: REFUSAL,
                failure,
            };
        }
        let seen = &self.candidates[attempt.candidate];
        let Some((away, look)) = seen.look(attempt) else {
            // It was asked, and nothing came of it that tells anything.
            return Outcome::Fails {
                after: REFUSAL,
                failure: Failure::Refused,
            };
        };
        self.near.seconds.push(away);
        look.outcome(request)
    }
}

/// How long an account takes to refuse, in seconds.
const REFUSAL: f64 = 0.15;

impl Quotas for &Observed<'_> {
    fn draws(&mut self, _candidate: usize, _now: f64) {
        // How far quotas were used is taken as it was.
    }

    fn tight(&self, candidate: usize, now: f64) -> f64 {
        self.stands(candidate, now).tight
    }

    fn day_left(&self, candidate: usize, now: f64) -> Option<f64> {
        self.stands(candidate, now).day_left
    }
}

impl Try {
    /// What it came to, as if it had begun now; `None` where its client did not wait for that.
    fn outcome(&self, now: f64) -> Option<Outcome> {
        let after = self.total;
        let failure = match self.end {
            End::Answered { breaks } => {
                return Some(Outcome::Speaks {
                    first: self.first.unwrap_or(self.total),
                    total: self.total,
                    breaks,
                });
            }
            End::Left { .. } => return None,
            End::Failed(Failure::Late) => return Some(late(after)),
            End::Failed(failure) => failure,
            End::OfAccount(wait) => Failure::Account {
                until: now + after + wait,
            },
        };
        Some(Outcome::Fails { after, failure })
    }
}

/// What would have become of an attempt that was given up after so many seconds.
fn late(after: f64) -> Outcome {
    Outcome::Speaks {
        first: SILENCE * after,
        total: SILENCE * after,
        breaks: false,
    }
}

impl Seen {
    fn sees(&mut self, request: &Recorded, one: &Try, began: f64) {
        let stands = Stands {
            tier: one.tier,
            place: one.place,
            tight: one.tight,
            day_left: one.day_left,
        };
        self.stands.push((began, stands));
        self.context = one.context.or(self.context);
        let look = match one.end {
            End::Answered { .. } | End::Left { had_begun: true } => Look::Answers {
                first: one.first.unwrap_or(one.total),
                total: one.total,
                breaks: matches!(one.end, End::Answered { breaks: true }),
                output_tokens: one.output_tokens.filter(|tokens| *tokens > 0),
            },
            End::Failed(Failure::Late) => Look::Answers {
                first: SILENCE * one.total,
                total: SILENCE * one.total,
                breaks: false,
                output_tokens: None,
            },
            // It says nothing of any other request.
            End::Failed(Failure::Refused) | End::Left { .. } | End::OfAccount(_) => return,
            End::Failed(failure) => Look::Fails {
                after: one.total,
                failure,
            },
        };
        self.needs.insert(request.needs);
        let [streams, plain] = &mut self.looks;
        let is_answer = matches!(look, Look::Answers { .. });
        if request.stream || !is_answer {
            streams.push((began, look));
        }
        if !request.stream || !is_answer {
            plain.push((began, look));
        }
    }

    fn sort(&mut self) {
        self.stands.sort_by(|a, b| a.0.total_cmp(&b.0));
        for looks in &mut self.looks {
            looks.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
    }

    /// Whether it can serve a request, as far as it was seen to.
    fn can(&self, request: &Recorded) -> bool {
        let fits = self
            .context
            .is_none_or(|context| request.prompt_tokens <= context);
        let has = |seen: &u16| seen & request.needs == request.needs;
        fits && self.needs.iter().any(has)
    }

    /// What an attempt would be like, and how many seconds away that was seen.
    fn look(&self, attempt: &Attempt) -> Option<(f64, Look)> {
        let [streams, plain] = &self.looks;
        let (own, other) = if attempt.stream {
            (streams, plain)
        } else {
            (plain, streams)
        };
        let looks = if own.is_empty() { other } else { own };
        let (at, look) = drawn(looks, attempt)?;
        let after = looks.partition_point(|(at, _)| *at <= attempt.at);
        let around = after
            .checked_sub(1)
            .and_then(|before| looks.get(before))
            .zip(looks.get(after));
        let between = around.and_then(|(before, behind)| between(*before, *behind, attempt.at));
        let look = match (look, between) {
            (
                Look::Answers {
                    first,
                    total,
                    breaks,
                    output_tokens,
                },
                Some(between),
            ) => Look::Answers {
                first: between,
                total: between + (total - first),
                breaks,
                output_tokens,
            },
            (look, _) => look,
        };
        Some(((at - attempt.at).abs(), look))
    }
}

/// The first token at a moment between two answers.
fn between(before: (f64, Look), behind: (f64, Look), at: f64) -> Option<f64> {
    let ((from, before), (to, behind)) = (before, behind);
    let (Look::Answers { first: a, .. }, Look::Answers { first: b, .. }) = (before, behind) else {
        return None;
    };
    let part = (at - from) / (to - from).max(f64::EPSILON);
    Some((b - a).mul_add(part, a))
}

impl Look {
    /// What it comes to for a request: an answer of its own length, where that is known.
    #[expect(clippy::cast_precision_loss, reason = "tokens of one answer")]
    fn outcome(self, request: &Recorded) -> Outcome {
        match self {
            Self::Fails { after, failure } => Outcome::Fails { after, failure },
            Self::Answers {
                first,
                total,
                breaks,
                output_tokens,
            } => {
                let own = request.tries.iter().rev().find_map(|one| one.output_tokens);
                let longer = match (own, output_tokens) {
                    (Some(own), Some(seen)) if !breaks => {
                        (own as f64 / seen as f64).clamp(0.1, 10.0)
                    }
                    _ => 1.0,
                };
                Outcome::Speaks {
                    first,
                    total: first + (total - first) * longer,
                    breaks,
                }
            }
        }
    }
}

/// Attempts among which one is drawn. The nearest alone would say that a model that was left alone because
/// it failed once goes on failing until it was asked again.
const FEW: usize = 9;

/// One of the few that are nearest to a moment, by lot: the same for the same attempt.
fn drawn(looks: &[(f64, Look)], attempt: &Attempt) -> Option<(f64, Look)> {
    let behind = looks.partition_point(|(at, _)| *at <= attempt.at);
    let (mut from, mut to) = (behind, behind);
    while to - from < FEW && (from > 0 || to < looks.len()) {
        let before = from.checked_sub(1).and_then(|n| looks.get(n));
        let before = before.map_or(f64::INFINITY, |(at, _)| attempt.at - at);
        let after = looks
            .get(to)
            .map_or(f64::INFINITY, |(at, _)| at - attempt.at);
        if after < before {
            to += 1;
        } else {
            from -= 1;
        }
    }
    let lot = lot(attempt) % (to - from).max(1);
    looks.get(from + lot).copied()
}

/// A number that is as good as drawn, and the same for the same attempt.
fn lot(attempt: &Attempt) -> usize {
    let mut hash = SipHasher13::new();
    hash.write_usize(attempt.request);
    hash.write_usize(attempt.candidate);
    usize::try_from(hash.finish() >> 33).unwrap_or_default()
}

/// The one of these that is nearest to a moment.
fn nearest<T: Copy>(seen: &[(f64, T)], at: f64) -> Option<(f64, T)> {
    let after = seen.partition_point(|(other, _)| *other <= at);
    let behind = seen.get(after);
    let before = after.checked_sub(1).and_then(|before| seen.get(before));
    match (before, behind) {
        (Some(before), Some(behind)) if behind.0 - at < at - before.0 => Some(*behind),
        (before, behind) => before.or(behind).copied(),
    }
}

/// Times in which an account refuses everything, one after the other; each ends no later than when it was
/// next asked and answered.
fn open_again(shut: &mut Vec<(f64, f64)>, well: &[f64]) {
    shut.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(shut.len());
    for (from, until) in shut.drain(..) {
        let next = well.partition_point(|at| *at <= from);
        let until = well.get(next).map_or(until, |at| until.min(*at));
        if let Some(last) = merged.last_mut()
            && from <= last.1
        {
            last.1 = last.1.max(until);
        } else {
            merged.push((from, until));
        }
    }
    *shut = merged;
}
