//! Whatever a file contains: what the template does not name stays, and a second run changes
//! nothing.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn template() -> Value {
    json!({"a": "new", "b": {"c": "d"}, "l": [{"id": "auto", "u": "v"}]})
}

/// A comment, each with its own number so that a missing one is noticed.
fn trivia() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => Just(" ".to_owned()),
        1 => Just("\n\t".to_owned()),
        1 => (0..1000_u32).prop_map(|n| format!("/* c{n} \" */")),
        1 => (0..1000_u32).prop_map(|n| format!("// c{n} {{\n")),
    ]
}

fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1.50".to_owned()),
        Just("-0".to_owned()),
        Just("12345678901234567890123".to_owned()),
        Just("\"\\u00e9\\/ // no comment\"".to_owned()),
        Just("\"new\"".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let item = (trivia(), inner.clone(), trivia()).prop_map(|(a, b, c)| a + &b + &c);
        let list = vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![list, json_object(inner)]
    })
}

fn json_object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c", "l", "id", "x", "y"]);
    let member = (trivia(), name, trivia(), value, trivia());
    (vec(member, 0..5), trivia(), any::<bool>()).prop_map(|(members, end, comma)| {
        let mut seen = std::collections::HashSet::new();
        let members = members
            .into_iter()
            .filter(|(_, name, ..)| seen.insert(*name));
        let members: Vec<_> = members
            .map(|(a, name, b, value, c)| format!("{a}\"{name}\":{b}{value}{c}"))
            .collect();
        let comma = if comma && !members.is_empty() {
            ","
        } else {
            ""
        };
        format!("{{{}{comma}{end}}}", members.join(","))
    })
}

/// What must not be lost, in order.
fn comments(text: &str) -> Vec<&str> {
    let starts = text.match_indices(" c").map(|(at, _)| at);
    let numbers = starts.filter_map(|at| text.get(at + 2..)?.split([' ', '\n']).next());
    numbers
        .filter(|number| number.parse::<u32>().is_ok())
        .collect()
}

proptest! {
    #[test]
    fn json_loses_nothing(text in json_object(json_value())) {
        let Ok(merged) = merge(Format::Json, &text, &template()) else {
            return Ok(());
        };
        // A comment inside something that is replaced has lost its subject.
        if merged.replaced.is_empty() {
            prop_assert_eq!(comments(&merged.text), comments(&text));
        }
        let again = merge(Format::Json, &merged.text, &template()).unwrap();
        prop_assert_eq!(&again.text, &merged.text);
        let mut left = json::read(&merged.text).unwrap();
        let before = json::read(&text).unwrap();
        for (name, value) in before.as_object().unwrap() {
            if !["a", "b", "l"].contains(&name.as_str()) {
                prop_assert_eq!(left.as_object_mut().unwrap().get(name), Some(value));
            }
        }
    }

    #[test]
    fn settings_by_the_line_lose_nothing(lines in vec(line(), 0..8), ends in any::<bool>()) {
        let template = json!({"a": "new", "z": "http://h:1/v1"});
        let mut seen = std::collections::HashSet::new();
        let lines: Vec<_> = lines.into_iter().filter(|(name, ..)| name.is_empty() || seen.insert(name.clone())).collect();
        #[rustfmt::skip]
        let spellings = [
            (Format::Toml, " = "),
            (Format::Yaml, ": "),
            (Format::Env,  "="),
        ];
        for (format, sign) in spellings {
            let lines: Vec<_> = lines.iter().map(|(name, value, comment)| {
                if name.is_empty() { format!("#{comment}") } else { format!("{name}{sign}\"{value}\" # {comment}") }
            }).collect();
            let text = lines.join("\n") + if ends { "\n" } else { "" };
            let merged = merge(format, &text, &template).unwrap();
            for line in &lines {
                let kept = merged.text.lines().any(|new| new == line);
                prop_assert!(kept || line.starts_with("a"), "{:?}: {:?} in {:?}", format, line, merged.text);
            }
            let again = merge(format, &merged.text, &template).unwrap();
            prop_assert_eq!(again.text, merged.text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        for format in [Format::Json, Format::Toml, Format::Yaml, Format::Env] {
            let flat = json!({"a": "new"});
            if let Ok(merged) = merge(format, &text, &flat) {
                prop_assert!(merge(format, &merged.text, &flat).is_ok());
            }
        }
    }
}

/// A name, a value and a comment; without a name just a comment.
fn line() -> impl Strategy<Value = (String, String, String)> {
    let name = prop::sample::select(vec!["", "", "a", "b", "c", "aa", "y"]);
    (name, "[a-z0-9 ]{0,8}", "[a-zé' ]{0,8}")
        .prop_map(|(name, value, comment)| (name.to_owned(), value, comment))
}
