//! Limits and windows: which candidates are ruled out or put behind, and for how long.

use super::*;

#[test]
fn s10_5_set_and_stated_limits_rule_out_default_and_learnt_ones_put_behind() {
    #[rustfmt::skip]
    let rows = [
        (LimitSource::Set,     "out 61"),
        (LimitSource::Default, "behind default"),
    ];
    for (source, expected) in rows {
        let mut world = World::new(&[Limit {
            source,
            ..set(3, Per::Minute)
        }]);
        world.fail(0, 2);
        assert_eq!(world.room(0), "free");
        world.fail(0, 1);
        assert_eq!(world.room(0), expected, "{source:?}");
    }
}

#[test]
fn s10_5_windows_roll_or_end_by_their_clock() {
    use Ends::{Pacific, Shanghai, Utc};
    let hours = |hours: u64| (hours * HOUR) as f64;
    #[rustfmt::skip]
    let rows = [
        // limit, how long it is out after being used up at noon
        (set(1, Per::Second),                          1.001),
        (set(1, Per::Minute),                          60.06),
        (set(1, Per::Hour),                            3603.6),
        (set(1, Per::Day),                             hours(24) * 1.001),
        (set(1, Per::Hours(5)),                        hours(5) * 1.001),
        (ending(set(1, Per::Day), Utc),                hours(12)),
        (ending(set(1, Per::Day), Pacific),            hours(20)),
        (ending(set(1, Per::Day), Shanghai),           hours(4)),
        (ending(set(1, Per::Week), Utc),               hours(12)),
        (ending(set(1, Per::Month), Utc),              hours(36)),
        (ending(set(1, Per::Hours(5)), Utc),           hours(4)),
        (ending(set(1, Per::Minute), Utc),             60.0),
    ];
    for (limit, out_for) in rows {
        let name = format!("{:?} {:?}", limit.per, limit.ends);
        let mut world = World::new(&[limit]);
        world.send(0, 1);
        assert!(world.room(0).starts_with("out"), "{name}");
        world.at = out_for - 0.04;
        assert!(world.room(0).starts_with("out"), "{name}");
        world.at = out_for + 0.001;
        assert_eq!(world.room(0), "free", "{name}");
    }
}

#[test]
fn s10_5_a_rolling_window_gives_nothing_back_early_and_little_late() {
    let mut world = World::new(&[set(2, Per::Minute)]);
    world.at = 0.9;
    world.send(0, 1);
    world.at = 30.0;
    world.send(0, 1);
    #[rustfmt::skip]
    let rows = [(30.0, "out 31"), (59.0, "out 2"), (60.89, "out 1"), (61.0, "free")];
    for (at, expected) in rows {
        world.at = at;
        assert_eq!(world.room(0), expected, "{at}");
    }
    world.send(0, 1);
    assert_eq!(world.room(0), "out 30", "the second one is still in it");
}

#[test]
fn s10_5_a_laptop_that_slept_finds_its_quota_back() {
    for limit in [ending(set(1, Per::Day), Ends::Utc), set(1, Per::Hour)] {
        let mut world = World::new(&[limit]);
        world.send(0, 1);
        assert!(world.room(0).starts_with("out"));
        // The steady clock stopped for 13 hours.
        let awake = Now {
            wall: at(world.start, (13 * HOUR) as f64).wall,
            ..at(world.start, 5.0)
        };
        let room = |world: &World| {
            let slot = world.slots[0];
            spelt(world.ledger.headroom(slot, Ask::default, awake))
        };
        assert_eq!(room(&world), "free");
        let slot = world.slots[0];
        let reservation = world.ledger.reserve(slot, Ask::default(), awake);
        world.ledger.settle(reservation, NOTHING, true, awake);
        assert!(room(&world).starts_with("out"));
    }
}

