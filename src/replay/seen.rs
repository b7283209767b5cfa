//! What a trace shows about one candidate: its place and its attempts, by time.

use std::collections::HashSet;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::trace::{End, Recorded, Try};
use super::{Attempt, Failure, Outcome};

/// An attempt given up while silent is assumed to have taken this many times as long (spec §11.1).
pub(super) const SILENCE: f64 = 1.5;

/// What is known about one candidate.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its place in the order and its quota, by time.
    pub(super) stands: Vec<(f64, Stands)>,
    /// Its tier and place, and from when on.
    places: Vec<(f64, (u32, u32))>,
    /// How its attempts ended, by time: those for streams, and those for plain answers. Failures are in both.
    looks: [Vec<(f64, Look)>; 2],
    /// The sets of needs that it did not refuse.
    needs: HashSet<u16>,
    /// Its context window, in tokens, if known.
    context: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stands {
    pub(super) tier: u32,
    pub(super) place: u32,
    pub(super) tight: f64,
    pub(super) day_left: Option<f64>,
}

impl Stands {
    /// Those of a candidate of which nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        tier: u32::MAX,
        place: 0,
        tight: 0.0,
        day_left: None,
    };
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
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

impl Seen {
    pub(super) fn sees(&mut self, request: &Recorded, one: &Try, began: f64) {
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
            // It says nothing about any other request.
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

    pub(super) fn sort(&mut self) {
        self.stands.sort_by(|a, b| a.0.total_cmp(&b.0));
        for looks in &mut self.looks {
            looks.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let mut before = f64::NEG_INFINITY;
        for (at, Stands { tier, place, .. }) in &self.stands {
            let now = (*tier, *place);
            if self.places.last().is_none_or(|(_, last)| *last != now) {
                // In the middle between two attempts the later one becomes the nearest.
                self.places.push((f64::midpoint(before, *at), now));
            }
            before = *at;
        }
    }

    /// Its tier and place at a moment: those of the nearest attempt.
    pub(super) fn place(&self, now: f64) -> (u32, u32) {
        let begun = self.places.partition_point(|(from, _)| *from < now);
        let place = begun.checked_sub(1).and_then(|last| self.places.get(last));
        let Stands {
            tier,
            place: unknown,
            ..
        } = Stands::UNKNOWN;
        place.map_or((tier, unknown), |(_, place)| *place)
    }

    /// When it moves to another place.
    pub(super) fn moves(&self) -> impl Iterator<Item = f64> {
        self.places.iter().skip(1).map(|(from, _)| *from)
    }

    /// Whether it can serve a request, as far as the trace shows.
    pub(super) fn can(&self, request: &Recorded) -> bool {
        let fits = self
            .context
            .is_none_or(|context| request.prompt_tokens <= context);
        let has = |seen: &u16| seen & request.needs == request.needs;
        fits && self.needs.iter().any(has)
    }

    /// How an attempt would end, and how many seconds away that was observed.
    pub(super) fn look(&self, attempt: &Attempt) -> Option<(f64, Look)> {
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

/// The time to the first token at a moment between two answers, interpolated.
fn between(before: (f64, Look), behind: (f64, Look), at: f64) -> Option<f64> {
    let ((from, before), (to, behind)) = (before, behind);
    let (Look::Answers { first: a, .. }, Look::Answers { first: b, .. }) = (before, behind) else {
        return None;
    };
    let part = (at - from) / (to - from).max(f64::EPSILON);
    Some((b - a).mul_add(part, a))
}

impl Look {
    /// The outcome for a request: an answer of that request's own length, if known.
    #[expect(clippy::cast_precision_loss, reason = "tokens of one answer")]
    pub(super) fn outcome(self, request: &Recorded) -> Outcome {
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

/// How many of the nearest attempts one is drawn from. With the nearest alone, a model that was left alone
/// after one failure would keep failing until it was asked again.
const FEW: usize = 9;

/// One of the few nearest to a moment, at random: the same for the same attempt.
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

/// A pseudorandom number, the same for the same attempt.
fn lot(attempt: &Attempt) -> usize {
    let mut hash = SipHasher13::new();
    hash.write_usize(attempt.request);
    hash.write_usize(attempt.candidate);
    usize::try_from(hash.finish() >> 33).unwrap_or_default()
}

/// The one nearest to a moment.
pub(super) fn nearest<T: Copy>(seen: &[(f64, T)], at: f64) -> Option<(f64, T)> {
    let after = seen.partition_point(|(other, _)| *other <= at);
    let behind = seen.get(after);
    let before = after.checked_sub(1).and_then(|before| seen.get(before));
    match (before, behind) {
        (Some(before), Some(behind)) if behind.0 - at < at - before.0 => Some(*behind),
        (before, behind) => before.or(behind).copied(),
    }
}
