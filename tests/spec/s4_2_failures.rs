//! §4.2: what each kind of failure leads to.

use serde_json::json;
use simulator::{Failure, Point, Step, Then};

use crate::rig::{Rig, UPSTREAM_KEY, abc};
use crate::scripts::{STALL, rest_of, said};

#[tokio::test(start_paused = true)]
async fn s4_2_what_is_the_models_failure_rests_it_and_leads_to_the_next() {
    // A stream would wait aloud before the 30 s of a timeout are over.
    let rig = Rig::paused(
        abc(),
        &[("STREAM_KEEPALIVE_SEC", "0"), ("MODEL_FIELD", "pin")],
    )
    .await;
    let status = |status| Step::status(status, &[], r#"{"error":{"message":"x"}}"#);
    let two_hundred =
        |content_type, body| Step::status(200, &[("Content-Type", content_type)], body);
    let json = |body| two_hundred("application/json", body);
    #[rustfmt::skip]
    let rows = [
        // what happened                         outcome                 rest, seconds
        (status(429),                            "rate_limited 429",     300),
        (Failure::ProviderLimit.into(),          "rate_limited 429",     300),
        (Failure::RateLimitedEmpty.into(),       "rate_limited 429",     300),
        (status(503),                            "upstream_error 503",   60),
        (Failure::Unavailable.into(),            "upstream_error 503",   60),
        (Step::Reset(Point::BeforeHeaders),      "upstream_error",       60),
        (Step::Close(Point::BeforeHeaders),      "upstream_error",       60),
        (Step::Reset(Point::MidHeaders),         "upstream_error",       60),
        (Step::Close(Point::AfterHeaders),       "upstream_error",       60),
        (STALL,      "upstream_error",       60),
        (Step::Stall(Point::MidHeaders),         "upstream_error",       60),
        (Step::Stall(Point::AfterHeaders),       "upstream_error",       60),
        (Step::Stall(Point::FirstEvent),         "upstream_error",       60),
        (status(500),                            "upstream_error 500",   60),
        (status(502),                            "upstream_error 502",   60),
        (Failure::BadGatewayHtml.into(),         "upstream_error 502",   60),
        (status(504),                            "upstream_error 504",   60),
        (status(520),                            "upstream_error 520",   60),
        (status(524),                            "upstream_error 524",   60),
        (status(529),                            "upstream_error 529",   60),
        (status(599),                            "upstream_error 599",   60),
        (Step::status(500, &[("Retry-After", "7")], ""), "upstream_error 500", 60),
        (Step::raw("HTTP/1.1 101 Oh\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", Then::Keep), "upstream_error 101", 60),
        (Step::raw("HTTP/1.1 700 Oh\r\nContent-Length: 0\r\n\r\n", Then::Keep), "upstream_error 700", 60),
        (status(300),                            "upstream_error 300",   60),
        (Step::Redirect("/elsewhere".into()),    "upstream_error 302",   60),
        (status(304),                            "upstream_error 304",   60),
        (status(204),                            "upstream_error",       60),
        (json(""),                               "upstream_error",       60),
        (json("{"),                              "upstream_error",       60),
        (json("[]"),                             "upstream_error",       60),
        (json("null"),                           "upstream_error",       60),
        (json("{}"),                             "upstream_error",       60),
        (json(r#"{"choices":{}}"#),              "upstream_error",       60),
        (two_hundred("text/html", "<html>"),     "upstream_error",       60),
        (two_hundred("text/plain", "OK"),        "upstream_error",       60),
        (Step::raw("HTTP/1.1 abc\r\n\r\n", Then::Close), "upstream_error", 60),
        (Step::raw("\x16\x03\x01\x02", Then::Close),     "upstream_error", 60),
        (Step::raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", Then::Close), "upstream_error", 60),
    ];
    for (step, outcome, rest) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(abc().model("a:free", step.clone())).await;
            let answer = rig.chat(&body).await;
            let why = format!("{step:?}, {body}");
            assert_eq!(answer.status, 200, "{why}: {answer:?}");
            assert_eq!(
                said(&answer),
                "Hello! This is b:free, played by the simulator.",
                "{why}"
            );
            assert_eq!(answer.header("x-free-llm-proxy-model"), "b:free", "{why}");
            assert_eq!(answer.header("x-free-llm-proxy-attempts"), "2", "{why}");
            let attempts = rig.attempts(&answer);
            assert!(
                attempts.starts_with(&format!("a {outcome}")),
                "{attempts}: {why}"
            );
            assert!(attempts.ends_with(", b success"), "{attempts}: {why}");
            assert_eq!(rest_of(&rig, "a:free").await, rest.to_string(), "{why}");
        }
    }
}

#[tokio::test]
async fn s4_2_a_connection_that_breaks_on_a_real_socket_leads_to_the_next() {
    let rig = Rig::start(abc()).await;
    let points = [
        Point::BeforeHeaders,
        Point::MidHeaders,
        Point::AfterHeaders,
        Point::FirstEvent,
        Point::MidBody,
    ];
    for step in points
        .into_iter()
        .flat_map(|point| [Step::Reset(point), Step::Close(point)])
    {
        // In the middle of a stream's body something useful has been sent already: §5.
        let is_late = matches!(
            step,
            Step::Reset(Point::MidBody) | Step::Close(Point::MidBody)
        );
        for body in [Rig::hello(), Rig::hello_stream()] {
            if is_late && body["stream"] == true {
                continue;
            }
            rig.anew(abc().model("a:free", step.clone())).await;
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{step:?}: {answer:?}");
            let attempts = rig.attempts(&answer);
            assert!(
                attempts.starts_with("a upstream_error"),
                "{step:?}: {attempts}"
            );
            assert!(attempts.ends_with(", b success"), "{step:?}: {attempts}");
        }
    }
}

#[tokio::test]
async fn s4_2_a_bad_key_is_a_502_and_no_failover() {
    #[rustfmt::skip]
    let rows: [(Step, u16); 6] = [
        (Failure::UserNotFound.into(),          401),
        (Failure::NoCredentials.into(),         401),
        (Failure::MissingAuthentication.into(), 401),
        (Step::status(401, &[], ""),            401),
        (Step::status(401, &[("Retry-After", "5")], "<html>"), 401),
        (Failure::Forbidden.into(),             403),
    ];
    let rig = Rig::start(abc()).await;
    for (step, status) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(abc().model("a:free", step.clone())).await;
            for asked in ["a", ""] {
                let answer = rig.chat(&body).await;
                let len = UPSTREAM_KEY.len();
                let expected = json!({"error": {
                    "message": format!("Proxy could not authenticate with upstream (HTTP {status}). \
                                        Check OPENROUTER_API_KEY: current key tail is ...WXYZ (len={len})."),
                    "type": "proxy_misconfiguration", "param": null, "code": "upstream_auth_error",
                }});
                assert_eq!((answer.status, answer.json()), (502, expected), "{step:?}");
                assert_eq!(answer.header("retry-after"), "");
                assert_eq!(answer.header("x-free-llm-proxy-model"), "");
                assert_eq!(
                    rig.asked(),
                    asked,
                    "never retried, and told again without a call"
                );
                if asked.is_empty() {
                    assert_eq!(answer.header("x-free-llm-proxy-attempts"), "");
                    assert_eq!(rig.line(&answer)["event"], "request_rejected");
                    continue;
                }
                assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1");
                assert_eq!(
                    rig.attempts(&answer),
                    format!("a upstream_auth_error {status}")
                );
            }
        }
    }
}

