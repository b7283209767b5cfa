//! What the model said in one turn: one assistant message, however many pieces it came in.

use crate::json::write;

/// The pieces of an assistant message, in the making. All of them are escaped already.
#[derive(Debug, Default)]
pub(super) struct Turn {
    text: Vec<u8>,
    refusal: Vec<u8>,
    calls: Vec<u8>,
    reasoning: Vec<u8>,
    details: Vec<u8>,
}

/// What a call is made with.
#[derive(Clone, Copy, Debug)]
pub(in crate::surface) enum Arguments<'a> {
    /// The text of a JSON document, as a string that is still escaped.
    Text(&'a str),
    /// The JSON document itself.
    Json(&'a str),
    /// The input of a freeform tool, as a string that is still escaped.
    Input(&'a str),
}

impl Turn {
    pub(super) fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    pub(super) fn text(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    pub(super) fn refusal(&mut self, text: &str) {
        self.refusal.extend_from_slice(text.as_bytes());
    }

    /// Reasoning, apart from what it follows.
    pub(super) fn reasoning(&mut self, text: &[u8]) {
        if !self.reasoning.is_empty() && !text.is_empty() {
            self.reasoning.extend_from_slice(br"\n\n");
        }
        self.reasoning.extend_from_slice(text);
    }

    /// More of `reasoning_details`: elements with a comma before each.
    pub(super) fn details(&mut self, details: &[u8]) {
        self.details.extend_from_slice(details);
    }

    pub(super) fn call(&mut self, id: &str, name: &str, arguments: Arguments<'_>) {
        let out = &mut self.calls;
        for piece in [
            r#",{"id":""#,
            id,
            r#"","type":"function","function":{"name":""#,
            name,
            r#"","arguments":"#,
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
        match arguments {
            Arguments::Text(text) => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            Arguments::Json(json) => write::string(out, json),
            Arguments::Input(input) => {
                out.extend_from_slice(br#""{\"input\":\""#);
                write::escape(out, input);
                out.extend_from_slice(br#"\"}""#);
            }
        }
        out.extend_from_slice(b"}}");
    }

    /// Writes the message, with a comma before it, if there is one, and begins anew.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        let Self {
            text,
            refusal,
            calls,
            reasoning,
            details,
        } = std::mem::take(self);
        // A message without a word is refused by many. What was thought before a turn was broken
        // off led to nothing.
        if text.is_empty() && refusal.is_empty() && calls.is_empty() {
            return;
        }
        out.extend_from_slice(br#",{"role":"assistant","content":"#);
        if text.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            out.push(b'"');
            out.extend_from_slice(&text);
            out.push(b'"');
        }
        let mut member = |name: &str, around: [&str; 2], value: &[u8]| {
            if !value.is_empty() {
                for piece in [
                    name.as_bytes(),
                    around[0].as_bytes(),
                    value,
                    around[1].as_bytes(),
                ] {
                    out.extend_from_slice(piece);
                }
            }
        };
        let elements = |list: &[u8]| list.get(1..).unwrap_or_default().to_vec();
        member(r#","refusal":"#, ["\"", "\""], &refusal);
        member(r#","reasoning":"#, ["\"", "\""], &reasoning);
        member(r#","reasoning_details":"#, ["[", "]"], &elements(&details));
        member(r#","tool_calls":"#, ["[", "]"], &elements(&calls));
        out.push(b'}');
    }
}
