//! §4.4: a plain answer where a stream was asked for, and answers without content.

use serde_json::{Value, json};
use simulator::{Plan, Step};

use crate::rig::{Rig, abc};
use crate::s4_5_model::with;
use crate::scripts::{JSON, STREAM, pieces, said};

fn completion(message: Value, finish: &str) -> Value {
    json!({
        "id": "gen-1", "object": "chat.completion", "created": 1, "model": "a:free", "provider": "X",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "native_finish_reason": "x"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10},
    })
}

fn plain(answer: &Value) -> Step {
    pieces(
        JSON,
        [": OPENROUTER PROCESSING\n\n".to_owned(), answer.to_string()],
    )
}

#[tokio::test(start_paused = true)]
async fn s4_4_a_plain_answer_to_a_streamed_request_becomes_the_equivalent_stream() {
    let message = json!({
        "role": "assistant", "content": "Hi", "reasoning": "Hm",
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}], "new": {"n": 1},
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    });
    let rig = Rig::paused(abc(), &[]).await;
    for (usage, chunks) in [(false, 2), (true, 3)] {
        let answer = completion(message.clone(), "tool_calls");
        rig.anew(abc().model("a:free", plain(&answer))).await;
        let asked = with(json!({"stream": true, "stream_options": {"include_usage": usage}}));
        let got = rig.chat(&asked).await;
        assert_eq!(rig.attempts(&got), "a success");
        assert_eq!(got.header("content-type"), "text/event-stream");
        assert_eq!(got.header("x-free-llm-proxy-model"), "a:free");
        let events = got.events();
        assert_eq!(events.len(), chunks + 1, "{events:#?}");
        assert_eq!(events.last().unwrap(), "[DONE]");
        let chunk = |n: usize| -> Value { serde_json::from_str(&events[n]).unwrap() };
        let mut delta = message.clone();
        delta["tool_calls"][0]["index"] = 0.into();
        assert_eq!(chunk(0)["choices"][0]["delta"], delta);
        assert_eq!(chunk(0)["choices"][0]["finish_reason"], Value::Null);
        assert_eq!(chunk(0)["object"], "chat.completion.chunk");
        let end = json!([{"index": 0, "delta": {}, "finish_reason": "tool_calls", "native_finish_reason": "x"}]);
        assert_eq!(chunk(1)["choices"], end);
        assert_eq!(chunk(1)["id"], "gen-1");
        if usage {
            assert_eq!(chunk(2)["choices"], json!([]));
            assert_eq!(chunk(2)["usage"], answer["usage"]);
        } else {
            assert!(!got.text().contains("usage"), "nobody asked for it");
        }
        // It did well, and is asked first again.
        rig.asked();
        rig.chat(&asked).await;
        assert_eq!(rig.asked(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_4_so_it_does_through_the_other_apis() {
    let message = json!({
        "role": "assistant", "content": "Hi",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}],
    });
    let script = abc().model("a:free", plain(&completion(message, "tool_calls")));
    let rig = Rig::paused(script, &[]).await;
    #[rustfmt::skip]
    let rows = [
        ("/v1/responses", json!({"stream": true, "input": "Hello", "tools": [{"type": "function", "name": "f"}]}),
            ["response.output_text.delta", "response.function_call_arguments.delta", "response.completed"]),
        ("/v1/messages", json!({"stream": true, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}], "tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
            ["text_delta", "input_json_delta", "message_stop"]),
    ];
    for (path, body, expected) in rows {
        let answer = rig.post(path, &body).await;
        assert_eq!(
            (answer.status, rig.asked().as_str()),
            (200, "a"),
            "{answer:?}"
        );
        let text = answer.text();
        for event in expected {
            assert!(text.contains(event), "{path}: {event}: {text}");
        }
        assert!(text.contains("Hi") && !text.contains("failed"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_4_a_plain_answer_under_the_name_of_a_stream_is_one() {
    let answer = completion(json!({"role": "assistant", "content": "Hi"}), "stop").to_string();
    let rig = Rig::paused(abc(), &[]).await;
    for pieces_of in [
        vec![answer.clone()],
        vec![": wait\n\n".into(), answer + "\n"],
    ] {
        rig.anew(abc().model("a:free", pieces(STREAM, pieces_of.clone())))
            .await;
        let got = rig.chat(&Rig::hello_stream()).await;
        assert_eq!((got.status, rig.asked().as_str()), (200, "a"));
        let text = got.text();
        assert!(
            text.contains(r#""delta":{"role":"assistant","content":"Hi"}"#),
            "{text}"
        );
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_4_an_invalid_plain_answer_is_invalid_as_a_stream_too() {
    let rig = Rig::paused(abc(), &[]).await;
    for body in [
        "<html>",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"error":{"code":502,"message":"x"}}"#,
    ] {
        rig.anew(abc().model("a:free", pieces(JSON, [body]))).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            (answer.status, rig.asked().as_str()),
            (200, "a b"),
            "{body}"
        );
        rig.chat(&Rig::hello_stream()).await;
        assert_eq!(rig.asked(), "b", "and it rests: {body}");
    }
}

/// An answer that says nothing but `stop`, whatever was asked for.
pub fn silent(stream: bool, id: &str) -> Step {
    if stream {
        let event = json!({"id": id, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]});
        let usage = json!({"id": id, "choices": [], "usage": {"completion_tokens": 0}});
        let begin = json!({"id": id, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]});
        return pieces(
            STREAM,
            [
                format!("data: {begin}\n\ndata: {event}\n\n"),
                format!("data: {usage}\n\ndata: [DONE]\n\n"),
            ],
        );
    }
    let mut answer = completion(
        json!({"role": "assistant", "content": "", "tool_calls": []}),
        "stop",
    );
    answer["id"] = id.into();
    answer["usage"]["completion_tokens"] = 0.into();
    plain(&answer)
}

#[tokio::test(start_paused = true)]
async fn s4_4_a_model_that_has_nothing_to_say_leads_to_the_next_and_rests_for_nothing() {
    let rig = Rig::paused(abc(), &[]).await;
    for (body, stream) in [
        (Rig::hello(), false),
        (Rig::hello_stream(), true),
        // A plain one to a streamed request.
        (Rig::hello_stream(), false),
    ] {
        rig.anew(abc().model("a:free", silent(stream, "one"))).await;
        for _ in 0..2 {
            let answer = rig.chat(&body).await;
            assert_eq!(rig.asked(), "a b", "{body}");
            assert_eq!(rig.attempts(&answer), "a upstream_error 200, b success");
            assert_eq!(answer.header("x-free-llm-proxy-model"), "b:free");
            assert!(!said(&answer).is_empty(), "{answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_4_if_all_have_nothing_to_say_the_client_gets_the_last_of_it() {
    let rig = Rig::paused(abc(), &[]).await;
    for (body, stream) in [
        (Rig::hello(), false),
        (Rig::hello_stream(), true),
        (Rig::hello_stream(), false),
    ] {
        let script = [("a:free", "one"), ("b:free", "two"), ("c:free", "three")]
            .into_iter()
            .fold(abc(), |script, (model, id)| {
                script.model(model, silent(stream, id))
            });
        rig.anew(script).await;
        let answer = rig.chat(&body).await;
        let why = format!("{body} {stream}: {answer:?}");
        assert_eq!(
            (answer.status, rig.asked().as_str()),
            (200, "a b c"),
            "{why}"
        );
        assert_eq!(answer.header("x-free-llm-proxy-model"), "c:free", "{why}");
        assert_eq!(answer.header("x-free-llm-proxy-attempts"), "3", "{why}");
        assert!(
            answer.text().contains("three") && !answer.text().contains("two"),
            "{why}"
        );
        assert_eq!(rig.line(&answer)["status"], 200);
        if body["stream"] == true {
            assert_eq!(answer.events().last().unwrap(), "[DONE]", "{why}");
        }
        assert_eq!(rig.get("/ready").await.json()["available"], 3, "{why}");
    }
    // Of all that were tried: resting ones were not.
    let script = [("b:free", "two"), ("c:free", "three")].into_iter().fold(
        abc().model("a:free", Step::status(429, &[("Retry-After", "60")], "")),
        |script, (model, id)| script.model(model, silent(false, id)),
    );
    rig.anew(script).await;
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "all_models_unavailable");
    assert_eq!(rig.asked(), "a b c");
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!((answer.status, rig.asked().as_str()), (200, "b c"));
    assert!(answer.text().contains("three"), "{answer:?}");
    // One that failed for another reason may succeed later.
    let script = abc()
        .model("a:free", silent(false, "one"))
        .model("b:free", Step::status(500, &[], ""))
        .model("c:free", silent(false, "three"));
    rig.anew(script).await;
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "all_models_unavailable");
    assert_eq!(rig.asked(), "a b c");
}

#[tokio::test(start_paused = true)]
async fn s4_4_whatever_else_an_answer_without_content_has_counts() {
    let rig = Rig::paused(abc(), &[]).await;
    #[rustfmt::skip]
    let rows = [
        (json!({"content": "", "reasoning": "Hm"}),          "stop"),
        (json!({"content": null, "tool_calls": [{"id": "x"}]}), "stop"),
        (json!({"content": "", "refusal": "No."}),           "stop"),
        (json!({"content": ""}),                             "length"),
        (json!({"content": ""}),                             "content_filter"),
    ];
    for (message, finish) in rows {
        let script = abc().model(
            "a:free",
            Plan::from(plain(&completion(message.clone(), finish))),
        );
        rig.anew(script).await;
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
        assert_eq!(rig.asked(), "a", "{message} {finish}");
    }
}
