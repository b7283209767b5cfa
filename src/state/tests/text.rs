//! The text of the file, whatever has become of it.

use proptest::prelude::*;

use super::world::{SALT, World, config};
use crate::clock::Now;
use crate::learnt::Salt;
use crate::state::form::{Form, MARK, MOST_BYTES, Unreadable};

#[tokio::test(start_paused = true)]
async fn s12_3_a_text_that_is_cut_anywhere_is_damaged_and_never_half_believed() {
    let world = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], ""));
    world.list();
    world.uses_up("groq");
    let text = world.text();
    // Only the last line's end may be missing.
    for end in 0..text.len() - 1 {
        let read = Form::read(&text[..end]).map(|_| ());
        assert!(
            matches!(read, Err(Unreadable::Damaged { .. })),
            "{end}: {read:?}"
        );
    }
    #[rustfmt::skip]
    let rows: [(&str, &str); 8] = [
        ("free-llm-proxy state 2\n{}",            "was written by a newer version (2)"),
        ("free-llm-proxy state 4294967295\n",     "was written by a newer version (4294967295)"),
        ("free-llm-proxy state 4294967296\n{}",   "is damaged (line 1, column 22)"),
        ("free-llm-proxy state 0\n{}",            "is damaged (line 1, column 22)"),
        ("free-llm-proxy state -1\n{}",           "is damaged (line 1, column 22)"),
        ("free-llm-proxy state 1\nnull",          "is damaged"),
        ("free-llm-proxy state 1\n{\"salt\":1}",  "is damaged"),
        ("free-llm-proxy state 1\n[[[[[[[[",      "is damaged"),
    ];
    for (text, expected) in rows {
        let told = Form::read(text.as_bytes()).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
    let large = [MARK, &vec![b' '; 17 << 20]].concat();
    assert_eq!(Form::read(&large).unwrap_err(), Unreadable::TooLarge);
}

#[test]
fn s12_5_a_history_is_kept_as_it_stands() {
    let text = b"free-llm-proxy state 1\n{\"written_at_ms\":1,\"salt\":\"000102030405060708090a0b0c0d0e0f\",\
                 \"accounts\":[],\"known\":{\"rests\":{\"rests\":[],\"lessons\":[]},\
                 \"ledger\":{\"running_ns\":0,\"buckets\":[],\"ratios\":[]},\"learnt\":[]},\
                 \"history\":{ \"days\" : [1.0] }}\n";
    assert_eq!(Form::read(text).unwrap().text().unwrap(), text);
}

#[tokio::test(start_paused = true)]
async fn s12_3_what_is_written_can_be_read_whatever_there_is() {
    let world = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], ""));
    world.list();
    world.uses_up("groq");
    let written = |history: usize| {
        let (lasting, now) = world.registry.export();
        let history = serde_json::value::to_raw_value(&"h".repeat(history)).unwrap();
        let form = Form::of(lasting, &world.roll, Salt::new(SALT), Some(history), now);
        form.text().unwrap()
    };
    let most = usize::try_from(MOST_BYTES).unwrap();
    let beside = written(0).len();
    #[rustfmt::skip]
    let rows = [
        // bytes of history      with learnt figures, with history
        (1,                      true,  true),
        (most - beside - 64,     true,  true),
        (most - beside + 64,     false, true),
        (most,                   false, false),
    ];
    for (bytes, has_learnt, has_history) in rows {
        let text = written(bytes);
        let mut form = Form::read(&text).unwrap();
        assert_eq!(form.take_history().is_some(), has_history, "{bytes}");
        let after = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], "")).takes(&text);
        after.list();
        let knows = after.knows("groq");
        assert!(knows.starts_with("day account"), "{bytes}: {knows}");
        assert_eq!(knows.contains("figures"), has_learnt, "{bytes}: {knows}");
    }
}

proptest! {
    /// What a disk or a hand may do to it.
    #[test]
    fn s12_3_a_changed_text_is_read_or_refused(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let world = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], ""));
        world.list();
        world.uses_up("groq");
        let mut text = world.text();
        for (place, byte) in changes {
            let place = place % text.len();
            text[place] = byte;
        }
        if let Ok(form) = Form::read(&text) {
            let (lasting, written_at) = form.lasting(&world.roll);
            let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
            let after = World::new(&config);
            after.registry.merge(lasting, written_at, Now::read());
            after.list();
            after.knows("groq");
        }
    }
}
