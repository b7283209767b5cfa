//! What the file may say of clients (spec §13).

use super::*;

#[test]
fn s13_the_clients_of_a_file() {
    let text = r#"[[clients]]
name = "alice"
key = { env = "ALICE_KEY" }
[[clients]]
name = "ci"
key = { file = "/run/secrets/ci" }
limits = [{ requests = 100, per = "day", ends = "utc" }, { at_once = 2 }]
models = ["groq/*", "*:free"]
admin = true
[[clients]]
name = "bob"
"#;
    let file = read(text.as_bytes()).unwrap();
    let [alice, ci, bob] = &file.clients[..] else {
        panic!("{file:?}");
    };
    assert_eq!(
        (alice.name.as_str(), alice.line, alice.admin),
        ("alice", 1, false)
    );
    assert_eq!(alice.key, Some(KeySource::Env("ALICE_KEY".to_owned())));
    assert!(alice.limits.is_empty() && alice.models.is_empty());
    assert_eq!((ci.name.as_str(), ci.line, ci.admin), ("ci", 4, true));
    assert_eq!(ci.key, Some(KeySource::File("/run/secrets/ci".to_owned())));
    let limits = ci
        .limits
        .iter()
        .map(|limit| (limit.amount, limit.unit, limit.per, limit.ends));
    let expected = [
        (100, Unit::Requests, Per::Day, Some(Ends::Utc)),
        (2, Unit::AtOnce, Per::Moment, None),
    ];
    assert_eq!(limits.collect::<Vec<_>>(), expected);
    assert_eq!(ci.models, ["groq/*", "*:free"]);
    assert_eq!((bob.line, &bob.key), (10, &None));
}

#[test]
fn s13_what_a_client_cannot_be() {
    const KEY: &str = "sk-Xw81PlainKey0123456789";
    let one = |rest: &str| format!("[[clients]]\nname = 'a'\n{rest}");
    #[rustfmt::skip]
    let rows = [
        ("[[clients]]\nadmin = true".to_owned(),              1, "clients",  "a name each"),
        ("[[clients]]\nname = 'Alice'".to_owned(),            2, "name",     "1 to 32 of a-z"),
        ("[[clients]]\nname = 3".to_owned(),                  2, "name",     "text in quotes"),
        ("clients = 3".to_owned(),                            1, "clients",  "list"),
        ("clients = ['a']".to_owned(),                        1, "clients",  "tables"),
        (one(&format!("key = '{KEY}'")),                      3, "key",      "named, not written here"),
        (one(&format!("api_key = '{KEY}'")),                  3, "key",      "named, not written here"),
        (one(&format!("key = {{ value = '{KEY}' }}")),        3, "key",      "named, not written here"),
        (one(&format!("key = {{ env = '{KEY}' }}")),          3, "env",      "_KEY or _TOKEN"),
        (one(&format!("key = {{ file = '{KEY}' }}")),         3, "keys",     "named, not written here"),
        (one("key = { env = 'A_KEY', file = '/x' }"),         3, "key",      "either env or file"),
        (one("key = {}"),                                     3, "key",      "either env or file"),
        (one("key = { env = 'PROXY_API_KEY' }"),              3, "env",      "clients by themselves"),
        (one("key = { env = 'GROQ_API_KEY_2' }"),             3, "env",      "groq's"),
        (one("key = { evn = 'A_KEY' }"),                      3, "evn",      "a client's key: env, file"),
        (one("models = []"),                                  3, "models",   "names none"),
        (one("models = ['a b']"),                             3, "models",   "invalid model id"),
        (one("admin = 'yes'"),                                3, "admin",    "true or false"),
        (one("limits = [{ requests = 1, per = 'day', of = 'model' }]"), 3, "of", "count all its requests"),
        (one("limits = [{ requests = 1, per = 'day', models = ['x'] }]"), 3, "models", "count all its requests"),
        (one("limits = [{ neurons = 1, per = 'day' }]"),      3, "neurons",  "count all its requests"),
        (one("limits = [{ requests = 1 }]"),                  3, "limits",   "needs its window"),
        (one("limit = []"),                                   3, "limit",    "did you mean `limits`?"),
        (one("[[clients]]\nname = 'a'"),                      3, "a",        "two clients"),
    ];
    for (text, line, named, sentence) in rows {
        let found = read(text.as_bytes()).unwrap_err();
        let mistake = found.first().unwrap();
        assert_eq!(
            (mistake.line, mistake.named.as_str()),
            (line, named),
            "{text}: {found:?}"
        );
        assert!(mistake.sentence.contains(sentence), "{text}: {mistake}");
        assert!(!mistake.to_string().contains("Xw81"), "{mistake}");
    }
}
