mod explain;

use std::time::{Instant, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::model::Capability::{Seed, Stop, StructuredOutputs, Tools};
use crate::registry::Source;
use crate::verdict::{Because, Cause, Outcome, Rest};

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

fn model(id: &str, rank: i64, able: &[Capability]) -> Arc<Model> {
    Arc::new(Model {
        id: ModelId::try_from(id).unwrap(),
        rank,
        name: None,
        context_length: None,
        capabilities: able.iter().copied().collect(),
    })
}

/// a: tools, seed. b: tools, schema. c: tools, schema, stop. d: nothing.
fn snapshot() -> Snapshot {
    Snapshot {
        models: vec![
            model("a", 1, &[Tools, Seed]),
            model("b", 2, &[Tools, StructuredOutputs]),
            model("c", 3, &[Tools, StructuredOutputs, Stop]),
            model("d", 4, &[]),
        ],
        fallback: None,
        fetched_at: SystemTime::UNIX_EPOCH,
        source: Source::Ranking,
    }
}

fn resting(rests: &[(&str, u64)], now: Now) -> Cooldowns {
    let mut cooldowns = Cooldowns::default();
    for (id, seconds) in rests {
        cooldowns.rest(because(id), Rest::For(Duration::from_secs(*seconds)), now);
    }
    cooldowns
}

fn because(id: &str) -> Because {
    Because {
        model: ModelId::try_from(id).unwrap(),
        outcome: Outcome::RateLimited,
        status: Some(429),
        cause: Cause::Status,
        at: SystemTime::UNIX_EPOCH,
    }
}

fn in_words(selection: &Selection) -> String {
    match selection {
        Selection::Candidates(models) => models
            .iter()
            .map(|m| m.id.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        Selection::AllCooling { wakes_in } => format!("all cooling, {}s", wakes_in.as_secs()),
        Selection::Probing { .. } => "probing".to_owned(),
        Selection::AccountResting => "account resting".to_owned(),
        Selection::Exhausted => "exhausted".to_owned(),
        Selection::NoneCapable { missing } => format!("none capable: {missing:?}"),
        Selection::NotListed => "not listed".to_owned(),
        Selection::NoSnapshot => "no snapshot".to_owned(),
    }
}

/// needs, preference, resting, expected
type Row<'a> = (
    &'a [Capability],
    Preference<'a>,
    &'a [(&'a str, u64)],
    &'a str,
);

#[test]
fn s4_1_s4_2_the_able_and_awake_are_tried_by_rank() {
    use Preference::{First, None, Only};
    let now = now();
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // needs                  preference    resting                                       expected
        (&[],                     None,         &[],                                          "a b c d"),
        (&[],                     None,         &[("a", 9)],                                  "b c d"),
        (&[Tools],                None,         &[],                                          "a b c"),
        (&[Tools],                None,         &[("a", 9), ("c", 9)],                        "b"),
        (&[StructuredOutputs],    None,         &[],                                          "b c"),
        (&[Seed],                 None,         &[("b", 9)],                                  "a"),
        (&[Tools],                None,         &[("a", 30), ("b", 20), ("c", 40)],           "all cooling, 20s"),
        (&[Seed],                 None,         &[("a", 7)],                                  "all cooling, 7s"),
        (&[Capability::Reasoning], None,        &[],                                          "none capable: [Reasoning]"),
        (&[Tools, Capability::Reasoning], None, &[("a", 9)],                                  "none capable: [Reasoning]"),
        (&[Seed, Stop],           None,         &[],                                          "none capable: [Seed, Stop]"),
        (&[],                     First("c"),   &[],                                          "c a b d"),
        (&[],                     First("c"),   &[("c", 9)],                                  "a b d"),
        (&[Seed],                 First("c"),   &[],                                          "a"),
        (&[],                     First("zz"),  &[],                                          "a b c d"),
        (&[],                     Only("c"),    &[],                                          "c"),
        (&[],                     Only("c"),    &[("c", 9)],                                  "all cooling, 9s"),
        (&[Seed],                 Only("c"),    &[],                                          "none capable: [Seed]"),
        (&[],                     Only("zz"),   &[],                                          "not listed"),
    ];
    for (needs, preference, rests, expected) in rows {
        let needs: Needs = needs.iter().copied().collect();
        let wants = Wants {
            preference: *preference,
            ..wants(&needs)
        };
        let selected = select(Some(&snapshot()), wants, &resting(rests, now), now);
        assert_eq!(
            in_words(&selected),
            *expected,
            "{needs:?} {preference:?} {rests:?}"
        );
    }
    let needs = Needs::default();
    let selected = select(Option::None, wants(&needs), &Cooldowns::default(), now);
    assert_eq!(selected, Selection::NoSnapshot);
}

