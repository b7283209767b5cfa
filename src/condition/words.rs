//! A condition in English: the sentence, and the next step.

use std::time::SystemTime;

use super::{Condition, Listed, Quota};
use crate::clock::{Now, rfc3339};
use crate::config::{Config, is_openrouters};
use crate::redact::Secret;
use crate::registry::FailedRead;
use crate::units;

/// The names of outside things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The upstream: by its name if that is known, else by its host; `None` if there are several.
    pub upstream: Option<String>,
    /// OpenRouter, which has the catalogue, or its replacement.
    pub catalogue: String,
    /// The name or the host alone.
    pub host: String,
    /// Its address.
    pub base: String,
    /// The address of the ranking.
    pub ranking: String,
    /// What may be shown of our key: `...` and its tail; `None` of a short one.
    pub key: Option<String>,
    /// The variable of our key; `None` without a key.
    pub variable: Option<String>,
    /// OpenRouter is among the providers in use.
    pub openrouter: bool,
    /// Only the user's own server is asked.
    pub own: bool,
}

impl Names {
    /// Those of OpenRouter, by these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let base = config.upstream_base_url.to_string();
        let ranking = config.models_list_url.to_string();
        Self::new(&base, &ranking, &config.upstream_key)
    }

    /// Those of the proxy as a whole: of the one provider, or of several.
    #[must_use]
    pub fn of_all(config: &Config) -> Self {
        let openrouter = Self {
            openrouter: config.providers.iter().any(|row| row.id.is_openrouter()),
            ..Self::of(config)
        };
        match &config.providers[..] {
            [row] if row.id.is_openrouter() => openrouter,
            [row] => {
                let account = config.accounts.first();
                let variable = account.and_then(|account| account.variable.as_ref());
                Self {
                    upstream: Some(row.name.clone()),
                    host: row.name.clone(),
                    base: row.base_url.clone(),
                    key: account.and_then(|account| account.key.as_ref()?.tail()),
                    variable: variable.map(|variable| variable.name.clone()),
                    own: row.id.is_local(),
                    ..openrouter
                }
            }
            _ => Self {
                upstream: None,
                ..openrouter
            },
        }
    }

    /// The upstream as the subject of a negative sentence.
    fn none(&self) -> (&str, &'static str) {
        match &self.upstream {
            Some(name) => (name, "not"),
            None => ("no provider", ""),
        }
    }

    pub(super) fn new(base: &str, ranking: &str, key: &Secret) -> Self {
        let base = base.trim_end_matches('/');
        let host = base.split_once("://").map_or(base, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let name = host.split(':').next().unwrap_or_default();
        // A relay of OpenRouter's passes on OpenRouter's messages.
        let is_openrouter = is_openrouters(name) || key.expose().starts_with("sk-or-");
        let (upstream, host) = if is_openrouter {
            ("OpenRouter".to_owned(), "OpenRouter")
        } else {
            (format!("the upstream at {host}"), host)
        };
        Self {
            catalogue: upstream.clone(),
            upstream: Some(upstream),
            host: host.to_owned(),
            base: base.to_owned(),
            ranking: ranking.to_owned(),
            key: key.tail(),
            variable: Some("OPENROUTER_API_KEY".to_owned()),
            openrouter: true,
            own: false,
        }
    }
}

