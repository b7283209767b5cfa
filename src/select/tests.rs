use std::time::{Instant, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::model::Capability::{Seed, Stop, StructuredOutputs, Tools};
use crate::registry::Source;
use crate::upstream::Rest;

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

fn model(id: &str, rank: u64, able: &[Capability]) -> Arc<Model> {
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
        fetched_at: SystemTime::UNIX_EPOCH,
        source: Source::Ranking,
    }
}

fn resting(rests: &[(&str, u64)], now: Now) -> Cooldowns {
    let mut cooldowns = Cooldowns::default();
    for (id, seconds) in rests {
        cooldowns.rest(
            &ModelId::try_from(*id).unwrap(),
            Rest::For(Duration::from_secs(*seconds)),
            now,
        );
    }
    cooldowns
}

fn in_words(selection: &Selection) -> String {
    match selection {
        Selection::Candidates(models) => models
            .iter()
            .map(|m| m.id.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        Selection::AllCooling { wakes_in } => format!("all cooling, {}s", wakes_in.as_secs()),
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
        let needs = needs.iter().copied().collect();
        let selected = select(
            Some(&snapshot()),
            &needs,
            *preference,
            &resting(rests, now),
            now,
        );
        assert_eq!(
            in_words(&selected.selection),
            *expected,
            "{needs:?} {preference:?} {rests:?}"
        );
    }
    let selected = select(
        Option::None,
        &Needs::default(),
        None,
        &Cooldowns::default(),
        now,
    );
    assert_eq!(selected.selection, Selection::NoSnapshot);
}

#[test]
fn s7_the_models_that_the_needs_rule_out_are_named() {
    let needs = [StructuredOutputs].into_iter().collect();
    let selected = select(
        Some(&snapshot()),
        &needs,
        Preference::None,
        &Cooldowns::default(),
        now(),
    );
    let names: Vec<_> = selected.filtered_out.iter().map(ModelId::as_str).collect();
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
            model(&format!("m{i}"), i as u64, &caps)
        }).collect();
        let snapshot = Snapshot { models, ..snapshot() };
        let needs: Needs = needs.iter().map(|c| Capability::ALL[*c]).collect();
        let ids: Vec<String> = rests.iter().map(|i| format!("m{i}")).collect();
        let rests: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 10)).collect();
        let cooldowns = resting(&rests, now);
        let right: Vec<Arc<Model>> = snapshot.models.iter()
            .filter(|m| needs.met_by(m.capabilities) && cooldowns.wake(&m.id, now).is_none()).cloned().collect();
        let selected = select(Some(&snapshot), &needs, Preference::None, &cooldowns, now);
        match selected.selection {
            Selection::Candidates(models) => prop_assert_eq!(models, right),
            Selection::AllCooling { .. } | Selection::NoneCapable { .. } => prop_assert!(right.is_empty()),
            Selection::NotListed | Selection::NoSnapshot => prop_assert!(false),
        }
    }
}
