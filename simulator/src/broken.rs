//! Every way in which a stream can be broken.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::act::{Act, Ending, Framing, Reply};
use crate::said::Said;
use crate::stream_faults::{Stream, StreamFault};
use crate::streams::{
    COMMENT, Chunks, DONE, choice, event, forever, opened, pause, sse, write, write_bytes,
};

impl Said<'_> {
    fn error_event(&self, error: Option<&Value>) -> Act {
        let usual = json!({"code": 502, "message": "Provider disconnected",
                           "metadata": {"error_type": "provider_unavailable"}});
        event(&self.envelope(
            "chat.completion.chunk",
            json!({
                "error": error.unwrap_or(&usual),
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            }),
        ))
    }

    /// A stream that ends with this body as an event, after `after` content events.
    pub(super) fn broken_by(&self, body: &str, after: usize) -> Reply {
        let mut reply = opened(self);
        let chunks = Chunks::of(self);
        let before = chunks.content.get(..after).unwrap_or(&chunks.content);
        reply.body.extend(self.paced(before));
        reply.body.push(write(&format!("data: {body}\n\n")));
        reply
    }

    /// A broken stream. The events before the fault are paced and framed like those of a good one.
    pub(super) fn broken(&self, stream: &Stream) -> Reply {
        let mut reply = opened(self);
        let chunks = Chunks::of(self);
        let answer = self.answer;
        let before = chunks
            .content
            .get(..stream.after)
            .unwrap_or(&chunks.content);
        let next = chunks.content.get(stream.after).unwrap_or(&chunks.finish);
        let rest = chunks.content.get(stream.after..).unwrap_or_default();
        let mut say = |acts: Vec<Act>| reply.body.extend(acts);
        let whole = || [self.paced(&chunks.content), chunks.end(answer.done)].concat();
        // What was said must arrive before what breaks it.
        let settled = || [self.paced(before), vec![pause(0, 1)]].concat();
        match stream.fault {
            StreamFault::Error | StreamFault::ErrorDone => {
                say(settled());
                say(vec![self.error_event(stream.error.as_ref())]);
                if stream.fault == StreamFault::ErrorDone {
                    say(vec![write(DONE)]);
                }
            }
            StreamFault::CommentsThenEnd => say(vec![write(COMMENT); stream.after.max(1)]),
            StreamFault::CommentsForever => {
                say(vec![forever(COMMENT, answer.comment_delay_ms, 1000)]);
            }
            StreamFault::EmptyDeltasForever => {
                let empty = choice(json!({"role": "assistant", "content": ""}), None);
                let empty = sse(&self.chunk(&[empty], None));
                say(vec![forever(&empty, answer.delay_ms, 1000)]);
            }
            StreamFault::ContentForever => say(vec![forever(&sse(next), answer.delay_ms, 1000)]),
            StreamFault::Stall => {
                say(settled());
                reply.ending = Ending::Hang;
            }
            StreamFault::Cut => say(settled()),
            StreamFault::Close => {
                say(settled());
                reply.ending = Ending::Close;
            }
            StreamFault::Reset => {
                say(settled());
                reply.ending = Ending::Reset;
            }
            StreamFault::HalfEvent | StreamFault::HalfEventEnd => {
                say(settled());
                let text = sse(next);
                say(vec![write_bytes(
                    text.as_bytes().split_at(text.len() / 2).0,
                )]);
                if stream.fault == StreamFault::HalfEvent {
                    reply.ending = Ending::Close;
                }
            }
            StreamFault::NoDone => say([self.paced(&chunks.content), chunks.end(false)].concat()),
            StreamFault::NoFinish => {
                say([self.paced(&chunks.content), vec![write(DONE)]].concat());
            }
            StreamFault::DoneOnly => say(vec![write(DONE)]),
            StreamFault::FinishOnly => say(chunks.end(answer.done)),
            StreamFault::FinishError => {
                let last = choice(json!({"role": "assistant", "content": ""}), Some("error"));
                say(settled());
                say(vec![event(&self.chunk(&[last], None)), write(DONE)]);
            }
            StreamFault::ContentAfterDone => say([whole(), vec![event(next)]].concat()),
            StreamFault::Garbage => {
                say(settled());
                say(vec![write(
                    "data: {\"id\":\"gen-1\",\"choices\":[{\"ind\n\n",
                )]);
                say([self.paced(rest), chunks.end(answer.done)].concat());
            }
            StreamFault::InvalidUtf8 => {
                say(settled());
                say(vec![write_bytes(
                    b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n",
                )]);
                say([self.paced(rest), chunks.end(answer.done)].concat());
            }
            StreamFault::Crlf => say(rewritten(whole(), |text| text.replace('\n', "\r\n"))),
            StreamFault::NoSpace => say(rewritten(whole(), |text| text.replace("data: ", "data:"))),
            StreamFault::Fields => say(rewritten(whole(), |text| {
                text.replace("data: ", "event: message\nid: 1\nretry: 1000\ndata: ")
            })),
            StreamFault::SplitCharacter => say(split(whole(), |byte| byte & 0xc0 == 0x80)),
            StreamFault::SplitBytes => say(split(whole(), |_| true)),
            StreamFault::BigEvent => {
                say(settled());
                let big = json!({"role": "assistant", "content": "x".repeat(stream.bytes)});
                say(vec![event(&self.chunk(&[choice(big, None)], None))]);
                say([self.paced(rest), chunks.end(answer.done)].concat());
            }
            StreamFault::EndlessEvent => {
                say(settled());
                say(vec![write(
                    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
                )]);
                say(vec![forever(&"x".repeat(stream.bytes), answer.delay_ms, 0)]);
            }
            StreamFault::Empty => {}
            StreamFault::Plain => reply = self.plain(),
            StreamFault::Html => {
                reply = Reply::new(
                    200,
                    "text/html; charset=UTF-8",
                    "<html><body>Back soon</body></html>",
                );
            }
            StreamFault::BadChunk | StreamFault::ShortChunk => {
                say(settled());
                reply.ending = Ending::Close;
                let bad: &[u8] = match stream.fault == StreamFault::BadChunk {
                    true => b"zz\r\ndata: {}\n\n\r\n",
                    false => b"ffff\r\ndata: {}\n\n",
                };
                reply.raw_end = Bytes::from_static(bad);
            }
            StreamFault::Http10 => {
                say(whole());
                reply.framing = Framing::UntilClose;
            }
            StreamFault::HugeHeader => {
                say(whole());
                reply = reply.set("X-Huge", "h".repeat(stream.bytes));
            }
        }
        reply
    }
}

