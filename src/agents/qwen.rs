//! Qwen Code: chat completions, configured by a provider in its settings.

use serde_json::{Value, json};

use super::merge::Format;
use super::{About, Edit, Homeless, KEY_VARIABLE, Launch, MODEL, OfProject, Places, v1};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "qwen",
    title: "Qwen Code",
    program: "qwen",
    install: "npm install -g @qwen-code/qwen-code",
    start: "qwen",
    note: "Its other models stay where they were: /model lists them all.",
    replaces,
    elsewhere: &[],
    edits,
    launch,
    of_project: Some(OfProject {
        path: ".qwen/settings.json",
        format: Format::Json,
        leads_away,
    }),
};

/// The variable with the key during a run.
const OPENAI_KEY: &str = "OPENAI_API_KEY";

/// In every string of its settings it replaces `$NAME` and `${NAME}` by the variable, if that is
/// set.
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

/// A provider with the model's name takes precedence over the address in the environment, and any
/// other may be selected and read the key from its variable, which is the default.
fn leads_away(settings: &Value) -> Option<&'static str> {
    let providers = settings.get("modelProviders")?;
    let kinds = providers.as_object().into_iter().flatten();
    let mut models = kinds.flat_map(|(_, models)| models.as_array().into_iter().flatten());
    let is_list = |models: &Value| models.is_array();
    let is_known = providers
        .as_object()
        .is_some_and(|kinds| kinds.values().all(is_list));
    let is_harmless = |model: &Value| {
        let variable = model["envKey"].as_str();
        model["id"].as_str().is_some_and(|id| id != MODEL)
            && variable.is_some_and(|name| ![OPENAI_KEY, KEY_VARIABLE].contains(&name))
    };
    let harmless = is_known && models.all(is_harmless);
    (!harmless).then_some("modelProviders")
}

fn launch(door: &Door, _: Option<&str>) -> Launch {
    // The flags override a model and a provider named in the settings.
    let arguments = ["--auth-type", "openai", "--model", MODEL];
    Launch {
        arguments: arguments.map(str::to_owned).to_vec(),
        variables: vec![
            ("OPENAI_BASE_URL", v1(door)),
            (OPENAI_KEY, door.key.expose().to_owned()),
            ("OPENAI_MODEL", MODEL.to_owned()),
        ],
        without: &[],
    }
}
