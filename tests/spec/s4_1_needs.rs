//! §4.1: which models can serve a request, through the wire.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Script, Step};

use crate::rig::{Rig, abc};
use crate::scripts::ranking_with;

#[tokio::test]
async fn s4_1_a_request_goes_to_the_best_model_that_can_do_what_it_needs() {
    let rig = Rig::start(abc()).await;
    #[rustfmt::skip]
    let rows = [
        // the request has                                     the first model lacks          asked
        (r#""tools":[{"type":"function","function":{"name":"f"}}]"#, "supportsTools",         "able"),
        (r#""tools":[]"#,                                      "supportsTools",               "first"),
        (r#""tools":null"#,                                    "supportsTools",               "first"),
        (r#""tool_choice":"required""#,                        "supportsToolChoice",          "able"),
        (r#""tool_choice":{"type":"function","function":{"name":"f"}}"#, "supportsToolChoice", "able"),
        (r#""tool_choice":"auto""#,                            "supportsToolChoice",          "first"),
        (r#""tool_choice":"none""#,                            "supportsToolChoice",          "first"),
        (r#""tool_choice":null"#,                              "supportsToolChoice",          "first"),
        (r#""tools":[{}],"tool_choice":"auto""#,               "supportsToolChoice",          "first"),
        (r#""response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}}"#, "supportsStructuredOutputs", "able"),
        (r#""response_format":{"type":"json_schema"}"#,        "supportsResponseFormat",      "first"),
        (r#""response_format":{"type":"json_object"}"#,        "supportsResponseFormat",      "able"),
        (r#""response_format":{"type":"json_object"}"#,        "supportsStructuredOutputs",   "first"),
        (r#""response_format":{"type":"text"}"#,               "supportsResponseFormat",      "first"),
        (r#""response_format":null"#,                          "supportsResponseFormat",      "first"),
        (r#""seed":7"#,                                        "supportsSeed",                "able"),
        (r#""seed":0"#,                                        "supportsSeed",                "able"),
        (r#""seed":null"#,                                     "supportsSeed",                "first"),
        (r#""stop":"END""#,                                    "supportsStop",                "able"),
        (r#""stop":["END"]"#,                                  "supportsStop",                "able"),
        (r#""stop":"""#,                                       "supportsStop",                "first"),
        (r#""stop":[]"#,                                       "supportsStop",                "first"),
        (r#""stop":null"#,                                     "supportsStop",                "first"),
        (r#""reasoning":{"effort":"high"}"#,                   "supportsReasoning",           "able"),
        (r#""reasoning":{"max_tokens":100}"#,                  "supportsReasoning",           "able"),
        (r#""reasoning":{"enabled":true}"#,                    "supportsReasoning",           "able"),
        (r#""reasoning":{"enabled":false}"#,                   "supportsReasoning",           "first"),
        (r#""reasoning":{"effort":"none"}"#,                   "supportsReasoning",           "first"),
        (r#""reasoning":null"#,                                "supportsReasoning",           "first"),
        (r#""reasoning_effort":"low""#,                        "supportsReasoning",           "able"),
        (r#""reasoning_effort":"none""#,                       "supportsReasoning",           "first"),
        (r#""reasoning_effort":null"#,                         "supportsReasoning",           "first"),
        (r#""temperature":0.1,"top_p":1,"max_tokens":5,"parallel_tool_calls":true,"include_reasoning":true"#, "supportsIncludeReasoning", "first"),
        (r#""seed":7,"stop":"END""#,                           "supportsStop",                "able"),
    ];
    for (fields, lacks, asked) in rows {
        rig.anew(Script::new().list(list(&[("first:free", &[lacks]), ("able:free", &[])])))
            .await;
        let body = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}],{fields}}}"#);
        let answer = rig.send("POST", "/v1/chat/completions", &[], body).await;
        assert_eq!(answer.status, 200, "{fields}: {answer:?}");
        assert_eq!(rig.asked(), asked, "{fields}, {lacks}");
    }
}

#[tokio::test]
async fn s4_1_no_capable_model_names_the_needs() {
    let first: Lacks = ("first:free", &["supportsSeed", "supportsReasoning"]);
    let second: Lacks = ("second:free", &["supportsStop", "supportsReasoning"]);
    let rig = Rig::start(Script::new().list(list(&[first, second]))).await;
    let (reasoning, seed, stop) = (r#""reasoning":{}"#, r#""seed":1"#, r#""stop":"x""#);
    #[rustfmt::skip]
    let rows: [(&[&str], &[&str], &[&str]); 4] = [
        // the request has         named              not named
        (&[reasoning],             &["reasoning"],    &["seed", "stop"]),
        (&[reasoning, seed],       &["reasoning"],    &["seed", "stop"]),
        (&[seed, stop],            &["seed", "stop"], &["reasoning", "tools"]),
        (&[seed, stop, reasoning], &["reasoning"],    &["seed", "stop"]),
    ];
    for (fields, named, others) in rows {
        let body = format!(r#"{{"messages":[],{}}}"#, fields.join(","));
        let answer = rig.send("POST", "/v1/chat/completions", &[], body).await;
        assert_eq!((answer.status, rig.asked().as_str()), (400, ""));
        let error = &answer.json()["error"];
        assert_eq!(
            (&error["code"], &error["type"], &error["param"]),
            (
                &json!("no_capable_model"),
                &json!("invalid_request_error"),
                &Value::Null
            )
        );
        assert_eq!(answer.header("retry-after"), "", "waiting will not help");
        assert_eq!(
            answer.header("x-free-llm-proxy-attempts"),
            "",
            "there was none"
        );
        let message = error["message"].as_str().unwrap();
        for word in named {
            assert!(message.contains(word), "{word} in {message}");
        }
        for word in others {
            assert!(!message.contains(word), "no {word} in {message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_1_able_models_that_all_rest_are_a_503_with_the_first_wake() {
    // Only `a` and `b` support a seed; `c` would rest for a shorter time, but is not waited for.
    let script = || {
        let limited = |seconds| Step::status(429, &[("Retry-After", seconds)], "");
        Script::new()
            .list(list(&[
                ("a:free", &[]),
                ("b:free", &[]),
                ("c:free", &["supportsSeed"]),
            ]))
            .model("a:free", limited("90"))
            .model("b:free", limited("30"))
            .model("c:free", limited("5"))
    };
    let rig = Rig::paused(script(), &[]).await;
    let mut seeded = Rig::hello();
    seeded["seed"] = 1.into();
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "a b c");
    #[rustfmt::skip]
    let rows = [
        // seconds later  Retry-After
        (0.0,             "30"),
        (0.5,             "30"),
        (0.5,             "29"),
        (28.1,            "1"),
    ];
    for (later, retry_after) in rows {
        tokio::time::sleep(Duration::from_secs_f64(later)).await;
        let answer = rig.chat(&seeded).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, retry_after)
        );
        let error = &answer.json()["error"];
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!("all_models_unavailable"), &json!("server_error"))
        );
        assert_eq!(
            answer.header("x-free-llm-proxy-attempts"),
            "",
            "there was none"
        );
        assert_eq!(rig.asked(), "");
    }
}

type Lacks<'a> = (&'a str, &'a [&'a str]);

/// A ranking of these models, each with all capabilities except those it lacks.
fn list(models: &[Lacks<'_>]) -> Step {
    let ids: Vec<&str> = models.iter().map(|(id, _)| *id).collect();
    ranking_with(&ids, |list| {
        for (at, (_, lacks)) in models.iter().enumerate() {
            for flag in *lacks {
                list["models"][at][*flag] = false.into();
            }
        }
    })
}
