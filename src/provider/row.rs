//! What is known of one provider: a row of the table (spec §10.1).

use std::sync::Arc;
use std::time::Duration;

use super::address;
use crate::ledger::{Ends, Limit};
use crate::model::{Capabilities, ModelId, ProviderId};
pub use crate::request::Fields;

/// One provider, as the built-in table and `CONFIG_FILE` describe it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name.
    pub id: ProviderId,
    /// How people call it.
    pub name: String,
    /// It is not built in: the file brought it.
    pub custom: bool,
    /// The address that `/chat/completions` is put behind, without a slash at its end.
    /// `{account_id}` in it is the account's. Empty for `local`, whose address only the user knows.
    pub base_url: String,
    /// How a key is shown to it.
    pub auth: Auth,
    /// The variables that may hold its key, the usual one first.
    pub key_names: Vec<String>,
    /// Those of them that other programs use too: a key there counts only where `PROVIDERS` names
    /// the provider.
    pub shared_names: Vec<String>,
    /// The variable of the account id that goes with the key, where it takes one.
    pub account_id_name: Option<String>,
    /// How a key usually begins: a hint for a warning, never a reason to refuse one.
    pub key_prefix: Option<String>,
    /// It answers without a key.
    pub keyless: bool,
    /// It is on only where `PROVIDERS` names it.
    pub only_when_named: bool,
    /// What is asked under a key is paid for (`ALLOW_PAID`).
    pub billed: bool,
    /// Its list of models.
    pub list: List,
    /// How to find out whether a key is taken.
    pub key_test: KeyTest,
    /// Its free limits.
    pub limits: Vec<Limit>,
    /// The same under a key, where they are others: without one they are an address's.
    pub limits_with_key: Option<Vec<Limit>>,
    /// When its day ends, where that is fixed.
    pub day_ends: Option<Ends>,
    /// The offers that are known without its list, or that alone are free, as the row has them.
    pub models: Vec<OfferRow>,
    /// The file's `models`: these alone are offered, and what it says of them counts before
    /// everything else.
    pub only: Option<Vec<OfferRow>>,
    /// What must change in a request before it goes there.
    pub fields: Fields,
    /// What its answers break of OpenAI's shape.
    pub mends: bool,
    /// What its errors mean, where the common reader would be wrong; the first that fits counts.
    pub errors: Vec<ErrorRow>,
    /// Whether its free tier may train on prompts.
    pub training: Training,
    /// `max_tokens` counts towards its limits on tokens.
    pub counts_max_tokens: bool,
    /// `UPSTREAM_TIMEOUT_SEC` for it alone.
    pub timeout: Option<Duration>,
    /// Connections to it at once, at the most.
    pub connections: Option<usize>,
    /// What it gives for nothing, in words.
    pub gives: String,
    /// Where a person gets a key.
    pub sign_up: String,
    /// What to know before relying on it, for `docs/providers.md`.
    pub caveats: String,
    /// Where and when the facts of the row were read.
    pub source: String,
}

impl Provider {
    /// One of which nothing is known but its name: an OpenAI-style server whose list decides what it
    /// offers, behind a bearer key where it takes one.
    #[must_use]
    pub(super) fn unknown(id: ProviderId, custom: bool) -> Self {
        Self {
            name: id.as_str().to_owned(),
            id,
            custom,
            base_url: String::new(),
            auth: Auth::Bearer,
            key_names: Vec::new(),
            shared_names: Vec::new(),
            account_id_name: None,
            key_prefix: None,
            keyless: false,
            only_when_named: false,
            billed: false,
            list: List {
                url: None,
                decides: true,
                with_key: true,
                priced: false,
            },
            key_test: KeyTest::Get(Vec::new()),
            limits: Vec::new(),
            limits_with_key: None,
            day_ends: None,
            models: Vec::new(),
            only: None,
            fields: Fields::default(),
            mends: false,
            errors: Vec::new(),
            training: Training::Unknown,
            counts_max_tokens: false,
            timeout: None,
            connections: None,
            gives: String::new(),
            sign_up: String::new(),
            caveats: String::new(),
            source: String::new(),
        }
    }

    /// The same at another address: its own addresses below the base move with it, the others keep
    /// their path at the new one's scheme, host and port (spec §10.1).
    #[must_use]
    pub fn at(mut self, base_url: &str) -> Self {
        let base_url = base_url.trim_end_matches('/');
        let moved = |url: &mut String| *url = address::moved(url, &self.base_url, base_url);
        self.list.url.iter_mut().for_each(moved);
        if let KeyTest::Get(urls) = &mut self.key_test {
            urls.iter_mut().for_each(moved);
        }
        base_url.clone_into(&mut self.base_url);
        self
    }

