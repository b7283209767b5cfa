//! The queue as a value: which requests are let go, in which order, and how many looks that takes.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

use super::*;
use crate::ledger::Ask;
use crate::model::{AccountId, ModelId, Offer};
use crate::registry::Parts;

const MANY: usize = 10_000;

/// What there is for the requests of each kind, and how often they have looked.
#[derive(Default)]
struct World {
    units: [AtomicUsize; 3],
    looks: AtomicUsize,
    /// The first return, in seconds from the beginning.
    returns_at: AtomicUsize,
}

struct Line {
    queue: Queue,
    known: Knowledge,
    list: Arc<Snapshot>,
    world: Arc<World>,
    start: Now,
    at: Duration,
}

impl Line {
    fn new() -> Self {
        let model = Offer::at_openrouter(ModelId::try_from("a").unwrap());
        let list = Snapshot::new(Parts {
            offers: vec![Arc::new(model)],
            accounts: vec![Arc::new(AccountId::openrouter())],
            ..Parts::default()
        });
        let world = World::default();
        world.returns_at.store(5, Relaxed);
        Self {
            queue: Queue::default(),
            known: Knowledge::default(),
            list: Arc::new(list),
            world: Arc::new(world),
            start: Now {
                steady: Instant::now(),
                wall: SystemTime::UNIX_EPOCH,
            },
            at: Duration::ZERO,
        }
    }

    fn now(&self) -> Now {
        self.start.plus(self.at)
    }

    /// A request of this kind, which waits for this many seconds at most.
    fn joins(&mut self, kind: usize, seconds: u64) -> Joined {
        self.joins_as(kind as u64, kind, seconds)
    }

    /// One that passes for kind `id`, and is served by the units of `kind`.
    fn joins_as(&mut self, id: u64, kind: usize, seconds: u64) -> Joined {
        let (world, start) = (Arc::clone(&self.world), self.start);
        let look = move |list: &Snapshot, _: &Knowledge, ahead: usize, now: Now| {
            world.looks.fetch_add(1, Relaxed);
            let take = |left: usize| left.checked_sub(1);
            if ahead == 0
                && world.units[kind]
                    .fetch_update(Relaxed, Relaxed, take)
                    .is_ok()
            {
                return Sight::Ask(Chosen {
                    candidate: Arc::clone(&list.candidates()[0]),
                    slot: None,
                    ask: Ask::default(),
                    client: None,
                    key: None,
                    usual: Duration::ZERO,
                });
            }
            let at = start.plus(Duration::from_secs(world.returns_at.load(Relaxed) as u64));
            let left = at.steady.saturating_duration_since(now.steady);
            Sight::Wait(Return {
                awaited: Awaited::Subject(list.candidates()[0].itself().clone()),
                draws: 0,
                earliest: left + Duration::from_millis(ahead as u64),
                look_in: Some(left),
            })
        };
        let waiter = Waiter {
            kind: id,
            look: Box::new(look),
            until: self.now().plus(Duration::from_secs(seconds)).steady,
            budget: self.now().plus(Duration::from_secs(120)).steady,
        };
        let now = self.now();
        self.serve();
        self.queue.join(waiter, &mut self.known, &self.list, now)
    }

    fn waits(&mut self, kind: usize, seconds: u64) -> Entry {
        waits(self.joins(kind, seconds))
    }

    fn waits_as(&mut self, id: u64, kind: usize) -> Entry {
        waits(self.joins_as(id, kind, 20))
    }

    fn serve(&mut self) {
        let now = self.now();
        self.queue.serve(&mut self.known, &self.list, now);
    }

    fn returns(&mut self, kind: usize, units: usize) {
        self.world.units[kind].fetch_add(units, Relaxed);
        self.queue.stir();
        self.serve();
    }
}

fn waits(joined: Joined) -> Entry {
    match joined {
        Joined::Waits(entry) => entry,
        Joined::Asks(_) | Joined::Refused(_) => panic!("it does not wait"),
    }
}

