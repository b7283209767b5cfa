//! The reads themselves: which are begun, how long they are waited for, and what is kept of each.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Serialize;

use super::{RefreshTask, Why};
use crate::clock::Now;
use crate::config::LogLevel;
use crate::ledger::Unit;
use crate::list::catalogue::Catalogue;
use crate::list::each::{Kept, ListAt};
use crate::list::provider_list::ProviderList;
use crate::list::ranking::Ranking;
use crate::list::read::RefreshError;
use crate::model::ProviderId;
use crate::registry::FailedRead;

/// How long a good ranking waits for what is read beside it, and other providers for the ranking.
const GRACE: Duration = Duration::from_secs(1);

/// What is read beside the ranking.
pub(super) enum Side {
    Catalogue(Result<Catalogue, RefreshError>),
    List(ProviderId, Result<ProviderList, RefreshError>),
}

/// A read that is under way.
pub(super) type Reading = Pin<Box<dyn Future<Output = Side> + Send>>;

impl RefreshTask {
    /// Reads everything at once, and returns whether anything but the ranking is new. The ranking
    /// does not wait long for the others, and its next read not at all; and if another provider is
    /// on besides OpenRouter, nothing waits long for the ranking.
    pub(super) async fn read_all(&mut self, why: Why) -> (Result<Ranking, RefreshError>, bool) {
        self.begin(why);
        let reader = self.settings.reader.clone();
        let mut ranking = pin!(reader.ranking());
        let mut grace = pin!(tokio::time::sleep(GRACE));
        let (mut news, mut waited) = (false, false);
        let ranking = loop {
            tokio::select! {
                ranking = &mut ranking => break ranking,
                Some(change) = self.changes.recv() => self.settle(change).await,
                Some(side) = self.late.next(), if !self.late.is_empty() => {
                    news |= self.note(side);
                    if waited && self.is_beside() && !self.is_published() {
                        self.publish_again();
                    }
                }
                () = &mut grace, if !waited => {
                    waited = true;
                    if self.is_beside() && !self.is_published() {
                        self.publish_again();
                    }
                }
            }
        };
        if ranking.is_ok() || why == Why::Asked {
            let until = tokio::time::Instant::now() + GRACE;
            while !self.late.is_empty()
                && let Ok(Some(side)) = tokio::time::timeout_at(until, self.late.next()).await
            {
                news |= self.note(side);
            }
        }
        (ranking, news)
    }

    /// Begins to read what is read beside the ranking. Slow reads are not restarted with each retry of
    /// the ranking, and what has been read is not read again so soon.
    fn begin(&mut self, why: Why) {
        let is_retry = why == Why::Retry;
        if !is_retry {
            self.late.clear();
            self.under_way.clear();
            self.read.clear();
            self.is_next = true;
        }
        let has_catalogue = self.catalogue.is_some() && self.registry.outside().catalogue.is_none();
        if !(is_retry && has_catalogue) {
            self.begin_catalogue();
        }
        self.begin_lists(|kept, at| {
            let has_list =
                || kept.list(&at.provider).is_some() && kept.failed(&at.provider).is_none();
            at.provider.is_local() || !is_retry || !has_list()
        });
    }

    /// Begins to read the list of the user's own server alone.
    pub(super) fn begin_own(&mut self) {
        self.begin_lists(|_, at| at.provider.is_local());
    }

    /// Begins to read these lists. One that is being read is not begun anew, nor is that of the user's own
    /// server while it is answering: some cut that answer short for whatever else they are asked.
    pub(super) fn begin_lists(&mut self, is_due: impl Fn(&Kept, &ListAt) -> bool) {
        for at in &self.settings.providers.lists {
            let is_busy = || at.provider.is_local() && self.is_answering(&at.provider);
            if is_due(&self.kept, at)
                && !is_busy()
                && self.under_way.insert(Some(at.provider.clone()))
            {
                let (each, at) = (self.settings.each.clone(), at.clone());
                let read = async move { Side::List(at.provider.clone(), each.one(&at).await) };
                self.late.push(Box::pin(read));
            }
        }
    }

    /// Begins to read the catalogue.
    pub(super) fn begin_catalogue(&mut self) {
        if self.under_way.insert(None) {
            let reader = self.settings.reader.clone();
            let read = async move { Side::Catalogue(reader.catalogue().await) };
            self.late.push(Box::pin(read));
        }
    }

    /// Whether one of our requests is in progress there, as far as the provider's limits count those.
    fn is_answering(&self, provider: &ProviderId) -> bool {
        let mut accounts = self.settings.providers.accounts.iter();
        accounts.any(|account| {
            account.provider == *provider
                && self.registry.with_known_now(|known, now| {
                    let buckets = known.ledger.buckets_of(account, now);
                    buckets.iter().any(|b| b.unit == Unit::AtOnce && b.used > 0)
                })
        })
    }

    /// Keeps what was read; a failure to read one list does not affect the others. Returns whether
    /// there is news.
    pub(super) fn note(&mut self, side: Side) -> bool {
        match side {
            Side::Catalogue(catalogue) => {
                self.under_way.remove(&None);
                if catalogue.is_ok() {
                    self.read.insert(None);
                }
                self.note_catalogue(catalogue)
            }
            // It was read for other settings.
            Side::List(provider, _) if !self.has_list(&provider) => false,
            Side::List(provider, read) => {
                self.under_way.remove(&Some(provider.clone()));
                if read.is_ok() {
                    self.read.insert(Some(provider.clone()));
                }
                // One that is off is tried every minute: that is said once.
                let is_known = |error: &RefreshError| {
                    provider.is_local() && self.kept.failed(&provider) == Some(&error.told())
                };
                self.registry
                    .note(|outside| outside.list = in_vain(read.as_ref()));
                if let Err(error) = &read
                    && !is_known(error)
                {
                    let fields = Failed::of(error, Some(&provider));
                    self.log
                        .emit(LogLevel::Warning, "list_refresh_failed", &fields);
                }
                self.kept.note(provider, read)
            }
        }
    }

    /// Whether this provider's list is read.
    fn has_list(&self, provider: &ProviderId) -> bool {
        let mut lists = self.settings.providers.lists.iter();
        lists.any(|at| at.provider == *provider)
    }

    fn note_catalogue(&mut self, catalogue: Result<Catalogue, RefreshError>) -> bool {
        let failed = catalogue.as_ref().err().map(RefreshError::told);
        let now = Now::read().wall;
        self.registry.note(|outside| {
            if failed.is_none() {
                outside.reached_at = Some(now);
            }
            outside.catalogue = failed;
        });
        match catalogue {
            Ok(catalogue) => {
                self.catalogue = Some(catalogue);
                true
            }
            Err(error) => {
                self.log.emit(
                    LogLevel::Warning,
                    "catalogue_refresh_failed",
                    &Failed::of(&error, None),
                );
                false
            }
        }
    }
}

/// What the log says of a failed read.
#[derive(Serialize)]
pub(super) struct Failed<'a> {
    error: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a ProviderId>,
}

impl<'a> Failed<'a> {
    pub(super) fn of(error: &RefreshError, provider: Option<&'a ProviderId>) -> Self {
        Self {
            error: error.to_string(),
            r#type: error.kind(),
            provider,
        }
    }
}

/// Why a list has no usable model, if so.
fn in_vain(read: Result<&ProviderList, &RefreshError>) -> Option<FailedRead> {
    match read {
        Ok(list) if list.entries.is_empty() => Some(RefreshError::List(list.no_model()).told()),
        Ok(_) => None,
        Err(error) => Some(error.told()),
    }
}
