//! What is known about one provider: a row of the table (spec §10.1).

use std::sync::Arc;
use std::time::Duration;

use super::address;
use super::table::find;
use crate::ledger::{Ends, Limit};
use crate::model::{Capabilities, ModelId, ProviderId};
pub use crate::request::Fields;

/// One provider, as the built-in table and `CONFIG_FILE` describe it.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name.
    pub id: ProviderId,
    /// Its display name.
    pub name: String,
    /// It is not built in, but defined in the file.
    pub custom: bool,
    /// The address to which `/chat/completions` is appended, without a trailing slash.
    /// `{account_id}` in it is the account's. Empty for `local`, whose address only the user knows.
    pub base_url: String,
    /// How a key is presented to it.
    pub auth: Auth,
    /// The variables that may contain its key, the usual one first.
    pub key_names: Vec<String>,
    /// Those of them that other programs use too: a key there counts only if `PROVIDERS` names the
    /// provider.
    pub shared_names: Vec<String>,
    /// The variable of the account id that goes with the key, if it needs one.
    pub account_id_name: Option<String>,
    /// How a key usually starts: a hint for a warning, never a reason to refuse one.
    pub key_prefix: Option<String>,
    /// It answers without a key.
    pub keyless: bool,
    /// It is on only if `PROVIDERS` names it.
    pub only_when_named: bool,
    /// Requests under a key are billed (`ALLOW_PAID`).
    pub billed: bool,
    /// Its list of models.
    pub list: List,
    /// How to find out whether a key is accepted.
    pub key_test: KeyTest,
    /// Its free limits.
    pub limits: Vec<Limit>,
    /// Its limits with a key, if they differ: without one they are per address.
    pub limits_with_key: Option<Vec<Limit>>,
    /// When its day ends, if that is fixed.
    pub day_ends: Option<Ends>,
    /// The offers known without its list, or the only free ones, according to the row.
    pub models: Vec<OfferRow>,
    /// The file's `models`: only these are offered, and what it says about them takes precedence
    /// over everything else.
    pub only: Option<Vec<OfferRow>>,
    /// What must change in a request before it goes there.
    pub fields: Fields,
    /// It is a router itself: it reads the fields by which a request says what is to serve it.
    pub routes: bool,
    /// Its answers break OpenAI's shape and are mended.
    pub mends: bool,
    /// What its errors mean, where the common rules would be wrong; the first match counts.
    pub errors: Vec<ErrorRow>,
    /// Whether its free tier may train on prompts.
    pub training: Training,
    /// `max_tokens` counts towards its limits on tokens.
    pub counts_max_tokens: bool,
    /// `UPSTREAM_TIMEOUT_SEC` for this provider only.
    pub timeout: Option<Duration>,
    /// The maximum number of concurrent connections to it.
    pub connections: Option<usize>,
    /// What it gives for free, in words.
    pub gives: String,
    /// Where a person gets a key.
    pub sign_up: String,
    /// What to know before relying on it, for `docs/providers.md`.
    pub caveats: String,
    /// Where and when the facts of the row were found.
    pub source: String,
}

impl Provider {
    /// The variable to put its key into: the first that is its own, else the first.
    #[must_use]
    pub fn key_name(&self) -> Option<&String> {
        let mut names = self.key_names.iter();
        let own = names.find(|name| !self.shared_names.contains(name));
        own.or_else(|| self.key_names.first())
    }

    /// A provider of which only the name is known: an OpenAI-style server whose list decides what
    /// it offers, with a bearer key if it needs one.
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
            routes: custom,
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

    /// The same at another address: its own addresses below the base move along, the others keep
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

    /// The same as it is counted for accounts with a key.
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

    /// Whether it is asked at an address that the user gave, and not at a built-in one: what is
    /// there may be a proxy like this one.
    #[must_use]
    pub fn is_at_users_address(&self) -> bool {
        find(self.id.as_str()).is_none_or(|row| row.base_url != self.base_url)
    }

    /// Where to get another key, as the end of a paragraph; empty if that is not known.
    #[must_use]
    pub fn create_one(&self) -> String {
        match self.sign_up.as_str() {
            "" => String::new(),
            page => format!(". Create one at {page}"),
        }
    }

    /// Its base for this account; `None` if it needs an account id and this is not one.
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

    /// The addresses to ask, in order, whether this account's key is accepted; empty if only a chat
    /// request can tell.
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

/// How a key is presented.
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
    /// Its address; `None` is `/models` below the base.
    pub url: Option<String>,
    /// The list decides what is offered; otherwise only the ids of the row or the file are, as long
    /// as the list still has them.
    pub decides: bool,
    /// It is read with the key.
    pub with_key: bool,
    /// Only entries whose price is zero are free.
    pub priced: bool,
}

/// How to find out whether a key is accepted (reference §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTest {
    /// A GET of this address with the key, which spends no quota. If there are several, a later one
    /// is asked if the previous one refused: the key is dead when all refuse it.
    Get(Vec<String>),
    /// There is no free way: a minimal chat request.
    Chat,
}

/// One offer, as described by row or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRow {
    /// The id there.
    pub id: ModelId,
    /// The largest prompt plus answer, in tokens.
    pub context: Option<u64>,
    /// The longest answer, in tokens.
    pub output: Option<u64>,
    /// What it can do, if known.
    pub capabilities: Capabilities,
}

/// What an error means (spec §10.1, `[[errors]]`). All members that are set must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// The status.
    pub status: Option<u16>,
    /// The error's code, in whichever member.
    pub code: Option<String>,
    /// Part of the body, in any case; after `^` the beginning of the message, where a `*` matches a
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
    /// The model is not available to this account.
    NotForThisAccount,
    /// The request is too large for it.
    TooLarge,
    /// The model is overloaded or broken.
    Overloaded,
    /// The provider does not serve this region.
    Region,
    /// Too many of our requests are in progress.
    Busy,
    /// The model failed to give this answer, and needs no rest.
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
