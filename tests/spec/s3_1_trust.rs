//! §3.1: what comes from outside is not trusted.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{
    self, Greeting, Plan, PlanEnd, Point, Raw, RawPart, Script, Simulator, Step, Stream,
    StreamFault, ToolCall,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::rig::{Answer, PROXY_KEY, Rig, UPSTREAM_KEY, abc};
use crate::scripts::{JSON, STALL, STREAM, pieces, ranking_with};

#[tokio::test]
async fn s3_1_models_and_route_never_go_up() {
    let rig = Rig::start(abc()).await;
    #[rustfmt::skip]
    let rows = [
        // sent                                                                           is sent upstream
        (r#"{"model":"x","models":["paid/one"],"messages":[]}"#,                          r#"{"model":"a:free","messages":[]}"#),
        (r#"{"models":["paid/one"],"model":"x","messages":[]}"#,                          r#"{"model":"a:free","messages":[]}"#),
        (r#"{"model":"x","messages":[],"route":"fallback"}"#,                             r#"{"model":"a:free","messages":[]}"#),
        (r#"{"model":"x","route":"sort","n":1,"models":null,"messages":[]}"#,             r#"{"model":"a:free","n":1,"messages":[]}"#),
        (r#"{"model":"x","messages":[],"models":[],"route":{}}"#,                         r#"{"model":"a:free","messages":[]}"#),
        (r#"{"model":"x","mod\u0065ls":["paid/one"],"\u0072oute":"x","messages":[]}"#,    r#"{"model":"a:free","messages":[]}"#),
        (r#"{"model":"x","messages":[{"models":["mine"],"route":"mine"}],"x":{"models":1,"route":2}}"#,
         r#"{"model":"a:free","messages":[{"models":["mine"],"route":"mine"}],"x":{"models":1,"route":2}}"#),
        (r#"{"model":"x","messages":[],"provider":{"order":["p"]},"plugins":[{"id":"web"}],"transforms":[]}"#,
         r#"{"model":"a:free","messages":[],"provider":{"order":["p"]},"plugins":[{"id":"web"}],"transforms":[]}"#),
    ];
    for (sent, expected) in rows {
        rig.send("POST", "/v1/chat/completions", &[], sent).await;
        assert_eq!(rig.sent_up(), [expected], "{sent}");
    }
    let without = r#"{"models":["paid/one"],"messages":[],"route":"x"}"#;
    rig.send("POST", "/v1/chat/completions", &[], without).await;
    let up: Value = serde_json::from_str(&rig.sent_up()[0]).unwrap();
    assert_eq!(up, json!({"model": "a:free", "messages": []}));
}

#[tokio::test(start_paused = true)]
async fn s3_1_the_upstreams_key_never_comes_down() {
    let rig = Rig::paused(abc(), &[]).await;
    let error = |code: Value| json!({"error": {"code": code, "message": format!("bad key {UPSTREAM_KEY}"), "metadata": {"raw": UPSTREAM_KEY}}, UPSTREAM_KEY: 1});
    let said = json!({"choices": [{"message": {"content": format!("the key is {UPSTREAM_KEY}!")}, "finish_reason": "stop"}]});
    let delta = json!({"choices": [{"delta": {"content": format!("the key is {UPSTREAM_KEY}!")}}]});
    let call = ToolCall {
        fragments: 1,
        ..ToolCall::new("f", json!({"key": UPSTREAM_KEY}))
    };
    let call = simulator::Answer {
        tool_calls: vec![call],
        ..Default::default()
    };
    let comment = format!(": {UPSTREAM_KEY}\n\n");
    let event = |data: &Value| format!("data: {data}\n\n");
    let done = "data: [DONE]\n\n".to_owned();
    let broken = |code: Value| {
        Step::from(Stream {
            error: Some(error(code)["error"].clone()),
            ..Stream::new(StreamFault::Error, 2)
        })
    };
    let codes = [400, 401, 403, 413, 422, 429, 500, 503];
    let statuses = codes.map(|code| Step::status(code, &[], error(json!(code))));
    let texts = codes.map(|code| Step::status(code, &[], format!("<p>{UPSTREAM_KEY}</p>")));
    let inside = codes.map(|code| pieces(JSON, [error(json!(code)).to_string()]));
    let first = codes.map(|code| pieces(STREAM, [event(&error(json!(code)))]));
    let later = codes.map(|code| broken(json!(code)));
    let answers = [
        pieces(JSON, [said.to_string()]),
        pieces(JSON, said.to_string().as_bytes().chunks(7)),
        pieces(STREAM, [event(&delta), done.clone()]),
        pieces(
            STREAM,
            [event(&delta), event(&delta), done.clone()]
                .concat()
                .as_bytes()
                .chunks(7),
        ),
        pieces(STREAM, [comment.clone(), event(&delta), comment, done]),
        Step::from(call),
        broken(json!(UPSTREAM_KEY)),
    ];
    for step in statuses
        .into_iter()
        .chain(texts)
        .chain(inside)
        .chain(first)
        .chain(later)
        .chain(answers)
    {
        never_tells(&rig, &step, UPSTREAM_KEY).await;
    }
}

/// Whatever is asked of models that all do this, and with or without a wait aloud: no answer tells it.
async fn never_tells(rig: &Rig, step: &Step, what: &str) {
    for body in [Rig::hello(), Rig::hello_stream()] {
        for aloud in [false, true] {
            let script = if aloud {
                abc().model("a:free", STALL)
            } else {
                abc()
            };
            rig.anew(script.others(step.clone())).await;
            let answer = rig.chat(&body).await;
            assert!(!holds(&answer, what), "{step:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn s3_1_nor_does_it_in_a_header() {
    let answer = simulator::Answer {
        headers: vec![
            ("X-Echo".to_owned(), UPSTREAM_KEY.to_owned()),
            (
                "Content-Type".to_owned(),
                format!("application/json; key={UPSTREAM_KEY}"),
            ),
        ],
        ..simulator::Answer::text("x")
    };
    let generation = format!("{JSON}X-Generation-Id: gen-{UPSTREAM_KEY}\r\n");
    let body = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}"#;
    let retry = [
        ("Retry-After", UPSTREAM_KEY),
        ("Content-Type", "application/json"),
    ];
    let steps = [
        Step::from(answer),
        pieces(&generation, [body]),
        Step::status(422, &retry, r#"{"error":{"message":"x"}}"#),
    ];
    let rig = Rig::start(abc()).await;
    for step in steps {
        rig.simulator.set_model("a:free", step.clone());
        let answer = rig.chat(&Rig::hello()).await;
        assert!(!holds(&answer, UPSTREAM_KEY), "{step:?}: {answer:?}");
    }
}

#[tokio::test]
async fn s3_1_nor_does_it_when_its_json_is_escaped() {
    let escaped = UPSTREAM_KEY.replace('-', "\\u002d");
    let rows = [
        (
            422,
            format!(r#"{{"error":{{"message":"bad key {escaped}"}}}}"#),
        ),
        (
            200,
            format!(
                r#"{{"choices":[{{"message":{{"content":"{escaped}"}},"finish_reason":"stop"}}]}}"#
            ),
        ),
    ];
    let rig = Rig::start(abc()).await;
    for (status, body) in rows {
        let headers = [("Content-Type", "application/json")];
        rig.simulator
            .set_model("a:free", Step::status(status, &headers, body.as_str()));
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(answer.status, status);
        let read = answer.json().to_string();
        assert!(!read.contains(UPSTREAM_KEY), "{read}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_1_the_account_id_beside_an_error_never_comes_down() {
    let error = |code: u16| json!({"error": {"code": code, "message": "x"}, "user_id": "user_2x"});
    let event = |code: u16| format!("data: {}\n\n", error(code));
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
    let codes = [400, 401, 403, 413, 422, 429, 500, 503];
    let statuses = codes.map(|code| Step::status(code, &[], error(code)));
    let inside = codes.map(|code| pieces(JSON, [error(code).to_string()]));
    let first = codes.map(|code| pieces(STREAM, [event(code)]));
    let later = codes.map(|code| pieces(STREAM, [text.to_owned(), event(code)]));
    let rig = Rig::paused(abc(), &[]).await;
    for step in statuses.into_iter().chain(inside).chain(first).chain(later) {
        never_tells(&rig, &step, "user_2x").await;
    }
}

#[tokio::test]
async fn s3_1_a_redirect_is_not_followed_and_the_key_does_not_travel() {
    let thief = Simulator::new(Script::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!(
        "http://{}/api/v1/chat/completions",
        listener.local_addr().unwrap()
    );
    let mut tasks = JoinSet::new();
    let served = thief.clone();
    tasks.spawn(async move { served.serve(listener).await });
    let rig = Rig::start(abc()).await;
    for status in [301, 302, 303, 307, 308] {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let redirect = Step::status(status, &[("Location", &there)], "");
            rig.anew(abc().model("a:free", redirect)).await;
            let answer = rig.chat(&body).await;
            assert_eq!(
                rig.attempts(&answer),
                format!("a upstream_error {status}, b success")
            );
            assert_eq!(
                (answer.header("location"), rig.asked().as_str()),
                ("", "a b")
            );
        }
    }
    assert_eq!(thief.accepted(), 0);
}

#[tokio::test]
async fn s3_1_the_list_moves_the_key_nowhere() {
    let thief = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}/api/v1", thief.local_addr().unwrap());
    let list = ranking_with(&["a:free"], |list| {
        for field in ["baseUrl", "base_url", "upstream", "url"] {
            list[field] = there.clone().into();
            list["models"][0][field] = there.clone().into();
        }
    });
    let rig = Rig::start(Script::new().list(list)).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    for seen in rig.simulator.requests() {
        let is_upstreams = ["/api/v1/chat/completions", "/api/v1/key"].contains(&&*seen.path);
        let with_key = format!("{seen:?}").contains(UPSTREAM_KEY);
        assert!(
            is_upstreams || !with_key,
            "the list's own server sees no key: {seen:?}"
        );
    }
    let accepted = tokio::time::timeout(Duration::from_millis(50), thief.accept()).await;
    assert!(accepted.is_err(), "nobody called");
}

#[tokio::test]
async fn s3_1_the_proxys_own_key_is_never_sent_upstream() {
    let rig = Rig::start(abc()).await;
    let bearer = format!("Bearer {PROXY_KEY}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-api-key", PROXY_KEY),
        ("api-key", PROXY_KEY),
        ("cookie", PROXY_KEY),
    ];
    for body in [Rig::hello(), Rig::hello_stream()] {
        rig.send("POST", "/v1/chat/completions", &headers, body.to_string())
            .await;
    }
    for seen in rig.simulator.requests() {
        assert!(!format!("{seen:?}").contains(PROXY_KEY), "{seen:?}");
    }
}

#[tokio::test]
async fn s3_1_a_stale_pooled_connection_is_not_a_failure() {
    for greeting in [
        Greeting::DieAfter(1),
        Greeting::DieAfter(2),
        Greeting::CloseAfter(1),
        Greeting::CloseAfter(2),
    ] {
        let rig = Rig::start(abc().connections(greeting)).await;
        for body in [Rig::hello(), Rig::hello_stream()] {
            for _ in 0..5 {
                let answer = rig.chat(&body).await;
                assert_eq!(answer.status, 200, "{greeting:?}");
                assert_eq!(rig.attempts(&answer), "a success", "{greeting:?}");
                assert_eq!(rig.asked(), "a", "{greeting:?}");
            }
        }
        assert_eq!(rig.metric("freellm_cooldown_models").await, Some(0.0));
        assert!(rig.simulator.accepted() >= 5, "they did die: {greeting:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_1_a_fresh_connection_that_dies_is_the_models_failure() {
    for dies in [
        Greeting::Reset,
        Greeting::Close,
        Greeting::DieAfter(0),
        Greeting::CloseAfter(0),
    ] {
        // Every connection so far was closed after one answer, so the pool is empty.
        let rig = Rig::paused(abc().connections(Greeting::CloseAfter(1)), &[]).await;
        sleep(Duration::from_secs(1)).await;
        let connections = Plan::from([dies, Greeting::Ok]).then(PlanEnd::Last);
        rig.simulator.set_script(abc().connections(connections));
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(
            rig.attempts(&answer),
            "a upstream_error, b success",
            "{dies:?}"
        );
        assert_eq!(
            rig.metric("freellm_cooldown_models").await,
            Some(1.0),
            "{dies:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s3_1_a_stale_connection_is_replaced_once_and_no_more() {
    let rig = Rig::paused(abc().connections(Greeting::DieAfter(3)), &[]).await;
    // Catalogue and key endpoint have been read over it.
    sleep(Duration::from_secs(1)).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_secs(1)).await;
    let connections = Plan::from([Greeting::Reset, Greeting::Ok]).then(PlanEnd::Last);
    rig.simulator.set_script(abc().connections(connections));
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(rig.attempts(&answer), "a upstream_error, b success");
}

#[tokio::test(start_paused = true)]
async fn s3_1_only_a_connection_that_dies_in_silence_is_asked_again() {
    // An answer that has begun, however badly, is an answer: asking again would use up quota.
    #[rustfmt::skip]
    let rows = [
        Step::raw("HTTP/1.1 abc\r\n\r\n", simulator::Then::Close),
        Step::raw("<html>", simulator::Then::Close),
        Step::from(Stream::new(StreamFault::HugeHeader, 0)),
        Step::Close(Point::MidHeaders),
        Step::Close(Point::AfterHeaders),
        Step::status(500, &[], ""),
    ];
    for step in rows {
        let rig = Rig::paused(abc(), &[]).await;
        // From here on there is a pooled connection that has served.
        rig.chat(&Rig::hello()).await;
        sleep(Duration::from_secs(1)).await;
        rig.simulator.clear_requests();
        rig.simulator.set_model("a:free", step.clone());
        let answer = rig.chat(&Rig::hello()).await;
        let attempts = rig.attempts(&answer);
        assert!(
            attempts.starts_with("a upstream_error") && attempts.ends_with(", b success"),
            "{attempts}"
        );
        assert_eq!(rig.asked(), "a b", "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_1_bytes_after_an_answer_answer_no_other_request() {
    let said = |text| json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]});
    let whole = |text| {
        let body = said(text).to_string();
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {length}\r\n\r\n{body}")
    };
    let goodbye = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    let pause = || RawPart::SleepMs(50);
    let text = RawPart::Text;
    #[rustfmt::skip]
    let rows = [
        // after the answer        as the upstream sends it
        ("another, at once",        vec![text([whole("one"), whole("two")].concat())]),
        ("another, soon after",     vec![text(whole("one")), pause(), text(whole("two"))]),
        ("half of one",             vec![text([&whole("one"), "HTTP/1.1 200 OK\r\n"].concat())]),
        ("a goodbye",               vec![text(whole("one")), pause(), text(goodbye.into())]),
        ("no HTTP",                 vec![text(whole("one")), pause(), text("oops".into())]),
    ];
    for (what, send) in rows {
        let raw = Step::Raw(Raw {
            send,
            then: simulator::Then::Keep,
        });
        let plan = Plan::from([raw, Step::ok("three")]).then(PlanEnd::Last);
        let rig = Rig::paused(abc().model("a:free", plan), &[]).await;
        let mut heard = Vec::new();
        let before = rig.simulator.accepted();
        for _ in 0..3 {
            let answer = rig.chat(&Rig::hello()).await;
            assert_eq!(rig.attempts(&answer), "a success", "{what}");
            let content = &answer.json()["choices"][0]["message"]["content"];
            heard.push(content.as_str().unwrap().to_owned());
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(heard, ["one", "three", "three"], "{what}");
        // The list was read over another one, which may be used instead.
        let opened = rig.simulator.accepted() - before;
        assert!(opened <= 1, "{what}: {opened} instead of one");
    }
}

/// Whether a text is anywhere in an answer: its head, its body, or the concatenation of its deltas.
fn holds(answer: &Answer, text: &str) -> bool {
    format!("{:?}", answer.headers).contains(text)
        || answer.text().contains(text)
        || answer.content().contains(text)
}