    /// The same as its accounts are counted under a key.
    #[must_use]
    pub fn with_key(self: Arc<Self>) -> Arc<Self> {
        match &self.limits_with_key {
            None => self,
            Some(limits) => Arc::new(Self {
                limits: limits.clone(),
                limits_with_key: None,
                ..(*self).clone()
            }),
        }
    }

    /// Its base for this account; `None` where it takes an account id and this is none.
    #[must_use]
    pub fn base_for(&self, account_id: Option<&str>) -> Option<String> {
        address::filled(&self.base_url, account_id)
    }

    /// Where this account's list of models is read.
    #[must_use]
    pub fn list_for(&self, account_id: Option<&str>) -> Option<String> {
        match &self.list.url {
            Some(url) => address::filled(url, account_id),
            None => Some(format!("{}/models", self.base_for(account_id)?)),
        }
    }

    /// What is asked, in this order, whether this account's key is taken; empty where only a chat
    /// tells.
    #[must_use]
    pub fn key_test_for(&self, account_id: Option<&str>) -> Option<Vec<String>> {
        match &self.key_test {
            KeyTest::Chat => Some(Vec::new()),
            KeyTest::Get(urls) if urls.is_empty() => {
                Some(vec![format!("{}/models", self.base_for(account_id)?)])
            }
            KeyTest::Get(urls) => urls
                .iter()
                .map(|url| address::filled(url, account_id))
                .collect(),
        }
    }

    /// Whether an account id must go with each of its keys.
    #[must_use]
    pub fn takes_account_id(&self) -> bool {
        let tests = match &self.key_test {
            KeyTest::Get(urls) => urls.as_slice(),
            KeyTest::Chat => &[],
        };
        let mut all = std::iter::once(&self.base_url)
            .chain(&self.list.url)
            .chain(tests);
        all.any(|url| url.contains(address::ACCOUNT_ID))
    }
}

/// How a key is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <key>`.
    Bearer,
    /// Not at all.
    None,
    /// In a header of this name.
    Header(String),
}

/// How its list of models is read, and what it decides (spec §10.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its address; `None` is `/models` behind the base.
    pub url: Option<String>,
    /// The list decides what is offered; else only the row's or the file's ids are, as far as the
    /// list still has them.
    pub decides: bool,
    /// It is read with the key.
    pub with_key: bool,
    /// Only entries whose price is zero are free.
    pub priced: bool,
}

/// How to find out whether a key is taken (reference §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTest {
    /// A GET of this address with the key, which spends no quota. Of several, a later one is
    /// asked where the one before it refused: the key is dead when all refuse it.
    Get(Vec<String>),
    /// Nothing is free of charge: the shortest of chats.
    Chat,
}

/// One offer, as row or file describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRow {
    /// The id there.
    pub id: ModelId,
    /// The largest prompt plus answer, in tokens.
    pub context: Option<u64>,
    /// The longest answer, in tokens.
    pub output: Option<u64>,
    /// What it can do, as far as known.
    pub capabilities: Capabilities,
}

/// What an error means (spec §10.1, `[[errors]]`). All members that are set must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// The status.
    pub status: Option<u16>,
    /// The error's code, whichever member holds it.
    pub code: Option<String>,
    /// Part of the body, any case; behind `^` the beginning of the message, where a `*` stands for a
    /// name or an id of up to 80 bytes.
    pub matches: Option<String>,
    /// What it means.
    pub means: Means,
}

/// What an error may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// The minute's quota is spent.
    MinuteSpent,
    /// The day's quota is spent.
    DaySpent,
    /// The month's quota is spent.
    MonthSpent,
    /// No credit, or a quota of the account whose end is not known.
    AccountOut,
    /// The key is refused.
    KeyDead,
    /// The model is gone.
    ModelGone,
    /// The model is not there for this account.
    NotForThisAccount,
    /// The request is too large for it.
    TooLarge,
    /// The model is overloaded or broken.
    Overloaded,
    /// The provider does not serve this region.
    Region,
    /// Too many requests of ours are under way.
    Busy,
    /// The model failed at this answer, and needs no rest.
    Failed,
}

/// Whether a free tier may train on prompts (reference §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Training {
    /// It says it does not.
    No,
    /// It may.
    May,
    /// Not known, which counts as may.
    Unknown,
}

impl Training {
    /// As `CONFIG_FILE`, logs and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::May => "may",
            Self::Unknown => "unknown",
        }
    }
}
