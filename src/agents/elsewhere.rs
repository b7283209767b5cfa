//! What would lead an agent to others than the proxy: variables around it, a proxy for the web
//! between the two, and the same in its own settings.

use std::ffi::OsString;
use std::net::IpAddr;

use http::Uri;
use serde_json::Value;

use super::About;
use super::merge::{Format, read};
use crate::config::Door;

/// The variables that name a proxy for the web, in both spellings.
const WEB_PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// What exempts a host from them; programs read the one or the other.
const EXEMPT: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variables that an agent must be given so that it reaches the proxy directly: none where nothing
/// is in between. A name that is not this machine's may be reachable through such a proxy alone.
#[must_use]
pub fn exempted(
    door: &Door,
    lookup: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, String)> {
    let between = WEB_PROXIES.iter().any(|name| lookup(name).is_some());
    let Some(host) = host_nearby(door).filter(|_| between) else {
        return Vec::new();
    };
    EXEMPT
        .into_iter()
        .filter_map(|name| {
            // The other spelling's list counts where this one has none.
            let list = lookup(name).or_else(|| EXEMPT.iter().find_map(|name| lookup(name)));
            let list = list.unwrap_or_default();
            let list = list.to_string_lossy();
            let mut hosts = list.split(',').map(str::trim);
            let exempt = hosts.any(|exempt| exempt == "*" || exempt == host);
            if exempt && lookup(name).is_some() {
                return None;
            }
            let parts = [list.trim(), if exempt { "" } else { &host }];
            let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            Some((name, parts.join(",")))
        })
        .collect()
}

/// The proxy's host, where it is an address or this machine.
fn host_nearby(door: &Door) -> Option<String> {
    let url: Uri = door.base.parse().ok()?;
    let host = url.host()?.trim_matches(['[', ']']);
    let nearby = host == "localhost" || host.parse::<IpAddr>().is_ok();
    nearby.then(|| host.to_owned())
}

/// What stands around an agent that has been set up and would lead it elsewhere, in sentences; `settings`
/// are its files as they are.
#[must_use]
pub fn found(
    about: &About,
    door: &Door,
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
    if let Some((_, hosts)) = exempted(door, lookup).first() {
        told.push(format!(
            "A web proxy is set in the environment: {title} would ask it for {}. Set NO_PROXY={hosts}; `launch` does so for a run",
            door.base
        ));
    }
    told
}

/// Whether settings put this variable into the agent's environment.
fn sets(format: Format, text: &str, name: &str) -> bool {
    let Ok(settings) = read(format, text) else {
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
    use crate::config::Secret;

    #[test]
    fn nothing_stands_between_an_agent_and_a_proxy_nearby() {
        type Set = &'static [(&'static str, &'static str)];
        #[rustfmt::skip]
        let rows: &[(&str, Set, &[&str])] = &[
            ("http://127.0.0.1:8080", &[],                                                         &[]),
            ("http://127.0.0.1:8080", &[("NO_PROXY", "x")],                                        &[]),
            ("http://127.0.0.1:8080", &[("HTTP_PROXY", "p")],                                      &["NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"]),
            ("http://127.0.0.1:8080", &[("all_proxy", "p")],                                       &["NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"]),
            ("http://[::1]:8080",     &[("https_proxy", "p")],                                     &["NO_PROXY=::1", "no_proxy=::1"]),
            ("http://localhost",      &[("HTTP_PROXY", "p"), ("NO_PROXY", "a, b")],                &["NO_PROXY=a, b,localhost", "no_proxy=a, b,localhost"]),
            ("http://127.0.0.1:8080", &[("HTTP_PROXY", "p"), ("NO_PROXY", "127.0.0.1")],           &["no_proxy=127.0.0.1"]),
            ("http://127.0.0.1:8080", &[("HTTP_PROXY", "p"), ("NO_PROXY", "*"), ("no_proxy", "*")], &[]),
            ("http://10.0.0.7:8080",  &[("HTTP_PROXY", "p"), ("no_proxy", "x")],                   &["NO_PROXY=x,10.0.0.7", "no_proxy=x,10.0.0.7"]),
            ("https://proxy.example", &[("HTTP_PROXY", "p")],                                      &[]),
        ];
        for (base, set, expected) in rows {
            let given = exempted(&door(base), &|name| value(set, name));
            let given: Vec<_> = given
                .iter()
                .map(|(name, list)| format!("{name}={list}"))
                .collect();
            assert_eq!(given, *expected, "{base} {set:?}");
        }
    }

    #[test]
    fn setup_finds_what_would_lead_an_agent_elsewhere() {
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
            (Codex,  &[("CLAUDE_CODE_USE_VERTEX", "1")],   "",      &[]),
            (Aider,  &[("AIDER_WEAK_MODEL", "gpt-4o")],    "",      &["AIDER_WEAK_MODEL is set in the environment"]),
        ];
        for (agent, set, settings, expected) in rows {
            let told = found(
                agent.about(),
                &door("http://127.0.0.1:1"),
                &|name| value(set, name),
                &[(Format::Json, settings)],
            );
            assert_eq!(told.len(), expected.len(), "{told:?}");
            for (told, expected) in told.iter().zip(*expected) {
                assert!(told.starts_with(expected), "{told}");
            }
        }
    }

    fn value(set: &[(&str, &str)], name: &str) -> Option<OsString> {
        let found = set.iter().find(|(set, _)| *set == name);
        found.map(|(_, value)| value.into())
    }

    fn door(base: &str) -> Door {
        Door {
            base: base.to_owned(),
            key: Secret::new("sk-proxy"),
            window: 1000,
        }
    }
}
