//! Keys that do not print themselves, and redacting keys from texts. Pure.

mod names;
mod redactor;
mod secret;
mod text;

pub use redactor::{Redacted, Redactor};
pub use secret::Secret;
pub use text::{may_hold_key, without_key};
