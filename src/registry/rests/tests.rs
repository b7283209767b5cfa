use std::sync::Arc;
use std::time::SystemTime;

use super::*;
use crate::model::{AccountId, ModelId, Offer, ProviderId, Whom};
use crate::verdict::{AccountLimit, Cause, OutOf, Outcome};

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A model at OpenRouter, through its one account.
fn candidate(id: &str) -> Candidate {
    let offer = Offer::at_openrouter(ModelId::try_from(id).unwrap());
    Candidate::new(Arc::new(offer), Arc::new(AccountId::openrouter()), true)
}

fn model() -> Subject {
    candidate("a").model().clone()
}

fn account() -> Subject {
    candidate("a").of_account().clone()
}

fn because() -> Because {
    Because {
        model: ModelId::try_from("a").unwrap(),
        outcome: Outcome::UpstreamError,
        status: Some(502),
        cause: Cause::Status,
        at: SystemTime::UNIX_EPOCH,
        of_quota: false,
        out_of: None,
    }
}

fn out_of(limit: AccountLimit) -> Because {
    Because {
        out_of: Some(OutOf {
            limit,
            answer: None,
            free_requests: None,
        }),
        ..because()
    }
}

/// A request asks; its number, if it is a probe.
fn ask(rests: &mut Rests, now: Now) -> Option<u64> {
    rests.ask(&candidate("a"), None, seconds(2), now)
}

fn left_of(rests: &Rests, subject: &Subject, now: Now) -> Duration {
    match rests.standing(subject, now) {
        Standing::Resting(wake) => wake.left(now),
        Standing::Awake | Standing::Probing => Duration::ZERO,
    }
}

fn left(rests: &Rests, now: Now) -> Duration {
    left_of(rests, &model(), now)
}

#[test]
fn s4_3_a_longer_cooldown_is_never_shortened_by_a_shorter_one() {
    let now = now();
    let until = |n| Rest::Until(now.wall + seconds(n));
    let for_ = |n| Rest::For(seconds(n));
    #[rustfmt::skip]
        let rows: &[(&[Rest], u64)] = &[
            (&[],                            0),
            (&[for_(10)],                    10),
            (&[for_(10), for_(5)],           10),
            (&[for_(5), for_(10)],           10),
            (&[until(100), for_(5)],         100),
            (&[for_(5), until(100)],         100),
            (&[for_(100), until(5)],         100),
            (&[for_(5), Rest::None],         5),
            (&[Rest::UntilNextList],         3600),
            (&[Rest::UntilNextList, for_(5)], 3600),
            (&[for_(0)],                     0),
            (&[Rest::Until(SystemTime::UNIX_EPOCH)], 0),
            (&[Rest::For(Duration::MAX)],    0),
        ];
    for (given, expected) in rows {
        let mut rests = Rests::default();
        for rest in *given {
            rests.rest(&model(), because(), *rest, now);
        }
        assert_eq!(left(&rests, now), seconds(*expected), "{given:?}");
    }
}

#[test]
fn s4_3_a_date_holds_across_a_suspend_and_a_length_does_not_run_meanwhile() {
    let before = now();
    let after = Now {
        wall: before.wall + seconds(3600),
        ..before
    };
    let mut dated = Rests::default();
    dated.rest(
        &model(),
        because(),
        Rest::Until(before.wall + seconds(600)),
        before,
    );
    assert_eq!(left(&dated, before), seconds(600));
    assert_eq!(
        left(&dated, after),
        Duration::ZERO,
        "the date went by while the laptop slept"
    );
    let mut timed = Rests::default();
    let wake = timed
        .rest(&model(), because(), Rest::For(seconds(600)), before)
        .unwrap();
    assert_eq!(left(&timed, after), seconds(600));
    assert_eq!(wake.date(after), after.wall + seconds(600));
}

#[test]
fn s10_5_a_clock_that_is_put_back_makes_no_rest_longer() {
    let before = now();
    let wrong = Now {
        wall: before.wall + seconds(40 * 86_400),
        ..before
    };
    let mut rests = Rests::default();
    let until = Rest::Until(wrong.wall + seconds(600));
    rests.rest(&model(), because(), until, wrong);
    assert_eq!(left(&rests, before.plus(seconds(10))), seconds(590));
    assert_eq!(left(&rests, before.plus(seconds(600))), Duration::ZERO);
}

