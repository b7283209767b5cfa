//! What outlives the process (spec §12.3).

use proptest::prelude::*;

use super::*;
use crate::clock::unix_millis;
use crate::model::Whom;

/// The same after a restart that took so many seconds.
fn restarted(story: &Story, second: f64, took: f64) -> Option<Evidence> {
    let saved_at = story.at(second);
    let saved = story.evidence.save(&story.parameters, saved_at)?;
    let text = serde_json::to_vec(&saved).unwrap();
    let saved: SavedEvidence = serde_json::from_slice(&text).unwrap();
    let now = after(saved_at, took);
    saved.back(saved_at.wall, &story.parameters, now)
}

proptest! {
    #[test]
    fn s12_3_a_candidate_costs_the_same_after_a_restart(
        attempts in prop::collection::vec((0_u8..5, 0.0..20.0_f64, 0.0..120.0_f64), 1..20),
        took in prop_oneof![Just(0.0), 0.0..600.0_f64],
    ) {
        let mut story = Story::new();
        let mut second = 0.0;
        for (kind, length, pause) in attempts {
            second += pause;
            match kind {
                0 | 1 => story.first(second, length),
                2 => story.plain(second, length),
                3 => story.failed(second, length),
                _ => story.ended(second, length > 10.0),
            }
        }
        let later = second + took;
        if let Some(evidence) = restarted(&story, second, took) {
            let now = story.at(later);
            let cost = cost(Some(&evidence), BARE, &story.parameters, now).total();
            let before = story.cost(later).total();
            prop_assert!((cost - before).abs() < 1e-3 * before.max(1.0), "{cost} {before}");
            let limit = |evidence| {
                let longest = Duration::from_secs(300);
                first_token_limit(Some(evidence), 100, longest, &story.parameters, now).as_secs_f64()
            };
            let (is, was) = (limit(&evidence), limit(&story.evidence));
            prop_assert!((is - was).abs() < 1e-3 * was, "{is} {was}");
        } else {
            prop_assert!(story.evidence.is_faded(&story.parameters, story.at(second)));
        }
    }

    /// Whatever is written there.
    #[test]
    fn s12_3_hostile_evidence_costs_something_finite(
        numbers in prop::collection::vec(prop_oneof![any::<f64>(), 0.0..5.0_f64, -1.0..1.0_f64], 12),
        dates in prop::collection::vec(any::<u64>(), 3),
        class in any::<usize>(),
    ) {
        let finite: Vec<_> = numbers.iter().map(|n| if n.is_finite() { *n } else { 1e308 }).collect();
        let sum = |at: usize| [finite[at], finite[at + 1]];
        let saved: SavedEvidence = serde_json::from_value(serde_json::json!({
            "at_ms": dates[0], "half_life": finite[11], "found_ms": dates[1], "breaks_at_ms": dates[2],
            "firsts": sum(0), "failures": sum(2), "failed_after": sum(4), "breaks": sum(6),
            "times": [[class, sum(8), sum(9)], [class % 5, sum(8), sum(9)]],
        })).unwrap();
        let (parameters, now) = (Parameters::default(), start());
        if let Some(evidence) = saved.back(now.wall, &parameters, now) {
            let cost = cost(Some(&evidence), BARE, &parameters, now).total();
            prop_assert!(cost.is_finite() && cost >= 0.0, "{cost}");
            let longest = Duration::from_secs(30);
            let limit = first_token_limit(Some(&evidence), 100, longest, &parameters, now);
            prop_assert!(limit <= longest);
        }
    }
}

#[test]
fn s12_3_what_a_restart_finds_is_kept_until_a_list_names_its_candidate() {
    let parameters = Parameters::default();
    let (groq, now) = (account("groq", "groq"), start());
    let [a, b] = ["a", "b"].map(|id| candidate(id, &groq));
    let mut story = Story::new();
    story.failed(0.0, 5.0);
    let mut saved = story.evidence.save(&parameters, story.at(0.0)).unwrap();
    let text = serde_json::to_string(&saved).unwrap();
    let aged = text.replace(
        &unix_millis(story.at(0.0).wall).to_string(),
        &unix_millis(now.wall).to_string(),
    );
    saved = serde_json::from_str(&aged).unwrap();
    let whom = |id| Whom::Candidate(groq.clone(), ModelId::try_from(id).unwrap());
    let mut cells = Cells::default();
    let all = ["a", "b"].map(|id| (whom(id), saved.clone()));
    cells.restore(all.to_vec(), now.wall, &parameters, now);
    let known = |evidences: &Evidences, index| evidences.with(index, |known| known.is_some());
    let first = cells.list([&a], &parameters, now);
    assert!(known(&first, 0));
    assert_eq!(
        cells.save(&parameters, now).len(),
        2,
        "both outlive another restart"
    );
    let second = cells.list([&a, &b], &parameters, now);
    assert!(known(&second, 0) && known(&second, 1));
    assert!(
        cells.save(&parameters, after(now, 1e6)).is_empty(),
        "until they have faded"
    );
}
