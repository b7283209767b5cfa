//! An account in `/admin/state`: its key, its state, and what is left of its quotas (spec §10.8).
//! Never more of a key than its tail.

use std::iter::zip;

use serde::Serialize;

use super::BecauseView;
use crate::clock::rfc3339;
use crate::ledger::{AllowanceView, BucketView, Counted, LimitSource, Per, Unit};
use crate::model::{ModelId, ProviderId};
use crate::server::App;
use crate::server::state::{AccountState, RestState, State};

/// An account.
#[derive(Serialize)]
pub(in crate::server::admin) struct AccountView<'a> {
    label: &'a str,
    provider: &'a ProviderId,
    variable: Option<&'a str>,
    key_tail: Option<&'a str>,
    training: Option<&'static str>,
    state: &'static str,
    probing: bool,
    limit: Option<&'static str>,
    until: Option<String>,
    resting_sec: Option<u64>,
    reason: Option<String>,
    because: Option<BecauseView<'a>>,
    buckets: Vec<LimitView<'a>>,
    /// The following is only present for OpenRouter's.
    free_requests: Option<FreeRequestsView>,
    asked_today: Option<u64>,
    today: Option<TodayView>,
}

/// A bucket: a limit, and how much of it is used.
#[derive(Serialize)]
pub(in crate::server::admin) struct LimitView<'a> {
    unit: &'static str,
    limit: u64,
    used: u64,
    per: PerView,
    of: &'static str,
    model: Option<&'a ModelId>,
    ends: Option<&'static str>,
    resets_at: Option<String>,
    source: &'static str,
}

/// A window as `CONFIG_FILE` spells it; `null` for concurrent requests.
#[derive(Serialize)]
#[serde(untagged)]
enum PerView {
    Word(Option<String>),
    Hours { hours: u32 },
}

#[derive(Serialize)]
struct FreeRequestsView {
    limit: u64,
    remaining: u64,
}

/// The free requests of this UTC day.
#[derive(Serialize)]
struct TodayView {
    limit: u64,
    used: u64,
    remaining: u64,
    resets_at: String,
    told_at: String,
    told_by: &'static str,
}

/// All accounts, in the order of the settings.
pub(in crate::server::admin) fn accounts<'a>(app: &App, state: &'a State) -> Vec<AccountView<'a>> {
    let told = app.registry.outside().today(state.now);
    let mut accounts: Vec<_> = state.accounts.iter().map(AccountView::of).collect();
    // It is about the first of OpenRouter's accounts.
    let mut both = zip(&mut accounts, &state.accounts);
    let first = both.find(|(view, _)| view.provider.is_openrouter());
    if let (Some((view, account)), Some(told)) = (first, told)
        && let Some(day) = account.buckets.iter().find(|bucket| is_free_day(bucket))
    {
        view.asked_today = Some(day.used);
        view.today = Some(TodayView {
            limit: day.limit,
            used: day.used,
            remaining: day.limit.saturating_sub(day.used),
            resets_at: rfc3339(day.resets_at.unwrap_or(told.resets_at)),
            told_at: rfc3339(told.at),
            told_by: if told.by_refusal { "refusal" } else { "key" },
        });
    }
    accounts
}

/// Whether a bucket of OpenRouter's has the free requests of the day, as reported.
fn is_free_day(bucket: &BucketView) -> bool {
    (bucket.unit, bucket.per, bucket.of) == (Unit::Requests, Per::Day, Counted::Account)
        && bucket.source.is_certain()
}

