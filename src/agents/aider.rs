//! aider: chat completions through litellm, whose prefix `openai/` means any such address.

use serde_json::json;

use super::merge::Format;
use super::{About, Edit, Homeless, Launch, MODEL, Places, nothing, v1};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "aider",
    title: "aider",
    program: "aider",
    install: "python3 -m pip install aider-install && aider-install",
    start: "aider",
    note: "An .aider.conf.yml in a project wins over this one.",
    replaces: nothing,
    edits,
    launch,
    of_project: None,
};

fn edits(door: &Door, places: &Places<'_>) -> Result<Vec<Edit>, Homeless> {
    let home = places.home(None)?;
    Ok(vec![Edit {
        places: vec![home.join(".aider.conf.yml")],
        format: Format::Yaml,
        content: json!({
            "model": model(),
            "openai-api-base": v1(door),
            "openai-api-key": door.key.expose(),
            // It has no prices and limits for a model of this name, and would say so each time.
            "show-model-warnings": false,
        }),
    }])
}

fn launch(door: &Door, direct: Option<&str>) -> Launch {
    // A project's `.env` wins over its environment, and the command line over that. The library
    // below it looks for an address of its own first.
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
            ("AIDER_OPENAI_API_KEY", door.key.expose().to_owned()),
            ("AIDER_SHOW_MODEL_WARNINGS", "false".to_owned()),
        ],
        without: &[],
    }
}

fn model() -> String {
    format!("openai/{MODEL}")
}
