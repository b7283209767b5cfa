//! §4.4: a 200 can be an error.

use serde_json::json;
use simulator::{Failure, RawPart, Step};

use crate::rig::{Rig, UPSTREAM_KEY, abc};
use crate::scripts::{JSON, STREAM, parts, pieces};

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
async fn s4_4_an_error_inside_a_200_that_is_the_requests_fault_goes_to_the_client_with_its_status()
{
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
async fn s4_4_a_heartbeat_before_a_plain_answer_is_no_answer() {
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
    // Heard for 20 s, and then 429: nothing had gone to the client.
    let error = r#"{"error":{"code":429,"message":"x"}}"#;
    let mut raw = parts(JSON, ["\n", "\n", error]);
    raw.send.insert(2, RawPart::SleepMs(20_000));
    rig.anew(abc().model("a:free", Step::Raw(raw))).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(rig.attempts(&answer), "a rate_limited 429, b success");
}
