//! Counters and gauges in the classic Prometheus text format (spec §7).
//!
//! Every label's set of values is bounded: statuses, outcomes, and the ids of the list.

mod accounts;
mod models;
mod text;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry as Collectors,
};

use crate::model::{ClientName, Offer};
use crate::surface::Surface;
use crate::upstream::Unreachable;
use crate::verdict::Outcome;
pub use accounts::{AccountGauges, QuotaGauge};
pub use text::Gauges;

/// How many lists of filtered offers are kept: one for each set of needs that occurs in requests.
const FILTERED_LISTS: usize = 64;

/// Offers that needs rule out, and the counter of each.
type Filtered = (Arc<[Arc<Offer>]>, Vec<IntCounter>);

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    collectors: Collectors,
    requests: IntCounterVec,
    surfaces: IntCounterVec,
    sent_as: IntCounterVec,
    duration: Histogram,
    first_event: Histogram,
    waited: Histogram,
    attempts: IntCounterVec,
    /// The counters of those that needs rule out, by the list of them.
    filtered: Mutex<Vec<Filtered>>,
    unreached: IntCounterVec,
    open_streams: IntGauge,
    unauthorized: IntCounterVec,
    refused: IntCounter,
    first_token_limit_hits: IntCounter,
    trace_lines_dropped: IntCounter,
    state_not_written: IntCounter,
}

impl Metrics {
    /// All metrics at zero.
    ///
    /// # Errors
    /// If a name is duplicate or malformed, which is a bug.
    pub fn new() -> Result<Self, prometheus::Error> {
        let collectors = Collectors::new();
        let requests = IntCounterVec::new(requests(), &["status", "client"])?;
        let surfaces = IntCounterVec::new(
            Opts::new(
                "freellm_surface_requests_total",
                "Chat requests with a valid key, by API (chat, responses, messages, completions) and status.",
            ),
            &["surface", "status"],
        )?;
        let sent_as = IntCounterVec::new(
            Opts::new(
                "freellm_requests_sent_as_total",
                "Chat requests whose client was sent a different status, one that makes it show the error.",
            ),
            &["status", "status_sent"],
        )?;
        let duration = Histogram::with_opts(
            HistogramOpts::new(
                "freellm_request_duration_seconds",
                "From a chat request's head to the end of its answer.",
            )
            .buckets(vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0]),
        )?;
        let first_event = Histogram::with_opts(
            HistogramOpts::new(
                "freellm_time_to_first_token_seconds",
                "From a chat request's head to the first useful event of its stream.",
            )
            .buckets(vec![
                0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0,
            ]),
        )?;
        let waited = Histogram::with_opts(
            HistogramOpts::new(
                "freellm_waited_seconds",
                "How long chat requests waited for a model to wake; only those that had to.",
            )
            .buckets(vec![
                0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0,
            ]),
        )?;
        let attempts = IntCounterVec::new(
            Opts::new(
                "freellm_upstream_attempts_total",
                "Attempts by model and outcome; filtered_out is counted per request.",
            ),
            &["model_id", "outcome", "provider"],
        )?;
        let unreached = IntCounterVec::new(
            Opts::new(
                "freellm_connect_failures_total",
                "Failed tries of chat requests to connect to the upstream.",
            ),
            &["cause"],
        )?;
        // A rate needs a zero to start from.
        for why in Unreachable::ALL {
            unreached.with_label_values(&[why.as_str()]).inc_by(0);
        }
        let open_streams = IntGauge::new("freellm_open_streams", "Streamed answers under way.")?;
        let unauthorized = IntCounterVec::new(
            Opts::new(
                "freellm_unauthorized_total",
                "Requests without a valid key, by error code: missing_api_key, invalid_api_key.",
            ),
            &["code"],
        )?;
        // Present from the start: going from absent to one is not an increase.
        for code in ["missing_api_key", "invalid_api_key"] {
            unauthorized.with_label_values(&[code]);
        }
        let refused = IntCounter::new(
            "freellm_connections_refused_total",
            "Connections refused because MAX_CONNECTIONS were open and none of them was idle.",
        )?;
        let first_token_limit_hits = IntCounter::new(
            "freellm_first_token_limit_hits_total",
            "Attempts ended because their first token took too long while another model could be asked.",
        )?;
        let trace_lines_dropped = IntCounter::new(
            "freellm_trace_lines_dropped_total",
            "Trace lines that could not be written in time, or at all.",
        )?;
        let state_not_written = IntCounter::new(
            "freellm_state_write_failures_total",
            "Times that what is to outlive the process could not be written.",
        )?;
        let build = IntGaugeVec::new(
            Opts::new(
                "freellm_build_info",
                "Always 1; the version is in the label.",
            ),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let all: [Box<dyn Collector>; 14] = [
            Box::new(surfaces.clone()),
            Box::new(sent_as.clone()),
            Box::new(duration.clone()),
            Box::new(first_event.clone()),
            Box::new(waited.clone()),
            Box::new(attempts.clone()),
            Box::new(unreached.clone()),
            Box::new(open_streams.clone()),
            Box::new(unauthorized.clone()),
            Box::new(refused.clone()),
            Box::new(first_token_limit_hits.clone()),
            Box::new(trace_lines_dropped.clone()),
            Box::new(state_not_written.clone()),
            Box::new(build),
        ];
        for collector in all {
            collectors.register(collector)?;
        }
        Ok(Self {
            collectors,
            requests,
            surfaces,
            sent_as,
            duration,
            first_event,
            waited,
            attempts,
            filtered: Mutex::default(),
            unreached,
            open_streams,
            unauthorized,
            refused,
            first_token_limit_hits,
            trace_lines_dropped,
            state_not_written,
        })
    }

