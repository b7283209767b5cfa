//! What a stream's chunk or a whole plain answer says: the two differ little.

use std::borrow::Cow;

use super::details::text_of;
use super::usage::Usage;
use crate::answer::{self, MOST_TOKENS, Said, UpstreamError, says_nothing};
use crate::json::{self, Kind, Raw, Reader};

/// One choice and the members around it. Neither surface can ask for more than one: the first that
/// says something is the choice, whatever its index, and the others are ignored.
#[derive(Debug, Default)]
pub(in crate::surface) struct Chunk<'a> {
    pub(in crate::surface) model: Option<&'a str>,
    pub(in crate::surface) first: Choice<'a>,
    pub(in crate::surface) usage: Option<Usage>,
    has_choice: bool,
    is_read: bool,
    useful: bool,
    finished: bool,
    /// It carries more than a finish reason that says nothing on its own.
    carries: bool,
    error: Option<UpstreamError>,
}

/// What a choice says. Strings are still escaped, and none is empty.
#[derive(Debug, Default)]
pub(in crate::surface) struct Choice<'a> {
    pub(in crate::surface) reasoning: Option<&'a str>,
    /// `reasoning_details`, which may repeat `reasoning` in pieces.
    pub(in crate::surface) details: Option<Raw<'a>>,
    pub(in crate::surface) content: Option<Cow<'a, str>>,
    pub(in crate::surface) refusal: Option<&'a str>,
    pub(in crate::surface) calls: Option<Raw<'a>>,
    /// The elements of `logprobs.content`.
    pub(in crate::surface) logprobs: Option<Raw<'a>>,
    pub(in crate::surface) finish: Option<Finish>,
    /// The stop sequence that was hit, if the provider names it.
    pub(in crate::surface) stopped_at: Option<&'a str>,
    /// The provider's own finish reason.
    pub(in crate::surface) native_finish: Option<&'a str>,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::surface) enum Finish {
    /// It was done, or wants a tool called; which of the two follows from what it said.
    Done,
    /// It reached a limit on tokens.
    Length,
    /// A content filter stopped it.
    Filtered,
}

impl<'a> Chunk<'a> {
    /// Reads an event's payload or a plain answer's body. `choice` is the index of the selected
    /// choice, once one has said something.
    pub(in crate::surface) fn read(
        body: &'a [u8],
        choice: &mut Option<u64>,
    ) -> Result<Self, json::Error> {
        let mut chunk = Self::default();
        let mut error = None;
        let mut is_completion = false;
        let mut reader = Reader::new(body, json::MAX_DEPTH)?;
        reader.object(|key, reader| match key {
            "choices" => {
                is_completion = true;
                reader.array(|reader| chunk.choice(reader, choice))
            }
            "model" => reader.value().map(|value| chunk.model = text(value)),
            "error" => reader
                .value()
                .map(|value| error = UpstreamError::told(value)),
            "usage" => {
                is_completion = true;
                let usage = reader.value()?;
                if usage.kind() == Kind::Object {
                    chunk.usage = Some(Usage::read(usage));
                }
                Ok(())
            }
            _ => reader.value().map(drop),
        })?;
        reader.end()?;
        chunk.error = error.or(chunk.error);
        if !is_completion && chunk.error.is_none() {
            chunk.error = UpstreamError::by_itself(body);
        }
        Ok(chunk)
    }

    /// The usage, if it is given in plausible numbers.
    pub(in crate::surface) fn used(&self) -> answer::Usage {
        let believed = |tokens: u64| Some(tokens).filter(|t| (1..=MOST_TOKENS).contains(t));
        answer::Usage {
            prompt: self.usage.and_then(|usage| believed(usage.prompt)),
            completion: self.usage.and_then(|usage| believed(usage.completion)),
        }
    }

    /// Whether there is a choice.
    pub(in crate::surface) fn has_choice(&self) -> bool {
        self.has_choice
    }

    /// What it says, as [`crate::answer::read`] would return it, so that an event need not be read
    /// twice.
    pub(in crate::surface) fn said(&self) -> Said {
        match &self.error {
            Some(error) => Said::Error(error.clone()),
            None if self.carries => Said::Useful {
                finished: self.finished,
            },
            None if self.finished => Said::Stopped,
            None => Said::Nothing,
        }
    }

