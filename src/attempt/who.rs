//! Who asks.

use std::sync::Arc;

use crate::config::Client;
use crate::learnt::SessionKey;
use crate::registry::Admitted;

/// Whose request it is.
#[derive(Debug)]
pub struct Who {
    /// The client, which may be allowed some models only.
    pub client: Arc<Client>,
    /// Its session, if that matters.
    pub session: Option<SessionKey>,
    /// What it has drawn from its client's limits.
    pub admitted: Admitted,
}
