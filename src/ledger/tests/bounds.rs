//! Invariants: never more than a set limit, nothing below zero, no unbounded growth.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// This many milliseconds pass.
    Wait(u32),
    /// Sends a request, if there is room.
    Ask(u64),
    /// Ends a request under way: settled with that usage, or refunded.
    End(usize, Option<(u64, u64)>),
    /// Quota headers arrive.
    Header(u64, u64, u32),
    /// A refusal arrives.
    Refused(Option<u64>),
    List,
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..40_000).prop_map(Step::Wait),
        9 => (0_u64..3000).prop_map(Step::Ask),
        4 => (any::<usize>(), prop::option::of((0_u64..4000, 0_u64..4000))).prop_map(|(n, used)| Step::End(n, used)),
        1 => (any::<u64>(), any::<u64>(), any::<u32>()).prop_map(|(limit, left, reset)| Step::Header(limit, left, reset)),
        1 => prop::option::of(any::<u64>()).prop_map(Step::Refused),
        1 => Just(Step::List),
        1 => Just(Step::Forget),
    ]
}

fn any_per() -> impl Strategy<Value = Per> {
    prop::sample::select(vec![Per::Second, Per::Minute, Per::Hour, Per::Hours(2)])
}

proptest! {
    #[test]
    fn s10_5_never_more_than_a_set_limit_in_any_window(
        amount in 1_u64..8,
        per in any_per(),
        fixed in any::<bool>(),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let ends = fixed.then_some(Ends::Utc);
        let mut world = World::new(&[Limit { ends, ..set(amount, per) }]);
        let mut sent: VecDeque<f64> = VecDeque::new();
        let mut under_way: Vec<(f64, Reservation)> = Vec::new();
        for step in steps {
            let now = world.now();
            let slot = world.slots[0];
            match step {
                Step::Wait(ms) => world.at += f64::from(ms) / 1000.0,
                Step::Ask(size) => {
                    if world.said(0, tokens(size)) == "free" {
                        under_way.push((world.at, world.ledger.reserve(slot, tokens(size), now)));
                        sent.push_back(world.at);
                    }
                }
                Step::End(which, used) if !under_way.is_empty() => {
                    let (then, reservation) = under_way.remove(which % under_way.len());
                    match used {
                        Some((tokens_in, tokens_out)) => world.settle(reservation, told(tokens_in, tokens_out), true),
                        None => {
                            world.ledger.refund(reservation, now);
                            let place = sent.iter().position(|at| *at == then).unwrap();
                            sent.remove(place);
                        }
                    }
                }
                Step::Header(limit, left, reset) => if let Some((_, reservation)) = under_way.first() {
                    let correction = Correction {
                        unit: Unit::Requests, per, of: None, limit: Some(limit.max(1)), remaining: Some(left),
                        reset: Some(Duration::from_millis(reset.into())),
                    };
                    world.ledger.correct(reservation, &[correction], now);
                }
                Step::Refused(limit) => if let Some((_, reservation)) = under_way.first_mut() {
                    world.ledger.refused(reservation, Refusal {
                        unit: Unit::Requests, per, of: Counted::Account, limit, used: limit, spent: true,
                        wait: Some(Duration::from_secs(3)), resets_at: None, by_header: false,
                    }, now);
                }
                Step::List => world.list(),
                Step::Forget => world.ledger.forget_lessons(now),
                Step::End(..) => {}
            }
            let length = per.length().as_secs_f64();
            let noon = NOON as f64;
            for first in &sent {
                let within = sent.iter().filter(|at| if fixed {
                    ((noon + **at) / length).floor() == ((noon + first) / length).floor()
                } else {
                    *first <= **at && **at < first + length
                });
                prop_assert!(within.count() as u64 <= amount, "{sent:?}");
            }
        }
    }

    #[test]
    fn s10_5_a_refund_restores_and_nothing_goes_below_zero(
        sizes in prop::collection::vec((0_u64..5000, prop::option::of((0_u64..9000, 0_u64..9000))), 1..40),
        wait_ms in 0_u32..70_000,
        fixed in any::<bool>(),
    ) {
        let unit = limit(100_000, Unit::Tokens, Per::Minute, Counted::Account, LimitSource::Set);
        let unit = Limit { ends: fixed.then_some(Ends::Utc), ..unit };
        let mut world = World::new(&[unit, set(1000, Per::Hour)]);
        world.send(0, 3);
        let before = world.shown();
        let reservations: Vec<_> = sizes.iter().map(|(size, _)| world.reserve(0, tokens(*size))).collect();
        let now = world.now();
        for reservation in reservations {
            world.ledger.refund(reservation, now);
        }
        prop_assert_eq!(world.shown(), before);
        let reservations: Vec<_> = sizes.iter().map(|(size, _)| world.reserve(0, tokens(*size))).collect();
        for (reservation, (_, used)) in reservations.into_iter().zip(&sizes) {
            world.at += f64::from(wait_ms) / 1000.0;
            let (tokens_in, tokens_out) = used.unwrap_or((0, 0));
            world.settle(reservation, told(tokens_in, tokens_out), used.is_some());
            let buckets = world.ledger.buckets_of(&world.candidates[0].account, world.now());
            // Below zero would wrap around to a huge number.
            prop_assert!(buckets.iter().all(|bucket| bucket.used < 10_000_000));
        }
        world.at += 1e5;
        prop_assert_eq!(world.shown(), "0/1000 set, 0/100000 set", "all of it comes back");
    }

    #[test]
    fn s10_5_huge_numbers_saturate(
        bytes in any::<u64>(), most in any::<u64>(), tokens_in in any::<u64>(), tokens_out in any::<u64>(),
        amount in 1_u64.., remaining in any::<u64>(), reset in any::<u64>(), seconds in 0_u64..4_000_000_000,
    ) {
        let units = [Unit::Requests, Unit::Tokens, Unit::TokensIn, Unit::TokensOut, Unit::Neurons];
        let pers = [Per::Second, Per::Day, Per::Month, Per::Hours(u32::MAX)];
        let limits: Vec<_> = units.iter().zip(pers.iter().cycle())
            .map(|(unit, per)| limit(amount, *unit, *per, Counted::Model, LimitSource::Default)).collect();
        let mut world = World::new(&limits);
        for _ in 0..3 {
            let ask = Ask { prompt_bytes: bytes, max_tokens: Some(most) };
            world.said(0, ask);
            let reservation = world.reserve(0, ask);
            let now = world.now();
            for (unit, per) in units.iter().zip(&pers) {
                let correction = Correction {
                    unit: *unit, per: *per, of: None, limit: Some(amount), remaining: Some(remaining),
                    reset: Some(Duration::from_secs(reset)),
                };
                world.ledger.correct(&reservation, &[correction], now);
            }
            world.settle(reservation, told(tokens_in, tokens_out), true);
            world.shown();
            world.at += seconds as f64;
        }
    }
}

