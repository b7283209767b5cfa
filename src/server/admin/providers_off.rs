//! `providers_off` of `/admin/state`: the built-in providers that are not in use, and how to enable
//! each.
//!
//! The page shows it as "Add a key". It comes from the table, without the value of any setting.

use serde::Serialize;

use crate::model::ProviderId;
use crate::provider::{Provider, built_in};

/// A provider without an account.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ProviderOff {
    provider: &'static ProviderId,
    name: &'static str,
    /// The variables to set, in `.env` or the environment: all of them.
    variables: Vec<&'static str>,
    /// What `PROVIDERS` must contain in addition, for a provider that needs no key, or whose variable other
    /// programs use too.
    named: Option<String>,
    /// There is a command that asks for the key and saves it.
    takes_key: bool,
    gives: &'static str,
    training: &'static str,
    sign_up: &'static str,
}

/// The providers that none of these accounts uses, in the table's order.
pub(super) fn providers_off<'a>(on: impl Iterator<Item = &'a ProviderId>) -> Vec<ProviderOff> {
    let on: Vec<_> = on.collect();
    let rows = built_in().iter().filter(|row| !on.contains(&&row.id));
    rows.map(|row| ProviderOff::of(row)).collect()
}

impl ProviderOff {
    fn of(row: &'static Provider) -> Self {
        let key = row.key_name();
        let (variables, named) = match key {
            // Only its address is missing.
            _ if row.base_url.is_empty() => (vec!["LOCAL_BASE_URL"], None),
            Some(key) if !row.keyless => {
                let pair = [Some(key), row.account_id_name.as_ref()];
                let pair = pair.into_iter().flatten();
                let named = row.shared_names.contains(key);
                let named = named.then(|| format!("+{}", row.id));
                (pair.map(String::as_str).collect(), named)
            }
            _ => (Vec::new(), Some(format!("+{}", row.id))),
        };
        Self {
            provider: &row.id,
            name: &row.name,
            takes_key: !variables.is_empty() && !row.base_url.is_empty(),
            variables,
            named,
            gives: &row.gives,
            training: row.training.as_str(),
            sign_up: &row.sign_up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_8_unused_providers_and_how_to_enable_them() {
        let on = [ProviderId::openrouter()];
        let off = providers_off(on.iter());
        type Shown = (&'static [&'static str], Option<&'static str>, bool);
        #[rustfmt::skip]
        let rows: &[(&str, Option<Shown>)] = &[
            ("openrouter", None),
            ("groq",       Some((&["GROQ_API_KEY"], None, true))),
            ("cloudflare", Some((&["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"], None, true))),
            ("huggingface", Some((&["HUGGINGFACE_API_KEY"], None, true))),
            ("llmgateway", Some((&["LLM_GATEWAY_API_KEY"], Some("+llmgateway"), true))),
            ("kilo",       Some((&[], Some("+kilo"), false))),
            ("ovh",        Some((&[], Some("+ovh"), false))),
            ("local",      Some((&["LOCAL_BASE_URL"], None, false))),
        ];
        for (name, expected) in rows {
            let found = off.iter().find(|each| each.provider.as_str() == *name);
            let found = found.map(|each| (&*each.variables, each.named.as_deref(), each.takes_key));
            assert_eq!(found, *expected, "{name}");
        }
        assert_eq!(off.len() + 1, built_in().len());
        for each in &off {
            let name = each.name;
            assert!(each.sign_up.starts_with("https://"), "{name}");
            assert!(!each.gives.is_empty(), "{name}");
        }
    }
}
