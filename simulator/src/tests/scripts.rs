//! Scripts as they are written, PUT and followed.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_script_is_put_over_http_and_requests_are_reported() {
    let simulator = Simulator::new(Script::new());
    let put = |body: &str| {
        format!(
            "PUT /script HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let script = r#"{"models": {"vendor/model-x:free": ["daily_limit", {"ok": {"text": "Hi"}}]}}"#;
    assert_eq!(ask(&simulator, &put(script)).await.0, 200);
    let with_key = chat(false).replace("Host: x", "Authorization: Bearer sk-or-v1-secret");
    assert_eq!(ask(&simulator, &with_key).await.0, 429);
    assert_eq!(ask(&simulator, &chat(false)).await.0, 200);
    let (_, _, told) = ask(&simulator, "GET /requests HTTP/1.1\r\n\r\n").await;
    assert!(!told.contains("sk-or-v1-secret"), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["requests"][0]["model"], MODEL);
    assert_eq!(told["requests"][0]["body"]["messages"][0]["content"], "hi");
    assert_eq!(
        ask(&simulator, "DELETE /requests HTTP/1.1\r\n\r\n").await.0,
        200
    );
    assert!(simulator.requests().is_empty());
    #[rustfmt::skip]
    let wrong = [
        ("{",                                                   "EOF"),
        (r#"{"modles": {}}"#,                                   "unknown field `modles`"),
        (r#"{"models": {"a": ["ok", "oops"]}}"#,                "model a: step 2: unknown variant `oops`"),
        (r#"{"models": {"a": [{"ok": {"txt": "a"}}]}}"#,        "unknown field `txt`"),
    ];
    for (script, expected) in wrong {
        let (status, _, body) = ask(&simulator, &put(script)).await;
        assert!(status == 400 && body.contains(expected), "{script}: {body}");
    }
}

#[test]
fn every_form_of_a_step_can_be_written() {
    let forms = [
        r#""ok""#,
        r#"{"ok": "Hi"}"#,
        r#"{"ok": {"text": "Hi", "reasoning": "Hm", "chunks": 5, "delay_ms": 20, "first_delay_ms": 0,
            "headers_delay_ms": 0, "comments": 2, "comment_delay_ms": 5, "usage": "empty_choices", "done": true,
            "gzip": false, "finish": "length", "provider": "P", "model": "m", "headers": [["A", "b"]],
            "extra": {"x": 1}, "tool_calls": [{"name": "f"}]}}"#,
        r#"{"tool_call": {"name": "write_file", "arguments": {"path": "a"}, "fragments": 4, "id": "call_1"}}"#,
        r#"{"tool_call": [{"name": "a"}, {"name": "b", "arguments": "{not json"}]}"#,
        r#"{"status": 503}"#,
        r#"{"status": {"status": 503, "headers": [["Retry-After", "2"]], "body": "busy", "delay_ms": 5}}"#,
        r#"{"status": {"status": 200, "body": {"models": []}}}"#,
        r#""daily_limit""#,
        r#"{"failure": "provider_limit"}"#,
        r#"{"failure": {"name": "daily_limit", "reset": "1790985600000"}}"#,
        r#"{"failure": {"name": "provider_limit_retry_after", "retry_after": 10}}"#,
        r#"{"stream": "done_only"}"#,
        r#"{"stream": {"fault": "error", "after": 2, "error": {"code": 429, "message": "x"}, "answer": {"text": "a b"}}}"#,
        r#"{"stream": {"fault": "big_event", "bytes": 1000}}"#,
        r#"{"stall": "headers"}"#,
        r#"{"stall": "first_event"}"#,
        r#"{"close": "mid_body"}"#,
        r#"{"reset": "after_headers"}"#,
        r#"{"raw": "HTTP/1.1 200 OK\r\n\r\n"}"#,
        r#"{"raw": ["a", {"sleep_ms": 5}, {"hex": "ff 00"}, {"repeat": ["x", 10]}]}"#,
        r#"{"raw": {"send": ["a"], "then": "hang"}}"#,
        r#"{"redirect": "http://127.0.0.1:1/"}"#,
        r#""next_list""#,
        r#"{"task": [{"tool_call": {"name": "write"}}, "provider_limit", {"ok": "done"}]}"#,
    ];
    for form in forms {
        serde_json::from_str::<Step>(form).unwrap_or_else(|e| panic!("{form}: {e}"));
    }
    let script = r#"{"models": {"a": "ok", "b": {"steps": ["ok"], "then": "last"}}, "default": ["ok"], "account": [],
        "list": "next_list", "catalogue": {"status": 500}, "key": "user_not_found", "upstream_key": "k",
        "connections": ["ok", "reset", "close", "stall", {"close_after": 1}, {"die_after": 1}], "record": "heads"}"#;
    Script::from_json(script.as_bytes()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn plans_cycle_stay_or_end_well() {
    let limited = || Step::failure(Failure::ProviderLimit);
    let overloaded = || Step::failure(Failure::Overloaded);
    let steps = || Plan::from([limited(), overloaded()]);
    #[rustfmt::skip]
    let rows = [
        (PlanEnd::Cycle, [429, 529, 429, 529]),
        (PlanEnd::Last,  [429, 529, 529, 529]),
        (PlanEnd::Ok,    [429, 529, 200, 200]),
    ];
    for (end, expected) in rows {
        let simulator = Simulator::new(Script::new().model(MODEL, steps().then(end)));
        for status in expected {
            assert_eq!(ask(&simulator, &chat(false)).await.0, status, "{end:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_by_the_conversation_not_by_the_attempts() {
    let write = Step::tool_call("write", json!({"path": "a"}));
    let task = [
        write,
        Step::failure(Failure::ProviderLimit),
        Step::ok("done"),
    ];
    let simulator = Simulator::new(Script::new().model(MODEL, Step::Task(task.into())));
    let request = |tool: &str, turns: usize| {
        let turn = [
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]}),
            json!({"role": "tool", "tool_call_id": "1", "content": "ok"}),
        ];
        let mut messages = vec![json!({"role": "user", "content": "write a, assistant"})];
        messages.extend(std::iter::repeat_n(turn, turns).flatten());
        let tools = json!([{"type": "function", "function": {"name": tool}}]);
        post(&json!({"model": MODEL, "messages": messages, "tools": tools}))
    };
    #[rustfmt::skip]
    let rows = [
        ("write", 0, 200, r#""name":"write""#),
        ("read",  0, 200, "played by the simulator"),
        ("write", 1, 429, "rate-limited upstream"),
        ("write", 1, 429, "rate-limited upstream"),
        ("write", 0, 200, r#""name":"write""#),
        ("write", 2, 200, r#""content":"done""#),
        ("write", 7, 200, r#""content":"done""#),
    ];
    for (tool, turns, status, expected) in rows {
        let (got, _, body) = ask(&simulator, &request(tool, turns)).await;
        assert!(
            got == status && body.contains(expected),
            "{tool} {turns}: {got} {body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn lists_and_keys_answer_as_recorded() {
    let simulator = Simulator::new(Script::new().upstream_key("right"));
    let get = |path: &str, key: &str| {
        format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {key}\r\n\r\n")
    };
    #[rustfmt::skip]
    let rows = [
        (get("/api/free-llm/top-models?limit=6", "any"), 200, r#""rankingVersion": "2026-04-25.v1""#),
        (get("/api/v1/models", "any"),   200, r#""id":"vendor/paid-model""#),
        (get("/api/v1/key", "right"),    200, r#""is_free_tier":true"#),
        (get("/api/v1/key", "wrong"),    401, r#"{"error":{"message":"User not found.","code":401}}"#),
        (get("/api/v1/nothing", "any"),  404, r#""message":"Not Found""#),
        (chat(false),                    401, "No cookie auth credentials found"),
    ];
    for (request, status, expected) in rows {
        let (got, _, body) = ask(&simulator, &request).await;
        assert!(
            got == status && body.contains(expected),
            "{request}: {got} {body}"
        );
    }
    simulator.set_list(Step::status(200, &[], list_of(&["a/b:free"])));
    let (_, _, body) = ask(&simulator, &get("/api/v1/models", "any")).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"][0]["id"], "a/b:free");
    assert_eq!(body["total_count"], body["data"].as_array().unwrap().len());
}
