//! What a model is, which provider offers it, and what a verdict applies to.
//!
//! Pure values. Which one is awake, which is best and where models come from is decided elsewhere.

mod canonical;
mod capability;
mod client_name;
mod id;
mod named;
mod offer;
mod order;
mod pattern;
mod provider_id;
mod subject;
mod tier;
mod window;
mod wish;

pub use capability::{Capabilities, Capability};
pub use client_name::{ClientName, InvalidClientName};
pub use id::{InvalidModelId, ModelId};
pub use named::{Named, resolve};
pub use offer::{Candidate, CanonicalKey, Offer};
pub use order::{Lifted, ModelOrder};
pub use pattern::fits;
pub use provider_id::{AccountId, InvalidProviderId, KeyMark, ProviderId};
pub use subject::{Subject, SubjectMap, Whom};
pub use tier::{Place, Tier};
pub use window::window_of_auto;
pub use wish::{Wish, without_latest};
