//! Renders as text what has no equivalent in chat completions: a part of a tool's result that is
//! neither text nor an image, or the result of a tool that was run elsewhere.

use crate::json::{Kind, Raw, write};

/// Members that no model can read: sealed, or bytes in base64, or markers for another vendor's
/// servers.
fn is_unreadable(name: &str) -> bool {
    name.starts_with("encrypted") || matches!(name, "data" | "signature" | "cache_control")
}

/// Writes a value as escaped text. A string is written as it is, an object as its text if it has
/// one, else as JSON; the elements of a list are written line by line.
pub(super) fn write_text(value: Raw<'_>, out: &mut Vec<u8>) {
    match value.kind() {
        Kind::String => out.extend_from_slice(value.escaped().unwrap_or_default().as_bytes()),
        Kind::Array => {
            for (n, element) in value.elements().enumerate() {
                if n > 0 {
                    out.extend_from_slice(br"\n");
                }
                write_text(element, out);
            }
        }
        Kind::Object => match value.get("text").and_then(Raw::escaped) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => write::escape(out, &readable(value)),
        },
        Kind::Number | Kind::Bool | Kind::Null => out.extend_from_slice(value.text().as_bytes()),
    }
}

/// An object's JSON without the members that no model can read.
fn readable(object: Raw<'_>) -> String {
    write::object(object.members().filter(|(name, _)| !is_unreadable(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_is_rendered_as_text() {
        #[rustfmt::skip]
        let rows = [
            (r#""a \"b\"\n""#,                                     "a \"b\"\n"),
            ("7",                                                  "7"),
            ("null",                                               "null"),
            ("[]",                                                 ""),
            (r#"["a",{"type":"x","text":"b"},[1,2]]"#,             "a\nb\n1\n2"),
            (r#"{"type":"x","n":"\u00e9"}"#,                       r#"{"type":"x","n":"\u00e9"}"#),
            (r#"[{"type":"web_search_result","url":"https://a","encrypted_content":"E","page_age":null}]"#,
                r#"{"type":"web_search_result","url":"https://a","page_age":null}"#),
            (r#"{"type":"audio","data":"AAAA","cache_control":{}}"#, r#"{"type":"audio"}"#),
            (r#"{"text":7}"#,                                      r#"{"text":7}"#),
            ("{}",                                                 "{}"),
        ];
        for (value, expected) in rows {
            let mut told = b"\"".to_vec();
            write_text(Raw::parse(value.as_bytes(), 9).unwrap(), &mut told);
            told.push(b'"');
            let told: String = serde_json::from_slice(&told).unwrap();
            assert_eq!(told, expected, "{value}");
        }
    }
}
