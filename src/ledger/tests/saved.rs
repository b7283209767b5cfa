//! What outlives the process (spec §12.3).

use proptest::prelude::*;

use super::*;
use crate::model::Whom;

/// What a ledger says of its candidates and accounts, moments to the millisecond.
fn told(world: &World) -> Vec<String> {
    let now = world.now();
    let millis =
        |wait: Option<Duration>| wait.map(|wait| wait.as_secs_f64().mul_add(1e3, 0.1).ceil());
    let asks = [Ask::default(), tokens(50), tokens(5_000)];
    let slots = world.slots.iter().flat_map(|slot| {
        asks.map(|ask| {
            let room = match world.ledger.headroom(*slot, || ask, now) {
                Headroom::Out { returns_in, .. } => format!("out {:?}", millis(returns_in)),
                other @ (Headroom::Free
                | Headroom::Behind { .. }
                | Headroom::Busy { .. }
                | Headroom::TooLarge { .. }) => spelt(other),
            };
            let turn = millis(world.ledger.turn(*slot, ask, 3, now));
            let (tight, left) = (
                world.ledger.tight(*slot, now),
                world.ledger.day_left(*slot, now),
            );
            format!("{room} {turn:?} {tight:.6} {left:?}")
        })
    });
    let accounts = world.candidates.iter().flat_map(|candidate| {
        let buckets = world.ledger.buckets_of(&candidate.account, now);
        buckets.into_iter().map(|mut bucket| {
            let back = bucket.resets_at.take();
            let left = back.map(|back| back.duration_since(now.wall).unwrap_or_default());
            format!("{bucket:?} {:?}", millis(left))
        })
    });
    // Two of one window are told in no particular order.
    let mut accounts: Vec<_> = accounts.collect();
    accounts.sort();
    slots.chain(accounts).collect()
}

impl World {
    /// The same after a restart that took so long, in seconds, by a clock that was put back by so many meanwhile.
    pub(super) fn restarted(&self, took: u64, put_back: u64) -> Self {
        let saved_at = self.now();
        let mut whom = Vec::new();
        let saved = self.ledger.save(saved_at).about(|about| {
            whom.push(about);
            Some(whom.len() - 1)
        });
        let text = serde_json::to_vec(&saved).unwrap();
        let saved: SavedLedger<usize> = serde_json::from_slice(&text).unwrap();
        let saved = saved.about(|place| whom.get(place).cloned());
        let later = saved_at.plus(Duration::from_secs(took));
        let wall = later.wall - Duration::from_secs(put_back);
        let mut ledger = Ledger::default();
        ledger.set_fair(self.ledger.fair.is_some());
        ledger.restore(saved, saved_at.wall, Now { wall, ..later });
        let mut world = Self {
            ledger,
            slots: Vec::new(),
            candidates: self.candidates.clone(),
            limits: self.limits.clone(),
            counts_max_tokens: self.counts_max_tokens,
            day_ends: self.day_ends,
            start: self.start,
            #[expect(clippy::cast_precision_loss, reason = "it is small")]
            at: self.at + took as f64,
        };
        if put_back == 0 {
            world.list();
        }
        world
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Answered(usize, u64, u64),
    Failed(usize),
    Refused(usize, Refusal),
    Header(usize, Correction),
    FreeDay(usize, FreeDay),
    Passes(u64),
}

const PERS: [Per; 6] = [
    Per::Second,
    Per::Minute,
    Per::Hour,
    Per::Day,
    Per::Month,
    Per::Hours(5),
];
const UNITS: [Unit; 4] = [
    Unit::Requests,
    Unit::Tokens,
    Unit::TokensIn,
    Unit::TokensOut,
];

fn refusal() -> impl Strategy<Value = Refusal> {
    let window = (prop::sample::select(&UNITS), prop::sample::select(&PERS));
    let numbers = (
        prop::option::of(1_u64..500),
        prop::option::of(0_u64..500),
        prop::option::of(1_u64..90_000),
    );
    let says = (
        any::<bool>(),
        any::<bool>(),
        prop::option::of(1_u64..90_000),
    );
    (
        window,
        prop::sample::select(&[Counted::Account, Counted::Model][..]),
        numbers,
        says,
    )
        .prop_map(
            |((unit, per), of, (limit, used, wait), (spent, by_header, resets))| Refusal {
                unit,
                per,
                of,
                limit,
                used: used.zip(limit).map(|(used, limit)| used.min(limit)),
                spent,
                wait: wait.map(Duration::from_secs),
                resets_at: resets
                    .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(NOON + seconds)),
                by_header,
            },
        )
}

