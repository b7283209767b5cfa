//! §7: what is refused before any attempt, and what leaves no line.

use std::time::Duration;

use serde_json::json;
use simulator::{Script, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::rig::{PROXY_KEY, Rig, abc};
use crate::scripts::{in_bytes, is_utc, same_members};
use crate::wire::chat_head;

#[tokio::test]
async fn s7_what_is_turned_away_before_any_attempt_leaves_a_request_rejected() {
    let unable = json!({"models": [{"id": "a:free", "rank": 1, "supportsSeed": false, "supportsStop": true, "supportsTools": true, "supportsToolChoice": false,
                                     "supportsStructuredOutputs": true, "supportsResponseFormat": true, "supportsReasoning": true}]});
    let unable = Script::new().list(Step::status(200, &[], unable));
    let all = r#""tools":[{"function":{"name":"f"}}],"response_format":{"type":"json_object"},"seed":1,"stop":"x""#;
    let with = |fields: &str| format!(r#"{{"messages":[],{fields}}}"#);
    let pin = [("MODEL_FIELD", "pin")];
    let small = [("MAX_BODY_BYTES", "100")];
    let down = || Step::status(500, &[], "");
    let failing = Script::new().list(down()).catalogue(down());
    #[rustfmt::skip]
    let rows = [
        // upstream        settings     body                                    reason               status  had: tools, format, seed, stop
        (abc(),            &[][..],     "{\"messages\":[".to_owned(),           "invalid_json",      400,    [false; 4]),
        (abc(),            &[],         "".to_owned(),                          "invalid_json",      400,    [false; 4]),
        (abc(),            &[],         "[1]".to_owned(),                       "invalid_request",   400,    [false; 4]),
        (abc(),            &[],         "{}".to_owned(),                        "invalid_request",   400,    [false; 4]),
        (abc(),            &[],         with(r#""stream":"yes""#),              "invalid_request",   400,    [false; 4]),
        (unable.clone(),   &[],         with(all),                              "no_capable_model",  400,    [true; 4]),
        (unable,           &[],         with(r#""seed":1,"stop":[]"#),          "no_capable_model",  400,    [false, false, true, false]),
        (abc(),            &pin,        with(r#""model":"SECRET","stop":"x""#), "model_not_found",   404,    [false, false, false, true]),
        (abc(),            &small,      with(&format!(r#""user":"{}""#, "SECRET".repeat(40))), "request_too_large", 413, [false; 4]),
        (failing,          &[],         with(r#""seed":7"#),                    "not_ready",         503,    [false, false, true, false]),
    ];
    for (script, settings, body, reason, status, had) in rows {
        let has_list = reason != "not_ready";
        let rig = if has_list {
            Rig::with(script, settings).await
        } else {
            Rig::cold(script, settings).await
        };
        let answer = rig
            .send("POST", "/v1/chat/completions", &[], body.clone())
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, reason),
            "{body}"
        );
        let line = rig.line(&answer);
        assert!(is_utc(&line["ts"]), "{line}");
        let models = if has_list {
            rig.app.registry().snapshot().unwrap().offers().len()
        } else {
            0
        };
        let expected = json!({
            "level": "INFO", "event": "request_rejected", "request_id": answer.header("x-request-id"), "reason": reason,
            "had_tools": had[0], "had_response_format": had[1], "had_seed": had[2], "had_stop": had[3],
            "snapshot_size": models,
        });
        assert_eq!(same_members(&line, &expected), expected, "{body}");
        assert_eq!(
            line.get("error").is_some(),
            reason == "invalid_json",
            "{line}"
        );
        assert!(rig.log.of("request_done").is_empty());
        assert!(!rig.log.all().join("").contains("SECRET"), "{line}");
        assert_eq!(
            rig.metric(&format!("freellm_requests_total{{status=\"{status}\"}}"))
                .await,
            Some(1.0)
        );
    }
}

#[tokio::test]
async fn s7_the_error_of_invalid_json_is_a_position() {
    let rig = Rig::start(abc()).await;
    #[rustfmt::skip]
    let rows = [
        // body                                  position
        (r#"{"messages":[],"SECRET" 1}"#,        "24"),
        (r#"{"messages":[],"x":SECRET}"#,        "19"),
        (r#"SECRET"#,                            "0"),
        (r#"{"messages":[{"content":"SECRET"#,   "31"),
        (r#"{"messages":[]} SECRET"#,            "16"),
    ];
    for (body, position) in rows {
        let answer = rig.send("POST", "/v1/chat/completions", &[], body).await;
        let line = rig.line(&answer);
        let error = line["error"].as_str().unwrap();
        assert!(
            error
                .split(|c: char| !c.is_ascii_digit())
                .any(|n| n == position),
            "{body}: {error}"
        );
        assert!(
            !error.contains("SECRET") && !error.contains("messages"),
            "no text: {error}"
        );
        assert!(!answer.text().contains("SECRET"), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s7_when_all_rest_the_request_was_rejected_too() {
    let rig = Rig::paused(abc().others(Step::status(500, &[], "")), &[]).await;
    rig.chat(&Rig::hello()).await;
    let answer = rig.chat(&Rig::hello()).await;
    let line = rig.line(&answer);
    let said = [
        &line["event"],
        &line["level"],
        &line["reason"],
        &line["snapshot_size"],
    ];
    assert_eq!(
        said,
        [
            &json!("request_rejected"),
            &json!("INFO"),
            &json!("all_models_unavailable"),
            &json!(3)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn s7_a_client_that_leaves_within_its_body_leaves_one_line() {
    for head in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let rig = Rig::paused(abc(), &[]).await;
        let mut client = rig.pipe();
        let part = format!("{}5\r\n{{\"mes", chat_head(head));
        client.write_all(part.as_bytes()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        drop(client);
        sleep(Duration::from_secs(1)).await;
        rig.done();
        assert_eq!(rig.asked(), "");
        let count = "freellm_request_duration_seconds_count";
        assert_eq!(rig.metric(count).await, Some(1.0));
    }
}

#[tokio::test]
async fn s7_s8_a_request_that_comes_during_the_drain_is_rejected_with_a_line() {
    let slow = simulator::Answer {
        first_delay_ms: 300,
        ..simulator::Answer::text("slow")
    };
    let rig = Rig::start(abc().model("a:free", Step::from(slow))).await;
    let mut socket = TcpStream::connect(rig.address()).await.unwrap();
    let request = in_bytes(&Rig::hello());
    // The second waits after the first on the same connection.
    socket
        .write_all(&[request.as_bytes(), request.as_bytes()].concat())
        .await
        .unwrap();
    rig.simulator.until(|s| !s.models_asked().is_empty()).await;
    rig.stop();
    let mut said = String::new();
    socket.read_to_string(&mut said).await.unwrap();
    let statuses: Vec<&str> = said
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|answer| answer.get(..3))
        .collect();
    assert_eq!(statuses, ["200", "503"], "{said}");
    assert!(said.contains("shutting_down"), "{said}");
    let rejected = rig.log.of("request_rejected");
    assert_eq!(rejected.len(), 1, "{:#?}", rig.log.all());
    assert_eq!(rejected[0]["reason"], "shutting_down");
}

#[tokio::test]
async fn s7_no_line_for_401_and_404_and_nothing_is_counted() {
    let rig = Rig::start(abc()).await;
    let before = rig.log.all().len();
    #[rustfmt::skip]
    let rows = [
        ("POST", "/v1/chat/completions", "",                 401),
        ("POST", "/v1/chat/completions", "Bearer wrong-one", 401),
        ("GET",  "/v1/models",           "",                 401),
        ("GET",  "/nothing",             "",                 401),
        ("GET",  "/nothing",             "Bearer",           404),
        ("POST", "/v1/embeddings",       "Bearer",           404),
        ("GET",  "/v1/models/no-model",  "Bearer",           404),
    ];
    for (method, path, key, status) in rows {
        let right = format!("Bearer {PROXY_KEY}");
        let key = if key == "Bearer" { right.as_str() } else { key };
        let answer = rig
            .send(
                method,
                path,
                &[("authorization", key)],
                Rig::hello().to_string(),
            )
            .await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    assert_eq!(rig.log.all().len(), before, "{:#?}", rig.log.all());
    assert!(
        !rig.get("/metrics")
            .await
            .text()
            .contains("freellm_requests_total{")
    );
}

#[tokio::test(start_paused = true)]
async fn s7_a_402_that_is_given_again_was_turned_away_before_any_attempt() {
    let credit = json!({"error": {"code": 402, "message": "Insufficient credits"}});
    let rig = Rig::paused(abc().others(Step::status(402, &[], credit)), &[]).await;
    let first = rig.chat(&Rig::hello()).await;
    assert_eq!(rig.line(&first)["event"], "request_done");
    let again = rig.chat(&Rig::hello()).await;
    assert_eq!((first.status, again.status), (402, 402));
    let line = rig.line(&again);
    assert_eq!(
        (&line["event"], &line["reason"]),
        (&json!("request_rejected"), &json!("upstream_402"))
    );
}
