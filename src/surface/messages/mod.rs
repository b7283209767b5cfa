//! Anthropic's Messages API (`POST /v1/messages`, `POST /v1/messages/count_tokens`).
//!
//! Claude Code and Anthropic's SDKs speak it. What becomes of each field is in `docs/surfaces.md`.

mod block;
mod blocks;
mod call;
mod count;

mod error;
mod event;
mod plain;
mod reply;
mod request;
mod stream;
mod tools;

pub use count::count_tokens;
pub(super) use error::error;
pub use event::PING;
pub use reply::Reply;
pub use request::read;
pub use stream::Stream;

#[cfg(test)]
mod tests;
