//! The message if no account is left and nothing else is wrong: what to do about it. Pure.

use std::sync::Arc;

use super::choice::Choice;
use super::standing::{Off, Standing};
use super::variables::Variables;
use crate::model::ProviderId;
use crate::provider::{Provider, Training};

/// The message if no account is left.
pub(super) fn nobody(
    providers: &[Arc<Provider>],
    choice: &Choice,
    refuse_training: bool,
    variables: &Variables<'_>,
    standings: &[Standing],
) -> String {
    let off = |fits: &dyn Fn(&Off) -> bool| {
        let off = standings
            .iter()
            .filter(|standing| standing.off.as_ref().is_some_and(fits));
        let ids: Vec<_> = off.map(|standing| standing.provider.id.as_str()).collect();
        ids.join(", ")
    };
    let key_of = |provider: &&Arc<Provider>| {
        let is_usual =
            !provider.only_when_named && !provider.billed && !provider.id.is_openrouter();
        let is_usual = is_usual && provider.id.as_str() != ProviderId::LOCAL;
        let names = provider.key_names.iter();
        let mut own = names.filter(|name| !provider.shared_names.contains(name));
        own.next().filter(|_| is_usual).cloned()
    };
    // Only keys that would change anything are suggested.
    let is_allowed = |row: &Provider| !refuse_training || row.training == Training::No;
    let allowed = providers.iter().filter(|row| is_allowed(row));
    let others: Vec<_> = allowed.filter_map(|row| key_of(&row)).collect();
    let others = others.join(", ");
    let trains = off(&|off| *off == Off::Trains);
    let found = standings.iter().filter(|found| is_allowed(&found.provider));
    let passed_over: String = found.filter_map(passed_over).collect();
    if !trains.is_empty() {
        return format!(
            "TRAINING=refuse leaves no provider to ask: {trains} may train on prompts. Set TRAINING=allow, or a \
             key of a provider that does not: {others}{passed_over}"
        );
    }
    if choice.bars_openrouter() {
        return "PROVIDERS removes openrouter, and no other provider has a key: no provider is left to ask"
            .to_owned();
    }
    if refuse_training {
        return format!(
            "no provider that TRAINING=refuse allows has a key: set one of {others}, or TRAINING=allow; \
             `free-llm-proxy providers` says where to get them{passed_over}"
        );
    }
    let is_empty = variables.layers.iter().any(|layer| {
        let text = layer.texts.get("OPENROUTER_API_KEY");
        text.is_some_and(|text| text.trim().is_empty())
    });
    let lacks = if is_empty { "empty" } else { "required" };
    format!(
        "OPENROUTER_API_KEY is {lacks}: create one at https://openrouter.ai/settings/keys, or set another \
         provider's ({others}); `free-llm-proxy providers` says where to get them{passed_over}"
    )
}

/// What was found of a provider that is off all the same, and what it takes.
fn passed_over(standing: &Standing) -> Option<String> {
    let id = &standing.provider.id;
    match standing.off.as_ref()? {
        Off::Elsewhere(names) => Some(format!(
            ". {} of the environment may be meant for another program, and counts where PROXY_API_KEY \
             is set there too or PROVIDERS names its provider (PROVIDERS=+{id})",
            names.join(", ")
        )),
        Off::Shared(names) => Some(format!(
            ". {} is used by other programs too, and counts where PROVIDERS names its provider \
             (PROVIDERS=+{id})",
            names.join(", ")
        )),
        Off::Billed => {
            let names = standing.variables.iter().map(|found| found.name.as_str());
            Some(format!(
                ". {} is left out: what {} answers under a key is billed; ALLOW_PAID=on allows that",
                names.collect::<Vec<_>>().join(", "),
                standing.provider.name
            ))
        }
        Off::NoKey | Off::Unnamed | Off::Barred | Off::Trains | Off::NoAddress | Off::Mistake => {
            None
        }
    }
}

impl Choice {
    fn bars_openrouter(&self) -> bool {
        ProviderId::try_from(ProviderId::OPENROUTER).is_ok_and(|id| self.bars(&id))
    }
}
