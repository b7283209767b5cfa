use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::model::ClientName;
use crate::upstream::Unreachable;
use crate::verdict::Cause;
use crate::verdict::Outcome::{
    self, ClientDisconnected, ClientError, RateLimited, Success, UpstreamError,
};

/// 2027-01-15 08:00:00 UTC.
const START: u64 = 1_800_000_000;

fn at(seconds: u64) -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds),
    }
}

fn id(name: &str) -> ModelId {
    ModelId::try_from(name).unwrap()
}

fn ended(outcome: Outcome) -> Attempted {
    Attempted {
        outcome,
        of_account: false,
        duration_ms: 1000,
        ttft_ms: None,
        completion_tokens: None,
    }
}

fn finished(outcome: RequestOutcome, ttft_ms: Option<u64>, now: Now) -> Arc<Finished> {
    Arc::new(Finished {
        request_id: "id".to_owned(),
        client: ClientName::unnamed(1),
        at: now.wall,
        outcome,
        status: 200,
        code: None,
        chosen_model: Some(id("a")),
        stream: true,
        duration_ms: 1000,
        ttft_ms,
        completion_tokens: None,
        chunks_emitted: 1,
        had_tools: false,
        had_response_format: false,
        unreachable: None,
        attempt_count: 1,
        attempts: Vec::new(),
    })
}

#[test]
fn s3_the_success_rate_counts_what_the_model_decided() {
    #[rustfmt::skip]
    let rows: &[(&[Outcome], Option<f64>)] = &[
        (&[Success],                                              Some(1.0)),
        (&[Success, Success, UpstreamError],                      Some(0.667)),
        (&[Success, RateLimited],                                 Some(0.5)),
        (&[UpstreamError],                                        Some(0.0)),
        (&[ClientError, ClientDisconnected],                      None),
        (&[Success, ClientError, ClientDisconnected],             Some(1.0)),
        (&[Success, Outcome::UpstreamAuthError],                  Some(1.0)),
    ];
    for (outcomes, expected) in rows {
        let mut live = Live::default();
        for outcome in *outcomes {
            live.attempt(&id("a"), ended(*outcome), at(0));
        }
        let [hour, day] = live.figures(&id("a"), at(0));
        assert_eq!(hour, day);
        assert_eq!(hour.unwrap().success_rate, *expected, "{outcomes:?}");
    }
}

