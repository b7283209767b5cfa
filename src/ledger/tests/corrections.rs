//! What quota headers, refusals and the key endpoint teach.

use super::*;
use crate::model::Subject;

const MODEL: Counted = Counted::Model;

/// Groq's row of reference §4 for its gpt-oss models.
pub(super) fn groq() -> Vec<Limit> {
    let default = |amount, unit, per| limit(amount, unit, per, MODEL, LimitSource::Default);
    vec![
        default(30, Unit::Requests, Per::Minute),
        default(1000, Unit::Requests, Per::Day),
        default(8000, Unit::Tokens, Per::Minute),
        default(200_000, Unit::Tokens, Per::Day),
    ]
}

impl World {
    fn hears(
        &mut self,
        unit: Unit,
        per: Per,
        limit: u64,
        remaining: Option<u64>,
        reset: Option<f64>,
    ) {
        let reservation = self.reserve(0, Ask::default());
        let correction = Correction {
            unit,
            per,
            of: None,
            limit: Some(limit),
            remaining,
            reset: reset.map(Duration::from_secs_f64),
        };
        let now = self.now();
        self.ledger.correct(&reservation, &[correction], now);
        self.settle(reservation, told(1, 0), true);
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        let mut reservation = self.reserve(0, Ask::default());
        let now = self.now();
        self.ledger.refused(&mut reservation, refusal, now);
        self.settle(reservation, NOTHING, false);
    }

    fn bucket(&self, unit: Unit, per: Per) -> String {
        let buckets = self
            .ledger
            .buckets_of(&self.candidates[0].account, self.now());
        let bucket = buckets.iter().find(|b| b.unit == unit && b.per == per);
        bucket.map_or("none".into(), |b| {
            format!("{}/{} {}", b.used, b.limit, b.source.as_str())
        })
    }
}

pub(super) fn refusal(unit: Unit, per: Per) -> Refusal {
    Refusal {
        unit,
        per,
        of: MODEL,
        limit: None,
        used: None,
        spent: true,
        wait: None,
        resets_at: None,
        by_header: false,
    }
}

#[test]
fn s10_5_quota_headers_correct_the_buckets() {
    use Per::{Day, Minute};
    use Unit::{Requests, Tokens};
    #[rustfmt::skip]
    let rows = [
        // provider-cases §4: what the headers said, then when a request of this many tokens may go
        (Requests, Day,    1000,   Some(0),      Some(180.0),  1,    "out 180"),
        (Requests, Day,    1000,   Some(0),      Some(3723.0), 1,    "out 3723"),
        (Tokens,   Minute, 8000,   Some(150),    Some(59.0),   2500, "out 18"),  // it fills up all the time
        (Tokens,   Minute, 8000,   Some(150),    Some(20.0),   2500, "out 20"),
        (Tokens,   Minute, 8000,   Some(150),    Some(59.0),   100,  "free"),
        (Requests, Minute, 5,      Some(0),      None,         1,    "out 60"),
        (Requests, Day,    14_400, Some(0),      Some(4022.0), 1,    "out 4022"),
        (Requests, Day,    14_400, Some(14_399), None,         1,    "free"),
        (Requests, Day,    700,    None,         None,         1,    "free"),
    ];
    for (unit, per, amount, remaining, reset, size, expected) in rows {
        let name = format!("{unit:?} {per:?} {amount} {remaining:?}");
        let mut world = World::new(&groq());
        world.hears(unit, per, amount, remaining, reset);
        assert_eq!(world.said(0, tokens(size)), expected, "{name}");
        assert!(
            world
                .bucket(unit, per)
                .ends_with(&format!("/{amount} stated")),
            "{name}"
        );
        if let Some(reset) = reset {
            world.at = reset + 0.01;
            assert_eq!(world.said(0, tokens(size)), "free", "{name}");
        }
    }
}

