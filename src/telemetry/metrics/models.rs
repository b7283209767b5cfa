//! The gauges of models, only those on the list.

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use crate::model::ModelId;

/// What a request would cost at each model of the list; no series if models are ordered by rank.
pub(super) fn costs(costs: &[(ModelId, f64)]) -> Vec<MetricFamily> {
    let opts = Opts::new(
        "freellm_learnt_cost_seconds",
        "What a request without a session, tools or other needs would cost at the model now, through the cheapest \
         of its accounts, whether or not it could be asked: within a tier, the cheapest model is asked first.",
    );
    let Ok(gauges) = GaugeVec::new(opts, &["model_id"]) else {
        return Vec::new();
    };
    for (id, cost) in costs {
        gauges.with_label_values(&[id.as_str()]).set(*cost);
    }
    let families = gauges.collect().into_iter();
    families
        .filter(|family| !family.get_metric().is_empty())
        .collect()
}
