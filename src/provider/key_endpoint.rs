//! What the upstream's key endpoint says about the key and the day's free requests
//! (`docs/upstream.md` §7). Pure.

use crate::json::{self, Kind, Raw};

/// The result of `GET {base}/key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySaid {
    /// The key is accepted.
    Accepted {
        /// The free requests of the day, if reported.
        today: Option<Today>,
    },
    /// The key is refused.
    Refused {
        /// The status of the refusal.
        status: u16,
    },
    /// Neither: no such endpoint, an outage, an unrelated page.
    Nothing,
}

/// The free requests of one UTC day. A hint, not a meter: OpenRouter's own count lags behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Today {
    /// How many there are.
    pub limit: u64,
    /// How many were used, by everything that uses the account.
    pub used: u64,
    /// How many are left.
    pub remaining: u64,
}

/// No account has more, and a larger number is nonsense.
const MOST: u64 = 1_000_000_000;

impl KeySaid {
    /// Reads one answer. It is untrusted until here: anything absurd says nothing.
    #[must_use]
    pub fn read(status: u16, body: &[u8]) -> Self {
        match status {
            200 => {}
            401 | 403 => return Self::Refused { status },
            _ => return Self::Nothing,
        }
        let data = Raw::parse(body, json::MAX_DEPTH)
            .ok()
            .and_then(|body| body.get("data"))
            .filter(|data| data.kind() == Kind::Object);
        match data {
            Some(data) => Self::Accepted {
                today: data.get("free_model_daily_requests").and_then(today),
            },
            None => Self::Nothing,
        }
    }
}

fn today(told: Raw<'_>) -> Option<Today> {
    let number = |name| told.get(name).map(Raw::as_u64);
    // A number that is present must be plausible, or none of it is.
    let within = |number: Option<Option<u64>>| match number {
        None => Some(None),
        Some(number) => number.filter(|n| *n <= MOST).map(Some),
    };
    let limit = within(number("limit"))?.filter(|limit| *limit > 0)?;
    let (used, remaining) = match (within(number("used"))?, within(number("remaining"))?) {
        (Some(used), Some(remaining)) => (used, remaining),
        (Some(used), None) => (used, limit.saturating_sub(used)),
        (None, Some(remaining)) => (limit.saturating_sub(remaining), remaining),
        (None, None) => return None,
    };
    // More than the limit is used where refused requests are counted too. Numbers that contradict each other
    // say nothing, but each may be rounded.
    let apart = limit.saturating_sub(used).abs_diff(remaining);
    (remaining <= limit && apart <= 1).then_some(Today {
        limit,
        used,
        remaining,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_5_the_key_endpoint_is_read_where_it_makes_sense() {
        let accepted = |today: Option<(u64, u64, u64)>| KeySaid::Accepted {
            today: today.map(|(limit, used, remaining)| Today {
                limit,
                used,
                remaining,
            }),
        };
        let told = |requests: &str| {
            format!(r#"{{"data":{{"label":"x","free_model_daily_requests":{requests}}}}}"#)
        };
        #[rustfmt::skip]
        let rows: Vec<(u16, String, KeySaid)> = vec![
            (200, told(r#"{"used":2,"limit":50,"remaining":48}"#),        accepted(Some((50, 2, 48)))),
            (200, told(r#"{"used":2,"limit":50}"#),                       accepted(Some((50, 2, 48)))),
            (200, told(r#"{"limit":50,"remaining":48}"#),                 accepted(Some((50, 2, 48)))),
            (200, told(r#"{"used":1060,"limit":1000,"remaining":0}"#),    accepted(Some((1000, 1060, 0)))),
            (200, told(r#"{"used":1060,"limit":1000}"#),                  accepted(Some((1000, 1060, 0)))),
            (200, told(r#"{"limit":50}"#),                                accepted(None)),
            (200, told(r#"{"used":-1,"limit":50,"remaining":51}"#),       accepted(None)),
            (200, told(r#"{"used":1e30,"limit":50,"remaining":0}"#),      accepted(None)),
            (200, told(r#"{"used":0,"limit":0,"remaining":0}"#),          accepted(None)),
            (200, told(r#"{"used":0,"limit":50,"remaining":60}"#),        accepted(None)),
            // They contradict each other.
            (200, told(r#"{"used":1,"limit":50,"remaining":0}"#),         accepted(None)),
            (200, told(r#"{"used":50,"limit":50,"remaining":50}"#),       accepted(None)),
            (200, told(r#"{"used":60,"limit":50,"remaining":10}"#),       accepted(None)),
            (200, told(r#"{"used":2,"limit":50,"remaining":46}"#),        accepted(None)),
            (200, told(r#"{"used":2,"limit":50,"remaining":47}"#),        accepted(Some((50, 2, 47)))),
            (200, told(r#"{"used":2,"limit":50,"remaining":-48}"#),       accepted(None)),
            (200, told(r#"{"used":2,"limit":-50,"remaining":0}"#),        accepted(None)),
            (200, told(r#"{"used":"2","limit":"50","remaining":"48"}"#),  accepted(None)),
            (200, told("null"),                                           accepted(None)),
            (200, told("[]"),                                             accepted(None)),
            (200, r#"{"data":{}}"#.into(),                                accepted(None)),
            (200, r#"{"data":[]}"#.into(),                                KeySaid::Nothing),
            (200, "<html>".into(),                                        KeySaid::Nothing),
            (200, "[".repeat(100_000),                                    KeySaid::Nothing),
            (401, "".into(),                                              KeySaid::Refused { status: 401 }),
            (403, "".into(),                                              KeySaid::Refused { status: 403 }),
            (404, "".into(),                                              KeySaid::Nothing),
            (429, "".into(),                                              KeySaid::Nothing),
            (302, "".into(),                                              KeySaid::Nothing),
            (500, told(r#"{"used":2,"limit":50,"remaining":48}"#),        KeySaid::Nothing),
        ];
        for (status, body, expected) in rows {
            assert_eq!(
                KeySaid::read(status, body.as_bytes()),
                expected,
                "{status} {:.99}",
                body
            );
        }
    }
}
