//! The ten accounts, with the limits of `docs/providers.md` in the order of their providers.

use std::sync::Arc;

use free_llm_proxy::ledger::{Counted, Ends, Limit, LimitSource, Per, Unit};
use free_llm_proxy::model::{AccountId, Candidate, ModelId, Offer, ProviderId};

pub struct Row {
    pub provider: &'static str,
    pub models: &'static [&'static str],
    pub limits: Vec<Limit>,
    pub counts_max_tokens: bool,
    /// Real tokens of a prompt per four bytes.
    pub tokens_per_4_bytes: f64,
    /// It reports its quota with each answer, and refills it continuously.
    pub tells: bool,
}

fn limit(amount: u64, unit: Unit, per: Per, of: Counted) -> Limit {
    Limit {
        amount,
        unit,
        per,
        of,
        ends: None,
        models: Vec::new(),
        source: LimitSource::Default,
    }
}

fn about(limits: Vec<Limit>, pattern: &str) -> Vec<Limit> {
    let about = |limit| Limit {
        models: vec![pattern.into()],
        ..limit
    };
    limits.into_iter().map(about).collect()
}

pub fn rows() -> Vec<Row> {
    use Counted::{Account, Address, Model};
    use Per::{Day, Hour, Minute, Moment, Month, Second};
    use Unit::{AtOnce, Neurons, Requests, Tokens};
    let ending = |limit, ends| Limit {
        ends: Some(ends),
        ..limit
    };
    let row = |provider, models, tokens_per_4_bytes, limits| Row {
        provider,
        models,
        limits,
        counts_max_tokens: provider == "groq",
        tokens_per_4_bytes,
        tells: provider == "groq",
    };
    let pacific = |amount| ending(limit(amount, Requests, Day, Model), Ends::Pacific);
    let gemini = [
        about(
            vec![
                limit(5, Requests, Minute, Model),
                limit(250_000, Tokens, Minute, Model),
                pacific(20),
            ],
            "gemini-3.5-flash",
        ),
        about(
            vec![
                limit(15, Requests, Minute, Model),
                limit(250_000, Tokens, Minute, Model),
                pacific(500),
            ],
            "*-flash-lite",
        ),
        about(
            vec![
                limit(30, Requests, Minute, Model),
                limit(15_000, Tokens, Minute, Model),
                pacific(14_400),
            ],
            "gemma-*",
        ),
    ]
    .concat();
    vec![
        row(
            "openrouter",
            &["a:free", "b:free", "c:free"],
            1.0,
            vec![
                ending(limit(50, Requests, Day, Account), Ends::Utc),
                ending(limit(20, Requests, Minute, Account), Ends::Utc),
            ],
        ),
        row(
            "gemini",
            &[
                "gemini-3.5-flash",
                "gemini-3.5-flash-lite",
                "gemma-3-27b-it",
            ],
            0.9,
            gemini,
        ),
        row(
            "groq",
            &[
                "openai/gpt-oss-120b",
                "openai/gpt-oss-20b",
                "qwen/qwen3.8-27b",
            ],
            1.1,
            vec![
                limit(30, Requests, Minute, Model),
                limit(1000, Requests, Day, Model),
                limit(8000, Tokens, Minute, Model),
                limit(200_000, Tokens, Day, Model),
            ],
        ),
        row(
            "nvidia",
            &["openai/gpt-oss-120b", "z-ai/glm-5.2"],
            1.05,
            vec![
                limit(40, Requests, Minute, Account),
                limit(10_000, Requests, Day, Account),
            ],
        ),
        row(
            "cloudflare",
            &["@cf/openai/gpt-oss-120b"],
            1.0,
            vec![ending(limit(10_000, Neurons, Day, Account), Ends::Utc)],
        ),
        row(
            "zai",
            &["glm-4.7-flash"],
            1.0,
            vec![limit(1, AtOnce, Moment, Model)],
        ),
        row(
            "requesty",
            &["nvidia/nemotron-3-super-120b-a12b"],
            1.0,
            vec![ending(limit(200, Requests, Day, Account), Ends::Utc)],
        ),
        row(
            "kilo",
            &["tencent/hy3:free", "stepfun/step-3.7-flash:free"],
            1.0,
            vec![
                limit(200, Requests, Hour, Address),
                limit(10_000, Requests, Day, Address),
            ],
        ),
        row(
            "ovh",
            &["gpt-oss-120b", "qwen3-32b"],
            1.0,
            vec![limit(2, Requests, Minute, Model)],
        ),
        row(
            "mistral",
            &["mistral-small-2603"],
            0.95,
            vec![
                limit(1, Requests, Second, Account),
                limit(6, Requests, Minute, Account),
                limit(500_000, Tokens, Minute, Account),
                ending(limit(1_000_000_000, Tokens, Month, Account), Ends::Utc),
            ],
        ),
    ]
}

pub fn candidate(provider: &str, model: &str) -> Candidate {
    let provider = ProviderId::try_from(provider).unwrap();
    let id = ModelId::try_from(model).unwrap();
    let account = AccountId::only(provider.clone());
    let offer = Offer::at(provider, id);
    Candidate::new(Arc::new(offer), Arc::new(account), true)
}
