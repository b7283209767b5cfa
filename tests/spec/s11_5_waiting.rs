//! §11.5: waiting for the first to wake.

use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use simulator::{
    Account, Answer as Told, Failure, Limit, Per, Plan, PlanEnd, ProviderScript, Script, Step,
};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep};

use crate::rig::providers::key_of;
use crate::rig::{Answer, Rig, abc, ranking};
use crate::scripts::{STALL, in_bytes, late, ranking_with};

pub const WAIT: (&str, &str) = ("WAIT_SEC", "20");

/// A 429 of one model, which rests for so long.
pub fn limited(seconds: &str) -> Step {
    Step::status(429, &[("Retry-After", seconds)], "")
}

/// A 429 of the account.
fn minute(seconds: &str) -> Step {
    let body =
        json!({"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-min. "}});
    Step::status(429, &[("Retry-After", seconds)], body)
}

pub fn then_well(steps: impl IntoIterator<Item = Step>) -> Plan<Step> {
    Plan::from(steps.into_iter().collect::<Vec<_>>()).then(PlanEnd::Ok)
}

fn one() -> Script {
    Script::new().list(ranking(&["a:free"]))
}

/// The answer, and how many milliseconds it took.
async fn timed(rig: &Rig, body: &Value) -> (Answer, u64) {
    let begun = Instant::now();
    let answer = rig.chat(body).await;
    (answer, begun.elapsed().as_millis().try_into().unwrap())
}

/// `200 at 8`: the status, and the second in which it came.
async fn said(rig: &Rig, body: &Value) -> String {
    let (answer, took) = timed(rig, body).await;
    format!("{} at {}", answer.status, (took + 50) / 1000)
}

