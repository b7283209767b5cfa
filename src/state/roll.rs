//! Whose each part of the file is: accounts by provider, label and a digest of their keys, so that one with another
//! key starts afresh. Pure.

use std::collections::HashMap;
use std::hash::Hasher as _;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::config::Account;
use crate::learnt::Salt;
use crate::model::{AccountId, KeyMark, ModelId, ProviderId, Whom};
use crate::redact::Secret;

/// The accounts that there are now.
#[derive(Clone, Debug)]
pub struct Roll {
    accounts: Vec<One>,
    by_id: HashMap<AccountId, usize>,
}

#[derive(Clone, Debug)]
struct One {
    id: AccountId,
    /// Each of its keys; without any, its address.
    keys: Vec<(KeyMark, Digest)>,
}

/// Eight bytes of a key, as sixteen hexadecimal digits. Without the salt they say nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest(String);

/// An account, as the file names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedAccount {
    provider: String,
    label: String,
    keys: Vec<Digest>,
}

/// Whom a part of the file concerns; accounts by their place in its list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Who {
    Provider(String),
    Account(usize),
    Key(usize, Digest),
    Model(String, String),
    Candidate(usize, String),
}

impl Digest {
    fn of(texts: [&str; 2], salt: Salt) -> Self {
        let mut hash = SipHasher24::new_with_key(&salt.bytes());
        for text in texts {
            hash.write(text.as_bytes());
            hash.write_u8(0);
        }
        Self(format!("{:016x}", hash.finish()))
    }
}

impl Roll {
    /// Of these accounts, by this salt.
    #[must_use]
    pub fn of(accounts: &[Account], salt: Salt) -> Self {
        let accounts: Vec<_> = accounts
            .iter()
            .map(|account| {
                let keys = account.under_each_key();
                let keys = keys.map(|under| {
                    let key = under.key.as_ref().map(Secret::expose);
                    let with_it = under.account_id.as_ref().map_or("", Secret::expose);
                    let text = key.unwrap_or(&account.provider.base_url);
                    (KeyMark::of([text]), Digest::of([text, with_it], salt))
                });
                One {
                    id: account.id.clone(),
                    keys: keys.collect(),
                }
            })
            .collect();
        let ids = accounts.iter().enumerate();
        Self {
            by_id: ids.map(|(place, one)| (one.id.clone(), place)).collect(),
            accounts,
        }
    }

    pub(super) fn saved(&self) -> Vec<SavedAccount> {
        let accounts = self.accounts.iter();
        accounts
            .map(|one| SavedAccount {
                provider: one.id.provider.as_str().to_owned(),
                label: one.id.label.to_string(),
                keys: one.keys.iter().map(|(_, digest)| digest.clone()).collect(),
            })
            .collect()
    }

    /// As the file names them; `None` if the account has left.
    pub(super) fn who(&self, whom: &Whom) -> Option<Who> {
        let place = |account: &AccountId| self.by_id.get(account).copied();
        Some(match whom {
            Whom::Provider(provider) => Who::Provider(provider.as_str().to_owned()),
            Whom::Account(account) => Who::Account(place(account)?),
            Whom::Key(account, key) => {
                let at = place(account)?;
                let mut keys = self.accounts.get(at)?.keys.iter();
                let (_, digest) = keys.find(|(mark, _)| mark == key)?;
                Who::Key(at, digest.clone())
            }
            Whom::Model(provider, id) => {
                Who::Model(provider.as_str().to_owned(), id.as_str().to_owned())
            }
            Whom::Candidate(account, id) => Who::Candidate(place(account)?, id.as_str().to_owned()),
        })
    }

    /// Whom a file with these accounts means; `None` for those that are not there, or have another key, now.
    pub(super) fn reader(&self, saved: &[SavedAccount]) -> impl Fn(Who) -> Option<Whom> {
        let now: Vec<_> = saved.iter().map(|saved| self.find(saved)).collect();
        move |who| {
            let account = |place: usize| now.get(place).copied().flatten();
            let id = |id: &str| ModelId::try_from(id).ok();
            let provider = |name: &str| {
                let provider = ProviderId::try_from(name).ok()?;
                let mut accounts = self.accounts.iter();
                let is_on = accounts.any(|one| one.id.provider == provider);
                is_on.then_some(provider)
            };
            Some(match who {
                Who::Provider(name) => Whom::Provider(provider(&name)?),
                Who::Account(place) => Whom::Account(account(place)?.id.clone()),
                Who::Key(place, digest) => {
                    let one = account(place)?;
                    let (key, _) = one.keys.iter().find(|(_, known)| *known == digest)?;
                    Whom::Key(one.id.clone(), *key)
                }
                Who::Model(name, model) => Whom::Model(provider(&name)?, id(&model)?),
                Who::Candidate(place, model) => {
                    Whom::Candidate(account(place)?.id.clone(), id(&model)?)
                }
            })
        }
    }

    /// The account that was saved so: under the same name, and with the same first key.
    fn find(&self, saved: &SavedAccount) -> Option<&One> {
        self.accounts.iter().find(|one| {
            *one.id.label == *saved.label
                && one.id.provider.as_str() == saved.provider
                && one.keys.first().map(|(_, digest)| digest) == saved.keys.first()
        })
    }
}
