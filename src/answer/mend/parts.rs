//! Content in parts, as Mistral's models send it (reference §8).

use crate::json::{Kind, Raw};

/// The content of parts, as JSON strings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// The text; `None` if there are no parts.
    pub(super) text: Option<String>,
    /// The reasoning, if there is any.
    pub(super) thinking: Option<String>,
}

/// Reads content that is a list of parts; `None` for other content, and for a list that contains
/// what a string cannot express.
pub(super) fn parts(content: Raw<'_>) -> Option<Parts> {
    if content.kind() != Kind::Array {
        return None;
    }
    let (mut text, mut thinking) = ("\"".to_owned(), "\"".to_owned());
    for part in content.elements() {
        let [kind, said, thought] = part.pick(["type", "text", "thinking"]);
        match kind.and_then(Raw::as_str).as_deref() {
            Some("text") => text.push_str(said.and_then(Raw::escaped)?),
            Some("thinking") => think(&mut thinking, thought)?,
            // Where a text was found: can be ignored.
            Some("reference") => {}
            _ => return None,
        }
    }
    text.push('"');
    thinking.push('"');
    Some(Parts {
        text: Some(text),
        thinking: Some(thinking).filter(|thinking| thinking.len() > 2),
    })
}

/// Thinking is a string, or parts again.
fn think(out: &mut String, thought: Option<Raw<'_>>) -> Option<()> {
    let Some(thought) = thought else {
        return Some(());
    };
    if thought.kind() != Kind::Array {
        out.push_str(thought.escaped()?);
        return Some(());
    }
    for part in thought.elements() {
        if let Some(text) = part.get("text").and_then(Raw::escaped) {
            out.push_str(text);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_6_parts_as_strings() {
        #[rustfmt::skip]
        let rows = [
            (r#"[{"type":"text","text":"a\n"},{"type":"text","text":"\u00e9"}]"#,          Some((r#""a\n\u00e9""#, None))),
            (r#"[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]},{"type":"text","text":"a"}]"#, Some((r#""a""#, Some(r#""hm""#)))),
            (r#"[{"type":"thinking","thinking":"h"}]"#,                                    Some((r#""""#, Some(r#""h""#)))),
            (r#"[{"type":"thinking","thinking":[]},{"type":"reference","reference_ids":[1]}]"#, Some((r#""""#, None))),
            (r#"[]"#,                                                                      Some((r#""""#, None))),
            (r#"[{"type":"image_url"},{"type":"text","text":"a"}]"#,                       None),
            (r#"[{"type":"text","text":7}]"#,                                              None),
            (r#"["a"]"#,                                                                   None),
            (r#""a""#,                                                                     None),
            ("null",                                                                       None),
        ];
        for (content, expected) in rows {
            let content = Raw::parse(content.as_bytes(), 9).unwrap();
            let expected = expected.map(|(text, thinking)| Parts {
                text: Some(text.to_owned()),
                thinking: thinking.map(Into::into),
            });
            assert_eq!(parts(content), expected, "{content:?}");
        }
    }
}
