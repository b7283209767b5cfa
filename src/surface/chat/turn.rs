//! What the model said in one turn: one assistant message, however many pieces it came in.

use std::borrow::Cow;
use std::collections::HashMap;

use super::arguments::write_object;
use super::id::{Known, digest_of, known};
use crate::json::{self, Raw, write};

/// The pieces of an assistant message being built. All are already escaped.
#[derive(Debug, Default)]
pub(super) struct Turn {
    text: Vec<u8>,
    refusal: Vec<u8>,
    calls: Vec<u8>,
    reasoning: Vec<u8>,
    details: Vec<u8>,
    /// Offsets in `calls` of ids whose upstream id only the details may know.
    unsettled: Vec<usize>,
}

/// The ids that a turn's details resolved: the client's, and the upstream's own.
pub(super) type Settled = Vec<(String, String)>;

/// The arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(in crate::surface) enum Arguments<'a> {
    /// The text of a JSON object, as a string that is still escaped. A model may have broken it,
    /// and strict hosts then reject every further request.
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

    /// Reasoning, separated from what it follows.
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
        out.extend_from_slice(br#",{"id":""#);
        let id = match known(id) {
            Known::As(own) => own,
            Known::Digest(_) => {
                self.unsettled.push(out.len());
                Cow::Borrowed(id)
            }
        };
        for piece in [
            &id,
            r#"","type":"function","function":{"name":""#,
            name,
            r#"","arguments":"#,
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
        match arguments {
            Arguments::Text(text) => {
                let mut object = Vec::new();
                write_object(text, &mut object);
                // It was built from strings.
                write::string(out, std::str::from_utf8(&object).unwrap_or_default());
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

    /// Writes the message, if there is one, with a comma before it, and starts over. Returns the
    /// ids for the results that follow.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Settled {
        let Self {
            text,
            refusal,
            calls,
            reasoning,
            details,
            unsettled,
        } = std::mem::take(self);
        // Many hosts reject an empty message. Reasoning in a turn that was broken off led to
        // nothing.
        if text.is_empty() && refusal.is_empty() && calls.is_empty() {
            return Settled::new();
        }
        let (calls, settled) = settle(calls, &unsettled, &details);
        out.extend_from_slice(br#",{"role":"assistant","content":"#);
        // Hosts that know no refusals at least see the words.
        let words = if text.is_empty() && calls.is_empty() {
            &refusal
        } else {
            &text
        };
        if words.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            out.push(b'"');
            out.extend_from_slice(words);
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
        member(r#","refusal":"#, ["\"", "\""], &refusal);
        member(r#","reasoning":"#, ["\"", "\""], &reasoning);
        let details = details.get(1..).unwrap_or_default();
        member(r#","reasoning_details":"#, ["[", "]"], details);
        let calls = calls.get(1..).unwrap_or_default();
        member(r#","tool_calls":"#, ["[", "]"], calls);
        out.push(b'}');
        settled
    }
}

/// Restores the upstream ids in calls whose ids hold only a digest, where the details of the turn
/// name the call: the model must be able to find its reasoning again.
fn settle(calls: Vec<u8>, unsettled: &[usize], details: &[u8]) -> (Vec<u8>, Settled) {
    let mut settled = Settled::new();
    if unsettled.is_empty() || details.is_empty() {
        return (calls, settled);
    }
    let list = [b"[", details.get(1..).unwrap_or_default(), b"]"].concat();
    let list = Raw::parse(&list, json::MAX_DEPTH);
    let named = list.into_iter().flat_map(Raw::elements);
    let named = named.filter_map(|detail| detail.get("id")?.escaped());
    let own: HashMap<String, &str> = named.filter_map(|id| Some((digest_of(id)?, id))).collect();
    let mut out = Vec::with_capacity(calls.len());
    let mut done = 0;
    for at in unsettled {
        let rest = calls.get(*at..).unwrap_or_default();
        let id = rest.split(|b| *b == b'"').next().unwrap_or_default();
        let id = std::str::from_utf8(id).unwrap_or_default();
        if let Known::Digest(digest) = known(id)
            && let Some(own) = own.get(digest)
        {
            out.extend_from_slice(calls.get(done..*at).unwrap_or_default());
            out.extend_from_slice(own.as_bytes());
            done = at + id.len();
            settled.push((id.to_owned(), (*own).to_owned()));
        }
    }
    out.extend_from_slice(calls.get(done..).unwrap_or_default());
    (out, settled)
}