fn wants(needs: &Needs) -> Wants<'_> {
    Wants {
        needs,
        preference: Preference::None,
        tried: &[],
        above_context: None,
    }
}

#[test]
fn s7_the_models_that_the_needs_rule_out_are_named() {
    let needs = [StructuredOutputs].into_iter().collect();
    let out = filtered_out(&snapshot(), &needs, &Cooldowns::default());
    let names: Vec<_> = out.iter().map(ModelId::as_str).collect();
    assert_eq!(names, ["a", "d"]);
}

#[test]
fn s4_model_field_decides_what_a_name_comes_to() {
    let named = Wish::Named("x".to_owned());
    #[rustfmt::skip]
    let rows = [
        (ModelField::Ignore, &named,      Preference::None),
        (ModelField::Prefer, &named,      Preference::First("x")),
        (ModelField::Pin,    &named,      Preference::Only("x")),
        (ModelField::Prefer, &Wish::Auto, Preference::None),
        (ModelField::Pin,    &Wish::Auto, Preference::None),
    ];
    for (setting, wish, expected) in rows {
        assert_eq!(Preference::new(setting, wish), expected);
    }
}

proptest! {
    /// Never a resting or an incapable model, always in rank order, and none forgotten.
    #[test]
    fn a_selection_is_sound(
        able in prop::collection::vec(prop::collection::vec(0..7_usize, 0..7), 1..12),
        needs in prop::collection::vec(0..7_usize, 0..3),
        rests in prop::collection::vec(0..12_usize, 0..12),
    ) {
        let now = now();
        let models: Vec<_> = able.iter().enumerate().map(|(i, caps)| {
            let caps: Vec<_> = caps.iter().map(|c| Capability::ALL[*c]).collect();
            model(&format!("m{i}"), i as i64, &caps)
        }).collect();
        let snapshot = Snapshot { models, ..snapshot() };
        let needs: Needs = needs.iter().map(|c| Capability::ALL[*c]).collect();
        let ids: Vec<String> = rests.iter().map(|i| format!("m{i}")).collect();
        let rests: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 10)).collect();
        let cooldowns = resting(&rests, now);
        let right: Vec<Arc<Model>> = snapshot.models.iter()
            .filter(|m| needs.met_by(m.capabilities) && cooldowns.standing(&m.id, now) == Standing::Awake).cloned().collect();
        let selected = select(Some(&snapshot), wants(&needs), &cooldowns, now);
        match selected {
            Selection::Candidates(models) => prop_assert_eq!(models, right),
            Selection::AllCooling { .. } | Selection::NoneCapable { .. } => prop_assert!(right.is_empty()),
            Selection::NotListed | Selection::NoSnapshot | Selection::Probing { .. }
            | Selection::AccountResting | Selection::Exhausted => prop_assert!(false),
        }
    }
}

fn sized(id: &str, rank: i64, context: Option<u64>) -> Arc<Model> {
    Arc::new(Model {
        context_length: context,
        ..(*model(id, rank, &[])).clone()
    })
}

