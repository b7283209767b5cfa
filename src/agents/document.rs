//! The templates as `docs/agents.md` and `docs/clients.md` show them.

use std::path::Path;

use serde_json::Value;

use super::merge::{Format, merge};
use super::{Agent, Edit, Places};
use crate::config::{Door, USUAL_WINDOW, between, keep};
use crate::redact::Secret;

const BEGIN: &str = "<!-- agents: begin (written by `UPDATE=1 cargo test agents`) -->\n";
const END: &str = "<!-- agents: end -->\n";

#[test]
fn the_documentation_shows_the_templates() {
    keep("docs/agents.md", |old| {
        let sections = Agent::ALL.map(section);
        between(old, BEGIN, END, sections.join("\n").trim_end())
    });
}

const QWEN_BEGIN: &str = "<!-- qwen: begin (written by `UPDATE=1 cargo test agents`) -->\n";
const QWEN_END: &str = "<!-- qwen: end -->\n";

#[test]
fn the_clients_page_shows_what_setup_writes_for_qwen_code() {
    keep("docs/clients.md", |old| {
        let files: String = edits(Agent::Qwen).iter().map(file).collect();
        between(old, QWEN_BEGIN, QWEN_END, files.trim_end())
    });
}

/// The pages that show settings for Qwen Code.
const PAGES: [&str; 4] = [
    "README.md",
    "README.ru.md",
    "docs/agents.md",
    "docs/clients.md",
];

#[test]
fn no_page_shows_other_settings_for_qwen_code_than_setup_writes() {
    let edits = edits(Agent::Qwen);
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = std::fs::read_to_string(path).unwrap();
        let blocks = text.split("```json\n").skip(1);
        let blocks = blocks.map(|block| block.split("```").next().unwrap());
        let shown: Vec<Value> = blocks
            .filter(|block| block.contains("modelProviders"))
            .map(|block| serde_json::from_str(block).unwrap())
            .collect();
        assert!(!shown.is_empty(), "{page}");
        for shown in shown {
            assert_eq!(shown, edits[0].content, "{page}");
        }
    }
}

/// What `setup` writes for this agent, with a blank for the key.
fn edits(agent: Agent) -> Vec<Edit> {
    let door = Door {
        base: "http://127.0.0.1:8080".to_owned(),
        key: Secret::new("<PROXY_API_KEY>"),
        window: USUAL_WINDOW,
    };
    let home = |name: &str| (name == "HOME").then(|| "~".into());
    (agent.about().edits)(&door, &Places::new(&home)).unwrap()
}

fn section(agent: Agent) -> String {
    let about = agent.about();
    let files: String = edits(agent).iter().map(file).collect();
    let (name, title, program) = (about.name, about.title, about.program);
    format!(
        "### {title}\n\n\
         `free-llm-proxy setup {name}`, or for one run `free-llm-proxy launch {name} -- ARGS`.\n\
         If there is no `{program}` yet: `{}`.\n\n\
         {files}Then:\n\n```sh\n{}\n```\n\n{}\n",
        about.install,
        about.start.replace(" --", " \\\n  --"),
        about.note
    )
}

fn file(edit: &Edit) -> String {
    let places: Vec<_> = edit.places.iter().rev().collect();
    let names: Vec<_> = places
        .iter()
        .map(|p| format!("`{}`", p.display()))
        .collect();
    let language = match edit.format {
        Format::Json => "json",
        Format::Toml => "toml",
        Format::Yaml => "yaml",
        Format::Env => "sh",
    };
    let text = merge(edit.format, "", &edit.content).unwrap().text;
    assert!(edit.content != Value::Null && text.ends_with('\n'));
    let names = names.join(", or where it is there ");
    format!("In {names}:\n\n```{language}\n{text}```\n\n")
}
