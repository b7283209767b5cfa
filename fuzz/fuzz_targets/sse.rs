//! The same events come out wherever the bytes are split, nothing is lost, and no event is larger
//! than its limit.
#![no_main]

use bytes::Bytes;
use free_llm_proxy::sse::{Data, Event, Framer};
use libfuzzer_sys::fuzz_target;

/// The events of a stream that arrives in these chunks, and whether its size ended it.
fn events<'a>(chunks: impl Iterator<Item = &'a [u8]>, limit: usize) -> (Vec<Event>, bool) {
    let mut framer = Framer::new(limit);
    let mut events = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        loop {
            match framer.next() {
                Ok(Some(event)) => {
                    assert!(event.raw.len() <= limit);
                    events.push(event);
                }
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    events.extend(framer.finish());
    (events, false)
}

fn meaning(events: &[Event]) -> Vec<Data<'_>> {
    let data = events.iter().map(Event::data);
    data.filter(|data| *data != Data::None).collect()
}

fuzz_target!(|data: &[u8]| {
    // The first byte says where to cut, the second how large an event may be.
    let [cut, limit, stream @ ..] = data else {
        return;
    };
    let step = usize::from(*cut) + 1;
    let large = 1 << 20;
    let (whole, _) = events(std::iter::once(stream), large);
    let (pieces, _) = events(stream.chunks(step), large);
    assert_eq!(meaning(&whole), meaning(&pieces));
    let (bytes, _) = events(stream.chunks(1), large);
    assert_eq!(meaning(&whole), meaning(&bytes));
    // Nothing is lost and nothing invented, except the blank line that ends an unfinished event.
    for events in [&whole, &pieces, &bytes] {
        let joined: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).collect();
        let common = joined.len().min(stream.len());
        assert_eq!(joined[..common], stream[..common]);
        let (rest, added) = (&stream[common..], &joined[common..]);
        assert!(rest.trim_ascii().is_empty(), "lost: {rest:?}");
        assert!(
            added.is_empty() || b"\n\n".ends_with(added),
            "made up: {added:?}"
        );
    }
    // Too small a limit ends the stream; up to there the events are the same.
    let (small, too_large) = events(stream.chunks(step), usize::from(*limit));
    let small = meaning(&small);
    let whole = meaning(&whole);
    assert!(small.len() <= whole.len());
    assert_eq!(small[..], whole[..small.len()]);
    assert!(too_large || small == whole);
});