/// The same acts with each text rewritten.
fn rewritten(acts: Vec<Act>, rewrite: impl Fn(&str) -> String) -> Vec<Act> {
    let change = |act| match act {
        Act::Write(bytes) => write(&rewrite(&String::from_utf8_lossy(&bytes))),
        other @ (Act::Sleep(_) | Act::Forever { .. } | Act::Close | Act::Reset | Act::Hang) => {
            other
        }
    };
    acts.into_iter().map(change).collect()
}

/// The same acts with a pause of 1 ms before every byte that `splits`.
fn split(acts: Vec<Act>, splits: impl Fn(u8) -> bool) -> Vec<Act> {
    let mut parts = Vec::new();
    for act in acts {
        match act {
            Act::Write(bytes) => {
                let mut from = 0;
                for (at, byte) in bytes.iter().enumerate() {
                    if at > from && splits(*byte) {
                        parts.extend([Act::Write(bytes.slice(from..at)), pause(0, 1)]);
                        from = at;
                    }
                }
                parts.extend([Act::Write(bytes.slice(from..)), pause(0, 1)]);
            }
            other @ (Act::Sleep(_) | Act::Forever { .. } | Act::Close | Act::Reset | Act::Hang) => {
                parts.push(other)
            }
        }
    }
    parts
}