#[test]
fn s4_7_one_probe_after_a_rest() {
    let start = now();
    let later = start.plus(seconds(10));
    let mut rests = Rests::default();
    let nothing = ask(&mut rests, start);
    assert_eq!(nothing, None, "what never rested needs no probe");
    rests.rest(&model(), because(), Rest::For(seconds(10)), start);
    assert_eq!(rests.standing(&model(), later), Standing::Awake);
    let Some(first) = ask(&mut rests, later) else {
        panic!("it is a probe of the model")
    };
    assert_eq!(rests.standing(&model(), later), Standing::Probing);
    // The client of the probe left: the next one probes.
    rests.probed(&model(), first, false);
    let Some(second) = ask(&mut rests, later) else {
        panic!("it is a probe of the model")
    };
    rests.probed(&model(), first, true);
    assert_eq!(
        rests.standing(&model(), later),
        Standing::Probing,
        "an old one says nothing"
    );
    rests.probed(&model(), second, true);
    assert_eq!(rests.standing(&model(), later), Standing::Awake);
    assert_eq!(ask(&mut rests, later), None, "proven well");
}

#[test]
fn s4_7_with_each_probe_that_is_late_one_more_may_probe_the_account() {
    let start = now();
    let at = |n| start.plus(seconds(n));
    let [a, b] = ["a", "b"].map(candidate);
    let provider = Subject::new(Whom::Provider(ProviderId::openrouter()));
    for subject in [account(), provider] {
        let mut known = Rests::default();
        let minute = out_of(AccountLimit::Minute);
        known.rest(&subject, minute, Rest::For(seconds(10)), start);
        let first = known.ask(&a, None, seconds(2), at(10)).unwrap();
        assert_eq!(known.standing(&subject, at(11)), Standing::Probing);
        assert_eq!(known.next_probe_in(&subject, at(11)), Some(seconds(1)));
        assert_eq!(known.next_probe_in(&subject, at(12)), Some(Duration::ZERO));
        assert!(known.is_probed_by(&subject, &a) && !known.is_probed_by(&subject, &b));
        let second = known.ask(&b, None, seconds(5), at(12)).unwrap();
        let own_time = known.next_probe_in(&subject, at(12));
        assert_eq!(own_time, Some(seconds(5)));
        // The first ends without showing anything; the second brings an answer.
        known.probed(&subject, first, false);
        assert_eq!(known.standing(&subject, at(13)), Standing::Probing);
        known.probed(&subject, second, true);
        assert_eq!(known.standing(&subject, at(13)), Standing::Awake);
        assert_eq!(known.ask(&a, None, seconds(2), at(13)), None);
    }
    let mut known = Rests::default();
    known.rest(&model(), because(), Rest::For(seconds(10)), start);
    assert!(known.ask(&a, None, seconds(2), at(10)).is_some());
    let next = known.next_probe_in(&model(), at(60));
    assert_eq!(next, None, "of a model there is one");
}

#[test]
fn s10_4_a_refused_key_rests_twice_as_long_each_time_up_to_an_hour() {
    let mut at = now();
    let mut known = Rests::default();
    let rest = Rest::Doubling {
        first: seconds(60),
        most: seconds(3600),
    };
    let refused = |known: &mut Rests, at| {
        known.rest(&account(), out_of(AccountLimit::Key), rest, at);
    };
    let left = |known: &Rests, at| left_of(known, &account(), at).as_secs();
    for expected in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        refused(&mut known, at);
        assert_eq!(left(&known, at), expected);
        // Others that were under way are refused as well, which is the same refusal.
        let later = at.plus(seconds(5));
        refused(&mut known, later);
        assert_eq!(left(&known, later), expected - 5);
        at = at.plus(seconds(expected));
        assert_eq!(known.standing(&account(), at), Standing::Awake);
    }
    let probe = ask(&mut known, at).unwrap();
    known.probed(&account(), probe, true);
    refused(&mut known, at);
    assert_eq!(left(&known, at), 60, "a success begins anew");
}

#[test]
fn s10_4_an_account_that_rests_for_longer_keeps_why() {
    let now = now();
    let mut known = Rests::default();
    let limit = |known: &Rests| known.rest_of(&account(), now).unwrap().because.limit();
    known.rest(
        &account(),
        out_of(AccountLimit::Day),
        Rest::For(seconds(600)),
        now,
    );
    known.rest(
        &account(),
        out_of(AccountLimit::Minute),
        Rest::For(seconds(60)),
        now,
    );
    assert_eq!(limit(&known), Some(AccountLimit::Day));
    known.rest(
        &account(),
        out_of(AccountLimit::Key),
        Rest::For(seconds(900)),
        now,
    );
    assert_eq!(limit(&known), Some(AccountLimit::Key));
}

