//! `check`: asks the ranking and the upstream's key endpoint, and says in plain words what works
//! and what does not.
//!
//! Judging an answer is pure ([`judge_key`], [`judge_list`]); the caller does the asking, so that
//! the answers come through the client that `serve` uses. What a running proxy would say about the
//! same thing is worded by `condition` for both. No key is printed.

mod accounts;
mod key;
mod list;
mod there;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::HeaderMap;

pub use key::judge_key;
pub(super) use key::shown;
pub use list::judge_list;

pub use super::key_test::Shown;
use super::{Exit, Local, say};
use crate::clock::Now;
use crate::condition::{Condition, Names};
use crate::config::{Account, Config, OutboundProxy, SAFE_KEY};
use crate::upstream::{self, Connector, HttpClient, read_body};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It works.
    Ok,
    /// It works, but there is something to know.
    Warn,
    /// It does not work.
    Bad,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How serious it is.
    pub weight: Weight,
    /// What was found, and what to do about it.
    pub sentence: String,
}

impl Finding {
    pub(super) fn ok(sentence: impl Into<String>) -> Self {
        Self {
            weight: Weight::Ok,
            sentence: sentence.into(),
        }
    }

    /// What a running proxy would say about it, and what to do.
    pub(super) fn of(condition: &Condition, names: &Names, now: Now) -> Self {
        let sentence = condition.sentence(names, now);
        match condition.next_step(names, now) {
            Some(next) => Self::bad(format!("{sentence} {next}")),
            None => Self::bad(sentence),
        }
    }

    /// A thing that is not essential is no reason to report a fault.
    fn no_worse(self) -> Self {
        let weight = match self.weight {
            Weight::Bad => Weight::Warn,
            Weight::Ok | Weight::Warn => self.weight,
        };
        Self { weight, ..self }
    }

    pub(super) fn warn(sentence: impl Into<String>) -> Self {
        Self {
            weight: Weight::Warn,
            sentence: sentence.into(),
        }
    }

    pub(super) fn bad(sentence: impl Into<String>) -> Self {
        Self {
            weight: Weight::Bad,
            sentence: sentence.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.weight {
            Weight::Ok => "ok  ",
            Weight::Warn => "warn",
            Weight::Bad => "BAD ",
        };
        write!(f, "{word}  {}", self.sentence)
    }
}

/// All findings; its `Display` is the output of `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In reading order.
    pub findings: Vec<Finding>,
}

impl Report {
    /// [`Exit::Fault`] if anything does not work.
    #[must_use]
    pub fn ending(&self) -> Exit {
        if self
            .findings
            .iter()
            .any(|finding| finding.weight == Weight::Bad)
        {
            Exit::Fault
        } else {
            Exit::Fine
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        f.write_str(match self.ending() {
            Exit::Fine => "Everything works.",
            Exit::Fault | Exit::Settings => "Something does not work.",
        })
    }
}

/// How long an answer may take; and how large it may be.
const LIMIT: Duration = Duration::from_secs(15);
const MAX_BYTES: usize = 8 << 20;

/// Fetches addresses through the client that `serve` uses.
pub(super) struct Getter(HttpClient);

impl Getter {
    pub(super) fn new(proxy: &OutboundProxy, connect: Duration) -> Result<Self, String> {
        let client = HttpClient::new(Connector::network(proxy, connect));
        client.map(Self).map_err(|error| error.to_string())
    }

