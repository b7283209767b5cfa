//! Sends a row of the table of failures, with its times filled in.

use std::time::SystemTime;

use serde::Deserialize;

use crate::act::Reply;
use crate::clock::{Now, unix_seconds};
use crate::failures::{Failure, Kind};
use crate::words::{number_or_text, quoted};

/// A recorded failure, and what a script changes in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// Which.
    pub name: Failure,
    /// The `X-RateLimit-Reset` to send, literally. By default the daily limits give the next
    /// midnight (UTC) and those of the minute the next minute, in milliseconds.
    #[serde(default, deserialize_with = "number_or_text")]
    pub reset: Option<String>,
    /// The `Retry-After` to send, literally. If the row has one by default, it is `1`.
    #[serde(default, deserialize_with = "number_or_text")]
    pub retry_after: Option<String>,
}

impl From<Failure> for Failed {
    fn from(name: Failure) -> Self {
        Self {
            name,
            reset: None,
            retry_after: None,
        }
    }
}

impl Failed {
    /// With this `Retry-After`, which is added as a header if the row has none.
    #[must_use]
    pub fn retry_after(mut self, value: impl Into<String>) -> Self {
        self.retry_after = Some(value.into());
        self
    }

    /// With this `X-RateLimit-Reset`, which is added as a header if the row has none.
    #[must_use]
    pub fn reset(mut self, value: impl Into<String>) -> Self {
        self.reset = Some(value.into());
        self
    }

    /// What is sent for `model` at this moment: status, headers, body.
    #[must_use]
    pub fn sent(&self, model: &str, at: SystemTime) -> (u16, Vec<(&'static str, String)>, String) {
        let row = self.name.row();
        let until = |period: u64| self.reset.clone().unwrap_or_else(|| next(period, at));
        let retry_after = self.retry_after.as_deref().unwrap_or("1");
        // Inside JSON it is a number if it can be one.
        let retry_json = match retry_after.parse::<f64>() {
            Ok(_) => retry_after.to_owned(),
            Err(_) => quoted(retry_after),
        };
        let fill = |text: &str, model: &str, retry: &str| {
            text.replace("\"%RETRY%\"", &quoted(retry_after))
                .replace("%RETRY%", retry)
                .replace("%RESET_DAY%", &until(86_400))
                .replace("%RESET_MINUTE%", &until(60))
                .replace("%MODEL%", model)
        };
        let escaped = quoted(model);
        let body = fill(row.body, escaped.trim_matches('"'), &retry_json);
        let filled =
            |(name, value): &(&'static str, &str)| (*name, fill(value, model, retry_after));
        let mut headers: Vec<_> = row.headers.iter().map(filled).collect();
        let names = |token: &str| {
            row.body.contains(token) || row.headers.iter().any(|(_, value)| value.contains(token))
        };
        if let Some(value) = self.retry_after.as_ref().filter(|_| !names("%RETRY%")) {
            headers.push(("Retry-After", value.clone()));
        }
        if let Some(value) = self.reset.as_ref().filter(|_| !names("%RESET_")) {
            headers.push(("X-RateLimit-Reset", value.clone()));
        }
        (row.status, headers, body)
    }

    /// The answer. A 200 that contains an error is sent as an event if a stream was asked for.
    pub(super) fn reply(&self, model: &str, streamed: bool, now: Now) -> Reply {
        let (status, headers, body) = self.sent(model, now.wall);
        let is_event = status == 200 && streamed && body.starts_with("{\"error\"");
        let reply = if is_event {
            Reply::new(200, "text/event-stream", format!("data: {body}\n\n"))
        } else {
            let content_type = match self.name.row().kind {
                Kind::Json => "application/json",
                Kind::Html => "text/html; charset=UTF-8",
                Kind::Text => "text/plain",
            };
            Reply::new(status, content_type, body)
        };
        headers
            .into_iter()
            .fold(reply, |reply, (name, value)| reply.set(name, value))
    }
}

/// The next multiple of `period` seconds of UTC, in milliseconds since 1970.
fn next(period: u64, at: SystemTime) -> String {
    ((unix_seconds(at) / period + 1) * period * 1000).to_string()
}
