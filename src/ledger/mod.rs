//! How much quota each account has left: limits as data, and the buckets that count against them
//! (spec §10.5).
//!
//! Pure: `now` is passed in. It knows nothing about requests, answers or rests: it is told what was sent and
//! what providers reported, and says which candidates have headroom.

mod allowance;
mod beyond;
mod book;
mod bucket;
mod calendar;
mod charge;
mod count;
mod fair;
mod headers;
mod learning;
mod limit;
mod listing;
mod numbers;
mod rolling;
mod saved;
mod stated;
#[cfg(test)]
mod tests;
mod time;
mod view;
mod words;

pub use allowance::{AllowanceView, Allowances, Debit, Over, SavedAllowances};
pub use book::{BucketId, Headroom, Ledger, Reservation, Slot, Terms};
pub use calendar::{Window, next_end, window};
pub use charge::{Ask, Used};
pub use fair::Share;
pub use headers::{Correction, QuotaHeaders, read_headers};
pub use learning::{FreeDay, Refusal};
pub use limit::{Counted, Ends, Limit, LimitSource, Per, Unit};
pub use saved::SavedLedger;
pub use stated::Stated;
pub use view::BucketView;
