//! What is PUT over HTTP.

use serde_json::{Value, json};
use simulator::{DemoKeys, Script};

use super::rig::{Key, Rig};

#[tokio::test]
async fn the_demos_accounts_run_out_one_by_one() {
    let keys = DemoKeys {
        openrouter: "sk-or-v1-0123456789",
        groq: "gsk_0123456789",
        gemini: "AIza0123456789",
    };
    let rig = Rig::start(Script::demo(&keys, 4, 5)).await;
    assert_eq!(rig.providers.keys("groq").next(), Some(keys.groq));
    #[rustfmt::skip]
    let rows = [("openrouter", "a:free", 6), ("groq", "openai/gpt-oss-20b", 4), ("gemini", "gemini-3.5-flash", 5)];
    for (provider, model, most) in rows {
        for at in 0..=most {
            let status = rig
                .chat(provider, model, json!({"max_tokens": 10}))
                .await
                .status;
            assert_eq!(status == 200, at < most, "{provider} {at}: {status}");
        }
    }
}

#[tokio::test]
async fn scripts_of_providers_are_put_over_http() {
    let rig = Rig::start(Script::new()).await;
    let put = |path: &str, body: &str| {
        let url = format!("{}/{path}", rig.providers.origin);
        rig.send(rig.http.put(url).body(body.to_owned()))
    };
    let script = r#"{"providers": {
        "groq": {"accounts": [{"name": "home", "keys": ["k1"], "limits": [{"requests": 1, "per": "day", "of": "model"}]},
                              {"name": "work", "keys": ["k2"], "limits": "usual", "meets": {"case": "groq key dead"}}],
                 "models": {"qwen/qwen3.8-27b": [{"case": {"name": "groq over capacity", "within": "answer"}}, "ok"]},
                 "refuses": [{"field": "seed", "answer": {"status": 400, "body": {"error": {"message": "no %FIELD%"}}}}]},
        "kilo": {"default": {"case": "kilo hour 429"}, "list": {"status": 500}, "entries": ["a/b:free"]}}}"#;
    let answer = put("script", script).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let ask = |model: &'static str, key: &'static str, more: Value| {
        let rig = &rig;
        async move {
            rig.chat_as("groq", model, more, Key::This(key))
                .await
                .status
        }
    };
    assert_eq!(ask("openai/gpt-oss-20b", "k1", json!({})).await, 200);
    assert_eq!(ask("openai/gpt-oss-20b", "k1", json!({})).await, 429);
    assert_eq!(ask("openai/gpt-oss-20b", "k2", json!({})).await, 401);
    assert_eq!(
        ask("qwen/qwen3.8-27b", "k1", json!({"seed": 1})).await,
        200,
        "the script's step first"
    );
    assert_eq!(
        put("clock", r#"{"advance_ms": 86400000}"#).await.status,
        200
    );
    assert_eq!(
        ask("openai/gpt-oss-20b", "k1", json!({"seed": 1})).await,
        400
    );
    assert_eq!(ask("openai/gpt-oss-20b", "k1", json!({})).await, 200);
    let turned = put("clock", r#"{"now": "2026-11-29T12:00:00Z"}"#).await;
    assert!(
        turned.text.contains("2026-11-29T12:00:0"),
        "{}",
        turned.text
    );
    #[rustfmt::skip]
    let wrong = [
        ("script", r#"{"providers": {"grok": {}}}"#,                                        "there is no provider `grok`"),
        ("script", r#"{"providers": {"groq": {"default": {"case": "groq nothing"}}}}"#,     "there is no case `groq nothing`"),
        ("script", r#"{"providers": {"groq": {"acounts": []}}}"#,                           "unknown field `acounts`"),
        ("script", r#"{"providers": {"groq": {"models": {"a": "oops"}}}}"#,                 "model a: step 1"),
        ("clock",  r#"{"now": "yesterday"}"#,                                               "it takes"),
    ];
    for (path, body, expected) in wrong {
        let answer = put(path, body).await;
        assert!(
            answer.status == 400 && answer.text.contains(expected),
            "{body}: {}",
            answer.text
        );
    }
}
