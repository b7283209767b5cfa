//! §10.1, §10.4: several keys of one account. They share its quota; the next one immediately
//! replaces a refused one; and the account is out only when all are refused.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{Account, Plan, PlanEnd, ProviderScript, Script, Step};
use tokio::time::sleep;

use crate::rig::{Rig, abc};

const FIRST: &str = "gsk_first-key-for-tests-0123456789-AAAA";
const SECOND: &str = "gsk_second-key-for-tests-012345678-BBBB";
const BOTH: &str =
    "gsk_first-key-for-tests-0123456789-AAAA,gsk_second-key-for-tests-012345678-BBBB";
const MODEL: &str = "openai/gpt-oss-20b";

/// Groq with one account, which accepts only these keys.
fn taking(keys: &[&str]) -> Script {
    groq(ProviderScript::new(), keys)
}

fn groq(own: ProviderScript, keys: &[&str]) -> Script {
    let mut account = Account::new("home", FIRST);
    account.keys = keys.iter().map(|key| (*key).to_owned()).collect();
    // An account for requests without a key is different from one with other keys.
    account.keys.push("gsk_of-nobody".to_owned());
    abc().provider("groq", own.entries([MODEL]).account(account))
}

async fn rig(script: Script, file: &str, more: &[(&str, &str)]) -> Rig {
    let file = format!(
        "[providers.groq]\nkeys = [{{ env = \"GROQ_API_KEY\", account = \"home\" }}]\n{file}"
    );
    let settings = [&[("GROQ_API_KEY", BOTH), ("CONFIG_FILE", &*file)], more].concat();
    Rig::paused_with_providers(script, &[("groq", 1)], &settings).await
}

/// The keys of the completions since the last call, by their tails.
fn came(rig: &Rig) -> String {
    let seen = rig.simulator.requests();
    rig.simulator.clear_requests();
    let chats = seen.iter().filter(|seen| seen.model.is_some());
    let tails = chats.map(|seen| {
        let shown = seen.headers["authorization"].to_str().unwrap();
        shown.get(shown.len() - 4..).unwrap().to_owned()
    });
    tails.collect::<Vec<_>>().join(" ")
}

async fn account(rig: &Rig) -> Value {
    let state = rig.get("/admin/state").await.json();
    let accounts = state["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 1, "one account, however many keys: {state}");
    accounts[0].clone()
}

#[tokio::test(start_paused = true)]
async fn s10_1_the_accounts_next_key_immediately_replaces_a_refused_one() {
    let rig = rig(taking(&[SECOND]), "", &[]).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(came(&rig), "AAAA BBBB");
    let attempts =
        "groq/openai/gpt-oss-20b upstream_auth_error 401, groq/openai/gpt-oss-20b success";
    assert_eq!(rig.attempts(&answer), attempts);
    // The refused one rests, and that is logged once; the account is fine.
    let refused = rig.log.of("key_refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        (
            &refused[0]["level"],
            &refused[0]["key_tail"],
            &refused[0]["status"]
        ),
        (&json!("WARNING"), &json!("...AAAA"), &json!(401))
    );
    assert_eq!(refused[0]["account"], "home");
    assert!(rig.log.of("account_rests").is_empty());
    let shown = account(&rig).await;
    assert_eq!(
        (&shown["state"], &shown["key_tail"], &shown["variable"]),
        (&json!("awake"), &json!("...BBBB"), &json!("GROQ_API_KEY"))
    );
    assert_eq!(rig.get("/ready").await.status, 200);

    let at_once = async || {
        for answer in join_all((0..20).map(|_| rig.chat(&HELLO))).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let came = came(&rig);
        let of = |tail| came.split(' ').filter(|key| *key == tail).count();
        (of("AAAA"), of("BBBB"))
    };
    #[rustfmt::skip]
    let rows = [
        // after, s   with the first, with the second: one request finds out whether the first is accepted again
        (1,           0, 20),
        (57,          0, 20),
        (3,           1, 20),
        (60,          0, 20),
        (58,          0, 20),
        (4,           1, 20),
    ];
    for (seconds, first, second) in rows {
        sleep(Duration::from_secs(seconds)).await;
        assert_eq!(at_once().await, (first, second), "{seconds} s later");
    }
    // It is fixed: the one that finds out brings the others back.
    rig.simulator.set_script(taking(&[FIRST, SECOND]));
    sleep(Duration::from_secs(242)).await;
    assert_eq!(rig.chat(&HELLO).await.status, 200);
    assert_eq!(came(&rig), "AAAA");
    assert_eq!(at_once().await, (20, 0));
    assert_eq!(account(&rig).await["key_tail"], "...AAAA");
}

static HELLO: std::sync::LazyLock<Value> = std::sync::LazyLock::new(Rig::hello);

