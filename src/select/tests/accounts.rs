//! Several providers and accounts (spec §10.4).

use super::*;
use crate::ledger::Ask;
use crate::registry::Chosen;

/// One of `provider:label`.
pub(super) fn account(name: &str) -> Arc<AccountId> {
    let (provider, label) = name.split_once(':').unwrap_or((name, name));
    Arc::new(AccountId::new(
        ProviderId::try_from(provider).unwrap(),
        label,
    ))
}

pub(super) fn offer(provider: &str, id: &str, context: Option<u64>) -> Offer {
    Offer {
        provider: ProviderId::try_from(provider).unwrap(),
        public_id: ModelId::try_from(format!("{provider}/{id}").as_str()).unwrap(),
        context_length: context,
        ..model(id, 1, &[Tools])
    }
}

/// x at Groq (two accounts) and at OVH, y at Groq, z on the user's own server; a router at OpenRouter.
pub(super) fn house() -> Snapshot {
    let names = ["openrouter", "groq", "groq:groq#2", "ovh", "local"];
    Snapshot::new(Parts {
        fallback: Some(model("router", i64::MAX, &[])),
        accounts: names.map(account).into(),
        ..parts(vec![
            offer("groq", "x", Some(8_000)),
            offer("ovh", "x", Some(32_000)),
            offer("groq", "y", None),
            offer("mistral", "q", None),
            offer("local", "z", None),
        ])
    })
}

#[test]
fn s10_3_what_the_users_order_names_of_the_own_server_keeps_its_place() {
    let house = Snapshot::new(Parts {
        fallback: Some(model("router", i64::MAX, &[])),
        accounts: ["openrouter", "groq", "local"].map(account).into(),
        ..parts(vec![
            offer("local", "z", None),
            offer("groq", "x", None),
            offer("local", "y", None),
        ])
    });
    let needs = Needs::default();
    let all = walk(&house, wants(&needs), &Knowledge::default(), now());
    assert_eq!(all, "local/z groq/x router local/y");
}

/// The subject that a row below names.
pub(super) fn subject(house: &Snapshot, name: &str) -> Subject {
    let (kind, name) = name.split_once(' ').unwrap();
    let through = |c: &&Arc<Candidate>| format!("{}@{}", c.offer.public_id, c.account.label);
    let all = house.candidates().iter();
    let found = match kind {
        "candidate" => all.clone().find(|c| through(c) == name).map(|c| c.itself()),
        "model" => all
            .clone()
            .find(|c| c.offer.public_id.as_str() == name)
            .map(|c| c.model()),
        "account" => all
            .clone()
            .find(|c| &*c.account.label == name)
            .map(|c| c.of_account()),
        _ => all
            .clone()
            .find(|c| c.account.provider.as_str() == name)
            .map(|c| c.provider()),
    };
    found.unwrap_or_else(|| panic!("{kind} {name}")).clone()
}

