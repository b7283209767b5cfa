//! §4.5: what concerns the model, the request or the key, and what follows from each.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Failure, Script, Step};
use tokio::time::sleep;

use crate::rig::{Rig, abc, ranking};
use crate::scripts::{JSON, STREAM, pieces, ranking_with};

/// Until the next read of the list, `MODELS_REFRESH_SEC` being an hour.
pub const NEXT_LIST: u64 = 3600;
pub const HARNESS: u64 = 6 * 3600;
pub const GENERIC: u64 = 60;

/// A refusal, the contexts of the models, which refuse like this, which are asked, the client's
/// status.
type TooLong<'a> = (Step, [Value; 5], &'a [&'a str], &'a str, u16);
pub type Settings<'a> = &'a [(&'a str, &'a str)];

pub fn error(status: u16, message: &str, metadata: Value) -> Step {
    let error = json!({"message": message, "code": status, "metadata": metadata});
    Step::status(status, &[], json!({"error": error, "user_id": "user_x"}))
}

/// The same error inside a 200, plain or as the first event of a stream.
pub fn inside(step: &Step, model: &str) -> Option<[Step; 2]> {
    let Step::Status(status) = step else {
        return None;
    };
    let body = status.body.to_string().replace("%MODEL%", model);
    body.contains("\"code\"").then(|| {
        [
            pieces(JSON, [body.clone()]),
            pieces(STREAM, [format!("data: {body}\n\n")]),
        ]
    })
}

pub fn with(changes: Value) -> Value {
    let mut body = Rig::hello();
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

pub fn tools() -> Value {
    with(json!({"tools": [{"type": "function", "function": {"name": "f"}}]}))
}

pub fn forced() -> Value {
    with(
        json!({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}),
    )
}

pub fn image() -> Value {
    json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]}]})
}

pub fn streamed(body: &Value) -> Value {
    let mut body = body.clone();
    body["stream"] = true.into();
    body
}

