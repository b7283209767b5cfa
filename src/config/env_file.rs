//! A file of settings: found, read within limits, and distinguished from another program's.
//!
//! The working directory may belong to anyone, so its `.env` is opened without blocking (it may be
//! a FIFO) and counts only if it contains a setting that no other program has.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::accounts::key_name;
use super::dotenv;
use super::table::{self, Setting};

/// No file of settings is larger.
const MAX_BYTES: u64 = 256 << 10;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Another program's, or unreadable: why it is ignored.
    PassedOver(&'static str),
    /// Ours, but unusable: the end of a sentence that begins with its name.
    Broken(String),
    Text(String),
}

/// The `.env` of a folder that may belong to anyone.
pub(super) fn in_folder(path: &Path) -> Found {
    let bytes = match open_at_once(path) {
        Ok(Some(file)) => match bounded(file) {
            Ok(bytes) => bytes,
            Err(_) => return Found::PassedOver("cannot be read"),
        },
        Ok(None) => return Found::PassedOver("is not a file"),
        Err(error) if error.kind() == ErrorKind::NotFound => return Found::Nothing,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Found::PassedOver("is not readable by you");
        }
        Err(_) => return Found::PassedOver("cannot be read"),
    };
    if is_ours(&String::from_utf8_lossy(&bytes)) {
        text(bytes)
    } else {
        Found::PassedOver("has no settings of free-llm-proxy")
    }
}

/// The text of a file in a folder that may belong to anyone, or the end of a sentence that says why
/// there is none; `None` if there is no such file.
#[must_use]
pub fn text_in_folder(path: &Path) -> Option<Result<String, &'static str>> {
    let file = match open_at_once(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Some(Err("is not a file")),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(_) => return Some(Err("cannot be read")),
    };
    let text = bounded(file)
        .ok()
        .filter(|bytes| bytes.len() as u64 <= MAX_BYTES);
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    Some(text.ok_or("is too large, or not UTF-8 text"))
}

/// What is found at a path.
#[cfg_attr(test, derive(Clone, Debug))]
pub(super) enum Contents {
    Nothing,
    /// Something else than a file, or one that cannot be read.
    NoFile,
    Bytes(Vec<u8>),
}

