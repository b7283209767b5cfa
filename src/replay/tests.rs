//! Handmade traces, and their replays.

use std::time::Duration;

use super::{Figures, LeftOut, Near, Read, Settings, Trace, report, rows};
use crate::clock::Now;
use crate::trace::{Asked, Ended, Line, Rests, VERSION, Whom};

/// What all lines have in common: a stream in a session of its own.
fn line(request: u64, at_ms: u64, ended: Ended) -> Line {
    Line {
        version: VERSION,
        run: "run".to_owned(),
        request,
        at_ms: 1_795_622_400_000 + at_ms,
        session: None,
        stream: true,
        named: false,
        wish: None,
        needs: Vec::new(),
        prompt_tokens: 100,
        ended,
        asked: None,
    }
}

/// An attempt at the model in this place (also its name) that takes `total_ms`.
fn asked(place: u32, first_ms: Option<u64>, total_ms: u64) -> Asked {
    Asked {
        number: 1,
        after_ms: 0,
        offer: format!("m/{place}:free"),
        provider: "openrouter".to_owned(),
        account: "openrouter".to_owned(),
        tier: 1000,
        place,
        context: None,
        tight: 0.0,
        day_left: None,
        first_ms,
        total_ms,
        prompt_tokens: None,
        output_tokens: Some(100),
        status: None,
        cause: None,
        scope: None,
        teaches: false,
        by_limit: false,
        rests: Rests::No,
        wait_ms: None,
    }
}

fn answered(request: u64, at_ms: u64, place: u32, first_ms: u64) -> Line {
    Line {
        asked: Some(asked(place, Some(first_ms), first_ms + 2_000)),
        ..line(request, at_ms, Ended::Whole)
    }
}

fn failed(request: u64, at_ms: u64, place: u32, scope: Whom) -> Line {
    let asked = Asked {
        status: Some(429),
        scope: Some(scope),
        teaches: scope == Whom::Model,
        rests: Rests::Told,
        wait_ms: Some(20_000),
        ..asked(place, None, 200)
    };
    Line {
        asked: Some(asked),
        ..line(request, at_ms, Ended::Failed)
    }
}

fn trace(lines: &[Line]) -> Trace {
    let mut trace = Trace::default();
    for line in lines {
        trace.take(&serde_json::to_vec(line).unwrap());
    }
    trace.ordered()
}

/// The figures of `rank` and `balanced`, and how near their observations are.
fn played(trace: &Trace, settings: &Settings) -> [(Figures, Near); 2] {
    let [_, rank, balanced] = rows(trace, settings, Now::read());
    [rank, balanced].map(|(_, figures, near)| (figures, near.unwrap()))
}

/// Two models asked in turn, ten seconds apart; the first one's first token takes `first_ms`.
fn in_turn(first_ms: u64) -> Vec<Line> {
    let one = |n| match n % 2 {
        0 => answered(n, n * 10_000, 0, first_ms),
        _ => answered(n, n * 10_000, 1, 500),
    };
    (0..200).map(one).collect()
}

#[test]
fn s11_8_balanced_finds_that_a_slow_favourite_is_worth_less_than_the_next() {
    #[rustfmt::skip]
    let rows = [
        // the favourite's first token, ms   mean rank with: rank   balanced
        (400,                                1.0,                 1.0),
        (1_500,                              1.0,                 1.0),
        (9_000,                              1.0,                 2.0),
    ];
    for (first_ms, by_rank, by_balanced) in rows {
        let [(rank, _), (balanced, near)] =
            played(&trace(&in_turn(first_ms)), &Settings::default());
        assert!((rank.rank - by_rank).abs() < 0.01, "{first_ms}: {rank:?}");
        assert!(
            (balanced.rank - by_balanced).abs() < 0.1,
            "{first_ms}: {balanced:?}"
        );
        assert!(balanced.utility >= rank.utility, "{first_ms}");
        assert_eq!((rank.answered, balanced.answered), (100.0, 100.0));
        // Every second request asked the other model, whose nine nearest attempts are 10 to 90 s away.
        let away = near.median().unwrap();
        assert!((30.0..=70.0).contains(&away), "{first_ms}: {away}");
        assert!((near.share() - 50.0).abs() < 3.0, "{first_ms}: {near:?}");
    }
}