#[tokio::test]
async fn s4_2_a_short_key_shows_its_length_only() {
    #[rustfmt::skip]
    let rows = [
        ("1234567",   None),
        ("12345678",  None),
        ("123456789", Some("...6789")),
    ];
    for (key, tail) in rows {
        let script = abc().model("a:free", Step::from(Failure::UserNotFound));
        let rig = Rig::with(script, &[("OPENROUTER_API_KEY", key)]).await;
        let answer = rig.chat(&Rig::hello()).await;
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            message.contains(&format!("(len={})", key.len())),
            "{message}"
        );
        assert!(message.contains("Check OPENROUTER_API_KEY"), "{message}");
        match tail {
            Some(tail) => assert!(
                message.contains(&format!("current key tail is {tail} ")),
                "{message}"
            ),
            None => assert!(!message.contains("567"), "{message}"),
        }
        let line = rig.line(&answer);
        assert_eq!(line["key_tail"].as_str(), tail, "{line}");
    }
}

#[tokio::test]
async fn s4_2_another_4xx_is_passed_on_unchanged() {
    const E: &str = r#"{"error":{"message":"m","code":1}}"#;
    let json = "application/json";
    let long = "é".repeat(600);
    let cut = "é".repeat(500);
    #[rustfmt::skip]
    let rows: [(u16, &str, &str, Passed<'_>); 18] = [
        // status  Content-Type  body                                                          the client gets
        (400, json,         E,                                                                 As(E)),
        (400, json,         r#"{"error":{"message":"Input must have at least 1 token.","code":400}}"#, As(r#"{"error":{"message":"Input must have at least 1 token.","code":400}}"#)),
        (405, json,         E,                                                                 As(E)),
        (409, json,         E,                                                                 As(E)),
        (413, json,         E,                                                                 As(E)),
        (415, json,         E,                                                                 As(E)),
        (422, json,         E,                                                                 As(E)),
        (451, json,         E,                                                                 As(E)),
        (422, json,         "{ \"error\" : {\"n\":1.0e2,\n\"m\":\"\\u00e9\\/\",\"x\":123456789012345678901} , \"more\":[1, 2] }", As("{ \"error\" : {\"n\":1.0e2,\n\"m\":\"\\u00e9\\/\",\"x\":123456789012345678901} , \"more\":[1, 2] }")),
        (422, "text/plain", E,                                                                 As(E)),
        (400, json,         r#"{"success":false,"error":{"name":"ZodError","message":"[]"}}"#, As(r#"{"success":false,"error":{"name":"ZodError","message":"[]"}}"#)),
        (422, json,         r#"{"error":{"message":"m"},"user_id":"user_2x"}"#,                As(r#"{"error":{"message":"m"}}"#)),
        (400, "text/plain", "Bad Request",                                                     Wrapped("Bad Request")),
        (400, "text/html",  "<p>\"No\"</p>",                                                   Wrapped("<p>\"No\"</p>")),
        (413, "text/plain", &long,                                                             Wrapped(&cut)),
        (400, json,         "",                                                                Wrapped("")),
        (422, json,         r#"{"error":"text"}"#,                                             Wrapped(r#"{"error":"text"}"#)),
        (422, json,         r#"{"error":{"message":"half"#,                                    Wrapped(r#"{"error":{"message":"half"#)),
    ];
    let rig = Rig::start(abc()).await;
    for (status, content_type, text, expected) in rows {
        let step = Step::status(status, &[("Content-Type", content_type)], text);
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(abc().model("a:free", step.clone())).await;
            for _ in 0..2 {
                let answer = rig.chat(&body).await;
                assert_eq!(answer.status, status, "{text}");
                match expected {
                    As(body) => assert_eq!(answer.text(), body),
                    Wrapped(message) => assert_eq!(
                        answer.json(),
                        json!({"error": {
                            "message": message, "type": "upstream_error", "param": null, "code": format!("upstream_{status}"),
                        }})
                    ),
                }
                assert!(
                    answer
                        .header("content-type")
                        .starts_with("application/json")
                        || content_type == "text/plain",
                    "{answer:?}"
                );
                assert_eq!(answer.header("retry-after"), "");
                assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1");
                assert_eq!(rig.attempts(&answer), format!("a client_error {status}"));
                assert_eq!(rig.asked(), "a", "no failover, and nobody rests for it");
            }
        }
    }
}

#[tokio::test]
async fn s4_2_s3_1_what_a_passed_4xx_loses_and_keeps() {
    let key = |text: &str| text.replace("KEY", UPSTREAM_KEY);
    #[rustfmt::skip]
    let rows = [
        // the upstream's body                                                   never in the client's
        (key(r#"{"error":{"message":"key KEY is bad","raw":"KEY"}}"#),           UPSTREAM_KEY),
        (key(r#"{"error":{"message":"x"},"KEY":"KEY"}"#),                        UPSTREAM_KEY),
        (key("Authorization: Bearer KEY"),                                       UPSTREAM_KEY),
        (r#"{"user_id":"user_2x","error":{"message":"x"}}"#.to_owned(),          "user_2x"),
        (r#"{"error":{"message":"x"},"us\u0065r_id":"user_2x"}"#.to_owned(),     "user_2x"),
        (r#"{"error":"a text","user_id":"user_2x"}"#.to_owned(),                 "user_2x"),
        (r#"{"message":"no error","user_id":"user_2x"}"#.to_owned(),             "user_2x"),
    ];
    let rig = Rig::start(abc()).await;
    for (text, secret) in rows {
        let headers = [("Content-Type", "application/json"), ("Retry-After", "17")];
        rig.simulator
            .set_model("a:free", Step::status(422, &headers, text.as_str()));
        for body in [Rig::hello(), Rig::hello_stream()] {
            let answer = rig.chat(&body).await;
            assert_eq!((answer.status, answer.header("retry-after")), (422, "17"));
            assert!(answer.json()["error"].is_object(), "{answer:?}");
            assert!(!answer.text().contains(secret), "{text}: {answer:?}");
        }
    }
}

use Passed::{As, Wrapped};

/// What the client gets for an upstream's 4xx.
#[derive(Clone, Copy)]
enum Passed<'a> {
    /// This body.
    As(&'a str),
    /// This text in the proxy's own shape.
    Wrapped(&'a str),
}
