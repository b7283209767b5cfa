//! The files that settings come from, and what they contain at one moment (spec §12.2). Contents are compared, not
//! times or sizes: a file moved into place may be older than the one before it, and of the same length.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::Sources;
use super::env_file::{self, Contents};
use super::trust::Source;
use crate::provider::file::KeySource;

/// What the files contained when they were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<PathBuf, File>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    /// Its name in a sentence, or the variable that names it.
    called: String,
    /// It holds settings, and not a key alone.
    has_settings: bool,
    contains: Content,
}

/// Contents may be keys, so only a hash of them is kept, under a secret of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    NoFile,
    Blank,
    Text(u64),
    /// Of a folder's `.env`: another program's, or one that cannot be read.
    PassedOver(Option<u64>),
}

static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Sources {
    /// What the files that these settings depend on contain now. Reads them, so it may take a while.
    #[must_use]
    pub fn look(&self) -> Seen {
        let mut seen = BTreeMap::new();
        for (path, called, has_settings) in self.files() {
            let is_of_folder = self.env_file.is_none() && path == Path::new(".env");
            let contains = Content::of(env_file::contents(&path), is_of_folder);
            let file = File {
                called,
                has_settings,
                contains,
            };
            seen.entry(path).or_insert(file);
        }
        Seen(seen)
    }

    /// The files that these settings depend on, whether they are there or not: what each is called, and whether it
    /// holds settings.
    fn files(&self) -> Vec<(PathBuf, String, bool)> {
        let mut files: Vec<_> = self
            .searched
            .iter()
            .map(|path| (path.clone(), path.display().to_string(), true))
            .collect();
        if let Some(path) = &self.file.at {
            files.push((path.clone(), "CONFIG_FILE".to_owned(), true));
        }
        for layer in &self.layers {
            // The user's own file means the same in every folder.
            let named_in = (layer.source == Source::UserFile).then_some(Path::new(&layer.name));
            let named = layer
                .keys
                .iter()
                .filter(|(name, _)| name.ends_with("_FILE"));
            for (name, path) in named.filter(|(_, path)| !path.trim().is_empty()) {
                files.push((beside(named_in, path.trim()), name.clone(), false));
            }
        }
        let says = &self.file.says;
        let of_providers = says.providers.iter();
        let of_providers = of_providers.flat_map(|named| named.keys.iter().flatten());
        let of_providers = of_providers.map(|key| &key.from);
        let of_clients = says.clients.iter().filter_map(|client| client.key.as_ref());
        for key in of_providers.chain(of_clients) {
            if let KeySource::File(path) = key {
                let at = beside(self.file.at.as_deref(), path);
                files.push((at, "CONFIG_FILE".to_owned(), false));
            }
        }
        files
    }
}

/// A relative path starts at the file that it is named in, if any.
fn beside(named_in: Option<&Path>, path: &str) -> PathBuf {
    let folder = named_in.and_then(Path::parent).unwrap_or(Path::new(""));
    folder.join(path)
}

impl Content {
    fn of(contents: Contents, is_of_folder: bool) -> Self {
        match contents {
            Contents::Nothing => Self::Nothing,
            Contents::NoFile if is_of_folder => Self::PassedOver(None),
            Contents::NoFile => Self::NoFile,
            Contents::Bytes(bytes) if bytes.trim_ascii().is_empty() => Self::Blank,
            Contents::Bytes(bytes) => {
                let hash = HASH.hash_one(&bytes);
                if is_of_folder && !env_file::is_ours(&String::from_utf8_lossy(&bytes)) {
                    Self::PassedOver(Some(hash))
                } else {
                    Self::Text(hash)
                }
            }
        }
    }

    /// Why a file that is there holds no settings.
    fn holds_none(self) -> Option<&'static str> {
        match self {
            Self::Blank => Some("is empty now"),
            Self::PassedOver(None) => Some("cannot be read now"),
            Self::PassedOver(Some(_)) => Some("has no settings of free-llm-proxy now"),
            Self::Nothing | Self::NoFile | Self::Text(_) => None,
        }
    }
}

impl Seen {
    /// One file of settings with this text.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self::with(Content::of(Contents::Bytes(text.into()), false))
    }

    #[cfg(test)]
    fn with(contains: Content) -> Self {
        let file = File {
            called: ".env".to_owned(),
            has_settings: true,
            contains,
        };
        Self([(PathBuf::from(".env"), file)].into())
    }

    /// What is wrong with files of settings that held some before, are still there and hold none now: an editor that
    /// empties a file before it writes it has not asked for every default, nor has a `chmod`.
    #[must_use]
    pub fn emptied(&self, before: &Self) -> Vec<String> {
        let had_text = |path: &PathBuf| {
            let before = before.0.get(path);
            before.is_some_and(|file| matches!(file.contains, Content::Text(_)))
        };
        let settings = self.0.iter().filter(|(_, file)| file.has_settings);
        let told = settings.filter_map(|(path, file)| {
            let why = file.contains.holds_none().filter(|_| had_text(path))?;
            Some(format!("{} {why}", path.display()))
        });
        told.collect()
    }

    /// What names the other files, of a key each, that contain something else than before.
    pub(super) fn other_keys(&self, before: &Self) -> impl Iterator<Item = &str> {
        let differs = |path: &PathBuf, file: &File| {
            let before = before.0.get(path);
            before.is_some_and(|before| before.contains != file.contains)
        };
        let files = self.0.iter().filter(|(_, file)| !file.has_settings);
        let other = files.filter(move |(path, file)| differs(path, file));
        other.map(|(_, file)| file.called.as_str())
    }

    /// Whether CONFIG_FILE contains something else than before.
    pub(super) fn has_other_config_file(&self, before: &Self) -> bool {
        let content = |seen: &Self| {
            let mut files = seen.0.iter();
            let file = files.find(|(_, file)| file.has_settings && file.called == "CONFIG_FILE");
            file.map(|(path, file)| (path.clone(), file.contains))
        };
        content(self) != content(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_2_a_file_that_held_settings_and_holds_none_is_emptied() {
        let (file, no_file) = (
            |text: &str| Contents::Bytes(text.into()),
            || Contents::NoFile,
        );
        const OURS: &str = "PROXY_API_KEY=x";
        let empty = ".env is empty now";
        let foreign = ".env has no settings of free-llm-proxy now";
        #[rustfmt::skip]
        let rows = [
            // before        now                   of the user's choice   of a folder
            (file(OURS),     file(""),             empty,                 empty),
            (file(OURS),     file(" \n"),          empty,                 empty),
            (file(OURS),     file("PROXY_API_KEY=y"), "",                 ""),
            (file(OURS),     file("A=1"),          "",                    foreign),
            // Of one that the user chose, reading it says so.
            (file(OURS),     no_file(),            "",                    ".env cannot be read now"),
            (file(OURS),     Contents::Nothing,    "",                    ""),
            (file(""),       file(""),             "",                    ""),
            (file(""),       file(OURS),           "",                    ""),
            (file(""),       no_file(),            "",                    ""),
            (file("A=1"),    file("A=2"),          "",                    ""),
            (file("A=1"),    no_file(),            "",                    ""),
            (no_file(),      file("A=2"),          "",                    ""),
        ];
        for (before, now, chosen, of_folder) in rows {
            for (is_of_folder, expected) in [(false, chosen), (true, of_folder)] {
                let seen =
                    |contents: &Contents| Seen::with(Content::of(contents.clone(), is_of_folder));
                let emptied = seen(&now).emptied(&seen(&before));
                assert_eq!(emptied.join(", "), expected, "{before:?} {now:?}");
            }
        }
    }
}
