//! What the model thought, on its way to the client and back.
//!
//! The upstream wants its `reasoning_details` back as they were: some models cannot go on after a
//! tool call without them. The surfaces have one opaque string for that (`encrypted_content`,
//! `signature`), so the details travel in it, less a text that stands beside it anyway. It is no
//! secret, and a client that writes one of its own can say no more than a chat client can.

use std::borrow::Cow;

use crate::json::{Kind, Members, Raw, Unescape, write};

/// The seal's beginning: whose it is, and how to read it.
const SEAL: &str = "flp1.";

/// The kinds that come in pieces, as they are written.
const TEXT: &str = r#""reasoning.text""#;
const SUMMARY: &str = r#""reasoning.summary""#;

/// A sealed detail cannot nest deeper: no known one has more than two levels.
const MAX_DEPTH: usize = 12;

/// The details of a stream's reasoning, their fragments put together.
#[derive(Debug, Default)]
pub(in crate::surface) struct Details {
    list: Vec<Detail>,
    /// What stood around the text of the last fragment.
    around: Option<(String, String)>,
}

#[derive(Debug)]
struct Detail {
    /// `type` and `index` tell which detail a fragment is of.
    kind: String,
    index: Option<String>,
    members: Vec<(String, String)>,
}

impl Details {
    /// Takes the details of the next chunk.
    pub(in crate::surface) fn add(&mut self, details: Raw<'_>) {
        if self.repeats(details.text()) {
            return;
        }
        self.around = None;
        for fragment in details.elements().filter(|e| e.kind() == Kind::Object) {
            let at = self.take(fragment);
            // The next fragment's text would go behind the last detail's.
            let last = at + 1 == self.list.len();
            let texts = |detail: &Detail| detail.kind == TEXT;
            if last && self.list.last().is_some_and(texts) {
                self.around = around(details.text());
            }
        }
    }

    /// Takes one fragment; answers the place of the detail that it is of.
    fn take(&mut self, fragment: Raw<'_>) -> usize {
        let [kind, index] = fragment.pick(["type", "index"]);
        let kind = kind.map_or("", Raw::text);
        let index = index.map(Raw::text);
        if matches!(kind, TEXT | SUMMARY) {
            let of = |known: &Detail| known.kind == kind && known.index.as_deref() == index;
            let known = self.list.iter().rposition(of);
            if let Some((at, detail)) = known.and_then(|at| Some((at, self.list.get_mut(at)?))) {
                detail.merge(fragment);
                return at;
            }
        }
        let members = fragment.members();
        self.list.push(Detail {
            kind: kind.to_owned(),
            index: index.map(str::to_owned),
            members: members
                .map(|(key, value)| (key.into_owned(), value.text().to_owned()))
                .collect(),
        });
        self.list.len() - 1
    }

    /// Nearly every fragment differs from the one before it in its text alone: then it needs not
    /// be read to be put behind that.
    fn repeats(&mut self, details: &str) -> bool {
        let text = self.around.as_ref().and_then(|(before, after)| {
            let text = details.strip_prefix(before.as_str())?;
            text.strip_suffix(after.as_str())
        });
        // A quote might end the string, a backslash take the one behind it.
        let text = text.filter(|text| !text.contains(['"', '\\']));
        let (Some(text), Some(detail)) = (text, self.list.last_mut()) else {
            return false;
        };
        detail.append(text)
    }

    pub(in crate::surface) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many bytes it holds, roughly.
    pub(in crate::surface) fn held(&self) -> usize {
        let members = self.list.iter().flat_map(|detail| &detail.members);
        members.map(|(key, value)| key.len() + value.len()).sum()
    }

    /// The one text there is, if there is no more than that and it is what the client was shown.
    fn is_shown(&self, shown: &str) -> bool {
        let [detail] = self.list.as_slice() else {
            return false;
        };
        let text = detail.members.iter().find(|(key, _)| key == "text");
        let text = text.and_then(|(_, text)| text.strip_prefix('"')?.strip_suffix('"'));
        !shown.is_empty() && text == Some(shown)
    }
}

/// What stands before and behind the text of the only detail, if it has one.
fn around(details: &str) -> Option<(String, String)> {
    let object = details.strip_prefix('[')?.strip_suffix(']')?;
    let mut members = Members::open(object.as_bytes(), MAX_DEPTH).ok()??;
    let mut found = None;
    while let Some(member) = members.next().ok()? {
        if member.key == "text" && member.value.kind() == Kind::String {
            // Less the quotes, and behind the bracket.
            found = Some((member.value_start + 2, member.end));
        }
    }
    let (start, end) = found?;
    let (before, after) = (details.get(..start)?, details.get(end..)?);
    Some((before.to_owned(), after.to_owned()))
}

