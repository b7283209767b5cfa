//! `count_tokens`: an estimate, as no free model's tokenizer is known before one has been chosen.
//!
//! Four bytes of text make a token, which suits English prose and code; other scripts may be off by
//! half. Schemas count as they are written.

use bytes::Bytes;

use crate::json::{Raw, write};
use crate::surface::fields::Fields;
use crate::surface::place::{Invalid, Place};

const BYTES_PER_TOKEN: u64 = 4;
/// What an image takes at the size that clients scale it to.
const TOKENS_PER_IMAGE: u64 = 1_600;
/// A page of a PDF takes some 2,000 tokens and about 60 KB.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 32;
/// Around each message and each tool.
const TOKENS_AROUND: u64 = 4;

/// The body that answers a request to count.
///
/// # Errors
/// The first thing that makes it no request.
pub fn count_tokens(body: &Bytes, max_depth: usize) -> Result<Bytes, Invalid> {
    let mut fields = Fields::read(body, max_depth)?;
    let place = Place::top("messages");
    let messages = fields.take("messages").ok_or_else(|| place.missing())?;
    let mut weight = Weight::default();
    for message in place.array(messages)?.elements() {
        weight.tokens += TOKENS_AROUND;
        message
            .get("content")
            .into_iter()
            .for_each(|c| weight.content(c));
    }
    fields
        .take("system")
        .into_iter()
        .for_each(|s| weight.content(s));
    for tool in fields.take("tools").into_iter().flat_map(Raw::elements) {
        weight.tokens += TOKENS_AROUND;
        let counted = ["name", "description", "input_schema"];
        for part in tool.pick(counted).into_iter().flatten() {
            weight.bytes += part.text().len() as u64;
        }
    }
    let mut out = br#"{"input_tokens":"#.to_vec();
    write::number(&mut out, weight.total());
    out.push(b'}');
    Ok(out.into())
}

#[derive(Default)]
struct Weight {
    bytes: u64,
    tokens: u64,
}

impl Weight {
    fn total(&self) -> u64 {
        self.tokens + self.bytes.div_ceil(BYTES_PER_TOKEN)
    }

    /// A string, or blocks.
    fn content(&mut self, content: Raw<'_>) {
        match content.escaped() {
            Some(text) => self.bytes += text.len() as u64,
            None => content.elements().for_each(|block| self.block(block)),
        }
    }

    fn block(&mut self, block: Raw<'_>) {
        let keys = [
            "type", "text", "thinking", "name", "input", "content", "source",
        ];
        let [kind, text, thinking, name, input, content, source] = block.pick(keys);
        for part in [text, thinking, name, input].into_iter().flatten() {
            self.bytes += part.text().len() as u64;
        }
        if let Some(content) = content {
            self.content(content);
        }
        let Some(source) = source else {
            return;
        };
        let [media, data, content] = source.pick(["type", "data", "content"]);
        let data = data.map_or(0, |data| data.text().len() as u64);
        match (kind.and_then(Raw::escaped), media.and_then(Raw::escaped)) {
            (Some("image"), _) => self.tokens += TOKENS_PER_IMAGE,
            (_, Some("text")) => self.bytes += data,
            _ => self.tokens += data / DOCUMENT_BYTES_PER_TOKEN,
        }
        if let Some(content) = content {
            self.content(content);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_estimated() {
        let text = "x".repeat(400);
        #[rustfmt::skip]
        let rows = [
            (format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#),                        104),
            (format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"{text}"}}]}}]}}"#), 105),
            (format!(r#"{{"system":"{text}","messages":[]}}"#),                                          100),
            (format!(r#"{{"messages":[],"tools":[{{"name":"f","description":"{text}","input_schema":{{}}}}]}}"#), 106),
            (r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AAAA"}}]}]}"#.into(), 1_604),
            (format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"document","source":{{"type":"base64","data":"{text}"}}}}]}}]}}"#), 16),
            (format!(r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","content":[{{"type":"text","text":"{text}"}}]}}]}}]}}"#), 105),
            (r#"{"messages":[7,{"content":7},{"content":[7]}]}"#.into(),                                 12),
        ];
        for (body, expected) in rows {
            let got = count_tokens(&Bytes::from(body.clone()), 9).unwrap();
            assert_eq!(
                got,
                format!("{{\"input_tokens\":{expected}}}"),
                "{body:.60}"
            );
        }
        let refused = count_tokens(&Bytes::from_static(b"{}"), 9).unwrap_err();
        assert_eq!(refused.to_string(), "\"messages\" is required");
    }
}
