//! Providers: what is known of each (its row), what its errors mean, how long to leave whom alone, what
//! its key endpoint says. Pure.

mod address;
mod classify;
mod error_body;
pub mod file;
mod key_endpoint;
mod retry_after;
mod row;
mod table;

pub use classify::{Asked, Rules};
pub use key_endpoint::{KeySaid, Today};
pub use row::{Auth, ErrorRow, Fields, KeyTest, List, Means, OfferRow, Provider, Training};
pub use table::{built_in, find};
