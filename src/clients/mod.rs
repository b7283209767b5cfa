//! Which client is asking, and how an error must look for its user to see it (spec §3, long waits).
//!
//! Pure, and small: an agent is recognised by the API it speaks and by its `User-Agent`, and
//! [`TABLE`] says what makes it show at once an error that no retry helps against. Every row was
//! found by trying the real client (`e2e/agents/sentence_checks.py` still does). `server` decides
//! which errors those are; how an agent finds the proxy is in `agents`.

#[cfg(test)]
mod document;
mod table;
mod words;

use serde_json::json;

pub use table::{Frame, Known, TABLE};

use crate::surface::Surface;

/// The code of an error that is not sent in its own form.
const CODE: &str = "not_retryable";
/// Its type.
const KIND: &str = "invalid_request_error";

/// The client that identifies itself like this, if its behaviour is known.
#[must_use]
pub fn known(surface: Surface, user_agent: &str) -> Option<&'static Known> {
    TABLE
        .iter()
        .find(|row| row.surface == surface && user_agent.starts_with(row.user_agent))
}

/// An error in its own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a str,
    /// The sentence in it.
    pub message: &'a str,
}

/// An error in the form that makes a client show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retold {
    /// Its status.
    pub status: u16,
    /// Its body, in OpenAI's shape.
    pub body: String,
}

impl Known {
    /// The form of an error before the first byte; `None` if its own form will do.
    #[must_use]
    pub fn retold(&self, own: &Own<'_>) -> Option<Retold> {
        let status = if self.speaks_on.contains(&own.status) {
            own.status
        } else {
            self.sent_as
        };
        let does = status == own.status && !words::are_in(own.body, self.silenced_by);
        (!does).then(|| Retold {
            status,
            body: self.body(own.message),
        })
    }

    /// The body of an error in this client's form, also for an error frame.
    #[must_use]
    pub fn body(&self, message: &str) -> String {
        let message = words::unread(message, self.silenced_by);
        json!({"error": {"message": message, "type": KIND, "param": null, "code": CODE}})
            .to_string()
    }
}

#[cfg(test)]
mod tests;
