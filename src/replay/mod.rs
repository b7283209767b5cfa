//! Routers in virtual time: which candidates `ROUTING=rank` and `ROUTING=balanced` would have asked, and with
//! what result.
//!
//! Pure: values in, values out; no clock, no lock, no socket. A [`World`] decides the outcome of an attempt:
//! one is built from a [`Trace`], recorded by a proxy (spec §11.8), and the tests have a random one. [`play()`]
//! walks its requests past the candidates as a proxy does, in the order a [`Router`] chooses by the program's
//! own rules, in `learnt`. Nothing here opens a file or prints.

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
pub use routers::{Manners, Moments, OwnRules, Parts, Quotas, Rests};
pub use sessions::Sessions;
pub use settings::Settings;
pub use told::Told;
pub use trace::{LeftOut, Read, Trace};

#[cfg(test)]
mod tests;
