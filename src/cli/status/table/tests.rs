use serde_json::json;

use super::*;
use crate::cli::status::look::{Look, fitted};

fn shown(state: &Value) -> String {
    Look::new(false).paint(&table(state, Local::hours(3), usize::MAX))
}

/// A bucket of requests a day, which ends at midnight.
fn day(used: u64, limit: u64) -> Value {
    json!({"unit": "requests", "limit": limit, "used": used, "per": "day", "of": "account", "model": null,
           "ends": "utc", "resets_at": "2026-11-26T00:00:00.000Z", "source": "stated"})
}

fn state() -> Value {
    json!({
        "version": "0.1.0", "uptime_sec": 9600, "ready": true, "open_streams": 1,
        "condition": {"code": "answering", "tone": "good", "sentence": "Requests are being answered.", "next_step": null},
        "list": {"source": "ranking", "age_sec": 2400, "models": 2, "available": 1},
        "next": [{"model": "vendor/y:free", "provider": "openrouter", "account": "openrouter", "place": 1, "cost_sec": 3.1,
                  "cost": "2.0 s for its place, 1.1 s to the first token"}],
        "waiting": {"requests": 0, "first_returns_at": null, "first_returns_sec": null},
        "now": "2026-11-25T20:40:00.000Z",
        "accounts": [{"label": "openrouter", "state": "awake", "until": null, "buckets": [day(2, 50)]}],
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
fn s8_the_table_shows_which_models_answer_and_which_rest_how_long_and_why() {
    let expected = "\
Requests are being answered.
free-llm-proxy 0.1.0, up 2 h 40 min; 1 streaming; 1 of 2 models available, ranking read 40 min ago
account: 48 of 50 left today, back at 03:00 (your time)
next: vendor/y:free, at 3.1 s: 2.0 s for its place, 1.1 s to the first token

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
fn s8_seventy_columns_are_enough() {
    let mut state = state();
    state["models"][0]["id"] = "nvidia/llama-3.1-nemotron-ultra-253b-v1:free".into();
    let lines = table(&state, Local::hours(3), 70);
    let expected = "\
Requests are being answered.
free-llm-proxy 0.1.0, up 2 h 40 min; 1 streaming; 1 of 2 models
     available, ranking read 40 min ago
account: 48 of 50 left today, back at 03:00 (your time)
next: vendor/y:free, at 3.1 s: 2.0 s for its place, 1.1 s to the first
     token

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
fn s11_7_who_waits_and_in_rank_order_no_cost() {
    let mut state = state();
    state["next"][0]["cost"].take();
    #[rustfmt::skip]
    let rows = [
        // requests, the first returns in, s   the line
        (1,          json!(190),               "1 request waits; the first model or quota returns in 3 min 10 s at the earliest"),
        (3,          json!(8),                 "3 requests wait; the first model or quota returns in 8 s at the earliest"),
        (3,          json!(null),              "3 requests wait; a probe or a request in progress may let one go at any moment"),
    ];
    for (requests, seconds, expected) in rows {
        state["waiting"] = json!({"requests": requests, "first_returns_sec": seconds});
        let shown = shown(&state);
        assert_eq!(shown.lines().nth(3), Some(expected));
        assert!(!shown.contains("next:"), "{shown}");
    }
}

#[test]
fn s3_the_first_lines_say_why_nothing_is_answered_and_what_to_do() {
    let mut state = state();
    state["condition"] = json!({"code": "key_refused", "tone": "bad", "sentence": "It is refused.", "next_step": "Mend it."});
    assert!(shown(&state).starts_with("It is refused.\nMend it.\nfree-llm-proxy"));
}

#[test]
fn s10_8_one_account_says_what_is_left_and_when_it_is_back() {
    let account = |state: &str, until: Option<&str>, buckets: &[Value]| json!({"state": state, "until": until, "because": "rate limited (HTTP 429)", "buckets": buckets});
    // What the provider says about an account that is out of something.
    let told = |mut account: Value, limit: &str| {
        account["limit"] = limit.into();
        if limit == "day" {
            account["today"] = json!({"limit": 60, "used": 58, "remaining": 2, "resets_at": "2026-11-26T00:00:00Z"});
        }
        account
    };
    let minute = json!({"unit": "requests", "limit": 20, "used": 20, "per": "minute"});
    let strange =
        json!({"unit": "requests", "limit": "x", "used": 1, "per": "day", "resets_at": "soon"});
    let mut probing = account("resting", None, &[]);
    probing["probing"] = true.into();
    let (soon, later) = ("2026-11-25T20:40:42.000Z", "2026-11-26T04:22:00.000Z");
    #[rustfmt::skip]
    let rows = [
        (account("awake", None, &[]),                              "account: fine"),
        (account("awake", None, &[day(2, 50)]),                    "account: 48 of 50 left today, back at 03:00 (your time)"),
        (account("awake", None, &[json!({"unit": "requests", "limit": 5, "used": 1, "per": {"hours": 5}})]), "account: fine"),
        (probing,                                                  "account: being probed after a rest"),
        (account("out", Some(later), &[day(50, 50)]),              "account: the free requests of today are used up, back in 7 h 42 min; 0 of 50 left today, back at 03:00 (your time)"),
        (account("out", Some(soon), &[day(20, 50), minute]),       "account: the free requests of this minute are used up, back in 42 s; 30 of 50 left today, back at 03:00 (your time)"),
        (told(account("out", Some(soon), &[]), "quota"),           "account: a quota is used up, back in 42 s"),
        (told(account("out", Some(soon), &[]), "credit"),          "account: out of credit, back in 42 s"),
        (told(account("out", Some(later), &[day(1, 50)]), "day"),  "account: the free requests of today are used up, back in 7 h 42 min; 2 of 60 left today, back at 03:00 (your time)"),
        (account("resting", Some(soon), &[]),                      "account: rate limited (HTTP 429), back in 42 s"),
        (account("key_refused", Some(soon), &[]),                  "account: the key is refused, back in 42 s"),
        (account("awake", None, &[strange]),                       "account: fine"),
    ];
    for (account, expected) in rows {
        let state = json!({"now": "2026-11-25T20:40:00.000Z", "accounts": [account]});
        let lines = accounts::lines(&state, Local::hours(3));
        assert_eq!(Look::new(false).paint(&lines), expected, "{account}");
    }
}

#[test]
fn s10_8_several_accounts_are_a_table_within_seventy_columns() {
    let mut state = state();
    let of_model = json!({"unit": "tokens", "limit": 100_000, "used": 99_000, "per": "day", "of": "model",
                          "model": "gemini-3-flash", "resets_at": "2026-11-26T08:00:00.000Z", "source": "default"});
    state["accounts"] = json!([
        {"label": "openrouter", "state": "out", "until": "2026-11-26T00:00:00.000Z", "buckets": [day(50, 50)]},
        {"label": "groq", "state": "key_refused", "until": "2026-11-25T20:43:00.000Z", "buckets": []},
        {"label": "groq#2", "state": "resting", "until": "2026-11-25T20:40:42.000Z",
         "reason": "rate limited (HTTP 429)", "buckets": [day(0, 1000)]},
        {"label": "gemini", "state": "awake", "until": null, "buckets": [day(3, 20), of_model]},
        {"label": "kilo", "state": "awake", "until": null, "buckets": [
            {"unit": "requests", "limit": 5, "used": 1, "per": {"hours": 5}},
            {"unit": "at once", "limit": 2, "used": 0, "per": null}]},
        {"label": "local", "state": "resting", "probing": true, "until": null, "buckets": [
            {"unit": "at once", "limit": 1, "used": 1, "per": null}]},
    ]);
    state["models"][0]["provider"] = "openrouter".into();
    state["models"][1] =
        json!({"id": "groq/openai/gpt-oss-120b", "provider": "groq", "rank": 2, "state": "awake"});
    state["models"][2]["provider"] = "openrouter".into();
    state["requests"][0]["attempts"][0]["account"] = "openrouter".into();
    let expected = "\
Requests are being answered.
free-llm-proxy 0.1.0, up 2 h 40 min; 1 streaming; 1 of 2 models
     available, ranking read 40 min ago
accounts: 3 of 6 take requests
  openrouter  used up      back at 03:00 (your time);
     0 of 50 requests a day left
  groq        key refused  back in 3 min
  groq#2      rests        back in 42 s; rate limited (HTTP 429);
     1000 of 1000 requests a day left, all back at 03:00
  gemini      awake        1000 of 100000 tokens a day of
     gemini-3-flash left, all back at 11:00
  kilo        awake        4 of 5 requests in 5 hours left
  local       being probed 0 of 1 at once left
next: vendor/y:free (openrouter), at 3.1 s: 2.0 s for its place, 1.1 s
     to the first token

  #  model         provider    success    ttft  tok/s  state
  1  xx            openrouter      95%  640 ms   71.5
     rests 3 min 10 s more: rate limited (HTTP 429)
  2  gpt-oss-120b  groq              -       -      -  awake
  -  router        openrouter        -       -      -
     being probed after a rest

last requests (your time)
  23:39:58  answered     200    1.9 s  vendor/xx:free (openrouter)
     rate_limited 429 > vendor/y:free success
  23:39:50  client_error 400     1 ms  invalid_json";
    let lines = table(&state, Local::hours(3), 70);
    let shown = Look::new(false).paint(&fitted(&lines, 70));
    let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn s3_a_failure_is_never_rounded_away_to_a_hundred_percent() {
    let mut state = state();
    state["models"][0]["hour"]["success_rate"] = 0.999.into();
    assert!(shown(&state).contains("  99%"));
}

#[test]
fn s8_hostile_text_is_text_and_foreign_json_breaks_nothing() {
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
        json!({"models": 7, "requests": [null], "ready": "yes", "accounts": [null, {"buckets": [7]}]}),
    ] {
        assert!(super::table(&strange, Local::hours(0), 70).len() >= 4);
    }
}

#[test]
fn s8_of_a_thousand_models_only_the_first_are_listed() {
    let mut state = state();
    let model = state["models"][1].clone();
    state["models"] = vec![model; 1000].into();
    assert!(shown(&state).contains("and 970 more (--json shows all)"));
}

#[test]
fn s10_8_a_model_without_an_account_says_whom_it_waits_for() {
    let account = |label: &str, state: &str| json!({"label": label, "state": state});
    let accounts = json!([
        account("openrouter", "out"),
        account("groq", "key_refused"),
        account("gemini", "awake"),
        account("ovh", "resting"),
    ]);
    let through = |accounts: &[&str]| {
        let candidates = accounts
            .iter()
            .map(|account| json!({"account": account, "state": "awake"}));
        candidates.collect::<Vec<_>>()
    };
    #[rustfmt::skip]
    let rows = [
        // through                      available   its row
        (through(&["openrouter"]),      true,       "awake"),
        (through(&["openrouter"]),      false,      "waits for openrouter (used up)"),
        (through(&["groq", "ovh"]),     false,      "waits for groq (key refused), ovh (rests)"),
        // Its own quota, where others still have some.
        (through(&["gemini"]),          false,      "waits for gemini (used up for it)"),
    ];
    for (candidates, available, expected) in rows {
        let mut state = state();
        state["accounts"] = accounts.clone();
        state["models"] = json!([{"id": "a", "rank": 1, "state": "awake", "available": available, "candidates": candidates}]);
        let shown = shown(&state);
        assert!(
            shown
                .lines()
                .any(|line| line.ends_with(expected) && line.contains("  1  a")),
            "{expected} in {shown}"
        );
    }
}

#[test]
fn s13_clients_are_shown_where_there_are_several_or_they_have_limits() {
    let mut state = state();
    let before = shown(&state);
    state["clients"] = json!([{"name": "default", "limits": []}]);
    assert_eq!(
        shown(&state),
        before,
        "one without limits is the operator alone"
    );
    state["clients"] = json!([
        {"name": "alice", "limits": []},
        {"name": "ci", "limits": [
            {"unit": "requests", "limit": 200, "used": 12, "per": "day", "model": null, "resets_at": "2026-11-26T00:00:00.000Z"},
            {"unit": "at once", "limit": 2, "used": 2, "per": null, "model": null, "resets_at": null},
        ]},
    ]);
    state["requests"][0]["client"] = json!("ci");
    let lines = shown(&state);
    let expected = "\
clients:
  ci  188 of 200 requests a day left, all back at 03:00; 0 of 2 at once left
";
    assert!(lines.contains(expected), "{lines}");
    assert!(lines.contains("1.9 s  ci  vendor/xx:free"), "{lines}");
}