fn walk(house: &Snapshot, wants: Wants<'_>, known: &Knowledge, now: Now) -> String {
    let awake = awake(house, wants, known, now);
    let names = awake
        .iter()
        .map(|one| &one.candidate)
        .map(|c| match &*c.account.label {
            "groq#2" => format!("{}#2", c.offer.public_id),
            _ => c.offer.public_id.to_string(),
        });
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn s10_3_offers_in_order_through_each_account_then_the_router_then_the_own_server() {
    let (house, needs) = (house(), Needs::default());
    let all = walk(&house, wants(&needs), &Knowledge::default(), now());
    assert_eq!(all, "groq/x groq/x#2 ovh/x groq/y groq/y#2 router local/z");
    assert_eq!(house.offers().len(), 4, "no account at mistral");
    let pinned = Wants {
        preference: Preference::Only("groq/x"),
        ..wants(&needs)
    };
    assert_eq!(
        walk(&house, pinned, &Knowledge::default(), now()),
        "groq/x groq/x#2"
    );
    let first = Wants {
        preference: Preference::First("ovh/x"),
        ..wants(&needs)
    };
    let preferred = walk(&house, first, &Knowledge::default(), now());
    assert_eq!(
        preferred,
        "ovh/x groq/x groq/x#2 groq/y groq/y#2 router local/z"
    );
}

#[test]
fn s10_4_a_scope_rules_out_what_it_concerns_and_the_walk_goes_on() {
    let (house, needs, now) = (house(), Needs::default(), now());
    #[rustfmt::skip]
    let rows = [
        ("candidate groq/x@groq", "groq/x#2 ovh/x groq/y groq/y#2 router local/z"),
        ("model groq/x",          "ovh/x groq/y groq/y#2 router local/z"),
        ("account groq",          "groq/x#2 ovh/x groq/y#2 router local/z"),
        ("account groq#2",        "groq/x ovh/x groq/y router local/z"),
        ("provider groq",         "ovh/x router local/z"),
        ("provider openrouter",   "groq/x groq/x#2 ovh/x groq/y groq/y#2 local/z"),
    ];
    for (whom, expected) in rows {
        let subject = subject(&house, whom);
        // Whether it rests, or only this request has ruled it out.
        let mut known = Knowledge::default();
        known.rest(
            &subject,
            because("a"),
            Rest::For(Duration::from_secs(9)),
            now,
        );
        assert_eq!(walk(&house, wants(&needs), &known, now), expected, "{whom}");
        let out = [out(&subject, OutBy::Tried)];
        let wants = Wants {
            out: &out,
            ..wants(&needs)
        };
        assert_eq!(
            walk(&house, wants, &Knowledge::default(), now),
            expected,
            "{whom}"
        );
        let first = next(Some(&house), wants, &Knowledge::default(), now).candidate();
        let first = first.map(|c| c.offer.public_id.as_str()).unwrap();
        assert!(
            expected.replace("#2", "").starts_with(first),
            "{whom}: {first}"
        );
    }
}

#[test]
fn s10_4_a_candidate_resting_twice_wakes_with_the_longer_rest() {
    let (house, needs, now) = (house(), Needs::default(), now());
    let mut known = Knowledge::default();
    let mut rest = |whom: &str, seconds| {
        let length = Rest::For(Duration::from_secs(seconds));
        known.rest(&subject(&house, whom), because("a"), length, now);
    };
    rest("model ovh/x", 20);
    rest("account ovh", 50);
    rest("provider groq", 90);
    rest("provider openrouter", 99);
    rest("provider local", 70);
    let next = next(Some(&house), wants(&needs), &known, now);
    assert_eq!(in_words(&next), "all cooling, 50s");
}

/// OpenRouter's day is used up, and hundreds of its offers come before the first that can be asked.
#[test]
fn s10_4_the_first_to_return_is_found_among_those_whose_account_rests() {
    let (needs, now) = (Needs::default(), now());
    let offers = (0..500).map(|n| model(&format!("m{n}"), n, &[Tools]));
    let offers = offers.chain([offer("groq", "x", None)]).collect();
    let house = Snapshot::new(Parts {
        accounts: ["openrouter", "groq"].map(account).into(),
        ..parts(offers)
    });
    let mut known = Knowledge::default();
    let rest = |known: &mut Knowledge, whom: &Subject, because, seconds| {
        let rest = Rest::For(Duration::from_secs(seconds));
        known.rest(whom, because, rest, now);
    };
    let day = out_of("m0", AccountLimit::Day);
    rest(&mut known, house.candidates()[0].of_account(), day, 900);
    rest(
        &mut known,
        house.candidates()[7].model(),
        because("m7"),
        9000,
    );
    let told =
        |known: &Knowledge, needs: &Needs| in_words(&next(Some(&house), wants(needs), known, now));
    assert_eq!(told(&known, &needs), "groq/x");
    rest(
        &mut known,
        house.candidates()[500].itself(),
        because("x"),
        5000,
    );
    assert_eq!(told(&known, &needs), "all cooling, 900s");
    let strict = [StructuredOutputs].into_iter().collect();
    assert_eq!(told(&known, &strict), "none capable: [StructuredOutputs]");
}

#[test]
fn s10_6_s10_1_a_need_is_one_by_provider() {
    let offers = [
        model("a", 1, &[Tools]),
        offer("groq", "x", None),
        offer("local", "z", None),
    ];
    let mut denied = offer("local", "y", None);
    for capability in [Seed, Stop, StructuredOutputs] {
        denied.capabilities.set(capability, Some(false));
    }
    let house = Snapshot::new(Parts {
        accounts: ["openrouter", "groq", "local"].map(account).into(),
        ..parts(offers.into_iter().chain([denied]).collect())
    });
    #[rustfmt::skip]
    let rows: [(&[Capability], &str, &str); 5] = [
        // the request needs     what is asked                   what it rules out
        (&[],                    "a groq/x local/z local/y",      ""),
        (&[Tools],               "a groq/x local/z local/y",      ""),
        (&[Seed],                "groq/x local/z local/y",        "a"),
        (&[Seed, Stop, Tools],   "groq/x local/z local/y",        "a"),
        (&[StructuredOutputs],   "local/z",                       "a groq/x local/y"),
    ];
    for (needs, asked, out) in rows {
        let needs: Needs = needs.iter().copied().collect();
        let known = Knowledge::default();
        assert_eq!(
            walk(&house, wants(&needs), &known, now()),
            asked,
            "{needs:?}"
        );
        let ids = filtered_out(&house, &needs, &known).map(|offer| offer.public_id.as_str());
        assert_eq!(ids.collect::<Vec<_>>().join(" "), out, "{needs:?}");
        for (candidate, why) in left_out(&house, wants(&needs), &known, now()) {
            let unmet = LeftOut::Lacks(
                needs
                    .unmet_at(&candidate.offer.provider, candidate.offer.capabilities)
                    .collect(),
            );
            assert_eq!(why, unmet, "{needs:?}");
        }
    }
    // What an offer was found to lack is not needed either: the field is left out.
    let mut known = Knowledge::default();
    known.learn(house.candidates()[1].model(), Seed);
    let seed = [Seed].into_iter().collect();
    assert_eq!(
        walk(&house, wants(&seed), &known, now()),
        "groq/x local/z local/y"
    );
}

#[test]
fn s10_4_an_unreached_provider_is_asked_last() {
    let (house, needs, now) = (house(), Needs::default(), now());
    let mut known = Knowledge::default();
    known.way_fails(&subject(&house, "provider groq"), now);
    let walked = walk(&house, wants(&needs), &known, now);
    assert_eq!(
        walked,
        "ovh/x router local/z groq/x groq/x#2 groq/y groq/y#2"
    );
    assert_eq!(
        in_words(&next(Some(&house), wants(&needs), &known, now)),
        "ovh/x"
    );
    let later = now.plus(Duration::from_secs(5));
    assert_eq!(
        in_words(&next(Some(&house), wants(&needs), &known, later)),
        "groq/x"
    );
}

#[test]
fn s4_7_a_probed_account_holds_up_its_own_candidates_alone() {
    let (house, needs, now) = (house(), Needs::default(), now());
    let registry = Arc::new(crate::registry::Registry::default());
    let groq = subject(&house, "account groq");
    let short = Rest::For(Duration::from_millis(1));
    registry.rest(&groq, out_of("a", AccountLimit::Minute), short, now);
    let later = now.plus(Duration::from_secs(1));
    let first = Arc::clone(&house.candidates()[0]);
    let chosen = Chosen {
        candidate: first,
        slot: None,
        ask: Ask::default(),
        client: None,
        key: None,
        usual: Duration::from_secs(60),
    };
    let choose = |_: &Knowledge, _| ((), Some(chosen));
    let (_, _claim) = registry.claim(choose);
    let walked = registry.with_known_now(|known, _| walk(&house, wants(&needs), known, later));
    assert_eq!(walked, "groq/x#2 ovh/x groq/y#2 router local/z");
    // With no other candidate, the request waits until one more may probe.
    let pinned = [out(&subject(&house, "account groq#2"), OutBy::Tried)];
    let wants = Wants {
        preference: Preference::Only("groq/x"),
        out: &pinned,
        ..wants(&needs)
    };
    let next =
        registry.with_known_now(|known, _| in_words(&next(Some(&house), wants, known, later)));
    assert!(next.starts_with("wait, Some("), "{next}");
}

/// What each account is out of, for how many seconds; which account is reported.
type Row<'a> = (
    &'a [(AccountLimit, u64); 5],
    Option<(AccountLimit, &'a str, u64)>,
);

#[test]
fn s10_4_which_account_is_told_when_all_are_ruled_out_by_their_accounts() {
    use AccountLimit::{Credit, Day, Key, Minute};
    let (house, needs, now) = (house(), Needs::default(), now());
    let all = ["openrouter", "groq", "groq#2", "ovh", "local"];
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // openrouter    groq          groq#2         ovh           local          told
        (&[(Day, 900),   (Day, 800),   (Minute, 30),  (Day, 500),   (Day, 600)],   Some((Minute, "groq#2", 30))),
        (&[(Key, 10),    (Key, 20),    (Minute, 30),  (Key, 40),    (Key, 50)],    Some((Minute, "groq#2", 30))),
        (&[(Key, 50),    (Key, 20),    (Key, 30),     (Key, 40),    (Key, 90)],    Some((Key, "groq", 20))),
        (&[(Credit, 50), (Key, 20),    (Key, 30),     (Day, 400),   (Key, 90)],    Some((Credit, "openrouter", 50))),
        (&[(Day, 900),   (Day, 800),   (Minute, 30),  (Day, 0),     (Day, 600)],   None),
    ];
    for (limits, expected) in rows {
        let mut known = Knowledge::default();
        for (label, (limit, seconds)) in all.iter().zip(*limits) {
            let account = subject(&house, &format!("account {label}"));
            let rest = Rest::For(Duration::from_secs(*seconds));
            known.rest(&account, out_of("a", *limit), rest, now);
        }
        let ruled = ruled(&house, wants(&needs), &known, now);
        let told = ruled
            .as_ref()
            .map(|r| (r.limit, &*r.candidate.account.label, r.left.as_secs()));
        assert_eq!(told, *expected, "{limits:?}");
    }
}