/// One probe is the probe of all that rested, and ends for each of them by its outcome.
#[test]
fn s4_7_one_request_probes_the_model_the_account_and_the_provider_at_once() {
    let start = now();
    let later = start.plus(seconds(10));
    let a = candidate("a");
    #[rustfmt::skip]
    type Well = fn(&Subject) -> bool;
    let rows: &[(&str, Well)] = &[
        // which it ends well for
        ("all", |_| true),
        ("account and provider", Subject::is_shared),
        ("none", |_| false),
    ];
    for (who, well) in rows {
        let mut known = Rests::default();
        for subject in a.subjects() {
            known.rest(subject, because(), Rest::For(seconds(10)), start);
        }
        let number = known.ask(&a, None, seconds(2), later).unwrap();
        let standing = |known: &Rests| a.subjects().clone().map(|s| known.standing(&s, later));
        assert_eq!(standing(&known), [Standing::Probing; 4]);
        for subject in a.subjects() {
            known.probed(subject, number, well(subject));
        }
        assert_eq!(
            standing(&known),
            [Standing::Awake; 4],
            "{who}: the next may probe"
        );
        for subject in a.subjects() {
            let unproven = known.table.contains_key(subject);
            assert_eq!(unproven, !well(subject), "{who}: {subject:?}");
        }
    }
}

/// What rests among two accounts of one provider and the same model elsewhere.
#[test]
fn s10_4_each_scope_rests_what_it_concerns() {
    let at = |provider: &str, label: &str, id: &str| {
        let provider = ProviderId::try_from(provider).unwrap();
        let offer = Offer {
            provider: provider.clone(),
            ..Offer::at_openrouter(ModelId::try_from(id).unwrap())
        };
        let account = Arc::new(AccountId::new(provider, label));
        Candidate::new(Arc::new(offer), account, true)
    };
    let all = [
        at("groq", "groq", "a"),
        at("groq", "groq#2", "a"),
        at("groq", "groq", "b"),
        at("groq", "groq#2", "b"),
        at("ovh", "ovh", "a"),
    ];
    let [groq_a, ..] = &all;
    #[rustfmt::skip]
    let rows = [
        // what                 groq a, groq#2 a, groq b, groq#2 b, ovh a
        (groq_a.itself(),      [true,  false,    false,  false,    false]),
        (groq_a.model(),       [true,  true,     false,  false,    false]),
        (groq_a.of_account(),  [true,  false,    true,   false,    false]),
        (groq_a.provider(),    [true,  true,     true,   true,     false]),
    ];
    let now = now();
    for (whom, expected) in rows {
        let mut known = Rests::default();
        known.rest(whom, because(), Rest::For(seconds(10)), now);
        let rests = all.each_ref().map(|candidate| {
            let mut subjects = candidate.subjects().iter();
            subjects.any(|subject| known.rest_of(subject, now).is_some())
        });
        assert_eq!(rests, expected, "{whom:?}");
    }
}

#[test]
fn s4_3_an_older_success_does_not_cut_a_newer_rest() {
    let start = now();
    let later = start.plus(seconds(10));
    let mut rests = Rests::default();
    rests.rest(&model(), because(), Rest::For(seconds(10)), start);
    let Some(probe) = ask(&mut rests, later) else {
        panic!("it is a probe of the model")
    };
    rests.rest(&model(), because(), Rest::For(seconds(300)), later);
    rests.probed(&model(), probe, true);
    assert_eq!(left(&rests, later), seconds(300));
}

#[test]
fn s10_6_a_refused_field_is_remembered_of_its_offer_until_the_next_list() {
    let field = |name: &str| FieldName::new(name).unwrap();
    let (top_k, store) = (field("top_k"), field("store"));
    let learn = || {
        let mut rests = Rests::default();
        for name in [top_k, store, top_k] {
            rests.learn_refused(&model(), name);
        }
        rests.learn(&model(), Capability::Seed);
        assert_eq!(rests.found_refusing(&model()), [top_k, store]);
        assert_eq!(rests.found_lacking(&model()), [Capability::Seed]);
        rests
    };
    let forgotten: [fn(&mut Rests); 3] = [
        |rests| rests.new_list(|_| true, now()),
        |rests| rests.clear(&model()),
        Rests::clear_all,
    ];
    for forget in forgotten {
        let mut rests = learn();
        forget(&mut rests);
        assert!(rests.found_refusing(&model()).is_empty());
        assert!(rests.found_lacking(&model()).is_empty());
    }
    // An upstream that refuses a new field with each request does not fill the memory.
    let mut rests = learn();
    for n in 0..1000 {
        rests.learn_refused(&model(), field(&format!("x{n}")));
    }
    assert_eq!(rests.found_refusing(&model()).len(), 32);
    assert!(rests.is_empty(), "nothing rests for it");
}