#[test]
fn s10_5_a_clock_that_is_put_back_brings_no_quota_back() {
    let mut world = World::new(&[ending(set(1, Per::Day), Ends::Utc)]);
    world.send(0, 1);
    let back = Now {
        wall: at(world.start, 0.0).wall - Duration::from_secs(3 * DAY),
        ..at(world.start, 5.0)
    };
    let slot = world.slots[0];
    let room = |world: &World, now| spelt(world.ledger.headroom(slot, Ask::default, now));
    assert!(room(&world, back).starts_with("out"));
    // And a clock that was once years ahead rules nothing out for years.
    let reservation = world.ledger.reserve(slot, Ask::default(), back);
    world.ledger.settle(reservation, NOTHING, true, back);
    let next_day = Now {
        wall: back.wall + Duration::from_secs(12 * HOUR),
        steady: back.steady + Duration::from_secs(12 * HOUR),
    };
    assert_eq!(room(&world, next_day), "free");
}

#[test]
fn s10_5_one_request_draws_on_several_buckets_and_they_are_shared() {
    let of = |limit: Limit, of| Limit { of, ..limit };
    let candidates = [
        ("groq", "groq", "a"),
        ("groq", "groq", "b"),
        ("groq", "groq#2", "a"),
        ("kilo", "kilo", "a"),
    ];
    #[rustfmt::skip]
    let rows = [
        // who shares two per minute, the room of each once the first has been sent two
        (Counted::Account, ["out 61", "out 61", "free",   "free"]),
        (Counted::Model,   ["out 61", "free",   "free",   "free"]),
        (Counted::Address, ["out 61", "out 61", "out 61", "free"]),
    ];
    for (shared, expected) in rows {
        let limits = [
            of(set(2, Per::Minute), shared),
            of(set(9, Per::Day), shared),
        ];
        let mut world = World::of(&candidates, &limits);
        world.send(0, 2);
        let rooms: Vec<_> = (0..4).map(|which| world.room(which)).collect();
        assert_eq!(rooms, expected, "{shared:?}");
        world.at = 61.1;
        assert_eq!(world.room(0), "free");
        for minute in 1..=3 {
            world.at = f64::from(minute) * 61.1;
            world.send(0, 2);
        }
        world.at = 400.0;
        assert_eq!(world.room(0), "free", "eight of nine of the day are used");
        world.send(0, 1);
        let shown = world.shown();
        assert!(shown.contains("9/9 set"), "{shared:?} {shown}");
        assert!(
            world.room(0).starts_with("out 86"),
            "for a day, less the four minutes"
        );
    }
}

#[test]
fn s10_5_a_limit_is_about_the_ids_that_it_names() {
    let named = |amount, patterns: &[&str], of| Limit {
        models: patterns.iter().map(|p| (*p).into()).collect(),
        of,
        ..set(amount, Per::Day)
    };
    let candidates = [
        ("gemini", "gemini", "gemini-3.5-flash-lite"),
        ("gemini", "gemini", "gemini-3.5-flash"),
        ("gemini", "gemini", "gemma-3-27b-it"),
    ];
    let model = Counted::Model;
    #[rustfmt::skip]
    let rows: [(Vec<Limit>, [u64; 3]); 4] = [
        // The first that matches counts.
        (vec![named(500, &["*flash-lite*"], model), named(20, &["*flash*"], model), named(14_400, &["gemma-*"], model)],
                                                                [500, 20, 14_400]),
        (vec![named(7, &["gemini-3.5-flash"], model)],          [0, 7, 0]),
        (vec![named(7, &["*-flash", "gemma*it"], model)],       [0, 7, 7]),
        (vec![named(7, &[], model)],                            [7, 7, 7]),
    ];
    for (limits, expected) in rows {
        let world = World::of(&candidates, &limits);
        let buckets = world
            .ledger
            .buckets_of(&world.candidates[0].account, world.now());
        let found = candidates.map(|(_, _, id)| {
            let of_id = |view: &&BucketView| view.model.as_ref().is_some_and(|m| m.as_str() == id);
            buckets.iter().find(of_id).map_or(0, |view| view.limit)
        });
        assert_eq!(found, expected, "{limits:?}");
    }
    // Several models that share one limit, beside others that do not.
    let mut world = World::of(&candidates, &[named(1, &["gemini-*"], Counted::Account)]);
    world.send(0, 1);
    assert!(world.room(1).starts_with("out"));
    assert_eq!(world.room(2), "free");
}

