//! Keys that do not print themselves, and texts with the keys struck out. Pure.

mod secret;
mod text;

pub use secret::Secret;
pub use text::{may_hold_key, without_key};
