//! §10.6, §4.1: what is sent to a provider other than OpenRouter, what is reported as left out,
//! and what a refused field teaches.

use free_llm_proxy::model::Capability;
use serde_json::{Value, json};
use simulator::{Answer as Says, Plan, PlanEnd, ProviderScript, Refusal, Script, Status, Step};

use crate::rig::{Rig, abc};

const DROPPED: &str = "x-free-llm-proxy-dropped";
const GROQ: &str = "groq/openai/gpt-oss-120b";
pub const MISTRAL: &str = "mistral/mistral-small-2603";
const GEMINI: &str = "gemini/gemini-3.5-flash";
pub const LOCAL: &str = "local/qwen3:8b";

/// All of these are on, and the request selects one.
const PROVIDERS: [(&str, usize); 5] = [
    ("openrouter", 1),
    ("groq", 1),
    ("mistral", 1),
    ("gemini", 1),
    ("local", 1),
];
const SETTINGS: [(&str, &str); 2] = [("MODEL_FIELD", "pin"), ("STREAM_KEEPALIVE_SEC", "1")];

pub async fn rig(script: Script) -> Rig {
    Rig::with_providers(script, &PROVIDERS, &SETTINGS).await
}

/// The same with a script for this provider.
async fn rig_where(provider: &str, script: ProviderScript) -> Rig {
    rig(abc().provider(provider, script)).await
}