impl Detail {
    /// Puts more text behind the text; answers whether there was one.
    fn append(&mut self, more: &str) -> bool {
        let text = self.members.iter_mut().find(|(key, _)| key == "text");
        let Some((_, text)) = text.filter(|(_, text)| text.ends_with('"')) else {
            return false;
        };
        text.pop();
        text.push_str(more);
        text.push('"');
        true
    }

    fn merge(&mut self, fragment: Raw<'_>) {
        for (key, value) in fragment.members().filter(|(_, value)| !value.is_null()) {
            let known = self.members.iter_mut().find(|(known, _)| *known == key);
            match (known, value.escaped()) {
                (Some((_, text)), Some(more))
                    if matches!(&*key, "text" | "summary") && text.ends_with('"') =>
                {
                    text.pop();
                    text.push_str(more);
                    text.push('"');
                }
                (Some((_, old)), _) => value.text().clone_into(old),
                (None, _) => self
                    .members
                    .push((key.into_owned(), value.text().to_owned())),
            }
        }
    }
}

/// The text of details that come without `reasoning` beside them, still escaped.
pub(in crate::surface) fn text_of(details: Raw<'_>) -> Option<Cow<'_, str>> {
    let mut texts = details.elements().filter_map(|detail| {
        let [text, summary] = detail.pick(["text", "summary"]);
        text.or(summary)?.escaped().filter(|text| !text.is_empty())
    });
    let first = texts.next()?;
    let mut whole = Cow::Borrowed(first);
    for text in texts {
        whole.to_mut().push_str(text);
    }
    Some(whole)
}

/// Writes the seal of the details, escaped, for a client that was `shown` this text.
pub(in crate::surface) fn seal(out: &mut Vec<u8>, details: &Details, shown: &str) {
    out.extend_from_slice(SEAL.as_bytes());
    if details.is_empty() {
        return;
    }
    let is_shown = details.is_shown(shown);
    let mut text = String::from("[");
    for (n, detail) in details.list.iter().enumerate() {
        text.push_str(if n == 0 { "{" } else { ",{" });
        for (n, (key, value)) in detail.members.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            let mut name = Vec::new();
            write::string(&mut name, key);
            text.push_str(&String::from_utf8_lossy(&name));
            text.push(':');
            let left_out = is_shown && key == "text";
            text.push_str(if left_out { "0" } else { value });
        }
        text.push('}');
    }
    text.push(']');
    write::escape(out, &text);
}

/// The details that came back.
#[derive(Debug)]
pub(in crate::surface) struct Unsealed(String);

/// Opens a seal, still escaped. `None` if it is somebody else's: no free model could read that.
pub(in crate::surface) fn unseal(escaped: &str) -> Option<Unsealed> {
    let sealed = escaped.strip_prefix(SEAL)?;
    let text: String = Unescape::new(sealed).collect();
    let details = Raw::parse(text.as_bytes(), MAX_DEPTH).ok()?;
    let good = details.kind() == Kind::Array
        && details
            .elements()
            .all(|detail| detail.kind() == Kind::Object);
    good.then_some(Unsealed(text))
}

