//! Named clients: who asks, what each may ask, and what only an admin sees (spec §13).

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::json;
use simulator::{Answer as Said, Plan, PlanEnd, Step};

use crate::rig::{Answer, PROXY_KEY, Rig, abc};

/// Keys of alice and ci, who are described in the file, and of nobody in particular, who is an admin.
const KEYS: (&str, &str) = (
    "PROXY_API_KEY",
    "alice:key-of-alice-0123,ci:key-of-ci-0123456,proxy-key-for-tests",
);
const ALICE: &str = "key-of-alice-0123";
const CI: &str = "key-of-ci-0123456";

/// A request of one client.
async fn by(rig: &Rig, key: &str, method: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    rig.send(method, path, &headers, body.to_owned()).await
}

async fn chat_by(rig: &Rig, key: &str) -> Answer {
    let body = Rig::hello().to_string();
    by(rig, key, "POST", "/v1/chat/completions", &body).await
}

fn ids(answer: &Answer) -> Vec<String> {
    let list = answer.json();
    let models = list["data"].as_array().unwrap().iter();
    let ids = models.map(|model| model["id"].as_str().unwrap().to_owned());
    ids.filter(|id| !id.starts_with("auto")).collect()
}

#[tokio::test]
async fn s13_the_name_of_the_client_stands_in_the_log_and_among_the_last_requests() {
    let rig = Rig::with(abc(), &[KEYS]).await;
    let rows = [
        (ALICE, "alice"),
        ("alice:key-of-alice-0123", "alice"),
        (CI, "ci"),
        (PROXY_KEY, "default"),
    ];
    for (key, name) in rows {
        let answer = chat_by(&rig, key).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(rig.line(&answer)["client"], name);
        let rejected = by(&rig, key, "POST", "/v1/messages", "{").await;
        assert_eq!(rejected.status, 400);
        let line = rig.line(&rejected);
        assert_eq!(
            (&line["event"], &line["client"]),
            (&json!("request_rejected"), &json!(name))
        );
    }
    let state = rig.get("/admin/state").await.json();
    let requests = state["requests"].as_array().unwrap().iter();
    let names: Vec<_> = requests
        .map(|request| request["client"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "default", "default", "ci", "ci", "alice", "alice", "alice", "alice"
        ]
    );
    let everything = format!("{} {state}", rig.log.all().concat());
    for (key, _) in rows {
        assert!(!everything.contains(key), "{key}");
    }
}

