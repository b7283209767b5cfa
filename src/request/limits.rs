//! How many of a thing a body may hold, whatever API it speaks.
//!
//! What is built of a body must cost a small multiple of its size. Of things that are a few bytes
//! long when they come and many when they are kept, the number is bounded: far above what any agent
//! sends, far below what `MAX_BODY_BYTES` would let in.

use super::InvalidRequest;

/// Chat Completions has some fifty fields. Each is remembered to find one that is there twice,
/// which a body made of millions of them must not make dear.
pub const MAX_FIELDS: usize = 1_024;

/// Tools that a request defines; agents with many MCP servers bring hundreds.
pub const MAX_TOOLS: usize = 4_096;

/// Sequences that end an answer; the APIs take 4 or so.
pub const MAX_STOPS: usize = 1_024;

/// Messages, or items of an input: a long agent session has thousands.
pub const MAX_MESSAGES: usize = 16_384;

/// Parts of all contents together.
pub const MAX_PARTS: usize = 65_536;

/// What a body was found to hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) tools: usize,
    /// What they were called before.
    pub(super) functions: usize,
    pub(super) stops: usize,
    pub(super) messages: usize,
    pub(super) parts: usize,
}

impl Counts {
    /// Names the first limit that they exceed.
    pub(super) fn check(self) -> Result<(), InvalidRequest> {
        let rows = [
            ("tools", "entries", self.tools, MAX_TOOLS),
            ("functions", "entries", self.functions, MAX_TOOLS),
            ("stop", "entries", self.stops, MAX_STOPS),
            ("messages", "entries", self.messages, MAX_MESSAGES),
            ("messages", "parts in all", self.parts, MAX_PARTS),
        ];
        let over = rows.into_iter().find(|(_, _, count, limit)| count > limit);
        over.map_or(Ok(()), |(field, what, _, limit)| {
            Err(InvalidRequest::TooMany { field, what, limit })
        })
    }
}
