//! §3: the other APIs besides chat completions, on the wire. How each field is handled is tested in
//! `src/surface`; here it is that everything behind them works: the walk, the commit rule, waiting
//! aloud, the record, and the errors in the shape of the API.

use serde_json::{Value, json};
use simulator::{Failure, Script, Step, StreamFault};

use crate::rig::{Answer, PROXY_KEY, Rig, UPSTREAM_KEY, abc};
use crate::scripts::STALL;

const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const COMPLETIONS: &str = "/v1/completions";

/// A minimal valid request of each.
fn hello(path: &str, stream: bool) -> Value {
    match path {
        RESPONSES => json!({"model": "auto", "input": "Hello!", "stream": stream}),
        MESSAGES => json!({"model": "auto", "max_tokens": 99, "stream": stream,
                           "messages": [{"role": "user", "content": "Hello!"}]}),
        _ => json!({"model": "auto", "prompt": "Hello!", "stream": stream}),
    }
}

/// The text that a whole answer, or a stream, carries.
fn text(path: &str, answer: &Answer, stream: bool) -> String {
    if !stream {
        let body = answer.json();
        let text = match path {
            RESPONSES => &body["output"][0]["content"][0]["text"],
            MESSAGES => &body["content"][0]["text"],
            _ => &body["choices"][0]["text"],
        };
        return text.as_str().unwrap_or_default().to_owned();
    }
    let events = answer.events().into_iter();
    let parsed = events.filter_map(|e| serde_json::from_str::<Value>(&e).ok());
    parsed
        .filter_map(|event| {
            let piece = match (path, event["type"].as_str()) {
                (RESPONSES, Some("response.output_text.delta")) => &event["delta"],
                (MESSAGES, Some("content_block_delta")) => &event["delta"]["text"],
                (COMPLETIONS, _) => &event["choices"][0]["text"],
                _ => return None,
            };
            piece.as_str().map(ToOwned::to_owned)
        })
        .collect()
}

/// The names of a stream's events, consecutive duplicates removed.
fn names(answer: &Answer) -> Vec<String> {
    let text = answer.text();
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .map(ToOwned::to_owned)
        .collect();
    names.dedup();
    names
}

const SAID: &str = "Hello! This is b:free, played by the simulator.";

#[tokio::test]
async fn s3_each_api_gets_its_answer_from_the_next_model_when_the_best_fails() {
    for path in [RESPONSES, MESSAGES, COMPLETIONS] {
        for stream in [false, true] {
            let script = abc().model("a:free", Step::failure(Failure::RateLimited));
            let rig = Rig::start(script).await;
            let answer = rig.post(path, &hello(path, stream)).await;
            let case = format!("{path}, streamed: {stream}: {answer:?}");
            assert_eq!(answer.status, 200, "{case}");
            assert_eq!(text(path, &answer, stream), SAID, "{case}");
            assert_eq!(answer.header("x-free-llm-proxy-model"), "b:free", "{case}");
            assert_eq!(answer.header("x-free-llm-proxy-attempts"), "2", "{case}");
            let expected = ["application/json", "text/event-stream"][usize::from(stream)];
            assert_eq!(answer.header("content-type"), expected, "{case}");
            let line = rig.done();
            assert_eq!(Rig::trail(&line), ["a:free rate_limited", "b:free success"]);
            let surface = path.trim_start_matches("/v1/");
            assert_eq!(line["surface"], surface);
            let metric =
                format!("freellm_surface_requests_total{{status=\"200\",surface=\"{surface}\"}}");
            assert_eq!(rig.metric(&metric).await, Some(1.0), "{case}");
            let asked = rig.simulator.requests();
            let went = if path == COMPLETIONS {
                "/api/v1/completions"
            } else {
                "/api/v1/chat/completions"
            };
            let chat = asked.iter().filter(|seen| seen.path == went).count();
            assert_eq!(chat, 2, "{case}");
        }
    }
}

