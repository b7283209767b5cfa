//! §4.5: what concerns the request or the key, and what is never followed.

use serde_json::json;
use simulator::{Failure, Script, Step, list_of};

use crate::rig::{Rig, abc};
use crate::s4_5_model::*;

#[tokio::test(start_paused = true)]
async fn s4_5_the_requests_own_fault_is_passed_on_immediately() {
    let plain = |status| error(status, "It is wrong.", json!({}));
    #[rustfmt::skip]
    let rows = [
        // what `a` answers                     status
        (Step::from(Failure::Moderation),       403),
        (Failure::Guardrail.into(),             403),
        (error(403, "x", json!({"reasons": ["hate"]})), 403),
        (error(403, "x", json!({"flagged_input": "..."})), 403),
        (Failure::TooLarge.into(),              413),
        (Failure::InvalidArgument.into(),       422),
        (Failure::InputRequired.into(),         400),
        (Failure::NoTokens.into(),              400),
        (Failure::TooManyModels.into(),         400),
        (Failure::ContentPolicy.into(),         400),
        (Failure::InvalidImage.into(),          400),
        (Failure::Zod.into(),                   400),
        (plain(400),                            400),
        (plain(409),                            409),
        (plain(413),                            413),
        (plain(418),                            418),
        (plain(422),                            422),
        (plain(451),                            451),
        (Step::status(400, &[], ""),            400),
        (error(404, "x", json!({"error_type": "invalid_image"})), 404),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (step, status) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(abc().model("a:free", step.clone())).await;
            let answer = rig.chat(&body).await;
            assert_eq!(
                (answer.status, rig.asked().as_str()),
                (status, "a"),
                "{step:?}"
            );
            assert_eq!(
                rig.attempts(&answer),
                format!("a client_error {status}"),
                "{step:?}"
            );
            assert!(!answer.text().contains("user_"), "{step:?}: {answer:?}");
            rig.chat(&body).await;
            assert_eq!(rig.asked(), "a", "nobody rests for it: {step:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_401_and_an_unrecognised_403_are_the_keys() {
    #[rustfmt::skip]
    let rows = [
        (Step::from(Failure::UserNotFound),     401),
        (Failure::NoCredentials.into(),         401),
        (Failure::MissingAuthentication.into(), 401),
        (error(401, "a:free is not a valid model ID", json!({"reasons": ["x"]})), 401),
        (Step::status(401, &[], ""),            401),
        (Failure::Forbidden.into(),             403),
        (error(403, "Key lacks permission", json!({"error_type": "permission_denied"})), 403),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (step, status) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(abc().model("a:free", step.clone())).await;
            let answer = rig.chat(&body).await;
            answer.is_error(502, "upstream_auth_error");
            assert!(
                answer.text().contains(&format!("HTTP {status}")),
                "{answer:?}"
            );
            assert_eq!(
                rig.attempts(&answer),
                format!("a upstream_auth_error {status}"),
                "{step:?}"
            );
            rig.chat(&body).await.is_error(502, "upstream_auth_error");
            assert_eq!(rig.asked(), "a", "told again without a call: {step:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_the_403_of_an_edge_before_the_upstream_stops_this_request_and_no_other() {
    let rig = Rig::paused(abc(), &[]).await;
    for page in ["", "<html>Sorry</html>", "{}"] {
        rig.anew(abc().model("a:free", Step::status(403, &[], page)))
            .await;
        for _ in 0..2 {
            let answer = rig.chat(&Rig::hello()).await;
            answer.is_error(502, "upstream_auth_error");
            assert_eq!(rig.asked(), "a", "{page}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_paid_model_that_an_answer_suggests_is_never_asked() {
    let rig = Rig::paused(abc(), &[]).await;
    for failure in [
        Failure::NotFreeAnymore,
        Failure::AvailabilityFreeEnded,
        Failure::AvailabilityModelNotFound,
    ] {
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(abc().others(Step::from(failure))).await;
            let answer = rig.chat(&body).await;
            assert_eq!(rig.asked(), "a b c", "{failure:?}");
            assert_eq!(answer.status, 503, "{failure:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_an_id_that_could_be_billed_is_not_a_model_unless_allowed() {
    let list = || {
        let mut list = list_of(&[
            "openai/gpt-5",
            "a:free",
            "b:nitro",
            "c:free:online",
            "openrouter/auto",
        ]);
        list["fallback"] = json!({"id": "openrouter/auto"});
        Step::status(200, &[], list)
    };
    #[rustfmt::skip]
    let rows: [(Settings<'_>, &str, u64); 3] = [
        (&[],                          "a",                                                     4),
        (&[("ALLOW_PAID", "false")],   "a",                                                     4),
        (&[("ALLOW_PAID", "true")],    "openai/gpt-5 a b:nitro c:online openrouter/auto",       0),
    ];
    for (settings, asked, skipped) in rows {
        let script = Script::new()
            .list(list())
            .others(Step::status(500, &[], ""));
        let rig = Rig::paused(script, settings).await;
        rig.chat(&Rig::hello()).await;
        assert_eq!(rig.asked(), asked, "{settings:?}");
        assert_eq!(rig.log.of("snapshot_refreshed")[0]["skipped"], skipped);
        let warnings = rig.log.of("list_entries_skipped");
        assert_eq!(warnings.len(), usize::from(skipped > 0));
        assert!(warnings.iter().all(|w| w["level"] == "WARNING"));
    }
}

#[tokio::test]
async fn s4_5_a_withdrawn_model_does_not_hide_that_the_prompt_is_too_long() {
    let script = abc()
        .model("a:free", Step::failure(Failure::NoEndpoints))
        .others(Step::failure(Failure::ContextLength));
    let rig = Rig::start(script).await;
    for asked in [3, 2] {
        rig.simulator.clear_requests();
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(
            answer.text().contains("maximum context length"),
            "{answer:?}"
        );
        assert!(rig.simulator.models_asked().len() <= asked, "{answer:?}");
    }
}
