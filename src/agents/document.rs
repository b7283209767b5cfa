//! The templates as `docs/agents.md` shows them.

use serde_json::Value;

use super::merge::{Format, merge};
use super::{Agent, Edit, Places};
use crate::config::{Door, Secret, USUAL_WINDOW, between, keep};

const BEGIN: &str = "<!-- agents: begin (written by `UPDATE=1 cargo test agents`) -->\n";
const END: &str = "<!-- agents: end -->\n";

#[test]
fn the_documentation_shows_the_templates() {
    keep("docs/agents.md", |old| {
        let sections = Agent::ALL.map(section);
        between(old, BEGIN, END, sections.join("\n").trim_end())
    });
}

fn section(agent: Agent) -> String {
    let about = agent.about();
    let door = Door {
        base: "http://127.0.0.1:8080".to_owned(),
        key: Secret::new("<PROXY_API_KEY>"),
        window: USUAL_WINDOW,
    };
    let home = |name: &str| (name == "HOME").then(|| "~".into());
    let edits = (about.edits)(&door, &Places::new(&home)).unwrap();
    let files: String = edits.iter().map(file).collect();
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
