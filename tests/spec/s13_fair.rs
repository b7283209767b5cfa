//! Fair days: what one client leaves to the others (spec §13).

use std::time::Duration;

use serde_json::json;
use simulator::ProviderScript;
use tokio::time::sleep;

use crate::rig::{Answer, Rig, abc};

const KEYS: (&str, &str) = (
    "PROXY_API_KEY",
    "alice:key-of-alice-0123,bob:key-of-bob-012345,proxy-key-for-tests",
);

async fn by(rig: &Rig, name: &str, path: &str) -> Answer {
    let key = match name {
        "alice" => "key-of-alice-0123",
        _ => "key-of-bob-012345",
    };
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    rig.send("POST", path, &headers, Rig::hello().to_string())
        .await
}

async fn chat(rig: &Rig, name: &str) -> Answer {
    by(rig, name, "/v1/chat/completions").await
}

/// A proxy with one account, which may be asked four times a day.
async fn rig(fair: &'static str) -> Rig {
    let file = "[providers.groq]\nmodels = ['a', 'b']\nlimits = [{ requests = 4, per = 'day' }]\n";
    let settings = [
        KEYS,
        ("CONFIG_FILE", file),
        ("FAIR_SHARE", fair),
        ("WAIT_SEC", "20"),
    ];
    let script = abc().provider("groq", ProviderScript::new().entries(vec!["a", "b"]));
    Rig::paused_with_providers(script, &[("groq", 1)], &settings).await
}

#[tokio::test(start_paused = true)]
async fn s13_beyond_half_a_day_nobody_takes_more_than_a_share_while_another_asks() {
    let rig = rig("on").await;
    assert_eq!(chat(&rig, "bob").await.status, 200);
    sleep(Duration::from_secs(60)).await;
    for _ in 0..2 {
        assert_eq!(chat(&rig, "alice").await.status, 200);
    }
    rig.asked();
    let over = chat(&rig, "alice").await;
    over.is_error(429, "client_rate_limited");
    assert_eq!(over.header("retry-after"), (3600 - 60).to_string());
    assert!(
        over.text().contains("share of the free requests"),
        "{over:?}"
    );
    assert_eq!(rig.asked(), "", "nothing is asked");
    let explained = by(&rig, "alice", "/admin/explain").await.json();
    assert_eq!(explained["candidates"], json!([]));
    for left_out in explained["left_out"].as_array().unwrap() {
        assert_eq!(left_out["why"], "share", "{left_out}");
    }
    assert_eq!(explained["would_answer"]["status"], 429);
    // To bob and to whoever comes next the rest is open.
    let explained = by(&rig, "bob", "/admin/explain").await.json();
    assert_eq!(explained["candidates"].as_array().unwrap().len(), 2);
    // An hour after bob's last request alice may take what is left.
    sleep(Duration::from_secs(3600 - 60)).await;
    assert_eq!(chat(&rig, "alice").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s13_without_the_setting_a_day_is_first_come_first_served() {
    let rig = rig("off").await;
    assert_eq!(chat(&rig, "bob").await.status, 200);
    for _ in 0..3 {
        assert_eq!(chat(&rig, "alice").await.status, 200);
    }
    chat(&rig, "bob")
        .await
        .is_error(503, "account_rate_limited");
}

/// Whoever waits for a share keeps nothing of the day from those to whom it is open.
#[tokio::test(start_paused = true)]
async fn s13_who_waits_for_a_share_holds_up_nobody_else() {
    let rig = rig("on").await;
    assert_eq!(chat(&rig, "bob").await.status, 200);
    for _ in 0..2 {
        assert_eq!(chat(&rig, "alice").await.status, 200);
    }
    sleep(Duration::from_secs(3590)).await;
    let begun = tokio::time::Instant::now();
    let alice = chat(&rig, "alice");
    let bob = async {
        sleep(Duration::from_secs(1)).await;
        let answer = chat(&rig, "bob").await;
        (answer.status, begun.elapsed())
    };
    let (_, bob) = futures_util::future::join(alice, bob).await;
    assert_eq!(bob, (200, Duration::from_secs(1)));
}