impl<'a> AccountView<'a> {
    fn of(account: &'a AccountState) -> Self {
        let facts = account.facts.as_deref();
        let key = account.key.as_ref();
        let rest = account.rest.as_ref();
        Self {
            label: &account.account.label,
            provider: &account.account.provider,
            variable: key.and_then(|key| key.variable.as_deref()),
            key_tail: key.and_then(|key| key.tail.as_deref()),
            training: facts.map(|facts| facts.training.as_str()),
            state: account.is.as_str(),
            probing: account.probing,
            limit: account.limit.map(|limit| limit.as_str()),
            until: account.until.map(rfc3339),
            resting_sec: rest.map(RestState::seconds_left),
            reason: rest.map(RestState::reason),
            because: rest.map(|rest| BecauseView::of(&rest.because)),
            buckets: account.buckets.iter().map(LimitView::of).collect(),
            free_requests: account.free_requests.map(|free| FreeRequestsView {
                limit: free.limit,
                remaining: free.remaining,
            }),
            asked_today: None,
            today: None,
        }
    }
}

impl<'a> LimitView<'a> {
    pub(in crate::server::admin) fn of(bucket: &'a BucketView) -> Self {
        Self {
            unit: bucket.unit.as_str(),
            limit: bucket.limit,
            used: bucket.used,
            per: PerView::of(bucket.per),
            of: bucket.of.as_str(),
            model: bucket.model.as_ref(),
            ends: bucket.ends.map(|ends| ends.as_str()),
            resets_at: bucket.resets_at.map(rfc3339),
            source: bucket.source.as_str(),
        }
    }

    /// A limit of a client, which the operator has set.
    pub(super) fn of_client(limit: &AllowanceView) -> Self {
        Self {
            unit: limit.unit.as_str(),
            limit: limit.limit,
            used: limit.used,
            per: PerView::of(limit.per),
            of: "client",
            model: None,
            ends: limit.ends.map(|ends| ends.as_str()),
            resets_at: limit.resets_at.map(rfc3339),
            source: LimitSource::Set.as_str(),
        }
    }
}

impl PerView {
    fn of(per: Per) -> Self {
        match per {
            Per::Moment => Self::Word(None),
            Per::Hours(hours) => Self::Hours { hours },
            Per::Second | Per::Minute | Per::Hour | Per::Day | Per::Week | Per::Month => {
                Self::Word(Some(per.in_words().into_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::json;

    use super::*;
    use crate::ledger::Ends;

    #[test]
    fn s10_8_a_bucket_is_spelt_as_the_contract_has_it() {
        let bucket = |unit, per, of, model: Option<&str>, ends, resets_at, source| BucketView {
            unit,
            limit: 20,
            used: 7,
            per,
            of,
            model: model.map(|id| ModelId::try_from(id).unwrap()),
            ends,
            resets_at,
            source,
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        #[rustfmt::skip]
        let rows = [
            (bucket(Unit::Requests, Per::Day, Counted::Model, Some("gemini-3.5-flash"), Some(Ends::Pacific), Some(at), LimitSource::Default),
             json!({"unit": "requests", "limit": 20, "used": 7, "per": "day", "of": "model", "model": "gemini-3.5-flash", "ends": "pacific", "resets_at": "2027-01-15T08:00:00.000Z", "source": "default"})),
            (bucket(Unit::TokensIn, Per::Hours(5), Counted::Account, None, None, None, LimitSource::Set),
             json!({"unit": "tokens in", "limit": 20, "used": 7, "per": {"hours": 5}, "of": "account", "model": null, "ends": null, "resets_at": null, "source": "set"})),
            (bucket(Unit::AtOnce, Per::Moment, Counted::Address, None, None, None, LimitSource::Stated),
             json!({"unit": "at once", "limit": 20, "used": 7, "per": null, "of": "address", "model": null, "ends": null, "resets_at": null, "source": "stated"})),
            (bucket(Unit::Neurons, Per::Month, Counted::Account, None, Some(Ends::Utc), None, LimitSource::Learnt),
             json!({"unit": "neurons", "limit": 20, "used": 7, "per": "month", "of": "account", "model": null, "ends": "utc", "resets_at": null, "source": "learnt"})),
        ];
        for (bucket, expected) in rows {
            assert_eq!(
                serde_json::to_value(LimitView::of(&bucket)).unwrap(),
                expected
            );
        }
    }
}
