//! Promise 7 over TLS and HTTP/2: what becomes of a connection to the upstream is no failure of a
//! model's (spec §4.2, §9.3).

use serde_json::{Value, json};

use crate::program::Serving;
use crate::secured::{Act, Secured};

#[tokio::test]
async fn s4_2_what_happens_to_an_http2_connection_is_no_models_failure() {
    use Act::{Die, Leave, Refuse, Serve};
    #[rustfmt::skip]
    let rows: [(&str, &[Act], usize); 5] = [
        // the server                        with the requests                connections
        ("serves",                           &[Serve, Serve],                 1),
        ("refuses a stream",                 &[Serve, Refuse, Serve],         1),
        ("refuses one stream after another", &[Serve, Refuse, Refuse, Refuse], 2),
        ("leaves (GOAWAY)",                  &[Serve, Leave, Serve],          2),
        ("dies: a stale connection",         &[Serve, Die, Serve],            2),
    ];
    for (what, acts, connections) in rows {
        let upstream = Secured::http2(acts, 100).await;
        let serving = upstream.trusted().ready().await;
        for _ in 0..2 {
            let answer = serving.chat(&json!({"messages": []})).await;
            assert_eq!(answer.status(), 200, "{what}");
            assert_eq!(answer.headers()["x-free-llm-proxy-attempts"], "1", "{what}");
        }
        assert_eq!(upstream.connections(), connections, "{what}");
        nobody_rests(&serving, what).await;
    }
}

#[tokio::test]
async fn s4_2_a_full_http2_connection_is_joined_by_a_second_one() {
    // Both are answered only if both arrive, and the server takes one a connection.
    let upstream = Secured::http2(&[Act::Meet, Act::Meet], 1).await;
    let serving = upstream.trusted().ready().await;
    let body = json!({"messages": []});
    let (one, other) = tokio::join!(serving.chat(&body), serving.chat(&body));
    assert_eq!((one.status().as_u16(), other.status().as_u16()), (200, 200));
    assert_eq!(upstream.connections(), 2);
    nobody_rests(&serving, "a full connection").await;
}

#[tokio::test]
async fn s6_a_certificate_counts_if_the_systems_roots_vouch_for_it() {
    for (version, upstream) in [
        ("HTTP/1.1", Secured::http1().await),
        ("HTTP/2", Secured::http2(&[], 100).await),
    ] {
        let serving = upstream.trusted().ready().await;
        let answer = serving.chat(&json!({"messages": []})).await;
        assert_eq!(answer.status(), 200, "{version}");
        assert_eq!(upstream.connections(), 1, "{version}: it is kept");

        let serving = upstream.program().ready().await;
        let answer = serving.chat(&json!({"messages": []})).await;
        assert_eq!(answer.status(), 503, "{version}");
        assert_eq!(upstream.connections(), 1, "{version}: nothing was said");
    }
}

async fn nobody_rests(serving: &Serving, what: &str) {
    let ready: Value = serving.get("/ready").await.json().await.unwrap();
    assert_eq!(ready["available"], ready["models"], "{what}: {ready}");
}