#[test]
fn s10_5_a_limit_at_once_rules_out_while_requests_are_under_way() {
    for source in [LimitSource::Set, LimitSource::Default] {
        let one = limit(1, Unit::AtOnce, Per::Moment, Counted::Account, source);
        let mut world = World::of(&[("zai", "zai", "a"), ("zai", "zai", "b")], &[one]);
        let first = world.reserve(0, Ask::default());
        assert_eq!(
            (world.room(0), world.room(1)),
            ("busy".into(), "busy".into())
        );
        world.at = 1e6;
        assert_eq!(world.room(0), "busy", "no time brings it back");
        world.settle(first, told(10, 10), false);
        assert_eq!(world.room(0), "free");
        let second = world.reserve(1, Ask::default());
        let now = world.now();
        world.ledger.refund(second, now);
        assert_eq!(world.room(1), "free");
        world.send(0, 3);
        assert_eq!(world.shown(), format!("0/1 {}", source.as_str()));
    }
}

#[test]
fn s10_5_a_request_that_alone_exceeds_a_certain_tokens_limit_is_too_large() {
    let per_minute = |unit, source| limit(8000, unit, Per::Minute, Counted::Model, source);
    let ask = |tokens: u64, max_tokens| Ask {
        prompt_bytes: tokens * 4,
        max_tokens,
    };
    use LimitSource::{Default, Set};
    #[rustfmt::skip]
    let rows = [
        (Unit::Tokens,    Default, true,  ask(7999, None),         "free"),
        // By an uncertain limit it is asked after all others.
        (Unit::Tokens,    Default, true,  ask(8001, None),         "behind default"),
        (Unit::Tokens,    Default, true,  ask(1, Some(32_000)),    "behind default"),
        (Unit::Tokens,    Set,     true,  ask(8001, None),         "too large"),
        // An agent asking for 32k of output is refused on a one-word prompt (reference §6).
        (Unit::Tokens,    Set,     true,  ask(1, Some(32_000)),    "too large"),
        (Unit::Tokens,    Default, false, ask(1, Some(32_000)),    "free"),
        (Unit::Tokens,    Set,     true,  ask(7000, Some(1001)),   "too large"),
        (Unit::Tokens,    Default, true,  ask(7000, Some(1000)),   "free"),
        (Unit::TokensIn,  Default, true,  ask(7000, Some(32_000)), "free"),
        (Unit::TokensIn,  Set,     true,  ask(8001, None),         "too large"),
        (Unit::TokensOut, Set,     true,  ask(9000, Some(8001)),   "too large"),
        (Unit::TokensOut, Default, false, ask(9000, Some(8001)),   "free"),
        (Unit::Tokens,    Set,     true,  ask(u64::MAX / 4, Some(u64::MAX)), "too large"),
    ];
    for (unit, source, counts, ask, expected) in rows {
        let mut world = World::new(&[per_minute(unit, source)]);
        world.counts_max_tokens = counts;
        world.list();
        assert_eq!(world.said(0, ask), expected, "{unit:?} {counts} {ask:?}");
    }
}

#[test]
fn s10_5_tokens_are_charged_as_estimated_and_settled_as_used() {
    let per_minute = limit(
        8000,
        Unit::Tokens,
        Per::Minute,
        Counted::Model,
        LimitSource::Set,
    );
    let mut world = World::new(&[per_minute]);
    world.counts_max_tokens = true;
    world.list();
    let big = Ask {
        max_tokens: Some(3000),
        ..tokens(4000)
    };
    let first = world.reserve(0, big);
    assert_eq!(world.shown(), "m 7000/8000 set");
    assert_eq!(world.said(0, tokens(1500)), "out 61");
    world.settle(first, told(2000, 100), true);
    assert_eq!(world.shown(), "m 2100/8000 set");
    assert_eq!(world.said(0, tokens(1500)), "free");
    // No usage reported: the estimate, by now half of bytes / 4, and the bytes received.
    let second = world.reserve(0, big);
    assert_eq!(world.shown(), "m 7100/8000 set");
    world.settle(second, Used::Received { bytes: 400 }, true);
    assert_eq!(world.shown(), "m 4200/8000 set");
}

