//! What `POST /admin/refresh` can do where the ranking cannot be read, and what it says of that (spec §10.7).

use std::collections::HashSet;

use super::{RefreshTask, Refreshed};
use crate::clock::Now;
use crate::list::read::RefreshError;
use crate::model::ProviderId;

impl RefreshTask {
    /// Without a ranking: ends the rests at providers whose own list was read, if any was.
    pub(super) fn wake_those_read(&self, ranking: &RefreshError) -> Option<Refreshed> {
        let rows = self.settings.providers.rows.iter().map(|row| &row.id);
        let read: HashSet<&ProviderId> = rows.filter(|id| self.was_read(id)).collect();
        let snapshot = self.registry.snapshot().filter(|_| !read.is_empty())?;
        self.registry.wake_providers(|id| read.contains(id));
        let mut not_read = self.not_read();
        not_read.insert(0, format!("the ranking: {ranking}"));
        Some(Refreshed {
            models: snapshot.offers().len(),
            fetched_at: Now::read().wall,
            not_read,
        })
    }

    /// Whether all was read that tells which models a provider offers: of OpenRouter that is the ranking.
    fn was_read(&self, provider: &ProviderId) -> bool {
        let mut lists = self.settings.providers.lists.iter();
        let has_list = lists.any(|at| at.provider == *provider);
        let was_read = || self.read.contains(&Some(provider.clone()));
        !provider.is_openrouter() && (!has_list || was_read())
    }

    /// The providers whose lists were not read, and why.
    pub(super) fn not_read(&self) -> Vec<String> {
        let lists = self.settings.providers.lists.iter().map(|at| &at.provider);
        let unread = lists.filter(|id| !self.read.contains(&Some((*id).clone())));
        let words = unread.map(|id| match self.kept.failed(id) {
            Some(failed) => format!("{id}: {}", failed.why),
            None => format!("{id}: no answer yet"),
        });
        words.collect()
    }
}
