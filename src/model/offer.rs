//! A model at a provider, and the way to it through an account.

use std::fmt;
use std::sync::Arc;

use super::{AccountId, Capabilities, ModelId, ProviderId, Subject, Whom};

/// The weights, whatever provider serves them: `gpt-oss-120b` (spec §10.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalKey(Arc<str>);

impl CanonicalKey {
    /// The key of the model with this id, or this name, at any provider.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self(super::canonical::key(id).into())
    }

    /// Takes a key that the rule has made.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.into())
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for CanonicalKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for CanonicalKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for CanonicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanonicalKey({})", self.0)
    }
}

/// A model at a provider under the provider's own id, as described by lists and rows (spec §10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its provider.
    pub provider: ProviderId,
    /// The id there, sent as it is.
    pub id: ModelId,
    /// The id that is shown: at OpenRouter the same, elsewhere `<provider>/<id there>`.
    pub public_id: ModelId,
    /// The model behind it.
    pub canonical: CanonicalKey,
    /// The ranking's, if it lists the model: smaller is better.
    pub rank: Option<i64>,
    /// The display name, if a list has one.
    pub name: Option<String>,
    /// The largest prompt plus answer, in tokens, if known.
    pub context_length: Option<u64>,
    /// That is a guess: what OpenRouter's catalogue says of the same model elsewhere, or what is usual.
    pub window_is_guessed: bool,
    /// The longest answer, in tokens, if known.
    pub max_output: Option<u64>,
    /// What it can do, if known.
    pub capabilities: Capabilities,
}

impl Offer {
    /// Whether two are the same offer, whatever is known about either.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id && self.provider == other.provider
    }

    /// Its window, unless that is a guess.
    #[must_use]
    pub fn own_window(&self) -> Option<u64> {
        self.context_length.filter(|_| !self.window_is_guessed)
    }

    /// Drops a name that contains one of our keys. Returns whether the id contains none: otherwise
    /// the offer is unusable, because ids go to clients, logs and metrics.
    pub fn drop_secrets(&mut self, is_secret: impl Fn(&str) -> bool) -> bool {
        self.name.take_if(|name| is_secret(name));
        !is_secret(self.id.as_str())
    }

    /// An offer of OpenRouter's about which only its id is known.
    #[must_use]
    pub fn at_openrouter(id: ModelId) -> Self {
        Self::at(ProviderId::openrouter(), id)
    }

    /// An offer about which only its provider and its id there are known.
    #[must_use]
    pub fn at(provider: ProviderId, id: ModelId) -> Self {
        Self {
            public_id: ModelId::public(&provider, &id),
            canonical: CanonicalKey::of(id.as_str()),
            provider,
            id,
            rank: None,
            name: None,
            context_length: None,
            window_is_guessed: false,
            max_output: None,
            capabilities: Capabilities::default(),
        }
    }
}

/// An offer through an account: what selection chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The offer.
    pub offer: Arc<Offer>,
    /// The account, of the offer's provider.
    pub account: Arc<AccountId>,
    /// It is in the list; the fallback router is in no list and not counted (spec §2.4).
    pub is_listed: bool,
    /// The index of its account among those of its snapshot.
    pub place: usize,
    /// Its own index among the candidates of its snapshot, in the order for requests without tools.
    pub index: usize,
    subjects: [Subject; 4],
}

impl Candidate {
    /// An offer through an account.
    #[must_use]
    pub fn new(offer: Arc<Offer>, account: Arc<AccountId>, is_listed: bool) -> Self {
        let subjects = [
            Whom::Provider(account.provider.clone()),
            Whom::Account((*account).clone()),
            Whom::Model(offer.provider.clone(), offer.id.clone()),
            Whom::Candidate((*account).clone(), offer.id.clone()),
        ];
        Self {
            offer,
            account,
            is_listed,
            place: 0,
            index: 0,
            subjects: subjects.map(Subject::new),
        }
    }

    /// The same, with its account at this index of its snapshot.
    #[must_use]
    pub fn in_place(self, place: usize) -> Self {
        Self { place, ..self }
    }

    /// The same, at this index of its snapshot.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// All subjects whose verdicts apply to it: provider, account, model, and itself.
    #[must_use]
    pub fn subjects(&self) -> &[Subject; 4] {
        &self.subjects
    }

    /// Its provider.
    #[must_use]
    pub fn provider(&self) -> &Subject {
        let [provider, ..] = &self.subjects;
        provider
    }

    /// Its account.
    #[must_use]
    pub fn of_account(&self) -> &Subject {
        let [_, account, ..] = &self.subjects;
        account
    }

    /// Its offer, through any account.
    #[must_use]
    pub fn model(&self) -> &Subject {
        let [_, _, model, _] = &self.subjects;
        model
    }

    /// The offer through this account.
    #[must_use]
    pub fn itself(&self) -> &Subject {
        let [_, _, _, itself] = &self.subjects;
        itself
    }
}
