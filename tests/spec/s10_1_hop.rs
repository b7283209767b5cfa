//! A proxy that asks another, or itself (spec §10.1).

use serde_json::json;
use simulator::Simulator;

use crate::rig::{Rig, abc};

#[tokio::test]
async fn s10_1_what_comes_from_a_proxy_like_this_one_gets_508() {
    let rig = Rig::start(abc()).await;
    let hop = ("x-free-llm-proxy-hop", "1");
    let body = Rig::hello().to_string();
    #[rustfmt::skip]
    let rows = [
        ("POST", "/v1/chat/completions", body.as_str(), 508),
        ("GET",  "/v1/models",           "",            508),
        ("GET",  "/health",              "",            200),
    ];
    for (method, path, body, status) in rows {
        let answer = rig.send(method, path, &[hop], body.to_owned()).await;
        assert_eq!(answer.status, status, "{method} {path}");
        if status == 508 {
            answer.is_error(508, "loop_detected");
        }
        assert_eq!(rig.asked(), "", "nobody is asked");
        let without = rig.send(method, path, &[], body.to_owned()).await;
        assert_eq!(without.status, 200, "{method} {path}");
        rig.asked();
    }
    let sent = json!({"messages": []}).to_string();
    assert_eq!(
        rig.send("POST", "/v1/messages", &[hop], sent).await.status,
        508
    );
}

#[tokio::test]
async fn s10_1_everything_sent_to_an_address_that_the_user_gave_is_marked_as_a_hop() {
    // The upstream is at one; the ranking is no provider.
    let rig = Rig::start(abc()).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    let seen = rig.simulator.requests();
    for path in ["/models", "/chat/completions"] {
        let path = format!("{}{path}", Simulator::UPSTREAM_PATH);
        let mut asked = seen.iter().filter(|seen| seen.path == path).peekable();
        assert!(asked.peek().is_some(), "{path}");
        assert!(
            asked.all(|seen| seen.headers["x-free-llm-proxy-hop"] == "1"),
            "{path}"
        );
    }
    let mut ranking = seen.iter().filter(|seen| seen.path == Simulator::LIST_PATH);
    assert!(ranking.all(|seen| !seen.headers.contains_key("x-free-llm-proxy-hop")));
}
