//! Providers beside OpenRouter, each in its own dialect at its own path. What one says is data, in
//! `providers/*.json`; code is here only for what a row cannot say.

mod accounts;
mod answer;
mod case;
mod limit;
mod odd;
mod over;
mod quota;
mod refusal;
mod route;
mod row;
mod script;
mod stand;

pub use accounts::{Account, Limits};
pub use answer::Told;
pub use case::{Case, ProviderCase, Within, provider_case, provider_cases};
pub use limit::{Ends, Limit, Per, Unit};
pub use odd::Odd;
pub use refusal::{Is, Refusal};
pub use row::{Addresses, addresses, provider_names};
pub use script::ProviderScript;
pub use stand::Providers;

pub(crate) use odd::reshape;
pub(crate) use quota::{Quotas, Running};
pub(crate) use route::{Outcome, Place};
pub(crate) use row::Provider;
