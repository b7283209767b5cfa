//! The settings in force: which [`App`] serves the next request (spec §12.2), and what became of changes to them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::App;
use crate::attempt::Walker;
use crate::config::Config;
use crate::registry::Registry;

/// The proxy as its listeners see it. Each request takes the app that is current when it begins.
pub struct Current {
    app: ArcSwap<App>,
    registry: Arc<Registry>,
    reloads: Reloads,
}

impl Current {
    /// Begins with this one.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            registry: Arc::clone(&app.registry),
            reloads: app.reloads.clone(),
            app: ArcSwap::from_pointee(app),
        }
    }

    /// What is known about the models.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The one that serves a request that begins now.
    pub(super) fn load(&self) -> Arc<App> {
        self.app.load_full()
    }

    /// How requests that begin now are walked.
    #[must_use]
    pub fn walker(&self) -> Arc<Walker> {
        Arc::clone(&self.load().walker)
    }

    /// From now on requests begin with these settings.
    pub fn settle(&self, config: &Config, walker: Arc<Walker>) {
        let app = Arc::new(self.load().under(config, walker));
        self.app.store(Arc::clone(&app));
        app.gate.is_in_force();
    }

    /// Notes what became of a change.
    pub fn note(&self, note: impl FnOnce(&mut Told)) {
        self.reloads.note(note);
    }
}

/// What `/admin/state` says about the settings. A clone shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reloads(Arc<Mutex<Told>>);

/// What became of the last changes to the settings.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// When a change last took effect.
    pub reloaded_at: Option<SystemTime>,
    /// What differs from what is in force, but waits for a restart.
    pub needs_restart: Vec<String>,
    /// Why the settings as they are written now are not in force; empty if they are.
    pub refused: Vec<String>,
}

impl Reloads {
    fn note(&self, note: impl FnOnce(&mut Told)) {
        // Each note is complete in itself, so a panic elsewhere leaves them usable.
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is told.
    pub(super) fn told(&self) -> Told {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }
}
