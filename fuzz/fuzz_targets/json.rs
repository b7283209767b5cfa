//! The scanner accepts exactly what serde_json accepts, and yields the same values.
#![no_main]

use free_llm_proxy::json::{Kind, Members, Problem, Raw};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const DEPTH: usize = 64;

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
        Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn same(raw: Raw<'_>, value: &Value) {
    match value {
        Value::Null => assert!(raw.is_null()),
        Value::Bool(it) => assert_eq!(raw.as_bool(), Some(*it)),
        // Numbers keep their spelling.
        Value::Number(it) => {
            assert_eq!(raw.kind(), Kind::Number);
            assert_eq!(
                serde_json::from_str::<Value>(raw.text()).ok(),
                Some(Value::Number(it.clone()))
            );
            assert_eq!(raw.as_u64(), raw.text().parse().ok());
        }
        Value::String(it) => assert_eq!(raw.as_str().as_deref(), Some(it.as_str())),
        Value::Array(all) => {
            let elements: Vec<_> = raw.elements().collect();
            assert_eq!(elements.len(), all.len());
            elements
                .iter()
                .zip(all)
                .for_each(|(raw, value)| same(*raw, value));
        }
        Value::Object(all) => {
            for (key, value) in all {
                let last = raw.members().filter(|(k, _)| k == key).last();
                same(last.expect("the member is there").1, value);
            }
            let names: std::collections::HashSet<_> = raw.members().map(|(k, _)| k).collect();
            assert_eq!(names.len(), all.len());
        }
    }
}

/// Reads all members, and checks that their offsets are right.
fn members(text: &[u8]) -> Result<Option<usize>, Problem> {
    let Some(mut members) = Members::open(text, DEPTH).map_err(|e| e.problem)? else {
        return Ok(None);
    };
    let mut count = 0;
    while let Some(member) = members.next().map_err(|e| e.problem)? {
        assert_eq!(
            &text[member.value_start..member.end],
            member.value.text().as_bytes()
        );
        assert_eq!(text[member.start], b'"');
        count += 1;
    }
    Ok(Some(count))
}

fuzz_target!(|text: &[u8]| {
    let ours = Raw::parse(text, DEPTH);
    let mut reader = serde_json::Deserializer::from_slice(text);
    reader.disable_recursion_limit();
    let theirs = <Value as serde::Deserialize>::deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    let opened = members(text);
    match (ours, theirs) {
        (Ok(raw), Ok(value)) => {
            assert!(depth(&value) <= DEPTH);
            same(raw, &value);
            let members = (raw.kind() == Kind::Object).then(|| raw.members().count());
            assert_eq!(opened, Ok(members));
        }
        // An escape that is not a character is JSON by the RFC's grammar; serde rejects it as a
        // string.
        (Ok(_), Err(error)) => assert!(
            ["surrogate", "unexpected end of hex escape", "code point"]
                .iter()
                .any(|words| error.to_string().contains(words)),
            "taken, although {error}"
        ),
        (Err(error), Ok(value)) => {
            assert!(
                error.problem == Problem::TooDeep && depth(&value) > DEPTH,
                "{error}"
            );
            assert!(opened.is_err());
        }
        (Err(error), Err(_)) => {
            assert!(error.at <= text.len());
            assert!(opened.is_err());
        }
    }
});
