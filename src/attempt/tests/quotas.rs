//! What attempts draw from quotas, and when that is settled (spec §10.5).

use std::time::Duration;

use super::*;
use crate::ledger::{Counted, LimitSource, Per, Unit};

/// 100 tokens in, 50 out.
const USED: (u16, &str) = (
    200,
    r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":50}}"#,
);
const SILENT: (u16, &str) = (0, "");

fn limit(amount: u64, unit: Unit, per: Per) -> Limit {
    Limit {
        amount,
        unit,
        per,
        of: Counted::Account,
        ends: None,
        models: Vec::new(),
        source: LimitSource::Set,
    }
}

/// Nine requests a day, 9,000 tokens a minute, one request at once.
fn limits() -> [Limit; 3] {
    [
        limit(9, Unit::Requests, Per::Day),
        limit(9_000, Unit::Tokens, Per::Minute),
        limit(1, Unit::AtOnce, Per::Moment),
    ]
}

impl House {
    /// What is used of an account's limits, as `1/9 requests set`.
    fn used(&self, label: &str) -> String {
        let snapshot = self.registry.snapshot().unwrap();
        let mut accounts = snapshot.accounts().iter();
        let account = accounts.find(|account| &*account.label == label).unwrap();
        let views = self
            .registry
            .with_known_now(|known, now| known.ledger.buckets_of(account, now));
        let words = views.iter().map(|view| {
            let (unit, source) = (view.unit.as_str(), view.source.as_str());
            format!("{}/{} {unit} {source}", view.used, view.limit)
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

async fn groq_and_mistral(groq: Answers, limits: &[Limit]) -> House {
    let played = [("groq", groq), ("mistral", &[OK] as Answers)];
    let played = played.map(|(account, answers)| Played { account, answers });
    limited_house(&played, limits).await
}

#[tokio::test]
async fn s10_5_what_an_attempt_used_counts_however_it_ended() {
    #[rustfmt::skip]
    let rows: [(Answers, &str, &str); 5] = [
        (&[USED],   "x@groq -> groq answers",             "1/9 requests set, 150/9000 tokens set, 0/1 at once set"),
        // No usage was stated: the estimate, and the bytes that came / 4.
        (&[OK],     "x@groq -> groq answers",             "1/9 requests set, 18/9000 tokens set, 0/1 at once set"),
        // A failed attempt counts.
        (&[BROKEN], "x@groq x@mistral -> mistral answers", "1/9 requests set, 1/9000 tokens set, 0/1 at once set"),
        (&[DEAD],   "x@groq x@mistral -> mistral answers", "1/9 requests set, 1/9000 tokens set, 0/1 at once set"),
        // An account that is never reached used nothing.
        (&[],       "x@mistral -> mistral answers",       "0/9 requests set, 0/9000 tokens set, 0/1 at once set"),
    ];
    for (groq, told, used) in rows {
        let house = groq_and_mistral(groq, &limits()).await;
        assert_eq!(house.chat().await, told);
        assert_eq!(house.used("groq"), used, "{told}");
    }
}

#[tokio::test]
async fn s10_5_a_client_that_goes_away_used_something_and_frees_its_place() {
    let house = groq_and_mistral(&[SILENT], &limits()).await;
    let walk = house.walk(br#"{"messages":[]}"#);
    let asked = async {
        while house.asked.lock().unwrap().is_empty() {
            tokio::task::yield_now().await
        }
    };
    tokio::select! {
        _ = walk => panic!("it is never answered"),
        () = asked => {}
    }
    assert_eq!(
        house.used("groq"),
        "1/9 requests set, 1/9000 tokens set, 0/1 at once set"
    );
}

#[tokio::test]
async fn s10_5_a_stream_holds_its_place_until_it_ends() {
    let house = groq_and_mistral(&[USED], &limits()).await;
    let answer = house
        .walk(br#"{"stream":true,"messages":[]}"#)
        .await
        .unwrap();
    let under_way = house.used("groq");
    assert!(under_way.ends_with("1/1 at once set"), "{under_way}");
    house.asked.lock().unwrap().clear();
    assert_eq!(house.chat().await, "x@mistral -> mistral answers");
    // Requests that wait for the place are told.
    let mut changes = house.registry.changes();
    drop(answer);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert!(house.used("groq").ends_with("0/1 at once set"));
}

#[tokio::test]
async fn s10_5_a_refusal_that_names_a_quota_states_it_and_one_that_was_too_large_does_not_spend_it()
{
    const LARGE: (u16, &str) = (
        413,
        r#"{"error":{"message":"Request too large for model `x` in organization `org_1` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#,
    );
    #[rustfmt::skip]
    let rows: [(Answers, &str); 2] = [
        // The usage that is reported leaves the refused attempt out.
        (&[DAY],   "1000/1000 requests stated"),
        (&[LARGE], "1/6000 tokens stated"),
    ];
    for (groq, stated) in rows {
        let house = groq_and_mistral(groq, &[]).await;
        assert_eq!(house.chat().await, "x@groq x@mistral -> mistral answers");
        assert_eq!(house.used("groq"), stated);
    }
}

#[tokio::test]
async fn s10_5_an_account_known_to_be_out_is_not_asked() {
    let house = groq_and_mistral(&[USED], &[limit(2, Unit::Requests, Per::Day)]).await;
    #[rustfmt::skip]
    let rows = [
        "x@groq -> groq answers",
        "x@groq -> groq answers",
        "x@mistral -> mistral answers",
        "x@mistral -> mistral answers",
        " -> out: day",
    ];
    for expected in rows {
        assert_eq!(house.chat().await, expected);
    }
    // An operator who clears the rests does not bring a quota back.
    house.registry.clear_all();
    assert_eq!(house.chat().await, " -> out: day");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(86_400 + 100)).await;
    assert_eq!(house.chat().await, "x@groq -> groq answers");
}
