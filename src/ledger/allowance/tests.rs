//! What a client may ask, in virtual time.

use std::time::Instant;

use super::*;
use crate::ledger::{Counted, LimitSource};

fn limit(amount: u64, unit: Unit, per: Per, ends: Option<Ends>) -> Limit {
    Limit {
        amount,
        unit,
        per,
        of: Counted::Account,
        ends,
        models: Vec::new(),
        source: LimitSource::Set,
    }
}

fn alice() -> ClientName {
    ClientName::try_from("alice").unwrap()
}

/// Noon of a day, UTC, and so many seconds after.
fn at(seconds: u64) -> Now {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let after = Duration::from_secs(seconds);
    Now {
        steady: *START + after,
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_014_400) + after,
    }
}

fn with(limits: &[Limit]) -> Allowances {
    let mut allowances = Allowances::default();
    allowances.set([(&alice(), limits)]);
    allowances
}

fn ask(tokens: u64) -> Ask {
    Ask {
        prompt_bytes: tokens * 4,
        max_tokens: None,
    }
}

/// Sends a request of so many tokens that is answered with usage at once: `ok`, or in how many seconds there is
/// room.
fn sends(allowances: &mut Allowances, tokens: u64, now: Now) -> String {
    match allowances.admit(&alice(), ask(tokens), now) {
        Ok(Some(debit)) => {
            let used = Used::Told {
                tokens_in: tokens,
                tokens_out: tokens,
            };
            allowances.settle(debit, 1, Some(used), now);
            "ok".to_owned()
        }
        Ok(None) => "no limits".to_owned(),
        Err(over) => over.returns_in.as_secs().to_string(),
    }
}

#[test]
fn s13_a_client_has_its_own_limits() {
    use Per::{Day, Hours, Minute};
    use Unit::{Requests, Tokens, TokensIn, TokensOut};
    let utc = Some(Ends::Utc);
    type Row<'a> = (&'a [Limit], &'a [(u64, u64, &'a str)]);
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // its limits                                 (at s, tokens of its prompt, what comes of it)
        (&[],                                         &[(0, 9, "no limits")]),
        (&[limit(2, Requests, Minute, None)],         &[(0, 9, "ok"), (10, 9, "ok"), (20, 9, "40"), (59, 9, "1"), (61, 9, "ok"), (61, 9, "9")]),
        // Noon: half a day is left.
        (&[limit(1, Requests, Day, utc)],             &[(0, 9, "ok"), (60, 9, "43140"), (43_200, 9, "ok")]),
        (&[limit(100, Tokens, Minute, None)],         &[(0, 40, "ok"), (1, 40, "59"), (1, 1, "59")]),
        (&[limit(100, TokensIn, Minute, None)],       &[(0, 40, "ok"), (1, 40, "ok"), (2, 40, "58")]),
        (&[limit(100, TokensOut, Hours(1), None)],    &[(0, 60, "ok"), (1, 30, "3599")]),
        // More than the whole limit: as an estimate it may be wrong, so it waits for an empty bucket.
        (&[limit(10, TokensIn, Minute, None)],        &[(0, 1, "ok"), (1, 99, "59"), (61, 99, "ok"), (62, 1, "59")]),
        // The last to return decides.
        (&[limit(1, Requests, Minute, None), limit(1, Requests, Day, utc)], &[(0, 9, "ok"), (1, 9, "43199"), (43_200, 9, "ok"), (43_201, 9, "86399")]),
    ];
    for (limits, requests) in rows {
        let mut allowances = with(limits);
        for (seconds, tokens, expected) in *requests {
            let told = sends(&mut allowances, *tokens, at(*seconds));
            let near = |told: &str| told.parse::<u64>().ok();
            let fits = match (near(&told), near(expected)) {
                (Some(told), Some(expected)) => (expected..expected + 5).contains(&told),
                _ => told == *expected,
            };
            assert!(fits, "{limits:?} at {seconds}: {told}, not {expected}");
        }
    }
}

#[test]
fn s13_requests_at_once_are_counted_while_they_last() {
    let mut allowances = with(&[limit(1, Unit::AtOnce, Per::Moment, None)]);
    let first = allowances.admit(&alice(), ask(9), at(0)).unwrap().unwrap();
    let over = allowances.admit(&alice(), ask(9), at(1)).unwrap_err();
    assert_eq!((over.limit, over.returns_in), (1, Duration::ZERO));
    assert_eq!(allowances.of(&alice(), at(1))[0].used, 1);
    allowances.settle(first, 1, None, at(2));
    assert_eq!(sends(&mut allowances, 9, at(2)), "ok");
    assert_eq!(sends(&mut allowances, 9, at(2)), "ok");
}

