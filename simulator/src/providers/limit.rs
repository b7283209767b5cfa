//! A limit as scripts and providers' files write it, in the form of `CONFIG_FILE` (spec §10.1,
//! §10.5). Counting is in `quota.rs`.

use serde::Deserialize;
use serde::de::Error as _;

/// An amount of a unit within a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How much.
    pub amount: u64,
    /// Of what.
    pub unit: Unit,
    /// Within which window; none for [`Unit::AtOnce`].
    pub per: Option<Per>,
    /// Whether each model has it separately; else the account's requests share it.
    pub of_model: bool,
    /// When a fixed window ends; without it the window rolls.
    pub ends: Option<Ends>,
    /// The ids that it applies to, `*` matching any characters; empty for all.
    pub models: Vec<String>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens of prompt and answer together.
    Tokens,
    /// Tokens of the prompt.
    TokensIn,
    /// Tokens of the answer.
    TokensOut,
    /// Cloudflare's measure of work: here a twentieth of the tokens.
    Neurons,
    /// Concurrent requests.
    AtOnce,
}

/// A window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, starting on Monday if its end is fixed.
    Week,
    /// A calendar month if its end is fixed, else 30 days.
    Month,
    /// This many hours.
    Hours(u32),
}

/// The clock by which a fixed window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// UTC.
    Utc,
    /// California, with its daylight saving.
    Pacific,
    /// China.
    Shanghai,
}

impl Limit {
    /// This amount of a unit in a rolling window, for the account.
    #[must_use]
    pub fn new(amount: u64, unit: Unit, per: Per) -> Self {
        Self {
            amount,
            unit,
            per: Some(per),
            of_model: false,
            ends: None,
            models: Vec::new(),
        }
    }

    /// This many requests in a rolling window, for the account.
    #[must_use]
    pub fn requests(amount: u64, per: Per) -> Self {
        Self::new(amount, Unit::Requests, per)
    }

    /// This many tokens in a rolling window, for the account.
    #[must_use]
    pub fn tokens(amount: u64, per: Per) -> Self {
        Self::new(amount, Unit::Tokens, per)
    }

    /// This many concurrent requests, for the account.
    #[must_use]
    pub fn at_once(amount: u64) -> Self {
        Self {
            per: None,
            ..Self::new(amount, Unit::AtOnce, Per::Second)
        }
    }

    /// The same for each model separately.
    #[must_use]
    pub fn of_model(mut self) -> Self {
        self.of_model = true;
        self
    }

    /// The same in windows that end by this clock.
    #[must_use]
    pub fn ends(mut self, ends: Ends) -> Self {
        self.ends = Some(ends);
        self
    }

    /// The same for these ids only, `*` matching any characters.
    #[must_use]
    pub fn models(mut self, models: &[&str]) -> Self {
        self.models = models.iter().map(|model| (*model).to_owned()).collect();
        self
    }

    /// Whether a request for this model counts towards it.
    pub(crate) fn is_about(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| fits(pattern, model))
    }
}

/// Whether the pattern, with `*` for any characters, matches the whole text.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, rest)) => text.strip_prefix(front).is_some_and(|text| {
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| fits(rest, text.split_at(at).1))
        }),
    }
}

/// A limit as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    requests: Option<u64>,
    tokens: Option<u64>,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    neurons: Option<u64>,
    at_once: Option<u64>,
    per: Option<Per>,
    of: Option<String>,
    ends: Option<Ends>,
    #[serde(default)]
    models: Vec<String>,
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let named = [
            (written.requests, Unit::Requests),
            (written.tokens, Unit::Tokens),
            (written.tokens_in, Unit::TokensIn),
            (written.tokens_out, Unit::TokensOut),
            (written.neurons, Unit::Neurons),
            (written.at_once, Unit::AtOnce),
        ];
        let mut named = named
            .into_iter()
            .filter_map(|(amount, unit)| Some((amount?, unit)));
        let (Some((amount, unit)), None) = (named.next(), named.next()) else {
            return Err(D::Error::custom(
                "a limit has one of requests, tokens, tokens_in, tokens_out, neurons, at_once",
            ));
        };
        if (unit == Unit::AtOnce) != written.per.is_none() {
            return Err(D::Error::custom("a limit has `per`, unless it is at_once"));
        }
        let of_model = match written.of.as_deref() {
            Some("model") => true,
            // Every request comes from one address here.
            None | Some("account" | "address") => false,
            Some(_) => return Err(D::Error::custom("`of` is account, model or address")),
        };
        Ok(Self {
            amount,
            unit,
            per: written.per,
            of_model,
            ends: written.ends,
            models: written.models,
        })
    }
}