#[test]
fn s11_8_a_replay_uses_the_settings_of_the_environment() {
    let trace = trace(&in_turn(4_000));
    let rank_of = |rank_worth| {
        let mut settings = Settings::default();
        settings.parameters.rank_worth = rank_worth;
        let [_, (balanced, _)] = played(&trace, &settings);
        balanced.rank
    };
    assert!(rank_of(0.5) > 1.9 && rank_of(8.0) < 1.1);
}

#[test]
fn s11_8_a_replay_honours_wishes_whatever_the_row() {
    #[rustfmt::skip]
    let rows = [
        // the wish         mean rank by: rank   balanced
        (None,              1,                   2),
        (Some("auto:fast"), 2,                   2),
        (Some("auto:best"), 1,                   1),
        (Some("auto:rank"), 1,                   1),
    ];
    for (wish, by_rank, by_balanced) in rows {
        let mut lines = in_turn(6_000);
        for line in &mut lines {
            line.wish = wish.map(str::to_owned);
        }
        let ranks = played(&trace(&lines), &Settings::default()).map(|(figures, _)| figures.rank);
        let expected = [by_rank, by_balanced].map(f64::from);
        let off = |(got, expected): (&f64, &f64)| (got - expected).abs();
        assert!(
            ranks.iter().zip(&expected).all(|pair| off(pair) < 0.2),
            "{wish:?}: {ranks:?}"
        );
    }
}

#[test]
fn s11_8_replaying_a_routers_own_trace_repeats_what_it_did() {
    // The favourite is rate limited once; its rest of 20 s lasts for two more requests.
    let mut lines: Vec<_> = (0..20).map(|n| answered(n, n * 10_000, 0, 400)).collect();
    lines[5] = failed(5, 50_000, 0, Whom::Model);
    let second = |request, at_ms, number, after_ms| Line {
        asked: Some(Asked {
            number,
            after_ms,
            ..asked(1, Some(500), 1_500)
        }),
        ..line(request, at_ms, Ended::Whole)
    };
    lines.insert(6, second(5, 50_000, 2, 200));
    lines[7] = second(6, 60_000, 1, 0);
    lines[8] = second(7, 70_000, 1, 0);
    let trace = trace(&lines);
    let [(_, recorded, _), (_, rank, near), _] = rows(&trace, &Settings::default(), Now::read());
    assert_eq!(near.unwrap().share(), 100.0);
    let shown = |figures: Figures| {
        let Figures {
            answered,
            utility,
            p95,
            extra,
            rank,
            ..
        } = figures;
        format!("{answered:.3} {utility:.3} {p95:.3} {extra:.3} {rank:.3}")
    };
    assert_eq!(shown(rank), shown(recorded));
}

#[test]
fn s11_8_an_account_that_refuses_one_request_refuses_all_until_it_answers() {
    // Two models of one account, which refuses at 10 s for 20 s, and is next asked at 40 s.
    let lines = [
        answered(0, 0, 0, 400),
        answered(1, 1_000, 1, 400),
        failed(2, 10_000, 0, Whom::Account),
        line(3, 15_000, Ended::Unasked),
        answered(4, 40_000, 1, 400),
    ];
    let settings = Settings {
        wait: 0.0,
        ..Settings::default()
    };
    for (figures, _) in played(&trace(&lines), &settings) {
        assert_eq!(figures.answered, 60.0, "{figures:?}");
    }
    // A request that waits is answered when the account returns; one refused by both models is not.
    let settings = Settings {
        wait: 40.0,
        ..settings
    };
    for (figures, _) in played(&trace(&lines), &settings) {
        assert_eq!(figures.answered, 80.0, "{figures:?}");
    }
}

