//! The events of a message's stream.

use super::reply::{Reply, Stopped, write_usage};
use crate::json::write;
use crate::surface::Ids;
use crate::surface::chat::Usage;

/// A sign that the connection is alive; clients skip it anywhere.
pub const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

/// The content of a block, for the event that opens it. Strings are escaped.
pub(super) enum Block<'a> {
    Text,
    Thinking,
    /// With all its data.
    Redacted(&'a [u8]),
    Call {
        id: &'a str,
        name: &'a str,
    },
}

/// What a delta adds. Strings are escaped.
#[derive(Clone, Copy)]
pub(super) enum Delta {
    Text,
    Thinking,
    Signature,
    Input,
}

fn pieces(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

pub(super) fn message_start(reply: &Reply, ids: &Ids, answering: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    reply.write_head(ids, answering, out);
    out.extend_from_slice(br#"],"stop_reason":null,"stop_sequence":null,"usage":"#);
    // The upstream counts at the end.
    let estimated = Usage {
        prompt: reply.prompt,
        ..Usage::default()
    };
    write_usage(estimated, out);
    out.extend_from_slice(b"}}\n\n");
}

pub(super) fn block_start(index: u64, block: &Block<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":",
    );
    write::number(out, index);
    out.extend_from_slice(br#","content_block":{"type":"#);
    match block {
        Block::Text => out.extend_from_slice(br#""text","text":"""#),
        Block::Thinking => out.extend_from_slice(br#""thinking","thinking":"","signature":"""#),
        Block::Redacted(data) => {
            pieces(out, &[br#""redacted_thinking","data":""#, data, b"\""]);
        }
        Block::Call { id, name } => pieces(
            out,
            &[
                br#""tool_use","id":""#,
                id.as_bytes(),
                br#"","name":""#,
                name.as_bytes(),
                br#"","input":{}"#,
            ],
        ),
    }
    out.extend_from_slice(b"}}\n\n");
}

pub(super) fn block_delta(index: u64, delta: Delta, text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
    );
    write::number(out, index);
    let start: &[u8] = match delta {
        Delta::Text => br#","delta":{"type":"text_delta","text":""#,
        Delta::Thinking => br#","delta":{"type":"thinking_delta","thinking":""#,
        Delta::Signature => br#","delta":{"type":"signature_delta","signature":""#,
        Delta::Input => br#","delta":{"type":"input_json_delta","partial_json":""#,
    };
    pieces(out, &[start, text, b"\"}}\n\n"]);
}

pub(super) fn block_stop(index: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":",
    );
    write::number(out, index);
    out.extend_from_slice(b"}\n\n");
}

pub(super) fn message_end(reply: &Reply, ending: &Stopped, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{");
    reply.write_stop(ending, out);
    out.extend_from_slice(br#"},"usage":"#);
    write_usage(ending.usage, out);
    out.extend_from_slice(b"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}