/// What each was told: `g` for let go, `-` for nothing to wait for, `.` for nothing yet.
fn told(entries: &mut [Entry]) -> String {
    let told = entries.iter_mut().map(|entry| match entry.told.try_recv() {
        Ok(Some(_)) => 'g',
        Ok(None) => '-',
        Err(oneshot::error::TryRecvError::Empty) => '.',
        Err(oneshot::error::TryRecvError::Closed) => ' ',
    });
    told.collect()
}

#[test]
fn s11_5_first_come_first_served_and_no_kind_blocks_another() {
    #[rustfmt::skip]
    let rows = [
        // kinds in their order  units of each kind   which are let go
        ([0, 0, 0, 0],           [1, 0, 0],           "g..."),
        ([0, 0, 0, 0],           [3, 0, 0],           "ggg."),
        ([0, 1, 0, 1],           [0, 1, 0],           ".g.."),
        ([0, 1, 0, 1],           [1, 2, 0],           "gg.g"),
        ([2, 1, 0, 1],           [1, 1, 0],           ".gg."),
    ];
    for (kinds, units, expected) in rows {
        let mut line = Line::new();
        let mut entries: Vec<_> = kinds.iter().map(|kind| line.waits(*kind, 20)).collect();
        for (kind, units) in units.into_iter().enumerate() {
            line.world.units[kind].fetch_add(units, Relaxed);
        }
        line.queue.stir();
        line.serve();
        assert_eq!(told(&mut entries), expected, "{kinds:?} {units:?}");
        let left = 4 - expected.matches('g').count();
        let waiting = line.queue.kinds.values().map(|kind| kind.waiting.len());
        assert_eq!(waiting.sum::<usize>(), left, "{kinds:?} {units:?}");
    }
}

#[test]
fn s11_5_a_request_whose_turn_comes_too_late_does_not_wait() {
    let mut line = Line::new();
    let mut first = vec![line.waits(0, 6)];
    for _ in 1..1000 {
        first.push(line.waits(0, 6));
    }
    let Joined::Refused(Some(turn_in)) = line.joins(0, 6) else {
        panic!("its turn comes too late");
    };
    assert_eq!(turn_in, Duration::from_millis(6000));
    // It gets later: requests whose time is over by then need not wait for that.
    first.push(line.waits(0, 9));
    line.world.returns_at.store(8, Relaxed);
    line.queue.stir();
    line.serve();
    let expected = "-".repeat(1000) + ".";
    assert_eq!(told(&mut first), expected);
}

#[test]
fn s11_5_time_alone_lets_the_first_look() {
    let mut line = Line::new();
    let mut entries = vec![line.waits(0, 20), line.waits(0, 20)];
    assert_eq!(
        line.queue.due(line.now()),
        Some(line.start.plus(Duration::from_secs(5)).steady)
    );
    line.world.units[0].store(1, Relaxed);
    line.serve();
    assert_eq!(told(&mut entries), "..", "nothing tells it to look");
    line.at = Duration::from_secs(5);
    assert!(
        line.queue.is_pending(line.now()),
        "a newcomer is behind them"
    );
    line.serve();
    assert_eq!(told(&mut entries), "g.");
}

#[test]
fn s11_5_one_that_has_left_hands_on_what_was_meant_for_it() {
    let mut line = Line::new();
    let mut entries = vec![line.waits(1, 20), line.waits(0, 20), line.waits(0, 20)];
    drop(entries.remove(1));
    line.returns(0, 1);
    // The unit was drawn for it, and is taken back: all look once more.
    assert!(line.queue.is_pending(line.now()));
    line.returns(0, 1);
    assert_eq!(told(&mut entries), ".g");
}

#[test]
fn s11_5_ten_thousand_wait_at_the_price_of_one_look_each() {
    let mut line = Line::new();
    let mut entries: Vec<_> = (0..MANY).map(|_| line.waits(0, 20)).collect();
    let looks = || line.world.looks.load(Relaxed);
    let of_joining = looks();
    assert!(of_joining <= 2 * MANY, "{of_joining}");
    let world = Arc::clone(&line.world);
    for _ in 0..MANY {
        line.returns(0, 1);
    }
    let of_serving = world.looks.load(Relaxed) - of_joining;
    // One that finds it, and the next that finds nothing.
    assert!(of_serving <= 2 * MANY, "{of_serving}");
    assert_eq!(told(&mut entries), "g".repeat(MANY));
    assert!(line.queue.is_empty());
}