#[test]
fn s3_a_failure_of_the_account_is_not_the_models() {
    type Ended<'a> = &'a [(Outcome, bool)];
    let [by_model, by_account] = [false, true];
    #[rustfmt::skip]
    let rows: &[(Ended<'_>, Option<f64>)] = &[
        (&[(RateLimited, by_account)],                                                None),
        (&[(Success, by_model), (RateLimited, by_account)],                           Some(1.0)),
        (&[(Success, by_model), (RateLimited, by_account), (RateLimited, by_model)],  Some(0.5)),
        (&[(Success, by_model), (UpstreamError, by_account)],                         Some(1.0)),
        (&[(Success, by_model), (ClientError, by_account)],                           Some(1.0)),
        (&[(UpstreamError, by_model), (ClientError, by_account)],                     Some(0.0)),
    ];
    for (attempts, expected) in rows {
        let mut live = Live::default();
        for (outcome, of_account) in *attempts {
            let of_account = *of_account;
            let attempt = Attempted {
                of_account,
                ..ended(*outcome)
            };
            live.attempt(&id("a"), attempt, at(0));
        }
        let [hour, _] = live.figures(&id("a"), at(0));
        let hour = hour.unwrap();
        assert_eq!(hour.success_rate, *expected, "{attempts:?}");
        let (first, _) = attempts[0];
        assert!(hour.attempts.of(first) > 0, "{attempts:?}: it is counted");
    }
}

#[test]
fn s3_speed_is_tokens_over_the_time_of_the_attempts_that_reported_them() {
    let mut live = Live::default();
    let attempts = [
        (Some(300), Some(100), 2000),
        (Some(500), Some(50), 1000),
        (None, None, 60_000),
    ];
    for (ttft_ms, completion_tokens, duration_ms) in attempts {
        let attempt = Attempted {
            ttft_ms,
            completion_tokens,
            duration_ms,
            ..ended(Success)
        };
        live.attempt(&id("a"), attempt, at(0));
    }
    let [hour, _] = live.figures(&id("a"), at(0));
    let json = serde_json::to_value(hour).unwrap();
    let expected = serde_json::json!({
        "attempts": {"success": 3}, "success_rate": 1.0,
        "ttft_p50_ms": 288, "ttft_p95_ms": 480, "tokens_per_second": 50.0,
    });
    assert_eq!(json, expected);
}

#[test]
fn s3_the_hour_and_the_day_forget() {
    let mut live = Live::default();
    live.attempt(&id("a"), ended(UpstreamError), at(0));
    live.attempt(&id("a"), ended(Success), at(3600));
    let rates = |seconds| {
        let figures = live.figures(&id("a"), at(seconds));
        figures.map(|figures| figures.and_then(|figures| figures.success_rate))
    };
    #[rustfmt::skip]
    let rows = [
        // seconds        hour        day
        (3600,            [Some(1.0), Some(0.5)]),
        (2 * 3600,        [None,      Some(0.5)]),
        (24 * 3600,       [None,      Some(1.0)]),
        (25 * 3600,       [None,      None]),
    ];
    for (seconds, expected) in rows {
        assert_eq!(rates(seconds), expected, "{seconds}");
    }
    assert_eq!(live.figures(&id("b"), at(0)), [None, None]);
}

#[test]
fn s3_memory_is_fixed_whatever_models_come_and_go() {
    let mut live = Live::default();
    for n in 0..3 * MAX_MODELS as u64 {
        live.attempt(&id(&format!("m{n}")), ended(Success), at(n));
        live.request(finished(RequestOutcome::Answered, None, at(n)), at(n));
    }
    assert_eq!(
        (live.models.len(), live.requests.len()),
        (MAX_MODELS, MAX_REQUESTS)
    );
    let newest = id(&format!("m{}", 3 * MAX_MODELS - 1));
    assert!(
        live.models.contains_key(&newest),
        "the ones asked last stay"
    );
    live.retain_models(|id| id == newest.as_str());
    assert_eq!(live.models.len(), 1);
}

#[test]
fn s3_the_last_requests_come_newest_first_and_name_the_last_to_answer() {
    let mut live = Live::default();
    for n in 0..60 {
        let gone = live.request(finished(RequestOutcome::Answered, None, at(n)), at(n));
        assert_eq!(gone.is_some(), n >= 50);
    }
    live.request(finished(RequestOutcome::Failed, None, at(99)), at(99));
    let ends: Vec<_> = live.requests().iter().map(|request| request.at).collect();
    assert_eq!(ends.len(), 50);
    assert_eq!(ends.first(), Some(&at(99).wall));
    assert_eq!(live.last_answer(), Some((id("a"), at(59).wall)));
}

#[test]
fn s3_the_charts_are_columns_of_the_hour_by_the_minute_and_the_day_by_the_quarter() {
    let mut live = Live::default();
    let ends = [
        (0, RequestOutcome::Answered, Some(100)),
        (30, RequestOutcome::Failed, None),
        (60, RequestOutcome::Broken, Some(2000)),
        (3600, RequestOutcome::ClientLeft, None),
    ];
    for (seconds, outcome, ttft_ms) in ends {
        live.request(finished(outcome, ttft_ms, at(seconds)), at(seconds));
    }
    let Charts { hour, day } = live.charts(at(3600));
    assert_eq!(hour.from, "2027-01-15T08:01:00.000Z");
    #[rustfmt::skip]
    let rows: &[(&[u32], &[usize])] = &[
        (&hour.answered,    &[]),
        (&hour.failed,      &[]),
        (&hour.broken,      &[0]),
        (&hour.client_left, &[59]),
        (&day.answered,     &[91]),
        (&day.failed,       &[91]),
        (&day.broken,       &[91]),
        (&day.client_left,  &[95]),
    ];
    for (column, expected) in rows {
        let places = column.iter().enumerate().filter(|(_, count)| **count > 0);
        let places: Vec<_> = places.map(|(place, _)| place).collect();
        assert_eq!(places, *expected);
    }
    assert_eq!(hour.ttft_p50_ms.first(), Some(&Some(1920)));
    assert_eq!((hour.ttft_p50_ms.len(), day.ttft_p95_ms.len()), (60, 96));
}

#[test]
fn s10_5_the_requests_that_ended_are_counted_whether_anybody_was_asked_or_not() {
    let mut live = Live::default();
    live.attempt(&id("a"), ended(Success), at(0));
    assert_eq!(live.ended(), 0);
    for outcome in [RequestOutcome::Answered, RequestOutcome::Failed] {
        live.request(finished(outcome, None, at(0)), at(0));
    }
    assert_eq!(live.ended(), 2);
}

#[test]
fn s3_failures_in_a_row_are_classified_by_how_they_failed() {
    use RequestOutcome::{Answered, Broken, ClientError, ClientLeft, Failed};
    type Ended = (RequestOutcome, u16, &'static str, Option<Cause>);
    let how = |row: Ended| {
        let (outcome, status, code, cause) = row;
        let unreachable = (row == DOWN).then_some(Unreachable::Dns);
        let attempt = AttemptRecord {
            provider: crate::model::ProviderId::openrouter(),
            account: crate::model::AccountId::openrouter(),
            model: id("a"),
            place: Some(0),
            switches: false,
            outcome: UpstreamError,
            status: (cause == Some(Cause::Status)).then_some(status),
            cause,
            duration_ms: 1,
            cooldown_until: (row == KEY).then(|| at(60).wall),
        };
        Arc::new(Finished {
            outcome,
            status,
            code: (!code.is_empty()).then(|| code.into()),
            unreachable,
            attempts: cause.map(|_| attempt).into_iter().collect(),
            ..(*finished(outcome, None, at(0))).clone()
        })
    };
    const OK: Ended = (Answered, 200, "", None);
    const KEY: Ended = (Failed, 401, "upstream_auth_error", Some(Cause::Status));
    const EDGE: Ended = (Failed, 403, "upstream_auth_error", Some(Cause::Status));
    const KEY_AT_REST: Ended = (Failed, 502, "upstream_auth_error", None);
    const DOWN: Ended = (Failed, 503, "all_models_unavailable", None);
    const REST: Ended = (Failed, 503, "all_models_unavailable", Some(Cause::Status));
    const REFUSED: Ended = (Failed, 404, "upstream_404", Some(Cause::Status));
    const CREDIT: Ended = (Failed, 402, "upstream_402", Some(Cause::Status));
    const QUOTA: Ended = (Failed, 503, "account_rate_limited", Some(Cause::Status));
    const CUT: Ended = (Broken, 200, "upstream_error", Some(Cause::CutShort));
    const ITS_OWN: Ended = (ClientError, 400, "invalid_json", None);
    const LEFT: Ended = (ClientLeft, 499, "", None);
    #[rustfmt::skip]
    type Row<'a> = (&'a [Ended], Option<(How, u32, u32)>);
    let rows: &[Row<'_>] = &[
        // requests                          how the last failed, how many, how many so
        (&[], None),
        (&[OK], None),
        (&[KEY, OK], None),
        (&[OK, KEY], Some((How::Key(Some(401)), 1, 1))),
        (
            &[KEY, KEY_AT_REST, KEY_AT_REST],
            Some((How::Key(Some(401)), 3, 3)),
        ),
        (
            &[DOWN, DOWN],
            Some((How::NotReached(Unreachable::Dns), 2, 2)),
        ),
        (
            &[REST, DOWN],
            Some((How::NotReached(Unreachable::Dns), 2, 1)),
        ),
        (
            &[REFUSED, ITS_OWN, LEFT, REFUSED],
            Some((How::Refused(404), 2, 2)),
        ),
        (&[EDGE, REFUSED, EDGE], Some((How::Refused(403), 3, 3))),
        (&[CREDIT], Some((How::Credit, 1, 1))),
        (&[QUOTA, QUOTA], None),
        (&[CUT, REST, CUT], Some((How::Otherwise, 3, 3))),
    ];
    for (requests, expected) in rows {
        let mut live = Live::default();
        for request in *requests {
            live.request(how(*request), at(0));
        }
        let streak = live.streak().map(|s| (s.how, s.count, s.alike));
        assert_eq!(streak, *expected, "{requests:?}");
    }
}

proptest! {
    /// Whatever arrives in whatever order, the counts of an hour are those of its attempts.
    #[test]
    fn s3_nothing_within_the_window_is_lost_or_counted_twice(
        mut seconds in prop::collection::vec(0..3000_u64, 1..100),
    ) {
        seconds.sort_unstable();
        let mut live = Live::default();
        for second in &seconds {
            live.attempt(&id("a"), ended(Success), at(*second));
            live.request(finished(RequestOutcome::Answered, None, at(*second)), at(*second));
        }
        let count = seconds.len() as u32;
        for figures in live.figures(&id("a"), at(3000)) {
            prop_assert_eq!(figures.unwrap().attempts.of(Success), count);
        }
        let charts = live.charts(at(3000));
        for columns in [charts.hour, charts.day] {
            prop_assert_eq!(columns.answered.iter().sum::<u32>(), count);
        }
    }
}