#[tokio::test]
async fn s13_the_metrics_name_clients_only_where_not_everybody_reads_them() {
    let counted = |text: String| {
        let lines = text
            .lines()
            .filter(|line| line.starts_with("freellm_requests_total{"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let behind_the_key = [KEYS, ("METRICS_AUTH", "on")];
    #[rustfmt::skip]
    let rows: [(&[_], &[&str]); 2] = [
        (&[KEYS],         &["freellm_requests_total{status=\"200\"} 2"]),
        (&behind_the_key, &["freellm_requests_total{client=\"alice\",status=\"200\"} 1",
                            "freellm_requests_total{client=\"default\",status=\"200\"} 1"]),
    ];
    for (settings, expected) in rows {
        let rig = Rig::with(abc(), settings).await;
        for key in [ALICE, PROXY_KEY] {
            assert_eq!(chat_by(&rig, key).await.status, 200);
        }
        assert_eq!(counted(rig.get("/metrics").await.text()), expected);
    }
}

/// Every route below `/admin`, each with any method; the page's files are open to all, and hold no data.
#[tokio::test]
async fn s13_what_is_for_admins_is_for_nobody_else() {
    const FILE: (&str, &str) = (
        "CONFIG_FILE",
        "[[clients]]\nname = 'alice'\n[[clients]]\nname = 'ci'\nadmin = true\n",
    );
    let rig = Rig::with(abc(), &[KEYS, FILE]).await;
    #[rustfmt::skip]
    let rows = [
        ("GET",    "/admin/state"),
        ("HEAD",   "/admin/state"),
        ("GET",    "/admin/events"),
        ("POST",   "/admin/explain"),
        ("POST",   "/admin/clear"),
        ("POST",   "/admin/refresh"),
        ("GET",    "/admin/refresh"),
        ("GET",    "//admin//state/"),
        ("GET",    "/admin/history"),
        ("DELETE", "/admin"),
    ];
    for (method, path) in rows {
        let refused = by(&rig, ALICE, method, path, "").await;
        assert_eq!(refused.status, 403, "{method} {path}");
        if method != Method::HEAD.as_str() {
            refused.is_error(403, "not_allowed");
            assert_eq!(refused.json()["error"]["type"], "permission_error");
        }
        by(&rig, "wrong", method, path, "").await;
    }
    for key in [CI, PROXY_KEY] {
        assert_eq!(by(&rig, key, "GET", "/admin/state", "").await.status, 200);
    }
    // Everything else is as ever, the page's files too.
    assert_eq!(by(&rig, ALICE, "GET", "/v1/models", "").await.status, 200);
    assert_eq!(
        by(&rig, ALICE, "OPTIONS", "/admin/state", "").await.status,
        204
    );
    assert_eq!(
        rig.send("GET", "/ui", &[("authorization", "")], "")
            .await
            .status,
        200
    );
    // In the words of the API that the client speaks.
    let headers = [
        ("authorization", "Bearer key-of-alice-0123"),
        ("anthropic-version", "2023-06-01"),
    ];
    let refused = rig.send("GET", "/admin/state", &headers, "").await.json();
    assert_eq!(
        (&refused["type"], &refused["error"]["type"]),
        (&json!("error"), &json!("permission_error"))
    );
}

/// Whoever listens when the settings change hears more only with a key that is still an admin's.
#[tokio::test]
async fn s13_the_events_end_for_whoever_is_an_admin_no_longer() {
    const ADMIN: &str = "[[clients]]\nname = 'alice'\nadmin = true\n";
    const OTHER: (&str, &str) = (
        "PROXY_API_KEY",
        "alice:new-of-alice-01,ci:key-of-alice-0123,proxy-key-for-tests",
    );
    const GONE: (&str, &str) = ("PROXY_API_KEY", "ci:key-of-ci-0123456,proxy-key-for-tests");
    #[rustfmt::skip]
    let rows: [(&str, &[_], bool); 5] = [
        ("the same",           &[KEYS, ("CONFIG_FILE", ADMIN), ("LOG_LEVEL", "debug")],              false),
        ("no admin",           &[KEYS, ("CONFIG_FILE", "[[clients]]\nname = 'alice'\n")],            true),
        ("no such client",     &[GONE],                                                              true),
        ("another admin's key", &[OTHER],                                                             false),
        ("another's key",      &[OTHER, ("CONFIG_FILE", "[[clients]]\nname = 'ci'\n")],              true),
    ];
    for (what, settings, expected) in rows {
        let rig = Rig::with(abc(), &[KEYS, ("CONFIG_FILE", ADMIN)]).await;
        let authorization = format!("Bearer {ALICE}");
        let headers = [("authorization", authorization.as_str())];
        let events = rig.open("GET", "/admin/events", &headers, "").await;
        assert_eq!(events.status(), 200, "{what}");
        let mut events = events.into_body();
        rig.settle(settings).await;
        assert_eq!(chat_by(&rig, PROXY_KEY).await.status, 200, "{what}");
        let mut text = String::new();
        let ended = loop {
            match events.frame().await {
                None => break true,
                Some(frame) => {
                    let data = frame.unwrap().into_data().unwrap();
                    text += std::str::from_utf8(&data).unwrap();
                }
            }
            if text.contains("event: request") {
                break false;
            }
        };
        assert_eq!(ended, expected, "{what}: {text}");
    }
}

#[tokio::test]
async fn s13_a_client_asks_only_the_models_that_it_may() {
    const FILE: (&str, &str) = (
        "CONFIG_FILE",
        "[[clients]]\nname = 'alice'\nmodels = ['b*', 'c:free']\nadmin = true\n[[clients]]\nname = 'ci'\nmodels = ['elsewhere/*']\n",
    );
    let rig = Rig::with(abc(), &[KEYS, FILE, ("MODEL_FIELD", "pin")]).await;
    assert_eq!(chat_by(&rig, ALICE).await.status, 200);
    assert_eq!(rig.asked(), "b");
    assert_eq!(chat_by(&rig, PROXY_KEY).await.status, 200);
    assert_eq!(rig.asked(), "a");
    // The next is one that it may ask, too.
    rig.anew(abc().model("b:free", Step::status(500, &[], "")))
        .await;
    assert_eq!(chat_by(&rig, ALICE).await.status, 200);
    assert_eq!(rig.asked(), "b c");
    rig.anew(abc().others(Step::status(500, &[], ""))).await;
    chat_by(&rig, ALICE)
        .await
        .is_error(503, "all_models_unavailable");
    assert_eq!(rig.asked(), "b c");
    rig.anew(abc()).await;
    // What it may not ask is not there for it.
    assert_eq!(
        ids(&by(&rig, ALICE, "GET", "/v1/models", "").await),
        ["b:free", "c:free"]
    );
    assert_eq!(
        ids(&by(&rig, PROXY_KEY, "GET", "/v1/models", "").await),
        ["a:free", "b:free", "c:free"]
    );
    assert_eq!(
        by(&rig, ALICE, "GET", "/v1/models/b:free", "").await.status,
        200
    );
    by(&rig, ALICE, "GET", "/v1/models/a:free", "")
        .await
        .is_error(404, "model_not_found");
    let named = |model: &str| {
        json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]}).to_string()
    };
    let path = "/v1/chat/completions";
    by(&rig, ALICE, "POST", path, &named("a:free"))
        .await
        .is_error(404, "model_not_found");
    assert_eq!(
        by(&rig, ALICE, "POST", path, &named("c:free")).await.status,
        200
    );
    assert_eq!(rig.asked(), "c");
    // Nothing is left for ci.
    let barred = chat_by(&rig, CI).await;
    barred.is_error(403, "not_allowed");
    assert_eq!(barred.json()["error"]["type"], "permission_error");
    assert_eq!(ids(&by(&rig, CI, "GET", "/v1/models", "").await), [""; 0]);
    assert_eq!(rig.asked(), "");
    // Explained under that key, too.
    let explained = by(
        &rig,
        ALICE,
        "POST",
        "/admin/explain",
        &Rig::hello().to_string(),
    )
    .await
    .json();
    assert_eq!(explained["candidates"], json!(["b:free", "c:free"]));
    assert_eq!(explained["left_out"][0]["model"], "a:free");
    assert_eq!(explained["left_out"][0]["why"], "not_allowed");
}

