//! Whatever happens, and whenever, costs are finite and within their bounds.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Begin,
    First(u64),
    Plain,
    Failed,
    Left,
    Broke,
    Whole,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Begin),
        1 => any::<u64>().prop_map(Event::First),
        1 => (0_u64..200_000).prop_map(Event::First),
        1 => Just(Event::Plain),
        1 => Just(Event::Failed),
        1 => Just(Event::Left),
        1 => Just(Event::Broke),
        1 => Just(Event::Whole),
    ]
}

/// How far the clocks move: the steady clock never backwards, the wall clock anywhere.
fn steps() -> impl Strategy<Value = (u64, i64)> {
    let years = 40 * 365 * 86_400_000_i64;
    prop_oneof![
        4 => (0_u64..60_000).prop_map(|ms| (ms, ms.cast_signed())),
        1 => (0_u64..60_000, -years..years),
        1 => (0_u64..u64::MAX / 1_000_000_000, Just(0)),
    ]
}

fn moved(now: Now, (steady, wall): (u64, i64)) -> Now {
    let by = Duration::from_millis(wall.unsigned_abs());
    let wall = if wall < 0 {
        now.wall.checked_sub(by)
    } else {
        now.wall.checked_add(by)
    };
    let later = Duration::from_millis(steady);
    Now {
        steady: now.steady.checked_add(later).unwrap_or(now.steady),
        wall: wall.unwrap_or(now.wall),
    }
}

/// Any settings that the settings parser accepts.
fn parameters() -> impl Strategy<Value = Parameters> {
    let any = || prop_oneof![3 => 0.0..600.0, 1 => Just(0.0), 1 => Just(315_360_000.0)];
    let above_0 = || prop_oneof![3 => 0.1..600.0, 1 => Just(1e-9), 1 => Just(315_360_000.0)];
    let costs = (any(), any(), any(), any(), any(), any());
    (
        above_0(),
        above_0(),
        above_0(),
        above_0(),
        any(),
        any(),
        costs,
    )
        .prop_map(
            |(half_life, half_life_max, prior_ttft, break_half_life, slow, slow_every, costs)| {
                let (rank_worth, failure, tight, broken, sticky, limit_min) = costs;
                Parameters {
                    rank_worth,
                    half_life,
                    half_life_max: half_life.max(half_life_max),
                    slow,
                    slow_failure: slow,
                    slow_every,
                    prior_ttft,
                    failure,
                    tight,
                    broken,
                    break_half_life,
                    sticky,
                    limit_min,
                    ..Parameters::default()
                }
            },
        )
}

proptest! {
    #[test]
    fn s11_1_costs_are_numbers_within_their_bounds(
        events in prop::collection::vec((event(), steps(), any::<prop::sample::Index>(), any::<bool>()), 0..60),
        parameters in prop_oneof![Just(Parameters::default()), parameters()],
        place in 0_u32..40,
        tight in prop_oneof![0.0..1.0_f64, Just(f64::INFINITY), Just(-1.0)],
        in_session in any::<bool>(),
    ) {
        let mut now = start();
        let mut evidence = Evidence::new(&parameters, now);
        let mut under_way = Vec::new();
        for (event, step, which, is_own) in events {
            now = moved(now, step);
            let through = if is_own { Through::Its } else { Through::Another };
            let ends = (!under_way.is_empty()).then(|| which.index(under_way.len()));
            match (event, ends) {
                (Event::Begin, _) => {
                    evidence.began(through, now.steady);
                    under_way.push((through, now.steady));
                }
                (Event::First(tokens), Some(at)) => {
                    let (through, began) = under_way.swap_remove(at);
                    evidence.first_event(through, began, tokens, &parameters, now);
                }
                (Event::Plain, Some(at)) => {
                    let (through, began) = under_way.swap_remove(at);
                    evidence.plain_answer(through, began, &parameters, now);
                }
                (Event::Failed, Some(at)) => {
                    let (through, began) = under_way.swap_remove(at);
                    evidence.failed(through, began, &parameters, now);
                }
                (Event::Left, Some(at)) => {
                    let (through, began) = under_way.swap_remove(at);
                    evidence.left(through, began);
                }
                (Event::Broke, _) => evidence.broke(through, &parameters, now),
                (Event::Whole, _) => evidence.whole(through, &parameters, now),
                (Event::First(_) | Event::Plain | Event::Failed | Event::Left, None) => {}
            }
            let sticks = if in_session { Sticks::Fully } else { Sticks::No };
            let rank_worth = parameters.rank_worth;
            let circumstances = Circumstances { place, rank_worth, tight, sticks };
            let cost = cost(Some(&evidence), circumstances, &parameters, now);
            let parts = [cost.place, cost.first_token, cost.failures, cost.quota, cost.breaks, cost.session];
            for part in parts {
                prop_assert!(part.is_finite() && part >= 0.0, "{cost:?}");
            }
            // Two first tokens and the prior; an attempt is silent for a day at most.
            let day = 86_400.0;
            prop_assert!(cost.first_token <= 1.5 * day + parameters.prior_ttft);
            prop_assert!(cost.failures <= 19.0 * (day + 1.0 + parameters.failure) + 1e-6);
            prop_assert!(cost.quota <= 19.0 * parameters.tight + 1e-6);
            prop_assert!(cost.breaks <= parameters.broken);
            let least = cost_at_least(place, rank_worth, in_session, &parameters);
            let rounded = 1e-6 + 1e-12 * (cost.place + cost.session);
            prop_assert!(least <= cost.total() + rounded, "{least} {cost:?}");
            let timeout = Duration::from_secs(30);
            for tokens in [0, 9_000, u64::MAX] {
                let limit = first_token_limit(Some(&evidence), tokens, timeout, &parameters, now);
                prop_assert!(limit <= timeout);
                // Durations are rounded to the nanosecond.
                prop_assert!(limit.as_secs_f64() >= parameters.limit_min.min(30.0) - 1e-6);
            }
        }
    }

    #[test]
    fn s11_1_a_candidates_past_fades_away(
        events in prop::collection::vec((0.0..60.0_f64, 0.0..60.0_f64, any::<bool>()), 0..40),
    ) {
        let mut story = Story::new();
        let mut second = 60.0;
        for (later, took, fails) in events {
            second += later;
            if fails { story.failed(second, took) } else { story.first(second, took) }
        }
        let unknown = cost(None, BARE, &story.parameters, story.start).total();
        let far = second + 480.0 * 40.0;
        near(story.cost(far).total(), unknown, "a day later");
        prop_assert!(story.evidence.is_faded(&story.parameters, story.at(far)));
    }
}
