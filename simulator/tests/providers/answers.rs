//! The form of good answers.

use serde_json::json;
use simulator::{Answer, Odd, Script, Step};

use super::rig::{Rig, model_of};

#[tokio::test]
async fn s10_6_answers_have_their_providers_form() {
    let thinking = || Answer {
        reasoning: Some("Hm".to_owned()),
        ..Answer::text("Hi")
    };
    let odd = |odd: Odd| {
        Step::from(Answer {
            odd: vec![odd],
            ..thinking()
        })
    };
    let call = |odd: Odd| {
        Step::from(Answer {
            odd: vec![odd],
            tool_calls: vec![simulator::ToolCall::new("f", json!({"a": 1}))],
            ..Answer::default()
        })
    };
    let rig = Rig::start(Script::new()).await;
    let plain = json!({});
    let stream = json!({"stream": true});
    let with_usage = json!({"stream": true, "stream_options": {"include_usage": true}});
    #[rustfmt::skip]
    let rows = [
        // provider, what is said, the request, what is there, what is not
        ("groq",       Step::from(thinking()), &plain,      r#""reasoning":"Hm""#,                          r#""provider""#),
        ("groq",       Step::from(thinking()), &stream,     r#""x_groq":{"id":"req_"#,                      r#""native_finish_reason""#),
        ("groq",       Step::from(thinking()), &stream,     r#","usage":{"prompt_tokens":"#,                r#""cost""#),
        ("nvidia",     Step::from(thinking()), &plain,      r#""reasoning_content":"Hm""#,                  r#""reasoning":"#),
        ("nvidia",     Step::from(thinking()), &stream,     r#""reasoning_content":"#,                      r#""usage""#),
        ("nvidia",     Step::from(thinking()), &with_usage, r#""choices":[],"usage":{"#,                    r#""cost""#),
        ("zai",        Step::from(thinking()), &plain,      r#""reasoning_content":"Hm""#,                  "reasoning_details"),
        ("mistral",    Step::from(thinking()), &plain,      r#"[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},{"type":"text","text":"Hi"}]"#, r#""reasoning""#),
        ("mistral",    Step::from(thinking()), &stream,     r#""content":[{"type":"thinking""#,             r#""reasoning""#),
        ("gemini",     call(Odd::NoCallIndex), &plain,      r#""extra_content":{"google":{"thought_signature":"sim-"#, r#""index":0,"id""#),
        ("gemini",     call(Odd::NoCallIndex), &stream,     r#""arguments":"{\"a\":1}""#,                   r#""tool_calls":[{"index""#),
        ("ovh",        odd(Odd::ThinkTags),    &plain,      r#""content":"<think>\nHm\n</think>\n\nHi""#,   "reasoning"),
        ("ovh",        odd(Odd::NoFinish),     &plain,      r#""content":"Hi""#,                            "finish_reason"),
        ("ovh",        odd(Odd::EmptyFinish),  &plain,      r#""finish_reason":"""#,                        "stop"),
        ("ovh",        odd(Odd::NoDone),       &stream,     r#""finish_reason":"stop""#,                    "[DONE]"),
        ("ovh",        odd(Odd::NoIndex),      &plain,      r#""content":"Hi""#,                            r#""index""#),
        ("ovh",        odd(Odd::NoId),         &plain,      r#""content":"Hi""#,                            r#""id""#),
        ("ovh",        call(Odd::NoCallId),    &plain,      r#""name":"f""#,                                r#""id":"call"#),
        ("ovh",        call(Odd::NoCallType),  &plain,      r#""name":"f""#,                                r#""type":"function""#),
        ("ovh",        call(Odd::ObjectArguments), &plain,  r#""arguments":{"a":1}"#,                       r#""arguments":"{"#),
        ("cloudflare", Step::ok("x".repeat(5000)), &plain,  r#""finish_reason":"length""#,                  "stop"),
    ];
    for (provider, step, request, there, not_there) in rows {
        let model = model_of(provider);
        rig.providers.simulator.set_offer(provider, model, step);
        let text = rig.chat(provider, model, request.clone()).await.text;
        assert!(text.contains(there), "{provider} {there}: {text}");
        assert!(
            not_there.is_empty() || !text.contains(not_there),
            "{provider} {not_there}: {text}"
        );
    }
    let got = rig
        .chat(
            "cloudflare",
            "@cf/openai/gpt-oss-120b",
            json!({"max_tokens": 8192}),
        )
        .await;
    assert_eq!(got.json()["choices"][0]["finish_reason"], "stop");
}
