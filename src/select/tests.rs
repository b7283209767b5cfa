mod accounts;
mod cost;
mod explain;
mod headroom;
mod starts;
mod turn;

use std::time::{Instant, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::config::{Client, ModelField};
use crate::model::Capability::{Seed, Stop, StructuredOutputs, Tools};
use crate::model::{AccountId, ClientName, ModelId, ProviderId, Subject, Wish};
use crate::registry::{Parts, Standing};
use crate::request::Asked;
use crate::verdict::{AccountLimit, Because, Cause, OutOf, Outcome, Rest};

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

fn model(id: &str, rank: i64, able: &[Capability]) -> Offer {
    Offer {
        rank: Some(rank),
        capabilities: able.iter().copied().collect(),
        ..Offer::at_openrouter(ModelId::try_from(id).unwrap())
    }
}

/// a: tools, seed. b: tools, schema. c: tools, schema, stop. d: nothing.
fn models() -> Vec<Offer> {
    vec![
        model("a", 1, &[Tools, Seed]),
        model("b", 2, &[Tools, StructuredOutputs]),
        model("c", 3, &[Tools, StructuredOutputs, Stop]),
        model("d", 4, &[]),
    ]
}

fn parts(offers: Vec<Offer>) -> Parts {
    Parts {
        offers: offers.into_iter().map(Arc::new).collect(),
        accounts: vec![Arc::new(AccountId::openrouter())],
        ..Parts::default()
    }
}

fn snapshot() -> Snapshot {
    Snapshot::new(parts(models()))
}

fn candidate(id: &str) -> Candidate {
    let offer = Offer::at_openrouter(ModelId::try_from(id).unwrap());
    Candidate::new(Arc::new(offer), Arc::new(AccountId::openrouter()), true)
}

fn resting(rests: &[(&str, u64)], now: Now) -> Knowledge {
    let mut known = Knowledge::default();
    for (id, seconds) in rests {
        let rest = Rest::For(Duration::from_secs(*seconds));
        known.rest(candidate(id).model(), because(id), rest, now);
    }
    known
}

fn out(subject: &Subject, by: OutBy) -> Out {
    let subject = subject.clone();
    Out { subject, by }
}

fn because(id: &str) -> Because {
    Because {
        model: ModelId::try_from(id).unwrap(),
        outcome: Outcome::RateLimited,
        status: Some(429),
        cause: Cause::Status,
        at: SystemTime::UNIX_EPOCH,
        of_quota: true,
        out_of: None,
    }
}

/// All that would be asked, one after another, if each failed; if none, why.
fn chosen(snapshot: Option<&Snapshot>, wants: Wants<'_>, known: &Knowledge, now: Now) -> String {
    let mut tried = wants.out.to_vec();
    let mut asked = Vec::new();
    loop {
        let wants = Wants {
            out: &tried,
            ..wants
        };
        let next = next(snapshot, wants, known, now);
        // What is worked out beforehand changes nothing.
        let quote = snapshot.map(|list| Quote::new(list, wants, now));
        let quote = quote.unwrap_or_default();
        assert_eq!(next, next_quoted(snapshot, wants, &quote, known, now));
        match next {
            Next::Ask(candidate) => {
                asked.push(candidate.offer.public_id.as_str().to_owned());
                tried.push(out(candidate.itself(), OutBy::Tried));
            }
            nobody if asked.is_empty() => return in_words(&nobody),
            Next::Wait { .. } | Next::None(_) => return asked.join(" "),
        }
    }
}

fn in_words(next: &Next<'_>) -> String {
    match next {
        Next::Ask(candidate) => candidate.offer.public_id.to_string(),
        Next::Wait { wakes_in } => format!("wait, {wakes_in:?}"),
        Next::None(Why::Resting { wakes_in }) => format!("all cooling, {}s", wakes_in.as_secs()),
        Next::None(Why::Exhausted) => "exhausted".to_owned(),
        Next::None(Why::NoneCapable { missing }) => format!("none capable: {missing:?}"),
        Next::None(Why::NotListed) => "not listed".to_owned(),
        Next::None(Why::NotAllowed) => "not allowed".to_owned(),
        Next::None(Why::NoSnapshot) => "no snapshot".to_owned(),
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
        let selected = chosen(Some(&snapshot()), wants, &resting(rests, now), now);
        assert_eq!(selected, *expected, "{needs:?} {preference:?} {rests:?}");
    }
    let needs = Needs::default();
    let selected = next(Option::None, wants(&needs), &Knowledge::default(), now);
    assert_eq!(selected, Next::None(Why::NoSnapshot));
}

fn wants(needs: &Needs) -> Wants<'_> {
    Wants {
        needs,
        preference: Preference::None,
        out: &[],
        above_context: None,
        client: None,
        by: By::Rank,
    }
}

