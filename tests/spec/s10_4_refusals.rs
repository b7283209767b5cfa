//! §10.4, §4.2: a refused key rests, and what the client gets when no candidate is left.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{Failure, Plan, PlanEnd, Point, ProviderScript, Script, Step};
use tokio::time::{Instant, sleep, sleep_until};

use crate::rig::{Rig, abc, ranking};
use crate::s4_5_account::MINUTE;
use crate::scripts::plenty;

/// An account whose key is refused this often, and valid from then on.
fn refused(times: usize) -> Script {
    let steps = vec![Step::from(Failure::UserNotFound); times];
    let script = abc().account(Plan::from(steps).then(PlanEnd::Ok));
    script.key(plenty())
}

#[tokio::test(start_paused = true)]
async fn s10_4_a_refused_key_rests_a_minute_then_twice_as_long_and_is_probed_by_one() {
    let rig = Rig::paused(refused(3), &[]).await;
    let start = Instant::now();
    #[rustfmt::skip]
    let rows = [
        // at, s   status   how often the upstream is asked, by 30 at once
        (0,        502,     30),
        (1,        502,     0),
        (59,       502,     0),
    ];
    let at_once = async || join_all((0..30).map(|_| rig.chat(&HELLO))).await;
    // The first thirty are in progress when the key is found to be bad; none after them is sent.
    rig.simulator.set_script(refused(32));
    for (at, status, asked) in rows {
        sleep_until(start + Duration::from_secs(at)).await;
        for answer in at_once().await {
            answer.is_error(status, "upstream_auth_error");
            assert!(answer.text().contains("(HTTP 401)"), "{answer:?}");
            assert_eq!(answer.header("retry-after"), "");
        }
        assert_eq!(count(&rig), asked, "at {at} s");
    }
    assert_eq!(rig.log.of("account_rests").len(), 1, "one rest, one line");
    #[rustfmt::skip]
    let rows = [
        // at, s   status   calls     the 31st and the 32nd refusal are the probes'
        (61,       502,     1),
        (62,       502,     0),
        (180,      502,     0),
        (182,      502,     1),
        (421,      502,     0),
        (423,      200,     30),
    ];
    for (at, status, asked) in rows {
        sleep_until(start + Duration::from_secs(at)).await;
        for answer in at_once().await {
            assert_eq!(answer.status, status, "at {at} s: {answer:?}");
        }
        assert_eq!(count(&rig), asked, "at {at} s");
    }
    // All is well, and the next refusal starts with a minute again.
    rig.simulator.set_script(refused(1));
    rig.chat(&HELLO).await.is_error(502, "upstream_auth_error");
    sleep(Duration::from_secs(61)).await;
    assert_eq!(rig.chat(&HELLO).await.status, 200);
}

static HELLO: std::sync::LazyLock<Value> = std::sync::LazyLock::new(Rig::hello);

fn count(rig: &Rig) -> usize {
    let asked = rig.asked();
    asked.split(' ').filter(|model| !model.is_empty()).count()
}

