//! The simulator's own routes: the script, the clock, and what was seen.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Simulator;
use crate::act::Reply;
use crate::clock::rfc3339;
use crate::record::{Seen, Tally};
use crate::script::Script;
use crate::wire::Request;

impl Simulator {
    /// Sets or moves the clock. None if the body asks for neither.
    fn turn_clock(&self, body: &[u8]) -> Option<()> {
        let told: Value = serde_json::from_slice(body).ok()?;
        if let Some(millis) = told["advance_ms"].as_u64() {
            self.advance(Duration::from_millis(millis));
            return Some(());
        }
        let now: jiff::Timestamp = told["now"].as_str()?.parse().ok()?;
        self.set_clock(now.try_into().ok()?);
        Some(())
    }

    /// The simulator's own routes.
    pub(super) fn control(&self, method: &str, request: &Request) -> Option<Reply> {
        Some(match (method, request.path()) {
            ("PUT", "/script") => match Script::from_json(&request.body) {
                Ok(script) => {
                    self.set_script(script);
                    Reply::json(200, &json!({"ok": true}))
                }
                Err(why) => Reply::error(400, &format!("the script cannot be read: {why}")),
            },
            ("GET", "/requests") => {
                let requests: Vec<Value> = self.requests().iter().map(Seen::told).collect();
                let connections = json!({"accepted": self.accepted(), "open": self.open()});
                let accounts: Vec<Value> = self.tally().iter().map(told_tally).collect();
                Reply::json(
                    200,
                    &json!({"connections": connections, "accounts": accounts, "requests": requests}),
                )
            }
            ("DELETE", "/requests") => {
                self.clear_requests();
                Reply::json(200, &json!({"ok": true}))
            }
            ("PUT", "/clock") => match self.turn_clock(&request.body) {
                Some(()) => Reply::json(200, &json!({"now": rfc3339(self.now())})),
                None => Reply::error(
                    400,
                    r#"it takes {"now": "2026-..."} or {"advance_ms": 1000}"#,
                ),
            },
            ("GET", "/") => Reply::json(200, &json!({"name": "free-llm-proxy simulator"})),
            (_, "/script" | "/requests" | "/clock") => Reply::error(405, "Method Not Allowed"),
            _ => return None,
        })
    }
}

fn told_tally(((provider, account), tally): (&(String, String), &Tally)) -> Value {
    json!({
        "provider": provider, "account": account, "requests": tally.requests,
        "statuses": tally.statuses, "over": tally.over,
    })
}