#[tokio::test]
async fn s3_a_streams_events_come_in_the_order_of_their_api() {
    let rig = Rig::start(abc()).await;
    #[rustfmt::skip]
    let rows: [(&str, &[&str]); 2] = [
        (RESPONSES, &["response.created", "response.in_progress", "response.output_item.added",
                      "response.content_part.added", "response.output_text.delta",
                      "response.output_text.done", "response.content_part.done",
                      "response.output_item.done", "response.completed"]),
        (MESSAGES,  &["message_start", "content_block_start", "content_block_delta",
                      "content_block_stop", "message_delta", "message_stop"]),
    ];
    for (path, expected) in rows {
        let answer = rig.post(path, &hello(path, true)).await;
        assert_eq!(names(&answer), expected, "{path}");
        assert!(!answer.text().contains("[DONE]"), "{path}");
        let usage = answer.events().concat();
        assert!(usage.contains("\"output_tokens\":12"), "{path}: {usage}");
    }
    let legacy = rig.post(COMPLETIONS, &hello(COMPLETIONS, true)).await;
    assert_eq!(legacy.events().last().map(String::as_str), Some("[DONE]"));
}

#[tokio::test]
async fn s5_after_the_commit_a_fault_ends_the_stream_in_the_words_of_its_api() {
    #[rustfmt::skip]
    let faults = [
        (Step::stream(StreamFault::Cut, 2),   "broke off"),
        (Step::stream(StreamFault::Reset, 2), "broke off"),
        (Step::stream(StreamFault::Error, 2), "Provider disconnected"),
    ];
    for (fault, words) in faults {
        for path in [RESPONSES, MESSAGES, COMPLETIONS] {
            let rig = Rig::start(abc().model("a:free", fault.clone())).await;
            let answer = rig.post(path, &hello(path, true)).await;
            let events = answer.events();
            let last = match path {
                RESPONSES => {
                    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
                    assert_eq!(last["type"], "response.failed");
                    assert_eq!(last["response"]["error"]["code"], "server_error");
                    last["response"]["error"]["message"].clone()
                }
                MESSAGES => {
                    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
                    assert_eq!(
                        (&last["type"], &last["error"]["type"]),
                        (&json!("error"), &json!("api_error"))
                    );
                    last["error"]["message"].clone()
                }
                _ => {
                    assert_eq!(events.last().unwrap(), "[DONE]");
                    let last: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
                    last["error"]["message"].clone()
                }
            };
            assert!(last.as_str().unwrap().contains(words), "{path}: {last}");
            let line = rig.done();
            assert_eq!(
                (&line["status"], &line["mid_stream_error"]),
                (&json!(200), &json!("upstream_error"))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s5_each_api_waits_aloud_in_its_own_way() {
    let settings = [
        ("UPSTREAM_TIMEOUT_SEC", "60"),
        ("STREAM_KEEPALIVE_SEC", "25"),
    ];
    #[rustfmt::skip]
    let rows = [
        (RESPONSES,   ": keep-alive\n\n: keep-alive\n\n: x-free-llm-proxy-model: b:free\n\n"),
        (MESSAGES,    "event: ping\ndata: {\"type\":\"ping\"}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n: x-free-llm-proxy-model: b:free\n\n"),
        (COMPLETIONS, ": waiting for a model\n\n: waiting for a model\n\n: x-free-llm-proxy-model: b:free\n\n"),
    ];
    for (path, before) in rows {
        let rig = Rig::paused(abc().model("a:free", STALL), &settings).await;
        let answer = rig.post(path, &hello(path, true)).await;
        let said = answer.text();
        assert!(said.starts_with(before), "{path}: {said}");
        assert_eq!(text(path, &answer, true), SAID, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_wait_aloud_that_fails_ends_in_the_words_of_its_api() {
    let settings = [
        ("UPSTREAM_TIMEOUT_SEC", "30"),
        ("STREAM_KEEPALIVE_SEC", "25"),
    ];
    for path in [RESPONSES, MESSAGES, COMPLETIONS] {
        let rig = Rig::paused(Script::new().others(STALL), &settings).await;
        let answer = rig.post(path, &hello(path, true)).await;
        let events = answer.events();
        let (place, error) = match path {
            RESPONSES => ("/response/error/code", "server_error"),
            MESSAGES => ("/error/type", "overloaded_error"),
            _ => ("/error/code", "all_models_unavailable"),
        };
        let at = events.len() - if path == COMPLETIONS { 2 } else { 1 };
        let last: Value = serde_json::from_str(&events[at]).unwrap();
        assert_eq!(last.pointer(place), Some(&json!(error)), "{path}: {last}");
        assert_eq!(rig.done()["mid_stream_error"], "all_models_unavailable");
    }
}

#[tokio::test]
async fn s3_errors_have_the_shape_of_the_api_that_was_meant() {
    let key = format!("Bearer {PROXY_KEY}");
    let (wrong, right) = ("Bearer wrong", key.as_str());
    #[rustfmt::skip]
    let rows = [
        // path                      method  key    body                      status  Messages' type
        (MESSAGES,                   "POST", wrong, "{}",                     401,    "authentication_error"),
        (MESSAGES,                   "GET",  right, "",                       405,    "invalid_request_error"),
        ("/v1/messages/batches",     "POST", right, "{}",                     404,    "not_found_error"),
        (MESSAGES,                   "POST", right, "{",                      400,    "invalid_request_error"),
        (MESSAGES,                   "POST", right, "{\"messages\":7}",       400,    "invalid_request_error"),
        ("/v1/messages/count_tokens","POST", right, "[]",                     400,    "invalid_request_error"),
        ("/v1/messages/count_tokens","POST", wrong, "{\"messages\":[]}",      401,    "authentication_error"),
        (RESPONSES,                  "POST", wrong, "{}",                     401,    ""),
        (RESPONSES,                  "POST", right, "{}",                     400,    ""),
        (RESPONSES,                  "POST", right, "{\"input\":\"x\",\"store\":true}", 400, ""),
        ("/v1/responses/resp_1",     "GET",  right, "",                       404,    ""),
        (COMPLETIONS,                "POST", right, "{\"messages\":[]}",      400,    ""),
        (COMPLETIONS,                "POST", right, "{\"prompt\":7}",         400,    ""),
    ];
    let rig = Rig::start(abc()).await;
    for (path, method, key, body, status, kind) in rows {
        let answer = rig
            .send(method, path, &[("authorization", key)], body)
            .await;
        let case = format!("{method} {path} {body}: {answer:?}");
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(answer.header("content-type"), "application/json", "{case}");
        let json = answer.json();
        if kind.is_empty() {
            assert!(json["error"]["code"].is_string(), "{case}");
            assert!(json.get("type").is_none(), "{case}");
        } else {
            assert_eq!(
                (&json["type"], &json["error"]["type"]),
                (&json!("error"), &json!(kind)),
                "{case}"
            );
            assert_eq!(json["request_id"], answer.header("x-request-id"), "{case}");
            assert_eq!(json["request_id"], answer.header("request-id"), "{case}");
        }
    }
}

#[tokio::test]
async fn s3_a_refusal_names_its_place_as_the_param() {
    let rig = Rig::start(abc()).await;
    let body = json!({"input": [{"type": "item_reference", "id": "x"}]});
    let answer = rig.post(RESPONSES, &body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "input[0].type");
    let line = rig.done();
    assert_eq!(
        (&line["reason"], &line["surface"]),
        (&json!("invalid_request"), &json!("responses"))
    );
}

#[tokio::test]
async fn s3_what_was_left_out_is_named_in_the_head() {
    let rig = Rig::start(abc()).await;
    let with_search = json!([{"type": "web_search"}]);
    let body = json!({"input": "x", "tools": with_search, "color": 1});
    for stream in [false, true] {
        let mut body = body.clone();
        body["stream"] = json!(stream);
        let answer = rig.post(RESPONSES, &body).await;
        assert_eq!(answer.status, 200);
        let named = answer.header("x-free-llm-proxy-dropped");
        assert!(
            named.contains("web_search") && named.contains("color"),
            "{named}"
        );
    }
    let answer = rig.post(RESPONSES, &hello(RESPONSES, false)).await;
    assert_eq!(answer.header("x-free-llm-proxy-dropped"), "");
}

#[tokio::test]
async fn s3_both_keys_of_anthropics_clients_open_every_door() {
    let rig = Rig::start(abc()).await;
    for path in [MESSAGES, RESPONSES, COMPLETIONS, "/v1/chat/completions"] {
        let body = if path == "/v1/chat/completions" {
            Rig::hello()
        } else {
            hello(path, false)
        };
        let headers = [("authorization", ""), ("x-api-key", PROXY_KEY)];
        let answer = rig.send("POST", path, &headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn s3_tokens_are_counted_without_asking_a_model() {
    let rig = Rig::start(abc()).await;
    let body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "x".repeat(400)}]});
    let answer = rig.post("/v1/messages/count_tokens", &body).await;
    assert_eq!(answer.status, 200);
    let tokens = answer.json()["input_tokens"].as_u64().unwrap();
    assert!((100..120).contains(&tokens), "{tokens}");
    let asked = rig.simulator.requests();
    assert!(asked.iter().all(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn s3_needs_are_read_from_the_words_of_each_api() {
    let tool = json!({"type": "object", "properties": {}});
    #[rustfmt::skip]
    let rows = [
        (RESPONSES, json!({"input": "x", "tools": [{"type": "function", "name": "f", "parameters": tool}]})),
        (MESSAGES,  json!({"max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
                           "tools": [{"name": "f", "input_schema": tool}]})),
    ];
    for (path, body) in rows {
        let rig = Rig::start(Script::new()).await;
        let answer = rig.post(path, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(rig.done()["had_tools"], true, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_failure_at_the_legacy_endpoint_rests_no_model_for_chat() {
    #[rustfmt::skip]
    let rows = [
        (Step::status(404, &[], "Not Found"),         404, "a"),
        (Step::status(501, &[], "Not Implemented"),   404, "a"),
        (Step::status(405, &[], "Use chat"),          405, "a"),
        (Step::status(500, &[], "Oh"),                503, "a b c"),
        (Step::status(502, &[], ""),                  503, "a b c"),
        (Failure::OkHtml.into(),                      503, "a b c"),
        (Step::status(200, &[], json!({"hello": 1})), 503, "a b c"),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (step, status, asked) in rows {
        for stream in [false, true] {
            rig.anew(abc().others(step.clone())).await;
            let answer = rig.post(COMPLETIONS, &hello(COMPLETIONS, stream)).await;
            assert_eq!(answer.status, status, "{step:?}: {answer:?}");
            assert_eq!(rig.asked(), asked, "{step:?}");
            rig.simulator.set_script(abc());
            assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
            assert_eq!(rig.asked(), "a", "{step:?}");
        }
    }
    // Too many choices are refused by both.
    let limited = Step::status(429, &[("Retry-After", "60")], "");
    rig.anew(abc().model("a:free", limited)).await;
    rig.post(COMPLETIONS, &hello(COMPLETIONS, false)).await;
    rig.asked();
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "b");
}

#[tokio::test]
async fn s3_a_404_of_the_legacy_endpoint_is_not_available_and_rests_no_model() {
    let nowhere = Step::status(404, &[], "Not Found");
    let rig = Rig::start(abc().others(nowhere.clone()).model("a:free", nowhere)).await;
    let answer = rig.post(COMPLETIONS, &hello(COMPLETIONS, false)).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (404, "not_available")
    );
    assert!(answer.text().contains("legacy completions"));
    assert_eq!(Rig::trail(&rig.done()), ["a:free upstream_error"]);
    assert_eq!(rig.metric("freellm_cooldown_models").await, Some(0.0));
}

#[tokio::test]
async fn s3_1_the_key_is_in_no_answer_however_it_is_translated() {
    let leak = simulator::Answer {
        reasoning: Some(format!("thinking of {UPSTREAM_KEY}")),
        chunks: 1,
        ..simulator::Answer::text(format!("it is {UPSTREAM_KEY}, is it not"))
    };
    for path in [RESPONSES, MESSAGES, COMPLETIONS] {
        for stream in [false, true] {
            let rig = Rig::start(abc().model("a:free", Step::from(leak.clone()))).await;
            let mut body = hello(path, stream);
            body["include"] = json!(["reasoning.encrypted_content"]);
            let answer = rig.post(path, &body).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let said = answer.text();
            assert!(
                !said.contains(UPSTREAM_KEY) && said.contains("***"),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn s3_an_accept_that_does_not_fit_changes_nothing() {
    let rig = Rig::start(abc()).await;
    for (path, stream, accept) in [
        (RESPONSES, true, "application/json"),
        (RESPONSES, false, "text/event-stream"),
        (MESSAGES, true, "text/html"),
        (COMPLETIONS, false, "text/event-stream"),
    ] {
        let headers = [("accept", accept), ("accept-encoding", "gzip, br")];
        let body = hello(path, stream).to_string();
        let answer = rig.send("POST", path, &headers, body).await;
        assert_eq!(answer.status, 200);
        let expected = ["application/json", "text/event-stream"][usize::from(stream)];
        assert_eq!(answer.header("content-type"), expected, "{path} {accept}");
        assert_eq!(answer.header("content-encoding"), "");
    }
}

#[tokio::test]
async fn s4_an_alias_acts_as_its_target() {
    #[rustfmt::skip]
    let rows = [
        // MODEL_FIELD  model                 served by   as a model of the list
        ("pin",         "gpt-5",              "a:free",   "auto"),
        ("pin",         "claude-sonnet-4-5",  "c:free",   "c:free"),
        ("prefer",      "claude-sonnet-4-5",  "c:free",   "c:free"),
        ("ignore",      "claude-sonnet-4-5",  "a:free",   "c:free"),
        ("pin",         "gpt-6",              "404",      "404"),
        ("pin",         "lost",               "404",      "404"),
    ];
    for (field, model, served, listed) in rows {
        let aliases = "gpt-5=auto, claude-*=c:free, lost=x:free";
        let settings = [("MODEL_FIELD", field), ("MODEL_ALIASES", aliases)];
        let rig = Rig::with(abc(), &settings).await;
        let mut body = hello(RESPONSES, false);
        body["model"] = json!(model);
        let answer = rig.post(RESPONSES, &body).await;
        let by = match answer.status {
            200 => answer.header("x-free-llm-proxy-model").to_owned(),
            status => status.to_string(),
        };
        assert_eq!(by, served, "{field} {model}");
        let told = rig.get(&format!("/v1/models/{model}")).await;
        let id = match told.status {
            200 => told.json()["id"].as_str().unwrap().to_owned(),
            status => status.to_string(),
        };
        assert_eq!(id, listed, "{field} {model}");
    }
}

#[tokio::test]
async fn s8_the_end_of_the_drain_is_reported_in_the_apis_own_shape() {
    let slow = Step::stream(StreamFault::ContentForever, 0);
    for (path, words) in [
        (RESPONSES, "response.failed"),
        (MESSAGES, "overloaded_error"),
    ] {
        let settings = [("DRAIN_TIMEOUT_SEC", "0.2")];
        let rig = Rig::with(abc().model("a:free", slow.clone()), &settings).await;
        let response = rig
            .open("POST", path, &[], hello(path, true).to_string())
            .await;
        rig.stop();
        let body = http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap()
            .to_bytes();
        let said = String::from_utf8(body.to_vec()).unwrap();
        assert!(said.contains(words), "{path}: {said}");
        assert!(said.contains("shutting down"), "{path}: {said}");
    }
}
