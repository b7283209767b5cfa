//! What the operator sees: log lines, the record of a request, metrics (spec §7).
//!
//! No prompt, no answer and no key ever gets here: the types below have no place for them.

mod log;
mod metrics;
mod record;

pub use log::{Lines, Log, LogWriter};
pub use metrics::{Gauges, Metrics};
pub use record::{AttemptRecord, Ending, RequestRecord, Traits};