#[test]
fn s10_5_there_are_no_more_buckets_than_offers_times_accounts() {
    let limits = [
        set(9, Per::Day),
        limit(
            9,
            Unit::Requests,
            Per::Day,
            Counted::Model,
            LimitSource::Set,
        ),
    ];
    let mut world = World::new(&limits);
    for list in 0..50 {
        let names: Vec<_> = (0..20).map(|n| format!("m{list}-{n}")).collect();
        world.candidates = names
            .iter()
            .map(|name| candidate("groq", "groq", name))
            .collect();
        world.list();
        assert_eq!(
            world.ledger.len(),
            21,
            "one of the account and one of each model"
        );
        world.at += 600.0;
    }
    assert!(
        world.ledger.lines.len() <= 20 * 8,
        "candidates that left are kept for an hour"
    );
    // Usage is kept while its window runs, and found again.
    world.candidates = vec![candidate("groq", "groq", "m")];
    world.list();
    world.send(0, 5);
    let held = world.reserve(0, Ask::default());
    let stale = world.slots[0];
    world.candidates = vec![candidate("groq", "groq", "other")];
    world.list();
    world.at += 2.0 * HOUR as f64;
    world.list();
    let counted = 8;
    assert_eq!(
        world.ledger.len(),
        3 + counted,
        "what only counts is there for what is used"
    );
    world.candidates = vec![candidate("groq", "groq", "m")];
    world.list();
    assert_eq!(world.slots[0], stale, "a request held on to it");
    world.settle(held, NOTHING, true);
    assert_eq!(world.shown(), "6/9 set, m 6/9 set");
    world.candidates = vec![candidate("groq", "groq", "other")];
    world.list();
    world.at += 26.0 * HOUR as f64;
    world.list();
    assert_eq!(world.ledger.len(), 2);
    // A slot that is gone limits nothing and charges nothing.
    assert_eq!(
        spelt(world.ledger.headroom(stale, Ask::default, world.now())),
        "free"
    );
    let lost = world.ledger.reserve(stale, Ask::default(), world.now());
    world.settle(lost, told(5, 5), true);
    assert_eq!(world.shown(), "0/9 set, other 0/9 set");
}

#[test]
fn s10_5_windows_invented_by_refusals_are_bounded() {
    let mut world = World::new(&[]);
    for hours in 1..500 {
        let mut reservation = world.reserve(0, Ask::default());
        let now = world.now();
        let refusal = Refusal {
            unit: Unit::Requests,
            per: Per::Hours(hours),
            of: Counted::Model,
            limit: Some(9),
            used: None,
            spent: true,
            wait: None,
            resets_at: None,
            by_header: false,
        };
        world.ledger.refused(&mut reservation, refusal, now);
        world.settle(reservation, NOTHING, false);
    }
    assert!(world.ledger.len() <= 24 + 5);
}
