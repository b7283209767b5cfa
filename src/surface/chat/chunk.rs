//! What one chunk of a stream says, or a whole plain answer: the two differ in little.

use super::usage::Usage;
use crate::json::{self, Kind, Raw, Reader};

/// The first choice and what stands around it. Strings are still escaped, and none is empty.
#[derive(Debug, Default)]
pub(in crate::surface) struct Chunk<'a> {
    pub(in crate::surface) model: Option<&'a str>,
    pub(in crate::surface) reasoning: Option<&'a str>,
    /// `reasoning_details`, which may repeat `reasoning` in pieces.
    pub(in crate::surface) details: Option<Raw<'a>>,
    pub(in crate::surface) content: Option<&'a str>,
    pub(in crate::surface) refusal: Option<&'a str>,
    pub(in crate::surface) calls: Option<Raw<'a>>,
    /// The elements of `logprobs.content`.
    pub(in crate::surface) logprobs: Option<Raw<'a>>,
    pub(in crate::surface) finish: Option<Finish>,
    /// The stop sequence that was met, where the provider names it.
    pub(in crate::surface) stopped_at: Option<&'a str>,
    /// The provider's own word for the end.
    pub(in crate::surface) native_finish: Option<&'a str>,
    pub(in crate::surface) usage: Option<Usage>,
    /// A choice is there.
    pub(in crate::surface) has_choice: bool,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::surface) enum Finish {
    /// It was done, or wants a tool called; which of the two is told by what it said.
    Done,
    /// It ran into a limit of tokens.
    Length,
    /// A filter took over.
    Filtered,
}

impl<'a> Chunk<'a> {
    /// Reads an event's payload or a plain answer's body.
    pub(in crate::surface) fn read(body: &'a [u8]) -> Result<Self, json::Error> {
        let mut chunk = Self::default();
        let mut reader = Reader::new(body, json::MAX_DEPTH)?;
        reader.object(|key, reader| match key {
            "choices" => reader.array(|reader| chunk.choice(reader)),
            "model" => text(&mut chunk.model, reader),
            "usage" => {
                let usage = reader.value()?;
                if usage.kind() == Kind::Object {
                    chunk.usage = Some(Usage::read(usage));
                }
                Ok(())
            }
            _ => reader.value().map(drop),
        })?;
        reader.end()?;
        Ok(chunk)
    }

    fn choice(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        // Neither surface can ask for more than one.
        if std::mem::replace(&mut self.has_choice, true) {
            return reader.value().map(drop);
        }
        reader.object(|key, reader| {
            match key {
                "delta" | "message" => return self.said(reader),
                "finish_reason" => {
                    let mut reason = None;
                    text(&mut reason, reader)?;
                    self.finish = reason.map(|reason| match reason {
                        "length" => Finish::Length,
                        "content_filter" => Finish::Filtered,
                        _ => Finish::Done,
                    });
                }
                "logprobs" => self.logprobs = reader.value()?.get("content"),
                "stop_reason" => text(&mut self.stopped_at, reader)?,
                "native_finish_reason" => text(&mut self.native_finish, reader)?,
                _ => drop(reader.value()?),
            }
            Ok(())
        })
    }

    fn said(&mut self, reader: &mut Reader<'a>) -> Result<(), json::Error> {
        let mut alias = None;
        reader.object(|key, reader| match key {
            "content" => text(&mut self.content, reader),
            "reasoning" => text(&mut self.reasoning, reader),
            "reasoning_content" => text(&mut alias, reader),
            "refusal" => text(&mut self.refusal, reader),
            "reasoning_details" => list(&mut self.details, reader),
            "tool_calls" => list(&mut self.calls, reader),
            _ => reader.value().map(drop),
        })?;
        self.reasoning = self.reasoning.or(alias);
        Ok(())
    }
}

fn text<'a>(slot: &mut Option<&'a str>, reader: &mut Reader<'a>) -> Result<(), json::Error> {
    *slot = reader.value()?.escaped().filter(|text| !text.is_empty());
    Ok(())
}

fn list<'a>(slot: &mut Option<Raw<'a>>, reader: &mut Reader<'a>) -> Result<(), json::Error> {
    let value = reader.value()?;
    *slot = (value.kind() == Kind::Array && !value.is_empty()).then_some(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_read_whatever_stands_around_it() {
        let chunk = Chunk::read(
            br#"{"id":"gen-1","model":"a/b:free","provider":"X","choices":[{"index":0,"delta":
            {"role":"assistant","content":"H\"i","reasoning":"","reasoning_content":"hm","refusal":null,
            "tool_calls":[],"reasoning_details":[{"type":"reasoning.text"}]},"finish_reason":null,
            "logprobs":{"content":[{"token":"H"}]}},{"delta":{"content":"second choice"}}]}"#,
        )
        .unwrap();
        assert_eq!(chunk.model, Some("a/b:free"));
        assert_eq!(chunk.content, Some(r#"H\"i"#));
        assert_eq!(chunk.reasoning, Some("hm"));
        assert_eq!((chunk.refusal, chunk.finish), (None, None));
        assert!(chunk.calls.is_none() && chunk.details.is_some());
        assert_eq!(chunk.logprobs.unwrap().text(), r#"[{"token":"H"}]"#);
    }

    #[test]
    fn every_end_is_one_of_three() {
        #[rustfmt::skip]
        let rows = [
            (r#""stop""#,           Some(Finish::Done)),
            (r#""tool_calls""#,     Some(Finish::Done)),
            (r#""function_call""#,  Some(Finish::Done)),
            (r#""eos""#,            Some(Finish::Done)),
            (r#""length""#,         Some(Finish::Length)),
            (r#""content_filter""#, Some(Finish::Filtered)),
            (r#""""#,               None),
            ("null",                None),
            ("7",                   None),
        ];
        for (reason, expected) in rows {
            let body = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":{reason}}}]}}"#);
            assert_eq!(
                Chunk::read(body.as_bytes()).unwrap().finish,
                expected,
                "{reason}"
            );
        }
    }

    #[test]
    fn the_usage_chunk_has_no_choice() {
        let chunk = Chunk::read(br#"{"choices":[],"usage":{"prompt_tokens":3}}"#).unwrap();
        assert!(!chunk.has_choice);
        assert_eq!(chunk.usage.unwrap().prompt, 3);
        assert!(Chunk::read(b"{\"choices\":[}").is_err());
    }
}