fn correction() -> impl Strategy<Value = Correction> {
    let window = (prop::sample::select(&UNITS), prop::sample::select(&PERS));
    let numbers = (prop::option::of(1_u64..500), prop::option::of(0_u64..500));
    (window, numbers, prop::option::of(1_u64..90_000)).prop_map(
        |((unit, per), (limit, remaining), reset)| Correction {
            unit,
            per,
            of: None,
            limit,
            remaining,
            reset: reset.map(Duration::from_secs),
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0_usize..4;
    prop_oneof![
        4 => (which.clone(), 0_u64..400, 0_u64..400).prop_map(|(w, i, o)| Step::Answered(w, i, o)),
        1 => which.clone().prop_map(Step::Failed),
        1 => (which.clone(), refusal()).prop_map(|(which, refusal)| Step::Refused(which, refusal)),
        1 => (which.clone(), correction()).prop_map(|(w, correction)| Step::Header(w, correction)),
        1 => (which, 1_u64..60, 0_u64..60)
            .prop_map(|(which, limit, used)| Step::FreeDay(which, FreeDay { limit, used })),
        2 => (0_u64..120).prop_map(Step::Passes),
        1 => (0_u64..90_000).prop_map(Step::Passes),
    ]
}

impl World {
    fn takes(&mut self, step: Step) {
        match step {
            Step::Answered(which, tokens_in, tokens_out) => {
                let reservation = self.reserve(which, tokens(100));
                self.settle(reservation, super::told(tokens_in, tokens_out), true);
            }
            Step::Failed(which) => self.fail(which, 1),
            Step::Refused(which, refusal) => {
                let mut reservation = self.reserve(which, tokens(100));
                let now = self.now();
                self.ledger.refused(&mut reservation, refusal, now);
                self.settle(reservation, NOTHING, false);
            }
            Step::Header(which, correction) => {
                let reservation = self.reserve(which, tokens(100));
                let now = self.now();
                self.ledger.correct(&reservation, &[correction], now);
                self.settle(reservation, NOTHING, true);
            }
            Step::FreeDay(which, told) => {
                let account = self.candidates[which].account.clone();
                let now = self.now();
                self.ledger.told_free_day(&account, told, now);
            }
            #[expect(clippy::cast_precision_loss, reason = "it is small")]
            Step::Passes(seconds) => self.at += seconds as f64,
        }
    }
}

fn world() -> World {
    let mut world = World::of(
        &[
            ("groq", "groq", "m"),
            ("groq", "groq", "n"),
            ("groq", "groq#2", "m"),
            ("openrouter", "openrouter", "a:free"),
        ],
        &[
            set(40, Per::Minute),
            ending(set(300, Per::Day), Ends::Utc),
            by_default(100, Per::Hour),
            limit(
                9_000,
                Unit::Tokens,
                Per::Day,
                Counted::Model,
                LimitSource::Default,
            ),
            limit(
                500,
                Unit::Requests,
                Per::Day,
                Counted::Address,
                LimitSource::Set,
            ),
            ending(by_default(900, Per::Month), Ends::Pacific),
        ],
    );
    world.day_ends = Some(Ends::Pacific);
    world.list();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn s12_3_what_is_counted_is_the_same_after_a_restart(
        steps in prop::collection::vec(step(), 0..60),
        took in prop_oneof![Just(0_u64), 0_u64..100_000],
    ) {
        let mut before = world();
        for step in steps {
            before.takes(step);
        }
        let mut after = before.restarted(took, 0);
        #[expect(clippy::cast_precision_loss, reason = "it is small")]
        { before.at += took as f64; }
        // Limits that have lapsed are forgotten with a list.
        before.list();
        prop_assert_eq!(told(&before), told(&after));
        // And it goes on counting alike.
        for which in 0..4 {
            before.takes(Step::Answered(which, 10, 10));
            after.takes(Step::Answered(which, 10, 10));
        }
        prop_assert_eq!(told(&before), told(&after));
    }

    #[test]
    fn s12_3_a_clock_put_back_brings_nothing_back_and_makes_nothing_longer(
        steps in prop::collection::vec(step(), 0..60),
        put_back in 1_u64..100_000_000,
    ) {
        let mut before = world();
        for step in steps {
            before.takes(step);
        }
        before.list();
        let mut after = before.restarted(0, put_back);
        let now = before.now();
        let back = Now { wall: now.wall - Duration::from_secs(put_back), ..now };
        let terms = Terms { limits: &after.limits, counts_max_tokens: false, day_ends: after.day_ends };
        let listed = after.candidates.iter().map(|candidate| (candidate, terms));
        after.slots = after.ledger.list(listed, back);
        for (was, is) in before.slots.iter().zip(&after.slots) {
            let (was, is) = (
                before.ledger.headroom(*was, Ask::default, now),
                after.ledger.headroom(*is, Ask::default, back),
            );
            if let (
                Headroom::Out { returns_in: Some(was), .. },
                Headroom::Out { returns_in: Some(is), .. },
            ) = (was, is) {
                prop_assert!(is <= was + Duration::from_millis(2), "{is:?} {was:?}");
            } else {
                prop_assert_eq!(spelt(was), spelt(is));
            }
        }
    }

    /// Whatever is written there.
    #[test]
    fn s12_3_a_hostile_bucket_lasts_no_longer_than_its_window(
        numbers in prop::collection::vec(any::<u64>(), 12),
        per in prop::sample::select(&PERS),
        fixed in any::<bool>(),
    ) {
        let until = |at: usize| if numbers[at] % 2 == 0 {
            serde_json::json!({"running": numbers[at]})
        } else {
            serde_json::json!({"date": numbers[at]})
        };
        let ends = fixed.then_some(Ends::Shanghai);
        let count = if fixed {
            serde_json::json!({"fixed": {"start_ms": numbers[0], "end_ms": numbers[1], "used": numbers[2], "well": numbers[3]}})
        } else {
            serde_json::json!({"rolling": &numbers[0..4]})
        };
        let account = Whom::Account(candidate("groq", "groq", "m").account.as_ref().clone());
        let saved: SavedLedger<usize> = serde_json::from_value(serde_json::json!({
            "running_ns": numbers[4] % 1_000_000_000_000_000_000,
            "buckets": [[0, {
                "unit": "requests", "per": per, "ends": ends, "count": count,
                "numbers": {"stated": [numbers[5] % 100 + 1, until(6)], "learnt": [numbers[7], until(7)], "raised": [numbers[8], until(8)]},
                "beyond": {"amount": numbers[9], "until": until(9), "refills_in_ms": numbers[10]},
                "told": {"limit": numbers[10], "used": numbers[11], "until": until(10), "since": numbers[11]},
                "refused": until(11),
            }]],
            "ratios": [],
        })).unwrap();
        let mut world = World::new(&[]);
        world.ledger = Ledger::default();
        let (now, saved) = (world.now(), saved.about(|_| Some(account.clone())));
        world.ledger.restore(saved, now.wall, now);
        world.list();
        if let Headroom::Out { returns_in, .. } = world.ledger.headroom(world.slots[0], Ask::default, now) {
            let longest = per.length() + Duration::from_secs(26 * HOUR);
            prop_assert!(returns_in.is_some_and(|wait| wait <= longest), "{returns_in:?}");
        }
    }
}

#[test]
fn s12_3_a_day_of_50_stays_used_and_comes_back_with_its_day() {
    let mut world = World::new(&[ending(set(50, Per::Day), Ends::Utc)]);
    world.send(0, 50);
    #[rustfmt::skip]
    let rows = [
        // the restart took   then
        (0,                   "out 43200"),
        (600,                 "out 42600"),
        (43_199,              "out 1"),
        (43_200,              "free"),
    ];
    for (took, expected) in rows {
        assert_eq!(world.restarted(took, 0).room(0), expected, "{took}");
    }
}

#[test]
fn s12_3_many_pieces_of_a_window_become_few_and_none_comes_back_early() {
    let mut world = World::new(&[set(900, Per::Day)]);
    for _ in 0..900 {
        world.send(0, 1);
        world.at += 90.0;
    }
    let saved = world.ledger.save(world.now()).about(|_| Some(0));
    let text = serde_json::to_string(&saved).unwrap();
    assert!(text.len() < 4_000, "{}", text.len());
    let mut restarted = world.restarted(0, 0);
    for _ in 0..100 {
        (world.at, restarted.at) = (world.at + 900.0, restarted.at + 900.0);
        let used = |world: &World| {
            let buckets = world
                .ledger
                .buckets_of(&world.candidates[0].account, world.now());
            let of_all = buckets.iter().find(|bucket| bucket.limit == 900);
            of_all.map_or(0, |bucket| bucket.used)
        };
        let (before, after) = (used(&world), used(&restarted));
        assert!(before <= after && after <= before + 10, "{before} {after}");
    }
}

#[test]
fn s12_3_what_the_first_lists_do_not_name_yet_is_kept_for_a_while() {
    let stated = Refusal {
        unit: Unit::Requests,
        per: Per::Minute,
        of: Counted::Model,
        limit: Some(7),
        used: None,
        spent: true,
        wait: None,
        resets_at: None,
        by_header: false,
    };
    let mut world = World::of(&[("groq", "groq", "m"), ("ovh", "ovh", "n")], &[]);
    for which in 0..2 {
        let mut reservation = world.reserve(which, tokens(100));
        let now = world.now();
        world.ledger.refused(&mut reservation, stated, now);
        world.settle(reservation, super::told(300, 5), true);
    }
    let whole = told(&world);
    let mut world = world.restarted(0, 0);
    let all = world.candidates.clone();
    world.candidates.pop();
    world.list();
    world.candidates = all;
    world.list();
    assert_eq!(told(&world), whole);
}
