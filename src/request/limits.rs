//! Limits on the number of things in a body, whatever API it is for.
//!
//! What is built from a body must cost a small multiple of its size. For things that take a few
//! bytes on arrival and many when kept, the number is limited: far above what any agent sends, far
//! below what `MAX_BODY_BYTES` would allow.

use super::InvalidRequest;

/// Chat Completions has some fifty fields. Each is remembered in order to find duplicates, which
/// must not become expensive for a body made of millions of them.
pub const MAX_FIELDS: usize = 1_024;

/// Tools defined in a request; agents with many MCP servers send hundreds.
pub const MAX_TOOLS: usize = 4_096;

/// Stop sequences; the APIs allow about 4.
pub const MAX_STOPS: usize = 1_024;

/// Messages, or items of an input: a long agent session has thousands.
pub const MAX_MESSAGES: usize = 16_384;

/// Parts of all contents together.
pub const MAX_PARTS: usize = 65_536;

/// The counts found in a body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) tools: usize,
    /// Tools under their former name.
    pub(super) functions: usize,
    pub(super) stops: usize,
    pub(super) messages: usize,
    pub(super) parts: usize,
}

impl Counts {
    /// The first limit that is exceeded.
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
