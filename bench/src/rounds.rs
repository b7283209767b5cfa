//! Runs all targets through each scenario, round by round, so that disturbances of the machine
//! affect all of them alike.

use anyhow::{Context as _, Result};

use crate::figure::Figure;
use crate::say;
use crate::scenario::{Pace, Scenario};
use crate::target::{Stand, Target};

/// The result of one target in one round of one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) scenario: &'static str,
    pub(crate) target: String,
    pub(crate) round: usize,
    pub(crate) figures: Vec<Figure>,
    pub(crate) errors: u64,
    pub(crate) trouble: Option<String>,
    pub(crate) note: Option<String>,
}

/// All rounds of all scenarios.
pub(crate) fn run(
    stand: &mut Stand,
    scenarios: &[&'static Scenario],
    targets: &[Target],
    rounds: usize,
    pace: Pace,
) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for scenario in scenarios {
        for round in 0..rounds {
            say::progress(format_args!(
                "{}: round {} of {rounds}",
                scenario.name,
                round + 1
            ));
            for at in order(targets.len(), round) {
                let Some(target) = targets.get(at) else {
                    continue;
                };
                let outcome = scenario
                    .measure(stand, target, pace)
                    .with_context(|| format!("{} of {}", scenario.name, target.name))?;
                samples.extend(outcome.map(|outcome| Sample {
                    scenario: scenario.name,
                    target: target.name.clone(),
                    round,
                    figures: known(outcome.figures),
                    errors: outcome.errors,
                    trouble: outcome.trouble,
                    note: outcome.note,
                }));
            }
        }
    }
    Ok(samples)
}

/// Drops figures that are undefined, such as a cost per answer where there were no answers.
fn known(mut figures: Vec<Figure>) -> Vec<Figure> {
    figures.retain(|figure| figure.value.is_finite());
    figures
}

/// Each round begins with a different target.
fn order(targets: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..targets).map(move |nth| (nth + round) % targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_all_targets_and_another_first() {
        let order = |round| order(3, round).collect::<Vec<_>>();
        assert_eq!(
            [order(0), order(1), order(4)],
            [[0, 1, 2], [1, 2, 0], [1, 2, 0]]
        );
    }
}
