//! §3: the one shape of errors, and the headers of every answer.

use std::collections::HashSet;

use crate::rig::{Answer, Rig, abc};
use crate::s2_list::listed;
use crate::wire::{only, say};
use serde_json::json;
use simulator::{Failure, Script, Step};
use tokio::net::TcpStream;

#[tokio::test]
async fn s3_errors_of_the_requests_own_have_one_shape() {
    let list = r#"{"models":[{"rank":1,"id":"a:free","supportsSeed":false,"supportsTools":true}]}"#;
    let settings = [("MAX_BODY_BYTES", "1000"), ("MODEL_FIELD", "pin")];
    let rig = Rig::with(Script::new().list(listed(list)), &settings).await;
    let chat = "/v1/chat/completions";
    let big = format!("{{\"messages\":[\"{}\"]}}", "x".repeat(2_000));
    let deep = format!("{{\"messages\":{}{}}}", "[".repeat(200), "]".repeat(200));
    #[rustfmt::skip]
    let rows = [
        //        path              body                                             status  code
        ("POST",  chat,             "",                                              400,    "invalid_json"),
        ("POST",  chat,             "hello",                                         400,    "invalid_json"),
        ("POST",  chat,             "{\"messages\":[",                               400,    "invalid_json"),
        ("POST",  chat,             "{\"messages\":[]} x",                           400,    "invalid_json"),
        ("POST",  chat,             "[]",                                            400,    "invalid_request"),
        ("POST",  chat,             "null",                                          400,    "invalid_request"),
        ("POST",  chat,             "\"text\"",                                      400,    "invalid_request"),
        ("POST",  chat,             "{}",                                            400,    "invalid_request"),
        ("POST",  chat,             "{\"messages\":null}",                           400,    "invalid_request"),
        ("POST",  chat,             "{\"messages\":\"hello\"}",                      400,    "invalid_request"),
        ("POST",  chat,             "{\"messages\":[],\"stream\":\"yes\"}",          400,    "invalid_request"),
        ("POST",  chat,             "{\"messages\":[],\"messages\":[]}",             400,    "invalid_request"),
        ("POST",  chat,             &deep,                                           400,    "invalid_request"),
        ("POST",  chat,             "{\"messages\":[],\"seed\":1}",                  400,    "no_capable_model"),
        ("POST",  chat,             "{\"messages\":[],\"model\":\"x\"}",             404,    "model_not_found"),
        ("POST",  chat,             &big,                                            413,    "request_too_large"),
        ("GET",   "/v1/models/x",   "",                                              404,    "model_not_found"),
        ("GET",   "/nothing",       "",                                              404,    "not_found"),
        ("GET",   chat,             "",                                              405,    "method_not_allowed"),
    ];
    for (method, path, body, status, code) in rows {
        let answer = rig.send(method, path, &[], body.to_owned()).await;
        answer.is_error(status, code);
        carries_headers(&answer);
        assert_eq!(
            answer.header("x-free-llm-proxy-attempts"),
            "",
            "none was made"
        );
    }
    assert_eq!(rig.simulator.models_asked(), [""; 0]);
    let seed = rig.chat(&json!({"messages": [], "seed": 1})).await;
    assert!(seed.text().contains("seed"), "it names the need: {seed:?}");
}

#[tokio::test]
async fn s3_errors_of_the_upstreams_making_have_the_same_shape() {
    let seven = || {
        Step::status(
            401,
            &[],
            json!({"error": {"message": "User not found.", "code": 401}}),
        )
    };
    #[rustfmt::skip]
    let rows = [
        // what the upstream does                        status  code                       attempts
        ("all fail",          Step::status(500, &[], ""), 503,   "all_models_unavailable",  "3"),
        ("the key is bad",    seven(),                    502,   "upstream_auth_error",     "1"),
        ("the quota is gone", Failure::DailyLimit.into(), 503,   "account_rate_limited",    "1"),
    ];
    for (what, step, status, code, attempts) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let rig = Rig::start(abc().others(step.clone())).await;
            let answer = rig.chat(&body).await;
            answer.is_error(status, code);
            carries_headers(&answer);
            assert_eq!(
                answer.header("x-free-llm-proxy-attempts"),
                attempts,
                "{what}"
            );
            // Shortly before midnight the day's quota returns soon.
            let wait: u64 = answer.header("retry-after").parse().unwrap_or(0);
            let in_vain = status == 502 || wait > 300;
            let expected = if in_vain { "false" } else { "" };
            assert_eq!(answer.header("x-should-retry"), expected, "{what}");
        }
    }
}

