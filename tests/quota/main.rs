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
mod program;
mod proxy;
mod table;
mod truth;
mod verdict;

use std::sync::Arc;

use agents::Asked;
use day::{Day, World};
use figures::Figures;
use free_llm_proxy::learnt::Order;
use free_llm_proxy::provider::Provider;
use proxy::Proxy;
use table::{Row, few, rows};

/// What the program's table says of the providers of these rows.
type Knows = fn(&Row) -> Arc<Provider>;

/// The user has set all limits.
const SET: Knows = Row::set;
/// What is built in: of `OpenRouter` nothing, whose key endpoint is asked.
const BUILT_IN: Knows = |row| Arc::clone(row.provider);

/// Five agents, and three times as many: then all quotas together are not enough.
const BUSY: [f64; 2] = [1.0, 3.0];

#[test]
fn s10_5_no_429_is_provoked_where_limits_are_set() {
    for busy in BUSY {
        for ours in drill(SET, World::AsSet, busy) {
            provokes_none(&ours);
            leaves_none_idle(&ours);
        }
    }
}

#[test]
fn s10_5_the_tables_numbers_serve_as_well() {
    for busy in BUSY {
        for ours in drill(BUILT_IN, World::AsTable, busy) {
            leaves_hardly_any_idle(&ours);
        }
    }
}

#[test]
fn s10_5_wrong_numbers_are_found_out() {
    for ours in drill(BUILT_IN, World::Other, 1.0) {
        assert!(ours.refused * 100 <= ours.attempts, "{ours:?}");
        leaves_hardly_any_idle(&ours);
    }
}

/// Server, walk and registry do what their parts do: a smaller day of volleys, at accounts that have less.
#[test]
fn s10_5_the_whole_program_provokes_none_either() {
    let asked = agents::volleys;
    let best = knowingly(Day::new(few(), World::AsSet), asked());
    println!("\n{}", Figures::HEAD);
    println!("{}", best.row("volleys, all-knowing"));
    for routing in ["rank", "balanced"] {
        let day = Day::new(few(), World::AsSet);
        let ours = program::live(routing, day, asked().collect());
        shows(&format!("volleys, program, {routing}"), &ours, &best);
        answers_what_the_quotas_allow(&ours, &best);
        leaves_none_idle(&ours);
        provokes_none(&ours);
    }
}

/// Lives the day with the program's selection, by rank and by cost, and once more with full knowledge.
fn drill(knows: Knows, world: World, busy: f64) -> [Figures; 2] {
    let best = knowingly(Day::new(rows(), world), agents::day(busy));
    println!("\n{}", Figures::HEAD);
    println!("{}", best.row(&format!("{world:?} x{busy}, all-knowing")));
    [Order::Rank, Order::Balanced].map(|order| {
        let day = Day::new(rows(), world);
        let table: Vec<_> = day.rows().iter().map(knows).collect();
        let proxy = Proxy::new(order, day.rows(), &table, day.now(0.0));
        let ours = by_selection(day, proxy, agents::day(busy));
        shows(&format!("{world:?} x{busy}, {order:?}"), &ours, &best);
        answers_what_the_quotas_allow(&ours, &best);
        ours
    })
}

fn knowingly(mut day: Day, asked: impl Iterator<Item = Asked>) -> Figures {
    for (at, request) in asked {
        day.goes_on_until(at, None);
        day.walk_knowingly(&request, at);
    }
    day.figures
}

fn by_selection(mut day: Day, mut proxy: Proxy, asked: impl Iterator<Item = Asked>) -> Figures {
    let mut told_at = f64::NEG_INFINITY;
    for (at, request) in asked {
        if proxy.asks_key_endpoint && at - told_at >= 300.0 {
            told_at = at;
            let (account, told) = day.key_endpoint(at);
            proxy.is_told_of_the_day(&account, told, day.now(at));
        }
        day.goes_on_until(at, Some(&mut proxy));
        day.walk(&mut proxy, &request, at);
    }
    day.figures
}

/// Prints what a walk came to, and what the best answered, by account.
fn shows(name: &str, ours: &Figures, best: &Figures) {
    let share = 100.0 * ours.answered as f64 / best.answered as f64;
    println!("{}  {share:.2}%", ours.row(name));
    for line in ours.beside(best) {
        println!("{line}");
    }
}

/// The walk that knows all books is what the sum of the quotas allows. Another choice may allow a little more.
fn answers_what_the_quotas_allow(ours: &Figures, best: &Figures) {
    assert!(
        ours.answered as f64 >= 0.999 * best.answered as f64,
        "{ours:?}\n{best:?}"
    );
}

/// No account was idle while a request failed.
fn leaves_none_idle(ours: &Figures) {
    assert_eq!(ours.idle, 0, "{ours:?}");
}

/// The same where the limits are not known for certain: a refusal that one provokes rests its account for as long
/// as it says, though another request may fit before.
fn leaves_hardly_any_idle(ours: &Figures) {
    assert!(ours.idle * 1000 <= ours.requests, "{ours:?}");
}

/// No 429 was provoked.
fn provokes_none(ours: &Figures) {
    assert_eq!(ours.refused_requests, 0, "of limits on requests");
    // Only the provider knows for sure how many tokens a prompt has.
    assert!(ours.refused * 1000 <= ours.attempts, "{ours:?}");
}
