//! Claude Code: Messages. Its base URL is the one without `/v1`.

use serde_json::{Map, Value, json};

use super::merge::Format;
use super::{About, Edit, Homeless, KEY_VARIABLE, Launch, MODEL, Places, nothing};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "claude",
    title: "Claude Code",
    program: "claude",
    install: "npm install -g @anthropic-ai/claude-code",
    start: "claude",
    note: "From then on every `claude` uses free models, a subscription or not; \
           `launch claude` does so for one run.",
    replaces: nothing,
    edits,
    launch,
};

/// Every name by which it asks for a model.
const MODELS: [&str; 5] = [
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
];

/// No update checks, telemetry or surveys: they would go to others than the proxy.
const QUIET: &str = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC";

/// How much the models hold: it takes a name that it does not know for one of a million tokens.
const WINDOW: &str = "CLAUDE_CODE_MAX_CONTEXT_TOKENS";

fn edits(door: &Door, places: &Places<'_>) -> Result<Vec<Edit>, Homeless> {
    let folder = places.folder("CLAUDE_CONFIG_DIR", ".claude")?;
    let mut env = environment(door);
    env.insert("ANTHROPIC_AUTH_TOKEN".to_owned(), door.key.expose().into());
    Ok(vec![Edit {
        places: vec![folder.join("settings.json")],
        format: Format::Json,
        content: json!({ "env": env }),
    }])
}

fn environment(door: &Door) -> Map<String, Value> {
    let models = MODELS.map(|name| (name.to_owned(), MODEL.into()));
    let mut env = Map::from_iter([(
        "ANTHROPIC_BASE_URL".to_owned(),
        Value::from(door.base.clone()),
    )]);
    env.extend(models);
    env.insert(QUIET.to_owned(), "1".into());
    env.insert(WINDOW.to_owned(), door.window.to_string().into());
    env
}

/// The `env` of its settings files wins over its environment, so an address there would get
/// our key, or our address a token from there. Settings on the command line win over both; the
/// key, which must not stand there, is fetched from the environment by the helper.
fn launch(door: &Door) -> Launch {
    let mut env = environment(door);
    for credential in ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"] {
        env.insert(credential.to_owned(), "".into());
    }
    let settings = json!({
        "env": env,
        "apiKeyHelper": format!("printenv {KEY_VARIABLE}"),
    });
    Launch {
        arguments: vec!["--settings".to_owned(), settings.to_string()],
        variables: vec![(KEY_VARIABLE, door.key.expose().to_owned())],
        without: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"],
    }
}
