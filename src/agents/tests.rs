use std::collections::HashMap;
use std::ffi::OsString;

use super::merge::merge;
use super::*;
use crate::redact::Secret;

const KEY: &str = "sk-proxy-0123456789abcdef";

#[test]
fn every_agent_finds_its_settings_where_its_own_variables_say() {
    use Agent::{Aider, Claude, Codex, OpenWebUi, Opencode, Qwen};
    type Set = &'static [(&'static str, &'static str)];
    #[rustfmt::skip]
    let rows: &[(Agent, Set, &str)] = &[
        (Qwen,      &[("HOME", "/h")],                                  "/h/.qwen/settings.json"),
        (Qwen,      &[("HOME", "/h"), ("QWEN_HOME", "/q")],             "/q/settings.json"),
        (Claude,    &[("HOME", "/h")],                                  "/h/.claude/settings.json"),
        (Claude,    &[("CLAUDE_CONFIG_DIR", "/c")],                     "/c/settings.json"),
        (Codex,     &[("HOME", "/h")],                                  "/h/.codex/config.toml /h/.codex/.env"),
        (Codex,     &[("HOME", "/h"), ("CODEX_HOME", "/c")],            "/c/config.toml /c/.env"),
        (Opencode,  &[("HOME", "/h")],                                  "/h/.config/opencode/opencode.jsonc|/h/.config/opencode/opencode.json"),
        (Opencode,  &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],       "/x/opencode/opencode.jsonc|/x/opencode/opencode.json"),
        (Opencode,  &[("HOME", "/h"), ("OPENCODE_CONFIG", "/o.json")],  "/o.json"),
        (Aider,     &[("HOME", "/h")],                                  "/h/.aider.conf.yml /h/.aider.model.metadata.json"),
        (OpenWebUi, &[],                                                "open-webui.env"),
        (Qwen,      &[],                                                "HOME is not set, so its settings cannot be found: set HOME or QWEN_HOME"),
        (Aider,     &[],                                                "HOME is not set, so its settings cannot be found: set HOME"),
    ];
    for (agent, set, expected) in rows {
        let found = match edits(*agent, &door(), set) {
            Ok(edits) => {
                let files = edits.iter().map(|edit| {
                    let places = edit.places.iter().map(|place| place.display().to_string());
                    places.collect::<Vec<_>>().join("|")
                });
                files.collect::<Vec<_>>().join(" ")
            }
            Err(homeless) => homeless.to_string(),
        };
        assert_eq!(found, *expected, "{agent:?} {set:?}");
    }
}

#[test]
fn a_launch_shows_the_key_only_to_the_agent() {
    for agent in Agent::ALL {
        let launch = (agent.about().launch)(&door(), Some("127.0.0.1"));
        let with_key: Vec<_> = launch
            .variables
            .iter()
            .filter(|(_, value)| value.contains(KEY))
            .collect();
        assert_eq!(with_key.len(), 1, "{launch:?}");
        let arguments = launch.arguments.join(" ");
        assert!(!arguments.contains(KEY), "{arguments}");
        let told = launch
            .variables
            .iter()
            .any(|(_, value)| value.contains("http://127.0.0.1:9000"));
        assert!(
            told || arguments.contains("http://127.0.0.1:9000"),
            "{launch:?}"
        );
    }
}

