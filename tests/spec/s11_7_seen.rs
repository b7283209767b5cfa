//! §11.7: what is seen of the choice: in the log, in the metrics, in `explain`, in the state.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};
use simulator::{Answer as Said, Plan, PlanEnd, Point, Script, Step};
use tokio::time::sleep;

use crate::rig::{Answer, Rig, abc, ranking};

const BALANCED: (&str, &str) = ("ROUTING", "balanced");
const WAIT: (&str, &str) = ("WAIT_SEC", "20");

/// Its first token takes so many milliseconds.
fn slow(millis: u64) -> Step {
    Step::from(Said {
        first_delay_ms: millis,
        ..Said::text("hello")
    })
}

fn limited(seconds: &str) -> Step {
    Step::status(429, &[("Retry-After", seconds)], "")
}

/// `a` does this, and is well afterwards.
fn a_does(steps: impl IntoIterator<Item = Step>) -> Script {
    let steps: Vec<_> = steps.into_iter().collect();
    abc().model("a:free", Plan::from(steps).then(PlanEnd::Ok))
}

/// A stream of this session.
fn of_session(name: &str) -> Value {
    let mut body = Rig::hello_stream();
    body["session_id"] = name.into();
    body
}

async fn explain(rig: &Rig, body: &Value) -> Value {
    rig.post("/admin/explain", body).await.json()
}

async fn state(rig: &Rig) -> Value {
    rig.get("/admin/state").await.json()
}

/// `place session switched`, as the log has them.
fn seen(rig: &Rig, answer: &Answer) -> String {
    let line = rig.line(answer);
    let fields = ["place", "session", "switched"].map(|field| line[field].to_string());
    fields.join(" ")
}

