//! One line for each account's key: where it was found, whether it works, its limits and when its
//! day ends (spec §10.8).

use std::time::SystemTime;

use super::key::shown;
use super::{Answer, Finding};
use crate::cli::key_test::{Shown, Tested, reach, test};
use crate::cli::{Local, providers};
use crate::config::{Account, Variable};
use crate::ledger::{LimitSource, Per, next_end};
use crate::provider::Provider;
use crate::redact::Secret;
use crate::units;

/// Tests the key of an account, and reports the result.
pub(super) async fn check<F>(account: &Account, local: Local, now: SystemTime, get: F) -> Finding
where
    F: AsyncFn(&str, Shown<'_>) -> Result<Answer, String>,
{
    let get = async |url: &str, shown: Shown<'_>| {
        let (status, _, body) = get(url, shown).await?;
        Ok((status, body.to_vec()))
    };
    match (&account.key, &account.variable) {
        (Some(key), Some(variable)) => {
            let tested = test(&account.provider, key, account.account_id.as_ref(), &get).await;
            of_key(account, key, variable, &tested, local, now)
        }
        _ => {
            let tested = reach(&account.provider, None, None, true, &get).await;
            without_key(account, &tested, local, now)
        }
    }
}

fn of_key(
    account: &Account,
    key: &Secret,
    variable: &Variable,
    tested: &Tested,
    local: Local,
    now: SystemTime,
) -> Finding {
    let row = &account.provider;
    let place = format!("{} in {}", variable.name, variable.place);
    let which = format!("{}: {place} ({})", who(account), shown(key));
    let odd = match &row.key_prefix {
        Some(prefix) if account.odd_shape => {
            format!("; it does not begin with {prefix}, as they usually do")
        }
        Some(_) | None => String::new(),
    };
    let more = more(account, local, now);
    match tested {
        Tested::Works if account.odd_shape => Finding::ok(format!("{which} works{odd}; {more}")),
        Tested::Works => Finding::ok(format!("{which} works; {more}")),
        Tested::Untested => Finding::ok(format!(
            "{which} is not tested, since that would take a chat request, which counts{odd}; {more}"
        )),
        Tested::Unknown(status) => Finding::warn(format!(
            "{which} could not be tested: {} answers HTTP {status}, which says nothing about the key{odd}; {more}",
            row.name
        )),
        Tested::Refused(status) => Finding::bad(format!(
            "{which} is refused (HTTP {status}){odd}{}",
            row.create_one()
        )),
        Tested::Unreachable(why) => Finding::bad(format!(
            "{which} could not be tested, which says nothing about the key: {} cannot be reached: {why}",
            host(&account.base_url())
        )),
    }
}

fn without_key(account: &Account, tested: &Tested, local: Local, now: SystemTime) -> Finding {
    let row = &account.provider;
    let more = more(account, local, now);
    match tested {
        Tested::Works | Tested::Untested => Finding::ok(format!(
            "{}: needs no key, and answers; {more}",
            who(account)
        )),
        Tested::Refused(status) => {
            let where_from = match row.sign_up.as_str() {
                "" => String::new(),
                page => format!(", see {page}"),
            };
            Finding::bad(format!(
                "{}: refuses requests without a key (HTTP {status}): give it one{where_from}",
                who(account)
            ))
        }
        Tested::Unknown(status) => Finding::warn(format!(
            "{}: needs no key; its list answers HTTP {status}, which does not tell whether it takes requests; {more}",
            who(account)
        )),
        Tested::Unreachable(why) => Finding::bad(format!(
            "{}: {} cannot be reached: {why}",
            who(account),
            host(&account.base_url())
        )),
    }
}

/// The account, with its provider where the label does not tell.
fn who(account: &Account) -> String {
    let (label, provider) = (&account.id.label, &account.provider.id);
    match label.starts_with(provider.as_str()) {
        true => label.to_string(),
        false => format!("{label} at {provider}"),
    }
}

/// Limits and how they are known, the end of the day, and how prompts may be used.
fn more(account: &Account, local: Local, now: SystemTime) -> String {
    let row = &account.provider;
    format!(
        "{}; {}",
        limits(row, local, now),
        providers::training(row.training)
    )
}

/// Limits and how they are known, and the end of the day.
pub(super) fn limits(row: &Provider, local: Local, now: SystemTime) -> String {
    let set = row
        .limits
        .iter()
        .filter(|limit| limit.source == LimitSource::Set);
    let set: Vec<_> = set.map(providers::limit_words).collect();
    // The file's `limits` are instead of the row's, and its words go with those (spec §10.1); another that
    // is set, such as `connections`, comes in addition.
    let limits = match (set.is_empty(), row.gives.is_empty()) {
        (false, false) => format!("limits (set): {}; (default): {}", set.join(", "), row.gives),
        (false, true) => format!("limits (set): {}", set.join(", ")),
        (true, false) => format!("limits (default): {}", row.gives),
        (true, true) => "no limits are known".to_owned(),
    };
    let day = row.day_ends.map(|ends| {
        let at = next_end(Per::Day, ends, now);
        let left = units::whole_seconds(at.duration_since(now).unwrap_or_default());
        format!(
            "; its day ends at {}, in {}",
            local.time(at),
            units::wait(left)
        )
    });
    let day = day.unwrap_or_default();
    limits + &day
}

/// The host of an address, the part that can be reached or not. The path may contain an account id.
fn host(base: &str) -> &str {
    let end = base
        .split_once("://")
        .map_or(0, |(scheme, _)| scheme.len() + 3);
    let rest = base.get(end..).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    base.get(..end + host.len()).unwrap_or(base)
}
