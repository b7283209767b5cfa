//! §11.5: a request that waits is not passed by another for what it waits for, and does not hold up others for
//! anything else.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{Answer as Told, ProviderScript, Script, Step, Usage};
use tokio::time::{Instant, sleep, sleep_until};

use crate::rig::{Rig, abc, ranking};
use crate::s11_5_waiting::{WAIT, limited, then_well};
use crate::scripts::{late, ranking_with};

/// Groq with one model and these further lines of its row.
fn groq(lines: &str) -> String {
    format!("[providers.groq]\nmodels = ['openai/gpt-oss-120b']\n{lines}")
}

/// What two models say at first, when requests come, in seconds, of so many bytes each, and what is told.
type Row<'a> = (Vec<Step>, Vec<Step>, &'a [(f64, usize)], &'a [&'a str]);

/// A request whose prompt is so many bytes long.
fn of(bytes: usize) -> Value {
    let content = "w".repeat(bytes);
    json!({"messages": [{"role": "user", "content": content}]})
}

/// Who answers requests of these sizes that come so many seconds after `start`, and when, in such seconds.
async fn told(rig: &Rig, start: Instant, requests: &[(f64, usize)]) -> Vec<String> {
    let ask = async |(at, bytes): &(f64, usize)| {
        sleep_until(start + Duration::from_secs_f64(*at)).await;
        let answer = rig.chat(&of(*bytes)).await;
        let by = match answer.status {
            200 => answer.header("x-free-llm-proxy-model").to_owned(),
            status => status.to_string(),
        };
        let at = start.elapsed().as_secs_f64().round();
        format!("{} at {at}", by.trim_end_matches(":free"))
    };
    join_all(requests.iter().map(ask)).await
}

#[tokio::test(start_paused = true)]
async fn s11_5_who_waits_for_the_large_one_does_not_stand_before_who_fits_elsewhere() {
    const TINY: usize = 10;
    const SMALL: usize = 70_000;
    const BIG: usize = 120_000;
    let slow = |seconds: u64| {
        Step::from(Told {
            first_delay_ms: seconds * 1000,
            ..Told::text("hello")
        })
    };
    let fails_late = late(429, &[("Retry-After", "100")], 10_000);
    #[rustfmt::skip]
    let rows: [Row<'_>; 3] = [
        // what x says, which holds all         what y says, which holds 80 kB  comes at, s, of so many bytes                     who answers, when
        (vec![limited("38")],                   vec![limited("24")],            &[(22.0, BIG), (22.3, SMALL), (27.3, TINY)],      &["x at 38", "y at 24", "y at 27"]),
        // A plain request is finding out whether x is well, and takes a minute.
        (vec![limited("22"), slow(60)],         vec![limited("30")],            &[(23.0, TINY), (24.0, BIG), (24.3, SMALL), (40.0, TINY)], &["x at 83", "x at 83", "y at 30", "y at 40"]),
        // It finds out that x is not.
        (vec![limited("22"), fails_late],       vec![limited("30")],            &[(23.0, TINY), (24.0, BIG), (24.3, SMALL)],      &["y at 33", "503 at 33", "y at 30"]),
    ];
    for (x, y, requests, expected) in rows {
        let list = ranking_with(&["x:free", "y:free"], |list| {
            list["models"][0]["contextLength"] = 1_000_000.into();
            list["models"][1]["contextLength"] = 10_000.into();
        });
        let script = Script::new().list(list);
        let script = script
            .model("x:free", then_well(x.clone()))
            .model("y:free", then_well(y));
        let rig = Rig::paused(script, &[WAIT, ("UPSTREAM_TIMEOUT_SEC", "90")]).await;
        let start = Instant::now();
        assert_eq!(told(&rig, start, &[(0.0, TINY)]).await, ["503 at 0"]);
        assert_eq!(told(&rig, start, requests).await, expected, "{x:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_5_who_is_over_a_limit_does_not_stand_before_who_is_not() {
    let own = ProviderScript::new().others(then_well([limited("30")]));
    let script = Script::new()
        .list(ranking(&["x:free"]))
        .model("x:free", then_well([limited("40")]))
        .provider("groq", own);
    let file = groq("limits = [{ tokens = 6000, per = 'minute', of = 'account' }]\n");
    let providers = [("openrouter", 1), ("groq", 1)];
    let settings = [WAIT, ("CONFIG_FILE", &*file)];
    let rig = Rig::paused_with_providers(script, &providers, &settings).await;
    let start = Instant::now();
    assert_eq!(told(&rig, start, &[(0.0, 10)]).await, ["503 at 0"]);
    // Some 7,000 tokens, and 5,000.
    let requests = [(24.0, 28_000), (24.2, 20_000)];
    let expected = ["x at 40", "groq/openai/gpt-oss-120b at 30"];
    assert_eq!(told(&rig, start, &requests).await, expected);
}

#[tokio::test(start_paused = true)]
async fn s11_5_nobody_who_comes_later_takes_the_tokens_that_a_larger_one_waits_for() {
    const SMALL: usize = 2_000;
    const BIG: usize = 16_000;
    // Where an answer does not say what was used, the estimates count.
    let answers = Step::from(Told {
        usage: Usage::None,
        ..Told::text("hello")
    });
    let script = abc().provider("groq", ProviderScript::new().others(answers));
    let file = groq("limits = [{ tokens_in = 6000, per = 'minute', of = 'account' }]\n");
    let providers = [("openrouter", 1), ("groq", 1)];
    let settings = [WAIT, ("CONFIG_FILE", &*file), ("PROVIDERS", "groq")];
    let rig = Rig::paused_with_providers(script, &providers, &settings).await;
    // Until the paused clock is ahead of the real one, dates follow that.
    sleep(Duration::from_secs(60)).await;
    let start = Instant::now();
    let first: Vec<_> = (0..11).map(|n| (f64::from(n), SMALL)).collect();
    told(&rig, start, &first).await;
    // About 5,600 of the 6,000 are used, and 510 of them return each second from 60 s on: the large one has its
    // 4,010 at 67 s.
    let requests = [(52.0, BIG), (52.5, SMALL), (53.5, SMALL), (54.5, SMALL)];
    let by = |at: u64| format!("groq/openai/gpt-oss-120b at {at}");
    let expected = [67, 68, 69, 70].map(by);
    assert_eq!(told(&rig, start, &requests).await, expected);
}

#[tokio::test(start_paused = true)]
async fn s11_5_who_waits_for_another_looks_when_one_not_worth_waiting_for_is_back() {
    let broke = json!({"error": {"code": 402, "message": "Insufficient credits"}});
    let broke = Step::status(402, &[("Retry-After", "8")], broke);
    let own = ProviderScript::new().others(then_well([limited("16")]));
    let script = Script::new()
        .list(ranking(&["x:free"]))
        .account(then_well([broke]))
        .provider("groq", own);
    let file = groq("");
    let providers = [("openrouter", 1), ("groq", 1)];
    let settings = [WAIT, ("CONFIG_FILE", &*file)];
    let rig = Rig::paused_with_providers(script, &providers, &settings).await;
    let requests = [(0.0, 10), (2.0, 10)];
    // The first was told itself that there is no credit.
    let expected = ["groq/openai/gpt-oss-120b at 16", "x at 8"];
    assert_eq!(told(&rig, Instant::now(), &requests).await, expected);
}
