//! The Chat Completions side of a translation: what is written to the upstream, and what is read
//! from it.
//!
//! Pure, and ignorant of the surfaces: whatever only one of them has is turned into this, or out
//! of it, in that one's room. Strings travel escaped, as they came.

mod body;
mod calls;
mod chunk;
mod part;
mod reasoning;
mod turn;
mod usage;

pub(super) use body::Body;
pub(super) use calls::{Balance, Calls, Fragment};
pub(super) use chunk::{Chunk, Finish};
pub(super) use part::{Part, Url};
pub(super) use reasoning::{Details, seal, text_of, unseal};
pub(super) use turn::Arguments;
pub(super) use usage::Usage;
