//! Routers beside the program's own. None of them sees what the world hides, but for `Informed`.

mod informed;
mod ours;
mod quotas;
mod steps;

pub use informed::Informed;
pub use ours::{ours, rank};
pub use quotas::candidates;
pub use steps::Steps;