    fn choice(
        &mut self,
        reader: &mut Reader<'a>,
        listened: &mut Option<u64>,
    ) -> Result<(), json::Error> {
        let mut choice = Choice::default();
        let mut index = 0;
        self.has_choice |= reader.kind() == Some(Kind::Object);
        let others = std::mem::take(&mut self.useful);
        reader.object(|key, reader| {
            if matches!(key, "delta" | "message") {
                return self.content(&mut choice, reader);
            }
            let value = reader.value()?;
            match key {
                "index" => index = value.as_u64().unwrap_or_default(),
                "finish_reason" => choice.finish = self.finish(value),
                "error" => {
                    let error = UpstreamError::told_by_choice(value);
                    // The error itself says more than a finish reason.
                    if error.is_some() {
                        self.error = error;
                    }
                }
                "logprobs" => choice.logprobs = value.get("content"),
                "stop_reason" => choice.stopped_at = text(value),
                "native_finish_reason" => choice.native_finish = text(value),
                _ => {}
            }
            Ok(())
        })?;
        if listened.is_none() && self.useful {
            *listened = Some(index);
        }
        // Some leave the index out; then the second choice looks like the first.
        if *listened == Some(index) && !std::mem::replace(&mut self.is_read, true) {
            self.first = choice;
        }
        self.useful |= others;
        Ok(())
    }

    fn finish(&mut self, reason: Raw<'a>) -> Option<Finish> {
        let finish = match text(reason)? {
            "error" => {
                self.error.get_or_insert_default();
                return None;
            }
            "length" => Finish::Length,
            "content_filter" => Finish::Filtered,
            _ => Finish::Done,
        };
        self.finished = true;
        self.useful = true;
        self.carries |= !says_nothing(reason);
        Some(finish)
    }

    fn content(
        &mut self,
        choice: &mut Choice<'a>,
        reader: &mut Reader<'a>,
    ) -> Result<(), json::Error> {
        let mut alias = None;
        reader.object(|key, reader| {
            let value = reader.value()?;
            let carries = match value.kind() {
                Kind::String | Kind::Array | Kind::Object => !value.is_empty(),
                Kind::Number | Kind::Bool | Kind::Null => false,
            };
            if !carries || key == "role" {
                return Ok(());
            }
            self.useful = true;
            self.carries = true;
            match key {
                // A provider may send parts, as clients do.
                "content" if value.kind() == Kind::Array => choice.content = text_of(value),
                "content" => choice.content = text(value).map(Cow::Borrowed),
                "reasoning" => choice.reasoning = text(value),
                "reasoning_content" => alias = text(value),
                "refusal" => choice.refusal = text(value),
                "reasoning_details" => choice.details = list(value),
                "tool_calls" => choice.calls = list(value),
                _ => {}
            }
            Ok(())
        })?;
        choice.reasoning = choice.reasoning.or(alias);
        Ok(())
    }
}

fn text(value: Raw<'_>) -> Option<&str> {
    value.escaped().filter(|text| !text.is_empty())
}

