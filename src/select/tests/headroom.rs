//! Which candidate is asked, by what is left of the quotas (spec §10.5).

use super::*;
use crate::ledger::{Counted, Ends, Limit, LimitSource, Per, Unit, Used};
use crate::provider::{Provider, find};
use crate::request::ChatRequest;

/// The limits of Groq and Z.ai.
type Limits = [Option<Limit>; 2];

fn limit(amount: u64, unit: Unit, source: LimitSource) -> Limit {
    let (per, ends) = match unit {
        Unit::AtOnce => (Per::Moment, None),
        Unit::Requests => (Per::Day, Some(Ends::Utc)),
        Unit::Tokens | Unit::TokensIn | Unit::TokensOut | Unit::Neurons => (Per::Minute, None),
    };
    Limit {
        amount,
        unit,
        per,
        of: Counted::Account,
        ends,
        models: Vec::new(),
        source,
    }
}

/// x through two accounts at Groq, y at Z.ai.
fn house(limits: &Limits, now: Now) -> (Snapshot, Knowledge) {
    let account = |label: &str| {
        let provider = label.split('#').next().unwrap();
        Arc::new(AccountId::new(
            ProviderId::try_from(provider).unwrap(),
            label,
        ))
    };
    let offer = |provider: &str, id: &str| Offer {
        provider: ProviderId::try_from(provider).unwrap(),
        ..model(id, 1, &[])
    };
    let row = |(name, limit): (&str, &Option<Limit>)| {
        Arc::new(Provider {
            limits: limit.iter().cloned().collect(),
            ..Provider::clone(find(name).unwrap())
        })
    };
    let rows: Vec<_> = ["groq", "zai"].into_iter().zip(limits).map(row).collect();
    let snapshot = Snapshot::new(Parts {
        accounts: ["groq", "groq#2", "zai"].map(account).into(),
        ..parts(vec![offer("groq", "x"), offer("zai", "y")])
    });
    let mut known = Knowledge::default();
    let snapshot = known.list(snapshot, &rows, now);
    (snapshot, known)
}

/// This many requests went to each of the three; all have ended, or none has.
fn draw(house: &Snapshot, known: &mut Knowledge, drawn: [usize; 3], have_ended: bool, now: Now) {
    for (candidate, count) in house.candidates().iter().zip(drawn) {
        let slot = house.slot(candidate).unwrap();
        for _ in 0..count {
            let ask = crate::ledger::Ask::default();
            let reservation = known.ledger.reserve(slot, ask, now);
            // What has not ended stays charged.
            if have_ended {
                let used = Used::Received { bytes: 0 };
                known.ledger.settle(reservation, used, false, now);
            }
        }
    }
}

fn labels(candidates: &[Arc<Candidate>]) -> String {
    let labels = candidates.iter().map(|c| &*c.account.label);
    labels.collect::<Vec<_>>().join(" ")
}

