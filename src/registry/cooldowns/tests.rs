use super::*;
use crate::verdict::{Cause, Outcome};

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn id() -> ModelId {
    ModelId::try_from("a").unwrap()
}

fn because() -> Because {
    Because {
        model: id(),
        outcome: Outcome::UpstreamError,
        status: Some(502),
        cause: Cause::Status,
        at: SystemTime::UNIX_EPOCH,
    }
}

/// A request asks; the numbers of the probe that it is.
fn ask(cooldowns: &mut Cooldowns, now: Now) -> [Option<u64>; 2] {
    cooldowns.ask(&id(), || seconds(2), now)
}

fn left(cooldowns: &Cooldowns, now: Now) -> Duration {
    match cooldowns.standing(&id(), now) {
        Standing::Resting(wake) => wake.left(now),
        Standing::Awake | Standing::Probing => Duration::ZERO,
    }
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
    for (rests, expected) in rows {
        let mut cooldowns = Cooldowns::default();
        for rest in *rests {
            cooldowns.rest(because(), *rest, now);
        }
        assert_eq!(left(&cooldowns, now), seconds(*expected), "{rests:?}");
    }
}

#[test]
fn s4_3_a_date_holds_across_a_suspend_and_a_length_does_not_run_meanwhile() {
    let before = now();
    let after = Now {
        wall: before.wall + seconds(3600),
        ..before
    };
    let mut dated = Cooldowns::default();
    dated.rest(because(), Rest::Until(before.wall + seconds(600)), before);
    assert_eq!(left(&dated, before), seconds(600));
    assert_eq!(
        left(&dated, after),
        Duration::ZERO,
        "the date went by while the laptop slept"
    );
    let mut timed = Cooldowns::default();
    let wake = timed
        .rest(because(), Rest::For(seconds(600)), before)
        .unwrap();
    assert_eq!(left(&timed, after), seconds(600));
    assert_eq!(wake.date(after), after.wall + seconds(600));
}

#[test]
fn s9_8_one_probe_after_a_rest() {
    let start = now();
    let later = start.plus(seconds(10));
    let mut cooldowns = Cooldowns::default();
    let nothing = ask(&mut cooldowns, start);
    assert_eq!(nothing, [None; 2], "who never rested needs no probe");
    cooldowns.rest(because(), Rest::For(seconds(10)), start);
    assert_eq!(cooldowns.standing(&id(), later), Standing::Awake);
    let [Some(first), None] = ask(&mut cooldowns, later) else {
        panic!("it is a probe of the model")
    };
    assert_eq!(cooldowns.standing(&id(), later), Standing::Probing);
    // The client of the probe left: the next one probes.
    cooldowns.probed(&id(), first, false);
    let [Some(second), None] = ask(&mut cooldowns, later) else {
        panic!("it is a probe of the model")
    };
    cooldowns.probed(&id(), first, true);
    assert_eq!(
        cooldowns.standing(&id(), later),
        Standing::Probing,
        "an old one says nothing"
    );
    cooldowns.probed(&id(), second, true);
    assert_eq!(cooldowns.standing(&id(), later), Standing::Awake);
    assert_eq!(ask(&mut cooldowns, later), [None; 2], "proven well");
}

#[test]
fn s9_8_with_each_probe_that_is_late_one_more_may_probe_the_account() {
    let start = now();
    let at = |n| start.plus(seconds(n));
    let mut known = Cooldowns::default();
    let why = AccountRest {
        limit: AccountLimit::Minute,
        answer: None,
        free_requests: None,
    };
    known.rest_account(because(), why, Rest::For(seconds(10)), start);
    let [a, b] = ["a", "b"].map(|id| ModelId::try_from(id).unwrap());
    let [None, Some(first)] = known.ask(&a, || seconds(2), at(10)) else {
        panic!("it probes the account")
    };
    assert_eq!(known.account(at(11)), Standing::Probing);
    assert_eq!(known.next_account_probe_in(at(11)), seconds(1));
    assert_eq!(known.next_account_probe_in(at(12)), Duration::ZERO);
    assert!(known.probes_account(&a) && !known.probes_account(&b));
    let [None, Some(second)] = known.ask(&b, || seconds(5), at(12)) else {
        panic!("it probes the account too")
    };
    assert_eq!(
        known.next_account_probe_in(at(12)),
        seconds(5),
        "its own time"
    );
    // The first ends without telling anything; the second brings an answer.
    known.account_probed(first, false);
    assert_eq!(known.account(at(13)), Standing::Probing);
    known.account_probed(second, true);
    assert_eq!(known.account(at(13)), Standing::Awake);
    assert_eq!(known.ask(&a, || seconds(2), at(13)), [None; 2]);
}

