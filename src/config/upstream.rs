//! What is behind `UPSTREAM_BASE_URL`, as far as address and key tell.

use std::net::IpAddr;

use super::Config;
use crate::redact::Secret;

impl Config {
    /// Whether ids that do not end in `:free` may be asked: the name says what costs nothing at
    /// OpenRouter alone (spec §9.2, §10.7).
    #[must_use]
    pub fn takes_any_id(&self) -> bool {
        self.allow_paid || !self.is_openrouter()
    }

    /// Whether requests end up at OpenRouter: its own host, or a relay that is given its key.
    fn is_openrouter(&self) -> bool {
        let host = self.upstream_base_url.host().unwrap_or_default();
        names_what_is_free(host, Some(&self.upstream_key))
    }
}

/// Whether the `:free` rule holds for a host that is asked with this key: OpenRouter's own, or a relay
/// that is given its key (spec §10.7).
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
    fn s10_7_ids_need_no_free_at_their_end_where_it_means_nothing() {
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
}
