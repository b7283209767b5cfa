use serde_json::json;

use super::*;
use crate::cli::status::look::{Look, fitted};

fn shown(state: &Value) -> String {
    Look::new(false).paint(&table(state, Local::hours(3), usize::MAX))
}

fn state() -> Value {
    json!({
        "version": "0.1.0", "uptime_sec": 9600, "ready": true, "open_streams": 1,
        "condition": {"code": "answering", "tone": "good", "sentence": "Requests are being answered.", "next_step": null},
        "list": {"source": "ranking", "age_sec": 2400, "models": 2, "available": 1},
        "account": {"state": "awake", "limit": null, "today": {"limit": 50, "used": 2, "remaining": 48, "resets_at": "2026-11-26T00:00:00.000Z"}},
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
fn s8_the_table_says_who_answers_and_who_rests_how_long_and_why() {
    let expected = "\
Requests are being answered.
free-llm-proxy 0.1.0, up 2 h 40 min; 1 streaming; 1 of 2 models awake, ranking read 40 min ago
account: 48 of 50 left today, back at 03:00 (your time)

  #  model           success    ttft  tok/s  state
  1  vendor/xx:free      95%  640 ms   71.5  rests 3 min 10 s more: rate limited (HTTP 429)
  2  vendor/y:free      100%   1.7 s      -  awake
  -  router                -       -      -  being probed after a rest

last requests (your time)
  23:39:58  answered     200    1.9 s  vendor/xx:free rate_limited 429 > vendor/y:free success
  23:39:50  client_error 400     1 ms  invalid_json";
    assert_eq!(shown(&state()), expected);
}

#[test]
fn s8_seventy_columns_hold_all_of_it() {
    let mut state = state();
    state["models"][0]["id"] = "nvidia/llama-3.1-nemotron-ultra-253b-v1:free".into();
    let lines = table(&state, Local::hours(3), 70);
    let expected = "\
Requests are being answered.
free-llm-proxy 0.1.0, up 2 h 40 min; 1 streaming; 1 of 2 models awake,
     ranking read 40 min ago
account: 48 of 50 left today, back at 03:00 (your time)

  #  model                             success    ttft  tok/s  state
  1  llama-3.1-nemotron-ultra-253b-v1      95%  640 ms   71.5
     rests 3 min 10 s more: rate limited (HTTP 429)
  2  y                                    100%   1.7 s      -  awake
  -  router                                  -       -      -
     being probed after a rest

last requests (your time)
  23:39:58  answered     200    1.9 s  vendor/xx:free rate_limited 429
     > vendor/y:free success
  23:39:50  client_error 400     1 ms  invalid_json";
    let shown = Look::new(false).paint(&fitted(&lines, 70));
    let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn s3_the_first_lines_say_why_nobody_answers_and_what_to_do() {
    let mut state = state();
    state["condition"] = json!({"code": "key_refused", "tone": "bad", "sentence": "It is refused.", "next_step": "Mend it."});
    assert!(shown(&state).starts_with("It is refused.\nMend it.\nfree-llm-proxy"));
}

#[test]
fn s10_5_the_account_says_what_is_left_and_when_it_is_back() {
    let today = |remaining: u64| json!({"limit": 50, "remaining": remaining, "resets_at": "2026-11-26T00:00:00.000Z"});
    #[rustfmt::skip]
    let rows = [
        (json!({"state": "awake", "limit": null, "today": null}),                         "account: fine"),
        (json!({"state": "awake", "limit": null, "today": today(48)}),                    "account: 48 of 50 left today, back at 03:00 (your time)"),
        (json!({"state": "probing", "limit": null, "today": null}),                       "account: being probed after a rest"),
        (json!({"state": "resting", "limit": "day", "resting_sec": 27_720, "today": today(0)}), "account: the free requests of today are used up, back in 7 h 42 min; 0 of 50 left today, back at 03:00 (your time)"),
        (json!({"state": "resting", "limit": "minute", "resting_sec": 42, "today": today(30)}), "account: the free requests of this minute are used up, back in 42 s; 30 of 50 left today, back at 03:00 (your time)"),
        (json!({"state": "resting", "limit": "credit", "resting_sec": 240}),              "account: out of credit, back in 4 min"),
        (json!({"state": "awake", "today": {"limit": "x", "remaining": 1, "resets_at": "soon"}}), "account: fine"),
    ];
    for (account, expected) in rows {
        let line = super::account(&account, Local::hours(3));
        assert_eq!(Look::new(false).paint(&[line]), expected, "{account}");
    }
}

#[test]
fn s3_nothing_is_a_hundred_percent_beside_a_failure() {
    let mut state = state();
    state["models"][0]["hour"]["success_rate"] = 0.999.into();
    assert!(shown(&state).contains("  99%"));
}

#[test]
fn s8_hostile_text_is_text_and_a_stranger_breaks_nothing() {
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
        assert!(super::table(&strange, Local::hours(0), 70).len() >= 4);
    }
}

#[test]
fn s8_a_thousand_models_are_named_up_to_a_point() {
    let mut state = state();
    let model = state["models"][1].clone();
    state["models"] = vec![model; 1000].into();
    assert!(shown(&state).contains("and 970 more (--json shows all)"));
}
