//! What a provider's answers mean: whose fault an error is, how long to leave it alone, what its
//! key endpoint says. Pure.

mod classify;
mod error_body;
mod key_endpoint;
mod retry_after;

pub use classify::{Asked, Rules};
pub use key_endpoint::{KeySaid, Today, next_utc_day, utc_day};
