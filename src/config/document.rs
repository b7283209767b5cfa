//! The table, printed: `.env.example`, and the tables of `docs/configuration.md` and `docs/routing.md`.
//!
//! Run the tests with `UPDATE=1` to rewrite the files.

use super::table::{self, Group, Preset, Setting};
use crate::provider::built_in;

/// `.env.example`: every setting with its default, and placeholders for the keys, which the reader
/// refuses.
#[must_use]
pub fn env_example() -> String {
    let keys = [
        ("OPENROUTER_API_KEY", "sk-or-v1-..."),
        ("PROXY_API_KEY", "changeme"),
    ];
    let settings = env_file(Reach::Folder, &keys);
    format!(
        "# Copy this to `.env` and put in your keys, or let `free-llm-proxy init` write one.\n\
         {settings}"
    )
}

/// Where a file of settings applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In its folder.
    Folder,
    /// Wherever its owner is.
    User,
}

/// A file of settings with these values, by the names of their variables.
#[must_use]
pub fn env_file(reach: Reach, given: &[(&str, &str)]) -> String {
    let mut out = String::from(match reach {
        Reach::Folder => {
            "# Settings of free-llm-proxy, read from `.env` in the working directory. Flags and real\n\
             # environment variables win over it. Lines that begin with `#` show defaults.\n"
        }
        Reach::User => {
            "# Settings of free-llm-proxy, read in every folder. Flags, real environment variables and\n\
             # the `.env` of the working directory win over it. Lines that begin with `#` show defaults.\n"
        }
    });
    for group in Group::shown() {
        out += &format!("\n# --- {} ---\n\n", group.title());
        for setting in group.settings() {
            out += &format!("# {}.\n", setting.meaning);
            if let Preset::Required(hint) = setting.preset {
                out += &format!("# Required: {hint}.\n");
            }
            out += &assignment(
                setting.name,
                setting.default_text().unwrap_or_default(),
                given,
            );
        }
        if group == Group::Keys {
            out += &provider_keys(given);
        }
    }
    out
}

/// The keys of the table of providers: each enables its provider.
fn provider_keys(given: &[(&str, &str)]) -> String {
    let mut out = String::from(
        "\n# --- Keys of more providers: a key puts its provider on (`free-llm-proxy providers`) ---\n\n\
         # Several keys of one: commas between them, or GROQ_API_KEY_2 and so on. A name with _FILE behind\n\
         # it (GROQ_API_KEY_FILE) names a file that holds the key.\n",
    );
    for row in built_in() {
        let (Some(name), None) = (row.key_name(), find(&row.key_names)) else {
            continue;
        };
        out += &format!("# {}: {}\n", row.name, row.sign_up);
        if row.shared_names.contains(name) {
            out += &format!(
                "# Other programs use this name too: it counts only with PROVIDERS=+{}.\n",
                row.id
            );
        }
        for name in std::iter::once(name).chain(&row.account_id_name) {
            out += &assignment(name, "", given);
        }
    }
    out
}

/// The setting of the table that has one of these names, if any.
fn find(names: &[String]) -> Option<&'static Setting> {
    names.iter().find_map(|name| table::find(name))
}

fn assignment(name: &str, default: &str, given: &[(&str, &str)]) -> String {
    match given.iter().find(|(given, _)| *given == name) {
        Some((_, value)) => format!("{name}={value}\n"),
        None => format!("#{name}={default}\n"),
    }
}

/// The settings as Markdown tables, one under each group's heading.
#[must_use]
pub fn markdown_tables() -> String {
    let with_title = |group: Group| format!("### {}\n\n{}", group.title(), markdown_table(group));
    let tables: Vec<_> = Group::shown().map(with_title).collect();
    tables.join("\n")
}

/// The settings of one group as a Markdown table.
#[must_use]
pub fn markdown_table(group: Group) -> String {
    let rows: String = group.settings().map(row).collect();
    format!("| variable | default | meaning |\n| --- | --- | --- |\n{rows}")
}

fn row(setting: &Setting) -> String {
    let (name, default) = (setting.name, default_cell(setting));
    format!("| `{name}` | {default} | {} |\n", setting.meaning)
}

