//! Recorded errors, row for row.

use serde_json::json;
use simulator::{Case, Script, Step, Within, provider_case, provider_cases};

use super::rig::{Rig, model_of};

#[tokio::test]
async fn s10_4_every_recorded_error_is_sent_as_it_was_recorded() {
    let rig = Rig::start(Script::new()).await;
    for case in provider_cases() {
        let provider = match &*case.provider {
            // An error of a provider without a row.
            "" => "groq",
            named => named,
        };
        let model = case.model.as_deref().unwrap_or(model_of(provider));
        rig.providers.fail(provider, model, &case.name, 1);
        let got = rig.chat(provider, model, json!({})).await;
        assert_eq!(got.status, case.status, "{}", case.name);
        if case.body.contains("ms+") {
            assert!(!got.text.contains("ms+"), "{}", got.text);
        } else {
            assert_eq!(got.text, case.body, "{}", case.name);
        }
        for (name, value) in &case.headers {
            assert_eq!(got.header(name), value, "{}", case.name);
        }
        let seen = rig.providers.seen(provider).pop().unwrap();
        assert_eq!(seen.why, Some(format!("case {}", case.name)));
        let text = rig.chat(provider, model, json!({})).await.text;
        assert_ne!(text, case.body, "once, and no more");
    }
}

#[tokio::test]
async fn s10_4_errors_are_sent_within_a_200_too() {
    let name = "groq tokens per day";
    let model = "openai/gpt-oss-20b";
    let body = provider_case(name)
        .unwrap()
        .body
        .replace("gpt-oss-120b", "gpt-oss-20b");
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        // within            streamed  events before it
        (Within::Answer,     false,    None),
        (Within::Answer,     true,     Some(0)),
        (Within::After(2),   true,     Some(2)),
        (Within::After(2),   false,    None),
    ];
    for (within, stream, before) in rows {
        let step = Step::Case(Case::new(name).within(within));
        rig.providers.simulator.set_offer("groq", model, step);
        let got = rig.chat("groq", model, json!({"stream": stream})).await;
        assert_eq!(got.status, 200, "{within:?}");
        match before {
            None => assert_eq!(got.text, body, "{within:?}"),
            Some(before) => {
                let events = got.events();
                assert_eq!(events.len(), before + 1, "{within:?}");
                assert_eq!(events[before], body, "{within:?}");
            }
        }
    }
}
