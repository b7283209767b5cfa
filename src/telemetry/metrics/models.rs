//! The gauges of models: those of the list, and no others.

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use crate::model::ModelId;

/// What a request would cost at each model of the list: no series where the order is that of the ranking.
pub(super) fn costs(costs: &[(ModelId, f64)]) -> Vec<MetricFamily> {
    let opts = Opts::new(
        "freellm_learnt_cost_seconds",
        "What a request without a session, tools or other needs would cost at the model now, through the cheapest \
         of its accounts, whether or not it could be asked: the least is asked first within a tier.",
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