#[tokio::test(start_paused = true)]
async fn s11_7_the_log_says_where_the_chosen_stood_and_whether_its_session_switched() {
    let slow_once = || a_does([slow(7_000)]);
    let fails = || Step::status(500, &[], "");
    let broken = || a_does([Step::Close(Point::MidBody)]);
    #[rustfmt::skip]
    let rows = [
        // routing     script                                    sessions of the requests   whom they ask   place, session, switched of each
        ("balanced",   slow_once(),                              vec!["x", "x"],            "a a",          vec!["0 true false", "0 true false"]),
        ("balanced",   slow_once(),                              vec!["x", "y", "y"],       "a b b",        vec!["0 true false", "1 true false", "1 true false"]),
        ("balanced",   a_does([fails()]),                        vec!["x", "x"],            "a b b",        vec!["1 true false", "1 true false"]),
        ("balanced",   a_does([slow(1_000), fails()]),           vec!["x", "x"],            "a a b",        vec!["0 true false", "1 true true"]),
        // It had begun to answer.
        ("balanced",   broken(),                                 vec!["x", "x"],            "a b",          vec!["0 true false", "1 true true"]),
        ("balanced",   abc().others(fails()),                    vec!["x"],                 "a b c",        vec!["null true false"]),
        ("rank",       a_does([slow(1_000), fails()]),           vec!["x", "x"],            "a a b",        vec!["0 false false", "1 false false"]),
    ];
    for (routing, script, sessions, asked, expected) in rows {
        let case = format!("{routing} {script:?}");
        let rig = Rig::paused(script, &[("ROUTING", routing)]).await;
        let mut told = Vec::new();
        for session in sessions {
            let answer = rig.chat(&of_session(session)).await;
            told.push(seen(&rig, &answer));
        }
        assert_eq!(rig.asked(), asked, "{case}");
        assert_eq!(told, expected, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_7_who_tells_of_no_session_has_none() {
    let rig = Rig::paused(abc(), &[BALANCED]).await;
    let nothing = rig.chat(&json!({"messages": []})).await;
    assert_eq!(seen(&rig, &nothing), "0 false false");
}

#[tokio::test(start_paused = true)]
async fn s11_7_each_attempt_says_where_it_stood() {
    let settings = [("MODEL_FIELD", "prefer"), BALANCED];
    let script = abc()
        .model("b:free", limited("60"))
        .model("a:free", limited("60"));
    let rig = Rig::paused(script, &settings).await;
    let mut body = Rig::hello();
    body["model"] = "b:free".into();
    let answer = rig.chat(&body).await;
    let line = rig.line(&answer);
    let attempts = line["attempts"].as_array().unwrap().iter();
    let attempts: Vec<_> = attempts
        .map(|one| format!("{} {}", one["model"].as_str().unwrap(), one["place"]))
        .collect();
    // What it names is a tier of its own.
    assert_eq!(attempts, ["b:free 0", "a:free 0", "c:free 2"]);
    assert_eq!(seen(&rig, &answer), "2 true false");
    let shown = state(&rig).await;
    assert_eq!(shown["requests"][0]["attempts"], line["attempts"]);
}

#[tokio::test(start_paused = true)]
async fn s11_7_the_metric_is_what_a_request_without_a_session_would_cost() {
    let costs = async |rig: &Rig| {
        let mut all = Vec::new();
        for id in ["a:free", "b:free", "c:free"] {
            let name = format!("freellm_learnt_cost_seconds{{model_id=\"{id}\"}}");
            let cost = rig.metric(&name).await;
            all.push(cost.map(|cost| (cost * 100.0).round() / 100.0));
        }
        all
    };
    let rig = Rig::paused(a_does([slow(6_000)]), &[BALANCED]).await;
    assert_eq!(costs(&rig).await, [Some(1.56), Some(3.56), Some(5.56)]);
    rig.chat(&of_session("x")).await;
    // No 2.5 s are taken off for the session's sake.
    assert_eq!(costs(&rig).await, [Some(3.78), Some(3.56), Some(5.56)]);
    // Who left the list has no series.
    rig.anew(Script::new().list(ranking(&["b:free", "c:free"])))
        .await;
    assert_eq!(costs(&rig).await, [None, Some(1.56), Some(3.56)]);
    // Who rests has one.
    let rig = Rig::paused(a_does([limited("60")]), &[BALANCED]).await;
    rig.chat(&of_session("x")).await;
    assert_eq!(costs(&rig).await, [Some(3.09), Some(2.78), Some(5.56)]);
    let rig = Rig::paused(abc(), &[]).await;
    let text = rig.get("/metrics").await.text();
    assert!(!text.contains("freellm_learnt_cost_seconds"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn s11_7_of_several_accounts_the_metric_is_the_least() {
    let script = abc().provider("groq", simulator::ProviderScript::new());
    let file = "[providers.groq]\nmodels = ['openai/gpt-oss-120b']\n";
    let settings = [BALANCED, ("CONFIG_FILE", file)];
    let rig =
        Rig::paused_with_providers(script, &[("openrouter", 1), ("groq", 2)], &settings).await;
    let text = rig.get("/metrics").await.text();
    let series = text
        .lines()
        .filter(|line| line.starts_with("freellm_learnt_cost_seconds{"));
    let groq: Vec<_> = series.filter(|line| line.contains("groq/")).collect();
    assert_eq!(groq.len(), 1, "{groq:?}");
}

#[tokio::test(start_paused = true)]
async fn s11_7_an_attempt_that_the_first_token_limit_ended_says_so() {
    let rig = Rig::paused(a_does([slow(20_000)]), &[BALANCED]).await;
    let line = rig.line(&rig.chat(&of_session("x")).await);
    let [late, answered] = [0, 1].map(|n| line["attempts"][n].clone());
    assert_eq!(
        [&late["cause"], &late["outcome"], &late["place"]],
        [&json!("late"), &json!("upstream_error"), &json!(0)]
    );
    assert_eq!(late.get("cooldown_until"), None);
    assert_eq!(
        [&answered["cause"], &answered["place"]],
        [&Value::Null, &json!(1)]
    );
}

/// The models in the order in which they would be asked, each with its cost in words.
fn told(explained: &Value) -> Vec<(String, String)> {
    let through = explained["through"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    through
        .map(|one| (text(&one["model"]), text(&one["cost"])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn s11_7_in_a_drift_explain_changes_as_the_walk_does() {
    // The favourite becomes slower and slower, and well again.
    let steps = [400, 400, 3_000, 9_000].map(slow);
    let rig = Rig::paused(a_does(steps), &[BALANCED]).await;
    #[rustfmt::skip]
    let rows = [
        // after, s   who is asked   why, as it was explained before
        (0,           "a",           "1.5 s to the first token, 0.1 s for failures"),
        (0,           "a",           "0.9 s to the first token"),
        (0,           "a",           "0.8 s to the first token"),
        (0,           "a",           "1.6 s to the first token"),
        (0,           "b",           "2.0 s for its place, 1.5 s to the first token, 0.1 s for failures"),
        (5,           "b",           "2.0 s for its place, 0.8 s to the first token"),
        (900,         "a",           "1.5 s to the first token, 0.1 s for failures"),
    ];
    let mut last = Vec::new();
    for (n, (after, asked, why)) in rows.into_iter().enumerate() {
        sleep(Duration::from_secs(after)).await;
        let body = of_session(&n.to_string());
        let explained = told(&explain(&rig, &body).await);
        assert_eq!(
            explained[0],
            (format!("{asked}:free"), why.to_owned()),
            "{n}: {explained:?}"
        );
        assert_ne!(explained, last, "{n}");
        assert_eq!(rig.chat(&body).await.status, 200);
        assert_eq!(rig.asked(), asked, "{n}");
        last = explained;
    }
}

#[tokio::test(start_paused = true)]
async fn s11_7_explain_knows_the_session_of_the_request() {
    let rig = Rig::paused(a_does([limited("1")]), &[BALANCED]).await;
    rig.chat(&of_session("x")).await;
    assert_eq!(rig.asked(), "a b");
    sleep(Duration::from_secs(60)).await;
    for (session, asked, why) in [
        (
            "x",
            "b",
            "2.0 s for its place, 1.0 s to the first token, 2.5 s off for the session",
        ),
        ("y", "a", "1.5 s to the first token, 0.9 s for failures"),
    ] {
        let explained = told(&explain(&rig, &of_session(session)).await);
        assert_eq!(
            explained[0],
            (format!("{asked}:free"), why.to_owned()),
            "{session}: {explained:?}"
        );
        rig.chat(&of_session(session)).await;
        assert_eq!(rig.asked(), asked, "{session}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_7_the_state_has_the_three_that_would_be_asked_next() {
    let list = ranking(&["a:free", "b:free", "c:free", "d:free"]);
    let rig = Rig::paused(a_does([slow(6_000)]).list(list.clone()), &[BALANCED]).await;
    rig.chat(&of_session("x")).await;
    let shown = state(&rig).await;
    assert_eq!(
        shown["next"][0],
        json!({
            "model": "b:free", "provider": "openrouter", "account": "openrouter", "place": 1, "cost_sec": 3.56,
            "cost": "2.0 s for its place, 1.5 s to the first token, 0.1 s for failures",
            "cost_parts": {"place": 2.0, "first_token": 1.5, "failures": 0.06, "quota": 0.0, "breaks": 0.0, "session": 0.0},
        })
    );
    assert_eq!(shown["first_choice"], "b:free");
    let models = |shown: &Value| {
        let next = shown["next"].as_array().unwrap().iter();
        next.map(|one| one["model"].as_str().unwrap().replace(":free", ""))
            .collect::<String>()
    };
    assert_eq!(models(&shown), "bac");
    // As `explain` has them of the same request.
    let explained = explain(&rig, &Rig::hello()).await;
    let through = explained["through"].as_array().unwrap();
    assert_eq!(shown["next"].as_array().unwrap()[..], through[..3]);
    // In rank order there is no cost to tell.
    let rig = Rig::paused(abc().list(list), &[]).await;
    let shown = state(&rig).await;
    assert_eq!(models(&shown), "abc");
    assert_eq!(shown["next"][0].get("cost"), None);
}

#[tokio::test(start_paused = true)]
async fn s11_7_the_state_and_explain_say_who_waits_and_for_how_long() {
    let script = Script::new()
        .list(ranking(&["a:free"]))
        .model("a:free", Plan::from(vec![limited("30")]).then(PlanEnd::Ok));
    let rig = Rig::paused(script, &[WAIT, BALANCED]).await;
    let nobody = json!({"requests": 0, "first_returns_at": null, "first_returns_sec": null});
    rig.chat(&Rig::hello()).await;
    let explained = explain(&rig, &Rig::hello()).await;
    assert_eq!(explained["waiting"], nobody);
    // Half a minute is too long.
    assert_eq!(explained["selection"], "all_cooling");
    assert_eq!(explained["would_answer"]["retry_after_sec"], 30);
    sleep(Duration::from_secs(18)).await;
    let looks = async {
        sleep(Duration::from_secs(4)).await;
        let explained = explain(&rig, &Rig::hello()).await;
        let expected = |field: &str| explained[field].clone();
        assert_eq!(
            (
                expected("selection"),
                expected("waits_sec"),
                expected("would_answer")
            ),
            // The second waits until the first has found out.
            (json!("waiting"), json!(10), Value::Null)
        );
        let shown = state(&rig).await;
        assert_eq!(shown["waiting"], explained["waiting"]);
        assert_eq!(shown["waiting"]["requests"], 1);
        assert_eq!(shown["waiting"]["first_returns_sec"], 8);
        assert!(shown["waiting"]["first_returns_at"].is_string());
        assert_eq!(rig.metric("freellm_waiting_requests").await, Some(1.0));
    };
    let hello = Rig::hello();
    let (answer, ()) = join(rig.chat(&hello), looks).await;
    assert_eq!(answer.status, 200);
    let waited = rig.line(&answer)["waited_ms"].as_u64().unwrap();
    assert!((11_990..12_010).contains(&waited), "{waited}");
    assert_eq!(state(&rig).await["waiting"], nobody);
}
