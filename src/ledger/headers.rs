//! Quota headers of a successful answer (reference §5): one parser for all spellings.
//!
//! Pure. Values that make no sense are skipped, header by header.

mod reset;

use std::time::Duration;

use http::HeaderMap;

use super::{Counted, Per, Unit};
use crate::clock::Now;
use crate::model::ProviderId;

/// No limit is larger; a larger number is nonsense.
const MOST: u64 = 1_000_000_000_000;

/// What headers say about one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// What is counted.
    pub unit: Unit,
    /// Within which window.
    pub per: Per,
    /// Who shares it, if the header says so.
    pub of: Option<Counted>,
    /// How much there is.
    pub limit: Option<u64>,
    /// How much of it is left.
    pub remaining: Option<u64>,
    /// How long until all of it is back.
    pub reset: Option<Duration>,
}

/// The windows that a provider's `x-ratelimit-limit-requests` and `-tokens`, which name none, refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaHeaders {
    /// The window of `-requests`.
    pub requests: Per,
    /// The window of `-tokens`.
    pub tokens: Per,
}

impl QuotaHeaders {
    /// As `OpenAI` uses them, and providers whose row says nothing else.
    pub const USUAL: Self = Self {
        requests: Per::Minute,
        tokens: Per::Minute,
    };

    /// For a provider.
    #[must_use]
    pub fn of(provider: &ProviderId) -> Self {
        match provider.as_str() {
            "groq" => Self {
                requests: Per::Day,
                ..Self::USUAL
            },
            _ => Self::USUAL,
        }
    }
}

/// A family of headers about one bucket.
struct Family {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
    unit: Unit,
    /// `None`: the provider's row says which.
    per: Option<Per>,
    of: Option<Counted>,
}

macro_rules! usual {
    ($what:literal, $unit:expr, $per:expr) => {
        Family {
            limit: concat!("x-ratelimit-limit-", $what),
            remaining: concat!("x-ratelimit-remaining-", $what),
            reset: concat!("x-ratelimit-reset-", $what),
            unit: $unit,
            per: $per,
            of: None,
        }
    };
}

const FAMILIES: [Family; 13] = [
    usual!("requests", Unit::Requests, None),
    usual!("tokens", Unit::Tokens, None),
    // Cerebras.
    usual!("requests-minute", Unit::Requests, Some(Per::Minute)),
    usual!("requests-hour", Unit::Requests, Some(Per::Hour)),
    usual!("requests-day", Unit::Requests, Some(Per::Day)),
    usual!("tokens-minute", Unit::Tokens, Some(Per::Minute)),
    usual!("tokens-hour", Unit::Tokens, Some(Per::Hour)),
    usual!("tokens-day", Unit::Tokens, Some(Per::Day)),
    // Mistral; its tokens per minute are spelt as above.
    usual!("req-minute", Unit::Requests, Some(Per::Minute)),
    usual!("req-month", Unit::Requests, Some(Per::Month)),
    usual!("tokens-month", Unit::Tokens, Some(Per::Month)),
    // ModelScope, which reports no reset.
    Family {
        limit: "modelscope-ratelimit-requests-limit",
        remaining: "modelscope-ratelimit-requests-remaining",
        reset: "modelscope-ratelimit-requests-reset",
        unit: Unit::Requests,
        per: Some(Per::Day),
        of: Some(Counted::Account),
    },
    Family {
        limit: "modelscope-ratelimit-model-requests-limit",
        remaining: "modelscope-ratelimit-model-requests-remaining",
        reset: "modelscope-ratelimit-model-requests-reset",
        unit: Unit::Requests,
        per: Some(Per::Day),
        of: Some(Counted::Model),
    },
];

/// Everything that one answer's headers say about quotas.
#[must_use]
pub fn read_headers(bare: QuotaHeaders, headers: &HeaderMap, now: Now) -> Vec<Correction> {
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let read = |family: &Family| {
        let limit = told(family.limit).and_then(count).filter(|n| *n > 0);
        let remaining = told(family.remaining).and_then(count);
        if limit.is_none() && remaining.is_none() {
            return None;
        }
        // More remains than there is.
        if limit
            .zip(remaining)
            .is_some_and(|(limit, left)| left > limit)
        {
            return None;
        }
        let bare = if family.unit == Unit::Requests {
            bare.requests
        } else {
            bare.tokens
        };
        // Which window a bare name refers to is an assumption, which bounds nothing.
        let most = family.per.and_then(Per::lasts);
        let is_possible = |reset: &Duration| most.is_none_or(|most| *reset <= most);
        let reset = told(family.reset).and_then(|text| reset::read(text, now));
        Some(Correction {
            unit: family.unit,
            per: family.per.unwrap_or(bare),
            of: family.of,
            limit,
            remaining,
            reset: reset.filter(is_possible),
        })
    };
    FAMILIES.iter().filter_map(read).collect()
}

