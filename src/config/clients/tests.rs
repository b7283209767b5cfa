//! Which keys are whose.

use super::*;
use crate::config::Config;
use crate::config::sources::tests::layers;

type Set<'a> = &'a [(&'a str, &'a str)];

const UP: (&str, &str) = ("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef");

/// Each client with its keys, as `alice: one two; ci: three`, or the first problem.
fn told(set: &[(&str, &str)], file: &str) -> String {
    let lookup = |name: &str| {
        let found = set.iter().chain([&UP]).find(|(given, _)| *given == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    match Config::read_with_file(lookup, file) {
        Ok(config) => shown(&config.clients),
        Err(error) => error.problems().first().unwrap().clone(),
    }
}

fn shown(clients: &Clients) -> String {
    let one = |(at, client): (usize, &Arc<Client>)| {
        let keys = clients.keys.iter().chain(&clients.wholes);
        let own = keys.filter(|(_, whose)| *whose == at);
        let own: Vec<_> = own.map(|(key, _)| key.expose()).collect();
        let admin = if client.admin { "" } else { " (no admin)" };
        format!("{}{admin}: {}", client.name, own.join(" "))
    };
    let all: Vec<_> = clients.all.iter().enumerate().map(one).collect();
    all.join("; ")
}

#[test]
fn s13_names_stand_before_the_keys_of_the_variable() {
    #[rustfmt::skip]
    let rows = [
        ("abc",                       "default: abc"),
        (" abc , def ",               "default: abc; default#2: def"),
        ("abc,",                      "default: abc"),
        ("abc\ndef\r\n",              "default: abc; default#2: def"),
        ("'abc',\"def\"",             "default: abc; default#2: def"),
        ("export PROXY_API_KEY=abc",  "default: abc"),
        ("abc,abc",                   "default: abc"),
        ("0123456789 abcdefghij",     "default: 0123456789; default#2: abcdefghij"),
        ("alice:sk-1,ci:sk-2",        "alice: sk-1 alice:sk-1; ci: sk-2 ci:sk-2"),
        ("alice:sk-1,sk-2",           "alice: sk-1 alice:sk-1; default: sk-2"),
        ("'alice:sk-1'",              "alice: sk-1 alice:sk-1"),
        ("alice:'sk-1'",              "alice: sk-1 alice:'sk-1"),
        ("alice:sk-1,alice:sk-2",     "alice: sk-1 sk-2 alice:sk-1 alice:sk-2"),
        ("alice:a:b",                 "alice: a:b alice:a:b"),
        (":abc",                      "default: :abc"),
        ("Alice:abc",                 "default: Alice:abc"),
        ("a.b:abc",                   "default: a.b:abc"),
        ("default:abc,def",           "default: abc def default:abc"),
        ("alice:abc,default:alice:abc", "alice: abc; default: alice:abc default:alice:abc"),
        // What cannot be.
        ("",                          "PROXY_API_KEY is empty: make one up, or let `free-llm-proxy init` do it"),
        (",",                         "PROXY_API_KEY holds no key"),
        ("alice:",                    "PROXY_API_KEY has a name with no key behind its colon"),
        ("alice:abc,bob:abc",         "PROXY_API_KEY gives one key to alice and bob: each has its own"),
        ("a b",                       "PROXY_API_KEY has blanks or commas in it, and a part too short for a key: a key has none, and two keys are separated by one"),
        ("ключ",                      "PROXY_API_KEY must be visible ASCII characters, or it cannot be sent"),
        ("abc,changeme",              "PROXY_API_KEY is a placeholder: make one up, or let `free-llm-proxy init` do it"),
        ("alice:your-key-here",       "PROXY_API_KEY is a placeholder: make one up, or let `free-llm-proxy init` do it"),
    ];
    for (text, expected) in rows {
        assert_eq!(told(&[("PROXY_API_KEY", text)], ""), expected, "{text:?}");
    }
}

#[test]
fn s13_clients_of_the_file() {
    const ALICE: &str = "[[clients]]\nname = 'alice'\nkey = { env = 'ALICE_KEY' }\n";
    const DOOR: (&str, &str) = ("PROXY_API_KEY", "door-key");
    let key = ("ALICE_KEY", "alice-key");
    let default = "[[clients]]\nname = 'default'\n";
    let ci = "[[clients]]\nname = 'ci'\nadmin = true\n";
    #[rustfmt::skip]
    let rows: &[(Set<'_>, String, &str)] = &[
        (&[key],                                  ALICE.to_owned(),       "alice (no admin): alice-key"),
        (&[("PROXY_API_KEY", ""), key],           ALICE.to_owned(),       "alice (no admin): alice-key"),
        (&[DOOR, key],                            ALICE.to_owned(),       "alice (no admin): alice-key; default: door-key"),
        (&[("ALICE_KEY", "'one-key',two-key")],   ALICE.to_owned(),       "alice (no admin): one-key two-key"),
        (&[("ALICE_KEY", "a:b")],                 ALICE.to_owned(),       "alice (no admin): a:b"),
        (&[("PROXY_API_KEY", "alice:sk-1"), key], ALICE.to_owned(),       "alice (no admin): sk-1 alice-key alice:sk-1"),
        (&[("PROXY_API_KEY", "one-key,two-key,ci:sk-1")], default.to_owned(), "default (no admin): one-key two-key; ci: sk-1 ci:sk-1"),
        (&[("PROXY_API_KEY", "ci:sk-1")],         ci.to_owned(),          "ci: sk-1 ci:sk-1"),
        (&[],                                     ALICE.to_owned(),       "CONFIG_FILE line 1: ALICE_KEY is not set, and the file names it as the key of client alice"),
        (&[DOOR],                                 ci.to_owned(),          "CONFIG_FILE line 1: client ci has no key: write key = { env = \"SOME_KEY\" }, or put ci:KEY into PROXY_API_KEY"),
        (&[DOOR, ("ALICE_KEY", "door-key")],      ALICE.to_owned(),       "CONFIG_FILE line 1: client alice has a key that is default's too"),
        (&[DOOR, ("ALICE_KEY", "changeme")],      ALICE.to_owned(),       "CONFIG_FILE line 1: client alice: ALICE_KEY is a placeholder: make one up, or let `free-llm-proxy init` do it"),
        (&[DOOR],                                 format!("{ci}{ci}"),    "CONFIG_FILE line 4: ci is the name of two clients: one has one entry, and its keys in one variable"),
    ];
    for (set, file, expected) in rows {
        assert_eq!(&with_variables(set, file), expected, "{set:?} {file}");
    }
}

/// The same with variables of any name.
fn with_variables(set: &[(&str, &str)], file: &str) -> String {
    let set: Vec<_> = set.iter().chain([&UP]).copied().collect();
    match layers(&[], &set, "", "").with_file(file).config() {
        Ok(config) => shown(&config.clients),
        Err(error) => error.problems().first().unwrap().clone(),
    }
}

#[test]
fn s13_a_key_lets_in_its_own_client_and_no_other() {
    let text = "alice:sk-1,ci:sk-2,sk-3,sk-4";
    let clients = read(Some(text), &[], "").unwrap().clients;
    #[rustfmt::skip]
    let rows = [
        ("sk-1",       Some("alice")),
        ("alice:sk-1", Some("alice")),
        ("sk-2",       Some("ci")),
        ("sk-3",       Some("default")),
        ("sk-4",       Some("default#2")),
        ("ci:sk-1",    None),
        ("sk-",        None),
        ("",           None),
        (text,         None),
    ];
    for (token, expected) in rows {
        let found = clients
            .of(token.as_bytes())
            .map(|client| client.name.to_string());
        assert_eq!(found.as_deref(), expected, "{token}");
    }
    assert_eq!(clients.own_key().unwrap().expose(), "sk-1");
    assert!(!format!("{clients:?}").contains("sk-"), "{clients:?}");
}

#[test]
fn s13_a_name_before_a_key_and_nobody_with_admin_are_warnings() {
    let warned =
        |text, described: &[Described<'_>]| read(Some(text), described, "").unwrap().warnings;
    assert_eq!(warned("sk-1,:sk-2", &[]), [""; 0]);
    let [named] = &warned("alice:sk-1,alice:sk-2,ci:sk-3", &[])[..] else {
        panic!("not one");
    };
    assert!(named.contains("(alice, ci)"), "{named}");
    assert!(!named.contains("sk-"), "{named}");
}

#[test]
fn s13_a_pattern_matches_the_id_or_the_model() {
    let offer = |id: &str| Offer::at_openrouter(crate::model::ModelId::try_from(id).unwrap());
    #[rustfmt::skip]
    let rows: &[(&[&str], &str, bool)] = &[
        (&[],                 "openai/gpt-oss-120b:free", true),
        (&["openai/*"],       "openai/gpt-oss-120b:free", true),
        (&["*:free"],         "openai/gpt-oss-120b:free", true),
        (&["gpt-oss-*"],      "openai/gpt-oss-120b:free", true),
        (&["groq/*"],         "openai/gpt-oss-120b:free", false),
        (&["groq/*", "*120*"], "openai/gpt-oss-120b:free", true),
        (&["openai/gpt-oss"], "openai/gpt-oss-120b:free", false),
    ];
    for (models, id, expected) in rows {
        let client = Client {
            name: ClientName::unnamed(1),
            limits: Vec::new(),
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            admin: false,
        };
        assert_eq!(client.may_ask(&offer(id)), *expected, "{models:?} {id}");
    }
}

#[test]
fn s13_our_own_commands_take_the_key_that_sees_most() {
    const FILE: &str = "[[clients]]\nname = 'alice'\nkey = { env = 'ALICE_KEY' }\n[[clients]]\nname = 'ci'\nkey = { env = 'CI_KEY' }\n";
    let keys = [("ALICE_KEY", "alice-key"), ("CI_KEY", "ci-key")];
    let with_door = [keys[0], keys[1], ("PROXY_API_KEY", "door-key")];
    #[rustfmt::skip]
    let rows: [(Set<'_>, &str, &str); 9] = [
        (&keys,        "",               "alice-key"),
        (&keys,        "admin = true\n", "ci-key"),
        (&with_door,   "admin = true\n", "door-key"),
        // What the file says of it holds for a key of the variable too.
        (&[("PROXY_API_KEY", "ci:c-1,sk-2"), keys[0]], "", "sk-2"),
        (&[("PROXY_API_KEY", "ci:c-1,alice:a-1")],     "admin = true\n", "c-1"),
        (&[("PROXY_API_KEY", "alice:a-1"), keys[1]],   "admin = true\n", "ci-key"),
        // The proxy may know a key that is not known here.
        (&[("PROXY_API_KEY", "ci:c-1")],               "", "c-1"),
        (&keys[..1],   "",               "CONFIG_FILE line 4: CI_KEY is not set, and the file names it as the key of client ci"),
        (&[],          "none",           "PROXY_API_KEY is not set: "),
    ];
    for (set, admin, expected) in rows {
        let file = if admin == "none" {
            String::new()
        } else {
            format!("{FILE}{admin}")
        };
        let sources = layers(&[], set, "", "").with_file(&file);
        match (sources.door(None), sources.running()) {
            (Ok(door), Ok((_, key))) => {
                assert_eq!((door.key.expose(), key.expose()), (expected, expected))
            }
            (door, _) => {
                let told = door.map(|_| ()).unwrap_err().to_string();
                assert!(told.contains(expected), "{told}");
            }
        }
    }
}
