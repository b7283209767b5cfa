use super::*;
use crate::model::Capability;
use crate::request::FieldName;
use crate::verdict::{AccountLimit, Cause, Failure, Lesson, Outcome, Rest, Scope};

#[test]
fn s11_1_first_tokens() {
    let mut story = Story::new();
    story.first(10.0, 3.0);
    near(story.cost(10.0).first_token, (3.0 + 1.5) / 2.0, "one");
    near(
        story.cost(70.0).first_token,
        (1.5 + 1.5) / 1.5,
        "one half-life later",
    );
    near(story.cost(1e9).first_token, 1.5, "forgotten");

    story = Story::new();
    story.first(0.0, 3.0);
    story.first(0.0, 3.0);
    story.first(0.0, 0.6);
    let expected = (3.0 + 0.6 + 1.5) / 3.0;
    near(
        story.cost(0.0).first_token,
        expected,
        "two at most, and the last in full",
    );

    story = Story::new();
    story.plain(0.0, 9.0);
    near(
        story.cost(0.0).first_token,
        1.5,
        "a plain answer tells nothing of it",
    );
}

#[test]
fn s11_1_silent_attempts() {
    let mut story = Story::new();
    let first = story.began(0.0);
    let second = story.began(2.0);
    near(story.cost(0.5).first_token, 1.5, "it may come yet");
    near(
        story.cost(4.0).first_token,
        6.0,
        "1.5 times as long as the oldest waits",
    );
    story.evidence.left(Through::Its, first);
    near(story.cost(4.0).first_token, 3.0, "the second");
    story.evidence.left(Through::Its, second);
    near(story.cost(4.0).first_token, 1.5, "none under way");

    let elsewhere = story.at(10.0).steady;
    story.evidence.began(Through::Another, elsewhere);
    near(story.cost(14.0).first_token, 3.0, "half as long");
}

#[test]
fn s11_1_silent_attempts_without_number() {
    let mut story = Story::new();
    let begun: Vec<_> = (0..10_000)
        .map(|n| story.began(f64::from(n) / 100.0))
        .collect();
    near(
        story.cost(200.0).first_token,
        300.0,
        "the oldest is known exactly",
    );
    let (last, others) = begun.split_last().unwrap();
    for began in others {
        story.evidence.left(Through::Its, *began);
    }
    let oldest = story.cost(200.0).first_token / 1.5;
    assert!((100.0..200.0).contains(&oldest), "about 100 s: {oldest}");
    story.evidence.left(Through::Its, *last);
    near(story.cost(200.0).first_token, 1.5, "and none is left over");
}

#[test]
fn s11_1_failures() {
    // failures, successes, seconds each took    pf                tf
    #[rustfmt::skip]
    let rows = [
        (0, 0, 0.0,  0.03 / 1.0,               1.0),
        (1, 0, 0.3,  1.03 / 2.0,               1.3 / 2.0),
        (1, 1, 0.3,  1.03 / 3.0,               1.3 / 2.0),
        (0, 4, 0.0,  0.03 / 5.0,               1.0),
        (0, 9, 0.0,  0.03 / 5.0,               1.0),
        (3, 0, 2.0,  3.03 / 4.0,               7.0 / 4.0),
        (9, 0, 2.0,  4.03 / 5.0,               19.0 / 10.0),
        (4, 4, 1.0,  (4.0 * 0.8_f64.powi(4) + 0.03) / 5.0, 1.0),
    ];
    for (failures, successes, took, pf, tf) in rows {
        let mut story = Story::new();
        (0..failures).for_each(|_| story.failed(10.0, took));
        (0..successes).for_each(|_| story.plain(10.0, 1.0));
        let expected = pf / (1.0 - pf) * (tf + 1.0);
        let what = format!("{failures} failures, {successes} successes");
        near(story.cost(10.0).failures, expected, &what);
    }
    let mut story = Story::new();
    story.failed(0.0, 1.0);
    let pf: f64 = 0.53 / 1.5;
    let expected = pf / (1.0 - pf) * (1.5 / 1.5 + 1.0);
    near(story.cost(60.0).failures, expected, "one half-life later");
}

#[test]
fn s11_1_breaks() {
    // broken, whole, seconds later      pb
    #[rustfmt::skip]
    let rows = [
        (0, 0, 0.0,     0.0),
        (1, 0, 0.0,     1.0 / 4.0),
        (1, 1, 0.0,     1.0 / 5.0),
        (2, 5, 0.0,     2.0 / 10.0),
        (1, 0, 1800.0,  0.5 / 3.5),
        (4, 4, 3600.0,  1.0 / 5.0),
    ];
    for (broken, whole, later, pb) in rows {
        let mut story = Story::new();
        (0..broken).for_each(|_| story.ended(5.0, true));
        (0..whole).for_each(|_| story.ended(5.0, false));
        let what = format!("{broken} broken, {whole} whole");
        near(story.cost(5.0 + later).breaks, 45.0 * pb, &what);
    }
}

