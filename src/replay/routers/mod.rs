//! The program's own rules, in virtual time.

mod manners;
mod moments;
mod own_rules;

pub use manners::{Manners, Rests};
pub use moments::Moments;
pub use own_rules::{OwnRules, Parts, Quotas};
