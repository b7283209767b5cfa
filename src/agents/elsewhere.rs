//! What would send an agent elsewhere than to the proxy: variables around it, a web proxy in
//! between, and the same in its own settings.

use std::ffi::OsString;

use serde_json::Value;

use super::About;
use super::merge::{Format, said};

/// The variables that name a web proxy, in both spellings.
const WEB_PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The variables that name the hosts to be reached without one.
pub const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// What would send an already configured agent elsewhere, in sentences; `direct` are the hosts that
/// it must reach without a web proxy, and `settings` its files as they are.
#[must_use]
pub fn found(
    about: &About,
    direct: Option<&str>,
    lookup: &dyn Fn(&str) -> Option<OsString>,
    settings: &[(Format, &str)],
) -> Vec<String> {
    let title = about.title;
    let mut told = Vec::new();
    let set = |name: &&&str| lookup(name).is_some();
    for name in about.elsewhere.iter().filter(set) {
        told.push(format!(
            "{name} is set in the environment and may lead {title} elsewhere: unset it. `launch` clears it for a run"
        ));
    }
    let ours = about.elsewhere.iter();
    for name in ours.filter(|name| {
        settings
            .iter()
            .any(|(format, text)| sets(*format, text, name))
    }) {
        told.push(format!(
            "{name} is set in its settings and may lead {title} elsewhere: take it out. `launch` clears it for a run"
        ));
    }
    let between = has_web_proxy(lookup);
    let exempt = |hosts: &&str| {
        NO_PROXY
            .iter()
            .any(|name| lookup(name).is_some_and(|list| list == **hosts))
    };
    if let Some(hosts) = direct.filter(|hosts| between && !exempt(hosts)) {
        told.push(format!(
            "A web proxy is set in the environment, and {title} would ask it for this address: set NO_PROXY={hosts}. `launch` does so for a run"
        ));
    }
    told
}

/// Whether the environment names a web proxy.
#[must_use]
pub fn has_web_proxy(lookup: &dyn Fn(&str) -> Option<OsString>) -> bool {
    WEB_PROXIES.iter().any(|name| lookup(name).is_some())
}

/// The hosts that an agent must reach without a web proxy: those named in the environment, and ours
/// unless TLS protects the key on the way.
#[must_use]
pub fn direct(base: &str, lookup: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
    let url: http::Uri = base.parse().ok()?;
    let host = url.host().filter(|_| url.scheme_str() == Some("http"))?;
    let set = |name: &&str| lookup(name)?.into_string().ok();
    let mut hosts = NO_PROXY.iter().find_map(set);
    // Programs disagree on how an IPv6 address is written there.
    for host in [host.trim_matches(['[', ']']), host] {
        let named = |hosts: &str| {
            hosts
                .split(',')
                .map(str::trim)
                .any(|h| h == host || h == "*")
        };
        hosts = match hosts {
            Some(hosts) if named(&hosts) => Some(hosts),
            Some(hosts) => Some(format!("{hosts},{host}")),
            None => Some(host.to_owned()),
        };
    }
    hosts
}

/// Whether settings put this variable into the agent's environment.
fn sets(format: Format, text: &str, name: &str) -> bool {
    let Ok(settings) = said(format, text) else {
        return false;
    };
    let value = match format {
        Format::Json => &settings["env"][name],
        Format::Env => &settings[name],
        Format::Toml | Format::Yaml => &Value::Null,
    };
    !(value.is_null() || value == "")
}

#[cfg(test)]
mod tests {
    use super::super::Agent;
    use super::*;

    #[test]
    fn setup_finds_what_would_send_an_agent_elsewhere() {
        use Agent::{Aider, Claude, Codex};
        type Set = &'static [(&'static str, &'static str)];
        const BEDROCK: &str =
            r#"{"env": {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_UNIX_SOCKET": ""}} // mine"#;
        #[rustfmt::skip]
        let rows: &[(Agent, Set, &str, &[&str])] = &[
            (Claude, &[],                                  "{}",    &[]),
            (Claude, &[("CLAUDE_CODE_USE_VERTEX", "1")],   "",      &["CLAUDE_CODE_USE_VERTEX is set in the environment"]),
            (Claude, &[],                                  BEDROCK, &["CLAUDE_CODE_USE_BEDROCK is set in its settings"]),
            (Claude, &[("CLAUDE_CODE_USE_BEDROCK", "1"), ("HTTP_PROXY", "p")], BEDROCK,
                &["CLAUDE_CODE_USE_BEDROCK is set in the environment", "CLAUDE_CODE_USE_BEDROCK is set in its settings", "A web proxy is set"]),
            (Claude, &[],                                  "{",     &[]),
            (Codex,  &[("HTTP_PROXY", "p"), ("no_proxy", "127.0.0.1")], "", &[]),
            (Codex,  &[("CLAUDE_CODE_USE_VERTEX", "1")],   "",      &[]),
            (Aider,  &[("AIDER_WEAK_MODEL", "gpt-4o")],    "",      &["AIDER_WEAK_MODEL is set in the environment"]),
        ];
        for (agent, set, settings, expected) in rows {
            let told = found(
                agent.about(),
                Some("127.0.0.1"),
                &|name| value(set, name),
                &[(Format::Json, settings)],
            );
            assert_eq!(told.len(), expected.len(), "{told:?}");
            for (told, expected) in told.iter().zip(*expected) {
                assert!(told.starts_with(expected), "{told}");
            }
        }
    }

    #[test]
    fn s8_the_proxy_is_reached_without_a_web_proxy() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<&str>, Option<&str>)] = &[
            ("http://127.0.0.1:8080",   None,                    Some("127.0.0.1")),
            ("http://127.0.0.1:8080",   Some("a.test"),          Some("a.test,127.0.0.1")),
            ("http://127.0.0.1:8080",   Some("a, 127.0.0.1"),    Some("a, 127.0.0.1")),
            ("http://127.0.0.1:8080",   Some("*"),               Some("*")),
            ("http://[::1]:8080",       None,                    Some("::1,[::1]")),
            ("http://proxy.test/free",  None,                    Some("proxy.test")),
            ("https://proxy.test",      Some("a.test"),          None),
        ];
        for (base, set, expected) in rows {
            for name in ["NO_PROXY", "no_proxy"] {
                let variable = |asked: &str| set.filter(|_| asked == name).map(OsString::from);
                assert_eq!(
                    direct(base, &variable).as_deref(),
                    *expected,
                    "{base} {set:?}"
                );
            }
        }
    }

    fn value(set: &[(&str, &str)], name: &str) -> Option<OsString> {
        let found = set.iter().find(|(set, _)| *set == name);
        found.map(|(_, value)| value.into())
    }
}
