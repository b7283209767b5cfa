//! What is still ruled out after an operator's word (spec §10.5): it ends rests, and brings back neither what
//! was used nor what a provider stated.

use serde::Serialize;

use crate::clock::rfc3339;
use crate::ledger::{BucketView, Counted, Per, Unit};
use crate::server::state::{AccountIs, AccountState, RestState, State, limit_of};
use crate::verdict::AccountLimit;

/// An account that is not asked, or one of whose models is not.
#[derive(Serialize)]
pub(in crate::server) struct StillOut<'a> {
    account: &'a str,
    /// What is used up, or refused; `null` where it only rests.
    limit: Option<&'static str>,
    until: Option<String>,
    reason: String,
}

/// All of them, in the order of the settings.
pub(in crate::server) fn still_out(state: &State) -> Vec<StillOut<'_>> {
    state.accounts.iter().flat_map(of_account).collect()
}

fn of_account(account: &AccountState) -> impl Iterator<Item = StillOut<'_>> {
    let out = |limit: Option<AccountLimit>, until: Option<String>, reason| StillOut {
        account: &account.account.label,
        limit: limit.map(AccountLimit::as_str),
        until,
        reason,
    };
    let rest = account.rest.as_ref();
    let of_rest = rest.map(|rest| {
        let limit = rest.because.limit();
        out(limit, Some(rfc3339(rest.until)), RestState::reason(rest))
    });
    let is_refused = rest.is_none() && account.is == AccountIs::KeyRefused;
    let of_key = is_refused.then(|| {
        let reason = "its key is refused".to_owned();
        out(Some(AccountLimit::Key), None, reason)
    });
    let spent = account.buckets.iter().filter(|bucket| is_spent(bucket));
    let of_buckets = spent.map(move |bucket| {
        let limit = Some(limit_of(bucket));
        out(limit, bucket.resets_at.map(rfc3339), in_words(bucket))
    });
    of_rest.into_iter().chain(of_key).chain(of_buckets)
}

/// Whether a bucket keeps requests from being sent.
fn is_spent(bucket: &BucketView) -> bool {
    bucket.source.is_certain() && bucket.unit != Unit::AtOnce && bucket.used >= bucket.limit
}

fn in_words(bucket: &BucketView) -> String {
    let whose = match (bucket.of, &bucket.model) {
        (Counted::Model, Some(model)) => format!(" of {}", model.as_str()),
        (Counted::Address, _) => " of this address".to_owned(),
        (Counted::Account | Counted::Model, _) => String::new(),
    };
    let per = match bucket.per {
        Per::Moment => String::new(),
        per @ (Per::Second
        | Per::Minute
        | Per::Hour
        | Per::Day
        | Per::Week
        | Per::Month
        | Per::Hours(_)) => format!(" per {}", per.in_words()),
    };
    // How far beyond its limit a count is tells nothing: what was under way is counted, too.
    let BucketView { limit, unit, .. } = bucket;
    let (unit, source) = (unit.as_str(), bucket.source.as_str());
    format!("{limit} {unit}{per}{whose}, all used ({source})")
}
