//! What the operator sees: log lines, the record of a request, metrics, live traffic (spec §7).
//!
//! No prompt, no answer and no key ever gets here: the types below have nowhere to put them.

mod log;
mod metrics;
mod queue;
mod record;
mod trace;
mod traffic;

pub use log::{Lines, Log};
pub use metrics::{AccountGauges, Gauges, Metrics, QuotaGauge};
pub use queue::Writer;
pub use record::{Attempt, Chosen, Ending, RequestRecord, Trail, Traits};
pub use trace::{Asks, Recorder, Stands, Unwritable};
pub use traffic::{Happening, Heard, Listener, Traffic};