#[test]
fn s11_8_foreign_lines_are_counted_and_requests_that_cannot_be_replayed_are_left_out() {
    let mut trace = Trace::default();
    let good = serde_json::to_string(&answered(1, 0, 0, 400)).unwrap();
    let long = good.replace("\"run\":\"", &format!("\"run\":\"{}", "x".repeat(20_000)));
    let bad = [
        "",
        "\u{0}\u{1}",
        "{}",
        "[]",
        "null",
        "{\"trace\":1}",
        good.get(..good.len() / 2).unwrap(),
        &good.replace("\"trace\":1", "\"trace\":2"),
        &good.replace("\"needs\":[]", "\"needs\":[\"flight\"]"),
        &good.replace("\"wish\":null", "\"wish\":\"auto:slow\""),
        &good.replace("m/0:free", "m 0"),
        &good.replace("m/0:free", ""),
        &good.replace("\"openrouter\"", "\"Open Router\""),
        &good.replace("\"at_ms\":1795622400000", "\"at_ms\":18446744073709551615"),
        &good.replace("\"at_ms\":1795622400000", "\"at_ms\":-1"),
        &good.replace("\"whole\"", "\"unasked\""),
        &"[".repeat(10_000),
        &long,
        &good,
        &good,
    ];
    for line in bad {
        trace.take(line.as_bytes());
    }
    let named = Line {
        named: true,
        ..answered(2, 1_000, 0, 400)
    };
    let left = Line {
        ended: Ended::Left,
        ..answered(3, 2_000, 0, 400)
    };
    let refused = Line {
        ended: Ended::Refused,
        ..failed(4, 3_000, 0, Whom::Request)
    };
    let mut torn = answered(5, 4_000, 0, 400);
    torn.asked.as_mut().unwrap().number = 2;
    let mut absurd = answered(6, 5_000, 0, 400);
    absurd.asked.as_mut().unwrap().total_ms = u64::MAX;
    absurd.asked.as_mut().unwrap().after_ms = u64::MAX;
    absurd.asked.as_mut().unwrap().tight = -1e300;
    // Its client left while it waited, before and after an attempt; a wait was in vain.
    let waiting = line(7, 6_000, Ended::Left);
    let after_one = [
        failed(8, 7_000, 0, Whom::Model),
        line(8, 7_000, Ended::Left),
    ];
    let in_vain = [
        failed(9, 8_000, 0, Whom::Model),
        line(9, 8_000, Ended::Unasked),
    ];
    let more = [waiting].into_iter().chain(after_one).chain(in_vain);
    for line in [named, left, refused, torn, absurd].into_iter().chain(more) {
        trace.take(&serde_json::to_vec(&line).unwrap());
    }
    let trace = trace.ordered();
    let expected = Read {
        lines: 11,
        skipped: 18,
        beyond: 0,
        left_out: LeftOut {
            named: 1,
            left: 3,
            refused: 1,
            torn: 1,
        },
    };
    assert_eq!((trace.read(), trace.requests()), (expected, 3));
    let told = report(&trace, &Settings::default(), Now::read());
    assert!(
        told.contains("Lines skipped because they are not part of a trace: 18."),
        "{told}"
    );
    assert!(!told.contains("NaN") && !told.contains("inf"), "{told}");
}

#[test]
fn s11_8_an_empty_trace_can_be_replayed() {
    for lines in [vec![], vec![line(1, 0, Ended::Unasked)]] {
        let told = report(&trace(&lines), &Settings::default(), Now::read());
        assert!(!told.contains("NaN"), "{told}");
    }
}

#[test]
fn s11_8_a_replay_is_the_same_each_time() {
    let trace = trace(&in_turn(9_000));
    let now = Now::read();
    let later = now.plus(Duration::from_secs(100_000));
    let [one, other] = [now, later].map(|now| report(&trace, &Settings::default(), now));
    assert_eq!(one, other);
}

#[test]
fn s11_8_plain_answers_have_no_time_to_a_first_token() {
    #[rustfmt::skip]
    let rows = [
        // streams, and what the table says of their first tokens: p50, p95
        (true,  "0.40", "0.40"),
        (false, "-",    "-"),
    ];
    for (stream, p50, p95) in rows {
        let line = |n| Line {
            stream,
            ..answered(n, n * 10_000, 0, 400)
        };
        let lines: Vec<_> = (0..5).map(line).collect();
        let told = report(&trace(&lines), &Settings::default(), Now::read());
        for router in ["| as recorded", "| rank", "| balanced"] {
            let row = told.lines().find(|line| line.starts_with(router)).unwrap();
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            assert_eq!(cells[4..6], [p50, p95], "{told}");
        }
    }
}
