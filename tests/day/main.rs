//! A simulated day: 24 hours of faults and requests under a paused clock, compared with an
//! all-knowing router (`docs/simulated-day.md`).
//!
//! A few seeds by default; `DAY_SEEDS=20` runs that many, `DAY_SEED=n` a single one with all its
//! findings. `--nocapture` prints the table.
//!
//! [`routing`] is another world, in which routers are compared (`docs/simulated-routing.md`).

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]
#![expect(
    clippy::print_stdout,
    reason = "what was lost is told beside the table"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other faults alike, and a new one falls to the default on purpose"
)]

mod day;
mod knowledge;
mod plain;
mod routing;
mod schedule;
mod world;

use day::Figures;

#[test]
fn s4_2_nothing_is_lost_and_nothing_wasted_on_a_simulated_day() {
    let one = setting("DAY_SEED");
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => (0..setting("DAY_SEEDS").unwrap_or(3)).collect(),
    };
    let count = setting("DAY_REQUESTS").unwrap_or(3000);
    let days = run(&seeds, count);
    println!("{}", Figures::HEAD);
    let mut total = Figures::default();
    for (seed, (figures, _)) in seeds.iter().zip(&days) {
        println!("{}", figures.row(&format!("{seed:>5}")));
        total.add(figures);
    }
    println!("{}", total.row("total"));
    let faults: Vec<String> = seeds
        .iter()
        .zip(&days)
        .flat_map(|(seed, (_, faults))| {
            let shown = if one.is_some() { usize::MAX } else { 5 };
            let shown = faults.iter().take(shown);
            shown.map(move |fault| format!("DAY_SEED={seed}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // A few days may include a bad one.
    let bound = if seeds.len() < 20 { 200 } else { 1000 };
    assert!(
        total.lost * bound <= total.oracle,
        "too much of what could be answered was not: {total:?}"
    );
    assert!(
        total.wasted * 20 <= total.answered,
        "more than 0.05 attempts an answer were wasted: {total:?}"
    );
}

/// All these days, on two threads.
fn run(seeds: &[u64], count: u64) -> Vec<(Figures, Vec<String>)> {
    let halves = [0, 1].map(|half| {
        let seeds: Vec<u64> = seeds.iter().copied().skip(half).step_by(2).collect();
        std::thread::spawn(move || {
            let days = seeds.iter().map(|seed| day::live(*seed, count));
            days.collect::<Vec<_>>()
        })
    });
    let [even, odd] = halves.map(|half| half.join().unwrap().into_iter());
    let (mut even, mut odd) = (even, odd);
    (0..seeds.len())
        .filter_map(|n| if n % 2 == 0 { even.next() } else { odd.next() })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "it is the test's own setting")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