#[test]
fn s11_5_ten_thousand_that_may_go_at_once_hold_the_lock_piece_by_piece() {
    let mut line = Line::new();
    let mut entries: Vec<_> = (0..MANY).map(|_| line.waits(0, 20)).collect();
    line.world.looks.store(0, Relaxed);
    // The newcomer below sees one, but does not get it.
    line.returns(0, MANY + 2);
    assert_eq!(line.world.looks.load(Relaxed), LOOKS);
    // Until all of them have looked, a newcomer is behind them.
    entries.push(line.waits(0, 20));
    let mut holds = 2;
    while line.queue.is_pending(line.now()) {
        line.serve();
        holds += 1;
    }
    assert_eq!(told(&mut entries), "g".repeat(MANY + 1));
    assert!(holds <= MANY / LOOKS + 2, "{holds}");
}

#[test]
fn s11_5_ten_thousand_that_leave_leave_nothing_behind() {
    let mut line = Line::new();
    let entries: Vec<_> = (0..MANY).map(|n| (n % 3, line.waits(n % 3, 20))).collect();
    for (kind, entry) in entries {
        line.queue.leave(kind as u64, entry.ticket, &mut line.known);
    }
    assert!(line.queue.is_empty());
    assert_eq!(line.queue.kinds.len(), 0);
}

#[test]
fn s11_5_a_request_behind_many_kinds_looks_in_its_turn_however_often_something_changes() {
    let mut line = Line::new();
    let many = 3 * LOOKS as u64;
    let mut entries: Vec<_> = (0..many).map(|id| line.waits_as(id, 0)).collect();
    entries.push(line.waits_as(many, 1));
    line.world.units[1].store(1, Relaxed);
    for _ in 0..=3 {
        // Each change makes all of them look again.
        line.queue.stir();
        line.serve();
    }
    assert!(told(&mut entries).ends_with(".g"));
    line.serve();
    line.serve();
    line.serve();
    assert!(!line.queue.is_pending(line.now()), "each has looked");
    // From then on they look in the order in which they came.
    line.world.units[0].store(2, Relaxed);
    line.returns(0, 0);
    assert!(told(&mut entries).starts_with("gg."));
}

#[test]
fn s11_5_a_request_whose_time_is_over_looks_for_itself() {
    #[rustfmt::skip]
    let rows = [
        // units of what the second sees   the return, s   it                      what it is told
        (1,                                9,              AtEnd::Stays,           ".g"),
        (0,                                9,              AtEnd::Leaves,          ".."),
        // A candidate is being probed.
        (0,                                0,              AtEnd::Stays,           ".."),
    ];
    for (units, returns_at, expected, told_by_then) in rows {
        let mut line = Line::new();
        let mut entries = vec![line.waits_as(7, 0), line.waits_as(7, 1)];
        line.world.returns_at.store(returns_at, Relaxed);
        line.queue.stir();
        line.serve();
        // The first of its kind does not see it.
        line.world.units[1].store(units, Relaxed);
        let (ticket, now) = (entries[1].ticket, line.now());
        let (queue, known) = (&mut line.queue, &mut line.known);
        let end = queue.at_end(7, ticket, known, &line.list, now);
        assert_eq!(end, expected, "{units} {returns_at}");
        assert_eq!(told(&mut entries), told_by_then, "{units} {returns_at}");
    }
}

#[test]
fn s11_5_while_others_are_to_look_first_it_looks_again() {
    let mut line = Line::new();
    let mut entries = vec![line.waits(0, 20), line.waits(1, 20)];
    line.world.units[1].store(1, Relaxed);
    line.queue.stir();
    let (ticket, now) = (entries[1].ticket, line.now());
    let at_end = |line: &mut Line| {
        let (queue, known) = (&mut line.queue, &mut line.known);
        queue.at_end(1, ticket, known, &line.list, now)
    };
    assert_eq!(at_end(&mut line), AtEnd::LooksAgain);
    line.serve();
    assert_eq!(at_end(&mut line), AtEnd::Stays, "it was let go");
    assert_eq!(told(&mut entries), ".g");
}
