//! The agents people use, and what each of them must be told to find this proxy.
//!
//! Pure: where the proxy is goes in, and what belongs into which file, into the environment and
//! on the command line comes out. No file is read or written here, and no variable is looked
//! up but through [`Places`]. One agent is one file; [`merge`] puts a template into a file that
//! is there already. `docs/agents.md` shows the same templates.

mod aider;
mod claude;
mod codex;
#[cfg(test)]
mod document;
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

/// The model that all of them are told to ask for: the choice is the proxy's.
const MODEL: &str = "auto";

/// The name under which the proxy stands in an agent's list of providers.
const PROVIDER: &str = "free-llm-proxy";

/// The variable that holds the key where an agent wants a variable's name. It is not
/// `PROXY_API_KEY`: that may hold several keys, and may be set for the proxy in the same shell.
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

/// What there is to know of an agent.
#[derive(Debug)]
pub struct About {
    /// What a person types after `setup`.
    pub name: &'static str,
    /// What it calls itself.
    pub title: &'static str,
    /// The program that `launch` runs.
    pub program: &'static str,
    /// How to get it.
    pub install: &'static str,
    /// What starts it once its files are written.
    pub start: &'static str,
    /// What a person should know who has set it up.
    pub note: &'static str,
    /// What of a value it would read as something else when it reads its settings, and how that is
    /// called: such a value cannot stand there.
    pub replaces: fn(&str) -> Option<&'static str>,
    /// What `setup` puts into which files.
    pub edits: fn(&Door, &Places<'_>) -> Result<Vec<Edit>, Homeless>,
    /// How `launch` runs it, with nothing written.
    pub launch: fn(&Door) -> Launch,
}

/// What belongs into one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Where the file may be: the first that is there, or else the last.
    pub places: Vec<PathBuf>,
    /// How it is written.
    pub format: Format,
    /// What it must say, whatever else it says.
    pub content: Value,
}

/// One run of an agent. The key stands in `variables` alone: arguments show in the process list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// What goes before the user's own arguments.
    pub arguments: Vec<String>,
    /// What is set in its environment.
    pub variables: Vec<(&'static str, String)>,
    /// What must not be in its environment.
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

    /// What there is to know of it.
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

/// Whose settings say what they say.
fn nothing(_: &str) -> Option<&'static str> {
    None
}

/// Where OpenAI's clients find the API.
fn v1(door: &Door) -> String {
    format!("{}/v1", door.base)
}

/// How much of the window an answer may take, where an agent wants to be told.
fn longest_answer(door: &Door) -> u64 {
    (door.window / 4).min(32_000)
}

#[cfg(test)]
mod tests;
