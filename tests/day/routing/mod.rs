//! Routers in a simulated free tier, in virtual time: how near the program's choosing comes to a router
//! that knows everything.
//!
//! A seeded world ([`world`], [`scenarios`]) is played by the program's routers and others ([`policies`]) in
//! the program's own virtual time (`replay`), beside the [`oracle`]; [`metrics`] are the columns of the tables in
//! `docs/simulated-routing.md`. The world and its policies come from the study that the parameters of
//! `ROUTING=balanced` rest on, dice and all: its figures for the same seeds are these, digit by digit.
//!
//! `cargo test --test day s11_ -- --nocapture` prints the tables, each scenario's too. They are also the
//! ledger: half a point off what is committed fails. `UPDATE=1` before the command writes
//! them anew.

mod blocks;
mod counters;
mod dice;
mod metrics;
mod oracle;
mod played;
mod policies;
mod program;
mod records;
mod scenarios;
mod study;
mod table;
mod traced;
mod upstream;
mod world;

use std::sync::{Mutex, PoisonError};

use policies::Steps;
use study::{Policy, Row, study};
use world::World;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/simulated-routing.md");

#[test]
fn s11_choosing_comes_near_a_router_that_knows_everything() {
    let rows = study(&[
        ("oracle", Policy::Oracle),
        ("informed", Policy::Informed),
        ("rank", Policy::Rank),
        ("ours", Policy::Ours(Steps::ALL)),
    ]);
    println!("{}{}", table::summary(&rows), table::by_scenario(&rows));
    let ours = rows.last().unwrap();
    #[rustfmt::skip]
    let must_reach = [
        // figure            reached                         at least..at most
        ("utility, %",       ours.mean(|f| f.utility),       97.5..=f64::MAX),
        ("answered, %",      ours.mean(|f| f.answered),      99.3..=f64::MAX),
        ("p95 in the mean",  ours.mean(|f| f.p95_ratio),     0.0..=1.25),
        ("p95 in the worst", ours.worst(|f| f.p95_ratio),    0.0..=1.6),
        ("extra attempts",   ours.mean(|f| f.own.extra),         0.0..=0.095),
        ("breaks of 1000",   ours.mean(|f| f.own.breaks),        0.0..=7.5),
        ("mean rank",        ours.mean(|f| f.own.rank),          0.0..=2.35),
    ];
    for (figure, reached, bounds) in must_reach {
        assert!(
            bounds.contains(&reached),
            "{figure}: {reached:.3}, not in {bounds:?}"
        );
    }
    keeps("routers", &rows);
}

#[test]
fn s11_each_step_brings_what_it_brought() {
    let rows = study(&Steps::EACH.map(|(name, steps)| (name, Policy::Ours(steps))));
    println!("{}", table::summary(&rows));
    keeps("steps", &rows);
}

/// Server, walk and ledger add nothing to the order that they carry out, and take nothing from it.
#[test]
fn s11_the_program_does_what_its_policy_does() {
    for (routing, policy) in [
        ("rank", Policy::Rank),
        ("balanced", Policy::Ours(Steps::ALL)),
    ] {
        let episodes = study::beside_the_program(routing, policy);
        let mean = |of: fn(&(&str, f64, f64)) -> f64| {
            episodes.iter().map(of).sum::<f64>() / episodes.len() as f64
        };
        let all = ("all", mean(|one| one.1), mean(|one| one.2));
        // What two accounts come to is seen in none of the others.
        let two = episodes.iter().find(|(name, ..)| *name == "two").unwrap();
        for (name, of_program, of_policy) in [all, *two] {
            println!(
                "{routing}, {name}: {of_program:.2} through the program, {of_policy:.2} by its policy"
            );
            assert!((of_program - of_policy).abs() < 0.5, "{routing}, {name}");
        }
    }
}

/// A trace tells what its own router came to, nearly what `balanced` would have come to where `rank` wrote it,
/// and roughly the other way round: who is left alone while it fails is seen to do little else.
#[test]
fn s11_8_a_trace_of_this_world_replays_near_it() {
    use traced::Routing::{Balanced, Rank};
    println!("| scenario | recorded under | rank: world | replay | balanced: world | replay |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    for (scenario, worlds) in study::some_worlds() {
        let mean = |of: &dyn Fn(&World) -> [f64; 2]| {
            let all = worlds.iter().map(of);
            let sum = all.fold([0.0, 0.0], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
            sum.map(|sum| sum / worlds.len() as f64)
        };
        let world =
            mean(&|world| [Rank, Balanced].map(|by| traced::in_the_world(world, by).utility));
        #[rustfmt::skip]
        let rows = [
            // recorded under   points off at most: rank   balanced
            (Rank,                                  1.0,   1.5),
            (Balanced,                              5.0,   1.0),
        ];
        for (recorded, of_rank, of_balanced) in rows {
            let replay = mean(&|world| traced::by_its_trace(world, recorded).map(|f| f.utility));
            println!(
                "| {scenario} | {recorded:?} | {:.1} | {:.1} | {:.1} | {:.1} |",
                world[0], replay[0], world[1], replay[1]
            );
            assert!(
                (world[0] - replay[0]).abs() < of_rank,
                "{scenario} {recorded:?}"
            );
            assert!(
                (world[1] - replay[1]).abs() < of_balanced,
                "{scenario} {recorded:?}"
            );
        }
    }
}

/// None of these is half a point off what the document says of it, in the mean or in any scenario: worse
/// is a regression, and better is written down. With `UPDATE` set the document becomes what they are.
#[expect(clippy::disallowed_methods, reason = "it is the test's own setting")]
fn keeps(name: &str, rows: &[Row]) {
    // One test after the other, if several write.
    static WRITING: Mutex<()> = Mutex::new(());
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let command = "UPDATE=1 cargo test --test day s11_";
    let begin = format!("<!-- {name}: begin (written by `{command}`) -->\n");
    let end = format!("<!-- {name}: end -->\n");
    let (before, rest) = document.split_once(&begin).unwrap();
    let (committed, after) = rest.split_once(&end).unwrap();
    let table = table::summary(rows);
    if std::env::var("UPDATE").is_ok() {
        let document = [before, &begin, &table, &end, after].concat();
        return std::fs::write(DOCUMENT, document).unwrap();
    }
    let (committed, reached) = (table::utilities(committed), table::utilities(&table));
    let names = |rows: &[table::Utilities]| {
        rows.iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&committed), names(&reached), "{command}");
    for ((name, was), (_, is)) in committed.iter().zip(&reached) {
        let columns = std::iter::once("mean").chain(study::scenarios().map(|s| s.name));
        for ((column, was), is) in columns.zip(was).zip(is) {
            assert!(
                (is - was).abs() < 0.5,
                "{name}, {column}: {is}, was {was}; {command}"
            );
        }
    }
}
