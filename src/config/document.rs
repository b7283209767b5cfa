//! The table, printed: `.env.example`, and the table of `docs/configuration.md`.
//!
//! Run the tests with `UPDATE=1` to write both files anew.

use super::table::{Group, Preset, Setting};

/// `.env.example`: every setting with its default, and placeholders for the keys, which the
/// reader refuses.
#[must_use]
pub fn env_example() -> String {
    let settings = env_file(Reach::Folder, "sk-or-v1-...", "changeme");
    format!(
        "# Copy this to `.env` and put in your keys, or let `free-llm-proxy init` write one.\n\
         {settings}"
    )
}

/// Where a file of settings counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In its folder.
    Folder,
    /// Wherever its owner is.
    User,
}

/// A file of settings with these keys.
#[must_use]
pub fn env_file(reach: Reach, upstream_key: &str, proxy_key: &str) -> String {
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
    for group in Group::ALL {
        out += &format!("\n# --- {} ---\n\n", group.title());
        for setting in group.settings() {
            out += &format!("# {}.\n", setting.meaning);
            if let Preset::Required(hint) = setting.preset {
                out += &format!("# Required: {hint}.\n");
            }
            out += &match setting.name {
                "OPENROUTER_API_KEY" => format!("OPENROUTER_API_KEY={upstream_key}\n"),
                "PROXY_API_KEY" => format!("PROXY_API_KEY={proxy_key}\n"),
                name => format!("#{name}={}\n", setting.default_text().unwrap_or_default()),
            };
        }
    }
    out
}

/// The settings as Markdown tables, one under each group's heading.
#[must_use]
pub fn markdown_table() -> String {
    let tables = Group::ALL.map(|group| {
        let rows: String = group.settings().map(row).collect();
        let title = group.title();
        format!("### {title}\n\n| variable | default | meaning |\n| --- | --- | --- |\n{rows}")
    });
    tables.join("\n")
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

    #[test]
    fn s6_the_sample_env_file_is_the_table() {
        keep(".env.example", |_| env_example());
    }

    #[test]
    fn s6_the_documentation_is_the_table() {
        keep("docs/configuration.md", |old| {
            between(old, BEGIN, END, &markdown_table())
        });
    }

    #[test]
    fn s6_the_sample_names_every_setting_and_holds_only_its_default() {
        let sample = env_example();
        for setting in SETTINGS {
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
        assert_eq!(values.len(), SETTINGS.len());
        let error = Config::read(|name| values.get(name).cloned()).unwrap_err();
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

    /// The file is what `expected` makes of it, and with `UPDATE` set it becomes that.
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
