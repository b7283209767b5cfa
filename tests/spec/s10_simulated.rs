//! The rows of the table and the simulated providers: addresses and models agree, and what a row
//! makes of a request is accepted there.

use bytes::Bytes;
use free_llm_proxy::model::{CanonicalKey, Offer};
use free_llm_proxy::provider::{KeyTest, Provider, built_in};
use free_llm_proxy::request::ChatRequest;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use simulator::{Providers, Script};

/// The path of an address, without its query.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| rest.split_at(at).1);
    path.split('?').next().unwrap()
}

/// The rows that have their own address.
fn rows() -> impl Iterator<Item = &'static Provider> {
    let rows = built_in().iter().map(|row| &**row);
    rows.filter(|row| !row.base_url.is_empty())
}

#[test]
fn s10_1_every_row_is_simulated_at_its_own_paths() {
    for row in rows() {
        let name = row.id.as_str();
        let simulated = simulator::addresses("", name).unwrap_or_else(|| panic!("{name}"));
        let prefix = match name {
            "openrouter" => String::new(),
            name => format!("/providers/{name}"),
        };
        let there = |url: &str| format!("{prefix}{}", path(url));
        assert_eq!(simulated.base_url, there(&row.base_url), "{name}");
        let list = row.list.url.clone();
        let list = list.unwrap_or_else(|| format!("{}/models", row.base_url));
        assert_eq!(simulated.list_url, there(&list), "{name}");
        if let KeyTest::Get(urls) = &row.key_test {
            let url = urls.first().unwrap_or(&list);
            assert_eq!(simulated.key_test_url, there(url), "{name}");
        }
    }
}

/// The body that the row sends for this request to its first model.
async fn sent(row: &Provider, request: &Value) -> Bytes {
    let id = row.models.first().unwrap().id.clone();
    let offer = Offer {
        provider: row.id.clone(),
        public_id: id.clone(),
        id,
        canonical: CanonicalKey::new("x"),
        rank: None,
        name: None,
        context_length: None,
        window_is_guessed: false,
        max_output: row.models.first().unwrap().output,
        capabilities: row.models.first().unwrap().capabilities,
    };
    let request = ChatRequest::read(request.to_string().into(), 64).unwrap();
    let (body, _) = request.body_for(&offer, offer.capabilities, &row.fields, &[]);
    body.collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn s10_6_what_a_row_makes_of_a_request_is_taken_there() {
    let user = json!({"role": "user", "content": "hi"});
    let call = json!({"id": "call_0123456789abcdef", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false,
        "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}, "$schema": {"type": "string"}}}}});
    #[rustfmt::skip]
    let rows_of_requests = [
        json!({"messages": [user]}),
        json!({"messages": [user], "stream": true, "stream_options": {"include_usage": true}}),
        json!({"messages": [user], "temperature": 0.5, "top_p": 0.9, "max_tokens": 200, "seed": 1, "stop": ["x"]}),
        json!({"messages": [user], "max_completion_tokens": 55}),
        json!({"messages": [user], "logit_bias": {"50256": -100}, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1}),
        json!({"messages": [user], "n": 1, "logprobs": false, "response_format": {"type": "text"}}),
        json!({"messages": [user], "store": true, "metadata": {}, "user": "u", "service_tier": "auto"}),
        json!({"messages": [{"role": "user", "name": "bob", "content": "hi"}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}),
        json!({"messages": [user], "tools": [tool], "tool_choice": "auto"}),
        json!({"messages": [user, {"role": "assistant", "content": null, "tool_calls": [call]},
                            {"role": "tool", "tool_call_id": call["id"], "content": "y"}], "tools": [tool]}),
    ];
    let providers = Providers::start(Script::new()).await.unwrap();
    let http = reqwest::Client::new();
    let mut refused = Vec::new();
    for row in rows().filter(|row| !row.models.is_empty()) {
        let name = row.id.as_str();
        let account = providers.accounts(name).first().unwrap();
        let base = providers.addresses(name).unwrap().base_url;
        let url = format!("{base}/chat/completions").replace("{account_id}", &account.id);
        for request in &rows_of_requests {
            let body = sent(row, request).await;
            let mut post = http.post(&url).body(body);
            if let Some(key) = account.keys.first() {
                post = post.bearer_auth(key);
            }
            let answer = post.send().await.unwrap();
            if answer.status() != 200 {
                let told = answer.text().await.unwrap();
                refused.push(format!("{name} {request}: {told}"));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