#[tokio::test(start_paused = true)]
async fn s11_5_when_all_rest_the_request_waits_for_the_first_that_returns_in_its_time() {
    let one_of = |steps: Vec<Step>| one().model("a:free", then_well(steps));
    let of_account = |seconds| abc().account(then_well([minute(seconds)]));
    #[rustfmt::skip]
    let rows = [
        // who says what                                         settings                             who is asked   what is said
        (one_of(vec![limited("8")]),                             vec![],                              "a a",         "200 at 8"),
        (one_of(vec![limited("19")]),                            vec![],                              "a a",         "200 at 19"),
        (one_of(vec![limited("20")]),                            vec![],                              "a",           "503 at 0"),
        (abc().model("a:free", limited("9")).model("b:free", then_well([limited("6")])).model("c:free", limited("8")),
                                                                 vec![],                              "a b c b",     "200 at 6"),
        (of_account("8"),                                        vec![],                              "a a",         "200 at 8"),
        (of_account("21"),                                       vec![],                              "a",           "503 at 0"),
        // What is left of it after a fruitless try may be used.
        (one_of(vec![limited("8"), limited("5")]),               vec![],                              "a a a",       "200 at 13"),
        (one_of(vec![limited("8"), limited("13")]),              vec![],                              "a a",         "503 at 8"),
        // It counts from the request's arrival, and so do attempts.
        (one_of(vec![late(429, &[("Retry-After", "13")], 6_000)]), vec![],                            "a a",         "200 at 19"),
        (one_of(vec![late(429, &[("Retry-After", "15")], 6_000)]), vec![],                            "a",           "503 at 6"),
        // The budget is not exceeded for it, nor the number of attempts.
        (one_of(vec![limited("4")]),                             vec![("REQUEST_BUDGET_SEC", "5")],   "a a",         "200 at 4"),
        (one_of(vec![limited("8")]),                             vec![("REQUEST_BUDGET_SEC", "5")],   "a",           "503 at 0"),
        (one_of(vec![limited("8")]),                             vec![("MAX_FALLBACK_ATTEMPTS", "1")], "a",          "503 at 0"),
        (one_of(vec![limited("8")]),                             vec![("WAIT_SEC", "7.9")],           "a",           "503 at 0"),
        (one_of(vec![limited("8")]),                             vec![("WAIT_SEC", "0")],             "a",           "503 at 0"),
        // Who failed on this very request is not asked by it again.
        (one_of(vec![Step::status(500, &[], "")]),               vec![("GENERIC_ERROR_COOLDOWN_SEC", "5")], "a",     "503 at 0"),
    ];
    for (script, own, asked, expected) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let settings = [&[WAIT], &*own].concat();
            let settings: Vec<_> = settings.into_iter().rev().collect();
            let rig = Rig::paused(script.clone(), &settings).await;
            assert_eq!(said(&rig, &body).await, expected, "{script:?} {own:?}");
            assert_eq!(rig.asked(), asked, "{script:?} {own:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_5_who_comes_while_all_rest_waits_too() {
    let failing = Step::status(500, &[], "");
    #[rustfmt::skip]
    let rows = [
        // what `a`, the only one, says at first   comes after, s   what is said
        (limited("30"),                            11,              "200 at 19"),
        (limited("30"),                            9,               "503 at 0"),
        (failing,                                  50,              "200 at 10"),
    ];
    for (step, after, expected) in rows {
        let rig = Rig::paused(one().model("a:free", then_well([step.clone()])), &[WAIT]).await;
        assert_eq!(said(&rig, &Rig::hello()).await, "503 at 0");
        sleep(Duration::from_secs(after)).await;
        assert_eq!(said(&rig, &Rig::hello()).await, expected, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_5_how_long_it_waited_is_told() {
    let rig = Rig::paused(one().model("a:free", then_well([limited("8")])), &[WAIT]).await;
    let answer = rig.chat(&Rig::hello()).await;
    let line = rig.line(&answer);
    assert_eq!(rig.attempts(&answer), "a rate_limited 429, a success");
    let waited = line["waited_ms"].as_u64().unwrap();
    assert!((7_990..8_010).contains(&waited), "{line}");
    let at_once = rig.chat(&Rig::hello()).await;
    assert_eq!(rig.line(&at_once)["waited_ms"], 0);
    #[rustfmt::skip]
    let rows = [
        ("freellm_waited_seconds_count",             1.0),
        ("freellm_waited_seconds_bucket{le=\"5\"}",  0.0),
        ("freellm_waited_seconds_bucket{le=\"10\"}", 1.0),
    ];
    for (name, expected) in rows {
        assert_eq!(rig.metric(name).await, Some(expected), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_5_it_waits_for_no_key_no_credit_no_provider_and_nobody_who_is_gone() {
    let broke = Step::status(
        402,
        &[("Retry-After", "5")],
        json!({"error": {"message": "x"}}),
    );
    #[rustfmt::skip]
    let rows = [
        // what the account, or its only model, says   what everybody is told at once
        (broke,                                        402),
        (Failure::UserNotFound.into(),                 502),
        (Failure::NoEndpoints.into(),                  503),
    ];
    for (step, status) in rows {
        let script = one().model("a:free", then_well([step.clone()]));
        let settings = [("WAIT_SEC", "30000"), ("REQUEST_BUDGET_SEC", "40000")];
        let rig = Rig::paused(script, &settings).await;
        for _ in 0..2 {
            assert_eq!(
                said(&rig, &Rig::hello()).await,
                format!("{status} at 0"),
                "{step:?}"
            );
        }
        assert_eq!(rig.asked(), "a", "{step:?}");
    }
    let own =
        ProviderScript::new().others(Step::status(418, &[], json!({"error": "not on the moon"})));
    let script = Script::new()
        .list(ranking(&["a:free"]))
        .provider("groq", own);
    let file = "[providers.groq]\nmodels = ['openai/gpt-oss-120b']\n[[errors]]\nprovider = 'groq'\nstatus = 418\nmatch = 'on the moon'\nmeans = 'region'\n";
    let settings = [
        ("WAIT_SEC", "30000"),
        ("REQUEST_BUDGET_SEC", "40000"),
        ("MODEL_FIELD", "pin"),
        ("CONFIG_FILE", file),
    ];
    let rig =
        Rig::paused_with_providers(script, &[("openrouter", 1), ("groq", 1)], &settings).await;
    let hello = json!({"model": "groq/auto", "messages": [{"role": "user", "content": "Hello!"}]});
    for _ in 0..2 {
        assert_eq!(said(&rig, &hello).await, "503 at 0");
    }
    assert_eq!(rig.sent_up().len(), 1);
}

/// A proxy with an account at Groq that has these limits, set and true.
async fn groq(set: &str, limits: &[Limit], step: Step, settings: &[(&str, &str)]) -> Rig {
    let account = Account::new("groq", key_of("groq", 1)).id("id-1");
    let own = ProviderScript::new()
        .account(account.limits(limits))
        .others(step);
    let script = abc().provider("groq", own);
    let file = format!("[providers.groq]\nmodels = ['openai/gpt-oss-120b']\nlimits = [{set}]\n");
    let settings = [settings, &[("MODEL_FIELD", "pin"), ("CONFIG_FILE", &*file)]].concat();
    let rig =
        Rig::paused_with_providers(script, &[("openrouter", 1), ("groq", 1)], &settings).await;
    // Until the paused clock is ahead of the real one, dates follow that.
    sleep(Duration::from_secs(60)).await;
    rig
}

/// A request to Groq whose content is a number.
fn number(number: usize) -> Value {
    json!({"model": "groq/auto", "messages": [{"role": "user", "content": number.to_string()}]})
}

/// The numbers of those that went up, in their order.
fn numbers(rig: &Rig) -> String {
    let bodies = rig.sent_up();
    let content = |body: &String| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["messages"][0]["content"].as_str().unwrap().to_owned()
    };
    bodies.iter().map(content).collect::<Vec<_>>().join(" ")
}

fn over(rig: &Rig) -> u64 {
    rig.simulator.tally().values().map(|tally| tally.over).sum()
}

#[tokio::test(start_paused = true)]
async fn s11_5_headroom_is_waited_for_first_come_first_served_one_per_unit() {
    let two = [Limit::requests(2, Per::Minute)];
    let rig = groq(
        "{ requests = 2, per = \"minute\" }",
        &two,
        Step::ok("hello"),
        &[WAIT],
    )
    .await;
    let begun = Instant::now();
    for n in 1..=2 {
        assert_eq!(rig.chat(&number(n)).await.status, 200);
        sleep(Duration::from_secs(2)).await;
    }
    // They return at 60 s and at 62 s; then the next is a minute away.
    sleep(Duration::from_secs(44)).await;
    let waits = (3..=6).map(async |n| {
        sleep(Duration::from_millis(10 * n as u64)).await;
        let answer = rig.chat(&number(n)).await;
        (n, answer, begun.elapsed().as_secs())
    });
    let answers = join_all(waits).await;
    let told = |(n, answer, at): &(usize, Answer, u64)| {
        format!(
            "{n}: {} at {at} {}",
            answer.status,
            answer.header("retry-after")
        )
    };
    let told: Vec<_> = answers.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "3: 200 at 60 ",
            "4: 200 at 62 ",
            "5: 503 at 48 73",
            "6: 503 at 48 72"
        ],
        "who cannot be served in time is told so at once"
    );
    assert_eq!(numbers(&rig), "1 2 3 4");
    assert_eq!(over(&rig), 0, "no 429 was provoked");
    let refused = &answers[2].1;
    refused.is_error(503, "account_rate_limited");
}

#[tokio::test(start_paused = true)]
async fn s11_5_of_so_many_at_once_the_next_goes_when_a_place_is_free() {
    let slow = Step::from(Told {
        first_delay_ms: 3_000,
        ..Told::text("hello")
    });
    let set = "{ at_once = 2, of = 'account' }";
    let rig = groq(set, &[Limit::at_once(2)], slow, &[WAIT]).await;
    let begun = Instant::now();
    let all = (1..=7).map(async |n| {
        sleep(Duration::from_millis(n as u64)).await;
        let answer = rig.chat(&number(n)).await;
        format!("{n}: {} at {}", answer.status, begun.elapsed().as_secs())
    });
    let all = join_all(all).await.join(", ");
    assert_eq!(
        all,
        "1: 200 at 3, 2: 200 at 3, 3: 200 at 6, 4: 200 at 6, 5: 200 at 9, 6: 200 at 9, 7: 200 at 12"
    );
    assert_eq!(numbers(&rig), "1 2 3 4 5 6 7");
    assert_eq!(over(&rig), 0);
}

#[tokio::test(start_paused = true)]
async fn s11_5_after_a_rest_one_finds_out_and_the_others_go_when_it_is_well() {
    let slow = |seconds: u64| {
        Step::from(Told {
            first_delay_ms: seconds * 1000,
            ..Told::text("back")
        })
    };
    #[rustfmt::skip]
    let rows = [
        // what the probe meets, 10 s after they came     asked   what the three are told
        (slow(4),                                         3,      ["200 at 14", "200 at 14", "200 at 14"]),
        // It rests anew: the probe has been told and the others wait on.
        (late(503, &[("Retry-After", "5")], 1_000),       3,      ["503 at 11", "200 at 16", "200 at 16"]),
        (late(500, &[("Retry-After", "60")], 1_000),      1,      ["503 at 11", "503 at 11", "503 at 11"]),
        // Who hangs is waited for within the budget, and what it comes to is too late.
        (STALL,                                           1,      ["503 at 40", "503 at 40", "503 at 40"]),
    ];
    for (probe, asked, expected) in rows {
        let why = format!("{probe:?}");
        let script = one().model("a:free", then_well([limited("30"), probe]));
        let rig = Rig::paused(script, &[WAIT, ("STREAM_KEEPALIVE_SEC", "0")]).await;
        rig.chat(&Rig::hello()).await;
        rig.asked();
        sleep(Duration::from_secs(20)).await;
        let three = (0..3).map(async |n| {
            sleep(Duration::from_millis(n)).await;
            said(&rig, &Rig::hello()).await
        });
        let told = join_all(three).await;
        assert_eq!(told, expected, "{why}");
        assert_eq!(rig.asked().split(' ').count(), asked, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_5_who_wakes_and_cannot_serve_the_first_serves_who_stands_behind() {
    let list = ranking_with(&["a:free", "b:free"], |list| {
        list["models"][0]["supportsTools"] = json!(false);
    });
    let script = Script::new()
        .list(list)
        .model("a:free", then_well([limited("25")]))
        .model("b:free", then_well([limited("30")]));
    let rig = Rig::paused(script, &[WAIT]).await;
    assert_eq!(said(&rig, &Rig::hello()).await, "503 at 0");
    sleep(Duration::from_secs(20)).await;
    let mut tools = Rig::hello();
    tools["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let behind = async {
        sleep(Duration::from_secs(1)).await;
        said(&rig, &Rig::hello()).await
    };
    let (first, second) = tokio::join!(said(&rig, &tools), behind);
    assert_eq!((first.as_str(), second.as_str()), ("200 at 10", "200 at 4"));
}

#[tokio::test(start_paused = true)]
async fn s11_5_a_client_that_leaves_gives_its_place_to_the_next() {
    let one = [Limit::requests(1, Per::Minute)];
    let settings = [("WAIT_SEC", "100")];
    let rig = groq(
        "{ requests = 1, per = \"minute\" }",
        &one,
        Step::ok("hello"),
        &settings,
    )
    .await;
    assert_eq!(rig.chat(&number(1)).await.status, 200);
    sleep(Duration::from_secs(40)).await;
    let mut client = rig.pipe();
    client
        .write_all(in_bytes(&number(2)).as_bytes())
        .await
        .unwrap();
    let leaves = async {
        sleep(Duration::from_secs(5)).await;
        drop(client);
    };
    let behind = async {
        sleep(Duration::from_secs(1)).await;
        said(&rig, &number(3)).await
    };
    let ((), behind) = tokio::join!(leaves, behind);
    assert_eq!(
        behind, "200 at 19",
        "it would have waited for the next minute"
    );
    assert_eq!(numbers(&rig), "1 3");
    let lines = rig.log.of("request_done");
    let left = lines.iter().find(|line| line["status"] == 499).unwrap();
    let waited = left["waited_ms"].as_u64().unwrap();
    assert!((4_990..5_010).contains(&waited), "{left}");
}

#[tokio::test(start_paused = true)]
async fn s11_5_a_stream_waits_aloud() {
    let script = one().model("a:free", then_well([limited("8")]));
    #[rustfmt::skip]
    let rows = [
        // the period, s   when something comes, s       the model's name
        ("3",              vec![3, 6, 8],                ("", true)),
        ("15",             vec![8],                      ("a:free", false)),
        ("0",              vec![8],                      ("a:free", false)),
    ];
    for (period, times, (header, comment)) in rows {
        let settings = [WAIT, ("STREAM_KEEPALIVE_SEC", period)];
        let rig = Rig::paused(script.clone(), &settings).await;
        let begun = Instant::now();
        let body = Rig::hello_stream().to_string();
        let response = rig.open("POST", "/v1/chat/completions", &[], body).await;
        let (head, mut body) = response.into_parts();
        let name = head.headers.get("x-free-llm-proxy-model");
        assert_eq!(
            name.map_or("", |name| name.to_str().unwrap()),
            header,
            "{period}"
        );
        let (mut at, mut text) = (Vec::new(), String::new());
        while let Some(frame) = body.frame().await {
            let bytes = frame.unwrap().into_data().unwrap();
            text.push_str(std::str::from_utf8(&bytes).unwrap());
            at.push(begun.elapsed().as_secs());
        }
        at.dedup();
        assert_eq!(at, times, "{period}");
        assert_eq!(
            text.contains(": x-free-llm-proxy-model: a:free\n\n"),
            comment,
            "{text}"
        );
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_5_a_wait_ends_when_the_operator_wakes_somebody_or_a_new_list_names_one() {
    for list in [false, true] {
        let script = one().model("a:free", then_well([limited("15")]));
        let rig = Rig::paused(script.clone(), &[WAIT, ("MODELS_REFRESH_SEC", "7")]).await;
        let changes = async {
            sleep(Duration::from_secs(2)).await;
            if list {
                rig.simulator
                    .set_script(script.clone().list(ranking(&["z:free", "a:free"])));
            } else {
                assert_eq!(
                    rig.post("/admin/clear", &json!({"all": true})).await.status,
                    200
                );
            }
        };
        let hello = Rig::hello();
        let ((answer, took), ()) = tokio::join!(timed(&rig, &hello), changes);
        let expected = if list { ("z:free", 7) } else { ("a:free", 2) };
        let by = answer.header("x-free-llm-proxy-model");
        assert_eq!((by, (took + 50) / 1000), expected);
    }
}

#[tokio::test]
async fn s11_5_a_drain_lets_those_who_wait_wait_on_and_its_end_ends_them_properly() {
    #[rustfmt::skip]
    let rows = [
        // the drain may take, s   what is told
        ("20",                     (200, "")),
        ("0.3",                    (503, "shutting_down")),
    ];
    for (drain, (status, code)) in rows {
        let script = one().model("a:free", then_well([limited("1")]));
        let rig = Rig::with(script, &[WAIT, ("DRAIN_TIMEOUT_SEC", drain)]).await;
        let stops = async {
            rig.simulator.until(|s| s.models_asked().len() == 1).await;
            rig.stop();
        };
        let hello = Rig::hello();
        let (answer, ()) = tokio::join!(rig.chat(&hello), stops);
        let told = if answer.status == 200 {
            String::new()
        } else {
            answer.code()
        };
        assert_eq!((answer.status, &*told), (status, code), "{drain}");
    }
}
