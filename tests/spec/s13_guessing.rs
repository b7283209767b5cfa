//! §13: guessing keys is slowed down; a valid key never is.

use std::time::Duration;

use simulator::Script;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::rig::{PROXY_KEY, Rig};
use crate::wire::{only, say};

#[tokio::test(start_paused = true)]
async fn s13_from_the_21st_wrong_key_a_minute_the_401_comes_after_a_second() {
    let rig = Rig::paused(Script::new(), &[]).await;
    let begun = Instant::now();
    for _ in 0..20 {
        guess(&rig).await.is_error(401, "invalid_api_key");
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "so many are mistakes");
    for slowed in 1..=5 {
        guess(&rig).await.is_error(401, "invalid_api_key");
        assert_eq!(begun.elapsed(), Duration::from_secs(slowed));
    }
    // A missing key is not a guess, and the right one never waits.
    let now = Instant::now();
    let keyless = rig
        .send("GET", "/v1/models", &[("authorization", "")], "")
        .await;
    keyless.is_error(401, "missing_api_key");
    assert_eq!(rig.get("/v1/models").await.status, 200);
    let either = [("authorization", "Bearer wrong"), ("x-api-key", PROXY_KEY)];
    assert_eq!(rig.send("GET", "/v1/models", &either, "").await.status, 200);
    assert_eq!(now.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let now = Instant::now();
    guess(&rig).await.is_error(401, "invalid_api_key");
    assert_eq!(
        now.elapsed(),
        Duration::ZERO,
        "a minute later it is a mistake again"
    );

    let told = rig.log.of("keys_guessed");
    assert_eq!(told.len(), 1, "once a minute: {told:#?}");
    assert_eq!(
        (&told[0]["level"], &told[0]["address"]),
        (&"WARNING".into(), &"127.0.0.1".into())
    );
    let wrong = rig
        .metric("freellm_unauthorized_total{code=\"invalid_api_key\"}")
        .await;
    let missing = rig
        .metric("freellm_unauthorized_total{code=\"missing_api_key\"}")
        .await;
    assert_eq!((wrong, missing), (Some(26.0), Some(1.0)));
    assert!(
        rig.log.of("request_rejected").is_empty(),
        "a 401 leaves no line of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn s13_so_many_are_held_and_of_the_others_the_connection_is_closed() {
    let rig = Rig::paused(Script::new(), &[]).await;
    for _ in 0..20 {
        guess(&rig).await;
    }
    let request = "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut pipe = rig.pipe();
        pipe.write_all(request.as_bytes()).await.unwrap();
        held.push(pipe);
    }
    // They are read before the clock moves on.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let begun = Instant::now();
    assert_eq!(
        say(rig.pipe(), request.as_bytes()).await,
        b"",
        "closed without a word"
    );
    assert_eq!(rig.get("/v1/models").await.status, 200);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for mut pipe in held {
        let mut said = vec![0; 4096];
        let count = pipe.read(&mut said).await.unwrap();
        only(&said[..count]).is_error(401, "invalid_api_key");
        assert!(begun.elapsed() <= Duration::from_secs(1));
    }
    guess(&rig).await.is_error(401, "invalid_api_key");
}

#[tokio::test(start_paused = true)]
async fn s13_a_guesser_that_leaves_makes_room() {
    let rig = Rig::paused(Script::new(), &[]).await;
    for _ in 0..20 {
        guess(&rig).await;
    }
    let request = "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n";
    for _ in 0..200 {
        let mut pipe = rig.pipe();
        pipe.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_micros(1)).await;
        drop(pipe);
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    guess(&rig).await.is_error(401, "invalid_api_key");
}

async fn guess(rig: &Rig) -> crate::rig::Answer {
    let wrong = [("authorization", "Bearer wrong")];
    rig.send("GET", "/v1/models", &wrong, "").await
}

#[tokio::test(start_paused = true)]
async fn s13_behind_a_trusted_proxy_each_client_is_slowed_for_itself() {
    let guesses = async |rig: &Rig, from: &str| {
        let wrong = [("authorization", "Bearer wrong"), ("x-forwarded-for", from)];
        let begun = Instant::now();
        let answer = rig.send("GET", "/v1/models", &wrong, "").await;
        answer.is_error(401, "invalid_api_key");
        begun.elapsed()
    };
    let slowed = Duration::from_secs(1);
    #[rustfmt::skip]
    let rows: [(&[_], _, _); 2] = [
        // TRUSTED_PROXIES                               another client    what the log names
        (&[("TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1")], Duration::ZERO,   "203.0.113.1"),
        (&[],                                            slowed,           "127.0.0.1"),
    ];
    for (settings, other, named) in rows {
        let rig = Rig::paused(Script::new(), settings).await;
        for _ in 0..20 {
            assert_eq!(
                guesses(&rig, "1.2.3.4, 203.0.113.1, 10.1.1.1").await,
                Duration::ZERO
            );
        }
        assert_eq!(guesses(&rig, "4.3.2.1, 203.0.113.1").await, slowed);
        assert_eq!(guesses(&rig, "203.0.113.2").await, other);
        assert_eq!(rig.logged("keys_guessed").await["address"], named);
    }
}