impl Condition {
    /// The condition as a sentence.
    #[must_use]
    pub fn sentence(&self, names: &Names, now: Now) -> String {
        let upstream = names.upstream.as_deref().unwrap_or("a provider");
        let text = match self {
            Self::Draining => {
                "The proxy is shutting down: it finishes what is open and takes nothing new.".into()
            }
            Self::Starting => "The list of models is being read for the first time.".into(),
            Self::NoList {
                list: Some(list), ..
            } if !names.openrouter => {
                format!("{upstream} has given no list of models yet: {}.", list.why)
            }
            Self::NoList {
                ranking, catalogue, ..
            } => no_list(ranking.as_ref(), catalogue.as_ref(), names),
            Self::KeyRefused { status } => {
                let status = status.map_or(String::new(), |s| format!(" (HTTP {s})"));
                match names.key.as_deref().or(names.variable.as_deref()) {
                    Some(key) => format!("{upstream} refuses the key {key}{status}."),
                    None => format!("{upstream} wants a key{status}."),
                }
            }
            Self::QuotaGone { quota, limit, until } => {
                let limit = limit.map_or(String::new(), |n| format!(" ({n} of {n})"));
                let back = back(*until, now);
                let requests = |what| {
                    format!("The free requests {what} are used up{limit}; they are back {back}.")
                };
                match quota {
                    Quota::Day => requests("of today"),
                    Quota::Minute => requests("of this minute"),
                    Quota::Other => {
                        format!("The account's free quota is used up{limit}; it is back {back}.")
                    }
                }
            }
            Self::NoCredit { until } => {
                let account = "is out of credit (HTTP 402), which blocks free models too";
                let again = until.map_or(String::new(), |until| {
                    format!("; it is asked again {}", back(until, now))
                });
                format!("The account at {upstream} {account}{again}.")
            }
            Self::NoneThere { of } => format!(
                "0 of {of} models exist there: {} has none of the ranking's.",
                names.base
            ),
            Self::NotReached { cause, at, fresh } => {
                let why = cause.in_words();
                let (who, not) = names.none();
                if *fresh {
                    format!("{who} can{not} be reached: {why}.")
                } else {
                    let ago = units::length(age(*at, now));
                    let not = if not.is_empty() { "" } else { " not" };
                    format!("{who} could{not} be reached {ago} ago, at the last request: {why}.")
                }
            }
            Self::Refused { status, count, .. } => {
                format!("Every model refused the last {count} requests (HTTP {status}).")
            }
            Self::AllRest { list } => all_rest(*list, now),
            Self::AccountsOut { list } => accounts_out(*list, now),
            Self::Probing => "A rest is over: one request finds out whether that helped, and the others wait for it.".into(),
            Self::Failing { count, next } => {
                format!("The last {count} requests failed; {next} is asked next.")
            }
            Self::Answering { last, at, next, accounts } => with(format!(
                "Requests are being answered: {next} is asked first; the last answer was by {last} at {} UTC.",
                clock(*at, true)
            ), accounts.sentence()),
            Self::Ready { next, accounts } => with(
                format!("Requests are being answered: {next} is asked first; none was asked yet."),
                accounts.sentence(),
            ),
        };
        capitalised(text)
    }

    /// What to do about it; `None` if it passes by itself, or nothing is wrong.
    #[must_use]
    pub fn next_step(&self, names: &Names, now: Now) -> Option<String> {
        Some(match self {
            Self::Draining
            | Self::Starting
            | Self::AllRest { .. }
            | Self::Probing
            | Self::QuotaGone {
                quota: Quota::Minute,
                ..
            } => return None,
            Self::Answering { accounts, .. } | Self::Ready { accounts, .. } => {
                if accounts.keys_refused == 0 {
                    return None;
                }
                "Put a new key into .env in place of the refused one: it counts a few seconds later."
                    .to_owned()
            }
            Self::AccountsOut { list } if list.why.keys_refused > 0 => {
                "Put new keys into .env in place of the refused ones: they count a few seconds later.".to_owned()
            }
            Self::AccountsOut { .. } => {
                "Wait, or add a key of another provider: `free-llm-proxy providers` names them.".to_owned()
            }
            Self::NoList {
                list: Some(list), ..
            } if names.own => own_step(list).to_owned(),
            Self::NoList { ranking, next, .. } => {
                let again = next.map_or("soon".to_owned(), |next| {
                    format!("in {}", units::wait(left(next, now)))
                });
                let what = match ranking.as_ref().map(|failed| failed.kind) {
                    Some("network" | "timeout") => "Is the network up here, and HTTPS_PROXY right?",
                    _ => "Is MODELS_LIST_URL right?",
                };
                format!("{what} It is read again {again}; `free-llm-proxy check` tries all of it now.")
            }
            Self::KeyRefused { .. } => {
                "Put a new one into .env: it counts a few seconds later.".to_owned()
            }
            Self::QuotaGone { limit, .. } => match limit {
                Some(limit) if *limit >= 1000 => return None,
                _ if !names.openrouter => return None,
                _ => "Wait, or buy 10 credits once: then it is 1000 a day.".to_owned(),
            },
            Self::NoCredit { .. } if !names.openrouter => {
                "Add credit there, then refresh the list.".to_owned()
            }
            Self::NoCredit { .. } => {
                "Add credit at https://openrouter.ai/settings/credits, then refresh the list.".to_owned()
            }
            Self::NoneThere { .. } => format!(
                "Is UPSTREAM_BASE_URL right? The models of {} must exist there.",
                names.ranking
            ),
            Self::NotReached { .. } if names.own => OWN_RUNS.to_owned(),
            Self::NotReached { .. } if !names.openrouter || names.upstream.is_none() => {
                "Is the network up here, and is HTTPS_PROXY right?".to_owned()
            }
            Self::NotReached { .. } => {
                "Is the network up here, and are UPSTREAM_BASE_URL and HTTPS_PROXY right?".to_owned()
            }
            Self::Refused { .. } if !names.openrouter => {
                "The errors that clients got say why.".to_owned()
            }
            Self::Refused { .. } => {
                "The errors that clients got say why; a data policy is changed at https://openrouter.ai/settings/privacy."
                    .to_owned()
            }
            Self::Failing { .. } => {
                "The last requests and the log say how each of them failed.".to_owned()
            }
        })
    }
}