#[test]
fn s10_5_headers_count_what_others_use_and_what_is_under_way() {
    let mut world = World::new(&groq());
    let others: Vec<_> = (0..3).map(|_| world.reserve(0, Ask::default())).collect();
    world.hears(Unit::Requests, Per::Day, 1000, Some(990), None);
    assert_eq!(
        world.bucket(Unit::Requests, Per::Day),
        "13/1000 stated",
        "ten are reported, and three under way may not be among them"
    );
    for other in others {
        world.settle(other, NOTHING, true);
    }
    world.hears(Unit::Requests, Per::Day, 1000, Some(995), None);
    assert_eq!(
        world.bucket(Unit::Requests, Per::Day),
        "5/1000 stated",
        "some are back"
    );
    // A set limit counts only what we sent ourselves, whatever a header says.
    let mut world = World::new(&[set(3, Per::Day)]);
    world.send(0, 2);
    world.hears(Unit::Requests, Per::Day, 1000, Some(1000), Some(1.0));
    assert_eq!(world.bucket(Unit::Requests, Per::Day), "3/3 set");
    world.at = 60.0;
    assert!(world.room(0).starts_with("out"));
}

#[test]
fn s10_5_a_stated_number_lowers_at_once_and_raises_only_from_a_header() {
    enum Says {
        Header(u64),
        Text(u64),
    }
    use Says::{Header, Text};
    #[rustfmt::skip]
    let rows: [(Vec<Limit>, &[Says], &str); 9] = [
        (groq(), &[Header(14_400)],                "14400 stated"),
        (groq(), &[Header(700)],                   "700 stated"),
        (groq(), &[Text(700)],                     "700 stated"),
        (groq(), &[Text(14_400)],                  "1000 default"),
        (groq(), &[Header(700), Text(14_400)],     "700 stated"),
        (groq(), &[Text(700), Header(14_400)],     "14400 stated"),
        (vec![], &[Text(14_400)],                  "14400 stated"),
        (vec![set(500, Per::Day)], &[Header(14_400)], "500 set"),
        (vec![set(500, Per::Day)], &[Header(400)],    "400 stated"),
    ];
    for (which, (limits, says, expected)) in rows.into_iter().enumerate() {
        let mut world = World::new(&limits);
        let of = limits.first().map_or(MODEL, |limit| limit.of);
        for one in says {
            match one {
                Header(amount) => world.hears(Unit::Requests, Per::Day, *amount, None, None),
                Text(amount) => world.refused(Refusal {
                    limit: Some(*amount),
                    of,
                    ..refusal(Unit::Requests, Per::Day)
                }),
            }
        }
        let shown = world.bucket(Unit::Requests, Per::Day);
        let number = shown.split_once('/').map(|(_, number)| number);
        assert_eq!(number, Some(expected), "row {which}");
    }
}

#[test]
fn s10_5_a_429_that_names_its_window_is_learnt_at_this_count_for_two_windows() {
    let mut world = World::new(&[]);
    world.send(0, 8);
    world.refused(refusal(Unit::Requests, Per::Minute));
    assert_eq!(world.room(0), "behind learnt");
    assert_eq!(world.bucket(Unit::Requests, Per::Minute), "9/8 learnt");
    world.at = 100.0;
    assert_eq!(world.bucket(Unit::Requests, Per::Minute), "0/8 learnt");
    assert_eq!(
        world.said(0, tokens(1_000_000)),
        "free",
        "a count is no bound on one request"
    );
    world.at = 119.0;
    assert_eq!(world.bucket(Unit::Requests, Per::Minute), "0/8 learnt");
    world.at = 121.0;
    assert_eq!(world.bucket(Unit::Requests, Per::Minute), "none");
    // Calendar windows: the rest of this one and the next.
    let mut world = World::new(&[ending(by_default(1000, Per::Day), Ends::Utc)]);
    world.send(0, 50);
    world.refused(Refusal {
        of: Counted::Account,
        ..refusal(Unit::Requests, Per::Day)
    });
    for (hours, expected) in [
        (0, "51/50 learnt"),
        (35, "0/50 learnt"),
        (36, "0/1000 default"),
    ] {
        world.at = (hours * HOUR) as f64;
        assert_eq!(world.bucket(Unit::Requests, Per::Day), expected, "{hours}");
    }
}