#[test]
fn s10_4_a_refused_key_rests_twice_as_long_each_time_up_to_an_hour() {
    let mut at = now();
    let mut known = Cooldowns::default();
    let why = || AccountRest {
        limit: AccountLimit::Key,
        answer: None,
        free_requests: None,
    };
    let rest = Rest::Doubling {
        first: seconds(60),
        most: seconds(3600),
    };
    let left = |known: &Cooldowns, at| known.account_rest(at).unwrap().1.left(at).as_secs();
    for expected in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        known.rest_account(because(), why(), rest, at);
        assert_eq!(left(&known, at), expected);
        // Others that were under way are refused as well: that is the same refusal.
        let later = at.plus(seconds(5));
        known.rest_account(because(), why(), rest, later);
        assert_eq!(left(&known, later), expected - 5);
        at = at.plus(seconds(expected));
        assert_eq!(known.account(at), Standing::Awake);
    }
    let [_, Some(probe)] = ask(&mut known, at) else {
        panic!("it probes the account")
    };
    known.account_probed(probe, true);
    known.rest_account(because(), why(), rest, at);
    assert_eq!(left(&known, at), 60, "a success begins anew");
}

#[test]
fn s4_3_an_older_success_does_not_cut_a_newer_rest() {
    let start = now();
    let later = start.plus(seconds(10));
    let mut cooldowns = Cooldowns::default();
    cooldowns.rest(because(), Rest::For(seconds(10)), start);
    let [Some(probe), None] = ask(&mut cooldowns, later) else {
        panic!("it is a probe of the model")
    };
    cooldowns.rest(because(), Rest::For(seconds(300)), later);
    cooldowns.probed(&id(), probe, true);
    assert_eq!(left(&cooldowns, later), seconds(300));
}

#[test]
fn s9_2_a_new_list_ends_what_was_to_last_until_then() {
    let now = now();
    let mut cooldowns = Cooldowns::default();
    cooldowns.learn(&id(), Capability::Tools);
    cooldowns.rest(because(), Rest::UntilNextList, now);
    cooldowns.new_list(|_| true);
    assert_eq!(cooldowns.standing(&id(), now), Standing::Awake);
    assert!(cooldowns.lacks.is_empty());
    cooldowns.rest(because(), Rest::For(seconds(600)), now);
    cooldowns.new_list(|_| true);
    assert_eq!(left(&cooldowns, now), seconds(600), "another rest is kept");
    cooldowns.new_list(|_| false);
    assert_eq!(
        left(&cooldowns, now),
        Duration::ZERO,
        "that of a model that left is forgotten"
    );
}
#[test]
fn s3_the_rest_that_stands_tells_its_own_reason() {
    let now = now();
    let mut cooldowns = Cooldowns::default();
    assert_eq!(cooldowns.rest_of(&id(), now), None);
    let status = |n| Because {
        status: Some(n),
        ..because()
    };
    cooldowns.rest(status(429), Rest::For(seconds(300)), now);
    cooldowns.rest(status(503), Rest::For(seconds(60)), now);
    let told = cooldowns.rest_of(&id(), now).unwrap();
    assert_eq!((told.because, told.until_next_list), (&status(429), false));
    cooldowns.rest(status(404), Rest::UntilNextList, now);
    let told = cooldowns.rest_of(&id(), now).unwrap();
    assert_eq!((told.because, told.until_next_list), (&status(404), true));
    assert_eq!(cooldowns.rest_of(&id(), now.plus(seconds(3600))), None);
}

#[test]
fn s3_a_cleared_model_is_awake_and_the_probe_of_its_old_rest_changes_nothing() {
    let start = now();
    let mut cooldowns = Cooldowns::default();
    cooldowns.rest(because(), Rest::For(seconds(10)), start);
    let later = start.plus(seconds(10));
    let [Some(probe), None] = ask(&mut cooldowns, later) else {
        panic!("it is a probe of the model")
    };
    cooldowns.learn(&id(), Capability::Tools);
    cooldowns.clear_model(&id());
    assert_eq!(cooldowns.standing(&id(), start), Standing::Awake);
    assert!(cooldowns.found_lacking(&id()).is_empty());
    cooldowns.probed(&id(), probe, false);
    assert_eq!(ask(&mut cooldowns, later), [None; 2]);
}

#[test]
fn s9_8_a_probe_from_before_all_was_forgotten_ends_no_later_rest() {
    let start = now();
    let mut cooldowns = Cooldowns::default();
    let rested = |cooldowns: &mut Cooldowns, at: Now| {
        cooldowns.rest(because(), Rest::For(seconds(1)), at);
        ask(cooldowns, at.plus(seconds(1)))[0].unwrap()
    };
    let old = rested(&mut cooldowns, start);
    cooldowns.clear_all();
    let new = rested(&mut cooldowns, start.plus(seconds(10)));
    assert_ne!(old, new);
    cooldowns.probed(&id(), old, true);
    let later = start.plus(seconds(12));
    assert_eq!(cooldowns.standing(&id(), later), Standing::Probing);
}
