use proptest::prelude::*;

use super::*;

#[test]
fn s3_every_model_that_is_left_out_says_why() {
    let now = now();
    let body = format!(
        r#"{{"tools":[{{}}],"messages":[{{"content":"{}"}}]}}"#,
        "x".repeat(80_000)
    );
    let needs = crate::request::ChatRequest::read(body.into(), 128)
        .unwrap()
        .needs;
    let with_context = |id, rank, context| {
        Arc::new(Model {
            context_length: Some(context),
            ..(*model(id, rank, &[Tools])).clone()
        })
    };
    let snapshot = Snapshot {
        models: vec![
            with_context("small", 1, 9_999),
            with_context("large", 2, 10_000),
            with_context("resting", 3, 10_000),
            model("unable", 4, &[]),
        ],
        fallback: Some(model("router", i64::MAX, &[Tools])),
        ..snapshot()
    };
    let words = |preference, cooldowns: &Cooldowns| {
        let wants = Wants {
            preference,
            ..wants(&needs)
        };
        let out = left_out(&snapshot, wants, cooldowns, now);
        let words = out
            .iter()
            .map(|(model, why)| format!("{} {why:?}", model.id));
        words.collect::<Vec<_>>().join(", ")
    };
    let mut cooldowns = resting(&[("resting", 9)], now);
    #[rustfmt::skip]
    let rows = [
        (Preference::None,          "small TooSmall { needs: 10000, has: 9999 }, resting Resting, unable Lacks([Tools])"),
        (Preference::First("small"), "small TooSmall { needs: 10000, has: 9999 }, resting Resting, unable Lacks([Tools])"),
        (Preference::Only("large"), "small NotWanted, resting NotWanted, unable NotWanted, router NotWanted"),
    ];
    for (preference, expected) in rows {
        assert_eq!(words(preference, &cooldowns), expected);
    }
    let why = crate::registry::AccountRest {
        limit: crate::verdict::AccountLimit::Day,
        answer: None,
        free_requests: None,
    };
    cooldowns.rest_account(
        because("large"),
        why,
        Rest::For(Duration::from_secs(60)),
        now,
    );
    assert_eq!(
        words(Preference::None, &cooldowns),
        "small TooSmall { needs: 10000, has: 9999 }, large Account, resting Resting, \
         unable Lacks([Tools]), router Account"
    );
}

proptest! {
    /// Each model is either a candidate or left out for a reason, never both.
    #[test]
    fn s3_candidates_and_those_left_out_are_the_whole_list(
        able in prop::collection::vec((prop::collection::vec(0..7_usize, 0..7), prop::option::of(0..3_u64)), 1..12),
        needs in prop::collection::vec(0..7_usize, 0..3),
        rests in prop::collection::vec(0..12_usize, 0..12),
        tried in prop::collection::vec(0..12_usize, 0..3),
        above_context in prop::option::of(0..3_u64),
        named in prop::option::of(0..12_usize),
        pinned: bool,
    ) {
        let now = now();
        let models = able.iter().enumerate().map(|(i, (caps, context_length))| {
            let caps: Vec<_> = caps.iter().map(|c| Capability::ALL[*c]).collect();
            let model = (*model(&format!("m{i}"), i as i64, &caps)).clone();
            Arc::new(Model { context_length: *context_length, ..model })
        });
        let snapshot = Snapshot {
            models: models.collect(),
            fallback: Some(model("router", i64::MAX, &[Tools])),
            ..snapshot()
        };
        let needs: Needs = needs.iter().map(|c| Capability::ALL[*c]).collect();
        let ids: Vec<String> = rests.iter().map(|i| format!("m{i}")).collect();
        let rests: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 10)).collect();
        let cooldowns = resting(&rests, now);
        let tried: Vec<_> = tried.iter().map(|i| ModelId::try_from(&*format!("m{i}")).unwrap()).collect();
        let name = named.map(|i| format!("m{i}"));
        let preference = match &name {
            None => Preference::None,
            Some(name) if pinned => Preference::Only(name),
            Some(name) => Preference::First(name),
        };
        let wants = Wants { needs: &needs, preference, tried: &tried, above_context };
        let out: Vec<_> = left_out(&snapshot, wants, &cooldowns, now).into_iter().map(|(model, _)| model).collect();
        let candidates = match select(Some(&snapshot), wants, &cooldowns, now) {
            Selection::Candidates(models) => models,
            Selection::AllCooling { .. } | Selection::NoneCapable { .. } | Selection::NotListed
            | Selection::NoSnapshot | Selection::Probing { .. } | Selection::AccountResting
            | Selection::Exhausted => Vec::new(),
        };
        for model in snapshot.candidates() {
            prop_assert!(candidates.contains(model) != out.contains(model), "{:?}", model.id);
        }
    }
}
