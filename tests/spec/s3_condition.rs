//! §3, §7, §8 and promise 25: whether requests are answered, in one sentence, the same at `/ready`
//! and in the state, and never well while requests fail. And §10.5 for OpenRouter: what is left of
//! the day, from the key endpoint.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Failure, Plan, PlanEnd, Point, Step};

use crate::rig::{Rig, UPSTREAM_KEY, abc};

/// What `/ready` and the state say; they must agree.
async fn told(rig: &Rig) -> (u16, Value) {
    let ready = rig.get("/ready").await;
    let state = rig.get("/admin/state").await.json();
    let (body, condition) = (ready.json(), &state["condition"]);
    assert_eq!(state["ready"], ready.status == 200, "{body} {condition}");
    if condition["tone"] == "good" {
        assert_eq!((ready.status, &body["code"]), (200, &Value::Null));
    } else {
        assert_eq!(body["code"], condition["code"]);
        assert_eq!(body["reason"], condition["sentence"]);
        assert_eq!(body["next_step"], condition["next_step"]);
    }
    (ready.status, condition.clone())
}

/// Waits until it has this code.
async fn until(rig: &Rig, code: &str) -> (u16, Value) {
    loop {
        let (status, condition) = told(rig).await;
        if condition["code"] == code {
            return (status, condition);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn today(used: u64) -> Step {
    let requests = json!({"used": used, "limit": 50, "remaining": 50 - used});
    let data = json!({"free_model_daily_requests": requests});
    Step::status(200, &[], json!({"data": data}))
}

fn no_key_endpoint() -> Step {
    Step::status(404, &[], "")
}

/// The key endpoint's requests that were seen.
fn key_reads(rig: &Rig) -> usize {
    let seen = rig.simulator.requests();
    seen.iter()
        .filter(|seen| seen.path.ends_with("/key"))
        .count()
}

async fn chat(rig: &Rig, times: usize) {
    for _ in 0..times {
        rig.chat(&Rig::hello()).await;
    }
}

const SENTENCE: &str = "OpenRouter refuses the key ...WXYZ (HTTP 401).";

#[tokio::test]
async fn s3_a_refused_key_is_reported_before_any_request_and_until_it_is_accepted() {
    let rig = Rig::start(abc().upstream_key("another")).await;
    let (status, condition) = until(&rig, "key_refused").await;
    assert_eq!((status, &condition["sentence"]), (503, &json!(SENTENCE)));
    assert_eq!(
        condition["next_step"],
        "Put a new one into .env: it counts a few seconds later."
    );
    assert_eq!(condition["about"]["key"], "...WXYZ");
    assert_eq!(rig.logged("key_refused").await["status"], 401);
    chat(&rig, 1).await;
    assert_eq!(told(&rig).await.1["sentence"], SENTENCE);
    rig.simulator.set_script(abc().upstream_key(UPSTREAM_KEY));
    rig.post("/admin/refresh", &Value::Null).await;
    until(&rig, "ready").await;
    chat(&rig, 1).await;
    assert_eq!(until(&rig, "answering").await.0, 200);
}

#[tokio::test]
async fn s3_what_makes_every_request_fail_is_reported_and_not_ready() {
    let refused = |status: u16, message: &str| {
        let error = json!({"error": {"message": message, "code": status}});
        Step::status(status, &[], error)
    };
    let policy = "No endpoints available matching your guardrail restrictions and data policy";
    let catalogue = Step::status(200, &[], json!({"data": [{"id": "llama3"}]}));
    let invalid = ["a:free", "b:free", "c:free"].into_iter();
    let invalid = invalid.fold(abc(), |script, id| {
        script.model(id, refused(400, &format!("{id} is not a valid model ID")))
    });
    #[rustfmt::skip]
    let rows = [
        // what is so                                                              requests  ready  code            in the sentence
        (abc().key(no_key_endpoint()).others(refused(401, "no")),                  1,        503,   "key_refused",  SENTENCE),
        (abc().catalogue(catalogue),                                               0,        503,   "none_there",   "0 of 3 models exist there"),
        (invalid,                                                                  3,        503,   "none_there",   "0 of 3 models exist there"),
        (abc().others(refused(404, policy)),                                       3,        503,   "refused",      "the last 3 requests (HTTP 404)"),
        (abc().key(no_key_endpoint()).account(Step::failure(Failure::DailyLimit)), 1,        503,   "quota_day",    "used up (50 of 50); they are back in"),
        (abc().account(Step::failure(Failure::InsufficientCredits)),               1,        503,   "no_credit",    "out of credit (HTTP 402)"),
        (abc().key(today(50)),                                                     0,        503,   "quota_day",    "The free requests of today are used up"),
        (abc().others(Step::status(500, &[], "")),                                 1,        503,   "all_rest",     "3 models are failing; the first returns in"),
        (abc().others(Step::status(429, &[("Retry-After", "2520")], "")),          1,        503,   "all_rest",     "3 models are rate limited; the first returns in 42 min"),
        // A page from an edge in front of the upstream says nothing about the key, and one prompt
        // may be the cause.
        (abc().others(Step::status(403, &[], "<html>")),                           1,        200,   "ready",        "none was asked yet"),
        (abc().others(Step::status(403, &[], "<html>")),                           3,        503,   "refused",      "the last 3 requests (HTTP 403)"),
        // The request's own fault says nothing about others.
        (abc().others(refused(400, "temperature is too hot")),                     5,        200,   "ready",        "none was asked yet"),
        (abc().others(refused(400, "This model's maximum context length is 5")),   5,        200,   "ready",        "none was asked yet"),
        (abc(),                                                                    1,        200,   "answering",    "the last answer was by a:free"),
    ];
    for (script, requests, status, code, words) in rows {
        let rig = Rig::start(script).await;
        chat(&rig, requests).await;
        let (got, condition) = tokio::time::timeout(Duration::from_secs(20), until(&rig, code))
            .await
            .unwrap_or_else(|_| panic!("it never is {code}"));
        let sentence = condition["sentence"].as_str().unwrap();
        assert_eq!(got, status, "{code}: {sentence}");
        assert!(sentence.contains(words), "{words} in {sentence}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_what_was_refused_a_minute_ago_may_be_tried_again_and_is_not_well() {
    let policy = json!({"error": {"message": "No endpoints available matching your data policy", "code": 404}});
    let rig = Rig::paused(abc().others(Step::status(404, &[], policy)), &[]).await;
    chat(&rig, 3).await;
    let outcome = &rig.get("/admin/state").await.json()["requests"][0]["outcome"];
    assert_eq!(outcome, "failed", "the client did nothing wrong");
    assert_eq!(until(&rig, "refused").await.0, 503);
    tokio::time::sleep(Duration::from_secs(61)).await;
    let (status, condition) = told(&rig).await;
    assert_eq!((status, &condition["tone"]), (200, &json!("warn")));
    rig.simulator.set_script(abc());
    chat(&rig, 1).await;
    assert_eq!(until(&rig, "answering").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn s2_before_the_first_list_the_cause_and_the_next_step_are_reported() {
    let down = |status| Step::status(status, &[], "");
    #[rustfmt::skip]
    let rows = [
        (down(404),                        "cannot be read: the answer was HTTP 404; nor can the catalogue of OpenRouter: the answer was HTTP 500.", "Is MODELS_LIST_URL right?"),
        (Step::status(200, &[], "<html>"), "cannot be read: the list is not valid JSON",  "Is MODELS_LIST_URL right?"),
        (Step::Close(Point::BeforeHeaders), "cannot be read: the connection broke",       "Is the network up here"),
        (Step::Stall(Point::AfterHeaders), "no whole answer within 15 s",                 "Is the network up here"),
    ];
    for (list, words, next) in rows {
        let rig = Rig::paused_cold(abc().list(list).catalogue(down(500)), &[]);
        rig.logged("snapshot_refresh_failed").await;
        let (status, condition) = until(&rig, "no_list").await;
        assert_eq!(status, 503);
        let sentence = condition["sentence"].as_str().unwrap();
        assert!(sentence.contains(words), "{words} in {sentence}");
        assert!(sentence.contains("/api/free-llm/top-models"), "{sentence}");
        let step = condition["next_step"].as_str().unwrap();
        assert!(
            step.contains(next) && step.contains("It is read again in"),
            "{step}"
        );
    }
}

/// The day's quota of the state, once it is known.
async fn known_today(rig: &Rig) -> Value {
    loop {
        let state = rig.get("/admin/state").await.json();
        if !state["accounts"][0]["today"].is_null() {
            return state["accounts"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn s10_5_what_is_left_of_the_day_is_shown_and_counted_by_the_upstream() {
    let rig = Rig::start(abc().key(today(12))).await;
    let account = known_today(&rig).await;
    let told = &account["today"];
    assert_eq!(
        (
            &told["used"],
            &told["limit"],
            &told["remaining"],
            &told["told_by"]
        ),
        (&json!(12), &json!(50), &json!(38), &json!("key"))
    );
    assert!(
        told["resets_at"]
            .as_str()
            .unwrap()
            .ends_with("T00:00:00.000Z")
    );
    assert_eq!(
        account["asked_today"], 12,
        "not what this process has asked"
    );
    let gauge = |name| {
        let labels = r#"account="openrouter",model_id="",per="day",unit="requests""#;
        format!("freellm_quota_{name}{{{labels}}}")
    };
    assert_eq!(rig.metric(&gauge("used")).await, Some(12.0));
    assert_eq!(rig.metric(&gauge("limit")).await, Some(50.0));
    // A refusal is better evidence, and the endpoint's count, which lags, gives nothing back.
    rig.simulator
        .set_account(Step::failure(Failure::DailyLimit));
    chat(&rig, 1).await;
    let told = &known_today(&rig).await["today"];
    assert_eq!(
        (&told["remaining"], &told["told_by"]),
        (&json!(0), &json!("refusal"))
    );
    rig.post("/admin/refresh", &Value::Null).await;
    rig.simulator.until(|_| key_reads(&rig) == 2).await;
    assert_eq!(known_today(&rig).await["today"]["remaining"], 0);
}

#[tokio::test(start_paused = true)]
async fn s10_5_it_is_read_with_the_list_and_every_five_minutes_while_requests_come() {
    let rig = Rig::paused(abc(), &[]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(key_reads(&rig), 1);
    tokio::time::sleep(Duration::from_secs(3000)).await;
    assert_eq!(key_reads(&rig), 1, "nobody asks");
    chat(&rig, 2).await;
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert_eq!(key_reads(&rig), 2, "once for both");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(key_reads(&rig), 3, "with the list of the next hour");
    let seen = rig.simulator.requests();
    for seen in seen.iter().filter(|seen| seen.path.ends_with("/key")) {
        assert_eq!(
            seen.headers["authorization"],
            format!("Bearer {UPSTREAM_KEY}")
        );
    }
    let with_key = |seen: &&simulator::Seen| seen.headers.contains_key("authorization");
    let others = seen
        .iter()
        .filter(with_key)
        .filter(|seen| seen.method == "GET");
    assert!(others.into_iter().all(|seen| seen.path == "/api/v1/key"));
}

#[tokio::test(start_paused = true)]
async fn s10_5_it_is_void_once_its_day_ends() {
    let plan = Plan::from([today(12)]).then(PlanEnd::Last);
    let rig = Rig::paused(abc().key(plan), &[]).await;
    known_today(&rig).await;
    rig.simulator.set_key(no_key_endpoint());
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let account = rig.get("/admin/state").await.json()["accounts"][0].clone();
    assert_eq!(
        (&account["today"], &account["asked_today"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn s10_5_an_upstream_that_tells_nothing_costs_nothing_and_shows_nothing() {
    let huge = format!(r#"{{"data":{{"x":"{}"}}}}"#, "x".repeat(1 << 20));
    #[rustfmt::skip]
    let rows = [
        no_key_endpoint(),
        Step::status(405, &[], ""),
        Step::status(500, &[], ""),
        Step::status(429, &[], ""),
        Step::status(200, &[], "<html>"),
        Step::status(200, &[], huge),
        Step::status(200, &[], json!({"data": {"free_model_daily_requests": {"used": -1, "limit": 1e30, "remaining": "many"}}})),
        Step::status(200, &[], json!({"data": {}})),
        Step::Redirect("/api/free-llm/top-models".to_owned()),
        Step::Stall(Point::BeforeHeaders),
        Step::Stall(Point::MidBody),
        Step::Reset(Point::AfterHeaders),
    ];
    for step in rows {
        let what = format!("{step:.60?}");
        let rig = Rig::paused(abc().key(step), &[]).await;
        rig.simulator.until(|_| key_reads(&rig) == 1).await;
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200, "{what}");
        tokio::time::sleep(Duration::from_secs(20)).await;
        let (status, condition) = told(&rig).await;
        assert_eq!(
            (status, &condition["code"]),
            (200, &json!("answering")),
            "{what}"
        );
        let account = rig.get("/admin/state").await.json()["accounts"][0].clone();
        assert_eq!(account["today"], Value::Null, "{what}");
        assert!(
            !rig.get("/metrics").await.text().contains("freellm_quota"),
            "{what}"
        );
        assert!(rig.log.of("key_refused").is_empty(), "{what}");
    }
}

#[tokio::test]
async fn s3_an_unreachable_upstream_is_reported_and_not_ready() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/v1", closed.local_addr().unwrap());
    drop(closed);
    let rig = Rig::with(abc(), &[("UPSTREAM_BASE_URL", &base)]).await;
    chat(&rig, 1).await;
    let (status, condition) = until(&rig, "not_reached").await;
    assert_eq!((status, &condition["tone"]), (503, &json!("bad")));
    assert_eq!(condition["about"]["cause"], "refused");
    let state = rig.get("/admin/state").await.json();
    assert_eq!(state["list"]["available"], 3, "nobody rests for it");
}
