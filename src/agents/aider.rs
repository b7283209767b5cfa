//! aider: chat completions through litellm, whose prefix `openai/` means any such address.

use serde_json::json;

use super::merge::Format;
use super::{About, Edit, Homeless, Launch, MODEL, Places, longest_answer, nothing, v1};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "aider",
    title: "aider",
    program: "aider",
    install: "python3 -m pip install aider-install && aider-install",
    start: "aider",
    note: "An .aider.conf.yml in a project wins over this one.",
    replaces: nothing,
    elsewhere: ELSEWHERE,
    edits,
    launch,
    of_project: None,
};

/// Its environment takes precedence over its files, and there are many names for a model.
const ELSEWHERE: &[&str] = &[
    "AIDER_MODEL",
    "AIDER_WEAK_MODEL",
    "AIDER_EDITOR_MODEL",
    "AIDER_OPENAI_API_BASE",
    "AIDER_OPUS",
    "AIDER_SONNET",
    "AIDER_HAIKU",
    "AIDER_4",
    "AIDER_4O",
    "AIDER_MINI",
    "AIDER_4_TURBO",
    "AIDER_35TURBO",
    "AIDER_DEEPSEEK",
    "AIDER_O1_MINI",
    "AIDER_O1_PREVIEW",
];

fn edits(door: &Door, places: &Places<'_>) -> Result<Vec<Edit>, Homeless> {
    let home = places.home(None)?;
    let metadata = Edit {
        places: vec![home.join(".aider.model.metadata.json")],
        format: Format::Json,
        content: json!({model(): {
            "litellm_provider": "openai",
            "mode": "chat",
            "max_input_tokens": door.window - longest_answer(door),
            "max_output_tokens": longest_answer(door),
            "input_cost_per_token": 0,
            "output_cost_per_token": 0,
        }}),
    };
    let settings = Edit {
        places: vec![home.join(".aider.conf.yml")],
        format: Format::Yaml,
        content: json!({
            "model": model(),
            "openai-api-base": v1(door),
            "openai-api-key": door.key.expose(),
            // It does not know a model with this name, and would say so each time.
            "show-model-warnings": false,
        }),
    };
    Ok(vec![settings, metadata])
}

fn launch(door: &Door, direct: Option<&str>) -> Launch {
    // A project's `.env` takes precedence over its environment, and the command line over that. The
    // library it uses first looks for an address of its own.
    let mut set = vec![format!("OPENAI_BASE_URL={}", v1(door))];
    for name in ["NO_PROXY", "no_proxy"] {
        set.extend(direct.map(|hosts| format!("{name}={hosts}")));
    }
    let mut arguments = vec![
        "--model".to_owned(),
        model(),
        "--openai-api-base".to_owned(),
        v1(door),
    ];
    arguments.extend(
        set.into_iter()
            .flat_map(|set| ["--set-env".to_owned(), set]),
    );
    Launch {
        arguments,
        variables: vec![
            // Its settings may name others for small tasks.
            ("AIDER_WEAK_MODEL", model()),
            ("AIDER_EDITOR_MODEL", model()),
            ("AIDER_OPENAI_API_KEY", door.key.expose().to_owned()),
            ("AIDER_SHOW_MODEL_WARNINGS", "false".to_owned()),
            ("AIDER_MAX_CHAT_HISTORY_TOKENS", history(door).to_string()),
        ],
        without: &[],
    }
}

/// What it would derive from the window if it could be configured without a file.
fn history(door: &Door) -> u64 {
    (door.window / 16).clamp(1024, 8192)
}

fn model() -> String {
    format!("openai/{MODEL}")
}
