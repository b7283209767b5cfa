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
    elsewhere: ELSEWHERE,
    edits,
    launch,
    of_project: None,
};

/// Every name under which it asks for a model.
const MODELS: [&str; 5] = [
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
];

/// Other routes to models than an address and a key.
const ELSEWHERE: &[&str] = &[
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_GATEWAY",
    "ANTHROPIC_UNIX_SOCKET",
];

/// Other services' credentials.
const CREDENTIALS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
];

/// No update checks, telemetry or surveys: they would not go to the proxy.
const QUIET: &str = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC";

/// The models' context window: for an unknown model name it assumes a million tokens.
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

/// The `env` of its settings files takes precedence over its environment, so an address there would
/// get our key, our address a token from there, or a cloud the requests. Settings on the command
/// line override both; the key, which must not be there, is read from the environment by the
/// helper.
fn launch(door: &Door, direct: Option<&str>) -> Launch {
    let mut env = environment(door);
    for name in CREDENTIALS.iter().chain(ELSEWHERE) {
        env.insert((*name).to_owned(), "".into());
    }
    // A project's settings may name an outbound proxy, which would see the key.
    for name in ["NO_PROXY", "no_proxy"] {
        env.extend(direct.map(|hosts| (name.to_owned(), hosts.into())));
    }
    let settings = json!({
        "env": env,
        "apiKeyHelper": format!("printenv {KEY_VARIABLE}"),
    });
    Launch {
        arguments: vec!["--settings".to_owned(), settings.to_string()],
        variables: vec![(KEY_VARIABLE, door.key.expose().to_owned())],
        without: CREDENTIALS,
    }
}
