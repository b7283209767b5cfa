use super::*;
use crate::upstream::{Cause, Outcome};

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
    assert_eq!(
        cooldowns.ask(&id()),
        (false, false),
        "who never rested needs no probe"
    );
    cooldowns.rest(because(), Rest::For(seconds(10)), start);
    assert_eq!(cooldowns.standing(&id(), later), Standing::Awake);
    assert_eq!(cooldowns.ask(&id()), (true, false));
    assert_eq!(cooldowns.standing(&id(), later), Standing::Probing);
    // The client of the probe left: the next one probes.
    cooldowns.probed(&id(), false);
    assert_eq!(cooldowns.ask(&id()), (true, false));
    cooldowns.probed(&id(), true);
    assert_eq!(cooldowns.standing(&id(), later), Standing::Awake);
    assert_eq!(cooldowns.ask(&id()), (false, false), "proven well");
}

#[test]
fn s4_3_an_older_success_does_not_cut_a_newer_rest() {
    let start = now();
    let later = start.plus(seconds(10));
    let mut cooldowns = Cooldowns::default();
    cooldowns.rest(because(), Rest::For(seconds(10)), start);
    cooldowns.ask(&id());
    cooldowns.rest(because(), Rest::For(seconds(300)), later);
    cooldowns.probed(&id(), true);
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
fn i6_1_the_rest_that_stands_tells_its_own_reason() {
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
fn i6_1_a_cleared_model_is_awake_and_the_probe_of_its_old_rest_changes_nothing() {
    let start = now();
    let mut cooldowns = Cooldowns::default();
    cooldowns.rest(because(), Rest::For(seconds(10)), start);
    cooldowns.ask(&id());
    cooldowns.learn(&id(), Capability::Tools);
    cooldowns.clear_model(&id());
    assert_eq!(cooldowns.standing(&id(), start), Standing::Awake);
    assert!(cooldowns.found_lacking(&id()).is_empty());
    cooldowns.probed(&id(), false);
    assert_eq!(cooldowns.ask(&id()), (false, false));
}