#[tokio::test(start_paused = true)]
async fn s10_4_a_refused_key_is_reported_everywhere_and_an_operator_ends_its_rest() {
    let rig = Rig::paused(refused(1), &[]).await;
    rig.chat(&Rig::hello())
        .await
        .is_error(502, "upstream_auth_error");
    let ready = rig.get("/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["account"]["limit"], "key", "{ready:?}");
    let account = rig.get("/admin/state").await.json()["accounts"][0].clone();
    assert_eq!(
        (&account["state"], &account["limit"]),
        (&json!("key_refused"), &json!("key"))
    );
    assert_eq!(account["because"]["status"], 401, "{account}");
    let rest = &rig.log.of("account_rests")[0];
    assert_eq!(
        (&rest["limit"], &rest["level"]),
        (&json!("key"), &json!("WARNING"))
    );
    rig.asked();
    // The refusal itself is an ERROR; the requests it affects are not.
    let told = rig.chat(&Rig::hello_stream()).await;
    told.is_error(502, "upstream_auth_error");
    assert_eq!(
        (rig.line(&told)["event"].as_str(), rig.asked().as_str()),
        (Some("request_rejected"), "")
    );

    rig.post("/admin/clear", &json!({"account": true})).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.get("/ready").await.status, 200);
    rig.simulator.set_script(refused(1));
    rig.chat(&Rig::hello())
        .await
        .is_error(502, "upstream_auth_error");
    let refreshed = rig.post("/admin/refresh", &Value::Null).await;
    assert_eq!(refreshed.status, 200);
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s10_4_when_everybody_rests_the_reasons_are_counted_and_the_first_return_is_named() {
    let limited = |seconds: &str| Step::status(429, &[("Retry-After", seconds)], "");
    let broken = || Step::status(500, &[], "");
    let gone = || Step::from(Failure::NoEndpoints);
    #[rustfmt::skip]
    let rows: [([Step; 4], &str, &str); 5] = [
        ([limited("2520"), limited("2600"), limited("9000"), gone()], "3 models are rate limited, 1 is gone; the first returns in 42 min.", "2520"),
        ([limited("90"), broken(), broken(), gone()],                 "1 model is rate limited, 2 are failing, 1 is gone; the first returns in 1 min.", "60"),
        ([broken(), broken(), broken(), broken()],                    "4 models are failing; the first returns in 1 min.", "60"),
        ([gone(), gone(), gone(), gone()],                            "4 models are gone; the first returns in 1 h.", "3600"),
        ([Step::Stall(Point::AfterHeaders), limited("80"), limited("80"), limited("80")], "3 models are rate limited, 1 is failing; the first returns in 1 min.", "60"),
    ];
    let ids = ["a:free", "b:free", "c:free", "d:free"];
    for (steps, words, retry_after) in rows {
        let script = Script::new().list(ranking(&ids));
        let script = ids
            .iter()
            .zip(&steps)
            .fold(script, |s, (id, step)| s.model(*id, step.clone()));
        let rig = Rig::paused(script, &[("STREAM_KEEPALIVE_SEC", "0")]).await;
        let first = rig.chat(&Rig::hello()).await;
        first.is_error(503, "all_models_unavailable");
        assert_eq!(
            first.json()["error"]["attempts"].as_array().unwrap().len(),
            4
        );
        for _ in 0..2 {
            rig.asked();
            let answer = rig.chat(&Rig::hello()).await;
            answer.is_error(503, "all_models_unavailable");
            assert_eq!(rig.asked(), "", "{words}");
            let error = &answer.json()["error"];
            assert_eq!(
                error["message"],
                format!("No model can answer now: {words}")
            );
            assert_eq!(error["attempts"], json!([]), "{words}");
            assert_eq!(answer.header("retry-after"), retry_after, "{words}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s10_4_only_models_that_could_serve_the_request_are_counted() {
    let list = crate::scripts::ranking_with(&["a:free", "b:free", "c:free"], |list| {
        list["models"][2]["supportsTools"] = false.into();
    });
    let script = Script::new().list(list).others(Step::status(500, &[], ""));
    let rig = Rig::paused(script, &[]).await;
    rig.chat(&Rig::hello()).await;
    let answer = rig.chat(&crate::s4_5_model::tools()).await;
    let message = answer.json()["error"]["message"].clone();
    assert_eq!(
        message,
        "No model can answer now: 2 models are failing; the first returns in 1 min."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_2_retry_after_is_never_longer_than_stated() {
    let rig = Rig::start(abc().key(plenty())).await;
    let hello = Rig::hello();
    let account = json!({"error": {"message": MINUTE, "code": 429}});
    for _ in 0..20 {
        for body in [account.clone(), json!("")] {
            let step = Step::status(429, &[("Retry-After", "60")], body);
            rig.anew(abc().others(step).key(plenty())).await;
            for answer in join_all((0..20).map(|_| rig.chat(&hello))).await {
                let told: u64 = answer.header("retry-after").parse().unwrap();
                assert!(told <= 60, "{told}");
            }
        }
    }
}

#[tokio::test]
async fn s10_4_a_quota_defined_in_the_file_is_a_quota_whatever_its_status() {
    let file = "[providers.groq]\nmodels = ['m']\nlimits = []\n\
                [[errors]]\nprovider = 'groq'\nmatch = 'blue moon'\nmeans = 'day-spent'\n";
    let moon = Step::status(
        418,
        &[],
        json!({"error": {"message": "Once in a blue moon"}}),
    );
    let own = ProviderScript::new().entries(["m"]).others(moon);
    let script = abc().provider("groq", own);
    let rig = Rig::with_providers(script, &[("groq", 2)], &[("CONFIG_FILE", file)]).await;
    for _ in 0..2 {
        let answer = rig.chat(&Rig::hello()).await;
        answer.is_error(503, "account_rate_limited");
    }
    assert_eq!(rig.asked(), "m m", "each account once");
}
