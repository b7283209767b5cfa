//! The context window for requests that leave the choice of the model to the proxy.

use super::{Capability, Offer};

/// How many models must remain for a prompt that fills the window.
const ENOUGH: usize = 3;

/// The largest window that at least three models with tools have, or half of them if there are
/// fewer than six: an agent that fills it can still fail over. `None` if nothing is known.
///
/// A model with an unknown window is ignored.
pub fn window_of_auto<'a>(models: impl IntoIterator<Item = &'a Offer>) -> Option<u64> {
    let able = models
        .into_iter()
        .filter(|model| model.capabilities.has(Capability::Tools));
    let mut windows: Vec<_> = able.filter_map(|model| model.context_length).collect();
    windows.sort_unstable_by(|a, b| b.cmp(a));
    let enough = ENOUGH.min(windows.len().div_ceil(2));
    windows.get(enough.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Capabilities, ModelId};

    #[test]
    fn s3_auto_has_the_window_that_enough_capable_models_have() {
        const K: u64 = 1000;
        // The windows in thousands: positive with tools, negative without, 0 unknown.
        #[rustfmt::skip]
        let rows: &[(&[i64], Option<u64>)] = &[
            (&[],                                 None),
            (&[-200, -100],                       None),
            (&[0, 0],                             None),
            (&[128],                              Some(128)),
            (&[32, 128],                          Some(128)),
            (&[32, 128, 64],                      Some(64)),
            (&[32, 1000, 128, 64],                Some(128)),
            (&[32, 1000, 128, 64, 200],           Some(128)),
            (&[32, 1000, 128, 64, 200, 262],      Some(200)),
            (&[1000, 8, 8, 8, 8, 8, 8, 8],        Some(8)),
            (&[1000, 262, 131, 131, 131, 8, 8],   Some(131)),
            (&[-1000, -1000, -1000, 64, 32, 0],   Some(64)),
        ];
        for (windows, expected) in rows {
            let models: Vec<_> = windows.iter().map(|thousands| model(*thousands)).collect();
            let window = window_of_auto(&models);
            assert_eq!(
                window,
                expected.map(|thousands| thousands * K),
                "{windows:?}"
            );
        }
    }

    fn model(thousands: i64) -> Offer {
        let mut capabilities = Capabilities::default();
        capabilities.set(Capability::Tools, Some(thousands >= 0));
        Offer {
            context_length: Some(thousands.unsigned_abs() * 1000).filter(|tokens| *tokens > 0),
            capabilities,
            ..Offer::at_openrouter(ModelId::try_from("a/b:free").unwrap())
        }
    }
}
