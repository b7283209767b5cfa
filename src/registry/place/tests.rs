//! Places of real requests: the timekeeper, clients that leave, ten thousand at once.

use std::time::SystemTime;

use tokio::task::JoinSet;
use tokio::time::{Instant as Moment, sleep};

use super::*;
use crate::ledger::Ask;
use crate::model::{AccountId, ModelId, Offer};
use crate::registry::{Awaited, Chosen, Knowledge, Look, Parts, Return, Sight, Standing};
use crate::verdict::{Because, Cause, Outcome, Rest};

const MANY: usize = 10_000;

fn sight(list: &Snapshot, known: &Knowledge, _: usize, now: Now) -> Sight {
    let candidate = &list.candidates()[0];
    let (earliest, look_in) = match known.standing(candidate.model(), now) {
        Standing::Awake => {
            return Sight::Ask(Chosen {
                candidate: Arc::clone(candidate),
                slot: None,
                ask: Ask::default(),
                client: None,
                key: None,
                usual: Duration::ZERO,
            });
        }
        Standing::Resting(wake) => (wake.left(now), Some(wake.left(now))),
        Standing::Probing => (Duration::ZERO, None),
    };
    Sight::Wait(Return {
        awaited: Awaited::Subject(candidate.model().clone()),
        draws: 0,
        earliest,
        look_in,
    })
}

/// A registry whose one model rests for 5 s.
fn resting() -> Arc<Registry> {
    let registry = Arc::new(Registry::default());
    let model = Offer::at_openrouter(ModelId::try_from("a").unwrap());
    registry.publish(Snapshot::new(Parts {
        offers: vec![Arc::new(model)],
        accounts: vec![Arc::new(AccountId::openrouter())],
        ..Parts::default()
    }));
    let because = Because {
        model: ModelId::try_from("a").unwrap(),
        outcome: Outcome::RateLimited,
        status: Some(429),
        cause: Cause::Status,
        at: SystemTime::UNIX_EPOCH,
        of_quota: true,
        out_of: None,
    };
    let list = registry.snapshot().unwrap();
    let rest = Rest::For(Duration::from_secs(5));
    registry.rest(list.candidates()[0].model(), because, rest, Now::read());
    registry
}

fn place(registry: &Arc<Registry>) -> Place {
    place_of(registry, 1, Box::new(sight))
}

fn place_of(registry: &Arc<Registry>, kind: u64, look: Look) -> Place {
    let waiter = Waiter {
        kind,
        look,
        until: Now::read().plus(Duration::from_secs(20)).steady,
        budget: Now::read().plus(Duration::from_secs(120)).steady,
    };
    match registry.wait(waiter) {
        Wait::In(place) => place,
        Wait::Not(_) | Wait::TooLong(_) => panic!("it waits"),
    }
}

#[tokio::test(start_paused = true)]
async fn s11_5_ten_thousand_go_when_the_first_of_them_has_found_it_well() {
    let registry = resting();
    let mut waiting = JoinSet::new();
    for _ in 0..MANY {
        let place = place(&registry);
        waiting.spawn(async move {
            let turn = place.turn().await.unwrap();
            // The probe takes a second.
            sleep(Duration::from_secs(1)).await;
            turn.claim.is_well();
            Moment::now()
        });
    }
    let mut keeper = JoinSet::new();
    keeper.spawn(registry.keep_time().unwrap());
    assert!(registry.keep_time().is_none(), "one is enough");
    let begun = Moment::now();
    let mut seconds = [0; 8];
    while let Some(at) = waiting.join_next().await {
        seconds[(at.unwrap() - begun).as_secs() as usize] += 1;
    }
    assert_eq!(seconds, [0, 0, 0, 0, 0, 0, 1, MANY - 1]);
    assert!(keeper.join_next().await.is_some(), "it has nothing to do");
}

#[tokio::test(start_paused = true)]
async fn s11_5_ten_thousand_clients_that_leave_leave_nothing_behind() {
    let registry = resting();
    let places: Vec<_> = (0..MANY).map(|_| place(&registry)).collect();
    let mut keeper = JoinSet::new();
    keeper.spawn(registry.keep_time().unwrap());
    sleep(Duration::from_secs(1)).await;
    drop(places);
    assert!(registry.lock().queue.is_empty());
    let begun = Moment::now();
    assert!(keeper.join_next().await.is_some());
    assert_eq!(begun.elapsed(), Duration::ZERO, "at once");
}

#[tokio::test(start_paused = true)]
async fn s11_5_a_request_that_leaves_with_its_turn_hands_it_on() {
    let registry = resting();
    let (first, second) = (place(&registry), place(&registry));
    let mut keeper = JoinSet::new();
    keeper.spawn(registry.keep_time().unwrap());
    sleep(Duration::from_secs(6)).await;
    // It was let go as the probe, and leaves before it could ask.
    drop(first);
    let begun = Moment::now();
    assert!(second.turn().await.is_some());
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn s11_5_behind_more_kinds_than_look_at_once_a_change_is_seen_at_once() {
    let registry = resting();
    // They wait for it, whatever else can be asked.
    let waits = |list: &Snapshot, known: &Knowledge, ahead: usize, now: Now| {
        let awake = sight(list, known, ahead, now);
        match awake {
            Sight::Wait(back) => Sight::Wait(back),
            Sight::Ask(_) | Sight::Never => Sight::Wait(Return {
                awaited: Awaited::Subject(list.candidates()[0].itself().clone()),
                draws: 0,
                earliest: Duration::from_secs(9),
                look_in: Some(Duration::from_secs(9)),
            }),
        }
    };
    let before: Vec<_> = (2..200)
        .map(|kind| place_of(&registry, kind, Box::new(waits)))
        .collect();
    let last = place(&registry);
    let mut keeper = JoinSet::new();
    keeper.spawn(registry.keep_time().unwrap());
    sleep(Duration::from_secs(1)).await;
    registry.clear_all();
    let begun = Moment::now();
    assert!(last.turn().await.is_some());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    drop(before);
}