const OWN_RUNS: &str = "Is it running, and is LOCAL_BASE_URL right?";

/// What to do about the list of the user's own server. It is read again every few seconds.
fn own_step(failed: &FailedRead) -> &'static str {
    match (failed.kind, failed.status) {
        (_, Some(401 | 403)) => "Is LOCAL_API_KEY right?",
        ("no_usable_model", _) => "Give it a model: the proxy finds it by itself.",
        _ => OWN_RUNS,
    }
}

fn no_list(ranking: Option<&FailedRead>, catalogue: Option<&FailedRead>, names: &Names) -> String {
    let ranking = format!(
        "No list of models yet: the ranking at {} cannot be read: {}",
        names.ranking,
        ranking.map_or("", |failed| failed.why.as_str())
    );
    match catalogue {
        Some(failed) => format!(
            "{ranking}; nor can the catalogue of {}: {}.",
            names.catalogue, failed.why
        ),
        None => format!("{ranking}."),
    }
}

fn all_rest(list: Listed, now: Now) -> String {
    let why = list.why.in_words().unwrap_or_default();
    let first = list.first_back.map_or(String::new(), |at| {
        format!("; the first returns in {}", units::wait(left(at, now)))
    });
    format!("Every model is resting: {why}{first}.")
}

/// None of several accounts is left.
fn accounts_out(list: Listed, now: Now) -> String {
    let why = list
        .why
        .accounts_first()
        .map_or(String::new(), |why| format!(": {why}"));
    let first = list.first_back.map_or(String::new(), |at| {
        format!("; the first returns {}", back(at, now))
    });
    let keys_alone = list.why.out_today + list.why.out + list.why.rate_limited == 0;
    let what = if keys_alone {
        "No account has a key that its provider accepts"
    } else {
        "No account has quota left"
    };
    format!("{what}{why}{first}.")
}

/// A sentence, and another one if there is one.
fn with(sentence: String, more: Option<String>) -> String {
    match more {
        Some(more) => format!("{sentence} {more}"),
        None => sentence,
    }
}

/// When something returns: how long that is, and the time of day.
fn back(until: SystemTime, now: Now) -> String {
    format!(
        "in {}, at {} UTC",
        units::wait(left(until, now)),
        clock(until, false)
    )
}

fn left(until: SystemTime, now: Now) -> u64 {
    units::whole_seconds(until.duration_since(now.wall).unwrap_or_default())
}

fn age(at: SystemTime, now: Now) -> u64 {
    now.wall.duration_since(at).unwrap_or_default().as_secs()
}

/// The time of day.
fn clock(at: SystemTime, seconds: bool) -> String {
    let text = rfc3339(at);
    let end = if seconds { 19 } else { 16 };
    text.get(11..end).unwrap_or_default().to_owned()
}

pub(super) fn capitalised(text: String) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}
