//! One line for each account's key: where it was found, whether it works, its limits and when its
//! day ends (spec §10.8).

use std::time::SystemTime;

use super::key::shown;
use super::{Answer, Finding};
use crate::cli::key_test::{Shown, Tested, reach, test};
use crate::cli::{Local, providers};
use crate::config::{Account, Variable};
use crate::ledger::{LimitSource, Per, next_end};
use crate::redact::Secret;
use crate::units;

/// Tests every key of an account, and reports the result.
pub(super) async fn check<F>(
    account: &Account,
    local: Local,
    now: SystemTime,
    get: F,
) -> Vec<Finding>
where
    F: AsyncFn(&str, Shown<'_>) -> Result<Answer, String>,
{
    let get = async |url: &str, shown: Shown<'_>| {
        let (status, _, body) = get(url, shown).await?;
        Ok((status, body.to_vec()))
    };
    let own = account.key.iter().zip(&account.variable);
    let spares = account.spares.iter().map(|(key, variable)| (key, variable));
    let mut findings = Vec::new();
    for (key, variable) in own.chain(spares) {
        let tested = test(&account.provider, key, account.account_id.as_ref(), &get).await;
        findings.push(of_key(account, key, variable, &tested, local, now));
    }
    if findings.is_empty() {
        let tested = reach(&account.provider, None, None, &get).await;
        findings.push(without_key(account, &tested, local, now));
    }
    findings
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
    let which = format!("{}: {place} ({})", account.id, shown(key));
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
            "{which} is untested, since only a chat request would tell, which counts{odd}; {more}"
        )),
        Tested::Unknown(status) => Finding::warn(format!(
            "{which} is unchecked: {} answers HTTP {status}, which says nothing about the key{odd}; {more}",
            row.name
        )),
        Tested::Refused(status) => Finding::bad(format!(
            "{which} is refused (HTTP {status}){odd}. Create one at {}",
            row.sign_up
        )),
        Tested::Unreachable(why) => Finding::bad(format!(
            "{which} is unchecked, and no fault of the key: {} cannot be reached: {why}",
            host(&account.base_url())
        )),
    }
}

fn without_key(account: &Account, tested: &Tested, local: Local, now: SystemTime) -> Finding {
    let row = &account.provider;
    let more = more(account, local, now);
    match tested {
        Tested::Works | Tested::Untested | Tested::Refused(_) => {
            Finding::ok(format!("{}: needs no key, and answers; {more}", account.id))
        }
        Tested::Unknown(status) => Finding::warn(format!(
            "{}: needs no key; {} answers HTTP {status}; {more}",
            account.id, row.name
        )),
        Tested::Unreachable(why) => Finding::bad(format!(
            "{}: {} cannot be reached: {why}",
            account.id,
            host(&account.base_url())
        )),
    }
}

/// Limits and how they are known, the end of the day, and how prompts may be used.
fn more(account: &Account, local: Local, now: SystemTime) -> String {
    let row = &account.provider;
    let set = row
        .limits
        .iter()
        .filter(|limit| limit.source == LimitSource::Set);
    let set: Vec<_> = set.map(providers::limit_words).collect();
    let limits = match (set.is_empty(), row.gives.is_empty()) {
        (false, _) => format!("limits (set): {}", set.join(", ")),
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
    format!("{limits}{day}; {}", providers::training(row.training))
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