/// `a` took six seconds to its first token: a request without a session there costs less at `b`.
#[tokio::test(start_paused = true)]
async fn s13_a_client_has_sessions_of_its_own_whichever_of_its_keys_it_presents() {
    const KEYS: &str = "alice:key-of-alice-0123,alice:other-of-alice-1,proxy-key-for-tests";
    #[rustfmt::skip]
    let rows = [
        (ALICE,              ALICE,              "b"),
        (ALICE,              "other-of-alice-1", "a"),
        ("other-of-alice-1", PROXY_KEY,          "b"),
    ];
    for (first, second, expected) in rows {
        let slow = Step::from(Said {
            first_delay_ms: 6000,
            ..Said::text("hello")
        });
        let script = abc().model("a:free", Plan::from([slow]).then(PlanEnd::Ok));
        let settings = [("ROUTING", "balanced"), ("PROXY_API_KEY", KEYS)];
        let rig = Rig::paused(script, &settings).await;
        let asks = async |key: &str, session: &str| {
            let authorization = format!("Bearer {key}");
            let headers = [
                ("authorization", authorization.as_str()),
                ("x-session-id", session),
            ];
            let body = Rig::hello_stream().to_string();
            let answer = rig
                .send("POST", "/v1/chat/completions", &headers, body)
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
            rig.asked()
        };
        assert_eq!(asks(first, "one").await, "a");
        let session = if first == second { "two" } else { "one" };
        assert_eq!(asks(second, session).await, expected, "{first} {second}");
    }
}
