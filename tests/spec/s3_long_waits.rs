//! §3, long waits: an error that no retry helps against takes the form that makes the client at
//! hand show it; all other clients get it unchanged.

use serde_json::{Value, json};
use simulator::{Failed, Failure, Plan, PlanEnd, Script, Step};

use crate::rig::{Answer, Rig, abc};
use crate::s4_5_account::{
    DAY, DAY_SOURCE, MINUTE, MINUTE_SOURCE, Shape, Told, once, used_up, with_hours_left,
};
use crate::scripts::{STALL, plenty};

/// A client: its path, its user agent, and its request.
type Client = (&'static str, &'static str);

pub const QWEN: Client = ("/v1/chat/completions", "QwenCode/0.24.4 (linux; x64)");
const OPENCODE: Client = (
    "/v1/chat/completions",
    "opencode/1.18.33 ai-sdk/provider-utils",
);
const CODEX: Client = (
    "/v1/responses",
    "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb",
);
const CLAUDE: Client = ("/v1/messages", "claude-cli/2.1.197 (external, sdk-cli)");
const PYTHON: Client = ("/v1/chat/completions", "OpenAI/Python 2.20.0");
const ELSEWHERE: Client = ("/v1/messages", "QwenCode/0.24.4 (linux; x64)");

#[tokio::test(start_paused = true)]
async fn s3_an_error_that_no_retry_helps_against_takes_the_clients_form() {
    let [hour, minutes] = [3600, 300].map(|seconds| abc().others(limited(seconds)));
    // Without a number, so that a refresh brings it back.
    let gone = |message: &str, source: &str, seconds: &str| {
        let body = json!({"error": {"message": message, "code": 429, "metadata": {"limit_source": source}}});
        abc().account(once(Step::status(429, &[("Retry-After", seconds)], body)))
    };
    let day = gone(DAY, DAY_SOURCE, "30000");
    let minute = gone(MINUTE, MINUTE_SOURCE, "60");
    let credit = abc().account(once(Failure::InsufficientCredits.into()));
    let flight = abc().account(once(Failure::InFlightBudget.into()));
    let fault = abc().account(always(Failure::ContentPolicy.into()));
    let key = abc().account(always(Failure::UserNotFound.into()));
    #[rustfmt::skip]
    let rows = [
        // what is the matter                   our own                               known clients get
        //                                                                             Qwen opencode Codex Claude
        ("the day's quota is gone", &day,       503, "account_rate_limited",   true,  [402, 402, 400, 402]),
        ("the minute's is",         &minute,    503, "account_rate_limited",   false, [503, 503, 503, 503]),
        ("all rest for an hour",    &hour, 503, "all_models_unavailable", true,  [402, 402, 400, 402]),
        ("all rest for 300 s",      &minutes, 503, "all_models_unavailable", false, [503, 503, 503, 503]),
        ("no credit",               &credit,    402, "",                       true,  [402, 402, 400, 402]),
        ("too much in flight",      &flight,    402, "",                       false, [402, 402, 402, 402]),
        ("a wrong upstream key",    &key,       502, "upstream_auth_error",    true,  [402, 402, 400, 402]),
        ("a request at fault",      &fault,     400, "",                       false, [400, 400, 400, 400]),
    ];
    let rig = Rig::paused(abc().key(plenty()), &[]).await;
    for (what, script, status, code, long, sent) in rows {
        for client in [PYTHON, ELSEWHERE, QWEN, OPENCODE, CODEX, CLAUDE] {
            rig.anew(script.clone().key(plenty())).await;
            let known = [QWEN, OPENCODE, CODEX, CLAUDE]
                .iter()
                .position(|c| *c == client);
            let sent = known.map_or(status, |at| sent[at]);
            // At once, and again when the answer is known in advance.
            for _ in 0..2 {
                let why = format!("{what}, {client:?}");
                let answer = ask(&rig, client, false).await;
                assert_eq!(answer.status, sent, "{why}: {answer:?}");
                let retry = answer.header("x-should-retry");
                assert_eq!(retry == "false", long, "{why}: {answer:?}");
                let line = rig.line(&answer);
                if let Some(told) = line.get("status") {
                    assert_eq!(told, status, "{why}");
                } else {
                    assert_eq!(
                        line["reason"],
                        if code.is_empty() {
                            "upstream_402"
                        } else {
                            code
                        },
                        "{why}"
                    );
                }
                let differs = if sent == status {
                    Value::Null
                } else {
                    sent.into()
                };
                assert_eq!(line["status_sent"], differs, "{why}");
                let message = answer.json()["error"]["message"].clone();
                assert!(
                    message.as_str().is_some_and(|m| m.len() > 10),
                    "{why}: {answer:?}"
                );
                if client.0 == "/v1/messages" {
                    continue;
                }
                if sent != status {
                    assert_eq!(answer.code(), "not_retryable", "{why}");
                } else if !code.is_empty() {
                    assert_eq!(answer.code(), code, "{why}");
                }
                if !long && status == 503 {
                    assert_ne!(answer.header("retry-after"), "", "{why}");
                }
            }
        }
    }
    let metric = |status| format!("freellm_requests_total{{status=\"{status}\"}}");
    // Six clients, twice each: the metrics count our own status.
    assert_eq!(rig.metric(&metric("502")).await, Some(12.0));
    // And also what four of them were sent, if it differs.
    let sent = |status, sent| {
        format!("freellm_requests_sent_as_total{{status=\"{status}\",status_sent=\"{sent}\"}}")
    };
    assert_eq!(rig.metric(&sent("502", "402")).await, Some(6.0));
    assert_eq!(rig.metric(&sent("502", "400")).await, Some(2.0));
    assert_eq!(rig.metric(&sent("402", "402")).await, None);
    assert_eq!(rig.metric(&sent("502", "502")).await, None);
}

