//! Names that look like a setting's but are not: typos. Pure.

use super::accounts::{is_provider_variable, plain_names};
use super::table::SETTINGS;
use crate::spelling::distance;

/// A name at least this long is not another program's by accident.
pub(super) const LONG: usize = 12;

/// Names that other programs read, however close to ours.
#[rustfmt::skip]
const FOREIGN: &[&str] = &[
    "AI_API_KEY", "FTP_PROXY", "GH_TOKEN", "GOPROXY", "GROK_API_KEY", "HERE_API_KEY", "HOME", "HOSTS", "HTTP_PORT", "KIMI_API_KEY",
    "LLAMA_API_KEY", "LLM_API_KEY", "LOGLEVEL", "NPM_PROXY", "POST", "RSYNC_PROXY", "WSS_PROXY", "WS_PROXY",
    "XAI_API_KEY",
];

/// The setting, or the provider's key, that this name may have been meant for, among those that are
/// not set.
pub(super) fn near(name: &str, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    if is_provider_variable(name) {
        return None;
    }
    let name = name.to_ascii_uppercase();
    let is_ours = SETTINGS.iter().any(|setting| setting.name == name);
    if FOREIGN.contains(&name.as_str()) || (is_ours && is_set(&name)) {
        return None;
    }
    let known = SETTINGS.iter().map(|setting| setting.name);
    let known = known.chain(plain_names());
    let as_long = known.filter(|known| known.len().abs_diff(name.len()) <= 2);
    let near = as_long.filter_map(|known| {
        let far = distance(&name, known);
        (far <= most(&name, known) && !is_set(known)).then_some((far, known))
    });
    near.min().map(|(_, name)| name)
}

/// How many letters may be wrong: if few letters distinguish two names, two wrong ones may make
/// another word.
fn most(name: &str, known: &str) -> usize {
    const SHORT: usize = 6;
    let stem = |name: &str| name.strip_suffix("_API_KEY").map(str::len);
    match (stem(known), stem(name)) {
        (Some(known), Some(_)) if known < SHORT => 1,
        _ if known.len() < 8 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_1_typos_are_distinguished_from_other_names() {
        #[rustfmt::skip]
        let rows = [
            ("PROXY_API_KEYS",        Some("PROXY_API_KEY")),
            ("PROXI_API_KEY",         Some("PROXY_API_KEY")),
            ("PROXYAPIKEY",           Some("PROXY_API_KEY")),
            ("proxy_api_key",         Some("PROXY_API_KEY")),
            ("OPEN_ROUTER_API_KEY",   Some("OPENROUTER_API_KEY")),
            ("OPENROUTER_API_KEY_1",  None),
            ("OPENROUTER_API_KEYS",   None),
            ("GROQ_API_KYE",          Some("GROQ_API_KEY")),
            ("GORQ_API_KEY_2",        None),
            ("groq_api_key",          Some("GROQ_API_KEY")),
            ("GEMNII_API_KEY",        Some("GEMINI_API_KEY")),
            ("CLOUDFLARE_ACOUNT_ID",  Some("CLOUDFLARE_ACCOUNT_ID")),
            ("KIMI_API_KEY",          None),
            ("HERE_API_KEY",          None),
            ("LLAMA_API_KEY",         None),
            ("GH_TOKEN",              None),
            ("OPENROTUER_API_KEY",    Some("OPENROUTER_API_KEY")),
            ("MODEL_LIST_URL",        Some("MODELS_LIST_URL")),
            ("UPSTREAM_BASEURL",      Some("UPSTREAM_BASE_URL")),
            ("PROT",                  None),
            ("PORTS",                 Some("PORT")),
            ("LOG_LEVLE",             Some("LOG_LEVEL")),
            ("HOME",                  None),
            ("PATH",                  None),
            ("PGHOST",                None),
            ("XAI_API_KEY",           None),
            ("GROK_API_KEY",          None),
            ("GROQ_API_KEY",          None),
            ("FTP_PROXY",             None),
            ("GOPROXY",               None),
            ("NO_COLOR",              None),
            ("FREE_LLM_PROXY_API_KEY", None),
            ("OPENAI_API_KEY",        None),
            ("",                      None),
        ];
        for (name, expected) in rows {
            assert_eq!(near(name, |_| false), expected, "{name}");
            // What is set was not forgotten.
            assert_eq!(near(name, |_| true), None, "{name}");
        }
    }

    #[test]
    fn s12_1_no_setting_is_mistaken_for_another() {
        for setting in SETTINGS {
            assert_eq!(near(setting.name, |name| name == setting.name), None);
        }
    }
}
