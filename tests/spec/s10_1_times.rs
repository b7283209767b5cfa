//! §10.1: what a row or the file says about a provider's timeouts and connections applies there,
//! and nowhere else.

use std::time::Duration;

use futures_util::future::join_all;
use simulator::{Answer, Point, ProviderScript, Step};
use tokio::time::Instant;

use crate::rig::{Rig, abc};

/// Begins after this long.
fn slow(seconds: u64) -> Step {
    Step::from(Answer {
        headers_delay_ms: seconds * 1000,
        ..Answer::text("late")
    })
}

#[tokio::test(start_paused = true)]
async fn s10_1_a_provider_has_its_own_time_to_begin() {
    let file = "[providers.groq]\ntimeout_sec = 7\n";
    #[rustfmt::skip]
    let rows = [
        // settings                        who is asked first, and takes s   who answers    after s
        (("LOCAL_TIMEOUT_SEC", "120"),     "local",     100,                 "local",       100),
        (("LOCAL_TIMEOUT_SEC", "120"),     "local",     130,                 "openrouter",  120),
        (("LOCAL_TIMEOUT_SEC", "50"),      "local",     60,                  "openrouter",  50),
        (("CONFIG_FILE", file),            "groq",      6,                   "groq",        6),
        (("CONFIG_FILE", file),            "groq",      8,                   "openrouter",  7),
        (("CONFIG_FILE", ""),              "groq",      29,                  "groq",        29),
    ];
    for stream in [true, false] {
        for (setting, first, takes, who, after) in rows {
            let settings = [
                setting,
                ("MODEL_ORDER", "groq/m,local/m,*"),
                ("REQUEST_BUDGET_SEC", "125"),
                ("STREAM_KEEPALIVE_SEC", "0"),
            ];
            let own = ProviderScript::new().entries(["m"]).model("m", slow(takes));
            let script = abc().provider(first, own);
            let providers = [(first, 1), ("openrouter", 1)];
            let rig = Rig::paused_with_providers(script, &providers, &settings).await;
            let hello = if stream {
                Rig::hello_stream()
            } else {
                Rig::hello()
            };
            let start = Instant::now();
            let answer = rig.chat(&hello).await;
            assert_eq!(answer.status, 200, "{first} {takes}: {answer:?}");
            let told = (
                answer.header("x-free-llm-proxy-provider"),
                start.elapsed().as_secs(),
            );
            assert_eq!(told, (who, after), "{first} {takes} {stream}");
        }
    }
}

#[tokio::test]
async fn s10_1_no_more_at_once_than_the_settings_say() {
    let file = "[providers.groq]\nconnections = 1\nlimits = []\n";
    #[rustfmt::skip]
    let rows = [
        // setting                      asked first   so many at once, the next goes elsewhere
        (("CONFIG_FILE", file),         ("groq", 2),  1),
        (("LOCAL_CONCURRENCY", "1"),    ("local", 1), 1),
        (("LOCAL_CONCURRENCY", "2"),    ("local", 1), 2),
        (("CONFIG_FILE", ""),           ("local", 1), 1),
    ];
    for (setting, first, at_once) in rows {
        let settings = [setting, ("MODEL_ORDER", "groq/m,local/m,*")];
        let own = ProviderScript::new()
            .entries(["m"])
            .model("m", Step::Stall(Point::BeforeHeaders));
        let script = abc().provider(first.0, own);
        let rig = Rig::with_providers(script, &[first, ("openrouter", 1)], &settings).await;
        let hello = Rig::hello();
        let held = join_all((0..at_once).map(|_| rig.chat(&hello)));
        let others = async {
            while rig.simulator.models_asked().len() < at_once {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            rig.chat(&hello).await
        };
        tokio::select! {
            answers = held => panic!("{setting:?} {answers:?}"),
            answer = others => {
                let who = answer.header("x-free-llm-proxy-provider");
                assert_eq!(who, "openrouter", "{setting:?}");
                let asked = rig.simulator.models_asked();
                let there = asked.iter().filter(|model| *model == "m").count();
                assert_eq!(there, at_once, "{setting:?}");
            }
        }
    }
}
