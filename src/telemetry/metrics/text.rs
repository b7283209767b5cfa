//! The text of `/metrics`: what was counted, and the gauges, which are read when it is requested.

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, Gauge, Registry as Collectors, TextEncoder};

use super::{AccountGauges, Metrics, QuotaGauge, accounts, models, requests};
use crate::model::ModelId;

/// What the gauges show, read when `/metrics` is requested.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Models of the snapshot.
    pub active_models: usize,
    /// Models of the snapshot that are resting.
    pub cooldown_models: usize,
    /// Connections of clients, busy and idle.
    pub open_connections: usize,
    /// Age of the snapshot in seconds; `None` while there is none.
    pub snapshot_age_seconds: Option<f64>,
    /// Requests waiting for a candidate's rest to end.
    pub waiting_requests: usize,
    /// What a request without a session would cost at each model, in seconds; empty if models are ordered by
    /// rank.
    pub learnt_costs: Vec<(ModelId, f64)>,
    /// The gauges of each account.
    pub accounts: Vec<AccountGauges>,
    /// The usage of each known limit.
    pub quotas: Vec<QuotaGauge>,
}

impl Metrics {
    /// All metrics, in the text format of `/metrics`; with the names of clients if their reader may know these.
    #[must_use]
    pub fn render(&self, gauges: Gauges, with_clients: bool) -> String {
        let mut families = self.collectors.gather();
        families.extend(self.by_client(with_clients).unwrap_or_default());
        let now = [
            (
                "freellm_active_models",
                "Models of the snapshot.",
                Some(gauges.active_models as f64),
            ),
            (
                "freellm_cooldown_models",
                "Models of the snapshot that are resting.",
                Some(gauges.cooldown_models as f64),
            ),
            (
                "freellm_open_connections",
                "Connections of clients, busy and idle.",
                Some(gauges.open_connections as f64),
            ),
            (
                "freellm_waiting_requests",
                "Chat requests waiting for a model to wake.",
                Some(gauges.waiting_requests as f64),
            ),
            (
                "freellm_snapshot_age_seconds",
                "Seconds since the snapshot was read; absent while there is none.",
                gauges.snapshot_age_seconds,
            ),
        ];
        for (name, help, value) in now {
            if let (Some(value), Ok(gauge)) = (value, Gauge::new(name, help)) {
                gauge.set(value);
                families.extend(gauge.collect());
            }
        }
        families.extend(models::costs(&gauges.learnt_costs));
        families.extend(accounts::families(&gauges.accounts, &gauges.quotas));
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_default()
    }

    /// The requests of each client, or of all together.
    fn by_client(&self, with_clients: bool) -> Result<Vec<MetricFamily>, prometheus::Error> {
        let requests = Collectors::new();
        requests.register(if with_clients {
            Box::new(self.requests.clone())
        } else {
            Box::new(self.by_status()?)
        })?;
        Ok(requests.gather())
    }

