//! Answers from other providers that break OpenAI's shape are mended (spec §10.6).

use serde_json::{Value, json};
use simulator::{Answer as Says, Odd, ProviderScript, Step, StreamFault, ToolCall};

use crate::rig::{Answer, abc};
use crate::s10_6_fields::{LOCAL, MISTRAL, request, rig};

/// An answer that breaks OpenAI's shape in every way that is mended.
fn odd(calls: Vec<ToolCall>) -> Step {
    Step::from(Says {
        text: calls.is_empty().then(|| "well done".to_owned()),
        reasoning: Some("hm".to_owned()),
        tool_calls: calls,
        chunks: 1,
        odd: vec![
            Odd::ContentParts,
            Odd::NoIndex,
            Odd::NoId,
            Odd::NoFinish,
            Odd::NoCallIndex,
            Odd::NoCallId,
            Odd::NoCallType,
        ],
        ..Says::default()
    })
}

#[tokio::test]
async fn s10_6_what_breaks_openais_shape_is_mended_by_the_row() {
    let tool =
        json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let call = ToolCall {
        fragments: 1,
        ..ToolCall::new("f", json!({"a": 1}))
    };
    let script =
        |calls: Vec<ToolCall>| abc().provider("mistral", ProviderScript::new().others(odd(calls)));
    let rig = rig(script(vec![])).await;
    // Plain.
    let plain = rig.chat(&request(MISTRAL, &json!({}))).await.json();
    let choice = &plain["choices"][0];
    assert_eq!(choice["message"]["content"], "well done", "{plain}");
    assert_eq!(choice["message"]["reasoning_content"], "hm", "{plain}");
    assert_eq!(
        (&choice["index"], &choice["finish_reason"]),
        (&json!(0), &json!("stop"))
    );
    assert_eq!(plain["object"], "chat.completion");
    // Streamed.
    let answer = rig.chat(&request(MISTRAL, &json!({"stream": true}))).await;
    assert_eq!(answer.content(), "well done", "{}", answer.text());
    let (chunks, finished) = chunks(&answer);
    assert_eq!(finished, "stop", "{}", answer.text());
    let id = &chunks[0]["id"];
    assert!(id.as_str().unwrap().starts_with("chatcmpl-"));
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["id"] == *id && chunk["object"] == "chat.completion.chunk")
    );
    // On the other APIs.
    for path in ["/v1/responses", "/v1/messages"] {
        for stream in [false, true] {
            let body = json!({"model": MISTRAL, "max_tokens": 99, "stream": stream, "input": "hi",
                              "messages": [{"role": "user", "content": "hi"}]});
            let answer = rig.post(path, &body).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let said = answer.text();
            assert!(said.contains("well done"), "{path}: {said}");
        }
    }
    // Calls.
    let rig = self::rig(script(vec![call.clone(), call])).await;
    let plain = rig
        .chat(&request(MISTRAL, &json!({"tools": tool})))
        .await
        .json();
    let calls = plain["choices"][0]["message"]["tool_calls"]
        .as_array()
        .unwrap();
    assert!(
        calls.iter().all(|call| call["type"] == "function"),
        "{plain}"
    );
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(plain["choices"][0]["finish_reason"], "tool_calls");
    let answer = rig
        .chat(&request(MISTRAL, &json!({"tools": tool, "stream": true})))
        .await;
    let (chunks, finished) = self::chunks(&answer);
    assert_eq!(finished, "tool_calls", "{}", answer.text());
    let places = chunks.iter().flat_map(|chunk| {
        chunk["choices"][0]["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
    });
    let places: Vec<_> = places
        .map(|call| (call["index"].as_u64(), call["id"].is_string()))
        .collect();
    assert_eq!(
        places,
        [(Some(0), true), (Some(1), true)],
        "{}",
        answer.text()
    );
    // What is not configured to be mended is passed on unchanged.
    let script = abc().provider("local", ProviderScript::new().others(odd(vec![])));
    rig.anew(script).await;
    let plain = rig.chat(&request(LOCAL, &json!({}))).await.json();
    assert!(
        plain["choices"][0]["message"]["content"].is_array(),
        "{plain}"
    );
    assert!(plain.get("id").is_none() && plain["choices"][0].get("index").is_none());
}

/// The chunks of a stream, and the one finish reason in them, which comes before the end.
fn chunks(answer: &Answer) -> (Vec<Value>, String) {
    let mut events = answer.events();
    assert_eq!(events.pop().as_deref(), Some("[DONE]"), "{}", answer.text());
    let chunks: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    let reasons = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str());
    let reasons: Vec<_> = reasons.collect();
    assert_eq!(reasons.len(), 1, "{}", answer.text());
    let reason = reasons[0].to_owned();
    (chunks, reason)
}

#[tokio::test]
async fn s10_6_a_mended_stream_that_breaks_off_is_not_an_answer() {
    let cut = Step::stream(StreamFault::Cut, 3);
    let script = abc().provider("mistral", ProviderScript::new().others(cut));
    let rig = rig(script).await;
    let answer = rig.chat(&request(MISTRAL, &json!({"stream": true}))).await;
    let error: Value = serde_json::from_str(&answer.events()[answer.events().len() - 2]).unwrap();
    assert_eq!(
        error["error"]["code"],
        "upstream_error",
        "{}",
        answer.text()
    );
}
