//! §11.5: when a request that waits behind others gets its turn.

use super::*;

#[test]
fn s11_5_as_many_go_in_one_window_as_fit() {
    use Ends::Utc;
    let thousand = Limit {
        unit: Unit::Tokens,
        ..set(1000, Per::Minute)
    };
    let small = Ask::default();
    #[rustfmt::skip]
    let rows: &[(&[Limit], Ask, usize, f64, &str)] = &[
        // limits, all used up within the first 10 s      size         sent  looked at  the turns of the 1st, 2nd, ...
        (&[set(1, Per::Minute)],                          small,       1,    50.0,      "10 70 130"),
        (&[set(3, Per::Minute)],                          small,       3,    50.0,      "10 11 12 70 71"),
        (&[ending(set(3, Per::Minute), Utc)],             small,       3,    50.0,      "10 10 10 70 70 70 130"),
        // Room for one more: it goes at once.
        (&[set(4, Per::Minute)],                          small,       3,    50.0,      "0 10 11 12 60"),
        (std::slice::from_ref(&thousand),                               tokens(500),  2,    50.0,      "10 11 70 71"),
        (std::slice::from_ref(&thousand),                               tokens(400),  2,    50.0,      "10 11 70"),
        // The slowest bucket decides.
        (&[set(2, Per::Minute), ending(set(2, Per::Day), Utc)], small, 2,    50.0,      "43150 43150 129550"),
        // An uncertain limit holds no request up, nor does one that time does not lift.
        (&[Limit { source: LimitSource::Default, ..set(1, Per::Minute) }], small, 1, 50.0, "0 0"),
        (&[Limit { unit: Unit::AtOnce, per: Per::Moment, ..set(1, Per::Minute) }], small, 1, 50.0, "0 0"),
    ];
    for (limits, ask, sent, looked_at, expected) in rows {
        let mut world = World::new(limits);
        for second in 0..*sent {
            world.at = second as f64;
            let reservation = world.reserve(0, *ask);
            world.settle(reservation, NOTHING, true);
        }
        world.at = *looked_at;
        let turn = |nth| world.ledger.turn(world.slots[0], *ask, nth, world.now());
        let turns = (1..=expected.split(' ').count()).map(|nth| turn(nth).unwrap().as_secs());
        let turns: Vec<_> = turns.map(|seconds| seconds.to_string()).collect();
        assert_eq!(turns.join(" "), *expected, "{limits:?}");
    }
}

#[test]
fn s11_5_what_is_kept_for_others_is_not_headroom() {
    let limits = [Limit {
        unit: Unit::Tokens,
        ..set(1000, Per::Minute)
    }];
    #[rustfmt::skip]
    let rows = [
        // 500 of 1,000 are used at 0 s, the rest at 10 s; at 61 s: kept, wanted   seconds until there is room
        (0,                                                             400,       Some(0)),
        (100,                                                           400,       Some(0)),
        (400,                                                           400,       Some(9)),
        (400,                                                           100,       Some(0)),
        // A request can wait for the whole limit at most.
        (900,                                                           400,       Some(9)),
    ];
    for (kept, wanted, expected) in rows {
        let mut world = World::new(&limits);
        for second in [0.0, 10.0] {
            world.at = second;
            let reservation = world.reserve(0, tokens(500));
            world.settle(reservation, NOTHING, true);
        }
        world.at = 61.0;
        let (slot, ask, now) = (world.slots[0], tokens(wanted), world.now());
        let bucket = BucketId(world.ledger.line(slot).unwrap().buckets[0]);
        assert_eq!(world.ledger.draws(slot, ask, bucket), wanted);
        world.ledger.keep(vec![(bucket, kept)]);
        let room_in = match world.ledger.headroom(slot, || ask, now) {
            Headroom::Free => Some(0),
            Headroom::Out { returns_in, .. } => returns_in.map(|left| left.as_secs()),
            other @ (Headroom::Behind { .. }
            | Headroom::Busy { .. }
            | Headroom::TooLarge { .. }) => panic!("{other:?}"),
        };
        assert_eq!(room_in, expected, "{kept} {wanted}");
    }
}
