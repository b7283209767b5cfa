//! `init`: a file of settings with a fresh proxy key, never over an existing one.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Ending, say};
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
pub fn run(sources: &Sources, place: Place) -> Ending {
    let path = match place {
        Place::Here => PathBuf::from(".env"),
        Place::Home => match user_file() {
            Some(path) => path,
            None => {
                say::problem("neither HOME nor XDG_CONFIG_HOME says where your home is");
                return Ending::Fault;
            }
        },
    };
    let upstream_key = sources.environment("OPENROUTER_API_KEY").and_then(usable);
    match write(&path, place, upstream_key) {
        Ok(()) => {
            say::line(next_steps(sources, place, &path, upstream_key.is_some()));
            Ending::Fine
        }
        Err(error) => {
            say::problem(not_written(place, &path, &error));
            Ending::Fault
        }
    }
}

fn not_written(place: Place, path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match (error.kind(), place) {
        (ErrorKind::AlreadyExists, Place::Here) => format!(
            "{path} is already there and stays as it is; move it away to start anew, or leave another \
             program's alone and write yours with `free-llm-proxy init --user`"
        ),
        (ErrorKind::AlreadyExists, Place::Home) => {
            format!("{path} is already there and stays as it is; move it away to start anew")
        }
        (_, _) => format!("{path} cannot be written: {error}"),
    }
}

/// A key that means the same in every reader of `.env` files, which do not agree on quotes.
fn usable(key: &str) -> Option<&str> {
    let key = key.trim();
    let plain = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (plain && !key.is_empty() && !is_placeholder(key)).then_some(key)
}

fn write(path: &Path, place: Place, upstream_key: Option<&str>) -> io::Result<()> {
    let reach = match place {
        Place::Here => Reach::Folder,
        Place::Home => Reach::User,
    };
    let text = env_file(reach, upstream_key.unwrap_or_default(), &fresh_key()?);
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

fn next_steps(sources: &Sources, place: Place, path: &Path, has_upstream_key: bool) -> String {
    let upstream_key = if has_upstream_key {
        "OPENROUTER_API_KEY was taken from the environment."
    } else {
        "Put your OpenRouter key behind OPENROUTER_API_KEY= in it; \
         create one at https://openrouter.ai/settings/keys."
    };
    let proxy_key = match sources.environment("PROXY_API_KEY") {
        Some(_) => "\nPROXY_API_KEY is set in the environment too, and wins over the file.",
        None => "",
    };
    let reach = match place {
        Place::Here => {
            "\nIt counts in this folder; `free-llm-proxy init --user` writes one for all."
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
         Other clients use http://localhost:{port}/api/v1 with the PROXY_API_KEY from {path}."
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::dotenv;

    #[test]
    fn s8_init_writes_a_file_that_the_reader_takes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        write(&path, Place::Here, Some("sk-or-v1-0123456789")).unwrap();
        let values = values(&path);
        let config = crate::config::Config::read(|name| values.get(name).cloned()).unwrap();
        assert_eq!(config.upstream_key.expose(), "sk-or-v1-0123456789");
        let key = config.proxy_keys.first().unwrap().expose();
        assert_eq!(key.len(), "sk-proxy-".len() + 64);
        assert!(key.starts_with("sk-proxy-"));
        assert_ne!(fresh_key().unwrap(), fresh_key().unwrap());
    }

    #[test]
    fn s8_init_writes_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = dir.path().join("config/free-llm-proxy");
        for (place, path) in [
            (Place::Here, dir.path().join(".env")),
            (Place::Home, folder.join("env")),
        ] {
            write(&path, place, None).unwrap();
            assert_eq!(mode(&path), 0o600);
        }
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn s8_init_never_writes_over_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        fs::write(&path, "PORT=1\n").unwrap();
        assert_eq!(
            write(&path, Place::Here, None).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "PORT=1\n");
    }

    #[test]
    fn s8_init_without_an_upstream_key_leaves_its_place_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        write(&path, Place::Here, None).unwrap();
        assert_eq!(
            values(&path).get("OPENROUTER_API_KEY").map(String::as_str),
            Some("")
        );
    }

    #[test]
    fn s8_only_a_plain_key_is_taken_over() {
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
