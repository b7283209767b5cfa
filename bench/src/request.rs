//! Requests as a coding agent sends them: a long system prompt, tools, a conversation with file
//! contents, some of it not ASCII.

use serde_json::{Value, json};

use crate::script::Script;

/// Prose and code as in conversations, with quotes, escapes and other alphabets.
const TEXT: &str = "Please look at `src/lib.rs`, line 42: the \"naïve\" retry loop never ends.\n\
    \tfn wait(left: Duration) -> bool { left > Duration::ZERO } // größer als null\n\
    Ответ сервера: 429 Too Many Requests; 稍后再试 → then \\ try the next one. ";

/// The API that a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Responses,
    Messages,
}

impl Api {
    pub(crate) const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    /// The path at our proxy; `None` for the API that all targets have, each at its own path.
    pub(crate) fn path(self) -> Option<&'static str> {
        match self {
            Self::Chat => None,
            Self::Responses => Some("/v1/responses"),
            Self::Messages => Some("/v1/messages"),
        }
    }

    /// The body of a request of about `bytes` bytes that asks for this answer.
    pub(crate) fn body(self, script: &Script, bytes: usize) -> String {
        let system = format!("{script} You are a coding agent. Answer in short.");
        let said = json!([{"role": "user", "content": text(bytes.saturating_sub(300))}]);
        let stream = script.chunks > 0;
        let (words, said) = match self {
            Self::Chat => return body(script, bytes),
            Self::Responses => ("instructions", json!({"input": said})),
            Self::Messages => ("system", json!({"max_tokens": 1000, "messages": said})),
        };
        let mut whole = json!({"model": "auto", "stream": stream, words: system});
        if let (Some(whole), Value::Object(said)) = (whole.as_object_mut(), said) {
            whole.extend(said);
        }
        whole.to_string()
    }
}

/// The body of a chat completion request of about `bytes` bytes that asks for this answer.
pub(crate) fn body(script: &Script, bytes: usize) -> String {
    let fixed = write(script, &[], bytes >= 4096);
    let mut left = bytes.saturating_sub(fixed.len());
    let mut messages = Vec::new();
    while left > 0 {
        // An agent's turns: most are short, and some hold a file of 8 KB.
        let size = left.min(if messages.len() % 3 == 2 { 8192 } else { 700 });
        let role = if messages.len() % 2 == 0 {
            "user"
        } else {
            "assistant"
        };
        messages.push(json!({"role": role, "content": text(size.saturating_sub(40))}));
        left -= size;
    }
    write(script, &messages, bytes >= 4096)
}

fn write(script: &Script, messages: &[Value], with_tools: bool) -> String {
    let system = format!("{script} You are a coding agent. Answer in short.");
    let system = json!({"role": "system", "content": system});
    let all: Vec<&Value> = std::iter::once(&system).chain(messages).collect();
    // By hand, so that model and messages come first whatever order serde_json chooses.
    let mut body = format!(
        r#"{{"model":"auto","messages":{},"stream":{},"temperature":0.2"#,
        json!(all),
        script.chunks > 0
    );
    if with_tools {
        body.push_str(&format!(
            r#","tools":{},"tool_choice":"auto""#,
            json!(tools())
        ));
    }
    body.push('}');
    body
}

fn tools() -> Vec<Value> {
    let tool = |name: &str, says: &str| {
        json!({"type": "function", "function": {
            "name": name, "description": says,
            "parameters": {"type": "object", "required": ["path"], "properties": {
                "path": {"type": "string", "description": "Absolute path of the file"},
                "limit": {"type": "integer", "minimum": 1},
            }},
        }})
    };
    vec![
        tool("read_file", "Reads a file and returns its lines"),
        tool("edit_file", "Replaces a piece of text in a file"),
        tool("search", "Finds files by name and by content"),
    ]
}

/// About this many bytes of text, counted as JSON.
fn text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes);
    let mut written = 0;
    for c in TEXT.chars().cycle() {
        written += match c {
            '"' | '\\' | '\n' | '\t' => 2,
            c => c.len_utf8(),
        };
        if written > bytes {
            return text;
        }
        text.push(c);
    }
    text
}

/// The complete HTTP request to POST this body to `path`. `headers` has one `Name: value` per line,
/// each with its CRLF.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Accept: */*\r\nUser-Agent: bench\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_size_that_was_asked_for_and_is_json() {
        for bytes in [1024, 4096, 20_000, 200_000] {
            let body = body(&Script::PLAIN, bytes);
            let off = body.len().abs_diff(bytes);
            assert!(off * 20 < bytes, "{bytes}: {}", body.len());
            let read: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(read["stream"], false);
            assert_eq!(read["tools"].is_array(), bytes >= 4096);
        }
    }

    #[test]
    fn the_script_is_near_the_front() {
        let script = Script::stream(20, std::time::Duration::ZERO);
        let body = body(&script, 200_000);
        assert_eq!(Script::find(&body.as_bytes()[..512]), Some(script));
    }
}
