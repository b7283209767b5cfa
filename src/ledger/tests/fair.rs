//! Fair days (spec §13): who has had its share of a day.

use super::*;
use crate::model::ClientName;

/// A client asks at this many seconds after noon: `ok`, `spent`, or its share and in how many seconds there is more.
fn asks(world: &mut World, client: &str, at: f64) -> String {
    world.at = at;
    let (slot, now) = (world.slots[0], world.now());
    let client = ClientName::try_from(client).unwrap();
    world.ledger.client_asks(&client, now);
    if world.room(0) != "free" {
        return "spent".to_owned();
    }
    if let Some(share) = world.ledger.beyond_share(slot, Ask::default, &client, now) {
        return format!("{}, {}", share.amount, share.returns_in.as_secs());
    }
    let reserved = world
        .ledger
        .reserve_for(slot, Ask::default(), Some(client), now);
    world.settle(reserved, NOTHING, true);
    "ok".to_owned()
}

fn per_day(amount: u64, ends: Option<Ends>) -> Limit {
    Limit {
        amount,
        unit: Unit::Requests,
        per: Per::Day,
        of: Counted::Account,
        ends,
        models: Vec::new(),
        source: LimitSource::Set,
    }
}

#[test]
fn s13_nobody_takes_more_than_a_share_of_a_day_from_those_who_ask() {
    type Row<'a> = (&'a str, u64, &'a [(&'a str, usize, f64, &'a str)]);
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // what happens                                   the day's limit, (who asks, how often, when, what comes of the last)
        ("who is alone may take it all",                  10, &[("alice", 10, 1.0, "ok"), ("alice", 1, 2.0, "spent")]),
        ("up to a half it is first come, first served",   10, &[("bob", 1, 0.0, "ok"), ("alice", 5, 1.0, "ok")]),
        ("beyond it, each has its share",                 10, &[("bob", 1, 0.0, "ok"), ("alice", 5, 1.0, "ok"), ("alice", 1, 1.0, "5, 3599"), ("bob", 4, 2.0, "ok"), ("bob", 1, 3.0, "spent")]),
        ("the share is of those seen today",              12, &[("bob", 1, 0.0, "ok"), ("carol", 1, 0.0, "ok"), ("alice", 5, 1.0, "ok"), ("alice", 1, 1.0, "4, 3599"), ("carol", 3, 2.0, "ok"), ("carol", 1, 3.0, "4, 3598")]),
        ("while another has asked within the hour",       10, &[("bob", 1, 0.0, "ok"), ("alice", 5, 1.0, "ok"), ("alice", 1, 3599.0, "5, 1"), ("alice", 1, 3600.0, "ok")]),
        ("one that comes late finds its share",           10, &[("alice", 5, 0.0, "ok"), ("bob", 1, 9.0, "ok"), ("alice", 1, 9.0, "5, 3600"), ("bob", 4, 9.0, "ok")]),
        // Noon: the day of UTC ends in twelve hours, and with it what was used of it.
        ("the next day",                                  10, &[("bob", 1, 0.0, "ok"), ("alice", 5, 0.0, "ok"), ("bob", 1, 43_100.0, "ok"), ("alice", 1, 43_100.0, "5, 100"), ("alice", 6, 43_200.0, "ok")]),
        ("fewer than clients: one each",                   2, &[("alice", 1, 0.0, "ok"), ("bob", 1, 0.0, "ok"), ("carol", 1, 0.0, "spent")]),
    ];
    for (what, amount, requests) in rows {
        let mut world = World::new(&[per_day(*amount, Some(Ends::Utc))]);
        world.ledger.set_fair(true);
        for (client, count, at, expected) in *requests {
            let told: Vec<_> = (0..*count).map(|_| asks(&mut world, client, *at)).collect();
            assert_eq!(
                told.last().unwrap(),
                expected,
                "{what}: {client} at {at}: {told:?}"
            );
        }
    }
}

#[test]
fn s13_days_are_first_come_first_served_where_they_need_not_be_fair() {
    let mut world = World::new(&[per_day(10, None)]);
    assert_eq!(asks(&mut world, "bob", 0.0), "ok");
    for _ in 0..9 {
        assert_eq!(asks(&mut world, "alice", 1.0), "ok");
    }
    assert_eq!(asks(&mut world, "bob", 2.0), "spent");
}

#[test]
fn s13_what_was_never_sent_is_no_part_of_a_share() {
    let mut world = World::new(&[per_day(4, None)]);
    world.ledger.set_fair(true);
    asks(&mut world, "bob", 0.0);
    asks(&mut world, "alice", 0.0);
    let (slot, now) = (world.slots[0], world.now());
    let alice = ClientName::try_from("alice").unwrap();
    for _ in 0..3 {
        let reserved = world
            .ledger
            .reserve_for(slot, Ask::default(), Some(alice.clone()), now);
        world.ledger.refund(reserved, now);
    }
    assert_eq!(asks(&mut world, "alice", 1.0), "ok");
    assert_eq!(asks(&mut world, "alice", 1.0), "2, 3599");
}

#[test]
fn s13_a_restart_brings_nobody_a_fresh_share() {
    for ends in [None, Some(Ends::Utc)] {
        let mut world = World::new(&[per_day(10, ends)]);
        world.ledger.set_fair(true);
        for (client, expected) in [("bob", "ok"), ("alice", "ok")] {
            assert_eq!(asks(&mut world, client, 0.0), expected);
        }
        for _ in 0..4 {
            assert_eq!(asks(&mut world, "alice", 1.0), "ok");
        }
        let mut world = world.restarted(9, 0);
        assert_eq!(asks(&mut world, "alice", 10.0), "5, 3590", "{ends:?}");
        for _ in 0..4 {
            assert_eq!(asks(&mut world, "bob", 10.0), "ok", "{ends:?}");
        }
        assert_eq!(asks(&mut world, "alice", 10.0), "spent", "{ends:?}");
        // Where days need no longer be fair, nothing of it counts.
        world.ledger.set_fair(false);
        let mut world = world.restarted(9, 0);
        assert_eq!(asks(&mut world, "alice", 20.0), "spent", "{ends:?}");
    }
}
