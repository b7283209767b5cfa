//! Codex CLI: Responses, and nothing else.

use serde_json::json;

use super::merge::Format;
use super::{About, Edit, Homeless, KEY_VARIABLE, Launch, MODEL, PROVIDER, Places, nothing, v1};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "codex",
    title: "Codex",
    program: "codex",
    install: "npm install -g @openai/codex",
    start: "codex",
    note: "It warns that it has no metadata for the model `auto`; that does no harm.",
    replaces: nothing,
    elsewhere: &[],
    edits,
    launch,
    of_project: None,
};

/// The key is in Codex's own `.env`: a provider names a variable, and a shell need not set it.
fn edits(door: &Door, places: &Places<'_>) -> Result<Vec<Edit>, Homeless> {
    let folder = places.folder("CODEX_HOME", ".codex")?;
    Ok(vec![
        Edit {
            places: vec![folder.join("config.toml")],
            format: Format::Toml,
            content: json!({
                "model": MODEL,
                "model_provider": PROVIDER,
                "model_context_window": door.window,
                "model_providers": {PROVIDER: {
                    "name": PROVIDER,
                    "base_url": v1(door),
                    "env_key": KEY_VARIABLE,
                    "wire_api": "responses",
                }},
            }),
        },
        Edit {
            places: vec![folder.join(".env")],
            format: Format::Env,
            content: json!({KEY_VARIABLE: door.key.expose()}),
        },
    ])
}

fn launch(door: &Door, _: Option<&str>) -> Launch {
    let provider = format!("model_providers.{PROVIDER}");
    let texts = [
        ("model".to_owned(), MODEL.to_owned()),
        ("model_provider".to_owned(), PROVIDER.to_owned()),
        (format!("{provider}.name"), PROVIDER.to_owned()),
        (format!("{provider}.base_url"), v1(door)),
        (format!("{provider}.env_key"), KEY_VARIABLE.to_owned()),
        (format!("{provider}.wire_api"), "responses".to_owned()),
    ];
    let window = format!("model_context_window={}", door.window);
    let overrides = texts.map(|(name, value)| format!("{name}={value:?}"));
    Launch {
        arguments: overrides
            .into_iter()
            .chain([window])
            .flat_map(|value| ["-c".to_owned(), value])
            .collect(),
        variables: vec![(KEY_VARIABLE, door.key.expose().to_owned())],
        without: &[],
    }
}
