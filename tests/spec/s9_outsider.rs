//! What an outsider broke once: rows of several sections, each with the case that found it.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Point, Raw, RawPart, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use crate::rig::{Rig, abc, ranking};
use crate::scripts::{JSON, STALL, STREAM, in_bytes, parts, pieces, rest_of};
use crate::wire::{answers, only};

const GOOD: &str =
    r#"{"choices":[{"message":{"role":"assistant","content":"good"},"finish_reason":"stop"}]}"#;
const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

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

#[tokio::test]
async fn s6_garbage_behind_a_large_answer_gets_the_error_shape_all_the_same() {
    let rig = Rig::start(abc().others(Step::ok("x".repeat(300_000).as_str()))).await;
    let said = rig
        .raw(format!("{}\0\0garbage\r\n\r\n", in_bytes(&Rig::hello())).as_bytes())
        .await;
    let said = answers(said.as_bytes());
    assert_eq!(said[0].status, 200);
    assert!(said.len() == 1 || said[1].status == 400, "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_clients_own_mistake_teaches_nothing_of_a_model() {
    #[rustfmt::skip]
    let rows = [
        "Invalid value for 'tool_choice': expected one of auto, none, required",
        "tools[0]: this endpoint does not support tool use with an empty name",
        "messages[0]: we do not support image input of that format",
    ];
    for message in rows {
        let error = json!({"error": {"code": 400, "message": message}});
        let rig = Rig::paused(abc().model("a:free", Step::status(400, &[], error)), &[]).await;
        let mut body = Rig::hello();
        body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        body["tool_choice"] = json!("required");
        assert_eq!(rig.chat(&body).await.status, 400, "{message}");
        rig.simulator.set_model("a:free", Step::fitting());
        rig.asked();
        assert_eq!(rig.chat(&body).await.status, 200, "{message}");
        assert_eq!(rig.asked(), "a", "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_who_wakes_while_another_is_probed_is_asked() {
    let limited = |seconds: &str| Step::status(429, &[("Retry-After", seconds)], "");
    let script = abc()
        .list(ranking(&["a:free", "b:free"]))
        .model("a:free", vec![limited("1"), STALL])
        .model("b:free", vec![limited("3"), Step::fitting()]);
    let rig = Rig::paused(script, &[]).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 503);
    let begun = Instant::now();
    sleep(Duration::from_millis(1_300)).await;
    let second = async {
        sleep(Duration::from_millis(300)).await;
        let answer = rig.chat(&Rig::hello()).await;
        (
            answer.header("x-free-llm-proxy-model").to_owned(),
            begun.elapsed().as_millis(),
        )
    };
    let request = Rig::hello();
    let (_, (model, took)) = tokio::join!(rig.chat(&request), second);
    assert_eq!(model, "b:free");
    assert!((3_000..3_100).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn s4_7_the_503_of_a_probe_that_hangs_tells_when_another_wakes() {
    let limited = |seconds: &str| Step::status(429, &[("Retry-After", seconds)], "");
    let script = abc()
        .list(ranking(&["a:free", "b:free"]))
        .model("a:free", vec![limited("1"), STALL])
        .model("b:free", limited("100"));
    let rig = Rig::paused(script, &[("REQUEST_BUDGET_SEC", "5")]).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_millis(1_100)).await;
    let waits = async {
        sleep(Duration::from_millis(100)).await;
        rig.chat(&Rig::hello()).await
    };
    let request = Rig::hello();
    let (_, answer) = tokio::join!(rig.chat(&request), waits);
    answer.is_error(503, "all_models_unavailable");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((90..=95).contains(&seconds), "{seconds}");
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
async fn s4_4_a_byte_order_mark_is_no_fault() {
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
async fn s5_a_wait_aloud_that_fails_without_an_attempt_counts_as_a_mid_error() {
    let limited = Step::status(429, &[("Retry-After", "1")], "");
    let script = abc()
        .list(ranking(&["a:free"]))
        .model("a:free", vec![limited, STALL]);
    let settings = [("STREAM_KEEPALIVE_SEC", "1"), ("REQUEST_BUDGET_SEC", "5")];
    let rig = Rig::paused(script, &settings).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_millis(1_100)).await;
    let waits = async {
        sleep(Duration::from_millis(100)).await;
        rig.chat(&Rig::hello_stream()).await
    };
    let request = Rig::hello();
    let (_, answer) = tokio::join!(rig.chat(&request), waits);
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{answer:?}");
    assert_eq!(
        rig.metric("freellm_requests_total{status=\"200/mid_error\"}")
            .await,
        Some(1.0)
    );
    assert_eq!(rig.line(&answer)["event"], "request_rejected");
}

#[tokio::test(start_paused = true)]
async fn s5_events_without_data_are_for_nobody_and_comments_pass() {
    #[rustfmt::skip]
    let rows = [
        // behind a comment and an event      passes
        (": c\n\n",                           true),
        (": c\n: d\n\n",                      true),
        ("data:\n\n",                         false),
        ("data:   \n\n",                      false),
        ("data: \ndata:\n\n",                 false),
        ("event: ping\n\n",                   false),
        ("event: ping\ndata:\n\n",            false),
        ("id: 7\n\n",                         false),
        ("retry: 100\n\n",                    false),
        (": c\nid: 7\n\n",                    false),
    ];
    for (piece, passes) in rows {
        let sent = [piece, CONTENT, piece, FINISH, "data: [DONE]\n\n"];
        let rig = Rig::paused(abc().model("a:free", pieces(STREAM, sent)), &[]).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        let kept = if passes { piece } else { "" };
        let expected = [kept, CONTENT, kept, FINISH, "data: [DONE]\n\n"].concat();
        assert_eq!(answer.text(), expected, "{piece:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_leaves_a_large_next_request_behind_is_noticed_too() {
    let rig = Rig::paused(
        abc().model("a:free", STALL),
        &[("UPSTREAM_TIMEOUT_SEC", "600")],
    )
    .await;
    let mut next = Rig::hello();
    next["user"] = "x".repeat(100_000).into();
    let sent = in_bytes(&Rig::hello()) + &in_bytes(&next);
    let mut client = rig.pipe();
    let write = client.write_all(sent.as_bytes());
    timeout(Duration::from_secs(5), write)
        .await
        .expect("it is read ahead")
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(client);
    let dropped = rig
        .simulator
        .until(|s| s.requests().last().is_some_and(|seen| seen.closed_early));
    timeout(Duration::from_secs(1), dropped)
        .await
        .expect("noticed within a second");
}

#[tokio::test(start_paused = true)]
async fn s5_half_an_event_behind_a_finish_reason_takes_nothing_from_the_answer() {
    let half = "data: {\"usage\":{\"prompt_to";
    let rig = Rig::paused(
        abc().model("a:free", pieces(STREAM, [CONTENT, FINISH, half])),
        &[],
    )
    .await;
    let answer = rig.chat(&Rig::hello_stream()).await;
    assert_eq!(
        answer.text(),
        [CONTENT, FINISH, "data: [DONE]\n\n"].concat()
    );
    assert_eq!(rig.attempts(&answer), "a success");
}

#[tokio::test]
async fn s8_a_stream_that_had_finished_is_no_error_at_the_end_of_the_drain() {
    let mut raw: Raw = parts(STREAM, [CONTENT, FINISH]);
    raw.send.pop();
    raw.send.push(RawPart::SleepMs(60_000));
    let rig = Rig::with(
        abc().model("a:free", Step::Raw(raw)),
        &[("DRAIN_TIMEOUT_SEC", "0.1")],
    )
    .await;
    let stopping = async {
        rig.simulator.until(|s| !s.models_asked().is_empty()).await;
        sleep(Duration::from_millis(100)).await;
        rig.stop();
    };
    let request = Rig::hello_stream();
    let (answer, ()) = tokio::join!(rig.chat(&request), stopping);
    assert_eq!(
        answer.text(),
        [CONTENT, FINISH, "data: [DONE]\n\n"].concat()
    );
    assert_eq!(rig.attempts(&answer), "a success");
}

#[tokio::test]
async fn s8_a_refresh_that_the_end_of_the_drain_cuts_is_told() {
    let script = abc().list(vec![
        ranking(&["a:free"]),
        Step::Stall(Point::BeforeHeaders),
    ]);
    let rig = Rig::with(script, &[("DRAIN_TIMEOUT_SEC", "0.1")]).await;
    let stopping = async {
        sleep(Duration::from_millis(50)).await;
        rig.stop();
    };
    let (answer, ()) = tokio::join!(rig.post("/admin/refresh", &Value::Null), stopping);
    answer.is_error(503, "shutting_down");
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

#[tokio::test(start_paused = true)]
async fn s4_4_an_error_that_comes_bare_under_the_name_of_a_stream_is_read() {
    let day = r#"{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day. "}}"#;
    let rig = Rig::paused(abc().others(pieces(STREAM, [day])), &[]).await;
    rig.chat(&Rig::hello_stream())
        .await
        .is_error(503, "account_rate_limited");
    assert_eq!(rig.asked(), "a");
}

#[tokio::test(start_paused = true)]
async fn s4_6_a_flood_of_comments_is_no_progress() {
    let comments = std::iter::repeat_n(": OPENROUTER PROCESSING\n\n", 30_000);
    let flood = pieces(STREAM, std::iter::once(CONTENT).chain(comments));
    let settings = [("STREAM_IDLE_TIMEOUT_SEC", "5")];
    let rig = Rig::paused(abc().model("a:free", flood), &settings).await;
    let mut client = rig.pipe();
    client
        .write_all(in_bytes(&Rig::hello_stream()).as_bytes())
        .await
        .unwrap();
    let begun = Instant::now();
    let mut said = Vec::new();
    let mut piece = [0; 2000];
    while !said.ends_with(b"0\r\n\r\n") {
        let count = client.read(&mut piece).await.unwrap();
        assert_ne!(count, 0);
        said.extend_from_slice(&piece[..count]);
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "it goes on and on"
        );
    }
    assert!(String::from_utf8_lossy(&said).contains("fell silent"));
}