#[test]
fn s10_5_a_refusal_with_numbers_is_believed() {
    // reference §6: "on tokens per day (TPD): Limit 200000, Used 199999, Requested 3619"
    let mut world = World::new(&groq());
    let mut reservation = world.reserve(0, tokens(3619));
    let spent = Refusal {
        limit: Some(200_000),
        used: Some(199_999),
        wait: Some(Duration::from_secs(579)),
        ..refusal(Unit::Tokens, Per::Day)
    };
    let now = world.now();
    world.ledger.refused(&mut reservation, spent, now);
    world.settle(reservation, NOTHING, false);
    assert_eq!(world.said(0, tokens(3619)), "out 579");
    assert_eq!(
        world.said(0, tokens(1000)),
        "out 160",
        "it fills up at that pace"
    );
    world.at = 580.0;
    assert_eq!(world.said(0, tokens(3619)), "free");
    // If no usage is reported, the window's pace and the wait give it.
    let mut world = World::new(&groq());
    let mut reservation = world.reserve(0, tokens(3619));
    let now = world.now();
    let stated = Stated {
        amount: Some(200_000),
        used: None,
        by_header: false,
        unit: Some(Unit::Tokens),
        per: Per::Day,
        of: MODEL,
        until: Some(now.wall + Duration::from_secs(579)),
        resets_at: None,
    };
    let spent = Refusal::of(stated, true, now);
    world.ledger.refused(&mut reservation, spent, now);
    world.settle(reservation, NOTHING, false);
    assert_eq!(world.said(0, tokens(3619)), "out 579");
    world.at = 580.0;
    assert_eq!(world.said(0, tokens(3619)), "free");
    // "Request too large ... Limit 8000, Requested 34041": nothing is spent.
    let mut world = World::new(&groq());
    world.refused(Refusal {
        limit: Some(6000),
        spent: false,
        ..refusal(Unit::Tokens, Per::Minute)
    });
    assert_eq!(world.said(0, tokens(5000)), "free");
    assert_eq!(world.said(0, tokens(6001)), "too large");
    // If the day ends by a clock, its end beats the short wait: Google's retryDelay is wrong.
    let gemini = limit(20, Unit::Requests, Per::Day, MODEL, LimitSource::Default);
    let mut world = World::new(&[ending(gemini, Ends::Pacific)]);
    world.refused(Refusal {
        limit: Some(20),
        wait: Some(Duration::from_secs(22)),
        ..refusal(Unit::Requests, Per::Day)
    });
    assert_eq!(world.room(0), format!("out {}", 20 * HOUR));
    // A limit of zero is nothing to count against; the candidate rests because of it.
    let mut world = World::new(&[]);
    world.refused(Refusal {
        limit: Some(0),
        ..refusal(Unit::Requests, Per::Day)
    });
    assert_eq!(world.room(0), "free");
}

