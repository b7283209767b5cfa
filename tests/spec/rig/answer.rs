//! What the proxy has answered, read to its end.

use bytes::Bytes;
use serde_json::Value;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's value, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    /// `error.code`.
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The payloads of its events, comments left out.
    pub fn events(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n");
        text.lines()
            .filter_map(|l| l.strip_prefix("data:"))
            .map(|d| d.trim().to_owned())
            .collect()
    }

    /// The text that the events' deltas make.
    pub fn content(&self) -> String {
        let parsed = self
            .events()
            .into_iter()
            .filter_map(|e| serde_json::from_str::<Value>(&e).ok());
        parsed
            .filter_map(|e| {
                e["choices"][0]["delta"]["content"]
                    .as_str()
                    .map(ToOwned::to_owned)
            })
            .collect()
    }
}
