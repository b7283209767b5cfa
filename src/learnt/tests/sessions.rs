use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::request::{ChatRequest, Opening};

const SALT: [u8; 16] = *b"0123456789abcdef";

type Header = (&'static str, &'static [u8]);

/// The session of a request with these headers and this body.
fn session(headers: &[(&'static str, &[u8])], body: &str) -> Option<SessionKey> {
    session_of("alice", headers, body)
}

fn session_of(client: &str, headers: &[(&'static str, &[u8])], body: &str) -> Option<SessionKey> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).unwrap();
        map.append(HeaderName::from_static(name), value);
    }
    let body = match body.contains("\"messages\"") {
        true => body.to_owned(),
        false => body
            .replacen('{', r#"{"messages":[],"#, 1)
            .replace(",}", "}"),
    };
    let request = ChatRequest::read(body.into(), 128).unwrap();
    Caller::of(&map, client.as_bytes(), Salt::new(SALT)).session(&request.opening)
}

const BODY: &str = r#"{"session_id":"b1","prompt_cache_key":"b2","metadata":{"user_id":"b3"},"conversation":"b4",
    "messages":[{"role":"user","content":"hello"}]}"#;

#[test]
fn s11_4_headers_count_in_order_then_the_body() {
    let named = |name: &'static [u8]| session(&[("x-session-id", name)], "{}");
    #[rustfmt::skip]
    let rows: &[(&[Header], &str, &[u8])] = &[
        (&[("x-session-id", b"a")],                                    BODY, b"a"),
        (&[("x-claude-code-session-id", b"a")],                        BODY, b"a"),
        (&[("session-id", b"a")],                                      BODY, b"a"),
        (&[("session_id", b"a")],                                      BODY, b"a"),
        (&[("x-opencode-session", b"a")],                              BODY, b"a"),
        (&[("agent-session-id", b"a")],                                BODY, b"a"),
        (&[("helicone-session-id", b"a")],                             BODY, b"a"),
        (&[("session_id", b"c"), ("session-id", b"b"), ("x-claude-code-session-id", b"a")], BODY, b"a"),
        (&[("helicone-session-id", b"a"), ("x-session-id", b"b")],     BODY, b"b"),
        // A repeated header, empty values, bytes that are not text.
        (&[("x-session-id", b"a"), ("x-session-id", b"b")],            BODY, b"a"),
        (&[("x-session-id", b""), ("session_id", b"a")],               BODY, b"a"),
        (&[("x-session-id", b"  "), ("session_id", b"a")],             BODY, b"a"),
        (&[("x-session-id", b" a ")],                                  BODY, b"a"),
        (&[("x-session-id", b"\xff\xfe\x80")],                         BODY, b"\xff\xfe\x80"),
        (&[("x-request-id", b"a")],                                    BODY, b"b1"),
        // The body.
        (&[],                                                          BODY, b"b1"),
        (&[], r#"{"prompt_cache_key":"b2","metadata":{"user_id":"b3"}}"#,    b"b2"),
        (&[], r#"{"session_id":"","prompt_cache_key":"b2"}"#,                b"b2"),
        (&[], r#"{"session_id":null,"prompt_cache_key":" ","metadata":{"user_id":"b3"}}"#, b"b3"),
        (&[], r#"{"session_id":7,"metadata":{"user_id":["x"]},"conversation":"b4"}"#, b"b4"),
        (&[], r#"{"metadata":"x","conversation":{"id":"b4"}}"#,              b"b4"),
    ];
    for (headers, body, expected) in rows {
        let got = session(headers, body);
        assert!(got.is_some());
        assert_eq!(got, named(expected), "{headers:?} {body}");
    }
}

#[test]
fn s11_4_otherwise_the_opening_identifies_the_session() {
    let opening = |system: &str, tools: &str, rest: &str| {
        let body = format!(
            r#"{{"system":"{system}","tools":[{tools}],"messages":[{{"role":"system","content":"s"}},{{"role":"user","content":"hello"}}{rest}]}}"#
        );
        session(&[], &body)
    };
    let first = opening("a", "1", "");
    assert!(first.is_some());
    let later = r#",{"role":"assistant","content":"x"},{"role":"user","content":"y"}"#;
    assert_eq!(opening("a", "1", later), first, "a later turn");
    #[rustfmt::skip]
    let others = [
        opening("b", "1", ""),
        opening("a", "2", ""),
        session(&[], r#"{"messages":[{"role":"user","content":"hello"}]}"#),
        session(&[], r#"{"messages":[{"role":"user","content":"hell"}]}"#),
        session(&[("x-session-id", b"hello")], "{}"),
    ];
    for (n, other) in others.into_iter().enumerate() {
        assert!(other.is_some() && other != first, "{n}");
    }
    #[rustfmt::skip]
    let none = ["{}", r#"{"prompt":"x"}"#, r#"{"messages":[]}"#, r#"{"messages":[ ],"tools":null,"system":null}"#];
    for body in none {
        assert_eq!(session(&[], body), None, "{body}");
    }
}

#[test]
fn s11_4_a_long_opening_is_identified_by_its_lengths_and_ends() {
    let opening = |system: &str, asked: &str, rest: &str| {
        let body = format!(
            r#"{{"messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{asked}"}}{rest}]}}"#
        );
        session(&[], &body)
    };
    let long = "x".repeat(100_000);
    let with = |at: usize, what: &str| {
        let mut text = long.clone();
        text.replace_range(at..at + what.len(), what);
        text
    };
    let first = opening(&long, &long, "");
    let turn =
        format!(r#",{{"role":"assistant","content":"{long}"}},{{"role":"user","content":"y"}}"#);
    assert_eq!(opening(&long, &long, &turn), first, "a later turn");
    #[rustfmt::skip]
    let others = [
        opening(&with(900, "y"), &long, ""),
        opening(&with(99_100, "y"), &long, ""),
        opening(&long, &with(900, "y"), ""),
        opening(&long, &with(99_100, "y"), ""),
        opening(&long, &format!("{long}x"), ""),
        opening(&format!("{long}x"), &long, ""),
        opening(&long, "x", ""),
    ];
    for (n, other) in others.iter().enumerate() {
        assert_ne!(*other, first, "{n}");
        assert!(others[..n].iter().all(|before| before != other), "{n}");
    }
    // A difference far from either end that leaves the length the same goes unnoticed.
    assert_eq!(opening(&long, &with(50_000, "y"), ""), first);
}

#[test]
fn s11_4_the_first_user_message_ends_the_opening_wherever_its_role_field_is() {
    let of = |messages: &str| session(&[], &format!(r#"{{"messages":[{messages}]}}"#));
    let (system, user) = (
        r#"{"role":"system","content":"s"}"#,
        r#"{"content":[{"type":"text","text":"hello"}],"role":"user"}"#,
    );
    let both = format!("{system},{user}");
    let first = of(&both);
    #[rustfmt::skip]
    let later = [
        format!(r#"{both},{{"role":"assistant","content":"x"}}"#),
        format!(r#"{both},{{"role":"assistant","content":"x"}},{{"role":"user","content":"y"}}"#),
        format!(r#"{both},7"#),
    ];
    for messages in later {
        assert_eq!(of(&messages), first, "{messages}");
    }
    // The last of duplicate fields counts.
    let not_theirs = user
        .replace(r#""role""#, r#""role":"user","role""#)
        .replace(r#":"user"}"#, r#":"x"}"#);
    assert_ne!(of(&not_theirs), of(&format!("{not_theirs},7")));
    // Without a user message, all messages count.
    assert_ne!(of(system), of(&format!("{system},{system}")));
}

#[test]
fn s11_4_a_name_of_a_megabyte_is_a_session_of_fixed_size_told_by_its_length_and_ends() {
    const LONG: usize = 1 << 20;
    let name = |changed: Option<usize>, length| {
        let mut name = vec![b'x'; length];
        changed.into_iter().for_each(|at| name[at] = b'y');
        name
    };
    let by_header = |name: &[u8]| session(&[("x-session-id", name)], "{}");
    let by_field = |name: &[u8]| {
        let name = std::str::from_utf8(name).unwrap();
        session(&[], &format!(r#"{{"session_id":"{name}"}}"#))
    };
    let first = by_header(&name(None, LONG));
    assert!(first.is_some());
    #[rustfmt::skip]
    let rows = [
        // what differs   of how many bytes   it is the same session
        (None,            LONG,               true),
        (Some(LONG / 2),  LONG,               true),
        (Some(0),         LONG,               false),
        (Some(1_023),     LONG,               false),
        (Some(LONG - 1),  LONG,               false),
        (Some(LONG - 1_024), LONG,            false),
        (None,            LONG - 1,           false),
    ];
    for (changed, length, is_same) in rows {
        let name = name(changed, length);
        let got = [by_header(&name), by_field(&name)];
        assert_eq!(
            got.map(|got| got == first),
            [is_same; 2],
            "{changed:?} {length}"
        );
    }
    assert_eq!(
        (size_of::<SessionKey>(), size_of::<Caller>() < 256),
        (16, true)
    );
}

#[test]
fn s11_4_a_session_in_each_request_takes_no_more_memory_than_the_most_pins_do() {
    let candidate = candidate("m", &account("groq", "groq"));
    let mut pins = Pins::default();
    for n in 0..30_000_u32 {
        // Binary: no byte of it is a letter, and each is another name.
        let name = n.to_be_bytes().map(|byte| byte | 0x80);
        let name = [&name[..], &n.to_string().into_bytes()].concat();
        pins.set(
            session(&[("x-session-id", &name)], "{}").unwrap(),
            &candidate,
            start(),
        );
    }
    assert_eq!(pins.len(), Pins::MOST);
}

#[test]
fn s11_4_sessions_differ_by_client_and_by_salt() {
    let of = |client| session_of(client, &[("x-session-id", b"a")], "{}");
    assert_ne!(of("alice"), of("bob"));
    assert_eq!(of("alice"), of("alice"));
    // The boundary between client and name is part of the hash.
    let joined = |client, name| session_of(client, &[("x-session-id", name)], "{}");
    assert_ne!(joined("al", b"ice"), joined("ali", b"ce"));
    let with = |salt| {
        let mut headers = HeaderMap::new();
        headers.insert("x-session-id", HeaderValue::from_static("a"));
        Caller::of(&headers, b"alice", Salt::new(salt)).session(&Opening::default())
    };
    assert_ne!(with(SALT), with([0; 16]));
    assert_eq!(format!("{:?}", Salt::new(SALT)), "Salt(***)");
}

#[test]
fn s11_4_replicas_with_the_same_keys_agree() {
    let with = |keys: &[&str]| {
        let mut headers = HeaderMap::new();
        headers.insert("x-session-id", HeaderValue::from_static("a"));
        let salt = Salt::of(keys.iter().copied());
        Caller::of(&headers, b"alice", salt).session(&Opening::default())
    };
    #[rustfmt::skip]
    let rows: [(&[&str], &[&str], bool); 5] = [
        // keys of one replica    keys of another         they agree
        (&["one", "two"],         &["one", "two"],        true),
        (&["one", "two"],         &["two", "one"],        true),
        (&["one", "two"],         &["two", "one", "two"], true),
        (&["one", "two"],         &["one"],               false),
        (&["one", "two"],         &["onet", "wo"],        false),
    ];
    for (one, other, expected) in rows {
        assert_eq!(with(one) == with(other), expected, "{one:?} {other:?}");
    }
}

#[test]
fn s11_4_a_pin_is_soft_and_ends() {
    let [first, second] = ["groq", "groq#2"].map(|label| account("groq", label));
    let (now, parameters) = (start(), Parameters::default());
    let key = session(&[("x-session-id", b"a")], "{}").unwrap();
    let mut pins = Pins::default();
    assert!(pins.of(key).is_none());
    pins.set(key, &candidate("m", &first), now);
    #[rustfmt::skip]
    let rows = [
        ("m",     &first,  0.0,   Sticks::Fully,     2.5),
        ("m",     &first,  600.0, Sticks::Fully,     2.5),
        ("m",     &first,  600.5, Sticks::No,        0.0),
        ("other", &first,  1.0,   Sticks::ByAccount, 1.0),
        ("other", &first,  601.0, Sticks::No,        0.0),
        ("m",     &second, 1.0,   Sticks::No,        0.0),
    ];
    for (id, account, later, expected, worth) in rows {
        let pin = pins.of(key).unwrap();
        let sticks = pin.sticks(&candidate(id, account), &parameters, after(now, later));
        assert_eq!(sticks, expected, "{id} {account} {later}");
        let circumstances = Circumstances { sticks, ..BARE };
        let session = cost(None, circumstances, &parameters, now).session;
        near(session, worth, id);
    }
    // The last answer counts.
    pins.set(key, &candidate("m", &second), now);
    let pin = pins.of(key).unwrap();
    let sticks = |account| pin.sticks(&candidate("m", account), &parameters, now);
    assert_eq!(
        (sticks(&first), sticks(&second)),
        (Sticks::No, Sticks::Fully)
    );
}

#[test]
fn s11_4_a_pin_ends_however_the_clocks_jump() {
    let account = account("groq", "groq");
    let key = session(&[("x-session-id", b"a")], "{}").unwrap();
    let mut pins = Pins::default();
    pins.set(key, &candidate("m", &account), start());
    let day = Duration::from_secs(86_400);
    let (ahead, back) = (start().wall + day, start().wall - day);
    #[rustfmt::skip]
    let rows = [
        // seconds later   the wall clock   sticks
        (1.0,              ahead,           Sticks::No),    // the machine slept
        (1.0,              back,            Sticks::Fully),
        (601.0,            back,            Sticks::No),
    ];
    for (later, wall, expected) in rows {
        let now = Now {
            wall,
            ..after(start(), later)
        };
        let pin = pins.of(key).unwrap();
        let sticks = pin.sticks(&candidate("m", &account), &Parameters::default(), now);
        assert_eq!(sticks, expected, "{later} {wall:?}");
    }
}

#[test]
fn s11_4_at_most_10_000_pins_and_the_oldest_is_dropped() {
    let candidate = candidate("m", &account("groq", "groq"));
    let key = |n: u32| session(&[("x-session-id", n.to_string().as_bytes())], "{}").unwrap();
    let mut pins = Pins::default();
    for n in 0..10_000 {
        pins.set(key(n), &candidate, start());
        // A session that continues is not the oldest.
        pins.set(key(0), &candidate, start());
    }
    assert_eq!(pins.len(), 10_000);
    pins.set(key(10_000), &candidate, start());
    pins.set(key(10_001), &candidate, start());
    assert_eq!(pins.len(), 10_000);
    let is_there = |n| pins.of(key(n)).is_some();
    assert_eq!(
        [0, 1, 2, 3, 9_999, 10_000, 10_001].map(is_there),
        [true, false, false, true, true, true, true]
    );
}

#[test]
fn s11_4_each_session_starts_on_its_own_account() {
    let labels = ["groq", "groq#2", "groq#3"];
    let accounts = labels.map(|label| account("groq", label));
    let key = |n: u32| session(&[("x-session-id", n.to_string().as_bytes())], "{}").unwrap();
    let start = |n, accounts: &[&AccountId]| {
        let on = starts_on(key(n), accounts.iter().copied(), Salt::new(SALT));
        on.map(|account| account.label.to_string())
    };
    let [a, b, c] = &accounts;
    let mut counts = [0; 3];
    for n in 0..600 {
        let on = start(n, &[a, b, c]).unwrap();
        assert_eq!(start(n, &[c, a, b]).unwrap(), on, "in whatever order");
        counts[labels.iter().position(|label| *label == on).unwrap()] += 1;
        // Where another one has no headroom nothing changes.
        for without in [[a, b], [b, c], [a, c]] {
            if without.iter().any(|account| *account.label == *on) {
                assert_eq!(start(n, &without).unwrap(), on);
            }
        }
    }
    assert!(
        counts.iter().all(|count| (140..260).contains(count)),
        "{counts:?}"
    );
    assert_eq!(start(0, &[]), None);
}
