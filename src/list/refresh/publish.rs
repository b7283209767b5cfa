//! From what was read to the snapshot that everybody sees.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::{RefreshTask, Refreshed};
use crate::clock::Now;
use crate::config::LogLevel;
use crate::list::merge::{Lists, Merged, merge};
use crate::list::offered::Source as Offering;
use crate::list::ranking::{Ranking, Skipped};
use crate::model::ModelId;
use crate::provider::Provider;
use crate::registry::{Parts, Snapshot, Source, There};

/// How many of the skipped entries a log line names.
const NAMED: usize = 10;

impl RefreshTask {
    pub(super) fn publish(&mut self, ranking: Ranking, wake_all: bool) -> Refreshed {
        let fetched_at = Now::read().wall;
        let snapshot = self.snapshot(Some(&ranking), fetched_at);
        let count = snapshot.offers().len();
        if count > 0 || !self.waits_for_lists() {
            self.replace(snapshot, wake_all);
            self.is_next = false;
        }
        let skipped = &ranking.skipped;
        if !skipped.is_empty() {
            let entries = skipped.get(..NAMED).unwrap_or(skipped);
            self.log.emit(
                LogLevel::Warning,
                "list_entries_skipped",
                &Left {
                    count: skipped.len(),
                    entries,
                },
            );
        }
        let fields = Done {
            count,
            skipped: skipped.len(),
            url: &self.settings.reader.list_url,
        };
        self.log.emit(LogLevel::Info, "snapshot_refreshed", &fields);
        self.ranking = Some((ranking, fetched_at));
        Refreshed {
            models: count,
            fetched_at,
            not_read: self.not_read(),
        }
    }

    /// Puts a whole new snapshot in place.
    fn replace(&self, snapshot: Snapshot, wake_all: bool) {
        let candidates = snapshot.candidates().iter();
        let ids: HashSet<ModelId> = candidates.map(|c| c.offer.public_id.clone()).collect();
        if wake_all {
            self.registry.publish_and_wake_all(snapshot);
        } else {
            self.registry.publish(snapshot);
        }
        self.metrics.retain_models(|id| ids.contains(id));
        self.traffic.retain_models(|id| ids.contains(id));
    }

    /// Whether lists have failed or are still being read: then an empty snapshot is worse than none.
    fn waits_for_lists(&self) -> bool {
        !self.late.is_empty() || self.registry.outside().list.is_some()
    }

    /// The same ranking with what a late list contributes.
    pub(super) fn publish_again(&mut self) {
        match &self.ranking {
            Some((ranking, fetched_at)) => {
                let snapshot = self.snapshot(Some(ranking), *fetched_at);
                match (snapshot.offers().is_empty(), self.is_published()) {
                    (true, _) => {}
                    (false, true) => self.registry.enrich(snapshot),
                    (false, false) => self.registry.publish(snapshot),
                }
            }
            None => self.publish_unranked(),
        }
    }

    /// The same lists as other settings see them, even if they leave nothing of them.
    pub(super) fn publish_settled(&mut self) {
        if !self.is_published() {
            return self.publish_again();
        }
        let snapshot = match &self.ranking {
            Some((ranking, fetched_at)) => self.snapshot(Some(ranking), *fetched_at),
            None => self.snapshot(None, Now::read().wall),
        };
        self.registry.enrich(snapshot);
    }

    /// What is published while there has never been a ranking: the second source, and what other
    /// providers offer.
    fn publish_unranked(&mut self) {
        let snapshot = self.snapshot(None, Now::read().wall);
        let count = snapshot.offers().len();
        if count > 0 {
            let source = snapshot.source;
            // What a retry or a late list adds is no new list: rests until the next one go on.
            if std::mem::take(&mut self.is_next) || !self.is_published() {
                self.registry.publish(snapshot);
            } else {
                self.registry.enrich(snapshot);
            }
            // A list that arrives later, or a retry, does not change where the models are from.
            if self.unranked.replace(source) == Some(source) {
                return;
            }
            let fields = serde_json::json!({"count": count});
            if source == Source::Providers {
                self.log
                    .emit(LogLevel::Info, "snapshot_from_providers", &fields);
            } else {
                self.log
                    .emit(LogLevel::Info, "snapshot_from_catalogue", &fields);
            }
        }
    }

    fn snapshot(&self, ranking: Option<&Ranking>, fetched_at: SystemTime) -> Snapshot {
        let kept = |row: &Provider| self.kept.list(&row.id);
        let named_free = |row: &Provider| self.settings.providers.named_free.contains(&row.id);
        let of = |row| Offering::new(row, kept(row), named_free(row));
        let sources: Vec<_> = self
            .settings
            .providers
            .rows
            .iter()
            .map(|row| of(row))
            .collect();
        let merged = merge(Lists {
            ranking,
            catalogue: self.catalogue.as_ref(),
            sources: &sources,
            order: &self.settings.providers.order,
            allow_paid: self.settings.allow_paid,
            fallback_router: self.settings.fallback_router,
        });
        if let Some(ranking) = ranking {
            self.note_what_is_there(ranking, &merged);
        }
        let order = |with_tools| {
            merged
                .in_order(with_tools)
                .map(|(offer, _)| Arc::clone(offer))
        };
        let places = [false, true].map(|with_tools| {
            let placed = merged.in_order(with_tools);
            placed.map(|(_, placed)| placed.place()).collect()
        });
        let source = match (ranking, self.is_beside()) {
            (Some(_), _) => Source::Ranking,
            (None, true) => Source::Providers,
            (None, false) => Source::Catalogue,
        };
        Snapshot::new(Parts {
            offers: order(false).collect(),
            with_tools: (merged.plain != merged.with_tools).then(|| order(true).collect()),
            places,
            fallback: merged.fallback.map(|offered| offered.offer),
            accounts: self.settings.providers.accounts.clone(),
            fetched_at,
            source,
        })
    }

    /// Notes how many of the ranking's models the upstream's own catalogue has.
    fn note_what_is_there(&self, ranking: &Ranking, merged: &Merged) {
        let there = self.catalogue.as_ref().map(|catalogue| There {
            models: ranking
                .models
                .iter()
                .filter(|m| catalogue.has(&m.id))
                .count(),
            of: ranking.models.len(),
            fallback: merged
                .fallback
                .as_ref()
                .is_some_and(|router| catalogue.has(&router.offer.id)),
        });
        self.registry.note(|outside| outside.there = there);
    }
}

#[derive(Serialize)]
struct Done<'a> {
    count: usize,
    skipped: usize,
    url: &'a str,
}

#[derive(Serialize)]
struct Left<'a> {
    count: usize,
    entries: &'a [Skipped],
}
