//! Routers in virtual time: whom `ROUTING=rank` and `ROUTING=balanced` would have asked, and what would
//! have come of it.
//!
//! Pure: values in, values out; no clock, no lock, no socket. A [`World`] says what an attempt comes to: one
//! is a [`Trace`], what a proxy wrote down (spec §11.8), and the tests have one with dice. [`play`] walks
//! its requests past the candidates as a proxy does, in the order that a [`Router`] says: by the
//! program's own rules, in `learnt`. Nothing here knows how to open a file or to print.

mod figures;
mod observed;
mod play;
mod record;
mod report;
mod routers;
mod seen;
mod sessions;
mod settings;
mod told;
mod trace;

pub use figures::{Figures, Tally};
pub use observed::{Near, Observed};
pub use play::{
    Attempt, Choice, Failure, NEVER, Outcome, Place, Request, Rest, Router, Walk, World, play,
};
pub use record::{Answer, Record, Taste};
pub use report::{Row, report, rows};
pub use routers::{Balanced, Manners, Moments, Parts, Quotas, Rank, Rests};
pub use sessions::Sessions;
pub use settings::Settings;
pub use told::Told;
pub use trace::{LeftOut, Read, Trace};

#[cfg(test)]
mod tests;
