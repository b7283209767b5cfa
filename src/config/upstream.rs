//! What is behind `UPSTREAM_BASE_URL`, judging by address and key.

use std::net::IpAddr;

use super::Config;
use crate::provider::Provider;
use crate::redact::Secret;

impl Config {
    /// Whether ids that do not end in `:free` may be asked: only at OpenRouter does the name say
    /// what is free (spec §4.5, §10.7).
    #[must_use]
    pub fn takes_any_id(&self) -> bool {
        self.allow_paid || !self.is_openrouter()
    }

    /// Whether only ids that end in `:free` may be asked of this provider, because it is OpenRouter
    /// under whatever name.
    #[must_use]
    pub fn takes_free_names_alone(&self, row: &Provider) -> bool {
        let address = row.base_url.parse::<http::Uri>().ok();
        let host = address.as_ref().and_then(http::Uri::host).unwrap_or("");
        let mut own = self.accounts.iter().filter(|a| a.id.provider == row.id);
        !self.allow_paid && own.any(|account| names_what_is_free(host, account.key.as_ref()))
    }

    /// Whether requests end up at OpenRouter: its own host, or a relay that is given its key.
    fn is_openrouter(&self) -> bool {
        let host = self.upstream_base_url.host().unwrap_or_default();
        names_what_is_free(host, Some(&self.upstream_key))
    }
}

/// Whether the `:free` rule applies to a host with this key: OpenRouter's own, or a relay that is
/// given its key (spec §10.7).
fn names_what_is_free(host: &str, key: Option<&Secret>) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let has_its_key = key.is_some_and(|key| key.expose().starts_with("sk-or-v1-"));
    is_openrouters(&host) || (has_its_key && !is_loopback(&host))
}

/// Whether a host is OpenRouter's own.
pub(crate) fn is_openrouters(host: &str) -> bool {
    host == "openrouter.ai" || host.ends_with(".openrouter.ai")
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_7_ids_need_no_free_suffix_where_it_means_nothing() {
        const OPENROUTER: &str = "sk-or-v1-0123456789abcdef";
        const OTHER: &str = "gsk_0123456789abcdef";
        #[rustfmt::skip]
        let rows = [
            ("https://openrouter.ai/api/v1",         OTHER,      "false", false),
            ("https://OpenRouter.ai./api/v1",        OTHER,      "false", false),
            ("https://eu.openrouter.ai/api/v1",      OTHER,      "false", false),
            ("https://openrouter.ai/api/v1",         OPENROUTER, "true",  true),
            ("https://relay.example/v1",             OPENROUTER, "false", false),
            ("http://10.0.0.5:8000/v1",              OPENROUTER, "false", false),
            ("https://relay.example/v1",             OTHER,      "false", true),
            ("https://notopenrouter.ai/v1",          OTHER,      "false", true),
            ("https://openrouter.ai.example/v1",     OTHER,      "false", true),
            ("http://127.0.0.1:11434/v1",            OPENROUTER, "false", true),
            ("http://[::1]:11434/v1",                OPENROUTER, "false", true),
            ("http://localhost:11434/v1",            OPENROUTER, "false", true),
        ];
        for (base, key, paid, expected) in rows {
            let config = Config::read(|name| match name {
                "UPSTREAM_BASE_URL" => Some(base.to_owned()),
                "OPENROUTER_API_KEY" => Some(key.to_owned()),
                "PROXY_API_KEY" => Some("a-key-of-the-proxy-s-own".to_owned()),
                "ALLOW_PAID" => Some(paid.to_owned()),
                _ => None,
            });
            assert_eq!(config.unwrap().takes_any_id(), expected, "{base} {key}");
        }
    }

    #[test]
    fn s10_7_the_rule_holds_for_a_relay_of_any_name() {
        #[rustfmt::skip]
        let rows = [
            // base_url                        key                          :free alone
            ("https://relay.example/v1",       "sk-or-v1-fedcba9876543210", true),
            ("https://eu.openrouter.ai/v1",    "any-key-0123456789",        true),
            ("https://relay.example/v1",       "any-key-0123456789",        false),
            ("http://127.0.0.1:11434/v1",      "sk-or-v1-fedcba9876543210", false),
        ];
        for (base, key, expected) in rows {
            let text = format!("[providers.groq]\nbase_url = \"{base}\"\n");
            let lookup = |name: &str| match name {
                "GROQ_API_KEY" => Some(key.to_owned()),
                "PROVIDERS" => Some("groq".to_owned()),
                "PROXY_API_KEY" => Some("a-key-of-the-proxy-s-own".to_owned()),
                _ => None,
            };
            let config = Config::read_with_file(lookup, &text).unwrap();
            let [row] = config.providers.as_slice() else {
                panic!("{:?}", config.providers);
            };
            assert_eq!(config.takes_free_names_alone(row), expected, "{base} {key}");
        }
    }
}
