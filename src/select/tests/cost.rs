//! Which candidate is asked, by what the request would cost there (spec §11.1).

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::learnt::{Caller, Cells, Order, Parameters, Salt};
use crate::model::{Place, Tier, Wish};

/// What was seen of a candidate.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// Its first token took this many seconds.
    First(f64),
    /// It failed after this many.
    Failed(f64),
    /// It has been silent for this many.
    Silent(f64),
}
use Seen::{Failed, First, Silent};

static PARAMETERS: LazyLock<Parameters> = LazyLock::new(Parameters::default);

fn by_cost(rank_worth: f64) -> By<'static> {
    By::Cost {
        rank_worth,
        parameters: &PARAMETERS,
        pin: None,
        session: None,
    }
}

/// Models at these places, and a router after them, with what was seen of them.
fn seen(places: &[(Tier, u32)], seen: &[(usize, Seen)], now: Now) -> Snapshot {
    let offers = (0..places.len()).map(|n| model(&format!("m{n}"), 1, &[]));
    let place = |(tier, place): &(Tier, u32)| Place {
        tier: *tier,
        place: *place,
    };
    let snapshot = Snapshot::new(Parts {
        places: [places.iter().map(place).collect(), Vec::new()],
        fallback: Some(model("router", i64::MAX, &[])),
        ..parts(offers.collect())
    });
    let candidates = snapshot.candidates().iter().map(|c| &**c);
    let evidences = Cells::default().list(candidates, &PARAMETERS, now);
    for (index, seen) in seen {
        let (First(took) | Failed(took) | Silent(took)) = *seen;
        let began = now.steady - Duration::from_secs_f64(took);
        evidences.teach(*index, &PARAMETERS, now, |evidence, through| {
            evidence.began(through, began);
            match seen {
                First(_) => evidence.first_event(through, began, 100, &PARAMETERS, now),
                Failed(_) => evidence.failed(through, began, &PARAMETERS, now),
                Silent(_) => {}
            }
        });
    }
    snapshot.with_evidences(evidences)
}

const REST: [(Tier, u32); 4] = [
    (Tier::Rest, 0),
    (Tier::Rest, 1),
    (Tier::Rest, 2),
    (Tier::Rest, 2),
];

/// The case, the places, what was seen, and which is asked.
type Row<'a> = (&'a str, &'a [(Tier, u32)], &'a [(usize, Seen)], &'a str);

#[test]
fn s11_1_within_a_tier_the_cheapest_is_asked_first() {
    const RANKED: &str = "m0 m1 m2 m3 router";
    let ordered = [
        (Tier::Ordered(0), 0),
        (Tier::Ordered(1), 0),
        (Tier::Rest, 0),
        (Tier::Rest, 1),
    ];
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        ("nothing is known",             &REST,    &[],                                     RANKED),
        ("all are equal",                &[(Tier::Rest, 0); 4], &[],                        RANKED),
        ("one alone",                    &[(Tier::Rest, 0)], &[(0, First(60.0))],           "m0 router"),
        ("it is quick",                  &REST,    &[(0, First(0.3))],                      RANKED),
        ("a slow favourite",             &REST,    &[(0, First(15.0))],                     "m1 m2 m3 m0 router"),
        ("slower than the next alone",   &REST,    &[(0, First(6.0))],                      "m1 m0 m2 m3 router"),
        ("it is silent",                 &REST,    &[(0, Silent(2.5))],                     "m1 m0 m2 m3 router"),
        ("for a moment only",            &REST,    &[(0, Silent(1.0))],                     RANKED),
        ("it has failed",                &REST,    &[(0, Failed(1.0))],                     "m1 m0 m2 m3 router"),
        ("again and again",              &REST,    &[(0, Failed(1.0)), (0, Failed(1.0)), (0, Failed(1.0))], "m1 m2 m3 m0 router"),
        ("of two in one place",          &REST,    &[(2, First(2.0))],                      "m0 m1 m3 m2 router"),
        ("the user's own order stays",   &ordered, &[(0, First(60.0)), (1, First(60.0))],   RANKED),
        ("the router is behind all",     &REST,    &[(0, First(60.0)), (1, First(60.0)), (2, First(60.0)), (3, First(60.0))], RANKED),
    ];
    let now = now();
    let needs = Needs::default();
    for (what, places, was_seen, expected) in rows {
        let snapshot = seen(places, was_seen, now);
        let known = Knowledge::default();
        let walk = |by| {
            let wants = Wants {
                by,
                ..wants(&needs)
            };
            chosen(Some(&snapshot), wants, &known, now)
        };
        assert_eq!(walk(by_cost(2.0)), *expected, "{what}");
        let ranked: Vec<_> = (0..places.len()).map(|n| format!("m{n} ")).collect();
        assert_eq!(walk(By::Rank), ranked.concat() + "router", "{what}");
    }
}