#[tokio::test(start_paused = true)]
async fn s10_4_an_account_is_out_by_its_keys_only_when_all_are_refused() {
    let rig = rig(taking(&[SECOND]), "", &[]).await;
    assert_eq!(rig.chat(&HELLO).await.status, 200);
    assert_eq!(came(&rig), "AAAA BBBB");
    sleep(Duration::from_secs(30)).await;
    rig.simulator.set_script(taking(&[]));
    let told = rig.chat(&HELLO).await;
    told.is_error(502, "upstream_auth_error");
    for words in [
        "GROQ_API_KEY: current key tail is ...AAAA (len=39)",
        "GROQ_API_KEY: current key tail is ...BBBB (len=39)",
    ] {
        assert!(told.text().contains(words), "{words} in {told:?}");
    }
    let line = rig.line(&told);
    assert_eq!(
        (&line["level"], &line["account"], &line["key_tail"]),
        (&json!("ERROR"), &json!("home"), &json!("...AAAA"))
    );
    assert_eq!(came(&rig), "BBBB");
    assert_eq!(rig.log.of("account_rests").len(), 1);
    assert_eq!(account(&rig).await["state"], "key_refused");
    assert_eq!(rig.get("/ready").await.status, 503);
    #[rustfmt::skip]
    let rows = [
        // after, s   who is asked: each finds out for itself, when its own rest is over
        (1,           ""),
        (28,          ""),
        (2,           "AAAA"),
        (28,          ""),
        (2,           "BBBB"),
        (80,          ""),
        (12,          "AAAA"),
    ];
    for (seconds, expected) in rows {
        sleep(Duration::from_secs(seconds)).await;
        let told = rig.chat(&HELLO).await;
        told.is_error(502, "upstream_auth_error");
        assert_eq!(came(&rig), expected, "{seconds} s later");
    }
    // An operator ends it immediately, for all of them.
    rig.simulator.set_script(taking(&[SECOND]));
    let refreshed = rig.post("/admin/refresh", &Value::Null).await;
    assert_eq!(refreshed.status, 200);
    rig.simulator.clear_requests();
    assert_eq!(rig.chat(&HELLO).await.status, 200);
    assert_eq!(came(&rig), "AAAA BBBB");
    rig.post("/admin/clear", &json!({"account": "home"})).await;
    assert_eq!(rig.chat(&HELLO).await.status, 200);
    assert_eq!(came(&rig), "AAAA BBBB");
}

#[tokio::test(start_paused = true)]
async fn s10_1_a_refused_key_counts_as_an_attempt_and_draws_from_the_one_quota() {
    let one = [("MAX_FALLBACK_ATTEMPTS", "1")];
    let rig = rig(taking(&[SECOND]), "", &one).await;
    assert_eq!(rig.chat(&HELLO).await.status, 503);
    assert_eq!(came(&rig), "AAAA");
    assert_eq!(rig.chat(&HELLO).await.status, 200);
    assert_eq!(came(&rig), "BBBB");

    let three = "limits = [{ requests = 3, per = \"hour\" }]\n";
    let rig = self::rig(taking(&[SECOND]), three, &[]).await;
    assert_eq!(rig.chat(&HELLO).await.status, 200);
    assert_eq!(rig.chat(&HELLO).await.status, 200);
    let out = rig.chat(&HELLO).await;
    out.is_error(503, "account_rate_limited");
    assert_eq!(
        came(&rig),
        "AAAA BBBB BBBB",
        "three, whoever they went with"
    );
    let shown = account(&rig).await;
    let bucket = &shown["buckets"][0];
    assert_eq!((&bucket["used"], &bucket["limit"]), (&json!(3), &json!(3)));
}

#[tokio::test(start_paused = true)]
async fn s10_4_a_failure_of_the_models_behind_a_refused_key_is_the_models() {
    let broken = Plan::from(Step::status(500, &[], "")).then(PlanEnd::Last);
    let script = groq(ProviderScript::new().others(broken), &[SECOND]);
    let rig = rig(script, "", &[]).await;
    let told = rig.chat(&HELLO).await;
    told.is_error(503, "all_models_unavailable");
    assert_eq!(came(&rig), "AAAA BBBB");
}

#[tokio::test(start_paused = true)]
async fn s10_6_every_key_of_the_account_is_cut_from_what_it_answers() {
    let said = format!("{FIRST} and {SECOND}");
    let answer = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
    });
    let refusal = json!({"error": {"message": said, "code": 400}});
    #[rustfmt::skip]
    let rows = [
        (Step::status(200, &[], answer),    200),
        (Step::status(400, &[], refusal),   400),
    ];
    for (step, status) in rows {
        let script = groq(ProviderScript::new().others(step), &[SECOND]);
        let rig = rig(script, "", &[]).await;
        for body in [Rig::hello(), Rig::hello_stream()] {
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert!(answer.text().contains("*** and ***"), "{answer:?}");
        }
        let mut said = rig.log.all().concat();
        for path in ["/admin/state", "/metrics", "/ready"] {
            said += &rig.get(path).await.text();
        }
        for key in [FIRST, SECOND] {
            assert!(!said.contains(key), "{said}");
        }
    }
}
