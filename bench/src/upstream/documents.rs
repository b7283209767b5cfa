//! What the upstream says about its models and the key.

use serde_json::{Value, json};

/// The model that serves.
pub(super) const BEST: &str = "bench/best:free";
/// The model that answers 429 to everything.
pub(super) const LIMITED: &str = "bench/rate-limited:free";

/// The path of the ranking whose best model serves.
pub(crate) const RANKING: &str = "/api/free-llm/top-models";
/// The path of the ranking whose best model is rate-limited.
pub(crate) const RANKING_LIMITED: &str = "/limited/api/free-llm/top-models";

const OTHERS: [&str; 5] = [
    "vendor/model-a:free",
    "vendor/model-b:free",
    "vendor/model-c:free",
    "vendor/model-d:free",
    "vendor/model-e:free",
];

/// All documents, by their paths.
pub(super) fn all() -> [(&'static str, Value); 4] {
    [
        (RANKING, ranking(false)),
        (RANKING_LIMITED, ranking(true)),
        ("/api/v1/models", catalogue()),
        ("/api/v1/key", key()),
    ]
}

/// The ranking.
fn ranking(limited: bool) -> Value {
    let limited = limited.then_some(LIMITED);
    let ids = limited.into_iter().chain([BEST]).chain(OTHERS);
    let models: Vec<Value> = (1..).zip(ids).map(ranked).collect();
    json!({
        "updatedAt": "2026-04-25T03:17:45.681Z", "source": "openrouter-models-api",
        "rankingVersion": "2026-04-25.v1", "count": models.len(), "models": models, "notes": [],
        "fallback": {"id": "openrouter/free", "reason": "OpenRouter-managed free model router"},
    })
}

fn ranked((rank, id): (usize, &str)) -> Value {
    json!({
        "rank": rank, "id": id, "name": id, "score": 1000 - rank, "reason": "made up",
        "contextLength": 1_048_576, "maxCompletionTokens": 32_768,
        "supportsTools": true, "supportsToolChoice": true, "supportsStructuredOutputs": true,
        "supportsResponseFormat": true, "supportsReasoning": true, "supportsIncludeReasoning": true,
        "supportsSeed": true, "supportsStop": true, "latencyMs": null, "healthStatus": "not_probed",
    })
}

/// The catalogue.
fn catalogue() -> Value {
    let entry = |id: &str| {
        json!({
            "id": id, "name": id, "created": 1_775_000_000, "context_length": 1_048_576,
            "architecture": {"modality": "text->text", "input_modalities": ["text"], "output_modalities": ["text"]},
            "pricing": {"prompt": "0", "completion": "0"},
            "top_provider": {"context_length": 1_048_576, "max_completion_tokens": null, "is_moderated": false},
            "supported_parameters": ["max_tokens", "temperature", "top_p", "tools", "tool_choice", "seed", "stop",
                "response_format", "structured_outputs", "reasoning", "include_reasoning"],
        })
    };
    let data: Vec<Value> = [LIMITED, BEST, "openrouter/free"]
        .into_iter()
        .chain(OTHERS)
        .map(entry)
        .collect();
    json!({"data": data})
}

/// Its answer about the key.
fn key() -> Value {
    json!({"data": {
        "label": "sk-or-v1-ben...chs", "usage": 0, "limit": null, "limit_remaining": null,
        "is_free_tier": true, "rate_limit": {"requests": -1, "interval": "10s"},
    }})
}