#[test]
fn s9_5_a_prompt_that_is_too_long_skips_a_model_and_the_largest_is_asked_at_last() {
    let body = format!(r#"{{"messages":[{{"content":"{}"}}]}}"#, "x".repeat(80_000));
    let long = crate::request::ChatRequest::read(body.into(), 128)
        .unwrap()
        .needs;
    let now = now();
    #[rustfmt::skip]
    type Row<'a> = (&'a [Option<u64>], Option<u64>, &'a str);
    let rows: &[Row<'_>] = &[
        // contexts of a, b, c                        above          expected
        (&[Some(9_000), Some(10_000), Some(20_000)], None, "b c"),
        (&[Some(9_000), None, Some(20_000)], None, "b c"),
        (&[Some(1_000), Some(9_000), Some(9_000)], None, "b"),
        (
            &[Some(9_000), Some(10_000), Some(20_000)],
            Some(10_000),
            "c",
        ),
        (
            &[Some(9_000), None, Some(20_000)],
            Some(20_000),
            "exhausted",
        ),
        (
            &[Some(1_000), Some(2_000), Some(3_000)],
            Some(3_000),
            "exhausted",
        ),
        (&[Some(1_000), Some(2_000), Some(3_000)], Some(2_000), "c"),
    ];
    for (contexts, above_context, expected) in rows {
        let models = ["a", "b", "c"]
            .iter()
            .zip(1..)
            .zip(*contexts)
            .map(|((id, rank), length)| sized(id, rank, *length));
        let snapshot = Snapshot {
            models: models.collect(),
            ..snapshot()
        };
        let wants = Wants {
            above_context: *above_context,
            ..wants(&long)
        };
        let selected = select(Some(&snapshot), wants, &Cooldowns::default(), now);
        assert_eq!(
            in_words(&selected),
            *expected,
            "{contexts:?} {above_context:?}"
        );
    }
}

#[test]
fn s9_9_the_fallback_router_stands_last() {
    let now = now();
    let snapshot = Snapshot {
        fallback: Some(model("router", i64::MAX, &[Tools])),
        ..snapshot()
    };
    let choose = |needs: &[Capability], preference, tried: &[&str], rests: &[(&str, u64)]| {
        let needs: Needs = needs.iter().copied().collect();
        let tried: Vec<_> = tried
            .iter()
            .map(|id| ModelId::try_from(*id).unwrap())
            .collect();
        let wants = Wants {
            preference,
            tried: &tried,
            ..wants(&needs)
        };
        in_words(&select(Some(&snapshot), wants, &resting(rests, now), now))
    };
    assert_eq!(choose(&[], Preference::None, &[], &[]), "a b c d router");
    assert_eq!(
        choose(&[], Preference::First("c"), &[], &[]),
        "c a b d router"
    );
    assert_eq!(
        choose(&[], Preference::Only("router"), &[], &[]),
        "not listed"
    );
    assert_eq!(
        choose(&[Tools], Preference::None, &["a", "b"], &[("c", 9)]),
        "router"
    );
    assert_eq!(choose(&[Seed], Preference::None, &["a"], &[]), "exhausted");
    assert_eq!(
        choose(&[Tools], Preference::None, &["a", "b", "c", "router"], &[]),
        "exhausted"
    );
}

#[test]
fn s9_2_what_a_model_was_found_to_lack_counts_and_so_does_the_account() {
    use crate::registry::AccountRest;
    use crate::verdict::AccountLimit;
    let now = now();
    let needs: Needs = [Tools].into_iter().collect();
    let mut known = Cooldowns::default();
    known.learn(&ModelId::try_from("a").unwrap(), Tools);
    assert_eq!(
        in_words(&select(Some(&snapshot()), wants(&needs), &known, now)),
        "b c"
    );
    known.learn(&ModelId::try_from("b").unwrap(), Tools);
    known.learn(&ModelId::try_from("c").unwrap(), Tools);
    assert_eq!(
        in_words(&select(Some(&snapshot()), wants(&needs), &known, now)),
        "none capable: [Tools]"
    );
    let why = AccountRest {
        limit: AccountLimit::Day,
        answer: None,
        free_requests: None,
    };
    known.rest_account(because("a"), why, Rest::For(Duration::from_secs(60)), now);
    let plain = Needs::default();
    assert_eq!(
        in_words(&select(Some(&snapshot()), wants(&plain), &known, now)),
        "account resting"
    );
    let later = now.plus(Duration::from_secs(60));
    assert_eq!(
        in_words(&select(Some(&snapshot()), wants(&plain), &known, later)),
        "a b c d"
    );
}