#[test]
fn s10_5_what_is_left_decides_which_is_asked() {
    use LimitSource::{Default as Usual, Set};
    use Unit::{AtOnce, Requests, Tokens};
    let now = now();
    let some = |amount, unit, source| Some(limit(amount, unit, source));
    let body = format!(r#"{{"messages":[{{"content":"{}"}}]}}"#, "x".repeat(4000));
    let needs = ChatRequest::read(body.into(), 128).unwrap().needs;
    type Row<'a> = (Limits, [usize; 3], bool, &'a str, &'a str, &'a str);
    #[rustfmt::skip]
    let rows: Vec<Row<'_>> = vec![
        // limits of groq, of zai                          drawn      ended  next                  all that could be asked   told
        ([None, None],                                     [9, 9, 9], true,  "x",                  "groq groq#2 zai",        ""),
        ([some(2, Requests, Set), None],                   [1, 0, 0], true,  "x",                  "groq groq#2 zai",        ""),
        ([some(2, Requests, Set), None],                   [2, 0, 0], true,  "x",                  "groq#2 zai",             ""),
        ([some(2, Requests, Set), None],                   [2, 2, 0], true,  "y",                  "zai",                    ""),
        ([some(2, Requests, Set), some(2, Requests, Set)], [2, 3, 2], true,  "all cooling, 57600s", "",                      "day 57600"),
        // A number that is not certain: asked later, not out.
        ([some(2, Requests, Usual), None],                 [2, 0, 0], true,  "x",                  "groq#2 zai groq",        ""),
        ([some(2, Requests, Usual), None],                 [2, 2, 0], true,  "y",                  "zai groq groq#2",        ""),
        ([some(2, Requests, Usual), some(1, Requests, Set)], [2, 2, 1], true, "x",                 "groq groq#2",            ""),
        // As many are under way as are allowed: the next, or a wait; nothing rests.
        ([some(1, AtOnce, Usual), None],                   [1, 0, 0], false, "x",                  "groq#2 zai",             ""),
        ([some(1, AtOnce, Usual), some(1, AtOnce, Usual)], [1, 1, 1], false, "wait, None",         "",                       ""),
        ([some(1, AtOnce, Usual), some(1, Requests, Set)], [1, 1, 1], false, "wait, Some(57600s)", "",                       ""),
        ([some(1, AtOnce, Usual), None],                   [1, 0, 0], true,  "x",                  "groq groq#2 zai",        ""),
        // The request alone is too large: another candidate, but the first if it is so of all.
        ([some(900, Tokens, Set), None],                   [0, 0, 0], true,  "y",                  "zai",                    ""),
        ([some(900, Tokens, Set), some(1, Requests, Set)], [0, 0, 1], true,  "all cooling, 57600s", "",                      "day 57600"),
        ([some(900, Tokens, Set), some(900, Tokens, Set)], [0, 0, 0], true,  "x",                  "groq groq#2 zai",        ""),
    ];
    for (limits, drawn, have_ended, expected, all, told) in rows {
        let (house, mut known) = house(&limits, now);
        draw(&house, &mut known, drawn, have_ended, now);
        let wants = wants(&needs);
        let case = format!("{limits:?} {drawn:?}");
        let chosen = next(Some(&house), wants, &known, now);
        assert_eq!(in_words(&chosen), expected, "{case}");
        let awake = awake(&house, wants, &known, now).into_iter();
        let awake: Vec<_> = awake.map(|one| one.candidate).collect();
        assert_eq!(labels(&awake), all, "{case}");
        if let Some(candidate) = chosen.candidate() {
            assert!(Arc::ptr_eq(candidate, &awake[0]), "{case}");
        }
        let ruled = ruled(&house, wants, &known, now);
        let ruled = ruled.map(|r| format!("{} {}", r.limit.as_str(), r.left.as_secs()));
        assert_eq!(ruled.unwrap_or_default(), told, "{case}");
        let out = left_out(&house, wants, &known, now);
        assert_eq!(awake.len() + out.len(), 3, "{case}");
    }
}

#[test]
fn s10_5_what_is_left_out_names_the_bucket_and_is_counted() {
    let now = now();
    let set = |amount, unit| Some(limit(amount, unit, LimitSource::Set));
    let limits = [set(2, Unit::Requests), set(1, Unit::AtOnce)];
    let (house, mut known) = house(&limits, now);
    draw(&house, &mut known, [2, 0, 0], true, now);
    draw(&house, &mut known, [0, 2, 1], false, now);
    let needs = Needs::default();
    let out = left_out(&house, wants(&needs), &known, now);
    let named = out.iter().map(|(candidate, why)| {
        let (LeftOut::Spent { bucket, .. } | LeftOut::Busy(bucket)) = why else {
            return format!("{why:?}");
        };
        let bucket = known.ledger.bucket_view(*bucket, now).unwrap();
        let (used, limit) = (bucket.used, bucket.limit);
        let unit = bucket.unit.as_str();
        format!("{} {used}/{limit} {unit}", candidate.account.label)
    });
    assert_eq!(
        named.collect::<Vec<_>>(),
        [
            "groq 2/2 requests",
            "groq#2 2/2 requests",
            "zai 1/1 at once"
        ]
    );
    let count = Unavailable::count(&house, wants(&needs), &known, now);
    assert_eq!(
        count.in_words().as_deref(),
        Some("1 model is busy, 2 accounts are out for today")
    );
}
