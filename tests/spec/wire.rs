//! Raw bytes: what no HTTP library would send, and the answers found in what comes back.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::rig::{Answer, PROXY_KEY};

/// A POST of a chat request up to its body, with the right key and these further header lines.
pub fn chat_head(headers: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: proxy.test\r\nAuthorization: Bearer {PROXY_KEY}\r\n{headers}\r\n"
    )
}

/// Sends these bytes, and reads until the proxy closes. It may close before all is sent.
pub async fn say(mut socket: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Vec<u8> {
    drop(socket.write_all(bytes).await);
    rest(&mut socket).await
}

/// Reads until the proxy closes. A reset after an answer is still an answer.
pub async fn rest(socket: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut said = Vec::new();
    drop(socket.read_to_end(&mut said).await);
    said
}

/// The complete answers among the bytes of a connection.
pub fn answers(mut said: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !said.is_empty() {
        let (answer, rest) = first(said);
        answers.push(answer);
        said = rest;
    }
    answers
}

/// The one answer that a connection brought.
pub fn only(said: &[u8]) -> Answer {
    let mut answers = answers(said);
    assert_eq!(
        answers.len(),
        1,
        "one answer in {}",
        String::from_utf8_lossy(said)
    );
    answers.remove(0)
}

/// The first answer, and what follows it.
fn first(said: &[u8]) -> (Answer, &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let lossy = || String::from_utf8_lossy(said);
    let length = match head.parse(said) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => panic!("half a head: {}", lossy()),
        Err(_) => panic!("no HTTP: {}", lossy()),
    };
    let mut map = http::HeaderMap::new();
    for header in head.headers.iter() {
        let name: http::HeaderName = header.name.parse().unwrap();
        map.append(name, http::HeaderValue::from_bytes(header.value).unwrap());
    }
    let (_, after) = said.split_at(length);
    let declared = map.get("content-length").map(|v| v.to_str().unwrap());
    let (body, rest) = match declared.map(|length| length.parse().unwrap()) {
        Some(length) if length <= after.len() => {
            let (body, rest) = after.split_at(length);
            (body.to_vec(), rest)
        }
        Some(_) => panic!("half a body: {}", lossy()),
        None if map.contains_key("transfer-encoding") => chunked(after),
        None => (Vec::new(), after),
    };
    let answer = Answer {
        status: head.code.unwrap(),
        headers: map,
        body: Bytes::from(body),
    };
    (answer, rest)
}

/// The body in these chunks, and what follows the last.
fn chunked(mut said: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(said) else {
            panic!("half a chunk: {}", String::from_utf8_lossy(said));
        };
        let size = usize::try_from(size).unwrap();
        let chunk = said.get(line..line + size).expect("a whole chunk");
        body.extend_from_slice(chunk);
        said = said.get(line + size + 2..).expect("a chunk's line end");
        if size == 0 {
            return (body, said);
        }
    }
}

impl Answer {
    /// Checks that it is one of the proxy's own errors: the usual shape, with this status and code,
    /// the type that the table of spec §3 gives that code, and a sentence in it.
    #[track_caller]
    pub fn is_error(&self, status: u16, code: &str) {
        let kind = match code {
            "missing_api_key" | "invalid_api_key" => "authentication_error",
            "account_rate_limited" | "client_rate_limited" => "rate_limit_error",
            "not_allowed" => "permission_error",
            "upstream_auth_error" => "proxy_misconfiguration",
            _ if status < 500 => "invalid_request_error",
            _ => "server_error",
        };
        let body = self.json();
        let keys = |value: &serde_json::Value| -> Vec<String> {
            let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        let error = &body["error"];
        assert_eq!(
            (self.status, error["code"].as_str(), error["type"].as_str()),
            (status, Some(code), Some(kind)),
            "{self:?}"
        );
        assert_eq!(keys(&body), ["error"], "{self:?}");
        let (own, more): (Vec<_>, Vec<_>) = keys(error)
            .into_iter()
            .partition(|key| key != "attempts" || code != "all_models_unavailable");
        assert_eq!(own, ["code", "message", "param", "type"], "{self:?}");
        assert!(more.len() <= 1, "{self:?}");
        let message = error["message"].as_str().unwrap();
        assert!(message.len() > 10, "a sentence: {self:?}");
        assert!(error["param"].is_null() || error["param"].is_string());
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
    }
}
