//! How much a request may hold that leaves the choice of the model to the proxy.

use super::{Capability, Model};

/// How many models must be left for a prompt that fills the window.
const ENOUGH: usize = 3;

/// The largest window that at least three models with tools have, or half of them where they are fewer
/// than six: an agent that fills it still has somewhere to fail over to. `None` where nothing is known.
///
/// A model whose window is not known counts for nothing.
pub fn window_of_auto<'a>(models: impl IntoIterator<Item = &'a Model>) -> Option<u64> {
    let able = models
        .into_iter()
        .filter(|model| model.capabilities.has(Capability::Tools));
    let mut windows: Vec<_> = able.filter_map(|model| model.context_length).collect();
    windows.sort_unstable_by(|a, b| b.cmp(a));
    let enough = ENOUGH.min(windows.len().div_ceil(2));
    windows.get(enough.checked_sub(1)?).copied()
}
