//! A condition in English: the sentence, and the next step.

use std::time::SystemTime;

use super::{Condition, Listed};
use crate::clock::{Now, rfc3339};
use crate::config::{Config, is_openrouters};
use crate::redact::Secret;
use crate::registry::FailedRead;
use crate::units;

/// What things outside are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The upstream: by its name where that is known, else by its host.
    pub upstream: String,
    /// The name or the host alone.
    pub host: String,
    /// Its address.
    pub base: String,
    /// The address of the ranking.
    pub ranking: String,
    /// What may be shown of our key: `...` and its tail; `None` of a short one.
    pub key: Option<String>,
}

impl Names {
    /// By these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let base = config.upstream_base_url.to_string();
        let ranking = config.models_list_url.to_string();
        Self::new(&base, &ranking, &config.upstream_key)
    }

    pub(super) fn new(base: &str, ranking: &str, key: &Secret) -> Self {
        let base = base.trim_end_matches('/');
        let host = base.split_once("://").map_or(base, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let name = host.split(':').next().unwrap_or_default();
        // A relay of OpenRouter's passes its words on.
        let is_openrouter = is_openrouters(name) || key.expose().starts_with("sk-or-");
        let (upstream, host) = if is_openrouter {
            ("OpenRouter".to_owned(), "OpenRouter")
        } else {
            (format!("the upstream at {host}"), host)
        };
        Self {
            upstream,
            host: host.to_owned(),
            base: base.to_owned(),
            ranking: ranking.to_owned(),
            key: key.tail(),
        }
    }
}

impl Condition {
    /// What is so.
    #[must_use]
    pub fn sentence(&self, names: &Names, now: Now) -> String {
        let upstream = &names.upstream;
        let text = match self {
            Self::Draining => {
                "The proxy is shutting down: it finishes what is open and takes nothing new.".into()
            }
            Self::Starting => "The list of models is being read for the first time.".into(),
            Self::NoList {
                ranking, catalogue, ..
            } => no_list(ranking.as_ref(), catalogue.as_ref(), names),
            Self::KeyRefused { status } => {
                let key = names.key.as_deref().unwrap_or("OPENROUTER_API_KEY");
                let status = status.map_or(String::new(), |s| format!(" (HTTP {s})"));
                format!("{upstream} refuses the key {key}{status}.")
            }
            Self::QuotaGone { day, limit, until } => {
                let what = if *day { "of today" } else { "of this minute" };
                let limit = limit.map_or(String::new(), |n| format!(" ({n} of {n})"));
                let back = back(*until, now);
                format!("The free requests {what} are used up{limit}; they are back {back}.")
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
                if *fresh {
                    format!("{upstream} cannot be reached: {why}.")
                } else {
                    let ago = units::length(age(*at, now));
                    format!("{upstream} could not be reached {ago} ago, at the last request: {why}.")
                }
            }
            Self::Refused { status, count, .. } => {
                format!("Every model refused the last {count} requests (HTTP {status}).")
            }
            Self::AllRest { list } => all_rest(*list, now),
            Self::Probing => "A rest is over: one request finds out whether that helped, and the others wait for it.".into(),
            Self::Failing { count, next } => {
                format!("The last {count} requests failed; {next} is asked next.")
            }
            Self::Answering { last, at, next } => format!(
                "Requests are being answered: {next} is asked first; the last answer was by {last} at {} UTC.",
                clock(*at, true)
            ),
            Self::Ready { next } => {
                format!("Requests are being answered: {next} is asked first; none was asked yet.")
            }
        };
        capitalised(text)
    }

    /// What to do about it; `None` where it passes, or nothing is wrong.
    #[must_use]
    pub fn next_step(&self, names: &Names, now: Now) -> Option<String> {
        Some(match self {
            Self::Draining
            | Self::Starting
            | Self::AllRest { .. }
            | Self::Probing
            | Self::Answering { .. }
            | Self::Ready { .. }
            | Self::QuotaGone { day: false, .. } => return None,
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
                "Put a new one into .env. Then restart the proxy.".to_owned()
            }
            Self::QuotaGone { limit, .. } => match limit {
                Some(limit) if *limit >= 1000 => return None,
                _ => "Wait, or buy 10 credits once: then it is 1000 a day.".to_owned(),
            },
            Self::NoCredit { .. } => {
                "Add credit at https://openrouter.ai/settings/credits, then refresh the list.".to_owned()
            }
            Self::NoneThere { .. } => format!(
                "Is UPSTREAM_BASE_URL right? The models of {} must exist there.",
                names.ranking
            ),
            Self::NotReached { .. } => {
                "Is the network up here, and are UPSTREAM_BASE_URL and HTTPS_PROXY right?".to_owned()
            }
            Self::Refused { .. } => {
                "What the clients got says why; a data policy is changed at https://openrouter.ai/settings/privacy."
                    .to_owned()
            }
            Self::Failing { .. } => {
                "The last requests and the log say how each of them failed.".to_owned()
            }
        })
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
            names.upstream, failed.why
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

fn capitalised(text: String) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}