#[test]
fn s7_the_models_that_the_needs_rule_out_are_named() {
    let needs = [StructuredOutputs].into_iter().collect();
    let (snapshot, known) = (snapshot(), Knowledge::default());
    let out = filtered_out(&snapshot, &needs, &known);
    let names: Vec<_> = out.map(|offer| offer.public_id.as_str()).collect();
    assert_eq!(names, ["a", "d"]);
}

#[test]
fn s4_model_field_decides_what_a_name_comes_to() {
    let named = Asked::Named("x".to_owned());
    let [auto, _, fast, _] = Wish::ALL.map(Asked::Wish);
    #[rustfmt::skip]
    let rows = [
        (ModelField::Ignore, &named,      Preference::None),
        (ModelField::Prefer, &named,      Preference::First("x")),
        (ModelField::Pin,    &named,      Preference::Only("x")),
        (ModelField::Ignore, &fast,       Preference::None),
        (ModelField::Prefer, &auto,       Preference::None),
        (ModelField::Pin,    &auto,       Preference::None),
        (ModelField::Pin,    &fast,       Preference::None),
    ];
    for (setting, asked, expected) in rows {
        assert_eq!(Preference::new(setting, asked), expected);
    }
}

proptest! {
    /// Never a resting or an incapable model, always in rank order, and none left out.
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
        let snapshot = Snapshot::new(parts(models));
        let needs: Needs = needs.iter().map(|c| Capability::ALL[*c]).collect();
        let ids: Vec<String> = rests.iter().map(|i| format!("m{i}")).collect();
        let rests: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 10)).collect();
        let known = resting(&rests, now);
        let right: Vec<_> = snapshot.candidates().iter()
            .filter(|c| needs.met_at(&c.offer.provider, c.offer.capabilities) && known.standing(c.model(), now) == Standing::Awake)
            .map(|c| c.offer.public_id.as_str()).collect();
        match next(Some(&snapshot), wants(&needs), &known, now) {
            Next::Ask(_) => {
                prop_assert_eq!(chosen(Some(&snapshot), wants(&needs), &known, now), right.join(" "));
            }
            Next::None(Why::Resting { .. } | Why::NoneCapable { .. }) => prop_assert!(right.is_empty()),
            Next::Wait { .. } | Next::None(Why::NotListed | Why::NotAllowed | Why::NoSnapshot | Why::Exhausted) => prop_assert!(false),
        }
    }
}

fn sized(id: &str, rank: i64, context: Option<u64>) -> Offer {
    Offer {
        context_length: context,
        ..model(id, rank, &[])
    }
}

#[test]
fn s4_1_a_prompt_that_is_too_long_skips_a_model_and_the_largest_is_asked_at_last() {
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
        // An unknown window is never ruled out.
        (&[Some(9_000), None, Some(20_000)], Some(20_000), "b"),
        (
            &[Some(9_000), Some(10_000), Some(20_000)],
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
        let snapshot = Snapshot::new(parts(models.collect()));
        let wants = Wants {
            above_context: *above_context,
            by: By::Rank,
            ..wants(&long)
        };
        let selected = chosen(Some(&snapshot), wants, &Knowledge::default(), now);
        assert_eq!(selected, *expected, "{contexts:?} {above_context:?}");
    }
}

