//! The providers' own lists, read in parallel. One that cannot be read keeps its last state and
//! does not affect the others (spec §10.7).
//!
//! The refresh decides when to read, and the merge what becomes of the lists.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::facts::Facts;
use super::local::{of_llama_props, of_ollama_show};
use super::provider_list::ProviderList;
use super::read::{RefreshError, holds_secret, whole};
use crate::clock::Now;
use crate::model::{ModelId, ProviderId};
use crate::redact::Secret;
use crate::registry::FailedRead;
use crate::upstream::HttpClient;

/// How long the user's own server is asked about its models, after its list.
const DETAILS_TIMEOUT: Duration = Duration::from_secs(5);
/// About how many of them.
const DETAILS: usize = 64;

/// Where a provider's list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListAt {
    /// Which provider.
    pub provider: ProviderId,
    /// The ways to it, one for each account: if a key is refused, the next is used. One without a
    /// key if the list needs none.
    pub ways: Vec<Way>,
}

/// An address, and what goes there with every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The whole address.
    pub url: String,
    /// The header with the key, marked so that it is never printed; and the mark of a hop.
    pub headers: HeaderMap,
}

/// Reads all lists.
#[derive(Clone)]
pub struct EachList {
    client: HttpClient,
    /// The maximum size of a list in bytes.
    max_bytes: usize,
    /// All our keys: no id may contain one.
    keys: Arc<[Secret]>,
}

impl EachList {
    /// Reads through `client`, lists of at most `max_bytes` each; entries containing one of `keys`
    /// are dropped.
    #[must_use]
    pub fn new(client: HttpClient, max_bytes: usize, keys: Arc<[Secret]>) -> Self {
        Self {
            client,
            max_bytes,
            keys,
        }
    }

    /// Reads one of them.
    ///
    /// # Errors
    /// When it cannot be read through any of its ways.
    pub async fn one(&self, at: &ListAt) -> Result<ProviderList, RefreshError> {
        let is_local = at.provider.is_local();
        let mut refused = RefreshError::Status(401);
        for way in &at.ways {
            let asked = self.client.ask(&way.url, way.headers.clone(), None);
            match whole(asked, self.max_bytes).await {
                // Google's dead key is a 400.
                Err(RefreshError::Status(status @ (400 | 401 | 403))) => {
                    refused = RefreshError::Status(status);
                }
                Err(error) => return Err(error),
                Ok(body) => {
                    let mut list = ProviderList::read(&body, is_local, Now::read().wall)?;
                    list.drop_secrets(|text| holds_secret(&self.keys, text));
                    if is_local {
                        self.ask_about(&mut list, way).await;
                    }
                    return Ok(list);
                }
            }
        }
        Err(refused)
    }

    /// Asks the user's own server for what its list leaves out. A missing answer is not an error:
    /// the facts stay unknown.
    async fn ask_about(&self, list: &mut ProviderList, way: &Way) {
        let base = way.url.strip_suffix("/models").unwrap_or(&way.url);
        let root = base.strip_suffix("/v1").unwrap_or(base);
        let mut told = HashMap::new();
        let ask = async {
            if list.is_ollama {
                for entry in list.entries.iter().take(DETAILS) {
                    let facts = self.ollama(root, &entry.id, way).await;
                    told.extend(facts.map(|facts| (entry.id.clone(), facts)));
                }
            } else if let [only] = list.entries.as_slice()
                && only.facts.context_length.is_none()
            {
                let address = format!("{root}/props");
                let asked = self.client.ask(&address, way.headers.clone(), None);
                let body = whole(asked, self.max_bytes).await.ok();
                let facts = body.and_then(|body| of_llama_props(&body));
                told.extend(facts.map(|facts| (only.id.clone(), facts)));
            }
        };
        // What has been learnt by then counts.
        let _in_time = tokio::time::timeout(DETAILS_TIMEOUT, ask).await.is_ok();
        list.learn(&told);
    }

    async fn ollama(&self, root: &str, id: &ModelId, way: &Way) -> Option<Facts> {
        let asked = serde_json::json!({"model": id.as_str()}).to_string();
        let address = format!("{root}/api/show");
        let asked = self
            .client
            .ask(&address, way.headers.clone(), Some(Bytes::from(asked)));
        of_ollama_show(&whole(asked, self.max_bytes).await.ok()?)
    }
}

/// Each list as it was last read.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    lists: HashMap<ProviderId, ProviderList>,
    failed: HashMap<ProviderId, FailedRead>,
}

impl Kept {
    /// Keeps what was read; a list that could not be read keeps its last state. Returns whether
    /// anything is new.
    pub fn note(&mut self, provider: ProviderId, read: Result<ProviderList, RefreshError>) -> bool {
        match read {
            Ok(list) => {
                self.failed.remove(&provider);
                let before = self.lists.get(&provider);
                let is_news = before != Some(&list);
                self.lists.insert(provider, list);
                is_news
            }
            Err(error) => {
                self.failed.insert(provider, error.told());
                false
            }
        }
    }

    /// Forgets the lists of other providers.
    pub fn retain(&mut self, stays: impl Fn(&ProviderId) -> bool) {
        self.lists.retain(|provider, _| stays(provider));
        self.failed.retain(|provider, _| stays(provider));
    }

    /// A provider's list as it was last read.
    #[must_use]
    pub fn list(&self, provider: &ProviderId) -> Option<&ProviderList> {
        self.lists.get(provider)
    }

    /// Why the last read of a provider's list failed, if it did.
    #[must_use]
    pub fn failed(&self, provider: &ProviderId) -> Option<&FailedRead> {
        self.failed.get(provider)
    }
}

#[cfg(test)]
mod tests;
