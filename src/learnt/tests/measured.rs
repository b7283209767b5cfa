//! The formulas give the same figures as the policy measured in the routing study.

use std::collections::HashMap;

use super::*;

#[test]
fn s11_1_s11_3_costs_and_limits_match_the_measured_policy() {
    let mut attempts = HashMap::new();
    let mut story = Story::new();
    let mut compared = 0;
    for line in include_str!("measured.txt").lines() {
        let words: Vec<_> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<f64>().unwrap();
        match words[..] {
            ["#", ..] => {}
            ["candidate", _] => {
                story = Story::new();
                // The study had one account per provider.
                story.parameters.sticky_account = 0.0;
                attempts.clear();
            }
            [_, "begin", attempt] => {
                attempts.insert(attempt, story.began(number(0)));
            }
            [_, event, attempt] => {
                let began = attempts[attempt];
                let (parameters, now) = (story.parameters, story.at(number(0)));
                let evidence = &mut story.evidence;
                let its = Through::Its;
                match event {
                    "first" => evidence.first_event(its, began, 100, &parameters, now),
                    "plain" => evidence.plain_answer(its, began, &parameters, now),
                    "fail" => evidence.failed(its, began, &parameters, now),
                    "left" => evidence.left(its, began),
                    "whole" => evidence.whole(its, &parameters, now),
                    "broke" => evidence.broke(its, &parameters, now),
                    other => panic!("{other}"),
                }
            }
            [_, "cost", place, _, sticks, _, _] => {
                let circumstances = Circumstances {
                    place: place.parse().unwrap(),
                    rank_worth: story.parameters.rank_worth,
                    tight: number(3),
                    sticks: if sticks == "1" {
                        Sticks::Fully
                    } else {
                        Sticks::No
                    },
                };
                let (parameters, now) = (&story.parameters, story.at(number(0)));
                let cost = cost(Some(&story.evidence), circumstances, parameters, now);
                near(cost.total(), number(5), line);
                near(story.limit(number(0), 100), number(6), line);
                compared += 1;
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!(compared, 288);
}
