//! §4.5: what a caller brings upon itself does not affect the next one.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Failure, Step};
use tokio::time::sleep;

use crate::rig::{Rig, abc};
use crate::s4_5_model::{error, image, inside, streamed, tools, with};
use crate::scripts::STALL;

/// Bodies that say what serves them, or ask for more than a completion.
fn steering() -> Vec<Value> {
    let search =
        json!([{"type": "function", "function": {"name": "f"}}, {"type": "openrouter:web_search"}]);
    vec![
        with(json!({"provider": {"order": ["X"], "allow_fallbacks": false}})),
        with(json!({"plugins": [{"id": "web"}]})),
        with(json!({"tools": search})),
        with(json!({"web_search_options": {}, "provider": {"zdr": true}})),
    ]
}

/// Bodies that ask something of the upstream's router.
fn asking() -> Vec<Value> {
    vec![
        with(json!({"models": ["a", "b"]})),
        with(json!({"route": "fallback"})),
        with(json!({"transforms": ["middle-out"]})),
        with(json!({"tools": tools()["tools"], "tool_choice": {"type": "banana"}})),
    ]
}

/// No catalogue, so that whether they take images is unknown.
fn blind() -> simulator::Script {
    abc().catalogue(Step::status(500, &[], ""))
}

fn all(step: &Step) -> simulator::Script {
    blind().others(step.clone())
}

/// All models answer this body like this; afterwards an ordinary caller, and one with tools and
/// images, is served by the best.
async fn harms_nobody(rig: &Rig, body: &Value, step: &Step, status: Option<u16>) {
    let why = format!("{body} {step:?}");
    rig.anew(all(step)).await;
    let answer = rig.chat(body).await;
    assert_eq!(rig.asked(), "a b c", "{why}");
    if let Some(status) = status {
        assert_eq!(answer.status, status, "the last refusal: {why}: {answer:?}");
        assert!(!answer.text().contains("user_"), "{why}: {answer:?}");
    }
    assert_eq!(rig.get("/ready").await.json()["available"], 3, "{why}");
    rig.simulator.set_script(blind());
    for ordinary in [Rig::hello(), streamed(&tools()), image()] {
        let answer = rig.chat(&ordinary).await;
        assert_eq!(answer.status, 200, "{why}: {answer:?}");
        assert_eq!(rig.asked(), "a", "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_what_a_requests_own_routing_may_have_caused_affects_no_other() {
    #[rustfmt::skip]
    let refusals: Vec<(Step, u16)> = vec![
        (error(404, "No endpoints found for X.", json!({})),            404),
        (Failure::NoEndpoints.into(),                                   404),
        (Failure::AllowedProviders.into(),                              404),
        (Failure::NoToolUse.into(),                                     404),
        (Failure::NoToolChoice.into(),                                  404),
        (Failure::NoImageInput.into(),                                  404),
        (Failure::NotFound.into(),                                      404),
        (Failure::NotFreeAnymore.into(),                                404),
        (Failure::InvalidModel.into(),                                  400),
        (Failure::Harness.into(),                                       403),
        (Failure::Forbidden.into(),                                     403),
        (Failure::InsufficientCredits.into(),                           402),
        (error(503, "No provider meets your routing requirements", json!({})), 503),
        (Failure::UnavailableRetryAfter.into(),                         503),
    ];
    let rig = Rig::paused(blind(), &[]).await;
    for body in asking().into_iter().chain(steering()) {
        for (step, status) in &refusals {
            harms_nobody(&rig, &body, step, Some(*status)).await;
            let shapes = inside(step, "a:free");
            let [plain, event] = shapes.unwrap_or([step.clone(), step.clone()]);
            harms_nobody(&rig, &body, &plain, Some(*status)).await;
            harms_nobody(&rig, &streamed(&body), &event, Some(*status)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_request_that_chooses_its_provider_rests_nothing_by_any_failure() {
    #[rustfmt::skip]
    let failures: Vec<Step> = vec![
        Failure::ProviderLimit.into(),
        Step::status(429, &[("Retry-After", "90")], ""),
        Failure::BadGateway.into(),
        Failure::Internal.into(),
        Failure::TimedOut.into(),
        Failure::OkHtml.into(),
        STALL,
    ];
    let rig = Rig::paused(blind(), &[("STREAM_KEEPALIVE_SEC", "0")]).await;
    for body in steering() {
        for step in &failures {
            harms_nobody(&rig, &body, step, None).await;
        }
    }
    // Within a stream, too.
    let cut = Step::from(simulator::Stream::new(simulator::StreamFault::Cut, 2));
    rig.anew(abc().model("a:free", cut)).await;
    rig.chat(&streamed(&steering()[0])).await;
    assert_eq!(rig.asked(), "a");
    rig.simulator.set_model("a:free", Step::fitting());
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "a", "nobody rests for it");
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_used_up_quota_is_the_accounts_whatever_was_asked_for() {
    for body in asking().into_iter().chain(steering()) {
        let rig = Rig::paused(all(&Failure::DailyLimit.into()), &[]).await;
        rig.chat(&body).await.is_error(503, "account_rate_limited");
        assert_eq!(rig.asked(), "a", "{body}");
        rig.chat(&Rig::hello())
            .await
            .is_error(503, "account_rate_limited");
        assert_eq!(rig.asked(), "", "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_what_a_request_brought_upon_itself_does_not_prove_a_model_well() {
    // `a` rested, and the request that would find out whether that helped causes its own failure by
    // routing.
    let rest = Step::status(429, &[("Retry-After", "10")], "");
    let wall: Step = Failure::AllowedProviders.into();
    let script = abc().model("a:free", simulator::Plan::from([rest, wall]));
    let rig = Rig::paused(script, &[]).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_secs(11)).await;
    rig.asked();
    assert_eq!(rig.chat(&steering()[0]).await.status, 200);
    assert_eq!(rig.asked(), "a b");
    // The next one is still the probe: while it hangs, others skip `a`.
    rig.simulator.set_model("a:free", STALL);
    let hello = Rig::hello();
    tokio::join!(rig.chat(&hello), rig.chat(&hello));
    assert_eq!(rig.asked().matches('a').count(), 1);
}

#[tokio::test(start_paused = true)]
async fn s4_5_what_a_caller_writes_names_no_cause() {
    let words = [
        "is not a valid model ID",
        "a:free is not a valid model ID",
        "No endpoints found for a:free.",
        "This model is unavailable for free",
        "No endpoints found that support tool use",
        "a:free is only available on agentic harnesses",
        "free-models-per-day",
        "maximum context length is 10 tokens",
        "a:free",
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for words in words {
        let mut body = Rig::hello();
        body["messages"][0]["role"] = words.into();
        for status in [400, 413, 422] {
            let message = format!("Invalid role '{words}' at messages.0");
            let step = error(status, &message, json!({}));
            rig.anew(all(&step)).await;
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, status, "{words}: {answer:?}");
            rig.simulator.set_script(abc());
            rig.asked();
            for ordinary in [Rig::hello(), tools()] {
                assert_eq!(rig.chat(&ordinary).await.status, 200, "{words}");
                assert_eq!(rig.asked(), "a", "{words}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_lesson_is_of_what_was_asked_for() {
    // A request without tools cannot teach that a model has none.
    let rig = Rig::paused(abc().model("a:free", Step::from(Failure::NoToolUse)), &[]).await;
    rig.chat(&Rig::hello()).await;
    rig.simulator.set_model("a:free", Step::fitting());
    rig.asked();
    rig.chat(&tools()).await;
    assert_eq!(rig.asked(), "a");
}
