//! The bytes of answers, made once and sent many times.

use serde_json::{Value, json};

use super::documents;

/// What every event holds in front of its text: when it was sent. Twenty digits, so that any
/// moment fits and the place never moves.
pub(crate) const STAMP: &str = "@00000000000000000000";

/// A whole answer with this body.
pub(super) fn whole(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\n\
         Content-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The plain completion.
pub(crate) fn completion() -> Value {
    json!({
        "id": "gen-1790000000-benchbenchbenchbench", "object": "chat.completion",
        "created": 1_790_000_000, "model": documents::BEST, "provider": "Bench",
        "system_fingerprint": null,
        "choices": [{
            "index": 0, "logprobs": null, "finish_reason": "stop", "native_finish_reason": "stop",
            "message": {
                "role": "assistant", "refusal": null, "reasoning": null,
                "content": "The retry loop never ends because `left` is never lowered.",
            },
        }],
        "usage": {"prompt_tokens": 300, "completion_tokens": 14, "total_tokens": 314, "cost": 0},
    })
}

/// What a rate-limited model says: no rest is asked for, so the next request meets it again.
pub(super) fn rate_limited() -> Vec<u8> {
    let body = json!({
        "error": {"message": "Provider returned error", "code": 429, "metadata": {
            "raw": format!("{} is temporarily rate-limited upstream. Please retry shortly.", documents::LIMITED),
            "provider_name": "Bench", "is_byok": false,
        }},
        "user_id": "user_bench",
    });
    let headers = "Retry-After: 0\r\n";
    whole("429 Too Many Requests", headers, &body.to_string())
}

/// The head of a streamed answer.
pub(super) const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";

/// One event as one HTTP chunk, its stamp still to be set.
#[derive(Clone, Debug)]
pub(super) struct Event {
    bytes: Vec<u8>,
    stamp_at: usize,
}

impl Event {
    /// An event with so much text.
    pub(super) fn new(text_bytes: usize) -> Self {
        let text: String = " the loop waits".chars().cycle().take(text_bytes).collect();
        let choice = json!({
            "index": 0, "finish_reason": null, "native_finish_reason": null, "logprobs": null,
            "delta": {"role": "assistant", "content": format!("{STAMP}{text}")},
        });
        let bytes = chunk(&event(&choice, &Value::Null));
        let stamp_at = memchr::memchr(b'@', &bytes).unwrap_or_default() + 1;
        Self { bytes, stamp_at }
    }

    /// Its bytes, sent at this moment.
    pub(super) fn stamped(&mut self, now: u64) -> &[u8] {
        let digits = format!("{now:020}");
        let place = self.stamp_at..self.stamp_at + digits.len();
        if let Some(place) = self.bytes.get_mut(place) {
            place.copy_from_slice(digits.as_bytes());
        }
        &self.bytes
    }
}

/// The end of a streamed answer: finish reason and usage, `[DONE]`, the last chunk.
pub(super) fn stream_end() -> Vec<u8> {
    let choice = json!({
        "index": 0, "finish_reason": "stop", "native_finish_reason": "stop", "logprobs": null,
        "delta": {"role": "assistant", "content": ""},
    });
    let usage = json!({"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320});
    let mut end = chunk(&event(&choice, &usage));
    end.extend_from_slice(&chunk("data: [DONE]\n\n"));
    end.extend_from_slice(b"0\r\n\r\n");
    end
}

fn event(choice: &Value, usage: &Value) -> String {
    let mut event = json!({
        "id": "gen-1790000000-benchbenchbenchbench", "object": "chat.completion.chunk",
        "created": 1_790_000_000, "model": documents::BEST, "provider": "Bench",
        "choices": [choice],
    });
    if !usage.is_null() {
        event["usage"] = usage.clone();
    }
    format!("data: {event}\n\n")
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_set_in_its_place() {
        let mut event = Event::new(10);
        let bytes = event.stamped(1_234).to_vec();
        let text = String::from_utf8(bytes).expect("text");
        assert!(
            text.contains(r#""@00000000000000001234 the loop ""#),
            "{text}"
        );
        let body = text.split("\r\n").nth(1).expect("a chunk");
        let length = text.split("\r\n").next().expect("a size");
        assert_eq!(usize::from_str_radix(length, 16), Ok(body.len()));
    }

    #[test]
    fn a_plain_answer_is_about_500_bytes() {
        let bytes = completion().to_string().len();
        assert!((400..600).contains(&bytes), "{bytes}");
    }
}