/// What a file contains, within limits; never blocks on a pipe.
pub(super) fn contents(path: &Path) -> Contents {
    let opened = open_at_once(path).and_then(|file| file.map(bounded).transpose());
    match opened {
        Ok(Some(bytes)) => Contents::Bytes(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Contents::Nothing,
        Ok(None) | Err(_) => Contents::NoFile,
    }
}

/// The text of a file that contains a key and nothing else, or the end of a sentence that says why
/// there is none. Never blocks on a pipe.
pub(super) fn of_a_key(path: &Path) -> Result<String, String> {
    let told = |error: &io::Error| {
        if error.kind() == ErrorKind::NotFound {
            "is not there".to_owned()
        } else if error.kind() == ErrorKind::PermissionDenied {
            "is not readable by you".to_owned()
        } else {
            format!("cannot be read: {error}")
        }
    };
    match open_at_once(path) {
        Ok(Some(file)) => match text(bounded(file).map_err(|error| told(&error))?) {
            Found::Text(text) => Ok(text),
            Found::Broken(why) => Err(why),
            Found::Nothing => Err("is not there".to_owned()),
            Found::PassedOver(why) => Err(why.to_owned()),
        },
        Ok(None) if path.is_dir() => Err("is a directory".to_owned()),
        Ok(None) => Err("is not a file".to_owned()),
        Err(error) => Err(told(&error)),
    }
}

/// A file that the user chose.
pub(super) fn chosen(path: &Path) -> Found {
    match File::open(path).and_then(bounded) {
        Ok(bytes) => text(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Found::Nothing,
        Err(error) => Found::Broken(format!("cannot be read: {error}")),
    }
}

/// The same file once more, for a program that runs: a pipe was read once, and opening it might never end.
pub(super) fn chosen_again(path: &Path) -> Found {
    match contents(path) {
        Contents::Bytes(bytes) => text(bytes),
        Contents::Nothing => Found::Nothing,
        Contents::NoFile => Found::Broken("is not a file that can be read again".to_owned()),
    }
}

/// The user's own file, below `XDG_CONFIG_HOME` or else the home directory. If either is relative
/// it would be in the working directory, so it is ignored.
pub(super) fn of_user(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    Some(folder?.join("free-llm-proxy").join("env"))
}

/// `None` if it is not a regular file. It may be replaced between the two checks; opening it still
/// does not block, and the second check decides.
fn open_at_once(path: &Path) -> io::Result<Option<File>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut options = File::options();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = options.read(true).custom_flags(flags).open(path)?;
    let is_file = file.metadata()?.is_file();
    Ok(is_file.then_some(file))
}

/// One byte more than allowed shows that there are too many.
fn bounded(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> Found {
    if bytes.len() as u64 > MAX_BYTES {
        return Found::Broken(format!("is larger than {} KiB", MAX_BYTES >> 10));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Found::Text(text),
        Err(_) => Found::Broken("is not UTF-8 text".to_owned()),
    }
}

/// Our two keys count in all their spellings; other providers' keys are used by other programs too.
pub(super) fn is_ours(text: &str) -> bool {
    dotenv::names(text).any(|(_, name)| {
        let base = key_name(name).base;
        let is_key = matches!(base, "OPENROUTER_API_KEY" | "PROXY_API_KEY");
        is_key || table::find(name).is_some_and(Setting::is_ours_alone)
    })
}

/// Whether the `.env` of this folder is ours.
pub(super) fn is_ours_in_folder(path: &Path) -> bool {
    matches!(in_folder(path), Found::Text(_) | Found::Broken(_))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn s12_1_another_programs_file_is_ignored_with_its_invalid_lines() {
        #[rustfmt::skip]
        let rows = [
            ("PROXY_API_KEY=x",                        true),
            ("OPENROUTER_API_KEY=",                    true),
            ("MODEL_FIELD=pin",                        true),
            ("PROXY_API_KEY_FILE=/run/secrets/proxy",  true),
            ("OPENROUTER_API_KEY_2=x",                 true),
            ("LOCAL_BASE_URL=http://127.0.0.1:1/v1",   true),
            ("CONFIG_FILE=x",                          true),
            ("GROQ_API_KEY=x\nGEMINI_API_KEY=y",       false),
            ("PROVIDERS=groq\nTRAINING=refuse",        false),
            ("LOCAL_API_KEY=x",                        false),
            ("\u{feff}export PROXY_API_KEY = x\r\n",   true),
            ("what is this\nPROXY_API_KEY=two words",  true),
            ("A='open\nPROXY_API_KEY=x",               true),
            ("OPENROUTER_TITLE='open",                 true),
            ("PORT=1\nHOST=::1\nLOG_LEVEL=debug",      false),
            ("HTTPS_PROXY=x\nhttp_proxy=y\nNO_PROXY=z", false),
            ("#PROXY_API_KEY=x",                       false),
            ("NOT_PROXY_API_KEY=x",                    false),
            ("PROXY_API_KEY",                          false),
            ("DATABASE_URL=x\nKEY=\"-----BEGIN\n--\"", false),
            ("{\"json\": true}",                       false),
            ("",                                       false),
        ];
        for (text, ours) in rows {
            assert_eq!(is_ours(text), ours, "{text:?}");
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(".env");
            std::fs::write(&path, text).unwrap();
            let found = in_folder(&path);
            assert_eq!(found == Found::Text(text.to_owned()), ours, "{text:?}");
            assert_eq!(matches!(found, Found::PassedOver(_)), !ours, "{text:?}");
        }
    }

    #[test]
    fn s12_1_what_is_not_a_file_is_ignored_without_blocking() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let ours = "PROXY_API_KEY=x\n";
        std::fs::create_dir(path("folder")).unwrap();
        let fifo = std::process::Command::new("mkfifo")
            .arg(path("fifo"))
            .status();
        assert!(fifo.unwrap().success());
        std::fs::write(path("file"), ours).unwrap();
        std::fs::write(path("latin"), b"PROXY_API_KEY=x\n# \xe9\n").unwrap();
        std::fs::write(path("utf16"), b"\xff\xfeP\0O\0R\0T\0").unwrap();
        std::fs::write(path("large"), ours.repeat(64 << 10)).unwrap();
        std::fs::write(path("large-foreign"), "A=1\n".repeat(1 << 20)).unwrap();
        for (link, to) in [
            ("link", "file"),
            ("to-fifo", "fifo"),
            ("to-folder", "folder"),
            ("to-zero", "/dev/zero"),
            ("to-nothing", "gone"),
            ("to-itself", "to-itself"),
        ] {
            std::os::unix::fs::symlink(to, path(link)).unwrap();
        }
        let passed = |why: &'static str| Found::PassedOver(why);
        #[rustfmt::skip]
        let rows = [
            ("gone",          Found::Nothing),
            ("to-nothing",    Found::Nothing),
            ("file",          Found::Text(ours.to_owned())),
            ("link",          Found::Text(ours.to_owned())),
            ("folder",        passed("is not a file")),
            ("fifo",          passed("is not a file")),
            ("to-fifo",       passed("is not a file")),
            ("to-folder",     passed("is not a file")),
            ("to-zero",       passed("is not a file")),
            ("to-itself",     passed("cannot be read")),
            ("utf16",         passed("has no settings of free-llm-proxy")),
            ("large-foreign", passed("has no settings of free-llm-proxy")),
            ("large",         Found::Broken("is larger than 256 KiB".to_owned())),
            ("latin",         Found::Broken("is not UTF-8 text".to_owned())),
        ];
        let begun = Instant::now();
        for (name, expected) in rows {
            assert_eq!(in_folder(&path(name)), expected, "{name}");
        }
        assert!(begun.elapsed().as_secs() < 10);
    }

    #[test]
    fn s12_1_a_chosen_file_is_read_whatever_it_contains() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings");
        assert_eq!(chosen(&path), Found::Nothing);
        std::fs::write(&path, "PORT=1").unwrap();
        assert_eq!(chosen(&path), Found::Text("PORT=1".to_owned()));
        let Found::Broken(why) = chosen(dir.path()) else {
            panic!("a folder is not a file");
        };
        assert!(why.starts_with("cannot be read: "), "{why}");
        assert_eq!(
            chosen(Path::new("/dev/zero")),
            Found::Broken("is larger than 256 KiB".to_owned())
        );
    }

    #[test]
    fn s12_1_the_users_file_is_in_the_home_and_never_in_the_working_directory() {
        #[rustfmt::skip]
        let rows = [
            (None,            Some("/home/a"), Some("/home/a/.config/free-llm-proxy/env")),
            (Some("/xdg"),    Some("/home/a"), Some("/xdg/free-llm-proxy/env")),
            (Some("/xdg"),    None,            Some("/xdg/free-llm-proxy/env")),
            (Some(".config"), Some("/home/a"), Some("/home/a/.config/free-llm-proxy/env")),
            (Some("."),       Some("."),       None),
            (None,            Some("home"),    None),
            (None,            None,            None),
        ];
        for (xdg, home, expected) in rows {
            let found = of_user(|name| match name {
                "XDG_CONFIG_HOME" => xdg.map(PathBuf::from),
                "HOME" => home.map(PathBuf::from),
                _ => None,
            });
            assert_eq!(found, expected.map(PathBuf::from), "{xdg:?}, {home:?}");
        }
    }
}
