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
    let with_context = |id, rank, context| Offer {
        context_length: Some(context),
        ..model(id, rank, &[Tools])
    };
    let snapshot = Snapshot::new(Parts {
        fallback: Some(model("router", i64::MAX, &[Tools])),
        ..parts(vec![
            with_context("small", 1, 9_999),
            with_context("large", 2, 10_000),
            with_context("resting", 3, 10_000),
            model("unable", 4, &[]),
        ])
    });
    let words = |preference, known: &Knowledge| {
        let wants = Wants {
            preference,
            ..wants(&needs)
        };
        let out = left_out(&snapshot, wants, known, now);
        let words = out
            .iter()
            .map(|(candidate, why)| format!("{} {why:?}", candidate.offer.id));
        words.collect::<Vec<_>>().join(", ")
    };
    let mut known = resting(&[("resting", 9)], now);
    #[rustfmt::skip]
    let rows = [
        (Preference::None,          "small TooSmall { needs: 10000, has: 9999 }, resting Resting(model resting at openrouter), unable Lacks([Tools])"),
        (Preference::First("small"), "small TooSmall { needs: 10000, has: 9999 }, resting Resting(model resting at openrouter), unable Lacks([Tools])"),
        (Preference::Only("large"), "small NotWanted, resting NotWanted, unable NotWanted, router NotWanted"),
    ];
    for (preference, expected) in rows {
        assert_eq!(words(preference, &known), expected);
    }
    let day = out_of("large", AccountLimit::Day);
    let rest = Rest::For(Duration::from_secs(60));
    known.rest(candidate("large").of_account(), day, rest, now);
    assert_eq!(
        words(Preference::None, &known),
        "small TooSmall { needs: 10000, has: 9999 }, large Account(account openrouter), resting Resting(model resting at openrouter), \
         unable Lacks([Tools]), router Account(account openrouter)"
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
        allowed in prop::option::of(prop::collection::vec(0..12_usize, 0..6)),
    ) {
        let now = now();
        let models = able.iter().enumerate().map(|(i, (caps, context_length))| {
            let caps: Vec<_> = caps.iter().map(|c| Capability::ALL[*c]).collect();
            Offer { context_length: *context_length, ..model(&format!("m{i}"), i as i64, &caps) }
        });
        let snapshot = Snapshot::new(Parts {
            fallback: Some(model("router", i64::MAX, &[Tools])),
            ..parts(models.collect())
        });
        let needs: Needs = needs.iter().map(|c| Capability::ALL[*c]).collect();
        let ids: Vec<String> = rests.iter().map(|i| format!("m{i}")).collect();
        let rests: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 10)).collect();
        let known = resting(&rests, now);
        let tried: Vec<_> = tried.iter().map(|i| out(candidate(&format!("m{i}")).itself(), OutBy::Tried)).collect();
        let name = named.map(|i| format!("m{i}"));
        let preference = match &name {
            None => Preference::None,
            Some(name) if pinned => Preference::Only(name),
            Some(name) => Preference::First(name),
        };
        let client = allowed.map(|allowed| may_ask(allowed.iter().map(|i| format!("m{i}"))));
        let wants = Wants { needs: &needs, preference, out: &tried, above_context, by: By::Rank, client: client.as_ref() };
        let out: Vec<_> = left_out(&snapshot, wants, &known, now).into_iter().map(|(candidate, _)| candidate).collect();
        let awake: Vec<_> = awake(&snapshot, wants, &known, now).into_iter().map(|one| one.candidate).collect();
        let asked: Vec<_> = awake.iter().map(|candidate| candidate.offer.public_id.as_str()).collect();
        let walked = chosen(Some(&snapshot), wants, &known, now);
        match next(Some(&snapshot), wants, &known, now) {
            Next::Ask(_) => prop_assert_eq!(walked, asked.join(" ")),
            Next::Wait { .. } | Next::None(_) => prop_assert!(asked.is_empty()),
        }
        for candidate in snapshot.candidates() {
            prop_assert!(awake.contains(candidate) != out.contains(candidate), "{:?}", candidate.offer.id);
        }
    }
}
