//! A whole chat completion as a message.

use bytes::Bytes;

use super::reply::{Reply, Stopped, write_usage};
use crate::surface::chat::{Calls, Chunk, Details, Fragment, call_id, seal, text_of, write_object};
use crate::surface::{BadAnswer, Ids};

impl Reply {
    /// Translates a whole answer.
    pub(in crate::surface) fn plain(&self, answer: &[u8], ids: &Ids) -> Result<Bytes, BadAnswer> {
        let chunk = Chunk::read(answer, &mut None).map_err(BadAnswer::Json)?;
        if !chunk.has_choice() {
            return Err(BadAnswer::NoChoice);
        }
        let mut ending = Stopped::default();
        ending.hear(&chunk);
        let mut blocks = Vec::new();
        if self.thinking {
            write_thoughts(&chunk, &mut blocks)?;
        }
        for text in [chunk.first.content.as_deref(), chunk.first.refusal]
            .into_iter()
            .flatten()
        {
            for piece in [r#",{"type":"text","text":""#, text, r#""}"#] {
                blocks.extend_from_slice(piece.as_bytes());
            }
        }
        if let Some(calls) = chunk.first.calls {
            let mut read = Calls::whole();
            read.read(calls, |call| {
                ending.called = true;
                self.write_call(call, ids, &mut blocks);
            });
            if read.are_too_many() {
                return Err(BadAnswer::TooMuch);
            }
        }
        let mut out = Vec::with_capacity(blocks.len() + 512);
        self.write_head(ids, chunk.model.unwrap_or_default(), &mut out);
        out.extend_from_slice(blocks.get(1..).unwrap_or_default());
        out.extend_from_slice(b"],");
        self.write_stop(&ending, &mut out);
        out.extend_from_slice(br#","usage":"#);
        write_usage(ending.usage, &mut out);
        out.push(b'}');
        Ok(out.into())
    }

    fn write_call(&self, call: &Fragment<'_>, ids: &Ids, out: &mut Vec<u8>) {
        let id = call_id(&ids.id, call.call, call.id.unwrap_or_default());
        for piece in [
            r#",{"type":"tool_use","id":""#,
            &id,
            r#"","name":""#,
            self.given(call.name.unwrap_or_default()),
            r#"","input":"#,
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
        write_object(call.arguments.as_deref().unwrap_or_default(), out);
        out.push(b'}');
    }
}

fn write_thoughts(chunk: &Chunk<'_>, out: &mut Vec<u8>) -> Result<(), BadAnswer> {
    let mut details = Details::default();
    chunk
        .first
        .details
        .into_iter()
        .for_each(|list| details.add(list));
    if details.are_too_many() {
        return Err(BadAnswer::TooMuch);
    }
    let told = chunk.first.details.and_then(text_of);
    match chunk.first.reasoning.or(told.as_deref()) {
        Some(text) => {
            let start = r#",{"type":"thinking","thinking":""#;
            for piece in [start, text, r#"","signature":""#] {
                out.extend_from_slice(piece.as_bytes());
            }
            seal(out, &details, text);
        }
        None if details.is_empty() => return Ok(()),
        None => {
            out.extend_from_slice(br#",{"type":"redacted_thinking","data":""#);
            seal(out, &details, "");
        }
    }
    out.extend_from_slice(br#""}"#);
    Ok(())
}
