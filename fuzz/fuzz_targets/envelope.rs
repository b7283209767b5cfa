//! Whatever a request contains goes upstream byte for byte, except `model`, `models` and `route`.
#![no_main]

use bytes::Bytes;
use free_llm_proxy::json::Members;
use free_llm_proxy::model::ModelId;
use free_llm_proxy::request::ChatRequest;
use http_body::Body as _;
use libfuzzer_sys::fuzz_target;

const DEPTH: usize = 128;

/// The members, by name and as written.
fn members(text: &[u8]) -> Vec<(String, String)> {
    let mut members = Members::open(text, DEPTH)
        .expect("JSON")
        .expect("an object");
    let mut all = Vec::new();
    while let Some(member) = members.next().expect("JSON") {
        all.push((member.key.into_owned(), member.value.text().to_owned()));
    }
    all
}

fn check(body: &[u8]) {
    let bytes = Bytes::copy_from_slice(body);
    let Ok(request) = ChatRequest::read(bytes, DEPTH) else {
        return;
    };
    let id = ModelId::try_from("maker/model:free").expect("an id");
    let mut sent = request.body_as_it_came(&id);
    let promised = sent.size_hint().exact();
    let mut upstream = Vec::new();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while let std::task::Poll::Ready(Some(Ok(frame))) =
        std::pin::Pin::new(&mut sent).poll_frame(&mut context)
    {
        upstream.extend_from_slice(&frame.into_data().expect("data"));
    }
    assert_eq!(promised, Some(upstream.len() as u64));
    let kept = |all: Vec<(String, String)>| -> Vec<_> {
        let ours = ["model", "models", "route"];
        all.into_iter()
            .filter(|(key, _)| !ours.contains(&key.as_str()))
            .collect()
    };
    let after = members(&upstream);
    let model: Vec<_> = after.iter().filter(|(key, _)| key == "model").collect();
    assert_eq!(model.len(), 1);
    assert_eq!(model[0].1, "\"maker/model:free\"");
    assert!(
        after
            .iter()
            .all(|(key, _)| key != "models" && key != "route")
    );
    assert_eq!(kept(after), kept(members(body)));
}

fuzz_target!(|body: &[u8]| {
    check(body);
    // Random bytes are seldom a request: the same inside of one.
    check(
        &[
            br#"{"messages":[{"role":"user","content":"x"}],"#.as_slice(),
            body,
            b"}",
        ]
        .concat(),
    );
    check(
        &[
            br#"{"route":0,"#.as_slice(),
            body,
            br#","messages":[],"models":[1]}"#,
        ]
        .concat(),
    );
});
