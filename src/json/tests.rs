use proptest::prelude::*;

use super::*;

fn problem(text: &[u8]) -> Result<(), Problem> {
    Raw::parse(text, 128).map(|_| ()).map_err(|e| e.problem)
}

#[test]
fn only_one_json_value_passes() {
    use Problem::{CutShort, NotUtf8, Syntax, TooDeep};
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let (deepest, too_deep, absurd) = (deep(128), deep(129), deep(100_000));
    #[rustfmt::skip]
    let rows: &[(&[u8], Result<(), Problem>)] = &[
        (b"{}",                         Ok(())),
        (b" [1, -0.5e+3, \"a\", null] ", Ok(())),
        (br#"{"a":{"b":[true,false]}}"#, Ok(())),
        (br#""\u00e9\n\ud800""#,        Ok(())),
        (deepest.as_bytes(),            Ok(())),
        (too_deep.as_bytes(),           Err(TooDeep)),
        (absurd.as_bytes(),             Err(TooDeep)),
        (b"",                           Err(CutShort)),
        (b"  ",                         Err(CutShort)),
        (b"{",                          Err(CutShort)),
        (b"\"abc",                      Err(CutShort)),
        (b"tru",                        Err(CutShort)),
        (b"{} {}",                      Err(Syntax)),
        (b"{a:1}",                      Err(Syntax)),
        (b"[1,]",                       Err(Syntax)),
        (b"{\"a\":1,}",                 Err(Syntax)),
        (b"01",                         Err(Syntax)),
        (b"1.",                         Err(CutShort)),
        (b"NaN",                        Err(Syntax)),
        (b"\"a\nb\"",                   Err(Syntax)),
        (br#""\x""#,                    Err(Syntax)),
        (b"\"\xff\"",                   Err(NotUtf8)),
        (b"\xef\xbb\xbf{}",             Err(Syntax)),
    ];
    for (text, expected) in rows {
        assert_eq!(
            problem(text),
            *expected,
            "{:.40}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn members_are_slices_of_the_text() {
    let text = br#" {"a" : 1.50 ,"b\u0063":"x\"y", "d":[ {"e":null} ]} "#;
    let mut members = Members::open(text, 128).unwrap().unwrap();
    let mut seen = Vec::new();
    while let Some(m) = members.next().unwrap() {
        assert_eq!(m.value.text().as_bytes(), &text[m.value_start..m.end]);
        assert_eq!(text[m.start], b'"');
        seen.push((m.key.into_owned(), m.value.text().to_owned()));
    }
    assert_eq!(
        seen,
        [
            ("a", "1.50"),
            ("bc", r#""x\"y""#),
            ("d", r#"[ {"e":null} ]"#)
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
    let whole = Raw::parse(text, 128).unwrap();
    assert_eq!(whole.get("bc").unwrap().as_str().unwrap(), "x\"y");
    assert_eq!(whole.get("a").unwrap().as_f64(), Some(1.5));
    let inner = whole.get("d").unwrap().elements().next().unwrap();
    assert!(inner.get("e").is_none(), "null counts as absent");
    assert!(whole.get("zzz").is_none());
}

#[test]
fn members_are_picked_in_one_pass() {
    let text = br#"{"a":1,"b":null,"c":"x","a":2}"#;
    let [a, b, c, d] = Raw::parse(text, 128).unwrap().pick(["a", "b", "c", "d"]);
    assert_eq!(a.unwrap().text(), "2", "the last one counts");
    assert_eq!((b, d), (None, None));
    assert_eq!(c.unwrap().escaped(), Some("x"));
    assert_eq!(a.unwrap().escaped(), None);
}

#[test]
fn characters_are_unescaped_one_by_one() {
    #[rustfmt::skip]
    let rows = [
        (r#"plain é"#,              "plain é"),
        (r#"\"\\\/\b\f\n\r\t"#,   "\"\\/\u{8}\u{c}\n\r\t"),
        (r#"\u00e9\u4F60"#,         "é你"),
        (r#"\ud83d\ude00!"#,        "😀!"),
        (r#"\ud83d!"#,              "\u{fffd}!"),
        (r#"\ude00\ud83d"#,         "\u{fffd}\u{fffd}"),
        (r#"\ud83d\u0041"#,         "\u{fffd}A"),
    ];
    for (escaped, expected) in rows {
        assert_eq!(Unescape::new(escaped).collect::<String>(), expected);
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_writes_is_read(value in any_json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Raw::parse(text.as_bytes(), 128).unwrap().text(), text.as_str());
        for (key, raw) in Raw::parse(text.as_bytes(), 128).unwrap().members() {
            let back: serde_json::Value = serde_json::from_str(raw.text()).unwrap();
            prop_assert_eq!(&value[key.as_ref()], &back);
        }
    }

    #[test]
    fn it_agrees_with_serde_on_damaged_texts(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        let serde = serde_json::from_slice::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(Raw::parse(&text, 1024).is_ok(), serde, "{:?}", String::from_utf8_lossy(&text));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(text in "\\PC*|[\\x00-\\x7f]*", number in any::<u64>()) {
        let mut out = b"[".to_vec();
        write::string(&mut out, &text);
        out.push(b',');
        write::number(&mut out, number);
        out.push(b']');
        let raw = Raw::parse(&out, 1).unwrap();
        let mut elements = raw.elements();
        let string = elements.next().unwrap();
        prop_assert_eq!(Unescape::new(string.escaped().unwrap()).collect::<String>(), text.clone());
        prop_assert_eq!(string.as_str().unwrap(), text);
        prop_assert_eq!(elements.next().unwrap().as_u64(), Some(number));
    }
}

/// Steps through everything.
fn walk(reader: &mut Reader<'_>) -> Result<usize, Error> {
    let mut seen = 1;
    match reader.kind() {
        Some(Kind::Object) => reader.object(|_, reader| {
            seen += walk(reader)?;
            Ok(())
        })?,
        Some(Kind::Array) => reader.array(|reader| {
            seen += walk(reader)?;
            Ok(())
        })?,
        Some(Kind::String | Kind::Number | Kind::Bool | Kind::Null) | None => {
            reader.value()?;
        }
    }
    Ok(seen)
}

fn walked(text: &[u8], max_depth: usize) -> Result<usize, Error> {
    let mut reader = Reader::new(text, max_depth)?;
    let seen = walk(&mut reader)?;
    reader.end().map(|()| seen)
}

#[test]
fn a_reader_steps_into_what_is_asked_for_and_over_the_rest() {
    let text = br#" {"a":[1,{"b":"x"}], "\u0063":{"d":[[]]}, "e":"f"} "#;
    assert_eq!(walked(text, 128), Ok(9));
    let mut reader = Reader::new(text, 128).unwrap();
    let mut seen = Vec::new();
    reader
        .object(|key, reader| {
            seen.push(key.to_owned());
            // An object where there is none is stepped over.
            reader.object(|inner, reader| {
                seen.push(format!("{key}.{inner}"));
                reader.value().map(drop)
            })
        })
        .unwrap();
    reader.end().unwrap();
    assert_eq!(seen, ["a", "c", "c.d", "e"]);
}

#[test]
fn stops_are_found_wherever_they_are() {
    for stop in ["\"", "\\n", "\u{1}", "\u{1f}"] {
        for before in 0..20 {
            for filler in ["x", "é", " ", "\u{7f}", "!", "#", "[", "]"] {
                let text = format!("\"{}{stop}zzzzzzzzzzzzzzzz\"", filler.repeat(before));
                let fits = Raw::parse(text.as_bytes(), 8).is_ok();
                assert_eq!(fits, stop == "\\n", "{text:?}");
            }
        }
    }
}

proptest! {
    /// It accepts what `Raw` accepts, and rejects the rest at the same position.
    #[test]
    fn a_reader_agrees_with_raw(text in "[\\[\\]{}\",: \\\\0-9a-ftrulsen\\-.]{0,40}", depth in 0_usize..6) {
        let whole = Raw::parse(text.as_bytes(), depth).map(drop);
        prop_assert_eq!(walked(text.as_bytes(), depth).map(drop), whole);
    }
}