#[tokio::test(start_paused = true)]
async fn s4_5_what_is_the_models_rests_it_as_long_as_its_cause_says_and_leads_to_the_next() {
    let none = json!({});
    #[rustfmt::skip]
    let rows: Vec<(Step, u16, u64)> = vec![
        // what `a` answers                                              status  `a` rests, s
        (Failure::NoEndpoints.into(),                                    404,    NEXT_LIST),
        (Failure::NotFreeAnymore.into(),                                 404,    NEXT_LIST),
        (Failure::AvailabilityFreeEnded.into(),                          404,    NEXT_LIST),
        (Failure::InvalidModel.into(),                                   400,    NEXT_LIST),
        (Failure::AvailabilityModelNotFound.into(),                      400,    NEXT_LIST),
        (error(400, "a:free is not a valid model ID", json!({"error_type": "invalid_request"})), 400, NEXT_LIST),
        (error(404, "No endpoints found for a:free.", none.clone()),     404,    NEXT_LIST),
        (Failure::Harness.into(),                                        403,    HARNESS),
        (error(403, "a:free is only available on agentic harnesses.", none.clone()), 403, HARNESS),
        (error(403, "x", json!({"failed_routing_step": "Gate Free Endpoints by Agentic Harness"})), 403, HARNESS),
        (Failure::TimedOut.into(),                                       408,    GENERIC),
        (Step::status(408, &[("Retry-After", "7")], ""),                 408,    GENERIC),
        (Failure::NotFound.into(),                                       404,    GENERIC),
        (Step::status(404, &[], ""),                                     404,    GENERIC),
        (Step::status(404, &[], "<html>Not here</html>"),                404,    GENERIC),
        (error(404, "Something new", none.clone()),                      404,    GENERIC),
        (Failure::ReasoningMandatory.into(),                             400,    0),
        (error(400, "Reasoning is mandatory for this endpoint and cannot be disabled.", json!({"error_type": "invalid_request"})), 400, 0),
        (error(400, "Provider returned error", json!({"error_type": "invalid_request", "raw": "bad schema", "provider_name": "SomeHost"})), 400, 0),
        (Failure::ProviderRefused.into(),                                400,    0),
        (Failure::NoParameters.into(),                                   404,    0),
        (Failure::DataPolicy.into(),                                     404,    0),
        (Failure::DataPolicyOld.into(),                                  404,    0),
        (Failure::Guardrails.into(),                                     404,    0),
        (Failure::GuardrailsCount.into(),                                404,    0),
        (Failure::AllowedProviders.into(),                               404,    0),
        (Failure::NoToolUse.into(),                                      404,    0),
        (Failure::NoToolChoice.into(),                                   404,    0),
        (Failure::NoImageInput.into(),                                   404,    0),
        (Failure::Region.into(),                                         403,    0),
        (error(403, "a:free may not be used here", none),                403,    0),
    ];
    // The list is read once more within six hours, and that keeps this rest.
    let rig = Rig::paused(abc(), &[]).await;
    for (step, status, rest) in rows {
        let shapes = inside(&step, "a:free");
        let [plain, event] = shapes.unwrap_or([step.clone(), step.clone()]);
        for (step, body) in [
            (step.clone(), Rig::hello()),
            (step, Rig::hello_stream()),
            (plain, Rig::hello()),
            (event, Rig::hello_stream()),
        ] {
            let why = format!("{step:?} {body}");
            rig.anew(abc().model("a:free", step)).await;
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{why}: {answer:?}");
            assert_eq!(rig.asked(), "a b", "{why}");
            assert_eq!(
                rig.attempts(&answer),
                format!("a upstream_error {status}, b success"),
                "{why}"
            );
            assert_eq!(answer.header("x-free-llm-proxy-model"), "b:free", "{why}");
            rig.simulator.set_model("a:free", Step::fitting());
            // A second is left for what the refresh of `anew` and this request took.
            for before in [0, rest.saturating_sub(2)] {
                sleep(Duration::from_secs(before)).await;
                rig.chat(&body).await;
                assert_eq!(
                    rig.asked(),
                    if rest == 0 { "a" } else { "b" },
                    "{before} s: {why}"
                );
            }
            sleep(Duration::from_secs(4)).await;
            rig.chat(&body).await;
            assert_eq!(rig.asked(), "a", "after {rest} s: {why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_the_next_list_wakes_what_was_to_rest_until_then_and_nothing_else() {
    let ids = ["a:free", "b:free", "c:free", "d:free", "e:free", "f:free"];
    let script = Script::new()
        .list(ranking(&ids))
        .model("a:free", Step::from(Failure::NoEndpoints))
        .model("b:free", Step::from(Failure::NotFreeAnymore))
        .model("c:free", Step::from(Failure::InvalidModel))
        .model("d:free", Step::status(429, &[("Retry-After", "5000")], ""))
        .model("e:free", Step::from(Failure::Harness));
    let settings = [
        ("MODELS_REFRESH_SEC", "1000"),
        ("MAX_FALLBACK_ATTEMPTS", "6"),
    ];
    let rig = Rig::paused(script, &settings).await;
    let start = tokio::time::Instant::now();
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "a b c d e f");
    #[rustfmt::skip]
    let rows = [
        // at, s   asked
        (10,       "f"),
        (990,      "f"),
        (1010,     "a b c f"),
        (1020,     "f"),
        (2010,     "a b c f"),
        (4990,     "a b c f"),
        (5011,     "a b c d f"),
        (5012,     "f"),
        (21_610,   "a b c d e f"),
    ];
    for (at, asked) in rows {
        tokio::time::sleep_until(start + Duration::from_secs(at)).await;
        rig.chat(&Rig::hello()).await;
        assert_eq!(rig.asked(), asked, "at {at} s");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_what_a_model_was_found_to_lack_is_remembered_until_the_next_list() {
    #[rustfmt::skip]
    let rows: [(Step, Value, &[Value]); 5] = [
        // `a` says                                  to           and is asked as before for
        (Failure::NoToolUse.into(),                  tools(),     &[Rig::hello(), image(), with(json!({"seed": 1}))]),
        (Failure::NoToolChoice.into(),               forced(),    &[Rig::hello(), tools(), image()]),
        (Failure::NoImageInput.into(),               image(),     &[Rig::hello(), tools(), forced()]),
        (error(400, "No endpoints found that support tool use.", json!({})), tools(), &[Rig::hello()]),
        (error(400, "No endpoints found that support image input", json!({"error_type": "invalid_request"})), image(), &[Rig::hello()]),
    ];
    // No catalogue, so that whether they take images is unknown.
    let blind = |script: Script| script.catalogue(Step::status(500, &[], ""));
    for (step, body, others) in rows {
        for body in [body.clone(), streamed(&body)] {
            let why = format!("{step:?} {body}");
            let script = blind(abc()).model("a:free", step.clone());
            let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", "1000")]).await;
            assert_eq!(rig.chat(&body).await.status, 200, "{why}");
            assert_eq!(rig.asked(), "a b", "{why}");
            rig.simulator.set_model("a:free", Step::fitting());
            for seconds in [0, 500, 490] {
                sleep(Duration::from_secs(seconds)).await;
                rig.chat(&body).await;
                assert_eq!(rig.asked(), "b", "no attempt is spent on it: {why}");
                for other in others {
                    rig.chat(other).await;
                    assert_eq!(rig.asked(), "a", "{other}: {why}");
                }
            }
            sleep(Duration::from_secs(20)).await;
            rig.chat(&body).await;
            assert_eq!(rig.asked(), "a", "a new list: {why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_admin_refresh_forgets_what_was_learnt_of_models() {
    let rig = Rig::paused(abc().model("a:free", Step::from(Failure::NoToolUse)), &[]).await;
    rig.chat(&tools()).await;
    rig.chat(&tools()).await;
    assert_eq!(rig.asked(), "a b b");
    rig.simulator.set_list(Step::status(500, &[], ""));
    rig.post("/admin/refresh", &Value::Null)
        .await
        .is_error(502, "refresh_failed");
    rig.chat(&tools()).await;
    assert_eq!(rig.asked(), "b", "a failed read forgets nothing");
    rig.anew(abc()).await;
    rig.chat(&tools()).await;
    assert_eq!(rig.asked(), "a");
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_prompt_too_long_for_one_is_tried_on_larger_ones_only() {
    let contexts = |contexts: [Value; 5]| {
        ranking_with(
            &["a:free", "b:free", "c:free", "d:free", "e:free"],
            |list| {
                for (at, context) in contexts.into_iter().enumerate() {
                    list["models"][at]["contextLength"] = context;
                }
            },
        )
    };
    let k = |n: u64| json!(n * 1000);
    let too_long = || Step::from(Failure::ContextLength);
    let words = || Step::from(Failure::ContextLengthWords);
    let typed = || {
        error(
            400,
            "The prompt does not fit.",
            json!({"error_type": "context_length_exceeded"}),
        )
    };
    let invalid = || {
        error(
            400,
            "This model's maximum context length is 8192 tokens.",
            json!({"error_type": "invalid_request"}),
        )
    };
    #[rustfmt::skip]
    let rows: [TooLong<'_>; 12] = [
        // the refusal   contexts of a..e                          refusing      asked       status
        (too_long(), [k(32), k(32), k(16), k(64), k(128)],          &["a"],       "a d",      200),
        (words(),    [k(32), k(32), k(16), k(64), k(128)],          &["a", "d"],  "a d e",    200),
        (typed(),    [k(32), k(31), k(33), k(64), k(128)],          &["a", "c"],  "a c d",    200),
        // What it names is the window that was too small, whatever the list says of it.
        (invalid(),  [k(32), k(32), k(16), k(64), k(128)],          &["a"],       "a b",      200),
        (invalid(),  [k(32), k(8), k(6), k(64), k(128)],            &["a"],       "a d",      200),
        (too_long(), [k(128), k(64), k(64), k(128), k(1)],          &["a"],       "a",        400),
        (too_long(), [k(32), k(64), k(128), k(128), k(128)],        &["a", "b", "c"], "a b c", 400),
        // An unknown window rules no offer out, and no window rules it out.
        (too_long(), [k(32), Value::Null, k(16), k(64), Value::Null], &["a"],     "a b",      200),
        (too_long(), [k(32), k(16), Value::Null, k(8), k(64)],      &["a"],       "a c",      200),
        (typed(),    [Value::Null, k(16), k(8), k(64), k(1)],       &["a"],       "a b",      200),
        (too_long(), [Value::Null, k(16), k(8), k(64), k(1)],       &["a"],       "a",        400),
        (too_long(), [k(32), k(64), k(128), k(256), k(512)],        &["a", "b", "c", "d", "e"], "a b c d e", 400),
    ];
    for (step, sizes, refusing, asked, status) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let why = format!("{sizes:?} {refusing:?} {body}");
            let script = Script::new()
                .list(contexts(sizes.clone()))
                .catalogue(Step::status(500, &[], ""));
            let script = refusing
                .iter()
                .fold(script, |s, id| s.model(format!("{id}:free"), step.clone()));
            let rig = Rig::paused(script, &[]).await;
            let answer = rig.chat(&body).await;
            assert_eq!(
                (answer.status, rig.asked().as_str()),
                (status, asked),
                "{why}"
            );
            if status == 400 {
                assert!(
                    answer.text().contains("context length"),
                    "{why}: {answer:?}"
                );
                assert!(!answer.text().contains("user_"), "{why}: {answer:?}");
                assert_eq!(answer.header("retry-after"), "", "{why}");
            }
            // Nothing rests for it: a shorter prompt is served as ever.
            let ready = rig.get("/ready").await.json();
            assert_eq!(ready["available"], 5, "{why}");
            rig.simulator.set_model("a:free", Step::fitting());
            rig.chat(&body).await;
            assert_eq!(rig.asked(), "a", "{why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_when_every_candidate_refused_the_client_gets_the_last_refusal_as_it_came() {
    let last = r#"{"error": {"message":"Reasoning is mandatory for this endpoint and cannot be disabled.","code":400,"n":1.0e2}}"#;
    let refused = || Step::status(400, &[], last);
    let tool_use: Step = Failure::NoToolUse.into();
    #[rustfmt::skip]
    let rows: [([Step; 3], Value, u16); 6] = [
        // a, b, c                                                                            asked for     status
        ([refused(), refused(), refused()],                                                   Rig::hello(), 400),
        ([Failure::ProviderRefused.into(), Failure::NoToolUse.into(), refused()],              Rig::hello(), 400),
        ([tool_use.clone(), tool_use.clone(), tool_use.clone()],                               tools(),      404),
        ([Failure::NoImageInput.into(), Failure::NoImageInput.into(), Failure::NoImageInput.into()], image(), 404),
        ([Failure::DataPolicy.into(), Failure::DataPolicy.into(), Failure::DataPolicy.into()], Rig::hello(), 404),
        // One that failed for a reason of its own may succeed later.
        ([refused(), Step::status(500, &[], ""), refused()],                                  Rig::hello(), 503),
    ];
    for (steps, body, status) in rows {
        for body in [body.clone(), streamed(&body)] {
            let why = format!("{steps:?} {body}");
            let ids = ["a:free", "b:free", "c:free"];
            let script = ids
                .iter()
                .zip(&steps)
                .fold(abc(), |s, (id, step)| s.model(*id, step.clone()));
            let script = script.catalogue(Step::status(500, &[], ""));
            let rig = Rig::paused(script, &[]).await;
            let answer = rig.chat(&body).await;
            assert_eq!(
                (answer.status, rig.asked().as_str()),
                (status, "a b c"),
                "{why}: {answer:?}"
            );
            assert_eq!(answer.header("x-free-llm-proxy-attempts"), "3", "{why}");
            assert!(!answer.text().contains("user_"), "{why}: {answer:?}");
            match status {
                400 => assert_eq!(answer.text(), last, "{why}"),
                404 => assert!(
                    answer.text().contains("No endpoints found"),
                    "{why}: {answer:?}"
                ),
                _ => answer.is_error(503, "all_models_unavailable"),
            }
        }
    }
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
