//! Anthropic's Messages API (`POST /v1/messages`, `POST /v1/messages/count_tokens`).
//!
//! Used by Claude Code and Anthropic's SDKs. How each field is handled: `docs/surfaces.md`.

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
