//! The accounts as lines: a single one in its own words, several as a table. Pure.

use std::time::SystemTime;

use serde_json::Value;

use super::{Line, Tone, array, line, text};
use crate::cli::Local;
use crate::cli::when::parse_rfc3339;
use crate::units::{wait, whole_seconds};

/// Whether there are several: with one its name adds nothing.
pub(super) fn are_many(state: &Value) -> bool {
    array(&state["accounts"]).len() > 1
}

/// What each is out of, and what is left.
pub(super) fn lines(state: &Value, local: Local) -> Vec<Line> {
    let now = moment(&state["now"]);
    match array(&state["accounts"]) {
        [] => vec![line("account: fine")],
        [one] => vec![alone(one, now, local)],
        several => table(several, now, local),
    }
}

/// What counts as news about an account: its state, and the usage of its days.
pub(in crate::cli::status) fn news(account: &Value) -> Value {
    let days = array(&account["buckets"]).iter();
    let days = days.filter(|bucket| bucket["per"] == "day");
    let days = std::iter::once(&account["today"]).chain(days);
    let used = days.map(|bucket| bucket["used"].clone());
    std::iter::once(account["state"].clone())
        .chain(used)
        .collect()
}

fn alone(account: &Value, now: Option<SystemTime>, local: Local) -> Line {
    let buckets = array(&account["buckets"]);
    let spent = |per: &str| {
        buckets
            .iter()
            .any(|each| each["per"] == *per && left(each) == Some(0))
    };
    const DAY: &str = "the free requests of today are used up";
    const MINUTE: &str = "the free requests of this minute are used up";
    let what = match (state_of(account), account["limit"].as_str()) {
        (Some("probing"), _) => Some("being probed after a rest".to_owned()),
        (Some("key_refused"), _) | (_, Some("key")) => Some("the key is refused".to_owned()),
        (_, Some("credit")) => Some("out of credit".to_owned()),
        (_, Some("day")) => Some(DAY.to_owned()),
        (_, Some("minute")) => Some(MINUTE.to_owned()),
        (_, Some("quota")) => Some("a quota is used up".to_owned()),
        (Some("out"), _) if spent("day") => Some(DAY.to_owned()),
        (Some("out"), _) if spent("minute") => Some(MINUTE.to_owned()),
        (Some("out" | "resting"), _) => Some(why(account)),
        (_, _) => None,
    };
    let back = match (&what, seconds_left(account, now)) {
        (Some(_), Some(left)) => format!(", back in {}", wait(left)),
        (_, _) => String::new(),
    };
    let mut pieces = vec![(Tone::Plain, "account: ".to_owned())];
    pieces.extend(what.iter().map(|what| (Tone::Bad, format!("{what}{back}"))));
    let own = buckets.iter().filter(|each| each["model"].is_null());
    let days = own.filter(|each| each["per"] == "day" && each["unit"] == "requests");
    // What the provider says about the day takes precedence over our own count.
    let mut days = std::iter::once(&account["today"]).chain(days);
    if let Some((day, remaining)) = days.find_map(|day| Some((day, left(day)?))) {
        let gap = if what.is_some() { "; " } else { "" };
        let limit = &day["limit"];
        let back = moment(&day["resets_at"]);
        let back = back.map_or(String::new(), |at| format!(", back at {}", local.time(at)));
        let said = format!("{gap}{remaining} of {limit} left today{back}");
        pieces.push((tone_of(remaining), said));
    } else if what.is_none() {
        pieces.push((Tone::Plain, "fine".to_owned()));
    }
    pieces
}

/// Why none of its accounts takes requests for a model that is awake.
pub(super) fn missing(state: &Value, model: &Value) -> String {
    let accounts = array(&state["accounts"]);
    let candidates = array(&model["candidates"]).iter();
    let whose = candidates.map(|candidate| {
        let account = accounts
            .iter()
            .find(|one| one["label"] == candidate["account"]);
        let why = match account.and_then(state_of) {
            // The limit is on this model, or the model rests through this account.
            Some("awake") if candidate["state"] == "awake" => "used up for it",
            Some("out") => "used up",
            Some("key_refused") => "key refused",
            _ => "rests",
        };
        format!("{} ({why})", text(&candidate["account"]))
    });
    format!("waits for {}", whose.collect::<Vec<_>>().join(", "))
}

/// How many are shown.
const ACCOUNTS: usize = 30;

