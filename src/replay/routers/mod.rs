//! The two routers of the program, in virtual time.

mod balanced;
mod manners;
mod moments;
mod rank;

pub use balanced::{Balanced, Parts, Quotas};
pub use manners::{Manners, Rests};
pub use moments::Moments;
pub use rank::Rank;
