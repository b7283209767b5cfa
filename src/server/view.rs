//! What a client sees of an error: its status, its code, its type, and a message.

use std::time::SystemTime;

use super::accounts::Facts;
use crate::attempt::Refusal;
use crate::clock::rfc3339;
use crate::ledger::{Over, Unit};
use crate::select::Unavailable;
use crate::units;
use crate::verdict::AccountLimit;

pub(super) const INVALID: &str = "invalid_request_error";
pub(super) const SERVER: &str = "server_error";

/// An error, as the client sees it.
pub(super) struct View {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) param: Option<String>,
}

impl View {
    pub(super) fn new(
        status: u16,
        code: &'static str,
        kind: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            kind,
            message: message.into(),
            param: None,
        }
    }

    pub(super) fn not_allowed(message: &str) -> Self {
        Self::new(403, "not_allowed", "permission_error", message)
    }

    /// A client has used up a limit of its own.
    pub(super) fn client_limited(over: &Over) -> Self {
        let Over {
            limit, unit, per, ..
        } = over;
        let message = if *unit == Unit::AtOnce {
            format!(
                "This key may have {limit} requests under way at once. Try again when one has ended."
            )
        } else {
            let unit = unit.as_str();
            let unit = if *limit == 1 {
                unit.trim_end_matches('s')
            } else {
                unit
            };
            format!(
                "This key's limit of {limit} {unit} per {} is used up. Room again in {}.",
                per.in_words(),
                units::wait(retry_after(over)),
            )
        };
        Self::limited(message)
    }

    fn limited(message: String) -> Self {
        Self::new(429, "client_rate_limited", "rate_limit_error", message)
    }

    pub(super) fn model_not_found() -> Self {
        Self::new(
            404,
            "model_not_found",
            INVALID,
            "No such model in the current list. GET /v1/models names them.",
        )
    }
}

impl View {
    /// The error for a walk that brought no answer.
    pub(super) fn of_refusal(refusal: &Refusal, whose: Option<&Facts>) -> Self {
        match refusal {
            Refusal::NotReady => Self::new(
                503,
                "not_ready",
                SERVER,
                "The model list has not been read yet. Try again in a moment.",
            ),
            Refusal::ModelNotFound => Self::model_not_found(),
            Refusal::NotAllowed => Self::not_allowed(
                "This key may ask none of the models in the current list: see `models` of its client in the proxy's \
                 CONFIG_FILE.",
            ),
            Refusal::ShareUsed { retry_after } => Self::limited(format!(
                "This key has had its share of the free requests of the day, and others ask too. Room again in {}.",
                units::wait(*retry_after),
            )),
            Refusal::NoCapableModel { missing } => {
                let needs: Vec<_> = missing.iter().map(|need| need.as_str()).collect();
                Self::new(
                    400,
                    "no_capable_model",
                    INVALID,
                    format!(
                        "No free model in the current list can do what this request needs: {}.",
                        needs.join(", ")
                    ),
                )
            }
            Refusal::AllUnavailable {
                retry_after,
                why,
                returns,
                ..
            } => Self::new(
                503,
                "all_models_unavailable",
                SERVER,
                all_unavailable(*why, returns.then_some(*retry_after)),
            ),
            Refusal::Unreachable { why, .. } => {
                let then = if why.is_settled() {
                    "The operator of the proxy has to fix that."
                } else {
                    "Try again in 1 s."
                };
                Self::new(
                    503,
                    "all_models_unavailable",
                    SERVER,
                    format!(
                        "The proxy cannot reach its upstream: {}. {then}",
                        why.in_words()
                    ),
                )
            }
            Refusal::AccountLimited {
                limit,
                requests,
                why,
                retry_after,
                available_at,
            } => Self::new(
                503,
                "account_rate_limited",
                "rate_limit_error",
                match why {
                    Some(why) => accounts_limited(*why, *retry_after, *available_at),
                    None => account_limited(*limit, *requests, *retry_after, *available_at),
                },
            ),
            Refusal::Passed(answer) => Self::new(
                answer.status,
                "upstream_error",
                "upstream_error",
                String::new(),
            ),
            Refusal::UpstreamAuth { status, .. } => {
                let called = whose.map_or("upstream", Facts::called);
                let check = whose.map_or_else(String::new, |facts| format!(" {}.", facts.check()));
                let message =
                    format!("Proxy could not authenticate with {called} (HTTP {status}).{check}");
                Self::new(
                    502,
                    "upstream_auth_error",
                    "proxy_misconfiguration",
                    message,
                )
            }
        }
    }
}

/// Why no model can answer, with counts, and when the first one returns.
fn all_unavailable(why: Unavailable, returns: Option<u64>) -> String {
    let why = why
        .in_words()
        .unwrap_or_else(|| "every model that could serve this request failed".to_owned());
    let returns = returns.map_or(String::new(), |seconds| {
        format!("; the first returns in {}", units::wait(seconds))
    });
    format!("No model can answer now: {why}{returns}.")
}

/// Which quota is used up, and when it returns.
fn account_limited(
    limit: AccountLimit,
    requests: Option<u64>,
    retry_after: u64,
    available_at: SystemTime,
) -> String {
    let count = requests
        .map(|n| format!(" ({n} requests)"))
        .unwrap_or_default();
    let all = |quota| {
        format!(
            "The free quota {quota}{count} at the upstream is used up, for all free models alike."
        )
    };
    let what = match limit {
        AccountLimit::Minute => all("of this minute"),
        AccountLimit::Day => all("of today"),
        AccountLimit::Credit | AccountLimit::Key => all("of this account"),
        // It may be a quota per model.
        AccountLimit::Quota => format!("The free quota{count} at the upstream is used up."),
    };
    format!("{what} It returns {}.", back(retry_after, available_at))
}

/// Why none of several accounts can be asked, and when the first one returns.
fn accounts_limited(why: Unavailable, retry_after: u64, available_at: SystemTime) -> String {
    let why = why
        .accounts_first()
        .map_or(String::new(), |why| format!(": {why}"));
    format!(
        "No account has quota left for this request{why}. The first returns {}.",
        back(retry_after, available_at)
    )
}

/// How long it takes, and the date.
fn back(retry_after: u64, available_at: SystemTime) -> String {
    let wait = units::wait(retry_after);
    let date = rfc3339(available_at);
    let (day, time) = (date.get(..10), date.get(11..16));
    let (day, time) = (day.unwrap_or_default(), time.unwrap_or_default());
    format!("in {wait}, at {time} UTC on {day}")
}

/// For `Retry-After`: rounded up, at least 1.
pub(super) fn retry_after(over: &Over) -> u64 {
    units::whole_seconds(over.returns_in).max(1)
}
