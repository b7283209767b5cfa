//! What the list server, the catalogue and the key endpoint answer when nothing is wrong.

use serde_json::{Value, json};

/// The sample list of six models.
pub const TOP_MODELS: &str = include_str!("top-models.json");
/// The list one day later: one model gone, one new, the order changed.
pub const TOP_MODELS_NEXT: &str = include_str!("top-models-next.json");

/// A list of these models, in this order, with all capabilities.
#[must_use]
pub fn list_of(ids: &[&str]) -> Value {
    let model = |(at, id): (usize, &&str)| {
        json!({
            "rank": at + 1, "id": id, "name": id, "score": 1000 - at, "reason": "made up",
            "contextLength": 131_072, "maxCompletionTokens": 32_768,
            "supportsTools": true, "supportsToolChoice": true, "supportsStructuredOutputs": true,
            "supportsResponseFormat": true, "supportsReasoning": true, "supportsIncludeReasoning": true,
            "supportsSeed": true, "supportsStop": true, "latencyMs": null, "healthStatus": "not_probed",
        })
    };
    let models: Vec<Value> = ids.iter().enumerate().map(model).collect();
    json!({
        "updatedAt": "2026-04-25T03:17:45.681Z", "source": "openrouter-models-api",
        "rankingVersion": "2026-04-25.v1", "count": models.len(), "models": models, "notes": [],
        "fallback": {"id": "openrouter/free", "reason": "OpenRouter-managed free model router"},
    })
}

const FLAGS: [(&str, &str); 8] = [
    ("supportsTools", "tools"),
    ("supportsToolChoice", "tool_choice"),
    ("supportsStructuredOutputs", "structured_outputs"),
    ("supportsResponseFormat", "response_format"),
    ("supportsReasoning", "reasoning"),
    ("supportsIncludeReasoning", "include_reasoning"),
    ("supportsSeed", "seed"),
    ("supportsStop", "stop"),
];

/// The catalogue (§8) that goes with a list: its models, with what the list leaves out filled in,
/// and some that no free list may include: a paid one, a guard, one for sound, an expired one.
pub(super) fn catalogue(list: &Value) -> Value {
    let mut data: Vec<Value> = list["models"]
        .as_array()
        .into_iter()
        .flatten()
        .map(listed)
        .collect();
    let all: Vec<&str> = FLAGS.iter().map(|(_, parameter)| *parameter).collect();
    let with = |entry: Value, changes: Value| match (entry, changes) {
        (Value::Object(entry), Value::Object(changes)) => {
            Value::Object(entry.into_iter().chain(changes).collect())
        }
        (entry, _) => entry,
    };
    let sound = json!({"modality": "text->audio", "input_modalities": ["text"], "output_modalities": ["audio"], "tokenizer": "Other", "instruct_type": null});
    let text = json!({"modality": "text+image->text", "input_modalities": ["text", "image"], "output_modalities": ["text"], "tokenizer": "Router", "instruct_type": null});
    data.extend([
        with(
            entry("openrouter/free", "Free Models Router", 200_000, &all),
            json!({"architecture": text}),
        ),
        with(
            entry("vendor/paid-model", "Vendor: Paid Model", 400_000, &all),
            json!({"pricing": {"prompt": "0.00000125", "completion": "0.00001"}}),
        ),
        entry(
            "vendor/content-safety-guard:free",
            "Vendor: Content Safety Guard (free)",
            131_072,
            &["max_tokens"],
        ),
        with(
            entry(
                "vendor/sound-model:free",
                "Vendor: Sound Model (free)",
                32_768,
                &["max_tokens"],
            ),
            json!({"architecture": sound}),
        ),
        with(
            entry(
                "vendor/expired-model:free",
                "Vendor: Expired Model (free)",
                262_144,
                &all,
            ),
            json!({"expiration_date": "2026-01-31"}),
        ),
    ]);
    json!({"total_count": data.len(), "data": data, "links": {"next": null}})
}

fn listed(model: &Value) -> Value {
    let able = |flag: &str| match model[flag].as_bool() {
        Some(told) => told,
        None if flag == "supportsToolChoice" => model["supportsTools"] != false,
        None if flag == "supportsIncludeReasoning" => model["supportsReasoning"] != false,
        None => true,
    };
    let mut parameters = vec!["max_tokens", "temperature", "top_p"];
    parameters.extend(
        FLAGS
            .iter()
            .filter(|(flag, _)| able(flag))
            .map(|(_, name)| *name),
    );
    let id = model["id"].as_str().unwrap_or_default();
    let context = model["contextLength"].as_u64().unwrap_or(131_072);
    let mut entry = entry(
        id,
        model["name"].as_str().unwrap_or(id),
        context,
        &parameters,
    );
    entry["top_provider"]["max_completion_tokens"] = model["maxCompletionTokens"].clone();
    if ["gemma", "vision", "-vl"]
        .iter()
        .any(|word| id.contains(word))
    {
        entry["architecture"]["modality"] = json!("text+image->text");
        entry["architecture"]["input_modalities"] = json!(["text", "image"]);
    }
    entry
}

fn entry(id: &str, name: &str, context: u64, parameters: &[&str]) -> Value {
    let slug = id.trim_end_matches(":free");
    json!({
        "id": id, "canonical_slug": format!("{slug}-20260401"), "hugging_face_id": null,
        "name": name, "description": "A model of the simulator.", "created": 1_775_000_000,
        "context_length": context,
        "architecture": {"modality": "text->text", "input_modalities": ["text"], "output_modalities": ["text"], "tokenizer": "Other", "instruct_type": null},
        "pricing": {"prompt": "0", "completion": "0"},
        "top_provider": {"context_length": context, "max_completion_tokens": null, "is_moderated": false},
        "per_request_limits": null, "supported_parameters": parameters, "default_parameters": null,
        "expiration_date": null, "links": {"details": format!("/api/v1/models/{slug}/endpoints")},
    })
}

/// The key endpoint's answer (§7), of an account with more free requests than any load needs.
pub(super) fn key() -> Value {
    json!({"data": {
        "label": "sk-or-v1-sim...ulated", "usage": 0, "usage_daily": 0, "usage_weekly": 0, "usage_monthly": 0,
        "byok_usage": 0, "byok_usage_daily": 0, "byok_usage_weekly": 0, "byok_usage_monthly": 0,
        "limit": null, "limit_remaining": null, "limit_reset": null, "is_free_tier": true,
        "free_model_daily_requests": {"used": 2, "limit": 1_000_000, "remaining": 999_998},
        "is_management_key": false, "is_provisioning_key": false, "creator_user_id": "user_x",
        "expires_at": null, "include_byok_in_limit": false,
        "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is deprecated and safe to ignore."},
    }})
}