#[test]
fn s13_what_was_used_counts_in_the_end() {
    let told = |tokens_in, tokens_out| Used::Told {
        tokens_in,
        tokens_out,
    };
    type Row<'a> = (&'a str, Option<(u32, Option<Used>)>, [u64; 2]);
    #[rustfmt::skip]
    let rows: [Row<'_>; 6] = [
        // how it ended                                  requests, tokens
        ("nobody was asked",         None,                            [0, 0]),
        ("no answer",                Some((1, None)),                 [1, 25]),
        ("no answer, three times",   Some((3, None)),                 [1, 75]),
        ("with usage",               Some((1, Some(told(30, 12)))),   [1, 42]),
        ("with usage, the second",   Some((2, Some(told(30, 12)))),   [1, 67]),
        ("without",                  Some((1, Some(Used::Received { bytes: 80 }))), [1, 45]),
    ];
    for (how, end, expected) in rows {
        let limits = [
            limit(9, Unit::Requests, Per::Day, Some(Ends::Utc)),
            limit(999, Unit::Tokens, Per::Day, None),
        ];
        let mut allowances = with(&limits);
        let debit = allowances.admit(&alice(), ask(25), at(0)).unwrap().unwrap();
        let used = |allowances: &Allowances| {
            allowances
                .of(&alice(), at(9))
                .iter()
                .map(|v| v.used)
                .collect::<Vec<_>>()
        };
        assert_eq!(used(&allowances), [1, 25], "as estimated");
        match end {
            None => allowances.refund(debit, at(9)),
            Some((sent, used)) => allowances.settle(debit, sent, used, at(9)),
        }
        assert_eq!(used(&allowances), expected, "{how}");
    }
}

/// An answer is used when it comes: a minute or a day later than its prompt.
#[test]
fn s13_a_long_answer_counts_in_the_window_in_which_it_ends() {
    let utc = Some(Ends::Utc);
    #[rustfmt::skip]
    let rows = [
        // limit                                    ends at s, used then, and so long after its beginning
        (limit(999, Unit::Tokens, Per::Minute, None),    50, 70, 51, 70),
        (limit(999, Unit::Tokens, Per::Minute, None),    50, 70, 90, 40),
        (limit(999, Unit::Tokens, Per::Minute, None),    90, 40, 149, 40),
        (limit(999, Unit::Tokens, Per::Minute, None),    90, 40, 151, 0),
        (limit(999, Unit::TokensIn, Per::Minute, None),  90, 0, 91, 0),
        (limit(999, Unit::Requests, Per::Minute, None),  90, 0, 91, 0),
        (limit(999, Unit::Tokens, Per::Day, utc),        43_100, 70, 43_199, 70),
        (limit(999, Unit::Tokens, Per::Day, utc),        43_300, 40, 80_000, 40),
    ];
    for (limit, ends, expected, later, then) in rows {
        let mut allowances = with(std::slice::from_ref(&limit));
        let debit = allowances.admit(&alice(), ask(25), at(0)).unwrap().unwrap();
        let used = Used::Told {
            tokens_in: 30,
            tokens_out: 40,
        };
        allowances.settle(debit, 1, Some(used), at(ends));
        let used = |at| allowances.of(&alice(), at)[0].used;
        assert_eq!(used(at(ends)), expected, "{limit:?} {ends}");
        assert_eq!(used(at(later)), then, "{limit:?} {later}");
    }
}

#[test]
fn s13_the_longest_answer_is_reserved_until_the_request_has_ended() {
    let asks = |max_tokens| Ask {
        max_tokens,
        ..ask(10)
    };
    let usage = |tokens_out| {
        Some(Used::Told {
            tokens_in: 10,
            tokens_out,
        })
    };
    let mut allowances = with(&[limit(100, Unit::Tokens, Per::Minute, None)]);
    let over = |allowances: &mut Allowances, ask, now| {
        let told = allowances.admit(&alice(), ask, now);
        told.map(|_| ()).map_err(|over| over.returns_in.as_secs())
    };
    let first = allowances.admit(&alice(), asks(Some(80)), at(0));
    let first = first.unwrap().unwrap();
    assert_eq!(allowances.of(&alice(), at(1))[0].used, 90);
    assert_eq!(over(&mut allowances, asks(Some(80)), at(1)), Err(0));
    // Its prompt has left the window, its answer is still under way.
    assert_eq!(over(&mut allowances, asks(Some(80)), at(90)), Err(0));
    allowances.settle(first, 1, usage(20), at(90));
    assert_eq!(allowances.of(&alice(), at(90))[0].used, 20);
    // Now its usual answer is known.
    let second = allowances.admit(&alice(), asks(None), at(91));
    let second = second.unwrap().unwrap();
    assert_eq!(allowances.of(&alice(), at(91))[0].used, 50);
    allowances.refund(second, at(92));
    assert_eq!(allowances.of(&alice(), at(92))[0].used, 20);
}