fn list(value: Raw<'_>) -> Option<Raw<'_>> {
    (value.kind() == Kind::Array).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Endpoint;

    /// A chunk on its own.
    fn read(body: &[u8]) -> Result<Chunk<'_>, json::Error> {
        Chunk::read(body, &mut None)
    }

    #[test]
    fn s10_4_an_error_of_any_shape_is_read_here_too() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"success":false,"errors":[{"message":"used up"}]}"#, true),
            (r#"[{"error":{"code":429,"message":"Slow"}}]"#,          true),
            (r#"{"message":"invalid api token"}"#,                    true),
            (r#""you (a) have reached""#,                             true),
            (r#"{"choices":[],"message":"x"}"#,                       false),
            (r#"{"usage":{},"message":"x"}"#,                         false),
            (r#"{"type":"ping"}"#,                                    false),
        ];
        for (body, is_error) in rows {
            let said = read(body.as_bytes()).unwrap().said();
            assert_eq!(matches!(said, Said::Error(_)), is_error, "{body}");
            assert_eq!(
                said,
                crate::answer::read(body.as_bytes(), Endpoint::Chat).unwrap()
            );
        }
    }

    #[test]
    fn a_chunk_is_read_whatever_surrounds_it() {
        let chunk = read(
            br#"{"id":"gen-1","model":"a/b:free","provider":"X","choices":[{"index":0,"delta":
            {"role":"assistant","content":"H\"i","reasoning":"","reasoning_content":"hm","refusal":null,
            "tool_calls":[],"reasoning_details":[{"type":"reasoning.text"}]},"finish_reason":null,
            "logprobs":{"content":[{"token":"H"}]}},{"delta":{"content":"second choice"}}]}"#,
        )
        .unwrap();
        assert_eq!(chunk.model, Some("a/b:free"));
        assert_eq!(chunk.first.content.as_deref(), Some(r#"H\"i"#));
        assert_eq!(chunk.first.reasoning, Some("hm"));
        assert_eq!((chunk.first.refusal, chunk.first.finish), (None, None));
        assert!(chunk.first.calls.is_none() && chunk.first.details.is_some());
        assert_eq!(chunk.first.logprobs.unwrap().text(), r#"[{"token":"H"}]"#);
    }

    #[test]
    fn every_finish_reason_is_one_of_three() {
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
                read(body.as_bytes()).unwrap().first.finish,
                expected,
                "{reason}"
            );
        }
    }

    #[test]
    fn the_first_choice_that_says_something_is_the_choice() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"index":0,"delta":{"content":"a"}}"#,                                    "a"),
            (r#"{"delta":{"content":"a"}}"#,                                              "a"),
            (r#"{"index":null,"delta":{"content":"a"}}"#,                                 "a"),
            (r#"{"delta":{"content":"a"},"index":0}"#,                                    "a"),
            (r#"{"index":1,"delta":{"content":"b"}}"#,                                    "b"),
            (r#"{"delta":{"content":"b"},"index":1}"#,                                    "b"),
            (r#"{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}"#, "b"),
            (r#"{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}"#, "a"),
            (r#"{"index":0,"delta":{}},{"index":1,"delta":{"content":"b"}}"#,              "b"),
            (r#"{"index":0,"delta":{"role":"assistant","content":""}},{"index":1,"delta":{"content":"b"}}"#, "b"),
            (r#"{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"}}"#, "nothing"),
            (r#"7,null,{"index":1,"delta":{"content":"b"}}"#,                             "b"),
            (r#"{"delta":{"content":"a"}},{"delta":{"content":"b"}}"#,                    "a"),
            (r#"{"index":0,"delta":{}}"#,                                                 "nothing"),
            ("7",                                                                         "none"),
            ("",                                                                          "none"),
        ];
        for (choices, expected) in rows {
            let body = format!(r#"{{"choices":[{choices}]}}"#);
            let chunk = read(body.as_bytes()).unwrap();
            let said = if chunk.has_choice() {
                "nothing"
            } else {
                "none"
            };
            let content = chunk.first.content.as_deref();
            assert_eq!(content.unwrap_or(said), expected, "{choices}");
        }
    }

    #[test]
    fn the_choice_stays_the_same_to_the_end() {
        #[rustfmt::skip]
        let rows: [(&[&str], &str); 4] = [
            (&[r#"{"index":0,"delta":{"content":"a"}}"#, r#"{"index":1,"delta":{"content":"b"}}"#, r#"{"index":0,"delta":{"content":"c"}}"#], "ac"),
            (&[r#"{"index":1,"delta":{"content":"a"}}"#, r#"{"index":0,"delta":{"content":"b"}}"#, r#"{"index":1,"delta":{"content":"c"}}"#], "ac"),
            (&[r#"{"index":0,"delta":{"role":"assistant"}}"#, r#"{"index":1,"delta":{"content":"a"}}"#, r#"{"index":0,"delta":{"content":"b"}}"#], "a"),
            (&[r#"{"index":3,"delta":{"content":"a"}},{"index":2,"delta":{"content":"b"}}"#, r#"{"index":2,"delta":{"content":"b"}},{"index":3,"delta":{"content":"c"}}"#], "ac"),
        ];
        for (chunks, expected) in rows {
            let (mut choice, mut said) = (None, String::new());
            for choices in chunks {
                let body = format!(r#"{{"choices":[{choices}]}}"#);
                let chunk = Chunk::read(body.as_bytes(), &mut choice).unwrap();
                said.push_str(chunk.first.content.as_deref().unwrap_or_default());
            }
            assert_eq!(said, expected, "{chunks:?}");
        }
    }

    #[test]
    fn it_says_what_an_answer_says() {
        #[rustfmt::skip]
        let rows = [
            r#"{"choices":[{"delta":{"content":"x"}}]}"#,
            r#"{"choices":[{"delta":{"content":"","new":{"a":1}}}]}"#,
            r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[ ]}}]}"#,
            r#"{"choices":[{"delta":{}},{"delta":{"content":"second"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"delta":{},"finish_reason":"error"}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"error","error":{"code":502,"message":"x"}}]}"#,
            r#"{"error":{"code":429,"message":"y"},"choices":[{"error":"z"}]}"#,
            r#"{"error":false,"choices":[]}"#,
            r#"[1]"#,
        ];
        for body in rows {
            let said =
                crate::answer::read(body.as_bytes(), crate::request::Endpoint::Chat).unwrap();
            assert_eq!(read(body.as_bytes()).unwrap().said(), said, "{body}");
        }
    }

    #[test]
    fn the_usage_chunk_has_no_choice() {
        let chunk = read(br#"{"choices":[],"usage":{"prompt_tokens":3}}"#).unwrap();
        assert!(!chunk.has_choice());
        assert_eq!(chunk.usage.unwrap().prompt, 3);
        assert!(read(b"{\"choices\":[}").is_err());
    }
}