#[test]
fn s11_1_what_a_place_is_worth_decides_how_far_a_slow_model_falls() {
    let now = now();
    let needs = Needs::default();
    let snapshot = seen(&REST, &[(0, First(15.0))], now);
    #[rustfmt::skip]
    let rows = [
        (8.0, "m0 m1 m2 m3 router"),
        (2.0, "m1 m2 m3 m0 router"),
        (0.5, "m1 m2 m3 m0 router"),
        (0.0, "m1 m2 m3 m0 router"),
    ];
    for (rank_worth, expected) in rows {
        let wants = Wants {
            by: by_cost(rank_worth),
            ..wants(&needs)
        };
        let walk = chosen(Some(&snapshot), wants, &Knowledge::default(), now);
        assert_eq!(walk, expected, "{rank_worth}");
    }
}

#[test]
fn s11_6_a_wish_is_by_cost_or_by_rank_and_says_what_a_place_is_worth() {
    let parameters = Parameters {
        rank_worth: 3.0,
        ..*PARAMETERS
    };
    #[rustfmt::skip]
    let rows = [
        // wish       under balanced   under rank
        (Wish::Auto,  Some(3.0),       None),
        (Wish::Best,  Some(8.0),       Some(8.0)),
        (Wish::Fast,  Some(0.5),       Some(0.5)),
        (Wish::Rank,  None,            None),
    ];
    for (wish, balanced, rank) in rows {
        for (routing, expected) in [(Order::Balanced, balanced), (Order::Rank, rank)] {
            let worth = match By::new(routing, wish, &parameters, None, None) {
                By::Cost { rank_worth, .. } => Some(rank_worth),
                By::Rank => None,
            };
            assert_eq!(worth, expected, "{routing:?} {wish:?}");
        }
    }
}

#[test]
fn s11_1_what_a_request_names_comes_first_whatever_it_costs() {
    let now = now();
    let needs = Needs::default();
    let snapshot = seen(&REST, &[(2, First(60.0))], now);
    let wants = Wants {
        by: by_cost(2.0),
        preference: Preference::First("m2"),
        ..wants(&needs)
    };
    let walk = chosen(Some(&snapshot), wants, &Knowledge::default(), now);
    assert_eq!(walk, "m2 m0 m1 m3 router");
}