    /// A chat request has ended.
    pub fn request(&self, surface: Surface, client: &ClientName, status: &str, seconds: f64) {
        let labels = [status, client.as_str()];
        self.requests.with_label_values(&labels).inc();
        self.surfaces
            .with_label_values(&[surface.as_str(), status])
            .inc();
        self.duration.observe(seconds);
    }

    /// The client of a chat request that ended with `status` was sent another one.
    pub fn sent_as(&self, status: u16, sent: u16) {
        self.sent_as
            .with_label_values(&[status.to_string(), sent.to_string()])
            .inc();
    }

    /// A stream has begun, this many seconds after its request.
    pub fn first_event(&self, seconds: f64) {
        self.first_event.observe(seconds);
    }

    /// A request has ended that waited this many seconds for a candidate's rest to end.
    pub fn waited(&self, seconds: f64) {
        self.waited.observe(seconds);
    }

    /// An attempt has ended.
    pub fn attempt(&self, offer: &Offer, outcome: Outcome) {
        self.attempts_of(offer, outcome.as_str()).inc();
    }

    /// The limit on the first token ended an attempt (spec §11.3).
    pub fn first_token_limit_hit(&self) {
        self.first_token_limit_hits.inc();
    }

    /// Lines of the trace were lost.
    pub fn trace_lines_dropped(&self, count: u64) {
        self.trace_lines_dropped.inc_by(count);
    }

    /// What is to outlive the process could not be written.
    pub fn state_not_written(&self) {
        self.state_not_written.inc();
    }

    /// No connection to the upstream could be made.
    pub fn unreached(&self, cause: Unreachable) {
        self.unreached.with_label_values(&[cause.as_str()]).inc();
    }

    /// A request's needs ruled these out. The counters are cached per list, as long as it is the same `Arc`, so
    /// that hundreds of them are not looked up by label for each request.
    pub fn filtered_out(&self, offers: &Arc<[Arc<Offer>]>) {
        let mut known = self.filtered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |(list, _): &Filtered| Arc::ptr_eq(list, offers);
        let place = known.iter().position(is_it).unwrap_or_else(|| {
            if known.len() == FILTERED_LISTS {
                known.clear();
            }
            let counter = |offer: &Arc<Offer>| self.attempts_of(offer, "filtered_out");
            let counters = offers.iter().map(counter).collect();
            known.push((Arc::clone(offers), counters));
            known.len() - 1
        });
        for counter in known
            .get(place)
            .into_iter()
            .flat_map(|(_, counters)| counters)
        {
            counter.inc();
        }
    }

    fn attempts_of(&self, offer: &Offer, outcome: &str) -> IntCounter {
        let labels = [offer.public_id.as_str(), outcome, offer.provider.as_str()];
        self.attempts.with_label_values(&labels)
    }

    /// A request had no valid key, and got this error code.
    pub fn unauthorized(&self, code: &str) {
        self.unauthorized.with_label_values(&[code]).inc();
    }

    /// A connection was refused for lack of room.
    pub fn connection_refused(&self) {
        self.refused.inc();
    }

    /// A streamed answer begins (`1`) or ends (`-1`).
    pub fn open_streams(&self, change: i64) {
        self.open_streams.add(change);
    }

    /// How many streamed answers are under way.
    #[must_use]
    pub fn streams_open(&self) -> i64 {
        self.open_streams.get()
    }

    /// Forgets the series of models that left the list, so that they do not pile up.
    pub fn retain_models(&self, stays: impl Fn(&str) -> bool) {
        let mut filtered = self.filtered.lock().unwrap_or_else(PoisonError::into_inner);
        filtered.clear();
        drop(filtered);
        for family in self.attempts.collect() {
            for metric in family.get_metric() {
                let label = |name: &str| {
                    metric
                        .get_label()
                        .iter()
                        .find(|l| l.name() == name)
                        .map(|l| l.value().to_owned())
                };
                let labels = ["model_id", "outcome", "provider"].map(label);
                if let [Some(model), Some(outcome), Some(provider)] = &labels
                    && !stays(model)
                {
                    // It may be gone already if two refreshes overlap.
                    drop(
                        self.attempts
                            .remove_label_values(&[model, outcome, provider]),
                    );
                }
            }
        }
    }
}

/// The counter of requests; it is shown by client, or summed up by status.
fn requests() -> Opts {
    Opts::new(
        "freellm_requests_total",
        "Chat requests with a valid key, by the status they ended with.",
    )
}
