//! What OpenRouter's key endpoint says about a key. Pure.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::Finding;
use super::accounts::limits;
use crate::cli::{Local, when};
use crate::clock::{Now, rfc3339};
use crate::condition::{Condition, Names, Quota};
use crate::config::{Account, Config};
use crate::ledger::{Ends, Per, next_end};
use crate::provider::{KeySaid, Provider, Today};
use crate::redact::{Redactor, Secret};
use crate::units;

/// An expiry nearer than this is worth a warning.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// Judges the answer of `GET {base}/key` to the key of this account.
#[must_use]
pub fn judge_key(
    status: u16,
    body: &[u8],
    config: &Config,
    account: Option<&Account>,
    local: Local,
    now: Now,
) -> Vec<Finding> {
    let key = account.and_then(|account| account.key.as_ref());
    let key = key.unwrap_or(&config.upstream_key);
    let variable = account.and_then(|account| account.variable.as_ref());
    let name = variable.map_or("OPENROUTER_API_KEY", |found| &found.name);
    let place = variable.map_or_else(
        || name.to_owned(),
        |found| format!("{name} in {}", found.place),
    );
    let names = Names {
        key: key.tail(),
        variable: Some(name.to_owned()),
        ..Names::of(config)
    };
    let said_today = KeySaid::read(status, body);
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let finding = match status {
        200 => match body.get("data").filter(|data| data.is_object()) {
            Some(data) => {
                let row = account.map(|account| &account.provider);
                let row =
                    row.or_else(|| config.providers.iter().find(|row| row.id.is_openrouter()));
                let terms = row.map_or(String::new(), |row| {
                    format!("; {}", crate::cli::providers::training(row.training))
                });
                let known = format!("{}{terms}", shown(key));
                let mut findings = accepted(data, &place, &known, now.wall);
                findings.extend(match said_today {
                    KeySaid::Accepted { today: Some(today) } => {
                        Some(quota(today, &names, local, now))
                    }
                    KeySaid::Accepted { today: None }
                    | KeySaid::Refused { .. }
                    | KeySaid::Nothing => row.map(|row| untold(row, local, now)),
                });
                return findings;
            }
            None => Finding::bad(
                "what answers at UPSTREAM_BASE_URL/key is not a key endpoint: \
                 is UPSTREAM_BASE_URL right?",
            ),
        },
        401 | 403 => {
            let refused = Condition::KeyRefused {
                status: Some(status),
            };
            let finding = Finding::of(&refused, &names, now);
            Finding::bad(format!(
                "{} It is {} (len={}). {}{}",
                finding.sentence,
                place,
                key.len(),
                advice(key),
                said(&body, config),
            ))
        }
        402 => {
            let finding = Finding::of(&Condition::NoCredit { until: None }, &names, now);
            let said = said(&body, config);
            let sentence = finding.sentence.trim_end_matches('.');
            Finding::bad(format!("{sentence}{said}"))
        }
        404 | 405 => Finding::warn(format!(
            "the upstream has no key endpoint (HTTP {status}), so {name} is unchecked"
        )),
        429 => Finding::warn(format!(
            "the upstream is rate-limiting (HTTP 429), so {name} is unchecked{}",
            said(&body, config)
        )),
        300..=399 => Finding::bad(format!(
            "the upstream answers with a redirect (HTTP {status}), which is not followed: \
             is UPSTREAM_BASE_URL right?"
        )),
        _ => Finding::bad(format!(
            "the upstream answers HTTP {status}{}",
            said(&body, config)
        )),
    };
    vec![finding]
}

fn accepted(data: &Value, place: &str, shown: &str, now: SystemTime) -> Vec<Finding> {
    let flag = |name: &str| data.get(name).and_then(Value::as_bool) == Some(true);
    let mut findings = vec![Finding::ok(format!(
        "the upstream accepts {place}: {shown}"
    ))];
    if flag("is_management_key") || flag("is_provisioning_key") {
        findings.push(Finding::bad(
            "it is a management key, which serves no completions: create an ordinary one at \
             https://openrouter.ai/settings/keys",
        ));
    }
    findings.extend(
        data.get("expires_at")
            .and_then(Value::as_str)
            .map(|at| expiry(at, now)),
    );
    findings.extend(
        data.get("limit_remaining")
            .and_then(Value::as_f64)
            .map(credit),
    );
    if flag("is_free_tier") {
        findings.push(Finding::ok(
            "the account is on the free tier: it has never bought credits",
        ));
    }
    findings
}

fn expiry(text: &str, now: SystemTime) -> Finding {
    let Some(at) = when::parse_rfc3339(text) else {
        // It comes from outside, and may be anything: the key itself, echoed.
        return Finding::warn("the key's expiry is not a date");
    };
    match at.duration_since(now) {
        Err(_) => Finding::bad(format!("the key expired at {}", rfc3339(at))),
        Ok(left) if left < SOON => {
            Finding::warn(format!("the key expires soon, at {}", rfc3339(at)))
        }
        Ok(_) => Finding::ok(format!("the key expires at {}", rfc3339(at))),
    }
}

fn credit(remaining: f64) -> Finding {
    if remaining > 0.0 {
        Finding::ok(format!("the key may still spend ${remaining:.2}"))
    } else {
        Finding::bad(format!(
            "the key is out of credit (limit_remaining ${remaining:.2}): raise its limit at \
             https://openrouter.ai/settings/keys"
        ))
    }
}

/// What is known without its count.
fn untold(row: &Provider, local: Local, now: Now) -> Finding {
    Finding::ok(format!(
        "it does not say how many free requests are left today; {}",
        limits(row, local, now.wall)
    ))
}

/// OpenRouter calls its own count a hint: it lags behind.
fn quota(today: Today, names: &Names, local: Local, now: Now) -> Finding {
    let Today {
        limit,
        used,
        remaining,
    } = today;
    let until = next_end(Per::Day, Ends::Utc, now.wall);
    if remaining == 0 {
        let gone = Condition::QuotaGone {
            quota: Quota::Day,
            limit: Some(limit),
            until,
        };
        return Finding::of(&gone, names, now);
    }
    let left = units::whole_seconds(until.duration_since(now.wall).unwrap_or_default());
    Finding::ok(format!(
        "free requests today: {used} of {limit} used, {remaining} left; all are back at {}, in {}",
        local.time(until),
        units::wait(left)
    ))
}

/// Tail and length, as in the 502 of spec §4.2.
pub(in crate::cli) fn shown(key: &Secret) -> String {
    match key.tail() {
        Some(tail) => format!("key tail is {tail} (len={})", key.len()),
        None => format!("key is of len={}", key.len()),
    }
}

fn advice(key: &Secret) -> &'static str {
    if key.expose().starts_with("sk-or-") {
        "Is it deleted, disabled or a placeholder? Create one at https://openrouter.ai/settings/keys"
    } else {
        "OpenRouter's keys begin with sk-or-: is it a placeholder, or another service's?"
    }
}

/// The upstream's own message, in case it helps, without keys, account names and escape sequences.
fn said(body: &Value, config: &Config) -> String {
    const MAX_CHARS: usize = 200;
    let message = body
        .pointer("/error/message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if message.is_empty() {
        return String::new();
    }
    let secrets = config.accounts.iter().flat_map(|account| account.secrets());
    let redactor = Redactor::new(secrets.chain([&config.upstream_key]).cloned());
    let message = redactor.message(message).to_text();
    format!(
        ". The answer: {:?}",
        message.chars().take(MAX_CHARS).collect::<String>()
    )
}
