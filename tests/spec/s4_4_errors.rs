//! §4.4: a 200 can be an error.

use serde_json::{Value, json};
use simulator::{Failure, RawPart, Step};

use crate::rig::{Rig, UPSTREAM_KEY, abc};
use crate::scripts::{JSON, STREAM, parts, pieces, rest_of};

const GOOD: &str =
    r#"{"choices":[{"message":{"role":"assistant","content":"good"},"finish_reason":"stop"}]}"#;

#[tokio::test(start_paused = true)]
async fn s4_4_a_200_that_is_an_error_leads_to_the_next_model() {
    let said = |body: &str| pieces(JSON, [body]);
    let event = |data: &str| pieces(STREAM, [format!("data: {data}\n\n")]);
    #[rustfmt::skip]
    let rows: [(Step, &str); 27] = [
        // what `a` answers                                        its outcome
        (Failure::OkError.into(),                                  "rate_limited 429"),
        (Failure::OkErrorBadGateway.into(),                        "upstream_error 502"),
        (Failure::OkErrorWord.into(),                              "upstream_error"),
        (Failure::OkFinishError.into(),                            "upstream_error"),
        (Failure::OkNoChoices.into(),                              "upstream_error"),
        (Failure::OkEmptyChoices.into(),                           "upstream_error"),
        (Failure::OkZeroTokens.into(),                             "upstream_error"),
        (Failure::OkHtml.into(),                                   "upstream_error"),
        (Failure::OkEmpty.into(),                                  "upstream_error"),
        (Failure::OkBlank.into(),                                  "upstream_error"),
        (Failure::OkInvalidJson.into(),                            "upstream_error"),
        (said(r#"{"error":{"code":"429","message":"x"}}"#),        "rate_limited 429"),
        (said(r#"{"error":{"code":503,"message":"x"}}"#),          "upstream_error 503"),
        (said(r#"{"error":{"code":200,"message":"x"}}"#),          "upstream_error"),
        (said(r#"{"error":{"message":"no code"}}"#),               "upstream_error"),
        (said(r#"{"error":"a text"}"#),                            "upstream_error"),
        (said(r#"{"error":{"code":502},"choices":[{"message":{"content":"half"},"finish_reason":"stop"}]}"#), "upstream_error 502"),
        (said(r#"{"choices":[{"message":{"content":"half"},"finish_reason":"error"}]}"#), "upstream_error"),
        (said(r#"{"choices":[{"message":{"content":"half"},"error":{"code":429}}]}"#), "rate_limited 429"),
        (said(r#"{"choices":[{"message":{"role":"assistant","content":null},"finish_reason":null}]}"#), "upstream_error"),
        (said(r#"{"choices":[null]}"#),                            "upstream_error"),
        (said("\u{0}"),                                            "upstream_error"),
        (event(r#"{"error":{"code":429,"message":"x"}}"#),         "rate_limited 429"),
        (event(r#"{"error":{"code":500},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#), "upstream_error 500"),
        (event("[DONE]"),                                          "upstream_error"),
        (event("<html>"),                                          "upstream_error"),
        (pieces(STREAM, [": OPENROUTER PROCESSING\n\n"; 3]),       "upstream_error"),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (step, outcome) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let is_event = matches!(&step, Step::Raw(raw) if raw.send[0] == RawPart::Text(format!("HTTP/1.1 200 OK\r\n{STREAM}Transfer-Encoding: chunked\r\n\r\n")));
            rig.anew(abc().model("a:free", step.clone())).await;
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{step:?}: {answer:?}");
            assert_eq!(
                answer.header("x-free-llm-proxy-model"),
                "b:free",
                "{step:?}"
            );
            assert!(
                !answer.text().contains("error") && !answer.text().contains("half"),
                "nothing of a's: {answer:?}"
            );
            let attempts = rig.attempts(&answer);
            if !is_event || body["stream"] == true {
                assert!(
                    attempts.starts_with(&format!("a {outcome}")),
                    "{attempts}: {step:?} {body}"
                );
            }
            assert!(
                attempts.starts_with("a ") && attempts.ends_with(", b success"),
                "{attempts}: {step:?}"
            );
            // And it rests.
            rig.simulator.clear_requests();
            rig.chat(&body).await;
            assert_eq!(rig.asked(), "b", "{step:?}");
        }
    }
}

#[tokio::test]
async fn s4_4_an_error_inside_a_200_that_is_the_requests_fault_is_passed_on_with_its_status() {
    #[rustfmt::skip]
    let rows = [
        // inside the 200                                                       status  the client gets
        (r#"{"error":{"message":"Input must have at least 1 token.","code":400}}"#, 400, r#"{"error":{"message":"Input must have at least 1 token.","code":400}}"#),
        (r#"{"error": {"message":"\u00e9","code":"422", "n":1.0e2}}"#,          422,    r#"{"error": {"message":"\u00e9","code":"422", "n":1.0e2}}"#),
        (r#"{"error":{"code":413,"message":"x"},"user_id":"user_2x"}"#,         413,    r#"{"error":{"code":413,"message":"x"}}"#),
    ];
    let rig = Rig::start(abc()).await;
    for (inside, status, expected) in rows {
        for (body, step) in [
            (Rig::hello(), pieces(JSON, [inside.to_owned()])),
            (
                Rig::hello(),
                pieces(
                    JSON,
                    [
                        "\n\n: OPENROUTER PROCESSING\n\n".to_owned(),
                        inside.to_owned(),
                    ],
                ),
            ),
            (Rig::hello_stream(), pieces(JSON, [inside.to_owned()])),
            (
                Rig::hello_stream(),
                pieces(
                    STREAM,
                    [format!(": OPENROUTER PROCESSING\n\ndata: {inside}\n\n")],
                ),
            ),
        ] {
            rig.simulator.set_model("a:free", step);
            let answer = rig.chat(&body).await;
            assert_eq!((answer.status, answer.text().as_str()), (status, expected));
            assert_eq!(rig.attempts(&answer), format!("a client_error {status}"));
            assert_eq!(rig.asked(), "a", "no failover, and nobody rests for it");
        }
    }
}

#[tokio::test]
async fn s4_4_an_error_inside_a_200_that_is_the_keys_is_a_502() {
    let rig = Rig::start(abc()).await;
    for code in [401, 403] {
        let error = json!({"error": {"code": code, "message": format!("{UPSTREAM_KEY} is bad")}})
            .to_string();
        for (body, step) in [
            (Rig::hello(), pieces(JSON, [error.clone()])),
            (
                Rig::hello_stream(),
                pieces(STREAM, [format!("data: {error}\n\n")]),
            ),
        ] {
            rig.anew(abc().model("a:free", step)).await;
            let answer = rig.chat(&body).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (502, "upstream_auth_error")
            );
            assert!(
                answer.text().contains(&format!("(HTTP {code})"))
                    && !answer.text().contains(UPSTREAM_KEY),
                "{answer:?}"
            );
            assert_eq!(rig.asked(), "a");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_4_a_heartbeat_before_a_plain_answer_is_not_an_answer() {
    let body = "{ \"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}] }\n";
    #[rustfmt::skip]
    let rows: [&[&str]; 6] = [
        &["\n", "\n", "\n"],
        &["\r\n", " ", "\t\n"],
        &[": OPENROUTER PROCESSING\n\n", ": OPENROUTER PROCESSING\n\n"],
        &[": OPENROUTER", " PROCESSING\n", "\n: a {\"choices\":[]} in a comment\n\n"],
        &[": with CR LF\r\n\r\n"],
        &[],
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for heartbeat in rows {
        rig.simulator
            .set_model("a:free", pieces(JSON, heartbeat.iter().chain([&body])));
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, body),
            "{heartbeat:?}"
        );
    }
    // Kept alive for 20 s, and then 429: nothing had been sent to the client.
    let error = r#"{"error":{"code":429,"message":"x"}}"#;
    let mut raw = parts(JSON, ["\n", "\n", error]);
    raw.send.insert(2, RawPart::SleepMs(20_000));
    rig.anew(abc().model("a:free", Step::Raw(raw))).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(rig.attempts(&answer), "a rate_limited 429, b success");
}

#[tokio::test(start_paused = true)]
async fn s4_4_an_error_within_a_choice_says_as_much_as_one_by_itself() {
    let minute = json!({"code": 429, "message": "Rate limit exceeded: free-models-per-min. ",
        "metadata": {"limit_source": "openrouter_free_tier_per_minute", "retry_after_seconds": 30}});
    let seven = json!({"code": 429, "message": "x", "metadata": {"retry_after_seconds": 7}});
    let gone = json!({"code": 404, "message": "No endpoints found for a:free."});
    let long = json!({"code": 400, "message": "too long", "metadata": {"error_type": "context_length_exceeded"}});
    #[rustfmt::skip]
    let rows = [
        // error             status  code                      asked    a rests, s
        (minute,             503,    "account_rate_limited",   "a",     "30"),
        (seven,              200,    "",                       "a b",   "7"),
        (gone,               200,    "",                       "a b",   "3600"),
        (long,               200,    "",                       "a b",   ""),
    ];
    for (error, status, code, asked, rest) in rows {
        for streamed in [false, true] {
            let (member, head) = if streamed {
                ("delta", STREAM)
            } else {
                ("message", JSON)
            };
            let body = json!({"choices": [{member: {"content": ""}, "finish_reason": "error", "error": error}]});
            let body = if streamed {
                format!("data: {body}\n\n")
            } else {
                body.to_string()
            };
            let larger = |list: &mut Value| {
                for (model, length) in list["models"]
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .zip([10_000, 20_000, 30_000])
                {
                    model["contextLength"] = length.into();
                }
            };
            let list = crate::scripts::ranking_with(&["a:free", "b:free", "c:free"], larger);
            let script = abc().list(list).model("a:free", pieces(head, [body]));
            let rig = Rig::paused(script, &[("MODEL_FIELD", "pin")]).await;
            let request = if streamed {
                Rig::hello_stream()
            } else {
                Rig::hello()
            };
            let answer = rig.chat(&request).await;
            let why = format!("{error} {streamed}");
            assert_eq!(answer.status, status, "{why}: {answer:?}");
            assert_eq!(rig.asked(), asked, "{why}");
            if status == 503 {
                answer.is_error(status, code);
            } else if rest.is_empty() {
                rig.simulator.set_model("a:free", Step::fitting());
                assert_eq!(rest_of(&rig, "a:free").await, "", "{why}: it does not rest");
            } else {
                assert_eq!(rest_of(&rig, "a:free").await, rest, "{why}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_4_a_byte_order_mark_is_not_an_error() {
    let rig = Rig::paused(
        abc().model("a:free", pieces(JSON, [format!("\u{feff}{GOOD}")])),
        &[],
    )
    .await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(answer.header("x-free-llm-proxy-model"), "a:free");
    assert_eq!(answer.text(), GOOD, "a client's parser may mind it");
    let day = "\u{feff}{\"error\":{\"code\":429,\"message\":\"Rate limit exceeded: free-models-per-day. \"}}";
    let rig = Rig::paused(abc().others(Step::status(429, &[], day)), &[]).await;
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "account_rate_limited");
    let list = "\u{feff}{\"models\":[{\"id\":\"m:free\",\"rank\":1}]}";
    let rig = Rig::paused(abc().list(Step::status(200, &[], list)), &[]).await;
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "m");
}

#[tokio::test(start_paused = true)]
async fn s4_4_an_error_that_comes_bare_under_the_name_of_a_stream_is_read() {
    let day = r#"{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day. "}}"#;
    let rig = Rig::paused(abc().others(pieces(STREAM, [day])), &[]).await;
    rig.chat(&Rig::hello_stream())
        .await
        .is_error(503, "account_rate_limited");
    assert_eq!(rig.asked(), "a");
}