/// A whole number in a plausible range.
fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    let is_plain = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let number = is_plain.then(|| text.parse().ok()).flatten();
    number.filter(|number| *number <= MOST)
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use super::*;

    fn now() -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        }
    }

    fn read(provider: &str, pairs: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        let bare = QuotaHeaders::of(&ProviderId::try_from(provider).unwrap());
        let all = read_headers(bare, &headers, now());
        let spelt = all.iter().map(|one| {
            let number = |n: Option<u64>| n.map_or("-".into(), |n| n.to_string());
            format!(
                "{:?}/{:?}{} {}/{} {}",
                one.unit,
                one.per,
                one.of.map_or(String::new(), |of| format!(" of {of:?}")),
                number(one.remaining),
                number(one.limit),
                number(one.reset.map(|reset| reset.as_secs())),
            )
        });
        spelt.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn s10_5_every_spelling_of_quota_headers() {
        const LIMIT: &str = "x-ratelimit-limit-requests";
        const LEFT: &str = "x-ratelimit-remaining-requests";
        const RESET: &str = "x-ratelimit-reset-requests";
        type Row = (
            &'static str,
            &'static [(&'static str, &'static str)],
            &'static str,
        );
        #[rustfmt::skip]
        let rows: [Row; 28] = [
            ("groq", &[(LIMIT, "1000"), (LEFT, "0"), (RESET, "2m59.56s")],   "Requests/Day 0/1000 180"),
            ("groq", &[(LIMIT, "1000"), (LEFT, "0"), (RESET, "1h2m3s")],     "Requests/Day 0/1000 3723"),
            ("groq", &[("x-ratelimit-limit-tokens", "8000"), ("x-ratelimit-remaining-tokens", "150"), ("x-ratelimit-reset-tokens", "58.8s")],
                                                                             "Tokens/Minute 150/8000 59"),
            ("groq", &[(LIMIT, "14400"), (LEFT, "14399")],                   "Requests/Day 14399/14400 -"),
            ("groq", &[(LIMIT, "700")],                                      "Requests/Day -/700 -"),
            ("mistral", &[("x-ratelimit-limit-req-minute", "5"), ("x-ratelimit-remaining-req-minute", "0")],
                                                                             "Requests/Minute 0/5 -"),
            ("mistral", &[("x-ratelimit-limit-tokens-minute", "500000"), ("x-ratelimit-remaining-tokens-minute", "499000"), ("x-ratelimit-tokens-query-cost", "1000")],
                                                                             "Tokens/Minute 499000/500000 -"),
            ("cerebras", &[("x-ratelimit-limit-requests-day", "14400"), ("x-ratelimit-remaining-requests-day", "0"), ("x-ratelimit-reset-requests-day", "4021.7")],
                                                                             "Requests/Day 0/14400 4022"),
            ("modelscope", &[("modelscope-ratelimit-requests-limit", "2000"), ("modelscope-ratelimit-requests-remaining", "1999"), ("modelscope-ratelimit-model-requests-limit", "500"), ("modelscope-ratelimit-model-requests-remaining", "499")],
                                                                             "Requests/Day of Account 1999/2000 -; Requests/Day of Model 499/500 -"),
            // No quota comes back later than its window ends, where that is named.
            ("cerebras", &[("x-ratelimit-limit-requests-minute", "30"), ("x-ratelimit-remaining-requests-minute", "0"), ("x-ratelimit-reset-requests-minute", "61")],
                                                                             "Requests/Minute 0/30 61"),
            ("cerebras", &[("x-ratelimit-limit-requests-minute", "30"), ("x-ratelimit-remaining-requests-minute", "0"), ("x-ratelimit-reset-requests-minute", "80000")],
                                                                             "Requests/Minute 0/30 -"),
            ("my-box", &[(LIMIT, "60"), (LEFT, "0"), (RESET, "1h")],         "Requests/Minute 0/60 3600"),
            // A provider whose row says nothing else means what OpenAI means.
            ("my-box", &[(LIMIT, "60"), (LEFT, "59"), (RESET, "1s")],        "Requests/Minute 59/60 1"),
            ("my-box", &[],                                                  ""),
            ("my-box", &[("x-ratelimit-limit", "60")],                       ""),
            ("groq", &[(LEFT, "3")],                                         "Requests/Day 3/- -"),
            // Absurd values are skipped, along with what depends on them.
            ("groq", &[(LIMIT, "-5"), (LEFT, "3")],                          "Requests/Day 3/- -"),
            ("groq", &[(LIMIT, "1e30")],                                     ""),
            ("groq", &[(LIMIT, "0")],                                        ""),
            ("groq", &[(LIMIT, "99999999999999999999999")],                  ""),
            ("groq", &[(LIMIT, "9999999999999")],                            ""),
            ("groq", &[(LIMIT, "ten")],                                      ""),
            ("groq", &[(LIMIT, "10"), (LEFT, "11")],                         ""),
            ("groq", &[(LIMIT, "10"), (LEFT, "-1")],                         "Requests/Day -/10 -"),
            ("groq", &[(LIMIT, "10"), (LEFT, "0"), (RESET, "-3s")],          "Requests/Day 0/10 -"),
            ("groq", &[(LIMIT, "10"), (LEFT, "0"), (RESET, "1e30")],         "Requests/Day 0/10 -"),
            ("groq", &[(LIMIT, "10"), (LEFT, "0"), (RESET, "1799999999")],   "Requests/Day 0/10 -"),
            ("groq", &[(LIMIT, "10"), (LEFT, "0"), (RESET, "1800000060")],   "Requests/Day 0/10 60"),
        ];
        for (provider, pairs, expected) in rows {
            assert_eq!(read(provider, pairs), expected, "{provider} {pairs:?}");
        }
    }
}