    /// A whole answer, or the end of a sentence that says why there is none.
    pub(super) async fn get(&self, url: &str, shown: Shown<'_>) -> Result<Answer, String> {
        let whole = async {
            let key = shown.key.map(|(auth, key)| upstream::shown(auth, key));
            let key = key.transpose().map_err(|e| e.to_string())?.flatten();
            let mark = shown.marked.then(upstream::mark);
            let headers = key.into_iter().chain(mark).collect();
            let response = self.0.ask(url, headers, None).await;
            let response = response.map_err(|e| e.to_string())?;
            let (head, body) = response.into_parts();
            let body = read_body(&head.headers, body, MAX_BYTES)
                .await
                .map_err(|e| e.to_string())?;
            Ok((head.status.as_u16(), head.headers, body))
        };
        let late = || format!("no whole answer within {} s", LIMIT.as_secs());
        tokio::time::timeout(LIMIT, whole)
            .await
            .unwrap_or_else(|_| Err(late()))
    }
}

/// The command: asks through the client that `serve` uses, and prints the findings.
pub async fn ask(config: Config, local: Local) -> Exit {
    let getter = match Getter::new(&config.outbound_proxy, config.connect_timeout) {
        Ok(getter) => getter,
        Err(error) => {
            say::problem(error);
            return Exit::Fault;
        }
    };
    let get = async |url: &str, shown: Shown<'_>| getter.get(url, shown).await;
    let report = run(&config, local, Now::read(), get).await;
    say::line(&report);
    report.ending()
}

/// Status, headers and body of an answer.
pub type Answer = (u16, HeaderMap, Bytes);

/// Asks the ranking and all providers at once, and judges their answers.
///
/// `get` fetches a URL with or without a key, bounded in time and size, and follows no redirect;
/// its error is the end of a sentence and contains no key.
pub async fn run<F>(config: &Config, local: Local, now: Now, get: F) -> Report
where
    F: AsyncFn(&str, Shown<'_>) -> Result<Answer, String>,
{
    let names = Names::of(config);
    // Each key by itself, whether it is an account's only one or not.
    let keys = config.accounts.iter().flat_map(Account::under_each_key);
    let (mut openrouter, others): (Vec<_>, Vec<_>) =
        keys.partition(|account| account.id.provider.is_openrouter());
    let further = openrouter.split_off(openrouter.len().min(1));
    let first = openrouter.first();
    let further = further.iter().map(|account| {
        let base = &names.base;
        let get = &get;
        async move { further_key(base, account, config, local, now, get).await }
    });
    let rest = others.iter();
    let rest = rest.map(|account| accounts::check(account, local, now.wall, &get));
    let (list, asked_first, further, rest) = tokio::join!(
        get(&names.ranking, Shown::default()),
        async {
            match first {
                Some(account) => Some(asked(&names.base, account, &get).await),
                None => None,
            }
        },
        join_all(further),
        join_all(rest),
    );
    let is_alone = config.providers.iter().all(|row| row.id.is_openrouter());
    let list_findings = match &list {
        Ok((status, headers, body)) => {
            judge_list(*status, headers, body, config.takes_any_id(), now.wall)
        }
        Err(error) => vec![Finding::bad(format!(
            "the ranking at {} cannot be read: {error}",
            names.ranking
        ))],
    };
    let list_findings = match is_alone {
        true => list_findings,
        // The other providers' models are known without it (spec §10.7).
        false => list_findings.into_iter().map(Finding::no_worse).collect(),
    };
    let upstream_findings = match asked_first {
        None => Vec::new(),
        Some((Ok((status, _, body)), catalogue)) => {
            let mut findings = judge_key(status, &body, config, first, local, now);
            // Without a key endpoint it may be another kind of upstream, or a wrong path.
            let no_key_endpoint = matches!(status, 404 | 405);
            let ranking = list.ok().map(|(_, _, body)| body);
            let there = there::judge(ranking, catalogue, config, no_key_endpoint, now);
            findings.extend(there);
            findings
        }
        Some((Err(error), _)) => vec![Finding::bad(format!(
            "the upstream at {} cannot be reached: {error}",
            names.base
        ))],
    };
    let all = [judge_settings(config), list_findings, upstream_findings];
    Report {
        findings: [all.concat(), further.concat(), rest].concat(),
    }
}

/// What OpenRouter's key endpoint says of a key that is not its first.
async fn further_key<F>(
    base: &str,
    account: &Account,
    config: &Config,
    local: Local,
    now: Now,
    get: F,
) -> Vec<Finding>
where
    F: AsyncFn(&str, Shown<'_>) -> Result<Answer, String>,
{
    let shown = Shown::to(&account.provider, account.key.as_ref());
    let findings = match get(&format!("{base}/key"), shown).await {
        Ok((status, _, body)) => judge_key(status, &body, config, Some(account), local, now),
        Err(error) => vec![Finding::bad(format!(
            "the upstream at {base} cannot be reached: {error}"
        ))],
    };
    let of_account = |finding: Finding| Finding {
        sentence: format!("{}: {}", account.id, finding.sentence),
        ..finding
    };
    findings.into_iter().map(of_account).collect()
}

/// What OpenRouter's key endpoint and its catalogue say.
async fn asked<F>(
    base: &str,
    account: &Account,
    get: F,
) -> (Result<Answer, String>, Result<Answer, String>)
where
    F: AsyncFn(&str, Shown<'_>) -> Result<Answer, String>,
{
    let [key_url, catalogue_url] = ["key", "models"].map(|name| format!("{base}/{name}"));
    let shown = Shown::to(&account.provider, account.key.as_ref());
    tokio::join!(get(&key_url, shown), get(&catalogue_url, shown))
}

fn judge_settings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("the settings are complete")];
    findings.extend(config.warnings.iter().map(Finding::warn));
    for account in config.accounts.iter().flat_map(Account::under_each_key) {
        let (Some(key), Some(variable)) = (&account.key, &account.variable) else {
            continue;
        };
        if config.clients.keys().any(|own| own == key) {
            findings.push(Finding::warn(format!(
                "PROXY_API_KEY is the same as {}: anyone who may call the proxy can use your {} account \
                 directly",
                variable.name, account.provider.name
            )));
        }
    }
    if let Some(length) = config.short_key() {
        findings.push(Finding::warn(format!(
            "PROXY_API_KEY has {length} characters, and HOST={} lets others try keys: make it \
             {SAFE_KEY} or more, or set HOST=127.0.0.1",
            config.host
        )));
    }
    findings
}

#[cfg(test)]
mod tests;