#[test]
fn s13_what_was_used_outlives_the_process() {
    let utc = Some(Ends::Utc);
    let limits = [
        limit(9, Unit::Requests, Per::Minute, None),
        limit(999, Unit::Tokens, Per::Day, utc),
        limit(9, Unit::AtOnce, Per::Moment, None),
    ];
    let mut before = with(&limits);
    assert_eq!(sends(&mut before, 30, at(0)), "ok");
    let saved = serde_json::to_string(&before.save(at(10))).unwrap();
    #[rustfmt::skip]
    let rows: [(&[Limit], _, _, &[u64]); 7] = [
        // its limits now             the clock when it is read, and asked, what is used
        (&limits,                             20, 20, &[1, 60, 0]),
        (&limits,                             59, 59, &[1, 60, 0]),
        (&limits,                             61, 61, &[0, 60, 0]),
        (&limits,                             43_201, 43_201, &[0, 0, 0]),
        // It was put back.
        (&limits,                              5, 40, &[1, 60, 0]),
        (&[limit(2, Unit::Tokens, Per::Day, utc)], 20, 20, &[60]),
        (&[limit(999, Unit::Tokens, Per::Day, None)], 20, 20, &[0]),
    ];
    for (limits, read, asked, expected) in rows {
        let mut after = with(limits);
        let saved = serde_json::from_str(&saved).unwrap();
        after.restore(saved, at(10).wall, at(read));
        let used = after.of(&alice(), at(asked));
        let used: Vec<_> = used.iter().map(|view| view.used).collect();
        assert_eq!(used, expected, "{limits:?} {read}");
    }
    // Its usual answer is known too.
    let mut after = with(&limits);
    after.restore(serde_json::from_str(&saved).unwrap(), at(10).wall, at(20));
    let _under_way = after.admit(&alice(), ask(30), at(20)).unwrap().unwrap();
    assert_eq!(after.of(&alice(), at(20))[1].used, 120);
    // What already counts takes nothing.
    after.restore(serde_json::from_str(&saved).unwrap(), at(10).wall, at(20));
    assert_eq!(after.of(&alice(), at(20))[1].used, 120);
    // Nor does anyone else.
    let mut other = Allowances::default();
    let ci = ClientName::unnamed(2);
    other.set([(&ci, &limits[..])]);
    other.restore(serde_json::from_str(&saved).unwrap(), at(10).wall, at(20));
    assert!(other.of(&ci, at(20)).iter().all(|view| view.used == 0));
}

#[test]
fn s13_new_limits_keep_what_was_used_of_the_old_ones() {
    let per_minute = |amount| limit(amount, Unit::Requests, Per::Minute, None);
    let mut allowances = with(&[per_minute(1)]);
    assert_eq!(sends(&mut allowances, 9, at(0)), "ok");
    let under_way = {
        allowances.set([(&alice(), &[per_minute(2)][..])]);
        allowances.admit(&alice(), ask(9), at(1)).unwrap().unwrap()
    };
    assert_eq!(sends(&mut allowances, 9, at(2)), "58");
    allowances.set([(&alice(), &[][..])]);
    allowances.settle(under_way, 1, None, at(3));
    assert_eq!(sends(&mut allowances, 9, at(4)), "no limits");
    // Whoever is gone has no fresh allowance while its last requests begin, nor after a second change.
    allowances.set([(&alice(), &[per_minute(1)][..])]);
    assert_eq!(sends(&mut allowances, 9, at(4)), "ok");
    allowances.set([(&ClientName::unnamed(1), &[per_minute(1)][..])]);
    assert_eq!(sends(&mut allowances, 9, at(5)), "59");
    allowances.set([]);
    assert_eq!(sends(&mut allowances, 9, at(5)), "no limits");
    allowances.set([]);
    assert!(allowances.is_empty());
    // A request of before owes nothing to a limit that came later, and gives nothing back to it.
    let tokens = |amount| limit(amount, Unit::Tokens, Per::Minute, None);
    allowances.set([(&alice(), &[per_minute(9)][..])]);
    let before = allowances.admit(&alice(), ask(9), at(5)).unwrap().unwrap();
    allowances.set([(&alice(), &[tokens(99)][..])]);
    assert_eq!(sends(&mut allowances, 9, at(6)), "ok");
    allowances.refund(before, at(7));
    assert_eq!(allowances.of(&alice(), at(7))[0].used, 18);
    let other = ClientName::unnamed(1);
    assert!(allowances.admit(&other, ask(9), at(4)).unwrap().is_none());
}