#[test]
fn s10_5_a_refused_request_is_counted_once() {
    let minute = |source| limit(10_000, Unit::Tokens, Per::Minute, Counted::Account, source);
    let day = ending(set(50, Per::Day), Ends::Utc);
    let says = |used, wait: Option<u64>| Refusal {
        of: Counted::Account,
        limit: Some(10_000),
        used,
        wait: wait.map(Duration::from_secs),
        ..refusal(Unit::Tokens, Per::Minute)
    };
    let of_the_day = Refusal {
        of: Counted::Account,
        limit: Some(50),
        used: Some(50),
        ..refusal(Unit::Requests, Per::Day)
    };
    #[rustfmt::skip]
    let rows = [
        // It would have drawn 3000, beside 4000 that we know of and 2000 or more that others used.
        // limit                      what the refusal says       used then             out for
        (minute(LimitSource::Default), says(Some(9000), Some(12)), "9000/10000 stated", "out 12"),
        // The wait alone gives the usage: once it is over there is room.
        (minute(LimitSource::Default), says(None, Some(12)),       "9000/10000 stated", "out 12"),
        // Without a wait it is a failed attempt like any other.
        (minute(LimitSource::Default), says(Some(9000), None),     "7000/10000 stated", "free"),
        // Of a set limit counts what we sent, whatever came of it.
        (minute(LimitSource::Set),     says(Some(9000), Some(12)), "9000/10000 set",    "out 12"),
        // Where the window's end is known, no less than reported is used, with it.
        (day,                          of_the_day,                 "50/50 set",         "out 43200"),
    ];
    for (which, (limit, refusal, used, out)) in rows.into_iter().enumerate() {
        let mut world = World::new(&[limit]);
        let before = world.reserve(0, tokens(4000));
        world.settle(before, told(4000, 0), true);
        let mut reservation = world.reserve(0, tokens(3000));
        let now = world.now();
        world.ledger.refused(&mut reservation, refusal, now);
        world.settle(reservation, NOTHING, false);
        assert_eq!(world.shown(), used, "row {which}");
        assert_eq!(world.said(0, tokens(3000)), out, "row {which}");
    }
}

#[test]
fn s10_5_a_refresh_forgets_lessons_not_what_was_used_or_stated() {
    let mut world = World::new(&groq());
    world.send(0, 5);
    world.refused(refusal(Unit::Requests, Per::Minute));
    world.hears(Unit::Requests, Per::Day, 700, Some(600), Some(9000.0));
    let seen = |world: &World| [Per::Minute, Per::Day].map(|per| world.bucket(Unit::Requests, per));
    assert_eq!(seen(&world), ["7/7 learnt", "100/700 stated"]);
    let now = world.now();
    world.ledger.forget_lessons(now);
    assert_eq!(seen(&world), ["7/30 default", "100/700 stated"]);
}

#[test]
fn s10_5_only_the_lessons_of_what_is_meant_are_forgotten() {
    let candidates = [
        ("kilo", "kilo", "a"),
        ("kilo", "kilo", "b"),
        ("kilo", "kilo#2", "a"),
        ("groq", "groq", "a"),
    ];
    let of = |place: usize| {
        let (provider, label, model) = candidates[place];
        candidate(provider, label, model)
    };
    let id = |provider: &str| ProviderId::try_from(provider).unwrap();
    type Forgets = Box<dyn Fn(&mut Ledger, Now)>;
    let subject = |subject: Subject| -> Forgets {
        Box::new(move |ledger, now| ledger.forget_lessons_of(&subject, now))
    };
    let at = |provider: &str| -> Forgets {
        let meant = id(provider);
        Box::new(move |ledger, now| ledger.forget_lessons_at(|own| *own == meant, now))
    };
    #[rustfmt::skip]
    let rows: [(Forgets, &str); 8] = [
        // what is meant                          whose learnt limits are left, of the four candidates
        (at("kilo"),                              "groq a"),
        (at("groq"),                              "kilo a, kilo b, kilo#2 a"),
        (at("ovh"),                               "kilo a, kilo b, kilo#2 a, groq a"),
        (subject(of(0).of_account().clone()),     "kilo#2 a, groq a"),
        (subject(of(0).itself().clone()),         "kilo b, kilo#2 a, groq a"),
        (subject(of(0).model().clone()),          "kilo b, groq a"),
        (subject(Subject::provider(&id("kilo"))), "kilo a, kilo b, kilo#2 a, groq a"),
        (Box::new(Ledger::forget_lessons),        ""),
    ];
    for (which, (forget, expected)) in rows.into_iter().enumerate() {
        let mut world = World::of(&candidates, &[]);
        for place in 0..candidates.len() {
            world.send(place, 3);
            let mut reservation = world.reserve(place, Ask::default());
            let now = world.now();
            let minute = refusal(Unit::Requests, Per::Minute);
            world.ledger.refused(&mut reservation, minute, now);
            world.settle(reservation, NOTHING, false);
        }
        let now = world.now();
        forget(&mut world.ledger, now);
        let learnt = |place: &usize| world.room(*place) == "behind learnt";
        let left = (0..candidates.len()).filter(learnt);
        let left: Vec<_> = left
            .map(|place| format!("{} {}", candidates[place].1, candidates[place].2))
            .collect();
        assert_eq!(left.join(", "), expected, "row {which}");
    }
}

