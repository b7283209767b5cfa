//! What one attempt asks, carried through all its steps: the first request, the second, and the verdict on
//! the answer.

use std::sync::Arc;

use tokio::sync::Notify;

use super::Account;
use crate::model::Candidate;
use crate::registry::Drawn;
use crate::request::ChatRequest;

/// What is asked of which candidate.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) candidate: &'a Arc<Candidate>,
    pub(super) account: &'a Arc<Account>,
    pub(super) request: &'a ChatRequest,
    pub(super) request_id: &'a Arc<str>,
    pub(super) drawn: &'a Drawn,
    /// Notified once there is a connection and the request goes out.
    pub(super) sent: &'a Notify,
}
