//! What one request draws from the buckets: estimated before it is sent, known afterwards.

use serde::{Deserialize, Serialize};

use super::Unit;

/// No context window or answer is larger; a larger number is nonsense.
const MOST_TOKENS: u64 = 100_000_000;

/// The longest answer ever guessed, in tokens.
const LONGEST_GUESS: u64 = 32_768;

/// The share of the sums kept with each answer: about the last five dominate.
const KEPT: f64 = 0.8;

/// What is known about a request before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The size of its prompt, in bytes.
    pub prompt_bytes: u64,
    /// The longest answer that it allows, in tokens.
    pub max_tokens: Option<u64>,
}

/// What a request has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// The provider reported it.
    Told {
        /// Tokens of the prompt.
        tokens_in: u64,
        /// Tokens of the answer.
        tokens_out: u64,
    },
    /// The provider did not report it: the estimate counts, and what was received.
    Received {
        /// Bytes of the answer's text.
        bytes: u64,
    },
}

/// What is drawn from buckets, by unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
    /// The part of `tokens_out` that the provider counts beforehand; the rest is a guess.
    pub(super) promised: u64,
}

impl Charge {
    pub(super) fn of(self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests | Unit::AtOnce => 1,
            Unit::Tokens => self.tokens_in.saturating_add(self.tokens_out),
            Unit::TokensIn => self.tokens_in,
            Unit::TokensOut => self.tokens_out,
            Unit::Neurons => neurons(self.tokens_in, self.tokens_out),
        }
    }

    /// How much of it was used when the request was sent, and how much as the answer came: a provider counts
    /// the answer's tokens as they are produced, except those that it counted beforehand.
    pub(super) fn by_time(self, estimated: Self, unit: Unit) -> (u64, u64) {
        let sent = Self {
            tokens_out: self.tokens_out.min(estimated.promised),
            ..self
        };
        let sent = sent.of(unit);
        (sent, self.of(unit).saturating_sub(sent))
    }

    /// What it needs of a token limit by itself, leaving out guesses.
    pub(super) fn alone(self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Tokens => Some(self.tokens_in.saturating_add(self.promised)),
            Unit::TokensIn => Some(self.tokens_in),
            Unit::TokensOut => Some(self.promised),
            Unit::Requests | Unit::Neurons | Unit::AtOnce => None,
        }
    }
}

/// Cloudflare does not report neurons. By its price list of 2025, a million tokens cost its large models
/// some 32,000 neurons in and 68,000 out: a guess that is only good enough to put it behind in time.
fn neurons(tokens_in: u64, tokens_out: u64) -> u64 {
    let thousandths = tokens_in
        .saturating_mul(32)
        .saturating_add(tokens_out.saturating_mul(68));
    thousandths.div_ceil(1000).max(1)
}

/// An offer's ratio of real prompt tokens to prompt bytes / 4, and the usual length of its answers, which
/// hardly depends on the prompt's length; both decay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ratio {
    estimated: f64,
    tokens_in: f64,
    answers: f64,
    tokens_out: f64,
}

/// The estimated prompt tokens when nothing is known about the offer.
fn plain(ask: Ask) -> u64 {
    (ask.prompt_bytes / 4).clamp(1, MOST_TOKENS)
}

impl Ratio {
    /// What a request will draw. If the provider counts `max_tokens`, the answer is assumed to be that long.
    pub(super) fn estimate(self, ask: Ask, counts_max_tokens: bool) -> Charge {
        let plain = plain(ask);
        let max_tokens = ask.max_tokens.map(|most| most.min(MOST_TOKENS));
        let promised = max_tokens.filter(|_| counts_max_tokens);
        let (tokens_in, guess) = if self.answers > 0.0 {
            let ratio = (self.tokens_in / self.estimated).clamp(1.0 / 16.0, 16.0);
            let guess = scale(1, self.tokens_out / self.answers);
            (scale(plain, ratio).max(1), guess.min(LONGEST_GUESS))
        } else {
            (plain, 0)
        };
        let guess = guess.min(max_tokens.unwrap_or(LONGEST_GUESS));
        Charge {
            tokens_in,
            tokens_out: promised.unwrap_or(guess),
            promised: promised.unwrap_or(0),
        }
    }

    /// What it drew in the end; reported usage updates the ratio.
    pub(super) fn settle(&mut self, ask: Ask, estimated: Charge, used: Used) -> Charge {
        match used {
            Used::Told {
                tokens_in,
                tokens_out,
            } => {
                let real = Charge {
                    tokens_in: tokens_in.min(MOST_TOKENS),
                    tokens_out: tokens_out.min(MOST_TOKENS),
                    promised: 0,
                };
                if real.tokens_in > 0 {
                    self.learn(plain(ask), real);
                }
                real
            }
            Used::Received { bytes } => Charge {
                tokens_in: estimated.tokens_in,
                tokens_out: (bytes / 4).min(MOST_TOKENS),
                promised: 0,
            },
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "both are far below 2^52, see MOST_TOKENS"
    )]
    fn learn(&mut self, plain: u64, real: Charge) {
        for (sum, new) in [
            (&mut self.estimated, plain),
            (&mut self.tokens_in, real.tokens_in),
            (&mut self.answers, 1),
            (&mut self.tokens_out, real.tokens_out),
        ] {
            *sum = *sum * KEPT + new as f64;
        }
    }
}

