//! Good answers, and the connection they travel on.

use super::*;

#[tokio::test(start_paused = true)]
async fn one_connection_carries_several_requests() {
    let simulator = Simulator::new(Script::new().model(MODEL, [Step::ok("A"), Step::ok("B")]));
    let mut tasks = JoinSet::new();
    let mut io = dial(&simulator, &mut tasks);
    let mut said = Vec::new();
    for _ in 0..3 {
        io.write_all(chat(false).as_bytes()).await.unwrap();
        let (status, head, body) = answer(&mut io).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 200);
        assert!(head.contains(&format!(
            "X-Generation-Id: {}",
            body["id"].as_str().unwrap()
        )));
        said.push(
            body["choices"][0]["message"]["content"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(said, ["A", "B", "A"]);
    assert_eq!((simulator.accepted(), simulator.open()), (1, 1));
    assert_eq!(simulator.models_asked(), [MODEL; 3]);
    assert!(
        simulator
            .requests()
            .iter()
            .all(|seen| seen.connection == 1 && !seen.closed_early)
    );
    drop(io);
    simulator.until(|simulator| simulator.open() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_comments_chunks_two_finishes_and_done() {
    let text = Answer {
        chunks: 3,
        comments: 2,
        delay_ms: 20,
        ..Answer::text("Привет")
    };
    let simulator = Simulator::new(Script::new().model(MODEL, Step::from(text)));
    let (status, head, body) = ask(&simulator, &chat(true)).await;
    assert_eq!(status, 200);
    assert!(
        head.contains("Content-Type: text/event-stream\r\n"),
        "{head}"
    );
    let events = events(&body);
    assert_eq!(events.len(), 2 + 3 + 2 + 1, "{body}");
    assert_eq!(events[0], ": OPENROUTER PROCESSING");
    assert!(events[2].contains(r#""content":"Пр""#), "{body}");
    assert_eq!(
        body.matches(r#""finish_reason":"stop""#).count(),
        4 - 2,
        "{body}"
    );
    assert!(events[6].contains(r#""usage":{"#), "{body}");
    assert_eq!(events[7], "data: [DONE]");
}

#[tokio::test(start_paused = true)]
async fn a_tool_call_comes_in_fragments() {
    let step = Step::tool_call("write_file", json!({"path": "a.txt"}));
    let simulator = Simulator::new(Script::new().model(MODEL, step));
    let (_, _, body) = ask(&simulator, &chat(true)).await;
    let mut arguments = String::new();
    for event in events(&body) {
        let Some(json) = event.strip_prefix("data: {") else {
            continue;
        };
        let chunk: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        arguments += call["function"]["arguments"].as_str().unwrap_or_default();
    }
    assert_eq!(arguments, r#"{"path":"a.txt"}"#);
    assert!(body.contains(r#""finish_reason":"tool_calls""#), "{body}");
}

#[tokio::test(start_paused = true)]
async fn calls_have_the_ids_that_the_script_gives_them() {
    let call = |id: Option<&str>| ToolCall {
        id: id.map(ToOwned::to_owned),
        ..ToolCall::new("read_file", json!({}))
    };
    let chosen = [
        Some("functions.read_file:0"),
        Some("functions.read_file:0"),
        Some(""),
    ];
    let calls = chosen.map(call).into_iter().chain([call(None)]).collect();
    let simulator = Simulator::new(Script::new().model(MODEL, Step::ToolCall(calls)));
    for streamed in [false, true] {
        let (_, _, body) = ask(&simulator, &chat(streamed)).await;
        let times = |text: &str| body.matches(text).count();
        assert_eq!(times(r#""id":"functions.read_file:0""#), 2, "{body}");
        assert_eq!(times(r#""id":"""#), 1, "{body}");
        assert_eq!(times(r#""id":"call_"#), 1, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_recording_off_answers_are_made_once() {
    let script = Script::new()
        .model(MODEL, Step::ok("Hi"))
        .record(Recording::Off);
    let simulator = Simulator::new(script);
    let first = ask(&simulator, &chat(true)).await;
    assert_eq!(first, ask(&simulator, &chat(true)).await);
    assert_ne!(first, ask(&simulator, &chat(false)).await);
    assert!(simulator.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_may_be_chunked_and_a_head_gets_no_body() {
    let simulator = Simulator::new(Script::new());
    let body = r#"{"model":"m","messages":[]}"#;
    let (one, two) = body.split_at(10);
    let request = format!(
        "POST /api/v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        two.len()
    );
    assert_eq!(ask(&simulator, &request).await.0, 200);
    assert_eq!(simulator.requests()[0].body, body);
    assert_eq!(
        ask(&simulator, "HEAD /api/v1/models HTTP/1.1\r\n\r\n")
            .await
            .2,
        ""
    );
}
