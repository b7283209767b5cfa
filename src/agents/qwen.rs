//! Qwen Code: chat completions, set up by a provider in its settings.

use serde_json::json;

use super::merge::Format;
use super::{About, Edit, Homeless, KEY_VARIABLE, Launch, MODEL, Places, v1};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "qwen",
    title: "Qwen Code",
    program: "qwen",
    install: "npm install -g @qwen-code/qwen-code",
    start: "qwen",
    note: "Its other models stay where they were: /model lists them all.",
    replaces,
    edits,
    launch,
};

/// In every text of its settings it replaces `$NAME` and `${NAME}` by the variable, where that is set.
fn replaces(value: &str) -> Option<&'static str> {
    let mut dollars = value
        .split('$')
        .skip(1)
        .filter_map(|rest| rest.chars().next());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '{';
    dollars.any(is_name).then_some("$NAME")
}

fn edits(door: &Door, places: &Places<'_>) -> Result<Vec<Edit>, Homeless> {
    let settings = places.folder("QWEN_HOME", ".qwen")?.join("settings.json");
    Ok(vec![Edit {
        places: vec![settings],
        format: Format::Json,
        content: json!({
            "modelProviders": {"openai": [{
                "id": MODEL,
                "name": "free-llm-proxy (auto)",
                "description": "The best free model that works right now",
                "baseUrl": v1(door),
                "envKey": KEY_VARIABLE,
                "generationConfig": {"contextWindowSize": door.window},
            }]},
            "env": {KEY_VARIABLE: door.key.expose()},
            "security": {"auth": {"selectedType": "openai"}},
            "model": {"name": MODEL},
        }),
    }])
}

fn launch(door: &Door) -> Launch {
    // The flags win over a model and a provider that the settings name.
    let arguments = ["--auth-type", "openai", "--model", MODEL];
    Launch {
        arguments: arguments.map(str::to_owned).to_vec(),
        variables: vec![
            ("OPENAI_BASE_URL", v1(door)),
            ("OPENAI_API_KEY", door.key.expose().to_owned()),
            ("OPENAI_MODEL", MODEL.to_owned()),
        ],
        without: &[],
    }
}
