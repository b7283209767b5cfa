//! `count_tokens`: an estimate, since no model has been chosen and its tokenizer is unknown.
//!
//! Four bytes of text make a token, which suits English prose and code; other scripts may be off by
//! half. Schemas count as they are written.

use bytes::Bytes;

use crate::json::{self, Kind, Raw, Reader, write};
use crate::surface::fields::Fields;
use crate::surface::place::{Invalid, Place};

const BYTES_PER_TOKEN: u64 = 4;
/// The tokens of an image, at the size that clients scale it to.
const TOKENS_PER_IMAGE: u64 = 1_600;
/// A page of a PDF takes some 2,000 tokens and about 60 KB.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 32;
/// The overhead of each message and each tool.
const TOKENS_AROUND: u64 = 4;

/// The body that answers a request to count.
///
/// # Errors
/// The first thing that makes it an invalid request.
pub fn count_tokens(body: &Bytes, max_depth: usize) -> Result<Bytes, Invalid> {
    let mut fields = Fields::read(body, max_depth)?;
    let place = Place::top("messages");
    let messages = fields.take("messages").ok_or_else(|| place.missing())?;
    place.array(messages)?;
    let counted = [
        ("messages", Some(messages)),
        ("system", fields.take("system")),
        ("tools", fields.take("tools")),
    ];
    let mut out = br#"{"input_tokens":"#.to_vec();
    write::number(&mut out, weigh(counted).total());
    out.push(b'}');
    Ok(out.into())
}

/// The same estimate for a request whose answer begins before the upstream has counted.
pub(super) fn estimate(fields: &Fields<'_>) -> u64 {
    weigh(["messages", "system", "tools"].map(|name| (name, fields.peek(name)))).total()
}

/// Looks at every byte once, because it is done for each stream.
fn weigh<'a>(counted: [(&str, Option<Raw<'a>>); 3]) -> Weight {
    let mut weight = Weight::default();
    for (name, value) in counted {
        let Some(value) = value else {
            continue;
        };
        let text = value.text().as_bytes();
        let read = Reader::new(text, json::MAX_DEPTH).and_then(|mut reader| match name {
            "messages" => reader.array(|reader| weight.message(reader)),
            "tools" => reader.array(|reader| weight.tool(reader)),
            _ => weight.content(&mut reader),
        });
        debug_assert!(read.is_ok(), "it has been checked");
    }
    weight
}

type Checked = Result<(), json::Error>;

#[derive(Default)]
struct Weight {
    bytes: u64,
    tokens: u64,
}

impl Weight {
    fn total(&self) -> u64 {
        self.tokens + self.bytes.div_ceil(BYTES_PER_TOKEN)
    }

    fn message(&mut self, reader: &mut Reader<'_>) -> Checked {
        self.tokens += TOKENS_AROUND;
        reader.object(|key, reader| match key {
            "content" => self.content(reader),
            _ => reader.value().map(drop),
        })
    }

    fn tool(&mut self, reader: &mut Reader<'_>) -> Checked {
        self.tokens += TOKENS_AROUND;
        reader.object(|key, reader| {
            let value = reader.value()?;
            if matches!(key, "name" | "description" | "input_schema") {
                self.part(value);
            }
            Ok(())
        })
    }

    /// Counts a value as it is written, unless it is null.
    fn part(&mut self, value: Raw<'_>) {
        if !value.is_null() {
            self.bytes += value.text().len() as u64;
        }
    }

    /// A string, or blocks.
    fn content(&mut self, reader: &mut Reader<'_>) -> Checked {
        if reader.kind() == Some(Kind::String) {
            let text = reader.value()?;
            self.bytes += text.escaped().map_or(0, str::len) as u64;
            return Ok(());
        }
        reader.array(|reader| self.block(reader))
    }

    fn block(&mut self, reader: &mut Reader<'_>) -> Checked {
        let (mut kind, mut source) = (None, None);
        reader.object(|key, reader| {
            match key {
                "content" => return self.content(reader),
                "text" | "thinking" | "name" | "input" => self.part(reader.value()?),
                "type" => kind = reader.value()?.escaped(),
                "source" => source = Some(reader.value()?),
                _ => return reader.value().map(drop),
            }
            Ok(())
        })?;
        let Some(source) = source.filter(|source| !source.is_null()) else {
            return Ok(());
        };
        let [media, data, content] = source.pick(["type", "data", "content"]);
        let data = data.map_or(0, |data| data.text().len() as u64);
        match (kind, media.and_then(Raw::escaped)) {
            (Some("image"), _) => self.tokens += TOKENS_PER_IMAGE,
            (_, Some("text")) => self.bytes += data,
            _ => self.tokens += data / DOCUMENT_BYTES_PER_TOKEN,
        }
        match content {
            Some(content) => self.content(&mut Reader::new(
                content.text().as_bytes(),
                json::MAX_DEPTH,
            )?),
            None => Ok(()),
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
