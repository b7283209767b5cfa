//! The tool calls of earlier turns: their ids, and what Google requires beside them.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher as _};

use super::Rewrite;
use crate::json::{Cuts, Raw, write};

/// Google's documented placeholder for calls made by another model (reference §8).
const SIGNATURE: &[u8] = br#"{"thought_signature":"skip_thought_signature_validator"}"#;

/// The length of a call's id at Mistral.
const SHORT: usize = 9;

/// The id in Mistral's form: unchanged if it is nine letters or digits, else nine that are always
/// the same for it.
fn short(id: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == SHORT && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(id.as_bytes());
    let mut bits = hasher.finish();
    let mut digit = || {
        let at = (bits % 62) as usize;
        bits /= 62;
        DIGITS.get(at).map(|digit| char::from(*digit))
    };
    (0..SHORT).filter_map(|_| digit()).collect()
}

impl Rewrite<'_> {
    /// Each entry of a message's `tool_calls`.
    pub(super) fn calls(&mut self, calls: Raw<'_>) {
        let fields = self.fields;
        for call in calls.elements() {
            let base = self.patch.place(call).start;
            let Some(mut members) = call.object() else {
                continue;
            };
            let mut cuts = Cuts::default();
            let mut is_signed = false;
            while let Ok(Some(member)) = members.next() {
                let (start, end) = (base + member.start, base + member.end);
                if member.key == "extra_content" && !fields.thought_signatures {
                    if !member.value.is_null() {
                        self.dropped.note("messages[].tool_calls[].extra_content");
                    }
                    cuts.cut(&mut self.patch, start, end);
                    continue;
                }
                cuts.keep(&mut self.patch, start);
                match member.key.as_ref() {
                    "id" => self.call_id(member.value),
                    "extra_content" => {
                        is_signed = true;
                        self.sign(member.value);
                    }
                    _ => {}
                }
                cuts.kept(end);
            }
            let placeholder = [br#""extra_content":{"google":"#, SIGNATURE, b"}"].concat();
            let more = (fields.thought_signatures && !is_signed).then_some(placeholder.as_slice());
            cuts.end(&mut self.patch, base + 1, more);
        }
    }

    /// The id of a call, in the call or in its result.
    pub(super) fn call_id(&mut self, id: Raw<'_>) {
        let Some(text) = id.as_str().filter(|_| self.fields.short_call_ids) else {
            return;
        };
        if let Cow::Owned(short) = short(&text) {
            let place = self.patch.place(id);
            self.patch.write(place, |out| write::string(out, &short));
        }
    }

    /// What the call has already: its own signature is kept.
    fn sign(&mut self, extra: Raw<'_>) {
        let place = self.patch.place(extra);
        let google = extra.members().filter(|(name, _)| name == "google").last();
        match google {
            Some((_, google)) if google.get("thought_signature").is_some() => {}
            Some((_, google)) => {
                let place = self.patch.place(google);
                self.patch.replace(place, SIGNATURE);
            }
            None if extra.object().is_some() && !extra.is_empty() => {
                let member = [br#""google":"#, SIGNATURE, b","].concat();
                self.patch.insert(place.start + 1, &member);
            }
            None => {
                let whole = [br#"{"google":"#, SIGNATURE, b"}"].concat();
                self.patch.replace(place, &whole);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_6_a_call_id_consistently_becomes_nine_letters_or_digits() {
        for id in [
            "",
            "call_1",
            "call_2",
            "é",
            "toolu_01AbCdEfGhIjKlMnOpQrStUv",
            "12345678",
            "1234567_9",
        ] {
            let made = short(id);
            assert_eq!(made.len(), SHORT, "{id}");
            assert!(made.bytes().all(|b| b.is_ascii_alphanumeric()), "{made}");
            assert_eq!(made, short(id));
            assert_eq!(short(&made), made);
        }
        assert_eq!(short("a1B2c3D4e"), "a1B2c3D4e");
        let ids: std::collections::HashSet<_> = (0..20_000)
            .map(|n| short(&format!("call_{n}")).into_owned())
            .collect();
        assert_eq!(ids.len(), 20_000);
    }
}
