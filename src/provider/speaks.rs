//! Whether a provider words its errors like OpenRouter.

use super::row::Provider;
use crate::redact::Secret;

/// How a key of OpenRouter's starts.
const OPENROUTER_KEY: &str = "sk-or-v1-";

impl Provider {
    /// Whether its errors are worded like OpenRouter's: it is OpenRouter by its name or its host,
    /// or a relay of it, which takes its keys and is not on this machine (spec §10.7).
    #[must_use]
    pub fn speaks_openrouter(&self, key: Option<&Secret>) -> bool {
        if self.id.is_openrouter() {
            return true;
        }
        let address = self.base_url.parse::<http::Uri>().ok();
        let host = address.as_ref().and_then(http::Uri::host).unwrap_or("");
        let host = host.to_ascii_lowercase();
        let is_theirs = host == "openrouter.ai" || host.ends_with(".openrouter.ai");
        let takes_its_keys = key.is_some_and(|key| key.expose().starts_with(OPENROUTER_KEY));
        is_theirs || (takes_its_keys && !is_loopback(&host))
    }

    /// Whether it reads the fields by which a request says what is to serve it: what it then says may
    /// be their doing (spec §4.5). What is behind an address of the user's own may be a router.
    #[must_use]
    pub fn is_router(&self, key: Option<&Secret>) -> bool {
        self.routes || self.speaks_openrouter(key)
    }
}

/// Whether a host is this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |ip: std::net::IpAddr| ip.is_loopback();
    host == "localhost" || host.ends_with(".localhost") || address.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProviderId;

    #[test]
    fn s10_4_which_providers_read_a_requests_routing() {
        let names = crate::provider::built_in().iter();
        let routers = names.filter(|row| row.is_router(None));
        let routers: Vec<_> = routers.map(|row| row.id.as_str()).collect();
        let expected = "openrouter requesty kilo huggingface vercel llmgateway";
        assert_eq!(routers.join(" "), expected);
        let own = Provider::unknown(ProviderId::try_from("my-box").unwrap(), true);
        assert!(own.is_router(None));
    }

    #[test]
    fn s10_7_which_providers_word_errors_like_openrouter() {
        #[rustfmt::skip]
        let rows = [
            ("openrouter", "http://127.0.0.1:8000/v1",       None,                   true),
            ("relay",      "https://openrouter.ai/api/v1",   None,                   true),
            ("relay",      "https://eu.OpenRouter.ai/api",   Some("k"),              true),
            ("relay",      "https://notopenrouter.ai/v1",    Some("k"),              false),
            ("relay",      "https://relay.example/v1",       Some("sk-or-v1-0123"),  true),
            ("relay",      "http://127.0.0.1:8000/v1",       Some("sk-or-v1-0123"),  false),
            ("relay",      "http://[::1]:8000/v1",           Some("sk-or-v1-0123"),  false),
            ("relay",      "http://localhost/v1",            Some("sk-or-v1-0123"),  false),
            ("groq",       "https://api.groq.com/openai/v1", Some("gsk_0123456789"), false),
            ("odd",        "::",                             None,                   false),
        ];
        for (id, base_url, key, expected) in rows {
            let provider = Provider {
                base_url: base_url.to_owned(),
                ..Provider::unknown(ProviderId::try_from(id).unwrap(), true)
            };
            let key = key.map(Secret::new);
            let speaks = provider.speaks_openrouter(key.as_ref());
            assert_eq!(speaks, expected, "{id} {base_url} {key:?}");
        }
    }
}
