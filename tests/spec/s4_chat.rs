//! §4: what is sent upstream, what comes back, and what chooses the model.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Answer, Plan, PlanEnd, Script, Step, Then};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::rig::{PROXY_KEY, Rig, UPSTREAM_KEY, abc};
use crate::scripts::{JSON, STREAM, in_bytes, pieces};
use crate::wire::only;

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn s4_the_body_is_sent_byte_for_byte_with_only_model_set() {
    let rig = Rig::start(abc()).await;
    #[rustfmt::skip]
    let rows = [
        // sent                                                               goes up, where the name is a:free
        (r#"{"model":"x","messages":[]}"#,                                    r#"{"model":"a:free","messages":[]}"#),
        (r#"{"messages":[],"model":"x"}"#,                                    r#"{"messages":[],"model":"a:free"}"#),
        (r#"{"messages":[],"model":"auto","n":1}"#,                           r#"{"messages":[],"model":"a:free","n":1}"#),
        (r#"{"model" : null , "messages":[]}"#,                               r#"{"model" : "a:free" , "messages":[]}"#),
        (r#"{"model":{"a":[1]},"messages":[]}"#,                              r#"{"model":"a:free","messages":[]}"#),
        (" {\n\t\"messages\" : [ ],\r\n \"model\":\"x\" }\n",                 " {\n\t\"messages\" : [ ],\r\n \"model\":\"a:free\" }\n"),
        (r#"{"model":"x","messages":[],"zzz":{"b":1,"a":[null,{}]},"aaa":0}"#, r#"{"model":"a:free","messages":[],"zzz":{"b":1,"a":[null,{}]},"aaa":0}"#),
        (r#"{"model":"x","messages":[],"n":123456789012345678901234567890}"#, r#"{"model":"a:free","messages":[],"n":123456789012345678901234567890}"#),
        (r#"{"model":"x","messages":[],"n":[1.0e2,1E+2,-0,-0.0,1e400,0.10]}"#, r#"{"model":"a:free","messages":[],"n":[1.0e2,1E+2,-0,-0.0,1e400,0.10]}"#),
        (r#"{"model":"x","messages":[{"content":"\u00e9\/é\ud83d\ude00😀\n"}]}"#, r#"{"model":"a:free","messages":[{"content":"\u00e9\/é\ud83d\ude00😀\n"}]}"#),
        (r#"{"model":"x","messages":[{"role":"user","role":"user","model":"mine","models":[]}]}"#, r#"{"model":"a:free","messages":[{"role":"user","role":"user","model":"mine","models":[]}]}"#),
        (r#"{"model":"x","messages":[],"provider":{"order":["z","y"]},"max_tokens":5,"user":"u"}"#, r#"{"model":"a:free","messages":[],"provider":{"order":["z","y"]},"max_tokens":5,"user":"u"}"#),
    ];
    for (sent, expected) in rows {
        let answer = rig.send("POST", CHAT, &[], sent).await;
        assert_eq!(answer.status, 200, "{sent}: {answer:?}");
        assert_eq!(rig.sent_up(), [expected], "{sent}");
    }
    let without = r#"{ "messages" : [ ] , "n" : 1.0e2 }"#;
    rig.send("POST", CHAT, &[], without).await;
    let up = rig.sent_up().remove(0);
    assert_eq!(
        up.replacen(r#""model":"a:free","#, "", 1),
        without,
        "where there was no `model`, one member is added"
    );
}

#[tokio::test]
async fn s4_a_chunked_body_is_sent_byte_for_byte_wherever_it_is_split() {
    let rig = Rig::start(abc()).await;
    let body = r#"{"model":"x","messages":[{"role":"user","content":"Größe: 10€ 😀"}],"n":1.0e2}"#;
    for size in [1, 2, 3, 7, 1000] {
        let mut bytes = format!(
            "POST {CHAT} HTTP/1.1\r\nHost: proxy.test\r\nAuthorization: Bearer {PROXY_KEY}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        .into_bytes();
        for chunk in body.as_bytes().chunks(size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let answer = rig.raw(&bytes).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{size}: {answer}");
        let expected = body.replacen(r#""x""#, r#""a:free""#, 1);
        assert_eq!(rig.sent_up(), [expected], "{size}");
    }
}

#[tokio::test]
async fn s4_s3_1_these_headers_go_up_and_none_of_the_clients() {
    let settings = [
        ("OPENROUTER_REFERER", "https://me.example"),
        ("OPENROUTER_TITLE", "my proxy"),
    ];
    let rig = Rig::with(abc(), &settings).await;
    let clients = [
        ("content-type", "application/json; charset=utf-8"),
        ("accept", "*/*"),
        ("accept-encoding", "br, zstd"),
        ("user-agent", "OpenAI/Python 1.0"),
        ("referer", "https://client.example"),
        ("http-referer", "https://client.example"),
        ("x-title", "client"),
        ("x-openrouter-title", "client"),
        ("openrouter-metadata", "enabled"),
        ("cookie", "session=1"),
        ("origin", "https://client.example"),
        ("x-api-key", "other"),
        ("x-forwarded-for", "10.1.2.3"),
        ("forwarded", "for=10.1.2.3"),
        ("traceparent", "00-1-1-00"),
        ("x-request-id", "mine"),
        ("x-stainless-lang", "python"),
        ("idempotency-key", "1"),
        ("expect", "100-continue"),
        ("te", "trailers"),
    ];
    for (body, accept) in [
        (Rig::hello(), "application/json"),
        (Rig::hello_stream(), "text/event-stream"),
    ] {
        rig.simulator.clear_requests();
        rig.send(
            "POST",
            "/v1/chat/completions?key=1",
            &clients,
            body.to_string(),
        )
        .await;
        let mut seen = rig.simulator.requests().into_iter();
        let seen = seen.find(|seen| seen.model.is_some()).unwrap();
        let bearer = format!("Bearer {UPSTREAM_KEY}");
        let length = seen.body.len().to_string();
        let host = seen.headers["host"].to_str().unwrap().to_owned();
        let agent = concat!("free-llm-proxy/", env!("CARGO_PKG_VERSION"));
        #[rustfmt::skip]
        let expected = [
            ("accept",          accept),
            ("accept-encoding", "identity"),
            ("authorization",   &bearer),
            ("content-length",  &length),
            ("content-type",    "application/json"),
            ("host",            &host),
            ("http-referer",    "https://me.example"),
            ("user-agent",      agent),
            // The address is not OpenRouter's own.
            ("x-free-llm-proxy-hop", "1"),
            ("x-title",         "my proxy"),
        ];
        let mut went: Vec<(&str, &str)> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        went.sort_unstable();
        assert_eq!(went, expected);
        assert!(host.starts_with("127.0.0.1:"), "not the client's: {host}");
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str()),
            ("POST", "/api/v1/chat/completions")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s4_a_plain_answer_comes_down_byte_for_byte() {
    let rig = Rig::paused(abc(), &[]).await;
    #[rustfmt::skip]
    let rows = [
        r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#,
        r#"{ "id" : "gen-1",  "choices":[ {"finish_reason":"stop","message":{"content":"\u00e9\/é😀"}} ] , "provider":null }"#,
        r#"{"zzz":{"b":1,"a":2},"choices":[{"index":0,"native_finish_reason":"STOP","finish_reason":"stop","message":{"role":"assistant","content":"x","reasoning":"y","reasoning_details":[{"type":"reasoning.encrypted","data":"AAA=","n":12345678901234567890123,"f":1.0e2}]}}]}"#,
        r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a\": 1.0e2}"}}]},"finish_reason":"tool_calls"}],"usage":{"cost":0E-10,"total_tokens":18446744073709551616}}"#,
        r#"{"choices":[{"message":{"content":""},"finish_reason":"length"}]}"#,
        "{\n  \"choices\": [\r\n    {\"message\": {\"content\": \"printed\"}}\n  ]\n}\n",
    ];
    for body in rows {
        for cut in [1000, 1] {
            let step = pieces(JSON, body.as_bytes().chunks(cut));
            rig.simulator.set_model("a:free", step);
            let answer = rig.chat(&Rig::hello()).await;
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (200, body),
                "{cut}"
            );
        }
    }
    assert!(!rig.asked().contains('b'));
}

#[tokio::test(start_paused = true)]
async fn s4_a_streamed_answer_comes_down_byte_for_byte() {
    let rig = Rig::paused(abc(), &[]).await;
    let body = concat!(
        ": OPENROUTER PROCESSING\n\n",
        "data: { \"id\" : \"gen-1\", \"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}] }\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\",\"reasoning\":\"h\\u00e9\\/é\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"n\":12345678901234567890123}]}}],\"provider\":\"P\",\"x\":1.0e2}\n\n",
        "event: message\nid: 7\nretry: 10\ndata: {\"choices\":[{\"delta\":{\"content\":\"€😀\"}}]}\n\n",
        ": a comment\n",
        "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"on two lines\"}}]}\n\n",
        "data: {\"zzz\":[],\"native\":1}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"native_finish_reason\":\"end_turn\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":18446744073709551616,\"cost\":0E-10}}\n\n",
        ": the last\n\n",
        "data: [DONE]\n\n",
    );
    for cut in [10_000, 100, 5] {
        let step = pieces(STREAM, body.as_bytes().chunks(cut));
        rig.simulator.set_model("a:free", step);
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, body),
            "{cut}"
        );
    }
}

#[tokio::test]
async fn s4_s3_1_two_headers_of_the_upstream_come_back_and_no_other() {
    let headers = [
        ("Content-Type", "application/json; charset=UTF-8"),
        ("X-Generation-Id", "gen-42"),
        ("Set-Cookie", "__cf_bm=1"),
        ("Server", "cloudflare"),
        ("CF-Ray", "1-FRA"),
        ("Via", "1.1 edge"),
        ("Retry-After", "1"),
        ("X-RateLimit-Remaining", "3"),
        ("X-Request-Id", "theirs"),
        ("Access-Control-Allow-Origin", "https://openrouter.ai"),
        ("X-Free-LLM-Proxy-Model", "theirs"),
        ("X-Accel-Buffering", "yes"),
        ("Cache-Control", "public, max-age=60"),
    ];
    let own = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = |content_type: &str| {
        let mut headers = own.to_vec();
        headers[0].1 = content_type.to_owned();
        Step::from(Answer {
            headers,
            ..Answer::text("Hi")
        })
    };
    let rig = Rig::start(abc()).await;
    for (body, content_type) in [
        (Rig::hello(), "application/json; charset=UTF-8"),
        (Rig::hello_stream(), "text/event-stream; charset=utf-8"),
    ] {
        rig.simulator.set_model("a:free", answer(content_type));
        let answer = rig.chat(&body).await;
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!(answer.header("x-free-llm-proxy-model"), "a:free");
        assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(!["", "theirs"].contains(&answer.header("x-request-id")));
        // A stream's own id is the simulator's; a plain one is the script's.
        assert!(answer.header("x-generation-id").starts_with("gen-"));
        for other in [
            "set-cookie",
            "server",
            "cf-ray",
            "via",
            "retry-after",
            "x-ratelimit-remaining",
        ] {
            assert_eq!(answer.header(other), "", "{other}");
        }
        let streamed = body["stream"] == true;
        let buffering = [
            answer.header("cache-control"),
            answer.header("x-accel-buffering"),
        ];
        let expected = if streamed {
            ["no-cache, no-store", "no"]
        } else {
            ["", ""]
        };
        assert_eq!(buffering, expected);
        for (name, values) in answer
            .headers
            .keys()
            .map(|n| (n, answer.headers.get_all(n)))
        {
            assert_eq!(values.iter().count(), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn s4_the_upstreams_content_type_and_generation_id_come_back_on_a_passed_4xx_too() {
    let headers = [
        ("Content-Type", "application/json; charset=UTF-8"),
        ("X-Generation-Id", "gen-42"),
        ("Retry-After", "7"),
        ("Set-Cookie", "__cf_bm=1"),
    ];
    let error = r#"{"error":{"message":"Invalid argument","code":422}}"#;
    let rig = Rig::start(abc().model("a:free", Step::status(422, &headers, error))).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!((answer.status, answer.text().as_str()), (422, error));
    assert_eq!(answer.header("retry-after"), "7");
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(answer.header("x-generation-id"), "gen-42");
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=UTF-8"
    );
}

#[tokio::test]
async fn s4_a_packed_answer_is_unpacked_on_the_way() {
    let gzip = Answer {
        gzip: true,
        ..Answer::text("unpacked")
    };
    let rig = Rig::start(abc().model("a:free", Step::from(gzip))).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        "unpacked"
    );
    assert_eq!(answer.header("content-encoding"), "");
}

#[tokio::test]
async fn s4_what_comes_before_an_answer_is_not_the_answer() {
    let body = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}"#;
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let length = body.len();
    let raw = format!("{early}HTTP/1.1 200 OK\r\n{JSON}Content-Length: {length}\r\n\r\n{body}");
    let rig = Rig::start(abc().model("a:free", Step::raw(raw, Then::Keep))).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    assert_eq!(answer.header("link"), "");
}

#[tokio::test]
async fn s4_whose_choice_the_model_is() {
    let well = abc;
    let c_is_down = || abc().model("c:free", Step::status(500, &[], ""));
    type Make = fn() -> Script;
    #[rustfmt::skip]
    let rows: [(&str, Value, Make, &str, u16); 15] = [
        // MODEL_FIELD  model             upstream    asked    status
        ("ignore",      Value::Null,      well,       "a",     200),
        ("ignore",      json!("c:free"),  well,       "a",     200),
        ("ignore",      json!("gpt-4o"),  well,       "a",     200),
        ("prefer",      Value::Null,      well,       "a",     200),
        ("prefer",      json!("auto"),    well,       "a",     200),
        ("prefer",      json!("c:free"),  well,       "c",     200),
        ("prefer",      json!("c:free"),  c_is_down,  "c a",   200),
        ("prefer",      json!("gpt-4o"),  well,       "a",     200),
        // In any spelling (§10.2).
        ("prefer",      json!("C:FREE"),  well,       "c",     200),
        ("pin",         Value::Null,      well,       "a",     200),
        ("pin",         json!("auto"),    well,       "a",     200),
        ("pin",         json!("c:free"),  well,       "c",     200),
        ("pin",         json!("c:free"),  c_is_down,  "c",     503),
        ("pin",         json!("gpt-4o"),  well,       "",      404),
        ("pin",         json!("c"),       well,       "c",     200),
    ];
    for (setting, model, upstream, asked, status) in rows {
        let rig = Rig::with(upstream(), &[("MODEL_FIELD", setting)]).await;
        let mut body = Rig::hello();
        body["model"] = model.clone();
        let answer = rig.chat(&body).await;
        assert_eq!(
            (rig.asked().as_str(), answer.status),
            (asked, status),
            "{setting} {model}"
        );
        if status == 404 {
            let error = &answer.json()["error"];
            assert_eq!(
                (&error["code"], &error["type"]),
                (&json!("model_not_found"), &json!("invalid_request_error"))
            );
            assert_eq!(
                answer.header("x-free-llm-proxy-attempts"),
                "",
                "there was none"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_a_pinned_model_that_rests_is_not_asked_and_nor_is_another() {
    let limited = Step::status(429, &[("Retry-After", "40")], "");
    let rig = Rig::paused(abc().model("c:free", limited), &[("MODEL_FIELD", "pin")]).await;
    let mut pinned = Rig::hello();
    pinned["model"] = "c:free".into();
    rig.chat(&pinned).await;
    assert_eq!(rig.asked(), "c");
    let answer = rig.chat(&pinned).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "all_models_unavailable")
    );
    assert_eq!(
        (answer.header("retry-after"), rig.asked().as_str()),
        ("40", "")
    );
}

#[tokio::test(start_paused = true)]
async fn s4_a_preferred_model_that_rests_is_passed_over() {
    let limited = Step::status(429, &[("Retry-After", "40")], "");
    let script = abc().model("c:free", Plan::from(limited).then(PlanEnd::Ok));
    let rig = Rig::paused(script, &[("MODEL_FIELD", "prefer")]).await;
    let mut wished = Rig::hello();
    wished["model"] = "c:free".into();
    for expected in ["c a", "a"] {
        rig.chat(&wished).await;
        assert_eq!(rig.asked(), expected);
    }
    tokio::time::sleep(Duration::from_secs(41)).await;
    rig.chat(&wished).await;
    assert_eq!(rig.asked(), "c");
}

#[tokio::test(start_paused = true)]
async fn s4_an_answer_that_looks_like_http_is_an_answer() {
    for before in 0..14 {
        let content = "x".repeat(before) + &"HTTP/1.1 400 ".repeat(30_000);
        let rig = Rig::paused(abc().others(Step::ok(content.as_str())), &[]).await;
        let mut client = rig.pipe();
        client
            .write_all(
                in_bytes(&Rig::hello())
                    .replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .await
            .unwrap();
        let mut said = Vec::new();
        let mut piece = [0; 1000];
        loop {
            let count = client.read(&mut piece).await.unwrap();
            if count == 0 {
                break;
            }
            said.extend_from_slice(&piece[..count]);
        }
        let answer = only(&said);
        assert_eq!(
            answer.json()["choices"][0]["message"]["content"],
            content,
            "{before}"
        );
    }
}
