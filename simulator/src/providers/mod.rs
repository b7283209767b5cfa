//! Providers other than OpenRouter, each in its own dialect at its own path. Their answers are
//! data, in `providers/*.json`; code is here only for what a row cannot express.

mod accounts;
mod answer;
mod case;
mod control;
mod limit;
mod odd;
mod over;
mod place;
mod quota;
mod refusal;
mod route;
mod row;
mod script;
mod stand;
mod window;

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
pub(crate) use place::Place;
pub(crate) use quota::{Quotas, Running};
pub(crate) use route::Outcome;
pub(crate) use row::Provider;
