use proptest::prelude::*;

use super::*;

/// All events of a stream that arrives in the given chunks.
fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut framer = Framer::new(1 << 20);
    let mut all = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = framer.next().unwrap() {
            all.push(event);
        }
    }
    all.extend(framer.finish());
    all
}

fn payloads(events: &[Event]) -> Vec<String> {
    let text = |e: &Event| match e.data() {
        Data::None => None,
        Data::Done => Some("DONE".to_owned()),
        Data::Payload(data) => Some(String::from_utf8_lossy(&data).into_owned()),
    };
    events.iter().filter_map(text).collect()
}

#[test]
fn s5_events_are_separated_in_every_framing() {
    #[rustfmt::skip]
    let rows: &[(&[u8], &[&str])] = &[
        (b"data: {\"a\":1}\n\ndata: [DONE]\n\n",         &["{\"a\":1}", "DONE"]),
        (b"data: x\r\n\r\ndata: [DONE]\r\n\r\n",         &["x", "DONE"]),
        (b"data: x\r\rdata: y\r\r",                      &["x", "y"]),
        (b"data:x\n\ndata:[DONE]\n\n",                   &["x", "DONE"]),
        (b": OPENROUTER PROCESSING\n\ndata: x\n\n",      &["x"]),
        (b": a comment\ndata: x\n\n",                    &["x"]),
        (b"event: message\nid: 7\ndata: x\nretry: 1\n\n", &["x"]),
        (b"data: {\"a\":\ndata: 1}\n\n",                 &["{\"a\":\n1}"]),
        (b"\xef\xbb\xbfdata: x\n\n",                     &["x"]),
        (b"\n\n\ndata: x\n\n",                           &["x"]),
        (b"data: x\n\n\n\n",                             &["x"]),
        (b"event: ping\ndata: \n\ndata:\n\ndata\n\ndata: x\n\n", &["x"]),
        (b"database: x\n\n",                             &[]),
        (b"data: [DONE]\n",                              &["DONE"]),
        (b"data: [DONE]",                                &["DONE"]),
        (b"data: x\n\ndata: {\"cut\":",                  &["x", "{\"cut\":"]),
        (b"",                                            &[]),
    ];
    for (stream, expected) in rows {
        assert_eq!(
            payloads(&events([*stream])),
            *expected,
            "{}",
            String::from_utf8_lossy(stream)
        );
    }
}

#[test]
fn s6_an_event_past_the_limit_is_an_error_before_it_is_whole() {
    let mut framer = Framer::new(10);
    framer.push(Bytes::from_static(b"data: 1\n\ndata: 123456789"));
    assert!(framer.next().unwrap().is_some());
    assert_eq!(framer.next(), Err(EventTooLarge { limit: 10 }));
    let mut framer = Framer::new(9);
    framer.push(Bytes::from_static(b"data: 1\n\n"));
    assert!(framer.next().unwrap().is_some(), "the limit itself passes");
}

#[test]
fn a_chunk_of_whole_events_is_not_copied() {
    let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\n");
    let mut framer = Framer::new(100);
    framer.push(chunk.clone());
    let first = framer.next().unwrap().unwrap();
    let second = framer.next().unwrap().unwrap();
    assert_eq!(first.raw.as_ptr(), chunk.as_ptr());
    assert_eq!(second.raw.as_ptr(), chunk.slice(9..).as_ptr());
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("data: {\"x\":\"é€😀\"}".to_owned()),
        Just("data: [DONE]".to_owned()),
        Just(": comment".to_owned()),
        Just(String::new()),
        Just(String::new()),
        "[a-z :]{0,8}",
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let ending = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    (prop::collection::vec(line(), 0..20), ending).prop_map(|(lines, ending)| {
        lines
            .iter()
            .flat_map(|l| [l.as_str(), ending])
            .collect::<String>()
            .into_bytes()
    })
}

proptest! {
    /// Promise 12: the same events, and the same bytes, wherever the stream is cut.
    #[test]
    fn splits_change_nothing(stream in stream(), mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let mut at: Vec<usize> = cuts.drain(..).map(|i| i.index(stream.len() + 1)).chain([0, stream.len()]).collect();
        at.sort_unstable();
        let chunks = at.windows(2).map(|w| &stream[w[0]..w[1]]);
        let whole = events([stream.as_slice()]);
        let cut = events(chunks);
        prop_assert_eq!(payloads(&cut), payloads(&whole));
        let bytes = |events: &[Event]| events.iter().flat_map(|e| e.raw.to_vec()).collect::<Vec<u8>>();
        prop_assert!(bytes(&cut).starts_with(stream.trim_ascii_end()));
        prop_assert!(bytes(&whole).starts_with(stream.trim_ascii_end()));
    }
}
