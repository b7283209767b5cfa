//! What is worth waiting for (spec §11.5).

use super::*;
use crate::ledger::{Ask, Counted, Ends, Limit, LimitSource, Per, Unit};
use crate::provider::{Provider, find};
use crate::registry::Awaited;

/// What rests, why, and for how many seconds.
type Rested<'a> = [(&'a str, Reason, u64)];

/// The rests, what the request has ruled out, and the first return.
type Row<'a> = (&'a Rested<'a>, &'a [&'a str], Option<(&'a str, u64)>);

/// Why something rests.
#[derive(Clone, Copy, Debug)]
enum Reason {
    /// It failed, or was asked too often.
    Failed,
    /// It is gone until the next list.
    Gone,
    /// Its account is out of this.
    Out(AccountLimit),
}

fn rested(house: &Snapshot, rests: &[(&str, Reason, u64)], now: Now) -> Knowledge {
    let mut known = Knowledge::default();
    for (whom, why, seconds) in rests {
        let limit = match why {
            Reason::Failed | Reason::Gone => None,
            Reason::Out(limit) => Some(*limit),
        };
        let because = Because {
            out_of: limit.map(|limit| OutOf {
                limit,
                answer: None,
                free_requests: None,
            }),
            ..because("a")
        };
        let rest = match why {
            Reason::Gone => Rest::UntilNextList,
            Reason::Failed | Reason::Out(_) => Rest::For(Duration::from_secs(*seconds)),
        };
        known.rest(&accounts::subject(house, whom), because, rest, now);
    }
    known
}

#[test]
fn s11_5_rests_and_buckets_are_waited_for_but_no_key_no_provider_no_credit_and_no_model_that_is_gone()
 {
    use AccountLimit::{Credit, Day, Key, Minute, Quota};
    use Reason::{Failed, Gone, Out as OutOf};
    // x at Groq through two accounts, y there too; x at OVH; a router at OpenRouter; z at home.
    let house = accounts::house();
    let all_but_groq: &[&str] = &[
        "account ovh",
        "account openrouter",
        "account local",
        "account groq#2",
    ];
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // the rests                                     what it has ruled out        the first return worth waiting for
        (&[("account groq", OutOf(Minute), 8)],          all_but_groq,                Some(("account groq", 8))),
        (&[("account groq", OutOf(Day), 8)],             all_but_groq,                Some(("account groq", 8))),
        (&[("account groq", OutOf(Quota), 8)],           all_but_groq,                Some(("account groq", 8))),
        (&[("account groq", OutOf(Credit), 8)],          all_but_groq,                None),
        (&[("account groq", OutOf(Key), 8)],             all_but_groq,                None),
        (&[("provider groq", Failed, 8)],                all_but_groq,                None),
        (&[("model groq/x", Failed, 8), ("model groq/y", Failed, 6)], all_but_groq,   Some(("model groq/y", 6))),
        (&[("model groq/x", Gone, 0), ("model groq/y", Failed, 9)],   all_but_groq,   Some(("model groq/y", 9))),
        (&[("model groq/x", Gone, 0), ("model groq/y", Gone, 0)],     all_but_groq,   None),
        // All that keeps a candidate must return.
        (&[("model groq/x", Failed, 3), ("model groq/y", Failed, 3), ("account groq", OutOf(Key), 1)],    all_but_groq, None),
        (&[("model groq/x", Failed, 3), ("model groq/y", Failed, 4), ("account groq", OutOf(Minute), 7)], all_but_groq, Some(("account groq", 7))),
        // Of several, the first.
        (&[("account groq", OutOf(Key), 1), ("account groq#2", OutOf(Minute), 5), ("account ovh", OutOf(Minute), 4), ("account local", OutOf(Minute), 6)],
                                                         &["account openrouter"],     Some(("account ovh", 4))),
        // It was asked, and would not be asked again.
        (&[("model groq/x", Failed, 3), ("model groq/y", Failed, 4)], &["account ovh", "account openrouter", "account local", "model groq/x"], Some(("model groq/y", 4))),
    ];
    for (rests, ruled_out, expected) in rows {
        let (needs, now) = (Needs::default(), now());
        let known = rested(&house, rests, now);
        let tried = |name: &&str| out(&accounts::subject(&house, name), OutBy::Tried);
        let tried: Vec<_> = ruled_out.iter().map(tried).collect();
        let wants = Wants {
            out: &tried,
            ..wants(&needs)
        };
        assert!(next(Some(&house), wants, &known, now).candidate().is_none());
        let first = first_return(&house, wants, &known, 0, now);
        let first = first.map(|first| (first.awaited, first.earliest.as_secs()));
        let expected =
            expected.map(|(whom, left)| (Awaited::Subject(accounts::subject(&house, whom)), left));
        assert_eq!(first, expected, "{rests:?}");
        // With a probe ahead, no other request goes before its outcome is known.
        let second = first_return(&house, wants, &known, 1, now);
        let second = second.map(|second| second.earliest);
        let later = expected.map(|(_, left)| Duration::from_secs(left) + USUAL);
        assert_eq!(second, later, "{rests:?}");
    }
}

