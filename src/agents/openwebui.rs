//! Open WebUI: chat completions, configured by its environment; mostly run in a container.

use std::path::PathBuf;

use serde_json::json;

use super::merge::Format;
use super::{About, Edit, Homeless, Launch, Places, nothing, v1};
use crate::config::Door;

pub(super) const ABOUT: About = About {
    name: "openwebui",
    title: "Open WebUI",
    program: "open-webui",
    install: "pip install open-webui",
    start: "docker run -d --name open-webui -p 3000:8080 --env-file open-webui.env \
            --add-host=host.docker.internal:host-gateway -v open-webui:/app/backend/data \
            ghcr.io/open-webui/open-webui:main",
    note: "Whichever model is picked there, the choice is the proxy's unless MODEL_FIELD says \
           otherwise. It takes these settings over when it starts for the first time, and keeps its own \
           afterwards (Admin Settings, Connections). From a container it reaches a proxy that \
           listens on 0.0.0.0, not one on 127.0.0.1.",
    replaces: nothing,
    elsewhere: &[],
    edits,
    launch,
    of_project: None,
};

// No model is set: people pick one in its list, which begins with `auto` and the other wishes.

/// The host that runs the container, as seen from within.
const OUTSIDE: &str = "host.docker.internal";

/// A file for `--env-file`, in the working directory: a key on a command line would be visible.
fn edits(door: &Door, _: &Places<'_>) -> Result<Vec<Edit>, Homeless> {
    Ok(vec![Edit {
        places: vec![PathBuf::from("open-webui.env")],
        format: Format::Env,
        content: json!({
            "OPENAI_API_BASE_URL": from_container(&v1(door)),
            "OPENAI_API_KEY": door.key.expose(),
            "ENABLE_OLLAMA_API": "false",
        }),
    }])
}

fn from_container(url: &str) -> String {
    let loopback = ["127.0.0.1", "[::1]", "localhost"].into_iter();
    let at_home = loopback
        .filter_map(|host| url.strip_prefix(&format!("http://{host}")))
        .find(|rest| rest.starts_with([':', '/']));
    at_home.map_or_else(|| url.to_owned(), |rest| format!("http://{OUTSIDE}{rest}"))
}

fn launch(door: &Door, _: Option<&str>) -> Launch {
    // Its own port is 8080, the same as ours.
    let arguments = ["serve", "--port", "3000"];
    Launch {
        arguments: arguments.map(str::to_owned).to_vec(),
        variables: vec![
            ("OPENAI_API_BASE_URL", v1(door)),
            ("OPENAI_API_KEY", door.key.expose().to_owned()),
            ("ENABLE_OLLAMA_API", "false".to_owned()),
            // Otherwise it would keep the key in its database.
            ("ENABLE_PERSISTENT_CONFIG", "false".to_owned()),
        ],
        // They would take precedence.
        without: &["OPENAI_API_BASE_URLS", "OPENAI_API_KEYS"],
    }
}
