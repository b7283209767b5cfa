//! Whose each part of the file is, after a restart with the same keys or with others.

use super::world::{World, config};

const TEAM: &str = "keys = [{ env = 'GROQ_API_KEY', account = 'team' }]\n";

#[tokio::test(start_paused = true)]
async fn s12_3_an_account_is_known_again_by_its_name_and_its_key() {
    const TWO: &str = "GROQ_API_KEY";
    const ALL: &str = "day account key candidate figures";
    let before = World::new(&config(&[(TWO, "key-one-of-groq,key-two-of-groq")], ""));
    before.list();
    before.uses_up("groq#2");
    let text = before.text();
    for secret in ["key-one-of-groq", "key-two-of-groq", "a-key-of-mistral"] {
        assert!(!String::from_utf8_lossy(&text).contains(secret));
    }
    #[rustfmt::skip]
    let rows = [
        // keys now                                          groq   groq#2
        ("key-one-of-groq,key-two-of-groq",                  "",    ALL),
        ("another-key-one,key-two-of-groq",                  "",    ALL),
        ("key-one-of-groq,another-key-two",                  "",    ""),
        // A key that has moved is another account: its label says where it was.
        ("key-two-of-groq,key-one-of-groq",                  "",    ""),
    ];
    for (keys, first, second) in rows {
        let after = World::new(&config(&[(TWO, keys)], "")).takes(&text);
        after.list();
        assert_eq!(
            [after.knows("groq"), after.knows("groq#2")],
            [first, second],
            "{keys}"
        );
        assert_eq!(after.knows("mistral"), "");
        assert_eq!(
            after.knows_of_model(),
            "true 1 1 Some(8192)",
            "it is the model's"
        );
    }
    let none = World::new(&config(&[], "")).takes(&text);
    let kept = String::from_utf8(none.text()).unwrap();
    assert!(!kept.contains("groq"), "of nobody who is on: {kept}");
}

#[tokio::test(start_paused = true)]
async fn s12_3_one_of_several_keys_is_known_again_wherever_it_stands() {
    let keys = |keys| config(&[("GROQ_API_KEY", keys)], TEAM);
    let before = World::new(&keys("key-one-of-groq,key-two-of-groq"));
    before.list();
    before.uses_up("team");
    #[rustfmt::skip]
    let rows = [
        ("key-one-of-groq,key-two-of-groq",               "day account key candidate figures"),
        ("key-one-of-groq,another-key-99,key-two-of-groq", "day account key candidate figures"),
        ("key-one-of-groq,another-key-two",               "day account candidate figures"),
        ("another-key-one,key-two-of-groq",               ""),
    ];
    let text = before.text();
    for (now, expected) in rows {
        let after = World::new(&keys(now)).takes(&text);
        after.list();
        assert_eq!(after.knows("team"), expected, "{now}");
    }
}

#[tokio::test(start_paused = true)]
async fn s12_3_what_is_taken_over_is_what_was_written() {
    let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
    let before = World::new(&config);
    before.list();
    before.uses_up("groq");
    let text = before.text();
    let after = World::new(&config).takes(&text);
    let again = |text: &[u8]| {
        let (_, json) = std::str::from_utf8(text).unwrap().split_once('\n').unwrap();
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["written_at_ms"].take();
        // The order of what is known of one moment is nobody's concern.
        for list in ["rests", "lessons"] {
            let list = json["known"]["rests"][list].as_array_mut().unwrap();
            list.sort_by_key(ToString::to_string);
        }
        json["known"]["ledger"]["running_ns"].take();
        json["known"]["learnt"][0][1]["at_ms"].take();
        json["known"]["learnt"][0][1]["breaks_at_ms"].take();
        json["known"]["learnt"][0][1]["found_ms"].take();
        json
    };
    assert_eq!(again(&after.text()), again(&text));
}
