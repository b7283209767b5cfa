//! One attempt's question, as all its steps carry it: the first time a candidate is asked, the second
//! time, and when its answer is judged.

use std::sync::Arc;

use tokio::sync::Notify;

use super::Account;
use crate::model::Candidate;
use crate::registry::Drawn;
use crate::request::ChatRequest;

/// Who is asked what.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) candidate: &'a Arc<Candidate>,
    pub(super) account: &'a Arc<Account>,
    pub(super) request: &'a ChatRequest,
    pub(super) request_id: &'a Arc<str>,
    pub(super) drawn: &'a Drawn,
    /// Told once there is a connection and the request goes out.
    pub(super) sent: &'a Notify,
}