#[test]
fn s11_5_headroom_is_shared_out_among_those_waiting_for_it() {
    let minute = |amount| Limit {
        amount,
        unit: Unit::Requests,
        per: Per::Minute,
        of: Counted::Account,
        ends: Some(Ends::Utc),
        models: Vec::new(),
        source: LimitSource::Set,
    };
    // The clock of the rows begins at a full minute.
    #[rustfmt::skip]
    let rows = [
        // accounts at Groq, each of 2 a minute  ahead  the turn comes in
        (1,                                      0,     60),
        (1,                                      1,     60),
        (1,                                      2,     120),
        (1,                                      4,     180),
        (2,                                      3,     60),
        (2,                                      4,     120),
    ];
    for (count, ahead, expected) in rows {
        let now = now();
        let labels = ["groq", "groq:groq#2"];
        let row = Provider {
            limits: vec![minute(2)],
            ..Provider::clone(find("groq").unwrap())
        };
        let mut known = Knowledge::default();
        let list = Snapshot::new(Parts {
            accounts: labels[..count]
                .iter()
                .map(|name| accounts::account(name))
                .collect(),
            ..parts(vec![accounts::offer("groq", "x", None)])
        });
        let list = known.list(list, &[Arc::new(row)], now);
        for candidate in list.candidates() {
            for _ in 0..2 {
                let slot = list.slot(candidate).unwrap();
                drop(known.ledger.reserve(slot, Ask::default(), now));
            }
        }
        let needs = Needs::default();
        let turn = first_return(&list, wants(&needs), &known, ahead, now);
        let turn = turn.unwrap();
        assert!(matches!(turn.awaited, Awaited::Bucket(_)));
        assert_eq!(turn.earliest.as_secs(), expected, "{count} {ahead}");
        assert_eq!(turn.look_in.unwrap().as_secs(), 60, "{count} {ahead}");
    }
}

#[test]
fn s11_5_the_end_of_a_rest_not_worth_waiting_for_is_looked_at_but_not_waited_for() {
    use AccountLimit::{Credit, Minute};
    let house = accounts::house();
    let needs = Needs::default();
    #[rustfmt::skip]
    let rows: [(&Rested<'_>, Option<(u64, u64)>); 3] = [
        // the rests of Groq's two accounts                                                             the first return, when to look
        (&[("account groq", Reason::Out(Credit), 8), ("account groq#2", Reason::Out(Minute), 16)],      Some((16, 8))),
        (&[("account groq", Reason::Out(Credit), 30), ("account groq#2", Reason::Out(Minute), 16)],     Some((16, 16))),
        (&[("account groq", Reason::Out(Credit), 8), ("account groq#2", Reason::Out(Credit), 16)],      None),
    ];
    for (rests, expected) in rows {
        let now = now();
        let known = rested(&house, rests, now);
        let others = ["account ovh", "account openrouter", "account local"];
        let tried = others.map(|name| out(&accounts::subject(&house, name), OutBy::Tried));
        let wants = Wants {
            out: &tried,
            ..wants(&needs)
        };
        let first = first_return(&house, wants, &known, 0, now);
        let first = first.map(|first| (first.earliest.as_secs(), first.look_in.unwrap().as_secs()));
        assert_eq!(first, expected, "{rests:?}");
    }
}
