//! A provider's own list of models, in whatever shape it has (reference "providers" §8.1), read
//! with distrust.
//!
//! One reader for all: OpenAI's `data`, Google's native and Ollama's `models`, Cloudflare's
//! `result`, a bare array. Pure. One bad entry affects only itself; the merge decides which entries
//! are offered.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use super::chat_models::{is_named_so, says_otherwise};
use super::facts::Facts;
use super::ranking::Skipped;
use crate::answer::without_mark;
use crate::json::{self, Kind, Raw};
use crate::model::{InvalidModelId, ModelId, without_latest};

/// How many entries of a list are read; the longest known one has under a thousand.
const MOST_ENTRIES: usize = 4096;
/// The longest name that is shown to people.
const LONGEST_NAME: usize = 200;

/// The contents of a provider's list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderList {
    /// The chat models, in the list's order, no id twice.
    pub entries: Vec<Entry>,
    /// Invalid entries.
    pub skipped: Vec<Skipped>,
    /// Entries that are not chat models, or are gone.
    pub others: usize,
    /// It is Ollama's, which cuts prompts to its own window.
    pub is_ollama: bool,
}

/// One model of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The id there, without `models/`.
    pub id: ModelId,
    /// The name a person reads.
    pub name: Option<String>,
    /// What the list says about it.
    pub facts: Facts,
    /// What it costs.
    pub price: Price,
}

/// What an entry says about the price of its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// Nothing: every price that it gives is 0.
    Zero,
    /// Something, or a router's unknown price.
    Some,
    /// It does not say.
    Untold,
}

/// Why a list is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is not JSON.
    #[error("the provider's list is {0}")]
    Json(json::Error),
    /// It is JSON without an array of models.
    #[error("the provider's list has no array of models")]
    Shape,
    /// None of its entries is a chat model.
    #[error("the provider's list has no model to chat with ({skipped} skipped)")]
    NoUsableModel {
        /// How many entries there were.
        skipped: usize,
    },
}

impl ProviderList {
    /// Reads a list. Only the user's own server may have an empty one.
    ///
    /// # Errors
    /// When it is not a list, or has no chat model and `may_be_empty` is not set.
    pub fn read(body: &[u8], may_be_empty: bool, now: SystemTime) -> Result<Self, ListError> {
        let body = Raw::parse(without_mark(body), json::MAX_DEPTH).map_err(ListError::Json)?;
        let (entries, id_is) = entries(body).ok_or(ListError::Shape)?;
        let mut list = Self::default();
        let mut seen = HashSet::new();
        for (position, entry) in entries.elements().enumerate() {
            let mut skip = |reason| list.skipped.push(Skipped { position, reason });
            if position == MOST_ENTRIES {
                skip("the list has more than 4096 entries");
                break;
            }
            let id = match id(entry, id_is) {
                Ok(id) => id,
                Err(reason) => {
                    skip(reason);
                    continue;
                }
            };
            list.is_ollama |= is_ollamas(entry);
            if !is_named_so(&id.as_str().to_ascii_lowercase()) || says_otherwise(entry, now) {
                list.others += 1;
            } else if seen.insert(id.clone()) {
                list.entries.push(Entry {
                    name: name(entry, id_is),
                    facts: Facts::of(entry),
                    price: price(entry),
                    id,
                });
            } else {
                skip("the id appears twice in the list");
            }
        }
        if list.entries.is_empty() && !may_be_empty {
            return Err(list.no_model());
        }
        Ok(list)
    }

    /// The error to report for a list without entries.
    pub(super) fn no_model(&self) -> ListError {
        ListError::NoUsableModel {
            skipped: self.skipped.len() + self.others,
        }
    }

    /// The entry with that id; at Ollama `x` is `x:latest`.
    #[must_use]
    pub fn entry(&self, id: &ModelId) -> Option<&Entry> {
        fn cut(id: &str) -> &str {
            without_latest(id.strip_prefix("models/").unwrap_or(id))
        }
        let exact = self.entries.iter().find(|entry| entry.id == *id);
        exact.or_else(|| {
            let wanted = cut(id.as_str());
            self.entries.iter().find(|e| cut(e.id.as_str()) == wanted)
        })
    }

    /// Drops what contains one of our keys: an id goes to clients, logs and metrics, a name to
    /// people.
    pub fn drop_secrets(&mut self, is_secret: impl Fn(&str) -> bool) {
        self.entries.retain(|entry| !is_secret(entry.id.as_str()));
        for entry in &mut self.entries {
            entry.name = entry.name.take().filter(|name| !is_secret(name));
        }
    }

    /// Fills in what was learnt about each model separately; what the list itself says takes
    /// precedence.
    pub fn learn(&mut self, told: &HashMap<ModelId, Facts>) {
        for entry in &mut self.entries {
            if let Some(told) = told.get(&entry.id) {
                entry.facts = entry.facts.or(*told);
            }
        }
    }
}

/// The array, and the member of an entry that is its id.
fn entries(body: Raw<'_>) -> Option<(Raw<'_>, &'static str)> {
    if body.kind() == Kind::Array {
        return Some((body, "id"));
    }
    let [data, models, result] = body.pick(["data", "models", "result"]);
    // Cloudflare's `id` is a number, and Google's and Ollama's lists have none.
    let known = [(data, "id"), (models, "name"), (result, "name")];
    known
        .into_iter()
        .find_map(|(list, id)| Some((list.filter(|list| list.kind() == Kind::Array)?, id)))
}

fn id(entry: Raw<'_>, member: &str) -> Result<ModelId, &'static str> {
    if entry.kind() != Kind::Object {
        return Err("the entry is not an object");
    }
    let [own, other] = entry.pick([member, "id"]);
    let id = own.or(other).and_then(Raw::as_str);
    let id = id.ok_or("the entry has no id")?;
    let id = id.strip_prefix("models/").unwrap_or(&id);
    ModelId::try_from(id).map_err(|error| match error {
        InvalidModelId::Length => "the id is empty or longer than 128 characters",
        InvalidModelId::Character => "the id is not allowed in a header or a URL",
    })
}

fn name(entry: Raw<'_>, id_is: &str) -> Option<String> {
    let [name, display, shown] = entry.pick(["name", "display_name", "displayName"]);
    let name = name.filter(|_| id_is != "name");
    let name = display.or(shown).or(name)?.as_str()?;
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control);
    fits.then(|| name.into_owned())
}

/// Ollama's own lists have a digest; at its OpenAI address everything pulled is owned by it.
fn is_ollamas(entry: Raw<'_>) -> bool {
    let [digest, owner] = entry.pick(["digest", "owned_by"]);
    digest.is_some() || owner.and_then(Raw::as_str).as_deref() == Some("library")
}

fn price(entry: Raw<'_>) -> Price {
    let mut told = false;
    let mut costs = false;
    let mut count = |price: Raw<'_>| {
        if let Some(amount) = amount(price) {
            told = true;
            costs |= amount != 0.0;
        }
    };
    for (name, value) in entry.members() {
        match &*name {
            "pricing" => {
                let prices = value.members().filter(|(name, _)| name != "discount");
                prices.for_each(|(_, price)| count(price));
            }
            "input_price" | "output_price" | "caching_price" | "cached_price" => count(value),
            _ => {}
        }
    }
    match (told, costs) {
        (_, true) => Price::Some,
        (true, false) => Price::Zero,
        (false, false) => Price::Untold,
    }
}

/// A price, written as a string or a number (`"0"`, `"0.0"`, `"0E-10"`).
pub(super) fn amount(price: Raw<'_>) -> Option<f64> {
    price
        .as_f64()
        .or_else(|| price.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests;
