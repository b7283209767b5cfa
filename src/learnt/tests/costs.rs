use super::*;

#[test]
fn s11_1_the_cost_of_an_unknown_candidate() {
    // The priors: 1.5 s to the first token; 3 % of attempts fail after 1 s, and a failure costs 1 s more.
    let bare = 1.5 + 0.03 / 0.97 * 2.0;
    let tight = 0.03 / 0.97 * 10.0;
    #[rustfmt::skip]
    let rows = [
        // place, worth, tight, sticks                    expected
        (0,     2.0, 0.0, Sticks::No,        bare),
        (1,     2.0, 0.0, Sticks::No,        bare + 2.0),
        (15,    2.0, 0.0, Sticks::No,        bare + 30.0),
        (16,    2.0, 0.0, Sticks::No,        bare + 30.0),
        (9_999, 2.0, 0.0, Sticks::No,        bare + 30.0),
        (3,     0.5, 0.0, Sticks::No,        bare + 1.5),
        (3,     8.0, 0.0, Sticks::No,        bare + 24.0),
        (3,     0.0, 0.0, Sticks::No,        bare),
        (0,     2.0, 0.5, Sticks::No,        bare + tight / 2.0),
        (0,     2.0, 1.0, Sticks::No,        bare + tight),
        (0,     2.0, 7.0, Sticks::No,        bare + tight),
        (0,     2.0, -1., Sticks::No,        bare),
        (0,     2.0, 0.0, Sticks::ByAccount, bare - 1.0),
        (0,     2.0, 0.0, Sticks::Fully,     bare - 2.5),
        (1,     2.0, 0.0, Sticks::Fully,     bare - 0.5),
    ];
    let parameters = Parameters::default();
    for (place, rank_worth, tight, sticks, expected) in rows {
        let circumstances = Circumstances {
            place,
            rank_worth,
            tight,
            sticks,
        };
        let total = cost(None, circumstances, &parameters, start()).total();
        near(total, expected, &format!("{circumstances:?}"));
    }
}

#[test]
fn s11_1_one_of_many_costs_what_it_costs_alone() {
    let mut stories = [(); 4].map(|()| Story::new());
    let [quick, slow, failing, breaking] = &mut stories;
    let start = quick.start;
    for story in [&mut *slow, failing, breaking] {
        story.start = start;
    }
    quick.first(10.0, 1.0);
    // At the same moment, but of twice the half-life.
    slow.first(10.0, 60.0);
    failing.failed(10.0, 1.0);
    breaking.first(4.0, 1.0);
    breaking.ended(10.0, true);
    let (parameters, now) = (quick.parameters, quick.at(70.0));
    let mut fades = Fades::at(now);
    for at in [0, 1, 0, 2, 3, 2, 2, 1, 3, 3, 0] {
        let evidence = Some(&stories[at].evidence);
        let of_many = cost_of_one(evidence, BARE, &parameters, &mut fades);
        assert_eq!(of_many, cost(evidence, BARE, &parameters, now), "{at}");
    }
    near(stories[0].cost(70.0).first_token, 2.0 / 1.5, "half");
    let weight = 0.5_f64.sqrt();
    let slow = (60.0 * weight + 1.5) / (weight + 1.0);
    near(stories[1].cost(70.0).first_token, slow, "more than that");
}

#[test]
fn s11_7_a_cost_in_words() {
    let cost = |place, first_token, failures, quota, breaks, session| Cost {
        place,
        first_token,
        failures,
        quota,
        breaks,
        session,
    };
    #[rustfmt::skip]
    let rows = [
        (cost(2.0, 1.1, 0.4, 0.0, 0.0, 0.0),  "2.0 s for its place, 1.1 s to the first token, 0.4 s for failures"),
        (cost(0.0, 1.5, 0.04, 0.0, 0.0, 0.0), "1.5 s to the first token"),
        (cost(0.0, 1.5, 0.06, 0.3, 2.25, 2.5),
            "1.5 s to the first token, 0.1 s for failures, 0.3 s for quota that runs low, \
             2.2 s for answers that break off, 2.5 s off for the session"),
        (cost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),  ""),
    ];
    for (cost, expected) in rows {
        assert_eq!(cost.to_string(), expected);
    }
    near(
        rows[2].0.total(),
        1.61,
        "what is off for the session is taken off",
    );
}
