//! OpenRouter's free requests: known from the key endpoint and from refusals, and nowhere else.

use super::corrections::refusal;
use super::*;

/// One account at OpenRouter, with these models.
fn world(models: &[&str]) -> World {
    let candidates: Vec<_> = models
        .iter()
        .map(|m| ("openrouter", "openrouter", *m))
        .collect();
    World::of(&candidates, &[])
}

impl World {
    /// The key endpoint reports the day; returns whether that gives anything back.
    fn key_says(&mut self, limit: u64, used: u64) -> bool {
        let account = AccountId::clone(&self.candidates[0].account);
        let now = self.now();
        self.ledger
            .told_free_day(&account, FreeDay { limit, used }, now)
    }

    /// A refusal's headers report a window: its limit, its usage, the seconds until it is reset.
    fn is_refused(&mut self, per: Per, limit: u64, used: u64, reset: Option<u64>) {
        let now = self.now();
        self.refused(Refusal {
            limit: Some(limit),
            used: Some(used),
            of: Counted::Account,
            by_header: true,
            resets_at: reset.map(|seconds| now.wall + Duration::from_secs(seconds)),
            ..refusal(Unit::Requests, per)
        });
    }
}

#[test]
fn s10_5_openrouter_limits_are_only_what_it_reported_and_only_for_that_window() {
    let mut world = world(&["a:free", "b:free"]);
    assert_eq!(world.shown(), "");
    world.send(0, 60);
    assert_eq!(world.room(0), "free");
    assert!(!world.key_says(50, 2));
    assert_eq!(world.shown(), "2/50 stated");
    world.send(1, 3);
    assert_eq!(world.shown(), "5/50 stated");
    assert!(!world.key_says(50, 3));
    assert_eq!(world.shown(), "5/50 stated", "its count lags behind");
    world.key_says(50, 4);
    assert_eq!(world.shown(), "4/50 stated", "one did not count there");
    world.key_says(50, 50);
    assert_eq!(world.room(1), format!("out {}", 12 * HOUR));
    world.at = (12 * HOUR) as f64;
    assert_eq!(world.shown(), "", "the day is over");
    world.send(0, 60);
    assert_eq!(world.room(0), "free");
    world.key_says(0, 0);
    assert_eq!(world.shown(), "", "nonsense");
    // The limit per minute comes from a refusal.
    world.at += 20.0;
    world.is_refused(Per::Minute, 20, 20, None);
    assert_eq!(world.room(1), "out 40");
    world.at += 40.0;
    assert_eq!(world.shown(), "", "the minute is over");
    // A refusal without a number teaches for that window only.
    world.send(0, 5);
    world.refused(Refusal {
        of: Counted::Account,
        ..refusal(Unit::Requests, Per::Minute)
    });
    world.at += 60.0;
    assert_eq!(world.shown(), "");
}

#[test]
fn s10_5_only_a_higher_limit_or_a_lower_count_overrides_a_refusal() {
    type Row<'a> = (&'a [(u64, u64)], &'a str, bool);
    #[rustfmt::skip]
    let rows: [Row<'_>; 8] = [
        // what the key endpoint says after the refusal at 50 of 50   then shown       whether it gives back
        (&[(50, 48)],                                                "50/50 stated",   false),
        (&[(50, 2), (50, 48)],                                       "50/50 stated",   false),
        (&[(50, 48), (50, 2)],                                       "2/50 stated",    true),
        // The refused request may not be among those counted.
        (&[(50, 2)],                                                 "3/50 stated",    true),
        (&[(1000, 50)],                                              "50/1000 stated", true),
        (&[(1000, 1000)],                                            "1000/1000 stated", false),
        (&[(20, 10)],                                                "50/20 stated",   false),
        (&[(50, 50)],                                                "50/50 stated",   false),
    ];
    for (which, (says, shown, expected)) in rows.into_iter().enumerate() {
        let mut world = world(&["a:free"]);
        // What the key endpoint said before the refusal.
        world.key_says(50, if which == 3 { 30 } else { 2 });
        world.is_refused(Per::Day, 50, 50, None);
        assert_eq!(world.room(0), format!("out {}", 12 * HOUR));
        let mut gives_back = false;
        for (limit, used) in says {
            gives_back = world.key_says(*limit, *used);
        }
        assert_eq!(
            (world.shown().as_str(), gives_back),
            (shown, expected),
            "row {which}"
        );
        assert_eq!(world.room(0) == "free", expected, "row {which}");
    }
    // The refusal's number differs from the key endpoint's, which repeats what it said before: no news.
    let mut world = world(&["a:free"]);
    world.key_says(50, 2);
    world.is_refused(Per::Day, 20, 20, None);
    assert!(!world.key_says(50, 30));
    assert_eq!(world.room(0), format!("out {}", 12 * HOUR));
}

