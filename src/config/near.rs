//! Names that look like a setting's and are none: slips of the hand. Pure.

use super::table::{SETTINGS, Setting};
use crate::spelling::distance;

/// A name at least this long is not another program's by accident.
pub(super) const LONG: usize = 12;

/// Names that other programs read, however near to ours.
#[rustfmt::skip]
const FOREIGN: &[&str] = &[
    "FTP_PROXY", "GOPROXY", "GROK_API_KEY", "HOME", "HOSTS", "HTTP_PORT", "LOGLEVEL", "NPM_PROXY", "POST",
    "RSYNC_PROXY", "WSS_PROXY", "WS_PROXY", "XAI_API_KEY",
];

/// The setting that this name may have been meant for, among those that are not set.
pub(super) fn near(name: &str, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let is_ours = SETTINGS.iter().any(|setting| setting.name == name);
    if FOREIGN.contains(&name.as_str()) || (is_ours && is_set(&name)) {
        return None;
    }
    let as_long = |setting: &&Setting| setting.name.len().abs_diff(name.len()) <= 2;
    let near = SETTINGS.iter().filter(as_long).filter_map(|setting| {
        // Among four letters two may be another word.
        let most = if setting.name.len() < 8 { 1 } else { 2 };
        let far = distance(&name, setting.name);
        (far <= most && !is_set(setting.name)).then_some((far, setting.name))
    });
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_1_a_slip_of_the_hand_is_told_from_another_name() {
        #[rustfmt::skip]
        let rows = [
            ("PROXY_API_KEYS",        Some("PROXY_API_KEY")),
            ("PROXI_API_KEY",         Some("PROXY_API_KEY")),
            ("PROXYAPIKEY",           Some("PROXY_API_KEY")),
            ("proxy_api_key",         Some("PROXY_API_KEY")),
            ("OPEN_ROUTER_API_KEY",   Some("OPENROUTER_API_KEY")),
            ("OPENROUTER_API_KEY_1",  Some("OPENROUTER_API_KEY")),
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
    fn s12_1_no_setting_is_taken_for_another() {
        for setting in SETTINGS {
            assert_eq!(near(setting.name, |name| name == setting.name), None);
        }
    }
}
