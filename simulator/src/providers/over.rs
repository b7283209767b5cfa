//! How a provider reports its limits: an exceeded one in an error, the others in headers.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::answer::{Fill, Told};
use super::limit::{Per, Unit};
use super::quota::State;
use super::row::{Form, Provider, Stating};
use crate::act::Reply;

/// Why an account's limits refuse a request.
pub(super) struct Refused<'a> {
    pub(super) answer: Reply,
    pub(super) state: &'a State,
    pub(super) too_large: bool,
}

/// The refusal for the first limit that these states exceed; one that no window can ever fit comes
/// first.
pub(super) fn refused<'a>(
    provider: &Provider,
    states: &'a [State],
    model: &str,
    at: SystemTime,
) -> Option<Refused<'a>> {
    let large = states.iter().find(|state| state.is_too_large());
    let (state, too_large) = match (large, &provider.too_large) {
        (Some(state), Some(_)) => (state, true),
        // The limit that makes the request wait longest is the one that counts.
        (Some(_) | None, _) => {
            let over = states.iter().filter(|state| state.is_over());
            (over.max_by_key(|state| state.wait)?, false)
        }
    };
    let usual = Told::new(
        429,
        json!({"error": {"message": "Rate limit exceeded", "code": 429}}),
    );
    let fitting = |over: &&super::row::Over| {
        over.unit.is_none_or(|unit| unit == state.limit.unit)
            && over.per.is_none_or(|per| Some(per) == state.limit.per)
    };
    let row = provider.over.iter().find(fitting).map(|over| &over.answer);
    let told = match &provider.too_large {
        Some(told) if too_large => told,
        Some(_) | None => row.unwrap_or(&usual),
    };
    Some(Refused {
        answer: told.reply(&fill(state, model, at)),
        state,
        too_large,
    })
}

fn fill(state: &State, model: &str, at: SystemTime) -> Fill {
    let epoch = |at: SystemTime| {
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_millis().to_string()
    };
    Fill::default()
        .with("MODEL", model)
        .with("LIMIT", state.limit.amount.to_string())
        .with("USED", state.used.to_string())
        .with("REQUESTED", state.requested.to_string())
        .with("WAIT_S", whole_seconds(state.wait).to_string())
        .with("WAIT_GO", go(state.wait))
        .with("RESET_MS", epoch(at + state.wait))
        .with("PER", word(state.limit.per))
        .with("AXIS", axis(state))
}

/// Groq's name for a limit.
fn axis(state: &State) -> String {
    let (unit, letter) = match state.limit.unit {
        Unit::Requests | Unit::AtOnce => ("requests", "R"),
        Unit::Tokens | Unit::Neurons => ("tokens", "T"),
        Unit::TokensIn => ("input tokens", "IT"),
        Unit::TokensOut => ("output tokens", "OT"),
    };
    let per = word(state.limit.per);
    let first = per
        .chars()
        .next()
        .unwrap_or_default()
        .to_uppercase()
        .to_string();
    format!("{unit} per {per} ({letter}P{first})")
}

fn word(per: Option<Per>) -> &'static str {
    match per {
        None => "moment",
        Some(Per::Second) => "second",
        Some(Per::Minute) => "minute",
        Some(Per::Hour | Per::Hours(_)) => "hour",
        Some(Per::Day) => "day",
        Some(Per::Week) => "week",
        Some(Per::Month) => "month",
    }
}

/// The limit in a few words, for the record: `requests per day`.
pub(super) fn in_words(state: &State) -> String {
    let unit = match state.limit.unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
        Unit::TokensIn => "tokens in",
        Unit::TokensOut => "tokens out",
        Unit::Neurons => "neurons",
        Unit::AtOnce => return "at once".to_owned(),
    };
    format!("{unit} per {}", word(state.limit.per))
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A duration in Go's format.
pub(super) fn go(length: Duration) -> String {
    let (hours, minutes) = (length.as_secs() / 3600, length.as_secs() / 60 % 60);
    let millis = length.as_millis() % 60_000;
    if length.as_secs() == 0 {
        return format!("{millis}ms");
    }
    let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// The answer with the headers that state these limits.
pub(super) fn stated(
    provider: &Provider,
    states: &[State],
    mut reply: Reply,
    at: SystemTime,
) -> Reply {
    for row in &provider.states {
        let is_it = |state: &&State| {
            let limit = &state.limit;
            let own = row.of_model.is_none_or(|own| own == limit.of_model);
            own && (limit.unit, limit.per) == (row.unit, Some(row.per))
        };
        if let Some(state) = states.iter().find(is_it) {
            reply = with_headers(row, state, reply, at);
        }
    }
    reply
}

/// A header set by a script takes precedence.
fn with_headers(row: &Stating, state: &State, mut reply: Reply, at: SystemTime) -> Reply {
    let reset = || {
        let end = at + state.wait;
        let epoch = end.duration_since(SystemTime::UNIX_EPOCH);
        match row.form {
            Form::Go => go(state.wait),
            Form::Seconds => format!("{:.1}", state.wait.as_secs_f64()),
            Form::Epoch => whole_seconds(epoch.unwrap_or_default()).to_string(),
        }
    };
    let remaining = state.limit.amount.saturating_sub(state.used);
    let stated = [
        (Some(&row.limit), state.limit.amount.to_string()),
        (Some(&row.remaining), remaining.to_string()),
        (row.reset.as_ref(), reset()),
    ];
    for (name, value) in stated {
        if let Some(name) = name.filter(|name| !reply.has(name)) {
            reply = reply.set(name, value);
        }
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_gos_format() {
        #[rustfmt::skip]
        let rows = [(0, "0ms"), (120, "120ms"), (7_660, "7.66s"), (179_560, "2m59.56s"), (578_016, "9m38.016s"), (60_000, "1m0s"), (3_723_000, "1h2m3s")];
        for (millis, expected) in rows {
            assert_eq!(go(Duration::from_millis(millis)), expected);
        }
    }
}
