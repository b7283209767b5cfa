//! The ten accounts, with the limits that the table of providers has for them.

use std::sync::Arc;

use free_llm_proxy::ledger::{Counted, Ends, Limit, LimitSource, Per, Unit};
use free_llm_proxy::provider::{Provider, find};

pub struct Row {
    pub provider: &'static Arc<Provider>,
    pub models: &'static [&'static str],
    /// What the account has, in the table or not.
    pub limits: Vec<Limit>,
    /// Real tokens of a prompt per four bytes.
    pub tokens_per_4_bytes: f64,
    /// It reports its quota with each answer, and refills it continuously.
    pub tells: bool,
}

impl Row {
    fn new(name: &str, tokens_per_4_bytes: f64, models: &'static [&'static str]) -> Self {
        let provider = find(name).unwrap();
        Self {
            provider,
            models,
            limits: provider.limits.clone(),
            tokens_per_4_bytes,
            tells: name == "groq",
        }
    }

    /// With so many requests that the table knows nothing of.
    fn and(mut self, requests: u64, per: Per, ends: Option<Ends>) -> Self {
        self.limits.push(Limit {
            amount: requests,
            unit: Unit::Requests,
            per,
            of: Counted::Account,
            ends,
            models: Vec::new(),
            source: LimitSource::Default,
        });
        self
    }

    pub fn name(&self) -> &'static str {
        self.provider.id.as_str()
    }

    /// The provider as one knows it whose user has set all limits.
    pub fn set(&self) -> Arc<Provider> {
        let set = |limit: &Limit| Limit {
            source: LimitSource::Set,
            ..limit.clone()
        };
        Arc::new(Provider {
            limits: self.limits.iter().map(set).collect(),
            ..Provider::clone(self.provider)
        })
    }
}

/// The same accounts with little enough for a small day.
pub fn few() -> Vec<Row> {
    let mut rows = rows();
    for limit in rows.iter_mut().flat_map(|row| &mut row.limits) {
        let part = match (limit.per, limit.unit) {
            (Per::Day, _) => 60,
            (Per::Hour, _) => 40,
            (Per::Minute, Unit::Requests) => 10,
            _ => 1,
        };
        limit.amount = (limit.amount / part).max(1);
    }
    rows
}

pub fn rows() -> Vec<Row> {
    let utc = Some(Ends::Utc);
    #[rustfmt::skip]
    let rows = vec![
        //       provider      tokens per 4 bytes   models
        Row::new("openrouter", 1.0,                 &["a:free", "b:free", "c:free"]).and(50, Per::Day, utc).and(20, Per::Minute, utc),
        Row::new("gemini",     0.9,                 &["gemini-3.5-flash", "gemini-3.5-flash-lite", "gemma-4-31b-it"]),
        Row::new("groq",       1.1,                 &["openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b"]),
        Row::new("nvidia",     1.05,                &["openai/gpt-oss-120b", "z-ai/glm-5.2"]),
        Row::new("cloudflare", 1.0,                 &["@cf/openai/gpt-oss-120b"]),
        Row::new("zai",        1.0,                 &["glm-4.7-flash"]),
        Row::new("requesty",   1.0,                 &["nvidia/nemotron-3-super-120b-a12b"]),
        Row::new("kilo",       1.0,                 &["tencent/hy3:free", "stepfun/step-3.7-flash:free"]),
        Row::new("ovh",        1.0,                 &["gpt-oss-120b", "Qwen3.8-27B"]),
        Row::new("mistral",    0.95,                &["mistral-small-2603"]).and(6, Per::Minute, None),
    ];
    rows
}
