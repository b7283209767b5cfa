//! What no clock and no provider can do: take a quota away for good (spec §10.5).

use super::corrections::groq;
use super::*;

/// The ledger's noon and so many seconds later, by a clock that is so many seconds ahead.
fn ahead(world: &World, seconds: f64, ahead: u64) -> Now {
    let now = at(world.start, seconds);
    Now {
        wall: now.wall + Duration::from_secs(ahead),
        ..now
    }
}

#[test]
fn s10_5_a_clock_that_jumps_leaves_no_window_that_ends_later_than_it_is_long() {
    let day = || World::new(&[ending(set(2, Per::Day), Ends::Utc)]);
    let spend = |world: &mut World, now: Now| {
        for _ in 0..2 {
            let reservation = world.ledger.reserve(world.slots[0], Ask::default(), now);
            world.ledger.settle(reservation, NOTHING, true, now);
        }
    };
    let room =
        |world: &World, now: Now| spelt(world.ledger.headroom(world.slots[0], Ask::default, now));
    const NONE: u64 = 0;
    #[rustfmt::skip]
    let rows = [
        // spent while it was ahead by, then by   10 s later    12 hours later
        (NONE,     NONE,                           "out 43190",  "free"),
        (40 * DAY, NONE,                           "out 43190",  "free"),
        (DAY,      NONE,                           "out 43190",  "free"),
        (HOUR,     NONE,                           "out 39590",  "free"),
        (NONE,     40 * DAY,                       "free",       "free"),
    ];
    for (then, later, soon, late) in rows {
        let mut world = day();
        let now = ahead(&world, 0.0, then);
        spend(&mut world, now);
        let said = [10.0, 43_200.0].map(|seconds| room(&world, ahead(&world, seconds, later)));
        assert_eq!(said, [soon, late], "{then} {later}");
    }
}

#[test]
fn s10_5_a_stated_limit_below_what_was_answered_well_is_passed_over() {
    let says = |world: &World| {
        let buckets = world
            .ledger
            .buckets_of(&world.candidates[0].account, world.now());
        let bucket = buckets
            .iter()
            .find(|b| b.unit == Unit::Tokens && b.per == Per::Minute);
        bucket.map_or(String::new(), |b| {
            format!("{} {}", b.limit, b.source.as_str())
        })
    };
    #[rustfmt::skip]
    let rows = [
        // a header states   estimated   used   what counts afterwards
        (1,                  7,          7,     "8000 default"),
        (6,                  7,          7,     "8000 default"),
        (7,                  7,          7,     "7 stated"),
        (1,                  1,          7,     "8000 default"),
        (6000,               7,          7,     "6000 stated"),
    ];
    for (limit, estimated, used, expected) in rows {
        let mut world = World::new(&groq());
        let reservation = world.reserve(0, tokens(estimated));
        let correction = Correction {
            unit: Unit::Tokens,
            per: Per::Minute,
            of: None,
            limit: Some(limit),
            remaining: None,
            reset: None,
        };
        let now = world.now();
        world.ledger.correct(&reservation, &[correction], now);
        world.settle(reservation, told(used, 0), true);
        assert_eq!(says(&world), expected, "{limit} {estimated} {used}");
    }
}

#[test]
fn s10_5_a_stated_limit_that_nothing_states_again_lapses() {
    let mut world = World::new(&groq());
    let reservation = world.reserve(0, Ask::default());
    let correction = Correction {
        unit: Unit::Tokens,
        per: Per::Minute,
        of: None,
        limit: Some(100),
        remaining: None,
        reset: None,
    };
    let now = world.now();
    world.ledger.correct(&reservation, &[correction], now);
    world.settle(reservation, NOTHING, true);
    assert_eq!(world.said(0, tokens(5000)), "too large");
    world.ledger.forget_lessons(world.now());
    assert_eq!(
        world.said(0, tokens(5000)),
        "too large",
        "a refresh keeps it"
    );
    world.at = 119.0;
    assert_eq!(world.said(0, tokens(5000)), "too large");
    world.at = 121.0;
    assert_eq!(world.said(0, tokens(5000)), "free");
}

#[test]
fn s10_5_a_wait_for_the_rest_of_one_request_is_no_pace() {
    // Of ten a minute one comes back every six seconds, whenever in between the refusal came.
    let ten = limit(
        10,
        Unit::Requests,
        Per::Minute,
        Counted::Account,
        LimitSource::Default,
    );
    let mut world = World::new(&[ten]);
    let mut reservation = world.reserve(0, Ask::default());
    let refusal = Refusal {
        unit: Unit::Requests,
        per: Per::Minute,
        of: Counted::Account,
        limit: Some(10),
        used: Some(10),
        spent: true,
        wait: Some(Duration::from_secs(2)),
        resets_at: None,
        by_header: false,
    };
    let now = world.now();
    world.ledger.refused(&mut reservation, refusal, now);
    world.settle(reservation, NOTHING, false);
    let free_at = |seconds: f64, world: &mut World| {
        world.at = seconds;
        world.room(0) == "free"
    };
    assert!(!free_at(5.0, &mut world));
    // The refused request is not among the ten, and used nothing.
    assert!(free_at(6.1, &mut world));
    world.send(0, 1);
    assert!(!free_at(11.0, &mut world), "the next one is not back yet");
    assert!(free_at(12.1, &mut world));
}
