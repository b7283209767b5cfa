//! `GET /admin/state`, `POST /admin/clear`.

use serde_json::{Value, json};
use simulator::{Failure, Point, Step, StreamFault};

use crate::rig::{Answer, MODELS, PROXY_KEY, Rig, UPSTREAM_KEY, abc, ranking};

fn limited(seconds: &str) -> Step {
    let body = json!({"error": {"message": "<b>slow down</b>", "code": 429}});
    Step::status(429, &[("Retry-After", seconds)], body)
}

async fn state(rig: &Rig) -> Value {
    let answer = rig.get("/admin/state").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-cache, no-store");
    answer.json()
}

/// The state once this many requests have ended: the last bytes arrive before the end.
async fn after(rig: &Rig, requests: usize) -> Value {
    loop {
        let state = state(rig).await;
        if state["requests"].as_array().unwrap().len() >= requests {
            return state;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

fn model<'a>(state: &'a Value, id: &str) -> &'a Value {
    let models = state["models"].as_array().unwrap();
    models.iter().find(|model| model["id"] == id).unwrap()
}

fn attempts(figures: &Value) -> &Value {
    &figures["attempts"]
}

#[tokio::test]
async fn s3_the_admin_routes_want_the_key() {
    let rig = Rig::start(abc()).await;
    #[rustfmt::skip]
    let rows = [
        ("GET",  "/admin/state"),
        ("GET",  "/admin/events"),
        ("POST", "/admin/explain"),
        ("POST", "/admin/clear"),
    ];
    for (method, path) in rows {
        for (key, code) in [("", "missing_api_key"), ("Bearer x", "invalid_api_key")] {
            let answer = rig.send(method, path, &[("authorization", key)], "").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, code),
                "{path}"
            );
        }
        let other = if method == "GET" { "POST" } else { "GET" };
        let answer = rig.send(other, path, &[], "").await;
        assert_eq!(answer.status, 405, "{path}");
    }
    let head = rig.send("HEAD", "/admin/state", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn s3_the_state_tells_models_rests_and_requests() {
    let script = abc().model("a:free", limited("60"));
    let rig = Rig::start(script).await;
    let fresh = state(&rig).await;
    assert_eq!(fresh["first_choice"], "a:free");
    assert_eq!(
        (&fresh["last_answer"], &fresh["requests"]),
        (&Value::Null, &json!([]))
    );
    let a = model(&fresh, "a:free");
    assert_eq!(
        (&a["state"], &a["hour"], &a["rank"]),
        (&json!("awake"), &Value::Null, &json!(1))
    );
    let answer = rig.chat(&Rig::hello()).await;
    let known = after(&rig, 1).await;
    assert_eq!(known["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&known["ready"], &known["reason"], &known["draining"]),
        (&json!(true), &Value::Null, &json!(false))
    );
    assert_eq!(
        (&known["first_choice"], &known["last_answer"]["model"]),
        (&json!("b:free"), &json!("b:free"))
    );
    assert_eq!(
        (
            &known["list"]["models"],
            &known["list"]["available"],
            &known["list"]["source"]
        ),
        (&json!(3), &json!(2), &json!("ranking"))
    );
    assert_eq!(
        (
            &known["accounts"][0]["state"],
            &known["accounts"][0]["limit"]
        ),
        (&json!("awake"), &Value::Null)
    );
    let a = model(&known, "a:free");
    assert_eq!(
        (&a["state"], &a["reason"]),
        (&json!("resting"), &json!("rate limited (HTTP 429)"))
    );
    assert_eq!(a["until_next_list"], false);
    assert_eq!(
        (
            &a["because"]["model"],
            &a["because"]["outcome"],
            &a["because"]["status"]
        ),
        (&json!("a:free"), &json!("rate_limited"), &json!(429))
    );
    assert_eq!(attempts(&a["hour"]), &json!({"rate_limited": 1}));
    let b = model(&known, "b:free");
    assert_eq!(
        (&b["state"], &b["resting_until"], &b["because"]),
        (&json!("awake"), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (attempts(&b["day"]), &b["day"]["success_rate"]),
        (&json!({"success": 1}), &json!(1.0))
    );
    let request = &known["requests"][0];
    assert_eq!(request["request_id"], answer.header("x-request-id"));
    assert_eq!(
        (&request["outcome"], &request["status"], &request["code"]),
        (&json!("answered"), &json!(200), &Value::Null)
    );
    assert_eq!(
        (&request["chosen_model"], &request["attempt_count"]),
        (&json!("b:free"), &json!(2))
    );
    assert!(
        request["completion_tokens"].is_u64() && request["ttft_ms"].is_null(),
        "a plain answer tells its usage: {request}"
    );
    // The trail is that of the log line, word for word.
    let line = rig.line(&answer);
    assert_eq!(request["attempts"], line["attempts"]);
    assert_eq!(a["resting_until"], line["attempts"][0]["cooldown_until"]);
    let answered = known["series"]["hour"]["answered"].as_array().unwrap();
    assert_eq!(answered.iter().filter_map(Value::as_u64).sum::<u64>(), 1);
    let text = rig.get("/admin/state").await.text();
    for secret in ["Hello", "slow down", PROXY_KEY, UPSTREAM_KEY] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn s3_a_stream_tells_its_first_event_and_its_tokens() {
    let rig = Rig::start(abc()).await;
    assert_eq!(rig.chat(&Rig::hello_stream()).await.status, 200);
    let known = after(&rig, 1).await;
    let request = &known["requests"][0];
    assert!(
        request["ttft_ms"].is_u64() && request["completion_tokens"].is_u64(),
        "{request}"
    );
    assert_eq!(
        (&request["stream"], &request["outcome"]),
        (&json!(true), &json!("answered"))
    );
    let figures = &model(&known, "a:free")["hour"];
    assert!(
        figures["ttft_p50_ms"].is_u64() && figures["ttft_p95_ms"].is_u64(),
        "{figures}"
    );
    let ttft = known["series"]["day"]["ttft_p50_ms"].as_array().unwrap();
    assert_eq!(ttft.iter().filter(|p50| p50.is_u64()).count(), 1);
    assert_eq!(known["open_streams"], 0);
}

#[tokio::test]
async fn s3_every_way_a_request_can_end_is_reported() {
    let stall = Step::Stall(Point::BeforeHeaders);
    let bad = json!({"error": {"message": "no", "code": 400}});
    let hello = Rig::hello_stream();
    #[rustfmt::skip]
    let rows = [
        // what every model does                        body                 outcome         status  code
        (Step::ok("Hi."),                               hello.clone(),       "answered",     200, Value::Null),
        (Step::stream(StreamFault::Cut, 1),             hello.clone(),       "broken",       200, json!("upstream_error")),
        (Step::status(500, &[], "no"),                  hello.clone(),       "failed",       503, json!("all_models_unavailable")),
        (Step::status(400, &[], bad),                   hello.clone(),       "client_error", 400, json!("upstream_400")),
        (Step::status(401, &[], "no"),                  hello.clone(),       "failed",       502, json!("upstream_auth_error")),
        (Step::ok("Hi."),                               json!({"x": 1}),     "client_error", 400, json!("invalid_request")),
        (stall,                                         hello,               "client_left",  499, Value::Null),
    ];
    for (step, body, outcome, status, code) in rows {
        let rig = Rig::start(abc().others(step)).await;
        if outcome == "client_left" {
            let leaving = rig.chat(&body);
            let asked = rig.simulator.until(|s| !s.models_asked().is_empty());
            tokio::select! { _ = leaving => panic!("it waits"), _ = asked => {} }
        } else {
            rig.chat(&body).await;
        }
        let known = after(&rig, 1).await;
        let request = &known["requests"][0];
        let told = (&request["outcome"], &request["status"], &request["code"]);
        assert_eq!(told, (&json!(outcome), &json!(status), &code), "{request}");
        let column = known["series"]["hour"][outcome].as_array().unwrap();
        assert_eq!(column.last(), Some(&json!(1)), "{outcome}");
    }
}

#[tokio::test]
async fn s3_the_accounts_rest_tells_which_quota_is_gone() {
    let script = abc().account(Step::Failure(Failure::DailyLimit.into()));
    let rig = Rig::start(script).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 503);
    let known = after(&rig, 1).await;
    let account = &known["accounts"][0];
    assert_eq!(
        (&account["state"], &account["limit"]),
        (&json!("out"), &json!("day"))
    );
    assert_eq!(account["because"]["model"], "a:free");
    let hour = &model(&known, "a:free")["hour"];
    assert_eq!(
        (attempts(hour), &hour["success_rate"]),
        (&json!({"rate_limited": 1}), &Value::Null),
        "it is counted, and says nothing of the model"
    );
    assert_eq!(
        account["free_requests"],
        json!({"limit": 50, "remaining": 0})
    );
    assert_eq!(
        (&known["ready"], &known["first_choice"]),
        (&json!(false), &Value::Null)
    );
    let ready = rig.get("/ready").await.json();
    assert_eq!(ready["reason"], known["reason"], "one struct feeds both");
    assert_eq!(ready["account"]["until"], account["until"]);
    let cleared = rig
        .post("/admin/clear", &json!({"account": true}))
        .await
        .json();
    // Its rest is over, and what is used up stays so.
    let account = &cleared["accounts"][0];
    assert_eq!(
        (&account["state"], &account["because"], &account["limit"]),
        (&json!("out"), &Value::Null, &json!("day"))
    );
    assert_eq!(cleared["ready"], false);
}

#[tokio::test]
async fn s3_a_rest_can_be_cleared_of_one_model_or_of_all() {
    let rig = Rig::start(
        abc()
            .model("a:free", limited("60"))
            .model("b:free", limited("60")),
    )
    .await;
    assert_eq!(
        rig.chat(&Rig::hello())
            .await
            .header("x-free-llm-proxy-model"),
        "c:free"
    );
    let clear = async |body: Value| -> Answer { rig.post("/admin/clear", &body).await };
    let cleared = clear(json!({"model": "a:free"})).await;
    assert_eq!(
        (cleared.status, &cleared.json()["model"]["state"]),
        (200, &json!("awake"))
    );
    assert_eq!(cleared.json()["model"]["id"], "a:free");
    let known = state(&rig).await;
    assert_eq!(
        (
            &model(&known, "a:free")["state"],
            &model(&known, "b:free")["state"]
        ),
        (&json!("awake"), &json!("resting"))
    );
    let cleared = clear(json!({"all": true})).await;
    assert_eq!(model(&cleared.json(), "b:free")["state"], "awake");
    #[rustfmt::skip]
    let rows = [
        (json!({"model": "<script>"}),            404, "model_not_found"),
        (json!({"model": "a:free", "all": true}), 400, "invalid_request"),
        (json!({}),                               400, "invalid_request"),
        (json!("a:free"),                         400, "invalid_request"),
    ];
    for (body, status, code) in rows {
        let answer = clear(body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    let answer = rig.send("POST", "/admin/clear", &[], "{").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "invalid_json")
    );
    let twice = r#"{"model":"a:free","model":"b:free"}"#;
    let answer = rig.send("POST", "/admin/clear", &[], twice).await;
    assert_eq!(answer.status, 400);
    let expected = json!({
        "message": "Invalid request: the field \"model\" appears twice in the body.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "invalid_request",
    });
    assert_eq!(answer.json()["error"], expected);
}

#[tokio::test]
async fn s3_models_that_left_the_list_leave_no_figures() {
    let list = [
        ranking(&["a:free", "b:free"]),
        ranking(&["b:free", "c:free"]),
        ranking(&["a:free"]),
    ];
    let rig = Rig::start(abc().list(simulator::Plan::from(list.to_vec()))).await;
    rig.chat(&Rig::hello()).await;
    assert_eq!(
        attempts(&model(&after(&rig, 1).await, "a:free")["hour"]),
        &json!({"success": 1})
    );
    for _ in 0..2 {
        assert_eq!(rig.post("/admin/refresh", &Value::Null).await.status, 200);
    }
    assert_eq!(model(&state(&rig).await, "a:free")["hour"], Value::Null);
}

#[tokio::test]
async fn s3_a_thousand_models_are_reported_quickly() {
    let ids: Vec<String> = (0..1000)
        .map(|n| format!("vendor/model-{n}:free"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let rig = Rig::start(abc().list(ranking(&ids))).await;
    rig.chat(&Rig::hello()).await;
    let answer = rig.get("/admin/state").await;
    assert_eq!(answer.json()["models"].as_array().unwrap().len(), 1000);
    assert!(answer.body.len() < 1 << 20, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn s3_before_the_first_list_and_with_the_fallback_router() {
    let down = || Step::status(500, &[], "");
    let rig = Rig::cold(abc().list(down()).catalogue(down()), &[]).await;
    let known = state(&rig).await;
    assert_eq!(
        (&known["list"], &known["models"], &known["ready"]),
        (&Value::Null, &json!([]), &json!(false))
    );
    let answer = rig.post("/admin/clear", &json!({"model": "a:free"})).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    let rig = Rig::start(simulator::Script::new()).await;
    let known = state(&rig).await;
    let models = known["models"].as_array().unwrap();
    let ids: Vec<_> = models
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    assert_eq!(ids, [MODELS.as_slice(), &["openrouter/free"]].concat());
    let last = models.last().unwrap();
    assert_eq!(
        (&last["fallback"], &last["rank"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(known["list"]["models"], 6);
}
