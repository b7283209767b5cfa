//! §6, §4.6: how much of an upstream's answer is accepted before another model is asked.

use crate::rig::{MODELS, Rig, abc};
use serde_json::{Value, json};
use simulator::{Answer, Plan, PlanEnd, Script, Step, Stream, StreamFault};

#[tokio::test(start_paused = true)]
async fn s6_an_answer_beyond_a_limit_leads_to_the_next_model() {
    let (plain, stream): (Asked, Asked) = (Rig::hello, Rig::hello_stream);
    let text = |bytes| Step::from(Answer::text("x".repeat(bytes)));
    let bomb = |bytes| {
        Step::from(Answer {
            gzip: true,
            ..Answer::text(" ".repeat(bytes))
        })
    };
    let beats = |comments| {
        Step::from(Answer {
            comments,
            ..Answer::text("late")
        })
    };
    let broken = |fault, bytes| {
        let mut stream = Stream::new(fault, 0);
        stream.bytes = bytes;
        stream.answer.delay_ms = 1;
        stream.answer.comment_delay_ms = 1;
        Step::from(stream)
    };
    use StreamFault::{BigEvent, CommentsForever, EmptyDeltasForever, EndlessEvent, HugeHeader};
    #[rustfmt::skip]
    let rows: [(&str, &str, &str, Asked, Step, &str); 15] = [
        // what comes               the limit           its value  asked   of a                               served by
        ("a text",                  "MAX_ANSWER_BYTES", "100000",  plain,  text(99_000),                      "a"),
        ("a longer text",           "MAX_ANSWER_BYTES", "100000",  plain,  text(101_000),                     "b"),
        ("packed text",             "MAX_ANSWER_BYTES", "100000",  plain,  bomb(99_000),                      "a"),
        ("more packed text",        "MAX_ANSWER_BYTES", "100000",  plain,  bomb(101_000),                     "b"),
        ("a bomb",                  "MAX_ANSWER_BYTES", "100000",  plain,  bomb(5_000_000),                   "b"),
        ("heartbeats",              "MAX_ANSWER_BYTES", "100000",  plain,  beats(200_000),                    "b"),
        ("an event",                "MAX_EVENT_BYTES",  "10000",   stream, broken(BigEvent, 9_000),           "a"),
        ("a larger event",          "MAX_EVENT_BYTES",  "10000",   stream, broken(BigEvent, 11_000),          "b"),
        ("an endless event",        "MAX_EVENT_BYTES",  "10000",   stream, broken(EndlessEvent, 1_000),       "b"),
        ("a few comments",          "MAX_HELD_BYTES",   "10000",   stream, beats(300),                        "a"),
        ("many comments",           "MAX_HELD_BYTES",   "10000",   stream, beats(500),                        "b"),
        ("endless comments",        "MAX_HELD_BYTES",   "10000",   stream, broken(CommentsForever, 0),        "b"),
        ("endless empty deltas",    "MAX_HELD_BYTES",   "10000",   stream, broken(EmptyDeltasForever, 0),     "b"),
        ("a large error",           "MAX_HELD_BYTES",   "10000",   plain,  Step::status(500, &[], "x".repeat(1_000_000)), "b"),
        ("a huge header",           "MAX_HELD_BYTES",   "10000",   stream, broken(HugeHeader, 2_000_000),     "b"),
    ];
    for (what, limit, value, asked, step, expected) in rows {
        let rig = Rig::paused(abc().model("a:free", step), &[(limit, value)]).await;
        let answer = rig.chat(&asked()).await;
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        let served = answer.header("x-free-llm-proxy-model");
        assert_eq!(served, format!("{expected}:free"), "{what}");
        let first = &rig.done()["attempts"][0];
        let outcome = if expected == "a" {
            "success"
        } else {
            "upstream_error"
        };
        assert_eq!(first["outcome"], outcome, "{what}");
        assert_eq!(
            first["cooldown_until"].is_string(),
            expected != "a",
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s6_an_event_too_large_after_the_commit_ends_the_stream_with_an_error() {
    for fault in [StreamFault::BigEvent, StreamFault::EndlessEvent] {
        let mut stream = Stream::new(fault, 2);
        stream.bytes = 20_000;
        let settings = [("MAX_EVENT_BYTES", "10000")];
        let rig = Rig::paused(abc().model("a:free", Step::from(stream)), &settings).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(answer.status, 200);
        let events = answer.events();
        assert_eq!(
            events.len(),
            4,
            "two of content, the error, the end: {events:?}"
        );
        let error: Value = serde_json::from_str(&events[2]).unwrap();
        assert_eq!(error["error"]["code"], "upstream_error");
        assert_eq!(events[3], "[DONE]");
        assert_eq!(rig.asked(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn s6_a_catalogue_beyond_its_limit_is_as_good_as_none_and_costs_nothing_else() {
    let list = json!({"models": [{"rank": 1, "id": MODELS[0]}]});
    let tools = json!({"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]});
    #[rustfmt::skip]
    let rows = [
        // MAX_CATALOGUE_BYTES   a plain request   one with tools, of which the list says nothing
        ("1000000",              200,              200),
        ("1000",                 200,              400),
    ];
    for (limit, plain, with_tools) in rows {
        let script = Script::new().list(Step::status(200, &[], list.clone()));
        let rig = Rig::paused(script, &[("MAX_CATALOGUE_BYTES", limit)]).await;
        assert_eq!(rig.chat(&Rig::hello()).await.status, plain, "{limit}");
        assert_eq!(rig.chat(&tools).await.status, with_tools, "{limit}");
    }
}

#[tokio::test]
async fn s6_a_stream_larger_than_any_limit_flows_on() {
    let long = Answer {
        chunks: 1_000,
        ..Answer::text("x".repeat(1_000_000))
    };
    let settings = [
        ("MAX_EVENT_BYTES", "10000"),
        ("MAX_ANSWER_BYTES", "10000"),
        ("MAX_HELD_BYTES", "10000"),
    ];
    let plan = Plan::from(Step::from(long)).then(PlanEnd::Last);
    let rig = Rig::with(abc().model("a:free", plan), &settings).await;
    let answer = rig.chat(&Rig::hello_stream()).await;
    assert_eq!(answer.content().len(), 1_000_000);
    assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"));
}

/// A plain request, or one for a stream.
type Asked = fn() -> Value;