#[test]
fn s10_4_a_quota_of_one_model_counts_as_a_quota_and_a_failing_model_does_not() {
    let (house, needs, now) = (house(), Needs::default(), now());
    let pinned = Wants {
        preference: Preference::Only("groq/x"),
        ..wants(&needs)
    };
    let rest = |known: &mut Knowledge, whom, because, seconds| {
        let rest = Rest::For(Duration::from_secs(seconds));
        known.rest(&subject(&house, whom), because, rest, now);
    };
    let told = |known: &Knowledge| {
        let ruled = ruled(&house, pinned, known, now)?;
        Some((ruled.limit, ruled.left.as_secs()))
    };
    let mut known = Knowledge::default();
    rest(
        &mut known,
        "account groq",
        out_of("a", AccountLimit::Key),
        60,
    );
    assert_eq!(told(&known), None, "another account is awake");
    rest(&mut known, "candidate groq/x@groq#2", because("x"), 40);
    assert_eq!(told(&known), Some((AccountLimit::Quota, 40)));
    rest(&mut known, "candidate groq/x@groq#2", because("x"), 9000);
    assert_eq!(told(&known), Some((AccountLimit::Quota, 9000)));
    let mut known = Knowledge::default();
    rest(
        &mut known,
        "account groq",
        out_of("a", AccountLimit::Day),
        60,
    );
    rest(&mut known, "model groq/x", because("x"), 9);
    assert_eq!(told(&known), None, "groq#2 is kept out by the model alone");
}

#[test]
fn s10_4_the_reasons_are_counted_by_models_accounts_and_keys() {
    use AccountLimit::{Credit, Day, Key};
    let (house, needs, now) = (house(), Needs::default(), now());
    let mut known = Knowledge::default();
    let mut rest = |whom: &str, because| {
        let rest = Rest::For(Duration::from_secs(60));
        known.rest(&subject(&house, whom), because, rest, now);
    };
    rest("account openrouter", out_of("a", Day));
    rest("account groq", out_of("a", Key));
    rest("account groq#2", out_of("a", Credit));
    rest("model ovh/x", because("x"));
    let failed = [out(
        &subject(&house, "candidate local/z@local"),
        OutBy::Tried,
    )];
    let wants = Wants {
        out: &failed,
        ..wants(&needs)
    };
    let words = Unavailable::count(&house, wants, &known, now).in_words();
    assert_eq!(
        words.as_deref(),
        Some(
            "1 model is rate limited, 1 failed on this request, 1 account is out for today, \
             1 is out of its quota, 1 key is refused"
        )
    );
}