fn table(accounts: &[Value], now: Option<SystemTime>, local: Local) -> Vec<Line> {
    let takes = |each: &&Value| matches!(state_of(each), Some("awake" | "probing"));
    let awake = accounts.iter().filter(takes).count();
    let all = accounts.len();
    let mut lines = vec![line(format!("accounts: {awake} of {all} take requests"))];
    let shown = accounts.iter().take(ACCOUNTS);
    let labels = shown
        .clone()
        .map(|each| text(&each["label"]).chars().count());
    let width = labels.max().unwrap_or_default();
    lines.extend(shown.map(|account| row(account, width, now, local)));
    if all > ACCOUNTS {
        lines.push(line(format!(
            "     and {} more (--json shows all)",
            all - ACCOUNTS
        )));
    }
    lines
}

/// Its state, the bucket that is nearest to its limit, and when it returns.
fn row(account: &Value, width: usize, now: Option<SystemTime>, local: Local) -> Line {
    let label = text(&account["label"]);
    let (tone, state) = match state_of(account) {
        Some("awake") => (Tone::Good, "awake"),
        Some("probing") => (Tone::Waiting, "being probed"),
        Some("out") => (Tone::Bad, "used up"),
        Some("key_refused") => (Tone::Bad, "key refused"),
        _ => (Tone::Waiting, "rests"),
    };
    let mut said = Vec::new();
    if tone != Tone::Good {
        // A near moment is counted down, a distant one is just given.
        const NEAR: u64 = 600;
        match (seconds_left(account, now), moment(&account["until"])) {
            (Some(left), Some(at)) if left > NEAR => {
                said.push(format!("back at {}", local.time(at)))
            }
            (Some(left), _) => said.push(format!("back in {}", wait(left))),
            (None, _) => {}
        }
        if state == "rests" {
            said.push(why(account));
        }
    }
    said.extend(nearest(account).map(|bucket| bucket_in_words(bucket, local)));
    let mut pieces = vec![
        (Tone::Plain, format!("  {label:width$}  ")),
        (tone, format!("{state:<12}")),
    ];
    let last = said.len().saturating_sub(1);
    let texts = said.into_iter().enumerate();
    pieces.extend(texts.map(|(nth, text)| {
        let gap = if nth < last { ";" } else { "" };
        (Tone::Plain, format!(" {text}{gap}"))
    }));
    pieces
}

/// The bucket with the smallest share left.
fn nearest(account: &Value) -> Option<&Value> {
    let part = |each: &Value| {
        let limit = each["limit"].as_f64().filter(|limit| *limit > 0.0)?;
        Some(left(each)? as f64 / limit)
    };
    let parts = array(&account["buckets"])
        .iter()
        .filter_map(|each| Some((part(each)?, each)));
    let least = parts.min_by(|(a, _), (b, _)| a.total_cmp(b));
    least.map(|(_, bucket)| bucket)
}

/// `12 of 1000 requests a day left`.
pub(super) fn bucket_in_words(bucket: &Value, local: Local) -> String {
    let remaining = left(bucket).unwrap_or_default();
    let unit = text(&bucket["unit"]);
    let per = match (&bucket["per"], bucket["per"]["hours"].as_u64()) {
        (_, Some(hours)) => format!(" in {hours} hours"),
        (Value::String(hour), _) if hour == "hour" => " an hour".to_owned(),
        (per @ Value::String(_), _) => format!(" a {}", text(per)),
        // Concurrent requests.
        (_, None) => String::new(),
    };
    let of = match bucket["model"].as_str() {
        Some(_) => format!(" of {}", text(&bucket["model"])),
        None => String::new(),
    };
    // Once it is used up, the account's own moment says more, if there is one.
    let back = moment(&bucket["resets_at"]).filter(|_| remaining > 0);
    let back = back.map_or(String::new(), |at| {
        format!(", all back at {}", local.clock(at, false))
    });
    format!(
        "{remaining} of {} {unit}{per}{of} left{back}",
        bucket["limit"]
    )
}

/// Its state, or that one request is finding out whether a rest helped.
fn state_of(account: &Value) -> Option<&str> {
    match account["probing"].as_bool() {
        Some(true) => Some("probing"),
        _ => account["state"].as_str(),
    }
}

/// How much of it is left.
pub(super) fn left(bucket: &Value) -> Option<u64> {
    let (limit, used) = (bucket["limit"].as_u64()?, bucket["used"].as_u64()?);
    Some(limit.saturating_sub(used))
}

fn tone_of(remaining: u64) -> Tone {
    match remaining {
        0 => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn why(account: &Value) -> String {
    match account["reason"].as_str().or(account["because"].as_str()) {
        Some(why) => crate::cli::say::clean(why),
        None => "it rests".to_owned(),
    }
}

/// By the proxy's clock.
fn seconds_left(account: &Value, now: Option<SystemTime>) -> Option<u64> {
    let until = moment(&account["until"])?;
    Some(whole_seconds(
        until.duration_since(now?).unwrap_or_default(),
    ))
}

fn moment(value: &Value) -> Option<SystemTime> {
    value.as_str().and_then(parse_rfc3339)
}
