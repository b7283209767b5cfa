//! Recorded errors of many providers, with how the specification classifies each: the table
//! `providers/cases.json`, which has the rows of reference `provider-cases.md` §1 in its order. A
//! provider's own answers are in its own file, not here.

use std::sync::LazyLock;
use std::time::SystemTime;

use serde::Deserialize;

use crate::act::Reply;
use crate::clock::unix_seconds;
use crate::words::quoted;

/// One row: what is sent, and what is expected to follow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderCase {
    /// Its name, as scripts and tests use it (`groq tokens per day`).
    pub name: String,
    /// The provider; empty for one without a row.
    pub provider: String,
    /// The status.
    pub status: u16,
    /// The headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body as recorded; a time in it is `ms+N`, which [`ProviderCase::body_at`] fills in.
    pub body: String,
    /// The model that the body names, if it names one.
    #[serde(default)]
    pub model: Option<String>,
    /// What it rules out: a scope of spec §10.4, `size` or `none`.
    pub scope: String,
    /// What must not reach a client, a log or a page.
    #[serde(default)]
    pub cut: Vec<String>,
    /// For how long it rests.
    pub rest: String,
    /// What may be asked next within the same request.
    pub next: String,
    /// A note for readers.
    #[serde(default)]
    pub note: String,
}

/// All rows, in the order of the reference.
#[must_use]
pub fn provider_cases() -> &'static [ProviderCase] {
    static ALL: LazyLock<Vec<ProviderCase>> = LazyLock::new(|| {
        // A test reads the file; there is nothing to report the error to here.
        serde_json::from_str(include_str!("../../providers/cases.json")).unwrap_or_default()
    });
    &ALL
}

/// The row with this name.
#[must_use]
pub fn provider_case(name: &str) -> Option<&'static ProviderCase> {
    provider_cases().iter().find(|case| case.name == name)
}

impl ProviderCase {
    /// The body as it is sent at this moment: `ms+N` is N seconds later, in epoch milliseconds.
    #[must_use]
    pub fn body_at(&self, at: SystemTime) -> String {
        let Some((before, rest)) = self.body.split_once("ms+") else {
            return self.body.clone();
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (seconds, after) = rest.split_at(digits);
        let later = unix_seconds(at).saturating_add(seconds.parse().unwrap_or(0));
        format!("{before}{}{after}", later.saturating_mul(1000))
    }

    /// The body, with the recorded model replaced by the requested one.
    fn body_about(&self, model: &str, at: SystemTime) -> String {
        let body = self.body_at(at);
        match &self.model {
            Some(recorded) => body.replace(recorded, quoted(model).trim_matches('"')),
            None => body,
        }
    }

    /// The answer with the recorded status.
    pub(crate) fn reply(&self, model: &str, at: SystemTime) -> Reply {
        let body = self.body_about(model, at);
        let reply = Reply::new(self.status, content_type(&body), body);
        let headers = self.headers.iter();
        headers.fold(reply, |reply, (name, value)| reply.set(name, value))
    }
}

/// The content type of a body, judging by its beginning.
pub(super) fn content_type(body: &str) -> &'static str {
    match serde_json::from_str::<serde::de::IgnoredAny>(body) {
        Ok(_) => "application/json",
        Err(_) => "text/plain",
    }
}

/// A recorded error as a step of a script.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Which row.
    #[serde(deserialize_with = "known")]
    pub name: String,
    /// Where it appears.
    #[serde(default)]
    pub within: Within,
}

/// Where a recorded error appears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// With its own status.
    #[default]
    Status,
    /// In a 200: as the whole answer, or as the first event of a stream.
    Answer,
    /// In a stream after this many content events; in a plain answer like `answer`.
    After(usize),
}

impl Case {
    /// The row with its own status. An unknown name answers 500 and says so.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            within: Within::default(),
        }
    }

    /// The same at another place.
    #[must_use]
    pub fn within(mut self, within: Within) -> Self {
        self.within = within;
        self
    }

    /// The row's answer for this model, with its own status.
    pub(crate) fn reply(&self, model: &str, at: SystemTime) -> Reply {
        match provider_case(&self.name) {
            Some(case) => case.reply(model, at),
            None => Reply::error(500, &format!("there is no case {}", quoted(&self.name))),
        }
    }

    /// The row's body for this model.
    pub(crate) fn body(&self, model: &str, at: SystemTime) -> String {
        provider_case(&self.name).map_or_else(String::new, |case| case.body_about(model, at))
    }
}

fn known<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match provider_case(&name) {
        Some(_) => Ok(name),
        None => Err(serde::de::Error::custom(format!(
            "there is no case `{name}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_table_matches_the_reference_row_by_row() {
        let all = provider_cases();
        assert_eq!(all.len(), 55);
        let twice = all.iter().find(|a| {
            let same = |b: &&ProviderCase| a.name == b.name;
            all.iter().filter(same).count() > 1
        });
        assert_eq!(twice, None);
        #[rustfmt::skip]
        let rows = [
            // name                              status  scope        rest             cut
            ("groq tokens per day",              429,    "candidate", "577 s or more", &["org_01jx8kq2vd3nw7"][..]),
            ("groq too large",                   413,    "size",      "no rest",       &["org_01jx8kq2vd3nw7"]),
            ("gemini per day retry delay lies",  429,    "candidate", "until midnight Pacific", &[]),
            ("nvidia not for account",           404,    "candidate", "§4.5",          &["acct7Qm2Zr9"]),
            ("ollama weekly limit",              429,    "account",   "until that quota's end, at least `RATE_LIMIT_COOLDOWN_SEC`", &["jane_doe42"]),
            ("openrouter daily 429",             429,    "account",   "300 s",         &["user_2pXk9Qa7"]),
        ];
        for (name, status, scope, rest, cut) in rows {
            let case = provider_case(name).unwrap();
            let told = (case.status, case.scope.as_str(), case.rest.as_str());
            assert_eq!(told, (status, scope, rest), "{name}");
            assert_eq!(case.cut, cut, "{name}");
            assert!(
                cut.iter().all(|secret| case.body.contains(secret)),
                "{name}"
            );
        }
        for case in all {
            assert!(case.body.contains(case.model.as_deref().unwrap_or("")));
        }
    }

    #[test]
    fn times_and_models_are_filled_in_where_the_row_has_them() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let daily = provider_case("openrouter daily 429").unwrap();
        assert!(
            daily
                .body_at(at)
                .contains(r#""X-RateLimit-Reset":"1790000300000""#)
        );
        let day = Case::new("groq tokens per day").body("qwen/qwen3.8-27b", at);
        assert!(day.contains("for model `qwen/qwen3.8-27b` in"), "{day}");
        let plain = provider_case("nvidia worker full text").unwrap();
        assert_eq!(content_type(&plain.body_at(at)), "text/plain");
    }
}
