//! Whatever a client of another API sends, or the upstream answers: what is accepted is a chat
//! completion request, and what is answered is complete events of JSON.
#![no_main]

use bytes::Bytes;
use free_llm_proxy::request::ChatRequest;
use free_llm_proxy::surface::{EXTRA_DEPTH, Ids, Reply, Surface, messages, responses};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn request(body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    for translated in [responses::read(&body, 64), messages::read(&body, 64)]
        .into_iter()
        .flatten()
    {
        let chat = ChatRequest::read(translated.chat, 64 + EXTRA_DEPTH);
        assert!(chat.is_ok(), "{chat:?}");
    }
    let _ = messages::count_tokens(&body, 64);
    let error = Surface::Messages.error(500, &body, "id");
    serde_json::from_slice::<Value>(&error).expect("an error is JSON");
}

fn replies() -> [Reply; 2] {
    let tools = r#"{"input":"x","include":["reasoning.encrypted_content"],"tools":[{"type":"custom","name":"f"}]}"#;
    let thinking = r#"{"messages":[],"thinking":{"type":"adaptive"}}"#;
    [
        responses::read(&Bytes::from(tools), 9).expect("good").reply,
        messages::read(&Bytes::from(thinking), 9)
            .expect("good")
            .reply,
    ]
}

/// Each line is an event's payload.
fn answer(body: &[u8]) {
    let ids = Ids {
        id: "1".to_owned(),
        created: 1,
    };
    for reply in replies() {
        if let Ok(plain) = reply.plain(body, &ids) {
            // Half a surrogate pair passes through unchanged, and serde does not accept it as a
            // string.
            let _ = serde_json::from_slice::<Value>(&plain);
        }
        let mut stream = reply.stream(ids.clone());
        let mut out = Vec::new();
        for payload in body.split(|b| *b == b'\n') {
            let _ = stream.event(payload, &mut out);
            assert!(out.is_empty() || out.ends_with(b"\n\n"));
        }
        stream.done(&mut out);
        let text = std::str::from_utf8(&out).expect("it is text");
        for frame in text.trim_end().split("\n\n") {
            assert!(frame.starts_with("event: ") && frame.contains("\ndata: {"));
        }
    }
}

fuzz_target!(|body: &[u8]| {
    request(body);
    request(&[br#"{"input":["#.as_slice(), body, b"]}"].concat());
    request(
        &[
            br#"{"messages":[{"role":"user","content":["#.as_slice(),
            body,
            b"]}]}",
        ]
        .concat(),
    );
    request(
        &[
            br#"{"messages":[{"role":"assistant","content":["#.as_slice(),
            body,
            b"]}]}",
        ]
        .concat(),
    );
    answer(body);
    answer(
        &[
            br#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"#
                .as_slice(),
            body,
            b"}}]}}]}",
        ]
        .concat(),
    );
    answer(
        &[
            br#"{"choices":[{"delta":{"reasoning_details":["#.as_slice(),
            body,
            b"]}}]}",
        ]
        .concat(),
    );
});