/// A request for this model with these additional fields.
pub fn request(model: &str, more: &Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// What was sent upstream since the last call: the fields of each request besides model and
/// messages.
fn went(rig: &Rig) -> Vec<Value> {
    let bodies = rig.sent_up().into_iter();
    let fields = bodies.map(|body| {
        let mut body: Value = serde_json::from_str(&body).unwrap();
        let all = body.as_object_mut().unwrap();
        all.retain(|name, _| !["model", "messages"].contains(&name.as_str()));
        body
    });
    fields.collect()
}

#[tokio::test]
async fn s10_6_what_is_left_out_is_named_and_the_rest_is_sent_unchanged() {
    let rig = rig(abc()).await;
    let tools = |keywords: &str| {
        let parameters = format!(r#"{{{keywords}"type":"object"}}"#);
        let parameters: Value = serde_json::from_str(&parameters).unwrap();
        json!([{"type": "function", "function": {"name": "f", "parameters": parameters}}])
    };
    #[rustfmt::skip]
    let rows = [
        // asked     the request has                                          goes                                        named
        (GROQ,      json!({"logit_bias": {"1": -1}, "seed": 1}),              json!({"seed": 1}),                         "logit_bias"),
        (GROQ,      json!({"n": 1, "logprobs": false, "store": null}),        json!({}),                                  ""),
        (GROQ,      json!({"x": {"y": 1.0e2}, "stop": ["a"]}),                json!({"x": {"y": 1.0e2}, "stop": ["a"]}),  ""),
        (MISTRAL,   json!({"seed": 7, "max_completion_tokens": 9, "top_k": 5, "user": null, "min_p": 0.1}),
                                                                              json!({"random_seed": 7, "max_tokens": 9}), "top_k, min_p"),
        (GEMINI,    json!({"tools": tools(r#""$schema":"x","#)}),             json!({"tools": tools("")}),                "tools[].$schema"),
        (LOCAL,     json!({"logit_bias": {}, "seed": 7, "n": 2}),             json!({"logit_bias": {}, "seed": 7, "n": 2}), ""),
        ("a:free",  json!({"logit_bias": {}, "n": 2, "store": null}),         json!({"logit_bias": {}, "n": 2, "store": null}), ""),
    ];
    for (model, more, goes, named) in rows {
        for stream in [false, true] {
            let mut body = request(model, &more);
            let mut goes = goes.clone();
            if stream {
                body["stream"] = json!(true);
                goes["stream"] = json!(true);
            }
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{body}: {}", answer.text());
            assert_eq!(answer.header(DROPPED), named, "{body}");
            assert_eq!(answer.header("x-free-llm-proxy-model"), model);
            assert_eq!(went(&rig), [goes], "{body}");
        }
    }
    // However large it is.
    let mut large = request(
        GROQ,
        &json!({"logit_bias": {}, "seed": 1, "x": "y".repeat(3 << 20)}),
    );
    let answer = rig.chat(&large).await;
    assert_eq!((answer.status, answer.header(DROPPED)), (200, "logit_bias"));
    large.as_object_mut().unwrap().remove("logit_bias");
    large["model"] = json!("openai/gpt-oss-120b");
    let sent: Value = serde_json::from_str(&rig.sent_up()[0]).unwrap();
    assert!(sent == large);
    // OpenRouter gets each byte as it came.
    let body =
        r#"{ "model":"a:free","messages":[{"content":"hi","role":"user"}] ,"seed":1.0,"x":[ ] }"#;
    assert_eq!(
        rig.send("POST", "/v1/chat/completions", &[], body)
            .await
            .status,
        200
    );
    assert_eq!(rig.sent_up(), [body]);
}

#[tokio::test]
async fn s10_6_what_changes_the_answers_form_is_never_left_out() {
    let rig = rig(abc()).await;
    #[rustfmt::skip]
    let rows = [
        // asked     the request has                 who can
        (GROQ,      json!({"n": 2}),                 false),
        (GROQ,      json!({"logprobs": true}),       false),
        (GROQ,      json!({"seed": 1, "stop": "x", "reasoning_effort": "low"}), true),
        (LOCAL,     json!({"n": 2, "logprobs": true, "response_format": {"type": "json_object"}}), true),
        ("a:free",  json!({"n": 2, "logprobs": true}), true),
        ("a:free",  json!({"response_format": {"type": "grammar"}}), true),
        (LOCAL,     json!({"response_format": {"type": "grammar"}}), true),
    ];
    for (model, more, able) in rows {
        let answer = rig.chat(&request(model, &more)).await;
        let sent = went(&rig);
        if able {
            assert_eq!(
                (answer.status, sent),
                (200, vec![more.clone()]),
                "{model} {more}"
            );
        } else {
            answer.is_error(400, "no_capable_model");
            assert!(sent.is_empty(), "{model} {more}");
        }
        assert_eq!(answer.header(DROPPED), "", "{model} {more}");
    }
}

#[tokio::test]
async fn s10_6_s14_1_both_lists_of_what_was_left_out_are_one() {
    let rig = rig(abc()).await;
    let body = json!({"model": MISTRAL, "input": "hi", "reasoning": {"effort": "low"},
        "tools": [{"type": "image_generation"}, {"type": "function", "name": "f", "parameters": {"type": "object"}}]});
    for stream in [false, true] {
        let mut body = body.clone();
        body["stream"] = json!(stream);
        let answer = rig.post("/v1/responses", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let named: Vec<_> = answer.header(DROPPED).split(", ").collect();
        assert_eq!(named.first(), Some(&"image_generation"), "{named:?}");
        assert!(
            named.iter().any(|name| name.starts_with("reasoning")),
            "{named:?}"
        );
        let mut once = named.clone();
        once.dedup();
        assert_eq!(named, once);
    }
    // Only the attempt that answered counts.
    let rig = rig_where("mistral", failing()).await;
    let answer = rig.chat(&request(MISTRAL, &json!({"top_k": 5}))).await;
    assert_eq!((answer.status, answer.header(DROPPED)), (503, ""));
    let answer = rig.post("/v1/responses", &body).await;
    assert_eq!(
        (answer.status, answer.header(DROPPED)),
        (503, "image_generation")
    );
}

fn failing() -> ProviderScript {
    ProviderScript::new().others(Step::status(
        500,
        &[],
        json!({"error": {"message": "broken"}}),
    ))
}

#[tokio::test(start_paused = true)]
async fn s10_6_a_stream_that_waits_aloud_names_it_in_a_comment() {
    let late = Step::from(Says {
        headers_delay_ms: 2500,
        ..Says::default()
    });
    let script = abc().provider("mistral", ProviderScript::new().others(late));
    let rig = Rig::paused_with_providers(script, &PROVIDERS, &SETTINGS).await;
    let more = json!({"stream": true, "top_k": 5, "min_p": 0.1});
    let answer = rig.chat(&request(MISTRAL, &more)).await;
    assert_eq!(answer.header(DROPPED), "");
    let comment = format!(": {DROPPED}: top_k, min_p\n\n");
    assert_eq!(
        answer.text().matches(&comment).count(),
        1,
        "{}",
        answer.text()
    );
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
}

/// The user's own server, which refuses fields in these words.
fn picky(refused: &[&str], words: &str) -> ProviderScript {
    let error = json!({"error": {"message": words, "type": "invalid_request_error", "param": null, "code": null}});
    let told = || simulator::Told::new(400, error.clone());
    let refusals = refused.iter().map(|field| Refusal::of(*field, told()));
    refusals.fold(ProviderScript::new(), ProviderScript::refuses)
}

const UNKNOWN: &str = "Unrecognized request argument supplied: %FIELD%";

#[tokio::test]
async fn s10_6_a_refused_field_is_learnt_where_the_request_succeeds_without_it() {
    let script = || abc().provider("local", picky(&["service_tier"], UNKNOWN));
    let rig = rig(script()).await;
    let body = request(LOCAL, &json!({"service_tier": "auto", "seed": 1}));
    let (whole, less) = (
        json!({"service_tier": "auto", "seed": 1}),
        json!({"seed": 1}),
    );
    let check = async |sent: &[&Value]| {
        for stream in [false, true] {
            let mut body = body.clone();
            body["stream"] = json!(stream);
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header(DROPPED), "service_tier");
            // One attempt, whatever it took.
            assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1");
            assert_eq!(rig.attempts(&answer), format!("{LOCAL} success"));
            let went: Vec<_> = went(&rig)
                .into_iter()
                .map(|mut sent| {
                    sent.as_object_mut().unwrap().remove("stream");
                    sent
                })
                .collect();
            let sent = if stream {
                &sent[sent.len() - 1..]
            } else {
                sent
            };
            assert_eq!(went.iter().collect::<Vec<_>>(), sent);
        }
    };
    check(&[&whole, &less]).await;
    check(&[&less]).await;
    let told = rig.log.of("field_refused");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["field"], &told[0]["status"], &told[0]["model"]),
        (&json!("service_tier"), &json!(400), &json!(LOCAL))
    );
    // Another model there has learnt nothing.
    let other = rig
        .chat(&request(
            "local/gemma3:4b",
            &json!({"service_tier": "auto"}),
        ))
        .await;
    assert_eq!((other.status, went(&rig).len()), (200, 2));
    // The next list forgets it, and so does an operator.
    rig.anew(script()).await;
    check(&[&whole, &less]).await;
    assert_eq!(
        rig.post("/admin/clear", &json!({"all": true})).await.status,
        200
    );
    check(&[&whole, &less]).await;
}

#[tokio::test]
async fn s10_6_what_an_offer_was_found_to_lack_is_left_out_too() {
    let rig = rig(abc()).await;
    let snapshot = rig.app.registry().snapshot().unwrap();
    let model = snapshot.named(LOCAL).next().unwrap().model();
    for capability in [Capability::Seed, Capability::Reasoning] {
        rig.app.registry().learn(model, capability);
    }
    let more = json!({"seed": 1, "stop": "x", "reasoning_effort": "low", "reasoning": {}});
    let answer = rig.chat(&request(LOCAL, &more)).await;
    assert_eq!(answer.header(DROPPED), "seed, reasoning_effort, reasoning");
    assert_eq!(went(&rig), [json!({"stop": "x"})]);
}

#[tokio::test(start_paused = true)]
async fn s10_6_past_the_budget_no_model_is_asked_a_second_time() {
    for (delay_ms, asked, status) in [(2_500, 2, 200), (3_500, 1, 400)] {
        let late = Step::Status(Status {
            status: 400,
            headers: Vec::new(),
            body: json!({"error": {"message": UNKNOWN.replace("%FIELD%", "service_tier")}}),
            delay_ms,
        });
        let late = Plan::from(vec![late]).then(PlanEnd::Ok);
        let local = ProviderScript::new().model("qwen3:8b", late);
        let settings = [&SETTINGS[..], &[("REQUEST_BUDGET_SEC", "3")]].concat();
        let rig =
            Rig::paused_with_providers(abc().provider("local", local), &PROVIDERS, &settings).await;
        let answer = rig
            .chat(&request(LOCAL, &json!({"service_tier": "auto"})))
            .await;
        assert_eq!(
            (answer.status, went(&rig).len()),
            (status, asked),
            "{delay_ms}"
        );
    }
}

#[tokio::test]
async fn s10_5_s10_6_a_second_try_is_charged_and_needs_headroom() {
    #[rustfmt::skip]
    let rows = [
        // requests a minute   the first is told, asked so often   and the second
        (1,                    (503, 1),                           (503, 0)),
        (2,                    (200, 2),                           (503, 0)),
        (3,                    (200, 2),                           (200, 1)),
    ];
    for (limit, first, second) in rows {
        let file = format!(
            r#"providers.groq.limits = [{{ requests = {limit}, per = "minute", of = "account" }}]"#
        );
        let settings = [&SETTINGS[..], &[("CONFIG_FILE", &*file)]].concat();
        let script = abc().provider("groq", picky(&["service_tier"], UNKNOWN));
        let rig = Rig::with_providers(script, &PROVIDERS, &settings).await;
        for expected in [first, second] {
            let answer = rig
                .chat(&request(GROQ, &json!({"service_tier": "auto"})))
                .await;
            let told = (answer.status, went(&rig).len());
            assert_eq!(told, expected, "{limit}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn s10_6_what_teaches_nothing() {
    #[rustfmt::skip]
    let rows: [(&[&str], &str, Value, usize); 6] = [
        // refused                    in these words                               the request has                                  asked
        (&["service_tier", "store"],  UNKNOWN,                                     json!({"service_tier": "auto", "store": true}),   2),
        (&["service_tier"],           "service_tier must be one of: auto",         json!({"service_tier": "x"}),                     1),
        (&["service_tier"],           "Unrecognized request argument supplied: x", json!({"service_tier": "auto"}),                  1),
        (&["stop"],                   UNKNOWN,                                     json!({"stop": "x"}),                             1),
        (&["temperature"],            UNKNOWN,                                     json!({"temperature": 1}),                        1),
        (&["logprobs"],               UNKNOWN,                                     json!({"logprobs": true}),                        1),
    ];
    for (refused, words, more, asked) in rows {
        let rig = rig_where("local", picky(refused, words)).await;
        let is_form = refused == ["logprobs"];
        for again in [false, true] {
            let answer = rig.chat(&request(LOCAL, &more)).await;
            let asked = if is_form && again { 0 } else { asked };
            assert_eq!(
                (answer.status, went(&rig).len()),
                (400, asked),
                "{more}: {}",
                answer.text()
            );
            assert_eq!(answer.header(DROPPED), "");
            // The offer lacks what it refuses, if the answer would have another form without it.
            if is_form && again {
                answer.is_error(400, "no_capable_model");
            }
        }
    }
    // OpenRouter gets the body unchanged, and once.
    let error = json!({"error": {"message": "Unrecognized request argument supplied: service_tier", "code": 400}});
    let script = abc().model("a:free", Step::status(400, &[], error));
    let rig = rig(script).await;
    let more = json!({"service_tier": "auto"});
    for _ in 0..2 {
        let answer = rig.chat(&request("a:free", &more)).await;
        assert_eq!((answer.status, went(&rig)), (400, vec![more.clone()]));
    }
}

#[tokio::test]
async fn s10_6_a_second_refusal_is_the_one_that_counts() {
    let unknown =
        json!({"error": {"message": "Unrecognized request argument supplied: service_tier"}});
    let steps = vec![
        Step::status(400, &[], unknown),
        Step::status(500, &[], json!({"error": {"message": "broken"}})),
    ];
    let local = ProviderScript::new().model("qwen3:8b", Plan::from(steps).then(PlanEnd::Ok));
    let rig = rig_where("local", local).await;
    let body = request(LOCAL, &json!({"service_tier": "auto"}));
    let answer = rig.chat(&body).await;
    answer.is_error(503, "all_models_unavailable");
    assert_eq!(rig.attempts(&answer), format!("{LOCAL} upstream_error 500"));
    assert_eq!(went(&rig).len(), 2);
    // It was not learnt: that took a success.
    rig.post("/admin/clear", &json!({"all": true})).await;
    assert_eq!(rig.chat(&body).await.status, 200);
    assert_eq!(went(&rig), [json!({"service_tier": "auto"})]);
}