#[tokio::test(start_paused = true)]
async fn s3_a_wrong_key_takes_the_clients_form() {
    let rig = Rig::paused(abc(), &[]).await;
    #[rustfmt::skip]
    let rows = [
        (PYTHON,   401, "invalid_api_key"),
        (QWEN,     401, "invalid_api_key"),
        (OPENCODE, 401, "invalid_api_key"),
        (CODEX,    400, "not_retryable"),
        (CLAUDE,   402, ""),
    ];
    for (client, status, code) in rows {
        let answer = ask(&rig, client, true).await;
        assert_eq!(answer.status, status, "{client:?}");
        assert_eq!(answer.header("x-should-retry"), "false", "{client:?}");
        assert_eq!(answer.code(), code, "{client:?}");
        assert!(
            answer.text().contains("not in this proxy's PROXY_API_KEY"),
            "{answer:?}"
        );
    }
    let models = [("user-agent", CODEX.1), ("authorization", "Bearer wrong")];
    let models = rig.send("GET", "/v1/models", &models, "").await;
    models.is_error(401, "invalid_api_key");
}

#[tokio::test(start_paused = true)]
async fn s3_without_a_list_a_client_waits_only_for_the_first_read() {
    let script = Script::new().list(always(STALL)).catalogue(always(STALL));
    let rig = Rig::paused_cold(script, &[]);
    let answer = ask(&rig, CODEX, false).await;
    answer.is_error(503, "not_ready");
    assert_eq!(answer.header("retry-after"), "1");
    // A read may take 15 s.
    tokio::time::sleep(std::time::Duration::from_secs(16)).await;
    for (client, status) in [(CODEX, 400), (QWEN, 402), (CLAUDE, 402), (PYTHON, 503)] {
        let answer = ask(&rig, client, false).await;
        assert_eq!(answer.status, status, "{client:?}");
        assert_eq!(answer.header("x-should-retry"), "false", "{client:?}");
        assert_eq!(rig.line(&answer)["reason"], "not_ready");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_long_wait_sec_says_what_is_long() {
    let script = abc().others(limited(120));
    for (setting, status) in [("119", 402), ("120", 503), ("0", 503), ("300", 503)] {
        let rig = Rig::paused(script.clone(), &[("LONG_WAIT_SEC", setting)]).await;
        let answer = ask(&rig, QWEN, false).await;
        assert_eq!(answer.status, status, "{setting}");
        // What a person must fix takes no time at all.
        let wrong = ask(&rig, CODEX, true).await;
        assert_eq!(wrong.status, 400, "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_an_error_frame_takes_the_clients_form_too() {
    with_hours_left(1).await;
    let late = |step: Step| {
        let Step::Status(mut status) = step else {
            panic!("it is a status")
        };
        status.delay_ms = 20_000;
        Step::Status(status)
    };
    let day = used_up(DAY, DAY_SOURCE, Told::Header, 30_000, Shape::Status);
    let script = abc().account(once(late(day)));
    let settings = [("STREAM_KEEPALIVE_SEC", "10")];
    #[rustfmt::skip]
    let rows: [(Client, &[&str]); 6] = [
        (QWEN,      &["not_retryable", "[DONE]"]),
        (OPENCODE,  &["not_retryable", "[DONE]"]),
        (PYTHON,    &["account_rate_limited", "[DONE]"]),
        (CODEX,     &["response.created", "response.in_progress", "response.failed invalid_prompt"]),
        (CLAUDE,    &["ping", "message_start", "content_block_start", "content_block_stop", "error invalid_request_error"]),
        (ELSEWHERE, &["ping", "error rate_limit_error"]),
    ];
    for (client, expected) in rows {
        let rig = Rig::paused(script.clone(), &settings).await;
        let mut body = question(client);
        body["stream"] = true.into();
        let headers = [("user-agent", client.1)];
        let answer = rig.send("POST", client.0, &headers, body.to_string()).await;
        assert_eq!(answer.status, 200);
        let events: Vec<_> = answer
            .events()
            .iter()
            .map(|event| in_words(event))
            .collect();
        let expected: Vec<_> = expected.iter().map(|e| (*e).to_owned()).collect();
        assert_eq!(events, expected, "{client:?}");
        let line = rig.done();
        assert_eq!(
            line["mid_stream_error"], "account_rate_limited",
            "{client:?}"
        );
        assert_eq!(line["status_sent"], Value::Null, "{client:?}");
    }
}

/// An event in a word or two.
fn in_words(event: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(event) else {
        return event.to_owned();
    };
    let words = [
        &event["type"],
        &event["error"]["code"],
        &event["response"]["error"]["code"],
        if event["error"]["code"].is_null() {
            &event["error"]["type"]
        } else {
            &Value::Null
        },
    ];
    let words: Vec<_> = words.into_iter().filter_map(Value::as_str).collect();
    words.join(" ")
}

fn question(client: Client) -> Value {
    match client.0 {
        "/v1/responses" => json!({"input": "Hello!"}),
        "/v1/messages" => {
            json!({"max_tokens": 9, "messages": [{"role": "user", "content": "Hello!"}]})
        }
        _ => Rig::hello(),
    }
}

/// All models answer like this.
fn limited(seconds: u64) -> Step {
    let failure = Failed::from(Failure::ProviderLimitRetryAfter);
    Step::failure(failure.retry_after(seconds.to_string()))
}

fn always(step: Step) -> Plan<Step> {
    Plan::from(step).then(PlanEnd::Last)
}

/// Asks as this client does.
async fn ask(rig: &Rig, client: Client, wrong_key: bool) -> Answer {
    let mut headers = vec![("user-agent", client.1)];
    if wrong_key {
        headers.push(("authorization", "Bearer wrong"));
    }
    let body = question(client).to_string();
    rig.send("POST", client.0, &headers, body).await
}