#[tokio::test]
async fn s3_a_failed_refresh_has_the_same_shape() {
    let rig = Rig::start(Script::new()).await;
    rig.simulator
        .set_list(Step::status(500, &[], "its own words"));
    let answer = rig.send("POST", "/admin/refresh", &[], "").await;
    answer.is_error(502, "refresh_failed");
    carries_headers(&answer);
    assert!(!answer.text().contains("its own words"), "{answer:?}");
}

#[tokio::test]
async fn s3_every_answer_carries_cors_headers_and_an_id() {
    let rig = Rig::start(Script::new()).await;
    let stream = Rig::hello_stream().to_string();
    let hello = Rig::hello().to_string();
    #[rustfmt::skip]
    let rows = [
        ("GET",     "/",                     "",       200),
        ("GET",     "/health",               "",       200),
        ("GET",     "/ready",                "",       200),
        ("GET",     "/metrics",              "",       200),
        ("GET",     "/v1/models",            "",       200),
        ("HEAD",    "/v1/models",            "",       200),
        ("OPTIONS", "/v1/models",            "",       204),
        ("POST",    "/admin/refresh",        "",       200),
        ("POST",    "/v1/chat/completions",  &hello,   200),
        ("POST",    "/v1/chat/completions",  &stream,  200),
    ];
    for (method, path, body, status) in rows {
        let answer = rig.send(method, path, &[], body.to_owned()).await;
        assert_eq!(answer.status, status, "{method} {path}");
        carries_headers(&answer);
    }
}

#[tokio::test]
async fn s3_an_answer_to_a_malformed_request_carries_them_too() {
    let listed = [("CORS_ALLOW_ORIGINS", "https://chat.example")];
    #[rustfmt::skip]
    let rows: [(&[(&str, &str)], &str); 2] = [
        // settings   Access-Control-Allow-Origin
        (&[],         "*"),
        (&listed,     ""),
    ];
    for (settings, allowed) in rows {
        let rig = Rig::with(Script::new(), settings).await;
        let answer = only(&say(socket(&rig).await, b"NONSENSE\r\n\r\n").await);
        answer.is_error(400, "invalid_request");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            allowed,
            "{settings:?}"
        );
        exposes(&answer);
    }
}

#[tokio::test]
async fn s3_preflights_echo_what_is_asked() {
    let rig = Rig::start(Script::new()).await;
    let asked = "authorization,content-type,x-stainless-os,x-stainless-lang";
    for path in ["/v1/chat/completions", "/api/v1/models", "/anything"] {
        let headers = [
            ("authorization", ""),
            ("origin", "https://chat.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", asked),
        ];
        let answer = rig.send("OPTIONS", path, &headers, "").await;
        assert_eq!((answer.status, answer.text()), (204, String::new()));
        assert_eq!(answer.header("access-control-allow-headers"), asked);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let methods = answer.header("access-control-allow-methods");
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            assert!(methods.contains(method), "{method} in {methods}");
        }
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            "",
            "never with cookies"
        );
    }
}

