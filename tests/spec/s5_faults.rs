//! §5: where failover ends, and how a broken stream ends.

use serde_json::{Value, json};
use simulator::{Point, Step, Stream, StreamFault};

use crate::rig::{Rig, abc};
use crate::s5_streaming::outline;
use crate::scripts::{STREAM, pieces, rest_of};

/// What `b` says unless a test sets it.
const B: &str = "Hello! This is b:free, played by the simulator.";

#[tokio::test(start_paused = true)]
async fn s5_before_the_first_useful_event_every_fault_leads_to_the_next_model() {
    use StreamFault as F;
    #[rustfmt::skip]
    let rows: [(F, &str); 33] = [
        // fault of a's stream     who answers
        (F::Error,                 "b"),
        (F::ErrorDone,             "b"),
        (F::CommentsThenEnd,       "b"),
        (F::CommentsForever,       "b"),
        (F::EmptyDeltasForever,    "b"),
        (F::Stall,                 "b"),
        (F::Cut,                   "b"),
        (F::Close,                 "b"),
        (F::Reset,                 "b"),
        (F::HalfEvent,             "b"),
        (F::HalfEventEnd,          "b"),
        (F::NoDone,                "a"),
        (F::NoFinish,              "a"),
        (F::DoneOnly,              "b"),
        (F::FinishOnly,            "b"),
        (F::FinishError,           "b"),
        (F::ContentAfterDone,      "a"),
        (F::Garbage,               "b"),
        (F::InvalidUtf8,           "b"),
        (F::Crlf,                  "a"),
        (F::NoSpace,               "a"),
        (F::Fields,                "a"),
        (F::SplitCharacter,        "a"),
        (F::SplitBytes,            "a"),
        (F::BigEvent,              "a"),
        (F::EndlessEvent,          "b"),
        (F::Empty,                 "b"),
        (F::Plain,                 "a"),
        (F::Html,                  "b"),
        (F::BadChunk,              "b"),
        (F::ShortChunk,            "b"),
        (F::Http10,                "a"),
        (F::HugeHeader,            "b"),
    ];
    assert_eq!(
        rows.len() + 1,
        F::ALL.len(),
        "all but one, whose content never ends"
    );
    let settings = [
        ("STREAM_KEEPALIVE_SEC", "0"),
        ("MAX_EVENT_BYTES", "2000000"),
    ];
    let rig = Rig::paused(abc(), &settings).await;
    for (fault, who) in rows {
        for comments in [0, 3] {
            let mut stream = Stream::new(fault, 0);
            stream.answer.comments = comments;
            rig.anew(abc().model("a:free", Step::from(stream))).await;
            let answer = rig.chat(&Rig::hello_stream()).await;
            let why = format!("{fault:?} {}", answer.text());
            assert_eq!(
                (
                    answer.status,
                    answer.text().matches("data: [DONE]").count()
                        + answer.text().matches("data:[DONE]").count()
                ),
                (200, 1),
                "{why}"
            );
            assert!(!answer.text().contains("\"error\""), "{why}");
            assert_eq!(
                answer.header("x-free-llm-proxy-model"),
                format!("{who}:free"),
                "{why}"
            );
            if who == "a" {
                assert_eq!(rig.attempts(&answer), "a success", "{why}");
                assert!(!answer.content().contains("Hello"), "{why}");
                continue;
            }
            assert_eq!(answer.header("x-free-llm-proxy-attempts"), "2", "{why}");
            assert_eq!(answer.content(), B, "nothing of a's: {why}");
            assert!(
                !answer.text().contains("a:free") && !answer.text().contains("PROCESSING"),
                "nothing of a's: {why}"
            );
            // And `a` rests for it, unless it just had nothing to say.
            rig.simulator.clear_requests();
            rig.chat(&Rig::hello_stream()).await;
            let asked = if fault == F::FinishOnly { "a b" } else { "b" };
            assert_eq!(rig.asked(), asked, "{why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s5_after_it_a_fault_is_one_error_frame_and_one_done() {
    use StreamFault as F;
    let told = |code: Value| json!({"code": code, "message": "the upstream's own words", "metadata": {"retry_after_seconds": 7}});
    #[rustfmt::skip]
    let rows = [
        // fault             its error object     code              message                        rests, s
        (F::Error,           None,                "upstream_error", "Provider disconnected",       60),
        (F::ErrorDone,       None,                "upstream_error", "Provider disconnected",       60),
        (F::Error,           Some(told(json!(429))), "rate_limited", "the upstream's own words",   7),
        (F::Error,           Some(told(json!("429"))), "rate_limited", "the upstream's own words", 7),
        (F::Error,           Some(told(json!(503))), "upstream_error", "the upstream's own words", 7),
        (F::Error,           Some(told(json!(502))), "upstream_error", "the upstream's own words", 60),
        (F::Error,           Some(told(json!("server_error"))), "upstream_error", "the upstream's own words", 60),
        (F::Error,           Some(json!("just a text")), "upstream_error", "just a text",          60),
        (F::Error,           Some(json!({"code": 429})), "rate_limited", "",                       300),
        (F::Error,           Some(json!({"message": "two\nlines \"quoted\" é"})), "upstream_error", "two\nlines \"quoted\" é", 60),
        (F::FinishError,     None,                "upstream_error", "",                            60),
        (F::Stall,           None,                "upstream_error", "",                            60),
        (F::Cut,             None,                "upstream_error", "",                            60),
        (F::Close,           None,                "upstream_error", "",                            60),
        (F::Reset,           None,                "upstream_error", "",                            60),
        (F::HalfEvent,       None,                "upstream_error", "",                            60),
        (F::HalfEventEnd,    None,                "upstream_error", "",                            60),
        (F::Garbage,         None,                "upstream_error", "",                            60),
        (F::InvalidUtf8,     None,                "upstream_error", "",                            60),
        (F::EndlessEvent,    None,                "upstream_error", "",                            60),
        (F::BadChunk,        None,                "upstream_error", "",                            60),
        (F::ShortChunk,      None,                "upstream_error", "",                            60),
    ];
    let settings = [("MAX_EVENT_BYTES", "2000000"), ("MODEL_FIELD", "pin")];
    let rig = Rig::paused(abc(), &settings).await;
    for (fault, error, code, message, rests) in rows {
        let why = format!("{fault:?} {error:?}");
        let stream = Stream {
            error,
            ..Stream::new(fault, 2)
        };
        rig.anew(abc().model("a:free", Step::from(stream))).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            (answer.status, rig.asked().as_str()),
            (200, "a"),
            "never a second model: {why}"
        );
        let mut events = answer.events();
        // The chunk that is too short has a whole event in it.
        events.retain(|event| event != "{}");
        assert_eq!(events.len(), 4, "{why}: {events:?}");
        assert!(
            events[0].contains("one two") && events[1].contains("\"content\""),
            "{why}: {events:?}"
        );
        let frame: Value = serde_json::from_str(&events[2]).unwrap();
        let words = frame["error"]["message"].as_str().unwrap();
        let expected = json!({"error": {"message": words, "code": code, "type": "upstream_error", "param": null}});
        assert_eq!(frame, expected, "{why}");
        if message.is_empty() {
            assert!(
                !words.is_empty() && !words.contains("the upstream's own words"),
                "{why}: {words}"
            );
        } else {
            assert_eq!(words, message, "{why}");
        }
        assert_eq!(events[3], "[DONE]", "{why}");
        assert!(answer.text().ends_with("\n\ndata: [DONE]\n\n"), "{why}");
        assert_eq!(rest_of(&rig, "a:free").await, rests.to_string(), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s5_whatever_the_error_the_frames_code_is_one_of_two() {
    let rig = Rig::paused(abc(), &[]).await;
    for code in [400, 401, 402, 403, 404, 408, 413, 422, 500, 502, 503, 529] {
        let error = Some(json!({"code": code, "message": "m"}));
        let stream = Stream {
            error,
            ..Stream::new(StreamFault::Error, 1)
        };
        rig.anew(abc().model("a:free", Step::from(stream))).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(outline(&answer), "text error:upstream_error DONE", "{code}");
        assert_eq!(rig.asked(), "a", "never a second model");
        assert_eq!(rig.line(&answer)["level"], "WARNING", "{code}");
    }
}

#[tokio::test]
async fn s5_over_real_sockets_a_broken_stream_is_one_error_frame_and_one_done_too() {
    use StreamFault as F;
    let rig = Rig::start(abc()).await;
    for fault in [F::Close, F::Reset, F::HalfEvent, F::BadChunk, F::Cut] {
        rig.anew(abc().model("a:free", Step::stream(fault, 2)))
            .await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            outline(&answer),
            "text text error:upstream_error DONE",
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s5_where_a_stream_may_end() {
    let text = |n: u8| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{n}\"}}}}]}}\n\n");
    let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n";
    let done = "data: [DONE]\n\n";
    #[rustfmt::skip]
    let rows = [
        // the upstream sends                       the client gets                       how it ended
        (vec![text(1), finish.into(), done.into()],                "text finish DONE",             "success"),
        (vec![text(1), finish.into(), usage.into(), done.into()],  "text finish other DONE",       "success"),
        (vec![text(1), finish.into()],                             "text finish DONE",             "success"),
        (vec![text(1), finish.into(), usage.into()],               "text finish other DONE",       "success"),
        (vec![text(1), finish.into(), ": bye\n\n".into()],         "text finish DONE",             "success"),
        (vec![text(1), done.into()],                               "text DONE",                    "success"),
        (vec![text(1), "data: [DONE]".into()],                     "text DONE",                    "success"),
        (vec![text(1), "data: [DONE]\n".into()],                   "text DONE",                    "success"),
        (vec![text(1), done.into(), text(2), done.into()],         "text DONE",                    "success"),
        (vec![text(1), done.into(), "data: {\"error\":{\"code\":502}}\n\n".into()], "text DONE",   "success"),
        (vec![text(1), format!("{done}{}{done}", text(2))],        "text DONE",                    "success"),
        (vec![text(1), finish.into(), text(2), done.into()],       "text finish text DONE",        "success"),
        (vec![text(1), text(2)],                                   "text text error:upstream_error DONE", "upstream_error"),
        (vec![text(1), usage.into()],                              "text other error:upstream_error DONE", "upstream_error"),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (sent, expected, outcome) in rows {
        rig.anew(abc().model("a:free", pieces(STREAM, &sent))).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(outline(&answer), expected, "{sent:?}");
        let attempts = rig.attempts(&answer);
        assert!(
            attempts.starts_with(&format!("a {outcome}")),
            "{sent:?}: {attempts}"
        );
        // It rests only if it failed.
        rig.simulator.clear_requests();
        rig.chat(&Rig::hello()).await;
        assert_eq!(
            rig.asked().starts_with('a'),
            outcome == "success",
            "{sent:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s5_what_is_useful_commits() {
    // After the event nothing arrives: having committed, the proxy has to stay with `a`.
    #[rustfmt::skip]
    let rows = [
        (r#"{"choices":[{"delta":{"content":"x"}}]}"#,                                        "a"),
        (r#"{"choices":[{"delta":{"content":"","reasoning":"x"}}]}"#,                         "a"),
        (r#"{"choices":[{"delta":{"reasoning_content":"x"}}]}"#,                              "a"),
        (r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}}]}"#, "a"),
        (r#"{"choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"id":"1","function":{"name":"f"}}]}}]}"#, "a"),
        (r#"{"choices":[{"delta":{"refusal":"No."}}]}"#,                                      "a"),
        (r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,                            "a"),
        (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,                              "b"),
        (r#"{"choices":[{"delta":{"content":" "}}]}"#,                                        "a"),
        (r#"{"choices":[{"delta":{"role":"assistant"}}]}"#,                                   "b"),
        (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,                      "b"),
        (r#"{"choices":[{"delta":{"content":null,"refusal":null,"tool_calls":[]}}]}"#,        "b"),
        (r#"{"choices":[{"delta":{},"finish_reason":null}]}"#,                                "b"),
        (r#"{"choices":[{"delta":{"content":""},"finish_reason":""}]}"#,                      "b"),
        (r#"{"choices":[]}"#,                                                                 "b"),
        (r#"{"choices":[],"usage":{"total_tokens":3}}"#,                                      "b"),
        (r#"{"id":"gen-1"}"#,                                                                 "b"),
        (r#"{}"#,                                                                             "b"),
    ];
    let rig = Rig::paused(abc(), &[("STREAM_KEEPALIVE_SEC", "0")]).await;
    for (event, who) in rows {
        rig.anew(abc().model("a:free", pieces(STREAM, [format!("data: {event}\n\n")])))
            .await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            answer.header("x-free-llm-proxy-model"),
            format!("{who}:free"),
            "{event}"
        );
    }
}

#[tokio::test]
async fn s5_before_the_first_byte_a_4xx_keeps_its_status() {
    let error = r#"{"error":{"message":"Invalid argument","code":422}}"#;
    let headers = [("Content-Type", "application/json")];
    let rig = Rig::start(abc().model("a:free", Step::status(422, &headers, error))).await;
    let answer = rig.chat(&Rig::hello_stream()).await;
    assert_eq!((answer.status, answer.text().as_str()), (422, error));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "", "it is no stream");
}

#[tokio::test]
async fn s5_when_every_stream_fails_before_its_first_byte_the_status_tells() {
    let rig = Rig::start(abc().others(Step::stream(StreamFault::Error, 0))).await;
    let answer = rig.chat(&Rig::hello_stream()).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "all_models_unavailable")
    );
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test(start_paused = true)]
async fn s5_a_stall_in_a_plain_answer_is_still_before_the_first_byte() {
    let rig = Rig::paused(abc().model("a:free", Step::Stall(Point::MidBody)), &[]).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(answer.header("x-free-llm-proxy-model"), "b:free");
    assert_eq!(answer.json()["choices"][0]["message"]["content"], B);
}
