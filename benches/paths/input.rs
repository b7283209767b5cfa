//! What clients and providers send.

use bytes::Bytes;
use serde_json::{Value, json};

/// Prose and code as in conversations, with quotes, escapes and other alphabets.
const TEXT: &str = "Please look at `src/lib.rs`, line 42: the \"naïve\" retry loop never ends.\n\
    \tfn wait(left: Duration) -> bool { left > Duration::ZERO } // größer als null\n\
    Ответ сервера: 429 Too Many Requests; 稍后再试 → then \\ try the next one. ";

/// A coding agent's request of about this many bytes: tools, and a conversation with files in it.
pub(super) fn body(bytes: usize) -> String {
    let tool = json!({"type": "function", "function": {
        "name": "read_file", "description": "Reads a file and returns its lines",
        "parameters": {"type": "object", "required": ["path"], "properties": {
            "path": {"type": "string", "description": "Absolute path of the file"},
        }},
    }});
    let mut messages = vec![json!({"role": "system", "content": "You are a coding agent."})];
    let mut left = bytes.saturating_sub(600);
    while left > 0 {
        let file = messages.len() % 3 == 0;
        let size = left.min(if file { 8192 } else { 700 });
        let times = size.div_ceil(TEXT.len() + 12);
        messages.push(json!({"role": "user", "content": TEXT.repeat(times)}));
        left -= size;
    }
    json!({
        "model": "auto", "stream": true, "temperature": 0.2, "tools": [tool],
        "messages": messages, "tool_choice": "auto",
    })
    .to_string()
}

/// A request of one message of at least so many bytes.
pub(super) fn message(bytes: usize) -> String {
    let content = TEXT.repeat(bytes.div_ceil(TEXT.len()));
    json!({"model": "auto", "messages": [{"role": "user", "content": content}]}).to_string()
}

/// The events of a streamed answer: this many with content, then the end.
pub(super) fn events(count: usize) -> Vec<Bytes> {
    let event = |content: &str, finish: Value| {
        let chunk = json!({
            "id": "gen-1790000000-abcdefghij0123456789", "object": "chat.completion.chunk",
            "created": 1_790_000_000, "model": "maker/model:free", "provider": "SomeHost",
            "choices": [{
                "index": 0, "delta": {"role": "assistant", "content": content},
                "finish_reason": finish, "native_finish_reason": finish, "logprobs": null,
            }],
        });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut events = vec![event(" the loop waits", Value::Null); count];
    events.push(event("", json!("stop")));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

/// A provider's 429 as OpenRouter passes it on.
pub(super) const RATE_LIMITED: &[u8] = br#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"maker/model:free is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate your rate limits: https://openrouter.ai/settings/integrations","provider_name":"SomeHost","is_byok":false,"retry_after_seconds":30}},"user_id":"user_2abcdefghij"}"#;

/// A request in the words of OpenAI's Responses.
pub(super) const RESPONSES: &str = r#"{"model":"auto","stream":true,"input":"Hello!"}"#;

/// A request in the words of Anthropic's Messages.
pub(super) const MESSAGES: &str = r#"{"model":"auto","stream":true,"max_tokens":1000,"messages":[{"role":"user","content":"Hello!"}]}"#;
