//! `POST /admin/explain`.

use serde_json::{Value, json};
use simulator::{Failure, Step};

use crate::rig::{Rig, abc};
use crate::scripts::ranking_with;

async fn explain(rig: &Rig, body: &Value) -> Value {
    let answer = rig.post("/admin/explain", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn limited() -> Step {
    Step::status(429, &[("Retry-After", "60")], "no")
}

#[tokio::test]
async fn s3_each_model_that_is_left_out_says_why() {
    let list = ranking_with(&["a:free", "b:free", "c:free", "d:free"], |list| {
        list["models"][1]["supportsTools"] = false.into();
        list["models"][2]["contextLength"] = 100.into();
    });
    let rig = Rig::start(abc().list(list).model("a:free", limited())).await;
    rig.chat(&Rig::hello()).await;
    rig.simulator.clear_requests();
    let body = json!({
        "model": "zz", "stream": true, "tools": [{"type": "function"}],
        "messages": [{"role": "user", "content": "x".repeat(1_000)}],
    });
    let told = explain(&rig, &body).await;
    assert_eq!(
        told["needs"],
        json!({"capabilities": ["tools"], "stream": true, "prompt_tokens_at_least": 125})
    );
    assert_eq!(
        (&told["model_field"], &told["model_asked_for"]),
        (&json!("ignore"), &json!("zz"))
    );
    assert_eq!(
        (&told["selection"], &told["candidates"]),
        (&json!("candidates"), &json!(["d:free"]))
    );
    assert_eq!(
        (&told["max_attempts"], &told["would_answer"]),
        (&json!(5), &Value::Null)
    );
    let [a, b, c] = [0, 1, 2].map(|n| &told["left_out"][n]);
    assert_eq!(
        (&a["model"], &a["why"], &a["reason"]),
        (
            &json!("a:free"),
            &json!("resting"),
            &json!("rate limited (HTTP 429)")
        )
    );
    assert_eq!(
        (&a["because"]["status"], a["resting_until"].is_string()),
        (&json!(429), true)
    );
    assert_eq!(
        b,
        &json!({"model": "b:free", "provider": "openrouter", "account": "openrouter", "why": "lacks", "reason": "cannot do: tools", "until": null, "lacks": ["tools"]})
    );
    let too_small = "the prompt has at least 125 tokens, the context holds 100";
    assert_eq!(
        c,
        &json!({"model": "c:free", "provider": "openrouter", "account": "openrouter", "why": "too_small", "reason": too_small, "until": null, "needs_tokens": 125, "context_length": 100})
    );
    assert!(
        rig.simulator.models_asked().is_empty(),
        "nothing is sent upstream"
    );
    let asked = rig.chat(&body).await;
    assert_eq!(
        asked.header("x-free-llm-proxy-model"),
        "d:free",
        "as it was told"
    );
}

#[tokio::test]
async fn s3_what_would_be_answered_at_once_is_what_chat_answers() {
    let day = Step::Failure(Failure::DailyLimit.into());
    let images = json!({"messages": [], "seed": 1});
    let no_seed = ranking_with(&["a:free"], |list| {
        list["models"][0]["supportsSeed"] = false.into()
    });
    #[rustfmt::skip]
    let rows = [
        // script                             settings                   body                                    selection          status
        (abc().others(limited()),             ("MODEL_FIELD", "ignore"), Rig::hello(),                           "all_cooling",     503),
        (abc().account(day),                  ("MODEL_FIELD", "ignore"), Rig::hello(),                           "account_resting", 503),
        (abc().list(no_seed),                 ("MODEL_FIELD", "ignore"), images,                                 "none_capable",    400),
        (abc(),                               ("MODEL_FIELD", "pin"),    json!({"messages": [], "model": "zz"}), "not_listed",      404),
    ];
    for (script, setting, body, selection, status) in rows {
        let rig = Rig::with(script, &[setting]).await;
        rig.chat(&Rig::hello()).await;
        rig.simulator.clear_requests();
        let told = explain(&rig, &body).await;
        assert_eq!(
            (&told["selection"], &told["candidates"]),
            (&json!(selection), &json!([]))
        );
        assert_eq!(told["would_answer"]["status"], status, "{told}");
        let answer = rig.chat(&body).await;
        assert!(rig.simulator.models_asked().is_empty());
        // Whole seconds may have gone by in between.
        let words = |body: &Value| {
            body["error"]["message"]
                .as_str()
                .unwrap()
                .replace(char::is_numeric, "")
        };
        assert_eq!(
            (answer.status, words(&answer.json())),
            (status, words(&told["would_answer"]["body"]))
        );
        let retry_after = answer.header("retry-after").parse::<u64>().ok();
        assert_eq!(
            told["would_answer"]["retry_after_sec"].is_u64(),
            retry_after.is_some()
        );
    }
}

#[tokio::test]
async fn s3_a_bad_body_gets_the_same_4xx_as_chat() {
    let rig = Rig::with(
        abc(),
        &[("MAX_JSON_DEPTH", "5"), ("MAX_BODY_BYTES", "1000")],
    )
    .await;
    let long = format!(r#"{{"messages":[],"x":"{}"}}"#, "x".repeat(1_000));
    #[rustfmt::skip]
    let bodies = [
        "",
        "{",
        "[]",
        "{}",
        r#"{"messages":1}"#,
        r#"{"messages":[],"stream":"yes"}"#,
        r#"{"messages":[],"messages":[]}"#,
        r#"{"messages":[[[[[[]]]]]]}"#,
        &long,
    ];
    for body in bodies {
        let [chat, explained] = [
            rig.send("POST", "/v1/chat/completions", &[], body.to_owned())
                .await,
            rig.send("POST", "/admin/explain", &[], body.to_owned())
                .await,
        ];
        assert!((400..500).contains(&chat.status), "{body}");
        assert_eq!(
            (explained.status, explained.text()),
            (chat.status, chat.text()),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s3_no_probe_is_claimed() {
    let rig = Rig::paused(abc().model("a:free", vec![limited(), Step::ok("Hi.")]), &[]).await;
    rig.chat(&Rig::hello()).await;
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    for _ in 0..3 {
        let told = explain(&rig, &Rig::hello()).await;
        assert_eq!(told["candidates"], json!(["a:free", "b:free", "c:free"]));
    }
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(answer.header("x-free-llm-proxy-model"), "a:free");
}
