//! The gauges of accounts and of their limits.

use std::borrow::Cow;
use std::collections::HashMap;

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use crate::model::AccountId;

/// A limit of an account, or of a model through an account, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaGauge {
    /// Which account.
    pub account: AccountId,
    /// The public id of the model; empty for a limit of the whole account.
    pub model_id: String,
    /// What is counted: `requests`, `tokens`, ...
    pub unit: &'static str,
    /// Within which window: `minute`, `day`, ...
    pub per: String,
    /// How much of it is used.
    pub used: u64,
    /// How much there is.
    pub limit: u64,
}

/// What the gauges of an account show.
#[derive(Clone, Debug)]
pub struct AccountGauges {
    /// Which account.
    pub account: AccountId,
    /// Seconds until its rest ends; 0 while it is awake.
    pub cooldown_seconds: f64,
    /// The free requests of the period, used and in all, if the upstream has reported them.
    pub free_requests: Option<(u64, u64)>,
}

/// The metric families of the accounts.
pub(super) fn families(
    accounts: &[AccountGauges],
    quotas: &[QuotaGauge],
) -> impl Iterator<Item = MetricFamily> {
    let labels = Labels::of(accounts);
    let families = of_accounts(accounts, &labels).into_iter();
    families.chain(of_quotas(quotas, &labels))
}

/// The names of accounts: their labels, with the provider if two providers share a label.
struct Labels<'a>(HashMap<&'a str, usize>);

impl<'a> Labels<'a> {
    fn of(accounts: &'a [AccountGauges]) -> Self {
        let mut labels = HashMap::new();
        for account in accounts {
            *labels.entry(&*account.account.label).or_default() += 1;
        }
        Self(labels)
    }

    fn name<'n>(&self, account: &'n AccountId) -> Cow<'n, str> {
        if self.0.get(&*account.label).is_some_and(|count| *count > 1) {
            format!("{}/{}", account.provider, account.label).into()
        } else {
            Cow::Borrowed(&account.label)
        }
    }
}

/// How much of each limit is used. If two limits differ only in the end of their windows, the one that is
/// more used up is shown.
fn of_quotas(quotas: &[QuotaGauge], labels: &Labels<'_>) -> Vec<MetricFamily> {
    const NAMES: [&str; 4] = ["account", "model_id", "unit", "per"];
    let used = Opts::new(
        "freellm_quota_used",
        "How much of a limit is used within its window.",
    );
    let limit = Opts::new(
        "freellm_quota_limit",
        "How much a limit allows within its window.",
    );
    let (Ok(used), Ok(limit)) = (GaugeVec::new(used, &NAMES), GaugeVec::new(limit, &NAMES)) else {
        return Vec::new();
    };
    let mut quotas: Vec<_> = quotas.iter().collect();
    let share = |quota: &QuotaGauge| quota.used as f64 / quota.limit.max(1) as f64;
    quotas.sort_by(|a, b| share(a).total_cmp(&share(b)));
    for quota in quotas {
        let account = labels.name(&quota.account);
        let values = [&*account, &quota.model_id, quota.unit, &quota.per];
        used.with_label_values(&values).set(quota.used as f64);
        limit.with_label_values(&values).set(quota.limit as f64);
    }
    let all = used.collect().into_iter().chain(limit.collect());
    all.filter(|family| !family.get_metric().is_empty())
        .collect()
}

/// The gauges of the accounts; an account about which nothing is known has no series.
fn of_accounts(accounts: &[AccountGauges], labels: &Labels<'_>) -> Vec<MetricFamily> {
    type Value = fn(&AccountGauges) -> Option<f64>;
    let families: [(&str, &str, Value); 3] = [
        (
            "freellm_account_cooldown_seconds",
            "Seconds until the account is asked again after its quota or credit ran out; 0 while it is awake.",
            |account| Some(account.cooldown_seconds),
        ),
        (
            "freellm_free_requests_used",
            "Free requests used in the period; absent unless the upstream has reported it.",
            |account| account.free_requests.map(|(used, _)| used as f64),
        ),
        (
            "freellm_free_requests_limit",
            "Free requests in the period; absent unless the upstream has reported it.",
            |account| account.free_requests.map(|(_, limit)| limit as f64),
        ),
    ];
    let mut all = Vec::new();
    for (name, help, value) in families {
        let Ok(gauges) = GaugeVec::new(Opts::new(name, help), &["account"]) else {
            continue;
        };
        for account in accounts {
            if let Some(value) = value(account) {
                let label = labels.name(&account.account);
                gauges.with_label_values(&[&*label]).set(value);
            }
        }
        let families = gauges.collect().into_iter();
        all.extend(families.filter(|family| !family.get_metric().is_empty()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Gauges, Metrics};

    #[test]
    fn s10_8_labels_are_escaped_and_tell_accounts_apart() {
        let account = |provider, label: &str| {
            AccountId::new(crate::model::ProviderId::try_from(provider).unwrap(), label)
        };
        let accounts = [
            account("groq", "home"),
            account("gemini", "home"),
            account("ovh", "a \"b\" \\ c\nd"),
        ];
        let quota = |at: usize, model: &str, used, limit| QuotaGauge {
            account: accounts[at].clone(),
            model_id: model.to_owned(),
            unit: "tokens in",
            per: "5 hours".to_owned(),
            used,
            limit,
        };
        let gauges = Gauges {
            accounts: accounts
                .iter()
                .map(|account| AccountGauges {
                    account: account.clone(),
                    cooldown_seconds: 7.0,
                    free_requests: None,
                })
                .collect(),
            quotas: vec![
                quota(0, "groq/x", 9, 10),
                quota(0, "groq/x", 1, 10),
                quota(2, "", 3, 0),
            ],
            ..Gauges::default()
        };
        let metrics = Metrics::new().unwrap();
        let text = metrics.render(gauges, false);
        #[rustfmt::skip]
        let expected = [
            r#"freellm_account_cooldown_seconds{account="groq/home"} 7"#,
            r#"freellm_account_cooldown_seconds{account="gemini/home"} 7"#,
            r#"freellm_account_cooldown_seconds{account="a \"b\" \\ c\nd"} 7"#,
            r#"freellm_quota_used{account="groq/home",model_id="groq/x",per="5 hours",unit="tokens in"} 9"#,
            r#"freellm_quota_limit{account="groq/home",model_id="groq/x",per="5 hours",unit="tokens in"} 10"#,
            r#"freellm_quota_used{account="a \"b\" \\ c\nd",model_id="",per="5 hours",unit="tokens in"} 3"#,
        ];
        for line in expected {
            assert!(
                text.lines().any(|l| l == line),
                "{line} is missing in\n{text}"
            );
        }
        // Gauges are as of now: an account that is gone leaves no series.
        assert!(
            !metrics
                .render(Gauges::default(), false)
                .contains("account=")
        );
    }
}