fn default_cell(setting: &Setting) -> String {
    match setting.preset {
        Preset::Required(hint) => format!("required: {hint}"),
        Preset::None => "none".to_owned(),
        Preset::Text(text) => format!("`{text}`"),
        Preset::Same(other) => format!("= `{other}`"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Config, SETTINGS, dotenv};

    const BEGIN: &str = "<!-- settings: begin (written by `UPDATE=1 cargo test s6_`) -->\n";
    const END: &str = "<!-- settings: end -->\n";

    /// The own names of the table of providers, and the names that go with them.
    #[rustfmt::skip]
    const SAMPLE_NAMES: [&str; 19] = [
        "GEMINI_API_KEY", "GROQ_API_KEY", "NVIDIA_API_KEY", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID",
        "ZAI_API_KEY", "REQUESTY_API_KEY", "KILO_API_KEY", "OVHCLOUD_API_KEY", "MISTRAL_API_KEY", "COHERE_API_KEY",
        "LLM7_API_KEY", "HUGGINGFACE_API_KEY", "AI_GATEWAY_API_KEY", "CEREBRAS_API_KEY", "OLLAMA_API_KEY", "SILICONFLOW_API_KEY",
        "MODELSCOPE_API_KEY",
        "LLM_GATEWAY_API_KEY",
    ];

    #[test]
    fn s6_the_sample_env_file_is_the_table() {
        keep(".env.example", |_| env_example());
    }

    #[test]
    fn s6_the_documentation_is_the_table() {
        keep("docs/configuration.md", |old| {
            between(old, BEGIN, END, &markdown_tables())
        });
    }

    #[test]
    fn s6_s11_1_the_documentation_of_routing_has_the_rest_of_the_table() {
        keep("docs/routing.md", |old| {
            between(old, BEGIN, END, &markdown_table(Group::Learning))
        });
        let shown = env_example() + &markdown_tables();
        for setting in Group::Learning.settings() {
            assert!(!shown.contains(setting.name), "{}", setting.name);
        }
    }

    #[test]
    fn s6_the_sample_names_every_setting_and_holds_only_its_default() {
        let sample = env_example();
        let shown = || SETTINGS.iter().filter(|setting| setting.group.is_shown());
        for setting in shown() {
            assert!(
                sample.contains(&format!("{}=", setting.name)),
                "{}",
                setting.name
            );
        }
        let uncommented: String = sample
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let values: std::collections::HashMap<&str, String> = dotenv::entries(&uncommented)
            .into_iter()
            .map(|(_, read)| read.unwrap())
            .collect();
        let names = shown().map(|setting| setting.name);
        let names: std::collections::BTreeSet<_> = names.chain(SAMPLE_NAMES).collect();
        let sampled: std::collections::BTreeSet<_> = values.keys().copied().collect();
        assert_eq!(sampled, names);
        // An empty value names no provider, which is an error of its own.
        let set = |name: &str| values.get(name).filter(|_| name != "PROVIDERS");
        let error = Config::read(|name| set(name).cloned()).unwrap_err();
        assert_eq!(error.problems().len(), 2, "{error}");
        assert!(
            error
                .problems()
                .iter()
                .all(|p| p.contains("is a placeholder")),
            "{error}"
        );
    }

    /// The text with this between its two markers.
    pub(crate) fn between(text: &str, begin: &str, end: &str, inner: &str) -> String {
        let (before, rest) = text.split_once(begin).expect("the first marker");
        let (_, after) = rest.split_once(end).expect("the second marker");
        format!("{before}{begin}\n{inner}\n{end}{after}")
    }

    /// Checks that the file is what `expected` makes of it; with `UPDATE` set, rewrites it.
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, no setting")]
    pub(crate) fn keep(path: &str, expected: impl Fn(&str) -> String) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
        let old = fs::read_to_string(&path).unwrap_or_default();
        let new = expected(&old);
        if std::env::var("UPDATE").is_ok() && new != old {
            fs::write(&path, &new).unwrap();
            return;
        }
        assert!(
            old == new,
            "{} is not what the table says: run with UPDATE=1",
            path.display()
        );
    }
}
