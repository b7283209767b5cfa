//! The model's reasoning, on its way to the client and back.
//!
//! The upstream wants its `reasoning_details` back unchanged: some models cannot go on after a tool
//! call without them. The surfaces have one opaque string for that (`encrypted_content`,
//! `signature`), so the details travel in it, without a text that is sent beside it anyway. It is
//! not a secret, and a client that forges one can say no more than a chat client can. The text is
//! put back at most once, where it is the only detail's: unsealing adds no more than that.

use super::details::{Details, MAX_DEPTH};
use crate::json::{Kind, Raw, Unescape, write};

/// How a seal begins: whose it is, and how to read it.
const SEAL: &str = "flp1.";

/// Writes the details as a seal, escaped, for a client that was `shown` this text.
pub(in crate::surface) fn seal(out: &mut Vec<u8>, details: &Details, shown: &str) {
    out.extend_from_slice(SEAL.as_bytes());
    if details.is_empty() {
        return;
    }
    let mut text = Vec::new();
    details.write(shown, &mut text);
    // It was built from strings.
    write::escape(out, std::str::from_utf8(&text).unwrap_or_default());
}

/// Details that came back.
#[derive(Debug)]
pub(in crate::surface) struct Unsealed(String);

/// Opens a seal, still escaped. `None` if it was made elsewhere: no free model could read that.
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
        let alone = details.elements().nth(1).is_none();
        let mut shown = alone.then_some(shown);
        for detail in details.elements() {
            out.extend_from_slice(b",{");
            for (n, (key, value)) in detail.members().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write::string(out, &key);
                out.push(b':');
                let left_out = key == "text" && value.text() == "0";
                if let Some(shown) = shown.take_if(|_| left_out) {
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
            // Fragments of one text, which the client was shown.
            (&[r#"[{"type":"reasoning.text","text":"The \"u","format":"unknown","index":0}]"#,
               r#"[{"type":"reasoning.text","text":"ser\"","format":"unknown","index":0}]"#], r#"The \"user\""#,
             r#",{"type":"reasoning.text","text":"The \"user\"","format":"unknown","index":0}"#),
            // The client was shown something else.
            (&[r#"[{"type":"reasoning.text","text":"a"}]"#], "b", r#",{"type":"reasoning.text","text":"a"}"#),
            // The signature arrives late; null says nothing.
            (&[r#"[{"type":"reasoning.text","text":"a","signature":null,"index":0}]"#,
               r#"[{"type":"reasoning.text","text":null,"signature":"s","index":0}]"#], "a",
             r#",{"type":"reasoning.text","text":"a","signature":"s","index":0}"#),
            // Texts that differ in nothing else, with characters that need a closer look.
            (&[r#"[{"type":"reasoning.text","text":"a","index":0}]"#, r#"[{"type":"reasoning.text","text":" b","index":0}]"#,
               r#"[{"type":"reasoning.text","text":"\n\\","index":0}]"#, r#"[{"type":"reasoning.text","text":"","index":0}]"#,
               r#"[{"type":"reasoning.text","text":"\"c","index":0}]"#, r#"[{"type":"reasoning.text","text":"d","index":0}]"#], "",
             r#",{"type":"reasoning.text","text":"a b\n\\\"cd","index":0}"#),
            // A different index, and back again.
            (&[r#"[{"type":"reasoning.text","text":"a","index":0}]"#, r#"[{"type":"reasoning.text","text":"b","index":1}]"#,
               r#"[{"type":"reasoning.text","text":"c","index":0}]"#, r#"[{"type":"reasoning.text","text":"d","index":0}]"#], "",
             r#",{"type":"reasoning.text","text":"acd","index":0},{"type":"reasoning.text","text":"b","index":1}"#),
            // An unknown kind is not assembled.
            (&[r#"[{"type":"x","text":"a"}]"#, r#"[{"type":"x","text":"b"}]"#], "", r#",{"type":"x","text":"a"},{"type":"x","text":"b"}"#),
            // Two of them, and one that never comes in pieces.
            (&[r#"[{"type":"reasoning.summary","summary":"a","index":0},{"type":"reasoning.encrypted","data":"x","index":1}]"#,
               r#"[{"type":"reasoning.encrypted","data":"y","index":1}]"#], "a",
             r#",{"type":"reasoning.summary","summary":"a","index":0},{"type":"reasoning.encrypted","data":"x","index":1},{"type":"reasoning.encrypted","data":"y","index":1}"#),
            // No text, one that is not an object, a name to escape.
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
    fn a_text_that_was_shown_is_not_sealed_again() {
        let text = "long ".repeat(100);
        let chunk = format!(r#"[{{"type":"reasoning.text","text":"{text}"}}]"#);
        assert!(sealed(&[&chunk], &text).len() < 60);
        assert!(sealed(&[&chunk], "").len() > 500);
        assert_eq!(sealed(&[], &text), "flp1.");
    }

    #[test]
    fn a_text_is_put_back_once() {
        #[rustfmt::skip]
        let rows = [
            (r#"[{"text":0}]"#,                   r#",{"text":"T"}"#),
            (r#"[{"text":0,"text":0}]"#,          r#",{"text":"T","text":0}"#),
            (r#"[{"text":0},{"text":0}]"#,        r#",{"text":0},{"text":0}"#),
            (r#"[{"text":0},{}]"#,                r#",{"text":0},{}"#),
            (r#"[{"text":7}]"#,                   r#",{"text":7}"#),
        ];
        for (details, expected) in rows {
            let mut seal = SEAL.as_bytes().to_vec();
            write::escape(&mut seal, details);
            let unsealed = unseal(std::str::from_utf8(&seal).unwrap()).unwrap();
            let mut out = Vec::new();
            unsealed.write(&mut out, b"T");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
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
}
