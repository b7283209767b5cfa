//! `init`: a file of settings with a fresh proxy key and the keys that the user has; never
//! overwrites an existing file.

mod keys;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Exit, ask, say};
use crate::config::{Reach, Sources, env_file, is_placeholder, user_file};

/// Where `init` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `.env` in the working directory.
    Here,
    /// The file in the user's home.
    Home,
}

/// Writes the file and says what to do next.
#[must_use]
pub fn run(sources: &Sources, place: Place) -> Exit {
    let path = match place {
        Place::Here => PathBuf::from(".env"),
        Place::Home => match user_file() {
            Some(path) => path,
            None => {
                say::problem(
                    "neither HOME nor XDG_CONFIG_HOME is set, so there is no home directory to write to",
                );
                return Exit::Fault;
            }
        },
    };
    // Before anything is asked: a person would type keys for nothing.
    if std::fs::symlink_metadata(&path).is_ok() {
        let error = io::Error::from(ErrorKind::AlreadyExists);
        say::problem(not_written(place, &path, &error));
        return Exit::Fault;
    }
    let upstream_key = sources.environment("OPENROUTER_API_KEY").and_then(usable);
    let mut keys = Vec::new();
    keys.extend(upstream_key.map(|key| ("OPENROUTER_API_KEY".to_owned(), key.to_owned())));
    if ask::has_person() {
        match keys::asked(upstream_key.is_some()) {
            Ok(typed) => keys.extend(typed),
            Err(error) => {
                say::problem(format_args!("nothing was written: {error}"));
                return Exit::Fault;
            }
        }
    }
    match write(&path, place, &keys) {
        Ok(()) => {
            let from = upstream_key.is_some();
            say::line(next_steps(sources, place, &path, &keys, from));
            Exit::Fine
        }
        Err(error) => {
            say::problem(not_written(place, &path, &error));
            Exit::Fault
        }
    }
}

fn not_written(place: Place, path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match (error.kind(), place) {
        (ErrorKind::AlreadyExists, Place::Here) => format!(
            "{path} already exists and was not changed. Move it away to start afresh; if it belongs to another \
             program, `free-llm-proxy init --user` writes a file in your home directory instead"
        ),
        (ErrorKind::AlreadyExists, Place::Home) => {
            format!("{path} already exists and was not changed; move it away to start afresh")
        }
        (_, _) => format!("{path} cannot be written: {error}"),
    }
}

/// A key that means the same to every reader of `.env` files, which do not agree on quotes.
fn usable(key: &str) -> Option<&str> {
    let key = key.trim();
    let plain = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (plain && !key.is_empty() && !is_placeholder(key)).then_some(key)
}