/// The same as it outlives the process: `estimated`, `tokens_in`, `answers`, `tokens_out`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedRatio(f64, f64, f64, f64);

impl Ratio {
    /// `None` if nothing is known.
    pub(super) fn save(self) -> Option<SavedRatio> {
        let rounded = |sum: f64| (sum * 1000.0).round() / 1000.0;
        (self.answers > 0.0).then(|| {
            SavedRatio(
                rounded(self.estimated),
                rounded(self.tokens_in),
                rounded(self.answers),
                rounded(self.tokens_out),
            )
        })
    }
}

impl SavedRatio {
    /// `None` if that cannot have been learnt.
    #[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
    pub(super) fn back(self) -> Option<Ratio> {
        let Self(estimated, tokens_in, answers, tokens_out) = self;
        // Each answer adds one to its sum, of which a share is kept with the next.
        const MOST_ANSWERS: f64 = 1.0 / (1.0 - KEPT) + 0.001;
        let is_sum = |sum: &f64| (0.0..=MOST_ANSWERS * MOST_TOKENS as f64).contains(sum);
        let are_sums = [estimated, tokens_in, tokens_out].iter().all(is_sum);
        let is_known = (1.0..=MOST_ANSWERS).contains(&answers) && estimated >= 1.0;
        (are_sums && is_known).then_some(Ratio {
            estimated,
            tokens_in,
            answers,
            tokens_out,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a float cast saturates, and tokens are far below 2^52"
)]
fn scale(tokens: u64, by: f64) -> u64 {
    ((tokens as f64 * by).ceil() as u64).min(MOST_TOKENS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tokens_in: u64, tokens_out: u64) -> Used {
        Used::Told {
            tokens_in,
            tokens_out,
        }
    }

    #[test]
    fn s10_5_tokens_are_estimated_and_corrected_by_real_usage() {
        let ask = |prompt_bytes, max_tokens| Ask {
            prompt_bytes,
            max_tokens,
        };
        type Row<'a> = (&'a [(u64, Used)], Ask, bool, (u64, u64));
        #[rustfmt::skip]
        let rows: [Row<'_>; 13] = [
            // real usage so far,                     request,             counts max_tokens, in, out
            (&[],                                     ask(40_000, None),       false, (10_000, 0)),
            (&[],                                     ask(40_000, Some(500)),  false, (10_000, 0)),
            (&[],                                     ask(40_000, Some(500)),  true,  (10_000, 500)),
            (&[],                                     ask(40_000, None),       true,  (10_000, 0)),
            (&[],                                     ask(0, None),            false, (1, 0)),
            (&[(4_000, told(500, 250))],              ask(40_000, None),       false, (5_000, 250)),
            (&[(4_000, told(500, 250))],              ask(40_000, Some(100)),  false, (5_000, 100)),
            (&[(4_000, told(500, 250))],              ask(40_000, Some(100)),  true,  (5_000, 100)),
            (&[(4_000, told(500, 250)); 9],           ask(40_000, None),       false, (5_000, 250)),
            // Nothing reported, nothing learnt.
            (&[(4_000, Used::Received { bytes: 9 })], ask(40_000, None),       false, (10_000, 0)),
            (&[(4_000, told(0, 0))],                  ask(40_000, None),       false, (10_000, 0)),
            // Absurd usage changes it by a factor of 16 at most.
            (&[(4_000, told(u64::MAX, u64::MAX))],    ask(400, None),          false, (1_600, LONGEST_GUESS)),
            (&[],                                     ask(u64::MAX, Some(u64::MAX)), true, (MOST_TOKENS, MOST_TOKENS)),
        ];
        for (so_far, next, counts, expected) in rows {
            let mut ratio = Ratio::default();
            for (bytes, used) in so_far {
                let sent = ask(*bytes, None);
                let estimated = ratio.estimate(sent, false);
                ratio.settle(sent, estimated, *used);
            }
            let charge = ratio.estimate(next, counts);
            assert_eq!(
                (charge.tokens_in, charge.tokens_out),
                expected,
                "{so_far:?} {next:?}"
            );
        }
    }

    #[test]
    fn s10_5_what_is_recent_counts_more() {
        let mut ratio = Ratio::default();
        let sent = Ask {
            prompt_bytes: 4_000,
            max_tokens: None,
        };
        for tokens in [2_000, 2_000, 500, 500, 500, 500, 500, 500] {
            ratio.settle(sent, Charge::default(), told(tokens, 0));
        }
        let tokens = ratio.estimate(sent, false).tokens_in;
        assert!((500..=800).contains(&tokens), "{tokens}");
    }

    #[test]
    fn s10_5_without_usage_the_estimate_and_the_bytes_received_count() {
        let sent = Ask {
            prompt_bytes: 400,
            max_tokens: Some(9),
        };
        let mut ratio = Ratio::default();
        let estimated = ratio.estimate(sent, true);
        let used = ratio.settle(sent, estimated, Used::Received { bytes: 80 });
        let units = [
            Unit::Requests,
            Unit::Tokens,
            Unit::TokensIn,
            Unit::TokensOut,
        ];
        assert_eq!(units.map(|unit| used.of(unit)), [1, 120, 100, 20]);
    }
}