#[test]
fn s4_5_a_new_list_ends_what_was_to_last_until_then() {
    let now = now();
    let mut rests = Rests::default();
    rests.learn(&model(), Capability::Tools);
    rests.rest(&model(), because(), Rest::UntilNextList, now);
    rests.new_list(|_| true, now);
    assert_eq!(rests.standing(&model(), now), Standing::Awake);
    assert!(rests.lessons.is_empty());
    rests.rest(&model(), because(), Rest::For(seconds(600)), now);
    rests.new_list(|_| true, now);
    assert_eq!(left(&rests, now), seconds(600), "another rest is kept");
    rests.new_list(|_| false, now);
    assert_eq!(
        left(&rests, now),
        Duration::ZERO,
        "that of a model that left is forgotten"
    );
}
#[test]
fn i6_1_the_rest_in_force_gives_its_own_reason() {
    let now = now();
    let mut rests = Rests::default();
    assert_eq!(rests.rest_of(&model(), now), None);
    let status = |n| Because {
        status: Some(n),
        ..because()
    };
    rests.rest(&model(), status(429), Rest::For(seconds(300)), now);
    rests.rest(&model(), status(503), Rest::For(seconds(60)), now);
    let told = rests.rest_of(&model(), now).unwrap();
    assert_eq!((told.because, told.until_next_list), (&status(429), false));
    rests.rest(&model(), status(404), Rest::UntilNextList, now);
    let told = rests.rest_of(&model(), now).unwrap();
    assert_eq!((told.because, told.until_next_list), (&status(404), true));
    assert_eq!(rests.rest_of(&model(), now.plus(seconds(3600))), None);
}

#[test]
fn i6_1_a_cleared_model_is_awake_and_the_probe_of_its_old_rest_changes_nothing() {
    let start = now();
    let mut rests = Rests::default();
    rests.rest(&model(), because(), Rest::For(seconds(10)), start);
    let later = start.plus(seconds(10));
    let Some(probe) = ask(&mut rests, later) else {
        panic!("it is a probe of the model")
    };
    rests.learn(&model(), Capability::Tools);
    rests.clear(&model());
    assert_eq!(rests.standing(&model(), start), Standing::Awake);
    assert!(rests.found_lacking(&model()).is_empty());
    rests.probed(&model(), probe, false);
    assert_eq!(ask(&mut rests, later), None);
}

#[test]
fn s4_7_a_probe_from_before_all_was_forgotten_ends_no_later_rest() {
    let start = now();
    let mut rests = Rests::default();
    let rested = |rests: &mut Rests, at: Now| {
        rests.rest(&model(), because(), Rest::For(seconds(1)), at);
        ask(rests, at.plus(seconds(1))).unwrap()
    };
    let old = rested(&mut rests, start);
    rests.clear_all();
    let new = rested(&mut rests, start.plus(seconds(10)));
    assert_ne!(old, new);
    rests.probed(&model(), old, true);
    let later = start.plus(seconds(12));
    assert_eq!(rests.standing(&model(), later), Standing::Probing);
}

#[test]
fn s11_2_unadvised_rests_grow_until_a_success() {
    let start = now();
    let mut rests = Rests::default();
    let mut at = start;
    let failed = |began: Now, ceiling| Rest::Growing {
        first: seconds(5),
        ceiling: seconds(ceiling),
        began: began.steady,
    };
    for (ceiling, expected) in [
        (300, 5),
        (300, 10),
        (300, 20),
        (300, 40),
        (60, 60),
        (300, 120),
    ] {
        rests.rest(&model(), because(), failed(at, ceiling), at);
        assert_eq!(left(&rests, at), seconds(expected));
        // An attempt that began before says no more than the failure that led to the rest.
        rests.rest(&model(), because(), failed(at, ceiling), at);
        assert_eq!(left(&rests, at), seconds(expected));
        at = at.plus(seconds(expected));
    }
    // What the upstream advises counts as it is, and the next unadvised rest goes on growing.
    rests.rest(&model(), because(), Rest::For(seconds(7)), at);
    assert_eq!(left(&rests, at), seconds(7));
    at = at.plus(seconds(7));
    rests.rest(&model(), because(), failed(at, 300), at);
    assert_eq!(left(&rests, at), seconds(120));
    at = at.plus(seconds(120));
    // A success starts anew.
    let probe = ask(&mut rests, at);
    if let Some(number) = probe {
        rests.probed(&model(), number, true);
    }
    rests.rest(&model(), because(), failed(at, 300), at);
    assert_eq!(left(&rests, at), seconds(5));
}
