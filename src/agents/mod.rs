//! The agents people use, and the settings each of them needs to find this proxy.
//!
//! Pure: the proxy's address goes in, and the contents of files, environment and command line come
//! out. No file is read or written here, and variables are only looked up through [`Places`]. Each
//! agent has a file; [`merge`] puts a template into an existing file. `docs/agents.md` shows the
//! same templates.

mod aider;
mod claude;
mod codex;
#[cfg(test)]
mod document;
pub mod elsewhere;
pub mod merge;
mod opencode;
mod openwebui;
mod places;
mod qwen;

use std::path::PathBuf;

use serde_json::Value;

use crate::config::Door;
use merge::Format;

pub use places::{Homeless, Places};

/// The model that all of them are configured to ask for: the proxy chooses.
const MODEL: &str = "auto";

/// The name of the proxy in an agent's list of providers.
const PROVIDER: &str = "free-llm-proxy";

/// The variable with the key, for agents that want a variable's name. It is not `PROXY_API_KEY`:
/// that may contain several keys, and may be set for the proxy in the same shell.
const KEY_VARIABLE: &str = "FREE_LLM_PROXY_API_KEY";

/// An agent that can be set up and launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Qwen Code.
    Qwen,
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// opencode.
    Opencode,
    /// aider.
    Aider,
    /// Open WebUI.
    OpenWebUi,
}

/// Everything about an agent.
#[derive(Debug)]
pub struct About {
    /// What a person types after `setup`.
    pub name: &'static str,
    /// Its display name.
    pub title: &'static str,
    /// The program that `launch` runs.
    pub program: &'static str,
    /// How to install it.
    pub install: &'static str,
    /// What starts it once its files are written.
    pub start: &'static str,
    /// What to know after setting it up.
    pub note: &'static str,
    /// What in a value it would interpret when it reads its settings, and the name of that: such a
    /// value cannot be used there.
    pub replaces: fn(&str) -> Option<&'static str>,
    /// The variables that would send it elsewhere: cleared by `launch`, reported by `setup`.
    pub elsewhere: &'static [&'static str],
    /// What `setup` writes into which files.
    pub edits: fn(&Door, &Places<'_>) -> Result<Vec<Edit>, Homeless>,
    /// How `launch` runs it, without writing anything. The second argument is the list of hosts
    /// that it must reach without an outbound proxy, if any.
    pub launch: fn(&Door, Option<&str>) -> Launch,
    /// What in the working directory would override that.
    pub of_project: Option<OfProject>,
}

/// A file that an agent finds in the working directory, which may be anyone's, and that takes
/// precedence over its command line and its environment.
#[derive(Debug)]
pub struct OfProject {
    /// Its path.
    pub path: &'static str,
    /// Its format.
    pub format: Format,
    /// What in it could redirect the run, and the proxy's key with it.
    pub leads_away: fn(&Value) -> Option<&'static str>,
}

/// The changes to one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Where the file may be: the first one that exists, or else the last.
    pub places: Vec<PathBuf>,
    /// Its format.
    pub format: Format,
    /// What it must contain, whatever else is in it.
    pub content: Value,
}

/// One run of an agent. The key is only in `variables`: arguments show in the process list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// What goes before the user's own arguments.
    pub arguments: Vec<String>,
    /// What is set in its environment.
    pub variables: Vec<(&'static str, String)>,
    /// What else must not be in its environment.
    pub without: &'static [&'static str],
}

impl Agent {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Qwen,
        Self::Claude,
        Self::Codex,
        Self::Opencode,
        Self::Aider,
        Self::OpenWebUi,
    ];

    /// Everything about it.
    #[must_use]
    pub fn about(self) -> &'static About {
        match self {
            Self::Qwen => &qwen::ABOUT,
            Self::Claude => &claude::ABOUT,
            Self::Codex => &codex::ABOUT,
            Self::Opencode => &opencode::ABOUT,
            Self::Aider => &aider::ABOUT,
            Self::OpenWebUi => &openwebui::ABOUT,
        }
    }

    /// The agent of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|agent| agent.about().name == name)
    }
}

/// For settings in which nothing is interpreted.
fn nothing(_: &str) -> Option<&'static str> {
    None
}

/// Where OpenAI's clients find the API.
fn v1(door: &Door) -> String {
    format!("{}/v1", door.base)
}

/// How much of the window an answer may take, for agents that want to know.
fn longest_answer(door: &Door) -> u64 {
    (door.window / 4).min(32_000)
}

#[cfg(test)]
mod tests;
