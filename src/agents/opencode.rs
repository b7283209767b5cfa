//! opencode: chat completions through the AI SDK's provider for OpenAI-compatible addresses.

use serde_json::{Value, json};

use super::merge::Format;
use super::{
    About, Edit, Homeless, KEY_VARIABLE, Launch, MODEL, PROVIDER, Places, longest_answer, v1,
};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "opencode",
    title: "opencode",
    program: "opencode",
    install: "npm install -g opencode-ai",
    start: "opencode",
    note: "An opencode.json in a project wins over these settings.",
    replaces,
    elsewhere: &["OPENCODE_CONFIG_CONTENT"],
    edits,
    launch,
    of_project: None,
};

/// In the whole text of its settings it replaces these by a variable and by a file's contents.
fn replaces(value: &str) -> Option<&'static str> {
    let known = [("{env:", "{env:NAME}"), ("{file:", "{file:PATH}")];
    let found = known.into_iter().find(|(start, _)| value.contains(start));
    found.map(|(_, name)| name)
}

fn edits(door: &Door, places: &Places<'_>) -> Result<Vec<Edit>, Homeless> {
    let files = match places.path("OPENCODE_CONFIG") {
        Some(file) => vec![file],
        None => {
            let folder = places.folder("XDG_CONFIG_HOME", ".config")?;
            let folder = folder.join("opencode");
            // It reads both, and the first one wins.
            vec![folder.join("opencode.jsonc"), folder.join("opencode.json")]
        }
    };
    Ok(vec![Edit {
        places: files,
        format: Format::Json,
        content: settings(door, door.key.expose()),
    }])
}

fn settings(door: &Door, key: &str) -> Value {
    let model = format!("{PROVIDER}/{MODEL}");
    json!({
        "$schema": "https://opencode.ai/config.json",
        "provider": {PROVIDER: {
            "npm": "@ai-sdk/openai-compatible",
            "name": PROVIDER,
            "options": {"baseURL": v1(door), "apiKey": key},
            "models": {MODEL: {
                "name": MODEL,
                "limit": {"context": door.window, "output": longest_answer(door)},
            }},
        }},
        "model": model,
        "small_model": model,
    })
}

fn launch(door: &Door, _: Option<&str>) -> Launch {
    let settings = settings(door, &format!("{{env:{KEY_VARIABLE}}}"));
    Launch {
        arguments: Vec::new(),
        variables: vec![
            ("OPENCODE_CONFIG_CONTENT", settings.to_string()),
            (KEY_VARIABLE, door.key.expose().to_owned()),
        ],
        without: &[],
    }
}