#[test]
fn s12_2_another_key_starts_afresh() {
    let candidates = [("kilo", "kilo", "a"), ("kilo", "kilo#2", "a")];
    let by_address = Limit {
        of: Counted::Address,
        ..set(50, Per::Hour)
    };
    let mut world = World::of(&candidates, &[set(9, Per::Day), by_address]);
    world.send(0, 4);
    world.send(1, 3);
    assert_eq!(world.shown(), "7/50 set, 4/9 set");
    let account = AccountId::clone(&world.candidates[0].account);
    world.ledger.forget_account(&account);
    world.list();
    assert_eq!(world.shown(), "7/50 set, 0/9 set");
    world.candidates.swap(0, 1);
    assert_eq!(world.shown(), "7/50 set, 3/9 set");
}

#[test]
fn s11_1_tight_is_how_near_the_accounts_fixed_windows_are_to_their_end() {
    let day = |amount| ending(by_default(amount, Per::Day), Ends::Utc);
    let minute = |amount| ending(by_default(amount, Per::Minute), Ends::Utc);
    #[rustfmt::skip]
    let rows = [
        // It is noon: half the day is over.
        (vec![],                              10, 0.0),
        (vec![day(100)],                      50, 0.0),
        (vec![day(100)],                      55, 0.5),
        (vec![day(100)],                      60, 1.0),
        (vec![day(100)],                      99, 1.0),
        (vec![minute(20)],                    10, 0.0),
        (vec![minute(20)],                    15, 0.5),
        (vec![minute(20)],                    30, 1.0),
        (vec![minute(20), day(20)],           11, 0.5),
        // No fixed end: how much of the window has passed is unknown.
        (vec![by_default(100, Per::Day)],     99, 0.0),
        (vec![by_default(20, Per::Minute)],   15, 0.0),
    ];
    for (limits, sent, expected) in rows {
        let mut world = World::new(&limits);
        world.fail(0, sent);
        let tight = world.ledger.tight(world.slots[0], world.now());
        assert!(
            (tight - expected).abs() < 1e-9,
            "{limits:?} {sent}: {tight}"
        );
    }
    let mut world = World::new(&[day(100), by_default(20, Per::Minute)]);
    world.fail(0, 95);
    let left = world.ledger.day_left(world.slots[0], world.now());
    assert!((left.unwrap() - 0.05).abs() < 1e-9);
}

#[test]
fn s10_8_when_a_bucket_is_back() {
    let mut world = World::new(&[ending(set(9, Per::Day), Ends::Pacific), set(9, Per::Minute)]);
    let resets = |world: &World| {
        let views = world
            .ledger
            .buckets_of(&world.candidates[0].account, world.now());
        let since = |date: SystemTime| date.duration_since(world.now().wall).unwrap().as_secs();
        views
            .iter()
            .map(|view| view.resets_at.map(since))
            .collect::<Vec<_>>()
    };
    assert_eq!(resets(&world), [None, None], "nothing is used");
    world.send(0, 1);
    assert_eq!(resets(&world), [Some(60), Some(20 * HOUR)]);
}