/// A client that may ask only these.
fn may_ask(models: impl IntoIterator<Item = String>) -> Client {
    Client {
        name: ClientName::unnamed(1),
        limits: Vec::new(),
        models: models.into_iter().collect(),
        admin: false,
    }
}

#[test]
fn s13_models_that_a_client_may_not_ask_are_no_candidates_for_it() {
    type Row<'a> = (
        &'a [&'a str],
        Preference<'a>,
        &'a [Capability],
        &'a [(&'a str, u64)],
        &'a str,
    );
    let (now, snapshot) = (now(), snapshot());
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // may ask      the request names          needs     resting       expected
        (&[],           Preference::None,          &[],      &[],          "a b c d"),
        (&["b", "d"],   Preference::None,          &[],      &[],          "b d"),
        (&["*"],        Preference::None,          &[],      &[],          "a b c d"),
        (&["d"],        Preference::None,          &[Tools], &[],          "none capable: [Tools]"),
        (&["b"],        Preference::None,          &[],      &[("b", 30)], "all cooling, 30s"),
        (&["b"],        Preference::First("a"),    &[],      &[],          "b"),
        (&["b"],        Preference::First("b"),    &[],      &[],          "b"),
        (&["b"],        Preference::Only("a"),     &[],      &[],          "not listed"),
        (&["x"],        Preference::Only("a"),     &[],      &[],          "not listed"),
        (&["x"],        Preference::None,          &[],      &[],          "not allowed"),
        (&["x"],        Preference::First("a"),    &[],      &[],          "not allowed"),
    ];
    for (models, preference, needs, rests, expected) in rows {
        let client = may_ask(models.iter().map(|model| (*model).to_owned()));
        let needs: Needs = needs.iter().copied().collect();
        let wants = Wants {
            preference: *preference,
            client: Some(&client),
            ..wants(&needs)
        };
        let asked = chosen(Some(&snapshot), wants, &resting(rests, now), now);
        assert_eq!(asked, *expected, "{models:?} {preference:?}");
    }
}

#[test]
fn s2_4_the_fallback_router_comes_last() {
    let now = now();
    let snapshot = Snapshot::new(Parts {
        fallback: Some(model("router", i64::MAX, &[Tools])),
        ..parts(models())
    });
    let choose = |needs: &[Capability], preference, tried: &[&str], rests: &[(&str, u64)]| {
        let needs: Needs = needs.iter().copied().collect();
        let tried = tried
            .iter()
            .map(|id| out(candidate(id).itself(), OutBy::Tried));
        let tried: Vec<_> = tried.collect();
        let wants = Wants {
            preference,
            out: &tried,
            ..wants(&needs)
        };
        chosen(Some(&snapshot), wants, &resting(rests, now), now)
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
fn s4_5_what_a_model_was_found_to_lack_counts_and_so_does_the_account() {
    let now = now();
    let needs: Needs = [Tools].into_iter().collect();
    let mut known = Knowledge::default();
    known.learn(candidate("a").model(), Tools);
    let list = snapshot();
    let chosen =
        |needs: &Needs, known: &Knowledge, now| chosen(Some(&list), wants(needs), known, now);
    assert_eq!(chosen(&needs, &known, now), "b c");
    known.learn(candidate("b").model(), Tools);
    known.learn(candidate("c").model(), Tools);
    assert_eq!(chosen(&needs, &known, now), "none capable: [Tools]");
    let day = out_of("a", AccountLimit::Day);
    let rest = Rest::For(Duration::from_secs(60));
    known.rest(candidate("a").of_account(), day, rest, now);
    let plain = Needs::default();
    assert_eq!(chosen(&plain, &known, now), "all cooling, 60s");
    let ruled = ruled(&list, wants(&plain), &known, now).unwrap();
    assert_eq!((ruled.limit, ruled.left.as_secs()), (AccountLimit::Day, 60));
    let later = now.plus(Duration::from_secs(60));
    assert_eq!(chosen(&plain, &known, later), "a b c d");
}

fn out_of(id: &str, limit: AccountLimit) -> Because {
    Because {
        out_of: Some(OutOf {
            limit,
            answer: None,
            free_requests: None,
        }),
        ..because(id)
    }
}
