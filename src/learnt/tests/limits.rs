use super::*;

/// How long a first token took, and the tokens of its prompt.
type First = (f64, u64);

#[test]
fn s11_3_the_limit_of_a_first_token() {
    // first tokens, tokens of this prompt, the limit
    #[rustfmt::skip]
    let rows: &[(&[First], u64, f64)] = &[
        (&[],                                      0,       7.213_326),
        (&[],                                      8_000,   7.213_326),
        (&[],                                      10_000,  9.016_658),
        (&[],                                      16_000,  14.426_653),
        (&[],                                      64_000,  30.0),
        (&[],                                      u64::MAX, 30.0),
        (&[(3.0, 100)],                            100,     9.586_517),
        (&[(3.0, 100), (3.0, 8_000)],              100,     10.085_124),
        // Two are remembered: the last in full, and half each of the first and the second.
        (&[(0.1, 100), (3.0, 100), (3.0, 100)],    100,     26.961_818),
        // 1.5 times p99 would be 4.75 s.
        (&[(1.0, 100), (1.0, 100)],                100,     5.0),
        (&[(60.0, 100), (60.0, 100)],              100,     30.0),
        // A class per factor of 4: small prompts say nothing about large ones.
        (&[(3.0, 100), (3.0, 100)],                16_000,  14.426_653),
        // 3 s at twice the usual size count as 1.5 s.
        (&[(3.0, 16_000)],                         16_000,  11.649_880),
        (&[(3.0, 16_000)],                         33_000,  29.754_971),
        (&[(3.0, 16_000)],                         100,     7.213_326),
    ];
    for (firsts, tokens, expected) in rows {
        let mut story = Story::new();
        for (took, tokens) in *firsts {
            let began = story.at(0.0).steady;
            let (parameters, now) = (story.parameters, story.at(*took));
            let evidence = &mut story.evidence;
            evidence.first_event(Through::Its, began, *tokens, &parameters, now);
        }
        let last = firsts.last().map_or(0.0, |(took, _)| *took);
        let got = story.limit(last, *tokens);
        assert!(
            (got - expected).abs() < 1e-3,
            "{firsts:?}, {tokens}: {got}, not {expected}"
        );
    }
}

#[test]
fn s11_3_the_limit_stays_within_its_bounds() {
    let parameters = Parameters {
        limit_min: 50.0,
        ..Parameters::default()
    };
    let limit = |upstream_timeout| {
        let upstream_timeout = Duration::from_secs(upstream_timeout);
        first_token_limit(None, 100, upstream_timeout, &parameters, start()).as_secs()
    };
    assert_eq!((limit(30), limit(60)), (30, 50));
}

#[test]
fn s11_3_which_attempts_the_limit_may_end() {
    let usual = FirstTokenLimit {
        is_streamed: true,
        has_ended_one: false,
        is_last: false,
        day_left: None,
    };
    let with_day = |left| FirstTokenLimit {
        day_left: Some(left),
        ..usual
    };
    #[rustfmt::skip]
    let rows = [
        (usual,                                           true),
        (FirstTokenLimit { is_streamed: false, ..usual }, false),
        (FirstTokenLimit { has_ended_one: true, ..usual }, false),
        (FirstTokenLimit { is_last: true, ..usual },      false),
        (with_day(1.0),                                   true),
        (with_day(0.1),                                   true),
        (with_day(0.099),                                 false),
        (with_day(0.0),                                   false),
    ];
    for (limit, expected) in rows {
        assert_eq!(limit.applies(), expected, "{limit:?}");
    }
}

#[test]
fn s11_2_rests_grow() {
    let start = Instant::now();
    let at = |second| start + Duration::from_secs_f64(second);
    // start and failure of each attempt, the ceiling, the last rest; the first rest is 5 s
    #[rustfmt::skip]
    let rows: &[&[(f64, f64, u64, u64)]] = &[
        &[(0., 1., 300, 5), (7., 8., 300, 10), (20., 20., 300, 20), (60., 60., 300, 40), (120., 120., 300, 80),
          (300., 300., 300, 120), (500., 500., 300, 120)],
        // The ceiling.
        &[(0., 1., 60, 5), (7., 8., 60, 10), (20., 20., 60, 20), (60., 60., 60, 40), (120., 120., 60, 60)],
        &[(0., 1., 3, 3), (7., 8., 3, 3)],
        &[(0., 1., 0, 0), (7., 8., 0, 0)],
        // Each kind of failure has its own ceiling, but the steps are one series.
        &[(0., 1., 8, 5), (7., 8., 8, 8), (20., 20., 300, 20)],
        // Attempts that began before the last rest ended say nothing new, however late they fail.
        &[(0., 1., 300, 5), (0., 2., 300, 5), (0.5, 30., 300, 5)],
        &[(0., 1., 300, 5), (5.9, 30., 300, 5)],
        &[(0., 1., 300, 5), (6., 30., 300, 10), (6., 31., 300, 10), (41., 41., 300, 20)],
    ];
    for failures in rows {
        let mut before = None;
        for (began, failed, ceiling, expected) in *failures {
            let [first, ceiling] = [5, *ceiling].map(Duration::from_secs);
            let (after, rest) = Growing::after(before, at(*began), first, ceiling, at(*failed));
            assert_eq!(
                rest.as_secs(),
                *expected,
                "{began} {failed} of {failures:?}"
            );
            before = Some(after);
        }
    }
}

#[test]
fn s11_2_growing_rests_stay_bounded() {
    let (mut now, mut before) = (Instant::now(), None);
    let day = Duration::from_secs(86_400);
    for first in [Duration::ZERO, Duration::from_secs(300), Duration::MAX] {
        for _ in 0..100 {
            let (after, rest) = Growing::after(before, now, first, day, now);
            assert!(rest <= day && (first > day || rest <= Duration::from_secs(300)));
            (before, now) = (Some(after), now + day);
        }
    }
}