/// When, what, and how long it took.
type Happened = (f64, &'static str, f64);

#[test]
fn s11_1_costly_findings_stretch_the_half_life() {
    #[rustfmt::skip]
    let rows: &[(&[Happened], f64)] = &[
        (&[],                                                                    60.0),
        (&[(10.0, "first", 3.75)],                                               60.0),
        (&[(10.0, "first", 3.76)],                                               120.0),
        (&[(10.0, "failed", 3.0)],                                               60.0),
        (&[(10.0, "failed", 3.1)],                                               120.0),
        (&[(10.0, "plain", 25.0)],                                               60.0),
        // One in 20 s.
        (&[(10.0, "first", 9.0), (30.0, "first", 9.0)],                          120.0),
        (&[(10.0, "first", 9.0), (30.1, "first", 9.0)],                          240.0),
        (&[(10.0, "first", 9.0), (31.0, "failed", 9.0), (52.0, "first", 9.0)],   480.0),
        (&[(10.0, "first", 9.0), (31.0, "failed", 9.0), (52.0, "first", 9.0), (80.0, "first", 9.0)], 480.0),
        // A first event in time sets it back; a plain answer does not.
        (&[(10.0, "first", 9.0), (31.0, "first", 9.0), (32.0, "first", 1.0)],    60.0),
        (&[(10.0, "first", 9.0), (31.0, "first", 9.0), (32.0, "plain", 1.0)],    240.0),
        (&[(10.0, "first", 9.0), (31.0, "first", 9.0), (32.0, "failed", 1.0)],   240.0),
    ];
    for (events, expected) in rows {
        let mut story = Story::new();
        for (second, event, took) in *events {
            match *event {
                "first" => story.first(*second, *took),
                "plain" => story.plain(*second, *took),
                _ => story.failed(*second, *took),
            }
        }
        // What is left of the weight of one more failure, 100 s on.
        story.failed(100.0, 1.0);
        let weight = |second: f64| story.evidence.weight_at(story.at(second));
        let left = weight(200.0) / weight(100.0);
        near(-100.0 / left.log2(), *expected, &format!("{events:?}"));
    }
}

#[test]
fn s11_1_other_accounts_count_half() {
    let mut story = Story::new();
    let (parameters, began) = (story.parameters, story.at(0.0).steady);
    let through = Through::Another;
    let now = story.at(4.5);
    story.evidence.began(through, began);
    story
        .evidence
        .first_event(through, began, 100, &parameters, now);
    near(
        story.cost(4.5).first_token,
        (2.25 + 1.5) / 1.5,
        "half a first token",
    );
    let pf: f64 = 0.03 / 1.5;
    near(
        story.cost(4.5).failures,
        pf / (1.0 - pf) * 2.0,
        "half a success",
    );
    near(
        story.cost(64.5).first_token,
        (1.125 + 1.5) / 1.25,
        "and no finding of its own",
    );

    let mut story = Story::new();
    story.evidence.began(through, began);
    story.evidence.failed(through, began, &parameters, now);
    let (pf, tf): (f64, f64) = (0.53 / 1.5, (2.25 + 1.0) / 1.5);
    near(
        story.cost(4.5).failures,
        pf / (1.0 - pf) * (tf + 1.0),
        "half a failure",
    );
    story.evidence.broke(through, &parameters, now);
    near(story.cost(4.5).breaks, 45.0 * 0.5 / 3.5, "half a break");
}

#[test]
fn s11_1_which_failures_count() {
    use Outcome::{ClientDisconnected, ClientError, RateLimited, UpstreamAuthError, UpstreamError};
    let failure = Failure {
        outcome: UpstreamError,
        scope: Scope::Model,
        rest: Rest::None,
        status: Some(500),
        cause: Cause::Status,
        lesson: None,
        owed: false,
        free_requests: None,
        quota: None,
        answer: None,
    };
    let of = |outcome, scope| Failure {
        outcome,
        scope,
        ..failure.clone()
    };
    let with_lesson = |lesson| Failure {
        lesson: Some(lesson),
        ..failure.clone()
    };
    let field = FieldName::new("seed").unwrap();
    #[rustfmt::skip]
    let rows = [
        (of(UpstreamError, Scope::Model),                          true),
        (of(UpstreamError, Scope::Candidate),                      true),
        (of(RateLimited, Scope::Model),                            true),
        (of(RateLimited, Scope::Candidate),                        true),
        (of(RateLimited, Scope::Account(AccountLimit::Minute)),    false),
        (of(RateLimited, Scope::Account(AccountLimit::Day)),       false),
        (of(UpstreamError, Scope::Account(AccountLimit::Credit)),  false),
        (of(UpstreamAuthError, Scope::Key),                        false),
        (of(UpstreamError, Scope::Provider),                       false),
        (of(ClientError, Scope::Request),                          false),
        (of(ClientDisconnected, Scope::Model),                     false),
        (Failure { rest: Rest::UntilNextList, ..failure.clone() }, false),
        (Failure { cause: Cause::Timeout, ..failure.clone() },     true),
        (Failure { cause: Cause::ShuttingDown, ..failure.clone() }, false),
        (Failure { owed: true, ..failure.clone() },                false),
        (with_lesson(Lesson::Lacks(Capability::Tools)),            false),
        (with_lesson(Lesson::TooLong { window: None }),            false),
        (with_lesson(Lesson::Refuses(field)),                      false),
        (with_lesson(Lesson::OverLimit),                           false),
    ];
    for (failure, expected) in rows {
        assert_eq!(teaches(&failure), expected, "{failure:?}");
    }
}
