//! Providers: what is known of each (its row), what its errors mean, how long to leave whom alone, what
//! its key endpoint says. Pure.

mod classify;
mod error_body;
mod key_endpoint;
mod retry_after;
mod row;

pub use crate::request::Fields;
pub use classify::{Asked, Rules};
pub use key_endpoint::{KeySaid, Today, next_utc_day, utc_day};
pub use row::{Auth, ErrorRow, KeyTest, List, Means, OfferRow, Provider, Training};