#[test]
fn s10_5_requests_that_never_reached_the_provider_are_refunded_and_failures_count() {
    let limits = [
        set(9, Per::Minute),
        ending(set(9, Per::Day), Ends::Utc),
        limit(
            900,
            Unit::Tokens,
            Per::Minute,
            Counted::Account,
            LimitSource::Set,
        ),
    ];
    let mut world = World::new(&limits);
    let reservation = world.reserve(0, tokens(100));
    assert_eq!(world.shown(), "1/9 set, 1/9 set, 100/900 set");
    world.at = 20.0;
    let now = world.now();
    world.ledger.refund(reservation, now);
    assert_eq!(world.shown(), "0/9 set, 0/9 set, 0/900 set");
    let reservation = world.reserve(0, tokens(100));
    world.settle(reservation, NOTHING, false);
    assert_eq!(world.shown(), "1/9 set, 1/9 set, 100/900 set");
}

#[test]
fn s10_5_a_request_that_ends_in_a_later_window_counts_in_the_one_it_began_in() {
    let per_minute = limit(
        900,
        Unit::Tokens,
        Per::Minute,
        Counted::Account,
        LimitSource::Set,
    );
    for limit in [per_minute.clone(), ending(per_minute, Ends::Utc)] {
        let mut world = World::new(&[limit]);
        let first = world.reserve(0, tokens(100));
        world.at = 130.0;
        let second = world.reserve(0, tokens(50));
        world.settle(first, told(800, 0), true);
        assert_eq!(world.shown(), "50/900 set");
        let now = world.now();
        world.ledger.refund(second, now);
        assert_eq!(world.shown(), "0/900 set");
    }
}

#[test]
fn s10_5_a_success_beyond_an_uncertain_limit_raises_it_for_that_window() {
    let mut world = World::new(&[ending(by_default(2, Per::Day), Ends::Utc)]);
    world.send(0, 2);
    assert_eq!(world.room(0), "behind default");
    world.fail(0, 1);
    assert_eq!(world.shown(), "3/2 default", "a failure proves nothing");
    world.send(0, 1);
    assert_eq!(world.shown(), "4/4 default");
    assert_eq!(world.room(0), "free", "nothing speaks against one more");
    let under_way = world.reserve(0, Ask::default());
    assert_eq!(world.room(0), "behind default", "but not against two");
    world.settle(under_way, NOTHING, true);
    assert_eq!(world.shown(), "5/5 default");
    world.at = (12 * HOUR) as f64;
    assert_eq!(world.shown(), "0/2 default", "that window is over");
    // A set limit is never put to the test.
    let mut world = World::new(&[set(2, Per::Day)]);
    world.send(0, 3);
    assert_eq!(world.shown(), "3/2 set");
}

#[test]
fn s10_5_a_limit_new_with_a_list_sees_earlier_usage() {
    let mut world = World::new(&[set(5, Per::Day)]);
    world.send(0, 3);
    for (limits, expected) in [
        (vec![set(3, Per::Day)], "3/3 set"),
        (vec![], ""),
        (vec![by_default(9, Per::Day)], "3/9 default"),
        // The first counts, whatever follows it.
        (vec![set(8, Per::Day), set(4, Per::Day)], "3/8 set"),
        (vec![by_default(4, Per::Day), set(8, Per::Day)], "3/8 set"),
    ] {
        world.limits = limits;
        world.list();
        assert_eq!(world.shown(), expected);
    }
}
