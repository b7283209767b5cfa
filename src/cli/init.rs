//! `init`: a `.env` with a fresh proxy key, never over an existing one.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::{Ending, say};
use crate::config::{Sources, env_file, is_placeholder};

/// Writes `.env` into the working directory and says what to do next.
#[must_use]
pub fn run(sources: &Sources) -> Ending {
    let upstream_key = sources.environment("OPENROUTER_API_KEY").and_then(usable);
    match write(Path::new(".env"), upstream_key) {
        Ok(()) => {
            say::line(next_steps(sources, upstream_key.is_some()));
            Ending::Fine
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            say::problem(".env is already there and stays as it is; move it away to start anew");
            Ending::Fault
        }
        Err(error) => {
            say::problem(format_args!(".env cannot be written: {error}"));
            Ending::Fault
        }
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

fn write(path: &Path, upstream_key: Option<&str>) -> io::Result<()> {
    let text = env_file(upstream_key.unwrap_or_default(), &fresh_key()?);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn fresh_key() -> io::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sk-proxy-{hex}"))
}

fn next_steps(sources: &Sources, has_upstream_key: bool) -> String {
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
    let port = sources.get("PORT").unwrap_or_else(|| "8080".to_owned());
    format!(
        "Wrote .env with a fresh PROXY_API_KEY; only you can read it.\n\
         {upstream_key}{proxy_key}\n\n\
         Next:\n  \
         free-llm-proxy check    see that everything works\n  \
         free-llm-proxy          run it\n  \
         free-llm-proxy setup    point an agent at it (--help names them)\n\n\
         Other clients use http://localhost:{port}/api/v1 with the PROXY_API_KEY from .env."
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn s8_init_writes_a_file_that_the_reader_takes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        write(&path, Some("sk-or-v1-0123456789")).unwrap();
        let values = values(&path);
        let config = crate::config::Config::read(|name| values.get(name).cloned()).unwrap();
        assert_eq!(config.upstream_key.expose(), "sk-or-v1-0123456789");
        let key = config.proxy_keys.first().unwrap().expose();
        assert_eq!(key.len(), "sk-proxy-".len() + 64);
        assert!(key.starts_with("sk-proxy-"));
        assert_ne!(fresh_key().unwrap(), fresh_key().unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn s8_init_writes_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        write(&path, None).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn s8_init_never_writes_over_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        fs::write(&path, "PORT=1\n").unwrap();
        assert_eq!(
            write(&path, None).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "PORT=1\n");
    }

    #[test]
    fn s8_init_without_an_upstream_key_leaves_its_place_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        write(&path, None).unwrap();
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
        dotenvy::from_path_iter(path)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}
