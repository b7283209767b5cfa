//! The quota drill: a day of agents on ten accounts with the limits of the table. The program's own
//! selection walks over what its own ledger knows, by rank and by cost, beside a walk that knows every
//! provider's own count.
//!
//! No network and no clock: seconds of an invented day. `--nocapture` prints the table.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails; its figures are small"
)]

mod agents;
mod day;
mod figures;
mod proxy;
mod table;
mod truth;

use day::{Walker, World, live};
use figures::Figures;
use free_llm_proxy::learnt::Order;

/// Five agents, and three times as many: then all quotas together are not enough.
const BUSY: [f64; 2] = [1.0, 3.0];

#[test]
fn s10_5_no_429_is_provoked_where_limits_are_set() {
    for busy in BUSY {
        for ours in drill(Walker::Set, World::AsSet, busy) {
            assert_eq!(ours.refused_requests, 0, "of limits on requests");
            // Only the provider knows for sure how many tokens a prompt has.
            assert!(ours.refused * 1000 <= ours.attempts, "{ours:?}");
        }
    }
}

#[test]
fn s10_5_the_tables_numbers_serve_as_well() {
    for busy in BUSY {
        drill(Walker::Default, World::AsTable, busy);
    }
}

#[test]
fn s10_5_wrong_numbers_are_found_out() {
    for ours in drill(Walker::Default, World::Other, 1.0) {
        assert!(ours.refused * 100 <= ours.attempts, "{ours:?}");
    }
}

/// Lives the day with the program, by rank and by cost, and once more with full knowledge.
fn drill(walker: fn(Order) -> Walker, world: World, busy: f64) -> [Figures; 2] {
    let best = live(Walker::AllKnowing, world, busy);
    println!("\n{}", Figures::HEAD);
    println!("{}", best.row(&format!("{world:?} x{busy}, all-knowing")));
    [Order::Rank, Order::Balanced].map(|order| {
        let ours = live(walker(order), world, busy);
        println!("{}", ours.row(&format!("{world:?} x{busy}, {order:?}")));
        for line in ours.beside(&best) {
            println!("{line}");
        }
        assert!(
            ours.answered as f64 >= 0.999 * best.answered as f64,
            "{ours:?}\n{best:?}"
        );
        // A rolling limit returns a thousandth of its window late, and after a storm all requests come
        // at that moment.
        assert!(
            ours.idle * 50 <= ours.requests,
            "accounts were idle while requests failed: {ours:?}"
        );
        ours
    })
}