/// Writes a new file with these values and a fresh proxy key, readable only by its owner.
pub(super) fn write(path: &Path, place: Place, keys: &[(String, String)]) -> io::Result<()> {
    let reach = match place {
        Place::Here => Reach::Folder,
        Place::Home => Reach::User,
    };
    let fresh = fresh_key()?;
    // The line for OpenRouter's key is there even if empty: most people fill that in.
    let keys = keys.iter().map(|(name, key)| (name.as_str(), key.as_str()));
    let own = [
        ("PROXY_API_KEY", fresh.as_str()),
        ("OPENROUTER_API_KEY", ""),
    ];
    let text = env_file(reach, &keys.chain(own).collect::<Vec<_>>());
    if let (Place::Home, Some(folder)) = (place, path.parent()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn fresh_key() -> io::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sk-proxy-{hex}"))
}

fn next_steps(
    sources: &Sources,
    place: Place,
    path: &Path,
    keys: &[(String, String)],
    from_environment: bool,
) -> String {
    let typed = keys.iter().skip(usize::from(from_environment));
    let typed: Vec<_> = typed.map(|(name, _)| name.as_str()).collect();
    let upstream_key = match (from_environment, typed.as_slice()) {
        (true, []) => "OPENROUTER_API_KEY was taken from the environment.".to_owned(),
        (true, typed) => format!(
            "OPENROUTER_API_KEY was taken from the environment, {} from what you typed.",
            typed.join(", ")
        ),
        (false, []) => "It has no provider's key yet: `free-llm-proxy key add openrouter` (or groq, gemini, ...) asks for one.\n\
             OpenRouter's are made at https://openrouter.ai/settings/keys."
            .to_owned(),
        (false, typed) => format!("It has {} from what you typed.", typed.join(", ")),
    };
    let proxy_key = match sources.environment("PROXY_API_KEY") {
        Some(_) => "\nPROXY_API_KEY is set in the environment too, which wins over the file.",
        None => "",
    };
    let reach = match place {
        Place::Here => {
            "\nIt is read in this folder only; `free-llm-proxy init --user` writes one for every folder."
        }
        Place::Home => "",
    };
    let path = path.display();
    let port = sources.get("PORT").unwrap_or_else(|| "8080".to_owned());
    format!(
        "Wrote {path} with a fresh PROXY_API_KEY; only you can read it.\n\
         {upstream_key}{proxy_key}{reach}\n\n\
         Next:\n  \
         free-llm-proxy check    see that everything works\n  \
         free-llm-proxy          run it; http://localhost:{port}/ui shows what it does\n  \
         free-llm-proxy setup    point an agent at it (--help names them)\n\n\
         Other clients use http://localhost:{port}/v1 with the PROXY_API_KEY from {path}."
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::dotenv;

    #[test]
    fn s8_init_writes_a_file_that_the_reader_accepts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        let keys = [
            ("OPENROUTER_API_KEY", "sk-or-v1-0123456789"),
            ("GROQ_API_KEY", "gsk_0123456789"),
        ];
        let keys = keys.map(|(name, key)| (name.to_owned(), key.to_owned()));
        write(&path, Place::Here, &keys).unwrap();
        let values = values(&path);
        let config = crate::config::Config::read(|name| values.get(name).cloned()).unwrap();
        assert_eq!(config.upstream_key.expose(), "sk-or-v1-0123456789");
        let labels: Vec<_> = config.accounts.iter().map(|a| a.id.to_string()).collect();
        assert_eq!(labels, ["openrouter", "groq"]);
        let key = config.clients.own_key().unwrap().expose();
        assert_eq!(key.len(), "sk-proxy-".len() + 64);
        assert!(key.starts_with("sk-proxy-"));
        assert_ne!(fresh_key().unwrap(), fresh_key().unwrap());
    }

    #[test]
    fn s8_init_writes_a_file_only_its_owner_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = dir.path().join("config/free-llm-proxy");
        for (place, path) in [
            (Place::Here, dir.path().join(".env")),
            (Place::Home, folder.join("env")),
        ] {
            write(&path, place, &[]).unwrap();
            assert_eq!(mode(&path), 0o600);
        }
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn s8_init_never_overwrites_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        fs::write(&path, "PORT=1\n").unwrap();
        assert_eq!(
            write(&path, Place::Here, &[]).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "PORT=1\n");
    }

    #[test]
    fn s8_init_without_an_upstream_key_leaves_its_line_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        write(&path, Place::Here, &[]).unwrap();
        assert_eq!(
            values(&path).get("OPENROUTER_API_KEY").map(String::as_str),
            Some("")
        );
    }

    #[test]
    fn s8_only_a_key_without_special_characters_is_copied() {
        #[rustfmt::skip]
        let rows = [
            (" sk-or-v1-01 ",     Some("sk-or-v1-01")),
            ("sk-or-v1-...",      None),
            ("a$b",               None),
            ("a b",               None),
            ("",                  None),
        ];
        for (key, expected) in rows {
            assert_eq!(usable(key), expected, "{key:?}");
        }
    }

    fn values(path: &Path) -> std::collections::HashMap<String, String> {
        let text = fs::read_to_string(path).unwrap();
        let entries = dotenv::entries(&text).into_iter();
        entries
            .map(|(_, read)| read.unwrap())
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