impl Unsealed {
    /// Writes the details, a comma before each; `shown` is the text beside the seal, escaped.
    pub(in crate::surface) fn write(&self, out: &mut Vec<u8>, shown: &[u8]) {
        let Ok(details) = Raw::parse(self.0.as_bytes(), MAX_DEPTH) else {
            return;
        };
        for detail in details.elements() {
            out.extend_from_slice(b",{");
            for (n, (key, value)) in detail.members().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write::string(out, &key);
                out.push(b':');
                if key == "text" && value.kind() == Kind::Number {
                    out.push(b'"');
                    out.extend_from_slice(shown);
                    out.push(b'"');
                } else {
                    out.extend_from_slice(value.text().as_bytes());
                }
            }
            out.push(b'}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(chunks: &[&str]) -> Details {
        let mut details = Details::default();
        for chunk in chunks {
            details.add(Raw::parse(chunk.as_bytes(), 9).unwrap());
        }
        details
    }

    fn sealed(chunks: &[&str], shown: &str) -> String {
        let mut out = Vec::new();
        seal(&mut out, &details(chunks), shown);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn details_come_back_as_they_were() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &str, &str)] = &[
            // Fragments of one text; the client was shown it.
            (&[r#"[{"type":"reasoning.text","text":"The \"u","format":"unknown","index":0}]"#,
               r#"[{"type":"reasoning.text","text":"ser\"","format":"unknown","index":0}]"#], r#"The \"user\""#,
             r#",{"type":"reasoning.text","text":"The \"user\"","format":"unknown","index":0}"#),
            // It was shown something else.
            (&[r#"[{"type":"reasoning.text","text":"a"}]"#], "b", r#",{"type":"reasoning.text","text":"a"}"#),
            // A signature comes late; null says nothing.
            (&[r#"[{"type":"reasoning.text","text":"a","signature":null,"index":0}]"#,
               r#"[{"type":"reasoning.text","text":null,"signature":"s","index":0}]"#], "a",
             r#",{"type":"reasoning.text","text":"a","signature":"s","index":0}"#),
            // Texts that differ in nothing else, with what has to be looked at more closely.
            (&[r#"[{"type":"reasoning.text","text":"a","index":0}]"#, r#"[{"type":"reasoning.text","text":" b","index":0}]"#,
               r#"[{"type":"reasoning.text","text":"\n\\","index":0}]"#, r#"[{"type":"reasoning.text","text":"","index":0}]"#,
               r#"[{"type":"reasoning.text","text":"\"c","index":0}]"#, r#"[{"type":"reasoning.text","text":"d","index":0}]"#], "",
             r#",{"type":"reasoning.text","text":"a b\n\\\"cd","index":0}"#),
            // An index of its own, and back again.
            (&[r#"[{"type":"reasoning.text","text":"a","index":0}]"#, r#"[{"type":"reasoning.text","text":"b","index":1}]"#,
               r#"[{"type":"reasoning.text","text":"c","index":0}]"#, r#"[{"type":"reasoning.text","text":"d","index":0}]"#], "",
             r#",{"type":"reasoning.text","text":"acd","index":0},{"type":"reasoning.text","text":"b","index":1}"#),
            // A kind that nobody knows is not put together.
            (&[r#"[{"type":"x","text":"a"}]"#, r#"[{"type":"x","text":"b"}]"#], "", r#",{"type":"x","text":"a"},{"type":"x","text":"b"}"#),
            // Two of them, and one that is never in pieces.
            (&[r#"[{"type":"reasoning.summary","summary":"a","index":0},{"type":"reasoning.encrypted","data":"x","index":1}]"#,
               r#"[{"type":"reasoning.encrypted","data":"y","index":1}]"#], "a",
             r#",{"type":"reasoning.summary","summary":"a","index":0},{"type":"reasoning.encrypted","data":"x","index":1},{"type":"reasoning.encrypted","data":"y","index":1}"#),
            // No text, one that is no object, a name to escape.
            (&[r#"[7,{"type":"reasoning.encrypted","data":"é","a\"b":[1,{}]}]"#], "",
             r#",{"type":"reasoning.encrypted","data":"é","a\"b":[1,{}]}"#),
        ];
        for (chunks, shown, expected) in rows {
            let unsealed = unseal(&sealed(chunks, shown)).unwrap();
            let mut out = Vec::new();
            unsealed.write(&mut out, shown.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), *expected);
        }
    }

    #[test]
    fn a_text_that_was_shown_does_not_travel_twice() {
        let text = "long ".repeat(100);
        let chunk = format!(r#"[{{"type":"reasoning.text","text":"{text}"}}]"#);
        assert!(sealed(&[&chunk], &text).len() < 60);
        assert!(sealed(&[&chunk], "").len() > 500);
        assert_eq!(sealed(&[], &text), "flp1.");
    }

    #[test]
    fn a_seal_that_is_not_ours_is_not_opened() {
        let deep = format!("flp1.{}{}", "[".repeat(50), "]".repeat(50));
        for seal in [
            "", "ENC", "flp1.", "flp1.{}", "flp1.[7]", "flp1.[{", "flp2.[]", &deep,
        ] {
            assert!(unseal(seal).is_none(), "{seal}");
        }
        assert!(unseal("flp1.[{}]").is_some());
    }

    #[test]
    fn details_have_a_text() {
        #[rustfmt::skip]
        let rows = [
            (r#"[{"text":"a"},{"summary":"b"},{"data":"c"}]"#, Some("ab")),
            (r#"[{"text":""},{"text":null}]"#,                 None),
            (r#"[{"data":"c"}, 7]"#,                           None),
        ];
        for (details, expected) in rows {
            let details = Raw::parse(details.as_bytes(), 9).unwrap();
            assert_eq!(text_of(details).as_deref(), expected);
        }
    }
}
