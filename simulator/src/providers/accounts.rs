//! The accounts of a simulated provider, and which of them a request is for.

use http::HeaderMap;
use serde::Deserialize;

use super::limit::Limit;
use crate::script::Plan;
use crate::step::Step;

/// An account at a provider.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Its name in records; the provider's if it has none.
    pub name: String,
    /// Its keys. If there are none, it is used for requests without a key.
    pub keys: Vec<String>,
    /// The value of `{account_id}` in an address.
    pub id: String,
    /// What it may use.
    pub limits: Limits,
    /// Unless empty: what every request of it meets, whatever the model's plan.
    pub meets: Plan<Step>,
}

/// What an account may use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Limits {
    /// Exactly this.
    These(Vec<Limit>),
    /// What the provider usually allows (`"usual"`).
    Usual(Usual),
}

/// The word `usual`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usual {
    /// What the provider's file says.
    Usual,
}

impl Default for Limits {
    /// No limits.
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Account {
    /// An account of this name under this key, without limits.
    #[must_use]
    pub fn new(name: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            keys: vec![key.into()],
            ..Self::default()
        }
    }

    /// An account for requests without a key.
    #[must_use]
    pub fn keyless(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// With these limits.
    #[must_use]
    pub fn limits(mut self, limits: impl Into<Vec<Limit>>) -> Self {
        self.limits = Limits::These(limits.into());
        self
    }

    /// With the limits that the provider usually has.
    #[must_use]
    pub fn usual_limits(mut self) -> Self {
        self.limits = Limits::Usual(Usual::Usual);
        self
    }

    /// With this as its id in addresses.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// With this plan for all its requests together.
    #[must_use]
    pub fn meets(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.meets = plan.into();
        self
    }

    /// What it may use at a provider of these limits.
    pub(super) fn limits_at<'l>(&'l self, usual: &'l [Limit]) -> &'l [Limit] {
        match &self.limits {
            Limits::These(limits) => limits,
            Limits::Usual(Usual::Usual) => usual,
        }
    }

    /// How records call it at the provider of this name.
    pub(super) fn label<'l>(&'l self, provider: &'l str) -> &'l str {
        match self.name.as_str() {
            "" => provider,
            name => name,
        }
    }
}

/// Which account a request belongs to.
pub(super) enum Asking<'a> {
    Account(&'a Account),
    WrongKey,
    NoKey,
}

/// The account of the key in these headers; a provider's own header may bring it in place of
/// `Authorization`.
pub(super) fn asking<'a>(
    accounts: &'a [Account],
    key_header: Option<&str>,
    headers: &HeaderMap,
) -> Asking<'a> {
    let bearer = headers.get(http::header::AUTHORIZATION);
    let own = key_header.and_then(|name| headers.get(name));
    let key = match (bearer, own) {
        (Some(value), _) => value
            .to_str()
            .ok()
            .map(|v| v.strip_prefix("Bearer ").unwrap_or(v)),
        (None, Some(value)) => value.to_str().ok(),
        (None, None) => {
            let keyless = accounts.iter().find(|account| account.keys.is_empty());
            return keyless.map_or(Asking::NoKey, Asking::Account);
        }
    };
    let has = |account: &&Account| account.keys.iter().any(|own| Some(own.as_str()) == key);
    accounts
        .iter()
        .find(has)
        .map_or(Asking::WrongKey, Asking::Account)
}