    fn by_status(&self) -> Result<CounterVec, prometheus::Error> {
        let sums = CounterVec::new(requests(), &["status"])?;
        for family in self.requests.collect() {
            for metric in family.get_metric() {
                let mut labels = metric.get_label().iter();
                if let Some(status) = labels.find(|label| label.name() == "status") {
                    let count = metric.get_counter().get_value();
                    sums.with_label_values(&[status.value()]).inc_by(count);
                }
            }
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{AccountId, ClientName, Offer};
    use crate::surface::Surface;
    use crate::upstream::Unreachable;
    use crate::verdict::Outcome;

    #[test]
    fn s7_metrics_are_spelt_as_in_the_contract() {
        let metrics = Metrics::new().unwrap();
        let (a, b) = (
            Offer::at_openrouter(ModelId::try_from("a/b:free").unwrap()),
            Offer::at_openrouter(ModelId::try_from("gone").unwrap()),
        );
        metrics.request(Surface::Chat, &ClientName::unnamed(1), "200", 0.2);
        metrics.request(
            Surface::Chat,
            &ClientName::unnamed(1),
            "200/mid_error",
            70.0,
        );
        metrics.request(Surface::Chat, &ClientName::unnamed(1), "499", 0.01);
        metrics.sent_as(503, 402);
        metrics.first_event(0.7);
        metrics.unauthorized("invalid_api_key");
        metrics.connection_refused();
        for outcome in [
            Outcome::Success,
            Outcome::RateLimited,
            Outcome::UpstreamAuthError,
            Outcome::ClientError,
            Outcome::ClientDisconnected,
            Outcome::UpstreamError,
        ] {
            metrics.attempt(&a, outcome);
        }
        metrics.filtered_out(&[Arc::new(a.clone())].into());
        metrics.unreached(Unreachable::Dns);
        metrics.attempt(&b, Outcome::Success);
        metrics.retain_models(|id| id != "gone");
        let text = metrics.render(
            Gauges {
                active_models: 6,
                cooldown_models: 1,
                open_connections: 3,
                snapshot_age_seconds: Some(1.5),
                waiting_requests: 2,
                learnt_costs: vec![(ModelId::try_from("a/b:free").unwrap(), 3.5)],
                accounts: vec![AccountGauges {
                    account: AccountId::openrouter(),
                    cooldown_seconds: 0.0,
                    free_requests: Some((50, 50)),
                }],
                quotas: vec![QuotaGauge {
                    account: AccountId::openrouter(),
                    model_id: String::new(),
                    unit: "requests",
                    per: "day".to_owned(),
                    used: 2,
                    limit: 50,
                }],
            },
            false,
        );
        #[rustfmt::skip]
        let expected = [
            "# TYPE freellm_requests_total counter",
            "freellm_requests_total{status=\"200\"} 1",
            "freellm_requests_total{status=\"200/mid_error\"} 1",
            "freellm_requests_total{status=\"499\"} 1",
            "freellm_requests_sent_as_total{status=\"503\",status_sent=\"402\"} 1",
            "# TYPE freellm_request_duration_seconds histogram",
            "freellm_request_duration_seconds_bucket{le=\"0.05\"} 1",
            "freellm_request_duration_seconds_bucket{le=\"0.25\"} 2",
            "freellm_request_duration_seconds_bucket{le=\"60\"} 2",
            "freellm_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "freellm_time_to_first_token_seconds_bucket{le=\"0.5\"} 0",
            "freellm_time_to_first_token_seconds_bucket{le=\"1\"} 1",
            "freellm_upstream_attempts_total{model_id=\"a/b:free\",outcome=\"success\",provider=\"openrouter\"} 1",
            "freellm_upstream_attempts_total{model_id=\"a/b:free\",outcome=\"rate_limited\",provider=\"openrouter\"} 1",
            "freellm_upstream_attempts_total{model_id=\"a/b:free\",outcome=\"upstream_auth_error\",provider=\"openrouter\"} 1",
            "freellm_upstream_attempts_total{model_id=\"a/b:free\",outcome=\"client_error\",provider=\"openrouter\"} 1",
            "freellm_upstream_attempts_total{model_id=\"a/b:free\",outcome=\"client_disconnected\",provider=\"openrouter\"} 1",
            "freellm_upstream_attempts_total{model_id=\"a/b:free\",outcome=\"upstream_error\",provider=\"openrouter\"} 1",
            "freellm_upstream_attempts_total{model_id=\"a/b:free\",outcome=\"filtered_out\",provider=\"openrouter\"} 1",
            "# TYPE freellm_connect_failures_total counter",
            "freellm_connect_failures_total{cause=\"dns\"} 1",
            "freellm_active_models 6",
            "freellm_cooldown_models 1",
            "freellm_open_connections 3",
            "freellm_unauthorized_total{code=\"invalid_api_key\"} 1",
            "freellm_connections_refused_total 1",
            "freellm_waiting_requests 2",
            "freellm_learnt_cost_seconds{model_id=\"a/b:free\"} 3.5",
            "freellm_snapshot_age_seconds 1.5",
            "freellm_account_cooldown_seconds{account=\"openrouter\"} 0",
            "freellm_free_requests_used{account=\"openrouter\"} 50",
            "freellm_free_requests_limit{account=\"openrouter\"} 50",
            "freellm_quota_used{account=\"openrouter\",model_id=\"\",per=\"day\",unit=\"requests\"} 2",
            "freellm_quota_limit{account=\"openrouter\",model_id=\"\",per=\"day\",unit=\"requests\"} 50",
        ];
        for line in expected {
            assert!(
                text.lines().any(|l| l == line),
                "{line} is missing in\n{text}"
            );
        }
        assert!(
            !text.contains("gone"),
            "a model that left the list leaves no series"
        );
        assert!(
            !metrics
                .render(Gauges::default(), false)
                .contains("snapshot_age"),
            "absent while there is no snapshot"
        );
    }
}
