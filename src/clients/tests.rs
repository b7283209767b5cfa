use super::*;

const SENTENCE: &str = "Every model rests. The first returns in 59 min.";

#[test]
fn s3_a_client_is_recognised_by_its_surface_and_user_agent() {
    use Surface::{Chat, Completions, Messages, Responses};
    #[rustfmt::skip]
    let rows = [
        (Chat,        "QwenCode/0.24.4 (linux; x64)",                               Some("Qwen Code")),
        (Chat,        "opencode/1.18.33 ai-sdk/provider-utils/4.0.23",              Some("opencode")),
        (Responses,   "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb",            Some("Codex")),
        (Responses,   "codex_cli_rs/0.171.0 (Mac OS 15.1.0; arm64) iTerm",          Some("Codex")),
        (Messages,    "claude-cli/2.1.197 (external, cli)",                         Some("Claude Code")),
        // Another API than the one it was tried with.
        (Messages,    "QwenCode/0.24.4 (linux; x64)",                               None),
        (Chat,        "codex_exec/0.169.0",                                         None),
        (Completions, "opencode/1.18.33",                                           None),
        (Chat,        "OpenAI/Python 2.20.0",                                       None),
        (Messages,    "Anthropic/Python 2.12.0",                                    None),
        (Chat,        "curl/8.5.0 QwenCode/0.24.4",                                 None),
        (Chat,        "",                                                           None),
    ];
    for (surface, user_agent, expected) in rows {
        let found = known(surface, user_agent).map(|row| row.name);
        assert_eq!(found, expected, "{surface:?} {user_agent}");
    }
}

#[test]
fn s3_each_client_gets_the_form_that_makes_it_show_the_error() {
    let ours = r#"{"error":{"code":"invalid_api_key"}}"#;
    let wordy = r#"{"error":{"code":"account_rate_limited"}}"#;
    // What is sent for an error of ours; None: as it is.
    #[rustfmt::skip]
    let rows = [
        ("Qwen Code",   503, ours,  Some(402)),
        ("Qwen Code",   502, ours,  Some(402)),
        ("Qwen Code",   401, ours,  None),
        ("Qwen Code",   402, wordy, None),
        ("opencode",    503, wordy, Some(402)),
        ("opencode",    401, ours,  None),
        ("opencode",    402, ours,  None),
        ("opencode",    402, wordy, Some(402)),
        ("Codex",       503, ours,  Some(400)),
        ("Codex",       401, ours,  Some(400)),
        ("Codex",       402, ours,  Some(400)),
        ("Claude Code", 503, ours,  Some(402)),
        ("Claude Code", 401, ours,  Some(402)),
        ("Claude Code", 402, ours,  None),
    ];
    for (name, status, body, expected) in rows {
        let client = TABLE.iter().find(|row| row.name == name).unwrap();
        let own = Own {
            status,
            body,
            message: SENTENCE,
        };
        let retold = client.retold(&own);
        assert_eq!(
            retold.as_ref().map(|r| r.status),
            expected,
            "{name} {status}"
        );
        if let Some(retold) = retold {
            let body: serde_json::Value = serde_json::from_str(&retold.body).unwrap();
            let expected = json!({"error": {"message": SENTENCE,
                "type": "invalid_request_error", "param": null, "code": "not_retryable"}});
            assert_eq!(body, expected, "{name} {status}");
        }
    }
}

#[test]
fn s3_words_that_silence_a_client_read_the_same_and_are_not_found() {
    #[rustfmt::skip]
    let rows = [
        ("All is well, back at 00:00.",     "All is well, back at 00:00."),
        ("Try again in 7 h.",               "Try\u{a0}again in 7 h."),
        ("5 models are Rate Limited.",      "5 models are Rate\u{a0}Limited."),
        ("HTTP 429, 5000 left.",            "HTTP 4\u{2060}29, 5\u{2060}000 left."),
        ("Unavailable, unavailable.",       "U\u{2060}navailable, u\u{2060}navailable."),
        ("é 503 é",                         "é 5\u{2060}03 é"),
        ("rate_limit timeout in a timeout", "r\u{2060}ate_limit\u{a0}timeout in a\u{a0}timeout"),
    ];
    let opencode = TABLE.iter().find(|row| row.name == "opencode").unwrap();
    for (text, expected) in rows {
        let unread = words::unread(text, opencode.silenced_by);
        assert_eq!(unread, expected);
        assert!(!words::are_in(&unread, opencode.silenced_by), "{unread}");
    }
}

#[test]
fn s3_no_client_is_silenced_by_the_form_itself() {
    for client in TABLE {
        let body = client.body(SENTENCE);
        assert!(
            !words::are_in(&body, client.silenced_by),
            "{}: {body}",
            client.name
        );
        assert!(
            client.speaks_on.contains(&client.sent_as),
            "{}",
            client.name
        );
        let lower = |words: &&str| **words == words.to_ascii_lowercase();
        assert!(client.silenced_by.iter().all(lower), "{}", client.name);
    }
}
