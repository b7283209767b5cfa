//! Whatever a client sends, every provider gets JSON with each field once, and not much larger;
//! whatever a provider answers, what is mended is JSON, and nothing is mended twice.
#![no_main]

use std::collections::HashSet;

use bytes::Bytes;
use free_llm_proxy::answer::Mender;
use free_llm_proxy::json::{MAX_DEPTH, Raw};
use free_llm_proxy::model::{ModelId, Offer};
use free_llm_proxy::provider::built_in;
use free_llm_proxy::request::ChatRequest;
use free_llm_proxy::sse::{Data, Event, Framer};
use http_body::Body as _;
use libfuzzer_sys::fuzz_target;

fn requests(body: &[u8]) {
    let Ok(request) = ChatRequest::read(Bytes::copy_from_slice(body), 128) else {
        return;
    };
    let id = ModelId::try_from("maker/model").expect("an id");
    for row in built_in() {
        let offer = Offer {
            provider: row.id.clone(),
            max_output: Some(1000),
            ..Offer::at_openrouter(id.clone())
        };
        let (mut sent, _) = request.body_for(&offer, offer.capabilities, &row.fields, &[]);
        let promised = sent.size_hint().exact();
        let mut went = Vec::new();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while let std::task::Poll::Ready(Some(Ok(frame))) =
            std::pin::Pin::new(&mut sent).poll_frame(&mut context)
        {
            went.extend_from_slice(&frame.into_data().expect("data"));
        }
        assert_eq!(promised, Some(went.len() as u64));
        assert!(went.len() <= 24 * body.len() + 200);
        let went = Raw::parse(&went, MAX_DEPTH).expect("JSON");
        let names: Vec<_> = went.members().map(|(name, _)| name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert_eq!(went.get("model").map(Raw::text), Some("\"maker/model\""));
        let status = if body.len() % 2 == 0 { 400 } else { 422 };
        let _ = request.refused_field(status, body, &row.fields);
    }
}

fn answers(body: &[u8]) {
    let bytes = Bytes::copy_from_slice(body);
    let plain = Mender::new("0a").plain(bytes.clone());
    assert_eq!(Mender::new("0a").plain(plain.clone()), plain);
    if Raw::parse(body, MAX_DEPTH).is_ok() {
        Raw::parse(&plain, MAX_DEPTH).expect("JSON");
    }
    let mut framer = Framer::new(usize::MAX);
    framer.push(bytes);
    let mut mender = Mender::new("0a");
    while let Ok(Some(event)) = framer.next() {
        let mended = mender.event(event.clone());
        if let (Data::Payload(before), Data::Payload(after)) = (event.data(), mended.data())
            && Raw::parse(&before, MAX_DEPTH).is_ok()
        {
            Raw::parse(&after, MAX_DEPTH).expect("JSON");
        }
    }
    if let Some(Event { raw }) = mender.done() {
        assert!(raw.ends_with(b"\n\n"));
    }
}

fuzz_target!(|body: &[u8]| {
    requests(body);
    answers(body);
});
