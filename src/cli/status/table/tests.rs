use serde_json::json;

use super::*;
use crate::cli::status::look::{Look, fit};

fn shown(state: &Value) -> String {
    Look::new(false).paint(&table(state, usize::MAX))
}

fn state() -> Value {
    json!({
        "version": "0.1.0", "uptime_sec": 9600, "ready": true, "reason": null,
        "first_choice": "vendor/y:free", "open_streams": 1,
        "last_answer": {"model": "vendor/y:free", "at": "2026-11-25T20:39:58.100Z"},
        "list": {"source": "ranking", "age_sec": 2400, "models": 2, "available": 1},
        "account": {"state": "awake", "limit": null, "asked_today": 412},
        "models": [
            {"id": "vendor/xx:free", "rank": 1, "state": "resting", "resting_sec": 190,
             "reason": "rate limited (HTTP 429)",
             "hour": {"success_rate": 0.952, "ttft_p50_ms": 640, "tokens_per_second": 71.5}},
            {"id": "vendor/y:free", "rank": 2, "state": "awake", "hour": null,
             "day": {"success_rate": 1.0, "ttft_p50_ms": 1720, "tokens_per_second": null}},
            {"id": "router", "rank": null, "state": "probing", "hour": null, "day": null},
        ],
        "requests": [
            {"at": "2026-11-25T20:39:58.100Z", "outcome": "answered", "status": 200, "code": null, "duration_ms": 1900,
             "attempts": [{"model": "vendor/xx:free", "outcome": "rate_limited", "status": 429},
                          {"model": "vendor/y:free", "outcome": "success"}]},
            {"at": "2026-11-25T20:39:50.000Z", "outcome": "client_error", "status": 400, "code": "invalid_json",
             "duration_ms": 1, "attempts": []},
        ],
    })
}

#[test]
fn i6_6_the_table_says_who_answers_and_who_rests_how_long_and_why() {
    let expected = "\
Requests are being answered: vendor/y:free is asked first; the last answer was by vendor/y:free at 20:39:58.
free-llm-proxy 0.1.0, up 2 h 40 min; 1 streaming; 1 of 2 models awake, ranking read 40 min ago
account: fine; 412 requests upstream since 00:00 UTC

  #  model           success    ttft  tok/s  state
  1  vendor/xx:free      95%  640 ms   71.5  rests 3 min 10 s more: rate limited (HTTP 429)
  2  vendor/y:free      100%   1.7 s      -  awake
  -  router                -       -      -  being probed after a rest

last requests (UTC)
  20:39:58  answered     200    1.9 s  vendor/xx:free rate_limited 429 > vendor/y:free success
  20:39:50  client_error 400     1 ms  invalid_json";
    assert_eq!(shown(&state()), expected);
}

#[test]
fn i6_6_seventy_columns_hold_all_of_it() {
    let mut state = state();
    state["models"][0]["id"] = "nvidia/llama-3.1-nemotron-ultra-253b-v1:free".into();
    let lines = table(&state, 70);
    let fitted: Vec<_> = lines.iter().flat_map(|line| fit(line, 70)).collect();
    let expected = "\
Requests are being answered: vendor/y:free is asked first; the last
     answer was by vendor/y:free at 20:39:58.
free-llm-proxy 0.1.0, up 2 h 40 min; 1 streaming; 1 of 2 models awake,
     ranking read 40 min ago
account: fine; 412 requests upstream since 00:00 UTC

  #  model                             success    ttft  tok/s  state
  1  llama-3.1-nemotron-ultra-253b-v1      95%  640 ms   71.5
     rests 3 min 10 s more: rate limited (HTTP 429)
  2  y                                    100%   1.7 s      -  awake
  -  router                                  -       -      -
     being probed after a rest

last requests (UTC)
  20:39:58  answered     200    1.9 s  vendor/xx:free rate_limited 429
     > vendor/y:free success
  20:39:50  client_error 400     1 ms  invalid_json";
    let shown = Look::new(false).paint(&fitted);
    let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn i6_6_the_banner_says_why_nobody_answers() {
    let mut state = state();
    state["ready"] = false.into();
    state["reason"] = "every model is resting; the first wakes in 9 s".into();
    state["account"] = json!({"state": "resting", "limit": "day", "resting_sec": 90_061, "free_requests": {"limit": 50, "remaining": 0}, "asked_today": 50});
    let shown = shown(&state);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines[0],
        "Requests cannot be answered now: every model is resting; the first wakes in 9 s."
    );
    assert_eq!(
        lines[2],
        "account: the free quota of today is used up (0 of 50 left), back in 1 d 2 h; 50 requests upstream since 00:00 UTC"
    );
}

#[test]
fn i6_6_hostile_text_is_text_and_a_stranger_breaks_nothing() {
    let mut state = state();
    state["models"][0]["reason"] = "\u{1b}]0;evil\u{7}\r\n\u{202e}x".into();
    state["version"] = "\u{1b}[2J".into();
    let shown = shown(&state);
    assert!(
        !shown.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']),
        "{shown:?}"
    );
    for strange in [
        json!(null),
        json!([]),
        json!("x"),
        json!({"models": 7, "requests": [null], "ready": "yes"}),
    ] {
        assert!(super::table(&strange, 70).len() >= 4);
    }
}

#[test]
fn i6_6_a_thousand_models_are_named_up_to_a_point() {
    let mut state = state();
    let model = state["models"][1].clone();
    state["models"] = vec![model; 1000].into();
    assert!(shown(&state).contains("and 970 more (--json shows all)"));
}
