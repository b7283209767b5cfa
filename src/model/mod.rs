//! What a model is: its id, what it can do, how much it can hold.
//!
//! Pure values. Who is awake, who is best and where models come from is told elsewhere.

mod canonical;
mod capability;
mod id;
mod named;
mod offer;
mod order;
mod provider_id;
mod window;

pub use capability::{Capabilities, Capability};
pub use id::{InvalidModelId, ModelId};
pub use named::{Named, resolve};
pub use offer::{Candidate, CanonicalKey, Offer};
pub use order::ModelOrder;
pub use provider_id::{AccountId, InvalidProviderId, ProviderId};
pub use window::window_of_auto;

/// One model of the snapshot, as the list and the catalogue describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Sent upstream unchanged.
    pub id: ModelId,
    /// The smaller the better. Equal ranks keep the list's order.
    pub rank: i64,
    /// The name a person reads, where the list gives one.
    pub name: Option<String>,
    /// The largest prompt plus answer, in tokens, where known.
    pub context_length: Option<u64>,
    /// What it can do, as far as known.
    pub capabilities: Capabilities,
}
