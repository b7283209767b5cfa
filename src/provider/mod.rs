//! Providers: what is known about each (its row), what its errors mean, how long to leave what
//! alone, what its key endpoint says. Pure.

mod address;
mod bound;
mod case;
mod classify;
pub mod file;
mod inside;
mod key_endpoint;
mod key_verdict;
mod means;
mod openrouter;
pub mod page;
mod quota;
mod retry_after;
mod row;
mod ruling;
mod said;
mod size;
mod speaks;
mod spent;
mod table;
mod wait;

pub use classify::{Asked, Rules};
pub use key_endpoint::{KeySaid, Today};
pub use key_verdict::{KeyVerdict, key_verdict};
pub use row::{Auth, ErrorRow, Fields, KeyTest, List, Means, OfferRow, Provider, Training};
pub use size::says_too_long;
pub use table::{built_in, find};
