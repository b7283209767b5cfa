//! All routers in all scenarios, on the same seeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use free_llm_proxy::replay::{Router, play};

use super::metrics::{Figures, Tally};
use super::oracle::oracle;
use super::played::{Played, waiting};
use super::policies::{Informed, Steps, ours, rank};
use super::program;
use super::records::{Record, utility};
use super::scenarios::{DAY, EPISODES, Scenario};
use super::world::World;

/// Seeds below it are for tuning.
const FIRST_SEED: u32 = 1000;

#[derive(Clone, Copy, Debug)]
pub enum Policy {
    Oracle,
    Informed,
    Rank,
    Ours(Steps),
}

impl Policy {
    fn plays(self, world: &World, best: &[Record]) -> Vec<Record> {
        match self {
            Self::Oracle => best.to_vec(),
            Self::Informed => plays(world, Informed::new(world), 0.0),
            Self::Rank => plays(world, rank(world, 0.0), 0.0),
            Self::Ours(steps) => plays(world, ours(world, steps), steps.wait()),
        }
    }
}

/// What a router comes to that waits so many seconds for the first to wake.
fn plays(world: &World, router: impl Router, wait: f64) -> Vec<Record> {
    play(&mut Played::new(world), router, &waiting(wait))
}

/// What one router came to.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub name: &'static str,
    /// By scenario, the day last.
    pub figures: Vec<Figures>,
    /// By seed, % of the oracle's utility in the mean over the episodes.
    pub seeds: Vec<f64>,
}

impl Row {
    /// The mean over the episodes.
    pub fn mean(&self, of: impl Fn(&Figures) -> f64) -> f64 {
        let episodes = &self.figures[..EPISODES.len()];
        episodes.iter().map(of).sum::<f64>() / episodes.len() as f64
    }

    /// The most in any episode.
    pub fn worst(&self, of: impl Fn(&Figures) -> f64) -> f64 {
        let episodes = &self.figures[..EPISODES.len()];
        episodes.iter().map(of).fold(0.0, f64::max)
    }

    /// The standard error of how much this row's utility differs from that one's.
    pub fn error(&self, from: &Self) -> f64 {
        let pairs = self.seeds.iter().zip(&from.seeds);
        let differences: Vec<f64> = pairs.map(|(one, other)| one - other).collect();
        let many = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / many;
        let squares = differences.iter().map(|one| (one - mean) * (one - mean));
        (squares.sum::<f64>() / (many - 1.0).max(1.0) / many).sqrt()
    }
}

/// Scenarios by column, the day last.
pub fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    EPISODES.iter().chain([&DAY])
}

/// One scenario: each policy's figures, and its utility by seed, % of the oracle's.
type Column = Vec<(Figures, Vec<f64>)>;

fn column(scenario: &Scenario, policies: &[Policy]) -> Column {
    let mut tallies = vec![(Tally::default(), Vec::new()); policies.len()];
    for seed in FIRST_SEED..FIRST_SEED + scenario.seeds {
        let world = World::new(scenario, seed);
        let best = oracle(&world);
        let most: f64 = best.iter().map(utility).sum();
        for (policy, (tally, by_seed)) in policies.iter().zip(&mut tallies) {
            let records = policy.plays(&world, &best);
            tally.add(&world, &records, &best);
            let came_to: f64 = records.iter().map(utility).sum();
            by_seed.push(100.0 * came_to / most);
        }
    }
    let figures = tallies.into_iter();
    figures
        .map(|(tally, by_seed)| (tally.figures(), by_seed))
        .collect()
}

/// Every policy in every scenario, on two threads.
pub fn study(policies: &[(&'static str, Policy)]) -> Vec<Row> {
    let plain: Vec<Policy> = policies.iter().map(|(_, policy)| *policy).collect();
    let columns: BTreeMap<usize, Column> = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let mine = scenarios().enumerate().skip(half).step_by(2);
            let plain = &plain;
            scope.spawn(move || {
                let columns = mine.map(|(n, scenario)| (n, column(scenario, plain)));
                columns.collect::<Vec<_>>()
            })
        });
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    });
    let rows = policies.iter().enumerate().map(|(n, (name, _))| {
        let of = columns.values().map(|column| &column[n]);
        let figures = of.clone().map(|(figures, _)| *figures).collect();
        let episodes: Vec<_> = of
            .take(EPISODES.len())
            .map(|(_, by_seed)| by_seed)
            .collect();
        let mean = |seed| episodes.iter().map(|one| one[seed]).sum::<f64>() / episodes.len() as f64;
        Row {
            name,
            figures,
            seeds: (0..episodes[0].len()).map(mean).collect(),
        }
    });
    rows.collect()
}

/// Some seeds of each episode that is not about quota, of which a trace tells little.
pub fn some_worlds() -> impl Iterator<Item = (&'static str, Vec<World>)> {
    let episodes = EPISODES.iter().filter(|one| one.name != "ration");
    episodes.map(|scenario| {
        let seeds = FIRST_SEED..FIRST_SEED + 5;
        let worlds = seeds.map(|seed| World::new(scenario, seed)).collect();
        (scenario.name, worlds)
    })
}

/// The utility of the real program and that of a policy, % of the oracle's, in each episode, on one seed.
pub fn beside_the_program(routing: &'static str, policy: Policy) -> Vec<(&'static str, f64, f64)> {
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let mine = EPISODES.iter().skip(half).step_by(2);
            scope.spawn(move || {
                let both = mine.map(|scenario| {
                    let world = Arc::new(World::new(scenario, FIRST_SEED));
                    let best = oracle(&world);
                    let figures = |records: &[Record]| {
                        let mut tally = Tally::default();
                        tally.add(&world, records, &best);
                        tally.figures()
                    };
                    let by_policy = figures(&policy.plays(&world, &best));
                    let by_program = figures(&program::play(&world, routing));
                    println!("{}\n  {by_program:?}\n  {by_policy:?}", scenario.name);
                    (scenario.name, by_program.utility, by_policy.utility)
                });
                both.collect::<Vec<_>>()
            })
        });
        let all = halves.into_iter().flat_map(|half| half.join().unwrap());
        all.collect()
    })
}
