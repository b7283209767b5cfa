//! What several commands say of the same part of the proxy's JSON. Pure.

use serde_json::Value;

use crate::units::wait;

/// How many requests wait, if any do, and until when at least.
pub(super) fn waiting(waiting: &Value) -> Option<String> {
    let who = match waiting["requests"].as_u64().unwrap_or_default() {
        0 => return None,
        1 => "1 request waits".to_owned(),
        many => format!("{many} requests wait"),
    };
    Some(match waiting["first_returns_sec"].as_u64() {
        Some(left) => {
            let left = wait(left);
            format!("{who}; the first model or quota returns in {left} at the earliest")
        }
        None => format!("{who}; a probe or a request in progress may let one go at any moment"),
    })
}