#[tokio::test]
async fn s3_6_listed_origins_and_no_others_may_read_answers() {
    let settings = [(
        "CORS_ALLOW_ORIGINS",
        "https://Chat.example/, http://localhost:3000",
    )];
    let rig = Rig::with(Script::new(), &settings).await;
    #[rustfmt::skip]
    let rows = [
        // Origin                           Access-Control-Allow-Origin
        ("https://chat.example",            "https://chat.example"),
        ("http://localhost:3000",           "http://localhost:3000"),
        ("https://localhost:3000",          ""),
        ("http://localhost",                ""),
        ("https://chat.example.evil",       ""),
        ("null",                            ""),
        ("",                                ""),
    ];
    for (origin, allowed) in rows {
        for (method, path) in [
            ("GET", "/health"),
            ("GET", "/nothing"),
            ("OPTIONS", "/v1/models"),
        ] {
            let answer = rig.send(method, path, &[("origin", origin)], "").await;
            let header = answer.header("access-control-allow-origin");
            assert_eq!(header, allowed, "{origin:?} {method} {path}");
            assert_eq!(answer.header("vary"), "origin");
            exposes(&answer);
        }
    }
}

#[tokio::test]
async fn s3_the_request_id_is_ours_and_the_logs() {
    let rig = Rig::start(Script::new()).await;
    let mut ids = HashSet::new();
    #[rustfmt::skip]
    let rows = [
        ("POST", "/v1/chat/completions",  Rig::hello().to_string(),         Some("request_done")),
        ("POST", "/v1/chat/completions",  Rig::hello_stream().to_string(),  Some("request_done")),
        ("POST", "/v1/chat/completions",  "{".to_owned(),                   Some("request_rejected")),
        ("GET",  "/v1/models",            String::new(),                    None),
        ("GET",  "/nothing",              String::new(),                    None),
        ("GET",  "/health",               String::new(),                    None),
    ];
    for (method, path, body, event) in rows {
        let before = event.map_or(0, |event| rig.log.of(event).len());
        let headers = [("x-request-id", "the-clients-own")];
        let answer = rig.send(method, path, &headers, body).await;
        let id = answer.header("x-request-id").to_owned();
        assert_ne!(id, "the-clients-own");
        assert!(id.len() >= 16, "{id}");
        if let Some(event) = event {
            let line = loop {
                match rig.log.of(event).get(before) {
                    Some(line) => break line.clone(),
                    None => tokio::task::yield_now().await,
                }
            };
            assert_eq!(line["request_id"], id);
        }
        assert!(ids.insert(id), "{path}: an id of its own");
    }
    let all = rig.log.all().join("\n");
    assert!(!all.contains("the-clients-own"), "{all}");
    for seen in rig.simulator.requests() {
        assert!(!seen.headers.contains_key("x-request-id"), "{seen:?}");
    }
}

#[tokio::test]
async fn s3_attempts_are_reported_whenever_one_was_made() {
    let down = || Step::status(500, &[], "");
    let refused = || Step::failure(Failure::InvalidImage);
    #[rustfmt::skip]
    let rows = [
        // a             b              c              attempts  status
        (Step::fitting(), down(),       down(),        "1",      200),
        (down(),          Step::fitting(), down(),     "2",      200),
        (down(),          down(),       Step::fitting(), "3",    200),
        (down(),          down(),       down(),        "3",      503),
        (refused(),       down(),       down(),        "1",      400),
        (down(),          refused(),    down(),        "2",      400),
    ];
    for (a, b, c, attempts, status) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let script = abc()
                .model("a:free", a.clone())
                .model("b:free", b.clone())
                .model("c:free", c.clone());
            let rig = Rig::start(script).await;
            let answer = rig.chat(&body).await;
            let told = (answer.status, answer.header("x-free-llm-proxy-attempts"));
            assert_eq!(told, (status, attempts), "{:?}", rig.asked());
        }
    }
}

/// The headers of every answer.
#[track_caller]
fn carries_headers(answer: &Answer) {
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "*",
        "{answer:?}"
    );
    assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
    exposes(answer);
}

#[track_caller]
fn exposes(answer: &Answer) {
    let exposed = answer.header("access-control-expose-headers");
    let exposed: HashSet<_> = exposed.split(',').map(str::trim).collect();
    for name in [
        "x-free-llm-proxy-model",
        "x-free-llm-proxy-attempts",
        "x-request-id",
        "retry-after",
    ] {
        assert!(exposed.contains(name), "{name} is exposed: {answer:?}");
    }
}

async fn socket(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.address()).await.unwrap()
}