#[test]
fn s12_1_project_files_that_could_redirect_an_agent_are_known() {
    let leads_away = |agent: Agent, text: &str| {
        let file = agent.about().of_project.as_ref().unwrap();
        (file.leads_away)(&merge::said(file.format, text).unwrap()).is_some()
    };
    #[rustfmt::skip]
    let rows = [
        ("{}",                                                                                             false),
        (r#"{"model": {"name": "x"}, "env": {"OPENAI_BASE_URL": "http://evil.test"}}"#,                    false),
        (r#"{"modelProviders": {}}"#,                                                                      false),
        (r#"{"modelProviders": {"openai": [{"id": "x", "envKey": "X_API_KEY"}]}}"#,                        false),
        (r#"{"modelProviders": {"openai": [{"id": "auto", "envKey": "X_API_KEY"}]}}"#,                     true),
        (r#"{"modelProviders": {"openai": [{"id": "x", "envKey": "OPENAI_API_KEY"}]}}"#,                   true),
        (r#"{"modelProviders": {"gemini": [], "openai": [{"id": "x", "envKey": "FREE_LLM_PROXY_API_KEY"}]}}"#, true),
        (r#"{"modelProviders": {"openai": [{"id": "x"}]}}"#,                                               true),
        ("\u{feff}{/* */ \"model\\u0050roviders\": {\"openai\": [{\"id\": \"auto\"}]},}",                   true),
        (r#"{"modelProviders": {"openai": {"id": "x", "envKey": "X_API_KEY"}}}"#,                          true),
        (r#"{"modelProviders": "x"}"#,                                                                     true),
    ];
    for (text, expected) in rows {
        assert_eq!(leads_away(Agent::Qwen, text), expected, "{text}");
    }
}

#[test]
fn every_agent_gets_the_context_window() {
    use Agent::{Aider, Claude, Codex, Opencode, Qwen};
    // In its files, and in a launch: Qwen Code only reads it from its files.
    #[rustfmt::skip]
    let rows = [
        (Qwen,     "\"contextWindowSize\":200000",                        None),
        (Claude,   "\"CLAUDE_CODE_MAX_CONTEXT_TOKENS\":\"200000\"",       Some("\"CLAUDE_CODE_MAX_CONTEXT_TOKENS\":\"200000\"")),
        (Codex,    "\"model_context_window\":200000",                     Some("model_context_window=200000")),
        (Opencode, "\"limit\":{\"context\":200000,\"output\":32000}",     Some("\"limit\":{\"context\":200000,\"output\":32000}")),
        (Aider,    "\"max_input_tokens\":168000",                         Some("AIDER_MAX_CHAT_HISTORY_TOKENS=8192")),
    ];
    for (agent, in_file, in_launch) in rows {
        let edits = edits(agent, &door(), &[("HOME", "/h")]).unwrap();
        let contents: String = edits.iter().map(|edit| edit.content.to_string()).collect();
        assert!(contents.contains(in_file), "{agent:?}: {contents}");
        let launch = (agent.about().launch)(&door(), None);
        let variables = launch
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let told = variables
            .chain(launch.arguments)
            .collect::<Vec<_>>()
            .join("\n");
        assert!(
            in_launch.is_none_or(|wanted| told.contains(wanted)),
            "{agent:?}: {told}"
        );
    }
}

#[test]
fn settings_are_added_beside_existing_ones() {
    #[rustfmt::skip]
    let rows: &[(Agent, &str, &[&str])] = &[
        (Agent::Qwen, "{\n  // mine\n  \"$version\": 4,\n  \"ui\": {\"theme\": \"x\"},\n  \"modelProviders\": {\"openai\": [{\"id\": \"mine\"}]}\n}\n",
            &["// mine", "\"$version\": 4", "{\"theme\": \"x\"}", "{\"id\": \"mine\"}"]),
        (Agent::Claude, "{\"permissions\": {\"allow\": [\"Bash(ls)\"]}, \"env\": {\"FOO\": \"1\"}}\n",
            &["[\"Bash(ls)\"]", "\"FOO\": \"1\""]),
        (Agent::Codex, "# mine\nmodel = \"gpt\" # why\n\n[mcp_servers.x]\ncommand = \"y\"\n\n[model_providers.other]\nname = \"o\"\n",
            &["# mine", "# why", "[mcp_servers.x]\ncommand = \"y\"", "[model_providers.other]\nname = \"o\""]),
        (Agent::Opencode, "{\"theme\": \"x\", \"provider\": {\"other\": {}}, /* c */ \"model\": \"other/m\"}",
            &["\"theme\": \"x\"", "\"other\": {}", "/* c */"]),
        (Agent::Aider, "## mine\nmodel: gpt # why\nread:\n  - CONVENTIONS.md\n",
            &["## mine", "# why", "read:\n  - CONVENTIONS.md"]),
        (Agent::OpenWebUi, "# mine\nWEBUI_AUTH=false\n",
            &["# mine", "WEBUI_AUTH=false"]),
    ];
    for (agent, text, kept) in rows {
        let edits = edits(*agent, &door(), &[("HOME", "/h")]).unwrap();
        let edit = edits.first().unwrap();
        let merged = merge(edit.format, text, &edit.content).unwrap().text;
        for part in *kept {
            assert!(merged.contains(part), "{part} in {merged}");
        }
        assert!(merged.contains(":9000"), "{merged}");
        let moved = Door {
            base: "https://proxy.example/free".to_owned(),
            ..door()
        };
        let edits = self::edits(*agent, &moved, &[("HOME", "/h")]).unwrap();
        let edit = edits.first().unwrap();
        let merged = merge(edit.format, &merged, &edit.content).unwrap().text;
        assert!(
            merged.contains("https://proxy.example/free") && !merged.contains(":9000"),
            "{merged}"
        );
    }
}

#[test]
fn what_an_agent_would_interpret_in_a_value_is_known() {
    use Agent::{Opencode, Qwen};
    #[rustfmt::skip]
    let rows = [
        (Qwen,     "sk-$HOME",      Some("$NAME")),
        (Qwen,     "$$_x",          Some("$NAME")),
        (Qwen,     "a${HOME}b",     Some("$NAME")),
        (Qwen,     "a$1",           Some("$NAME")),
        (Qwen,     "a$",            None),
        (Qwen,     "$-$.$$",        None),
        (Qwen,     "{env:HOME}",    None),
        (Opencode, "sk-{env:HOME}", Some("{env:NAME}")),
        (Opencode, "{file:~/key}",  Some("{file:PATH}")),
        (Opencode, "$HOME${HOME}",  None),
        (Opencode, "{env}{file}",   None),
    ];
    for (agent, value, expected) in rows {
        let found = (agent.about().replaces)(value);
        assert_eq!(found, expected, "{agent:?} {value}");
    }
    for agent in Agent::ALL {
        assert_eq!((agent.about().replaces)(KEY), None, "{agent:?}");
    }
}

#[test]
fn a_container_finds_the_host_under_another_name() {
    #[rustfmt::skip]
    let rows = [
        ("http://127.0.0.1:8080",        "http://host.docker.internal:8080/v1"),
        ("http://localhost",             "http://host.docker.internal/v1"),
        ("http://[::1]:8080",            "http://host.docker.internal:8080/v1"),
        ("http://localhost.example:80",  "http://localhost.example:80/v1"),
        ("http://10.0.0.7:8080",         "http://10.0.0.7:8080/v1"),
        ("https://proxy.example",        "https://proxy.example/v1"),
    ];
    for (base, expected) in rows {
        let base = base.to_owned();
        let edits = edits(Agent::OpenWebUi, &Door { base, ..door() }, &[]).unwrap();
        let content = &edits.first().unwrap().content;
        assert_eq!(content["OPENAI_API_BASE_URL"], expected);
    }
}

#[test]
fn only_known_names_are_found() {
    for agent in Agent::ALL {
        assert_eq!(Agent::named(agent.about().name), Some(agent));
    }
    assert_eq!(Agent::named("nonsense"), None);
}

fn door() -> Door {
    Door {
        base: "http://127.0.0.1:9000".to_owned(),
        key: Secret::new(KEY),
        window: 200_000,
    }
}

fn edits(agent: Agent, door: &Door, set: &[(&str, &str)]) -> Result<Vec<Edit>, Homeless> {
    let set: HashMap<_, _> = set.iter().copied().collect();
    let lookup = |name: &str| set.get(name).map(OsString::from);
    (agent.about().edits)(door, &Places::new(&lookup))
}