#[test]
fn s11_4_sessions_start_on_all_accounts_that_are_nearly_as_good() {
    let now = now();
    let needs = Needs::default();
    let label = |n: usize| match n {
        1 => "groq".to_owned(),
        n => format!("groq#{n}"),
    };
    let accounts = (1..=3).map(|n| {
        Arc::new(AccountId::new(
            ProviderId::try_from("groq").unwrap(),
            &label(n),
        ))
    });
    let groq = ProviderId::try_from("groq").unwrap();
    let snapshot = Snapshot::new(Parts {
        accounts: accounts.collect(),
        ..parts(vec![Offer::at(groq, ModelId::try_from("x").unwrap())])
    });
    let salt = Salt::of(["a-key"]);
    let mut headers = http::HeaderMap::new();
    let mut starts = |snapshot: &Snapshot, known: &Knowledge| {
        let mut counts = [0; 3];
        for n in 0..300 {
            headers.insert("x-session-id", n.into());
            let caller = Caller::of(&headers, b"", salt);
            let by = By::Cost {
                rank_worth: 2.0,
                parameters: &PARAMETERS,
                pin: None,
                session: caller.session(&Default::default()).map(|key| (key, salt)),
            };
            let wants = Wants {
                by,
                ..wants(&needs)
            };
            let asked = next(Some(snapshot), wants, known, now)
                .candidate()
                .unwrap()
                .index;
            counts[asked] += 1;
        }
        counts
    };
    let mut known = Knowledge::default();
    let all = starts(&snapshot, &known);
    assert!(all.iter().all(|count| (60..140).contains(count)), "{all:?}");
    // A slow account is not worth a start, and among the others each session stays with its own.
    let candidates = snapshot.candidates().iter().map(|c| &**c);
    let evidences = Cells::default().list(candidates, &PARAMETERS, now);
    let began = now.steady - Duration::from_secs(9);
    evidences.teach(0, &PARAMETERS, now, |evidence, through| {
        evidence.began(through, began);
        evidence.first_event(through, began, 100, &PARAMETERS, now);
    });
    let slow = snapshot.clone().with_evidences(evidences);
    let [first, second, third] = starts(&slow, &known);
    assert_eq!((first, second >= all[1], third >= all[2]), (0, true, true));
    // Nor is one that rests.
    let rest = Rest::For(Duration::from_secs(9));
    let resting = snapshot.candidates()[2].of_account();
    known.rest(resting, because("x"), rest, now);
    assert_eq!(starts(&snapshot, &known)[2], 0);
}

fn a_tier() -> impl Strategy<Value = Tier> {
    prop_oneof![
        Just(Tier::Ordered(0)),
        Just(Tier::Ordered(1)),
        Just(Tier::Rest),
        Just(Tier::Rest)
    ]
}

fn was_seen() -> impl Strategy<Value = Seen> {
    let seconds = 0.0..40.0_f64;
    prop_oneof![
        seconds.clone().prop_map(First),
        seconds.clone().prop_map(Failed),
        seconds.prop_map(Silent)
    ]
}

proptest! {
    /// The walk, which stops as soon as it can, asks in the order that `explain` shows of all.
    #[test]
    fn s11_7_explain_shows_the_order_of_the_walk(
        mut places in prop::collection::vec((a_tier(), 0..20_u32), 1..10),
        facts in prop::collection::vec((0..10_usize, was_seen()), 0..12),
        rests in prop::collection::vec(0..10_usize, 0..4),
        unreached: bool,
        named in prop::option::of(0..10_usize),
        rank_worth in 0.0..9.0_f64,
    ) {
        let now = now();
        let needs = Needs::default();
        places.sort_unstable();
        let snapshot = seen(&places, &facts, now);
        let ids: Vec<String> = rests.iter().map(|n| format!("m{n}")).collect();
        let rests: Vec<_> = ids.iter().map(|id| (id.as_str(), 9)).collect();
        let mut known = resting(&rests, now);
        if unreached {
            known.way_fails(candidate("m0").provider(), now);
        }
        let name = named.map(|n| format!("m{n}"));
        let preference = name.as_deref().map_or(Preference::None, Preference::First);
        let wants = Wants { by: by_cost(rank_worth), preference, ..wants(&needs) };
        let shown: Vec<_> = awake(&snapshot, wants, &known, now).into_iter()
            .map(|awake| awake.candidate.offer.public_id.to_string()).collect();
        prop_assert_eq!(chosen(Some(&snapshot), wants, &known, now), shown.join(" "));
    }
}