#[test]
fn s10_5_a_refusals_limit_below_what_succeeded_in_that_window_is_only_learnt() {
    #[rustfmt::skip]
    let rows = [
        // answered  failed  then, if the key endpoint reported 1000       if nothing was reported
        (20,         0,      "out 43200",                                  "out 43200"),
        (50,         0,      "out 43200",                                  "out 43200"),
        (40,         20,     "out 43200",                                  "out 43200"),
        (51,         0,      "free",                                       "behind learnt"),
    ];
    for (answered, failed, by_key, unreported) in rows {
        for (is_told, expected) in [(true, by_key), (false, unreported)] {
            let mut world = world(&["a:free"]);
            if is_told {
                world.key_says(1000, 0);
            } else {
                // The day is counted from here on.
                world.refused(Refusal {
                    of: Counted::Account,
                    ..refusal(Unit::Requests, Per::Day)
                });
            }
            world.send(0, answered);
            world.fail(0, failed);
            world.is_refused(Per::Day, 50, 50, None);
            assert_eq!(world.room(0), expected, "{answered} {failed} {is_told}");
        }
    }
    // Successes of another day prove nothing.
    let mut world = world(&["a:free"]);
    world.key_says(1000, 0);
    world.send(0, 51);
    world.at = DAY as f64;
    world.is_refused(Per::Day, 50, 50, None);
    assert_eq!(world.room(0), format!("out {}", 12 * HOUR));
}

#[test]
fn s10_5_a_reported_reset_ends_the_window() {
    #[rustfmt::skip]
    let rows = [
        // window     reset in, s          out for, s
        (Per::Day,    Some(3000),          3000),
        (Per::Day,    Some(13 * HOUR),     13 * HOUR),
        (Per::Day,    None,                12 * HOUR),
        (Per::Minute, Some(7),             7),
        // Past, or absurd.
        (Per::Day,    Some(0),             12 * HOUR),
        (Per::Day,    Some(3 * DAY),       12 * HOUR),
        (Per::Minute, Some(3000),          60),
        (Per::Minute, Some(90),            60),
        (Per::Day,    Some(30 * HOUR),     12 * HOUR),
    ];
    for (per, reset, seconds) in rows {
        let mut world = world(&["a:free"]);
        world.is_refused(per, 20, 20, reset);
        assert_eq!(world.room(0), format!("out {seconds}"), "{per:?} {reset:?}");
        world.at = seconds as f64;
        assert_eq!(world.shown(), "", "{per:?} {reset:?}");
        assert_eq!(world.room(0), "free", "{per:?} {reset:?}");
    }
}

#[test]
fn s10_5_only_requests_that_count_as_free_draw_from_the_free_quota() {
    let mut world = world(&["a:free", "openrouter/free", "maker/paid"]);
    world.key_says(3, 0);
    world.send(2, 5);
    assert_eq!(world.shown(), "0/3 stated");
    world.send(0, 2);
    world.send(1, 1);
    assert_eq!(world.shown(), "3/3 stated");
    let is_out = |which: usize| world.room(which).starts_with("out");
    assert_eq!([0, 1, 2].map(is_out), [true, true, false]);
    // So the account as a whole still has quota.
    assert_eq!(world.ledger.spent(world.slots[0], world.now()), None);
}
