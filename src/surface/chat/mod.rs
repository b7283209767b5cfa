//! The Chat Completions side of a translation: what is written to the upstream, and what is read
//! from it.
//!
//! Pure, and ignorant of the surfaces: whatever only one of them has is converted to and from this
//! in that surface's module. Strings are passed on escaped, as they came.

mod arguments;
mod as_text;
mod body;
mod calls;
mod chunk;
mod details;
mod digest;
mod id;
mod name;
mod part;
mod progress;
mod results;
mod schema;
mod seal;
mod turn;
mod usage;

pub(super) use arguments::write_object;
pub(super) use body::{Body, TOO_MANY};
pub(super) use calls::{Calls, Fragment};
pub(super) use chunk::{Chunk, Finish};
pub(super) use details::{Details, text_of};
pub(super) use id::call_id;
pub(super) use name::{cut, fitting};
pub(super) use part::{Part, Url};
pub(super) use schema::write_schema;
pub(super) use seal::{seal, unseal};
pub(super) use turn::Arguments;
pub(super) use usage::Usage;
