//! What a request may not contain, and what must come back unchanged.

use serde_json::{Value, json};
use simulator::{ProviderScript, Refusal, Script, Told};

use super::rig::{Rig, model_of};

#[tokio::test]
async fn s10_6_a_refusal_is_in_the_providers_words() {
    let teach = Told::new(
        400,
        json!({"error": {"message": "Unrecognized request argument supplied: %FIELD%", "type": "invalid_request_error", "param": null, "code": null}}),
    );
    let taught = ProviderScript::new().refuses(Refusal::of("service_tier", teach));
    let rig = Rig::start(Script::new().provider("local", taught)).await;
    let schema = |parameters: Value| json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]});
    let history = |call: Value| {
        json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [call]},
                            {"role": "tool", "tool_call_id": "abcdefghi", "content": "y"}]})
    };
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let mut signed = call("abcdefghi");
    signed["extra_content"] =
        json!({"google": {"thought_signature": "skip_thought_signature_validator"}});
    let mut forged = call("abcdefghi");
    forged["extra_content"] = json!({"google": {"thought_signature": "sim-x-00000000"}});
    let nameless = |role: &str| json!({"messages": [{"role": "user", "content": "x"}, {"role": role, "content": "y"}]});
    #[rustfmt::skip]
    let rows = [
        ("groq",       json!({"logit_bias": {"50256": -100}}),              400, "property 'logit_bias' is unsupported"),
        ("groq",       json!({"logprobs": true}),                           400, "property 'logprobs' is unsupported"),
        ("groq",       json!({"n": 2}),                                     400, "'n' : number must be at most 1"),
        ("groq",       json!({"n": 1}),                                     200, ""),
        ("groq",       json!({"messages": [{"role": "user", "name": "bob", "content": "hi"}]}), 400, "'messages.0.name'"),
        ("groq",       json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}), 400, "must be a string"),
        ("gemini",     json!({"min_p": 0.1}),                               400, "Unknown name \\\"min_p\\\""),
        ("gemini",     json!({"repetition_penalty": 1.1}),                  400, "repetition_penalty"),
        ("gemini",     schema(json!({"$schema": "x", "type": "object"})),   400, "tools.0.function.parameters.$schema"),
        ("gemini",     schema(json!({"type": "object", "properties": {"n": {"exclusiveMinimum": 0}}})), 400, "exclusiveMinimum"),
        ("gemini",     schema(json!({"type": "object", "properties": {"$schema": {"type": "string"}}})), 200, ""),
        ("gemini",     history(call("abcdefghi")),                          400, "missing a thought_signature"),
        ("gemini",     history(forged),                                     400, "missing a thought_signature"),
        ("gemini",     history(signed),                                     200, ""),
        ("mistral",    json!({"top_k": 5}),                                 422, "extra_forbidden"),
        ("mistral",    json!({"max_completion_tokens": 55}),                422, "\"max_completion_tokens\""),
        ("mistral",    json!({"max_tokens": 55, "random_seed": 1}),         200, ""),
        ("mistral",    history(call("call_abc")),                           400, "with a length of 9"),
        ("mistral",    history(call("abcdefghi")),                          200, ""),
        ("mistral",    nameless("assistant"),                               400, "Unexpected role 'assistant'"),
        ("mistral",    nameless("system"),                                  400, "Unexpected role 'system'"),
        ("cloudflare", json!({"messages": [{"role": "assistant", "content": null}]}), 400, "'string' not in 'null'"),
        ("cloudflare", json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}), 400, "'string' not in 'array'"),
        ("cloudflare", json!({"min_p": 0.1}),                               400, "'min_p'"),
        ("cohere",     json!({"top_k": 5}),                                 400, "parameter 'top_k' is not a valid field"),
        ("cohere",     schema(json!({"type": "object", "additionalProperties": false})), 400, "additionalProperties"),
        ("cohere",     schema(json!({"type": "object", "properties": {"additionalProperties": {"type": "string"}}})), 200, ""),
        ("nvidia",     json!({"parallel_tool_calls": true}),                400, "single tool-calls at once"),
        ("nvidia",     json!({"parallel_tool_calls": false}),               200, ""),
        ("zai",        json!({"response_format": {"type": "json_schema", "json_schema": {}}}), 400, "1210"),
        ("zai",        json!({"response_format": {"type": "json_object"}}), 200, ""),
        ("kilo",       json!({"response_format": {"type": "json_object"}}), 400, "response_format"),
        ("cerebras",   json!({"frequency_penalty": 1}),                     400, "wrong_api_format"),
        ("local",      json!({"service_tier": "auto"}),                     400, "Unrecognized request argument supplied: service_tier"),
        ("local",      json!({"logit_bias": {}}),                           200, ""),
    ];
    for (provider, more, status, told) in rows {
        let model = model_of(provider);
        let got = rig.chat(provider, model, more.clone()).await;
        assert_eq!(got.status, status, "{provider} {more}: {}", got.text);
        assert!(got.text.contains(told), "{provider} {more}: {}", got.text);
        let why = rig.providers.seen(provider).pop().unwrap().why;
        assert_eq!(
            why.is_some_and(|why| why.starts_with("field ")),
            status != 200
        );
    }
}

#[tokio::test]
async fn s10_6_signatures_and_ids_must_come_back_unchanged() {
    let rig = Rig::start(Script::new()).await;
    let tool = json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}], "tool_choice": "required"});
    for (provider, model) in [
        ("gemini", "gemini-3.5-flash"),
        ("mistral", "mistral-small-2603"),
    ] {
        let got = rig.chat(provider, model, tool.clone()).await.json();
        let call = &got["choices"][0]["message"]["tool_calls"][0];
        let back = json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [call]},
                                       {"role": "tool", "tool_call_id": call["id"], "content": "y"}]});
        let answer = rig.chat(provider, model, back).await;
        assert_eq!(answer.status, 200, "{provider} {call}: {}", answer.text);
    }
}
