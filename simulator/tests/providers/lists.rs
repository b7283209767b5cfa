//! Lists of models, and the documents beside them.

use serde_json::json;
use simulator::{ProviderScript, Script, Step};

use super::rig::{Key, Rig};

#[tokio::test]
async fn s10_2_each_list_has_its_own_shape() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        ("gemini",     "/data/0/id",             json!("models/gemini-3.5-flash")),
        ("groq",       "/data/0/context_window", json!(131_072)),
        ("groq",       "/data/0/active",         json!(true)),
        ("nvidia",     "/data/0/owned_by",       json!("openai")),
        ("cloudflare", "/result/0/name",         json!("@cf/openai/gpt-oss-120b")),
        ("cloudflare", "/result/0/properties/1", json!({"property_id": "function_calling", "value": "true"})),
        ("zai",        "/data/0/id",             json!("glm-4.7-flash")),
        ("requesty",   "/data/0/input_price",    json!(0)),
        ("kilo",       "/data/0/pricing",        json!({"prompt": "0", "completion": "0"})),
        ("ovh",        "/data/0/context_length", json!(131_072)),
        ("mistral",    "/data/0/capabilities/function_calling", json!(true)),
        ("local",      "/data/0/id",             json!("qwen3:8b")),
        ("llamacpp",   "/data/0/meta/n_ctx_train", json!(40_960)),
    ];
    for (provider, pointer, expected) in rows {
        let url = rig.url(provider, |a| &a.list_url);
        let list = rig.get(provider, &url, Key::First).await.json();
        assert_eq!(list.pointer(pointer), Some(&expected), "{provider} {list}");
    }
    let origin = &rig.providers.origin;
    let show = |model: &str| {
        let url = format!("{origin}/providers/local/api/show");
        rig.send(rig.http.post(url).json(&json!({"model": model})))
    };
    let shown = show("qwen3:8b").await.json();
    assert_eq!(shown["model_info"]["qwen3.context_length"], 40_960);
    assert_eq!(show("nothing:1b").await.status, 404);
    let props = rig.http.get(format!("{origin}/props"));
    let props = rig.send(props).await.json();
    assert_eq!(props["default_generation_settings"]["n_ctx"], 8192);
}

#[tokio::test]
async fn s10_1_what_is_not_free_is_refused_as_its_provider_does() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        ("kilo",        "openai/gpt-5",             401, "PAID_MODEL_AUTH_REQUIRED"),
        ("siliconflow", "zai-org/GLM-5.2",          403, "30001"),
        ("zai",         "glm-9",                    400, "1211"),
        ("groq",        "llama-3.3-70b-versatile",  404, "model_not_found"),
        ("nvidia",      "z-ai/glm4.7",              404, "Not Found"),
        ("mistral",     "pixtral-12b",              400, "Invalid model"),
        ("gemini",      "gemini-1.0",               404, "models/gemini-1.0 is not found"),
        ("modelscope",  "gone/model",               429, "(1008)"),
    ];
    for (provider, model, status, told) in rows {
        let got = rig.chat(provider, model, json!({})).await;
        assert_eq!(got.status, status, "{provider} {}", got.text);
        assert!(got.text.contains(told), "{provider} {}", got.text);
    }
}

#[tokio::test]
async fn s10_2_a_script_may_change_a_list() {
    let script = ProviderScript::new()
        .entries(["vendor/new-model"])
        .list([Step::status(500, &[], "later"), Step::fitting()]);
    let rig = Rig::start(Script::new().provider("groq", script)).await;
    let url = rig.url("groq", |a| &a.list_url);
    assert_eq!(rig.get("groq", &url, Key::First).await.status, 500);
    let list = rig.get("groq", &url, Key::First).await.json();
    assert_eq!(list["data"][0]["id"], "vendor/new-model");
    assert_eq!(list["data"][0]["context_window"], 131_072);
    assert_eq!(
        rig.chat("groq", "vendor/new-model", json!({})).await.status,
        200
    );
    let gone = rig.chat("groq", "openai/gpt-oss-120b", json!({})).await;
    assert_eq!(
        (gone.status, gone.json()["error"]["code"].as_str()),
        (404, Some("model_not_found"))
    );
}
