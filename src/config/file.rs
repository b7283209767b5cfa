//! `CONFIG_FILE`: which file that is, and whether it may be read (spec §10.1). `provider` reads its
//! contents.

use std::path::{Path, PathBuf};

use super::accounts::Variable;
use super::env_file;
use super::trust::Source;
use crate::provider::built_in;
use crate::provider::file::{ConfigFile, read};

/// The file, if there is one.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Its contents.
    pub says: ConfigFile,
    /// Where it is, and how far it is trusted.
    pub is: Variable,
    /// The path at which it is looked for.
    pub at: Option<PathBuf>,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            says: ConfigFile::default(),
            is: Variable {
                name: "CONFIG_FILE".to_owned(),
                source: Source::UserFile,
                place: "CONFIG_FILE".to_owned(),
            },
            at: None,
            problems: Vec::new(),
        }
    }
}

/// Finds and reads it: where a setting names it (its text, who set that, and what that is called),
/// or beside the user's own file of settings.
pub(super) fn gather(named: Option<(String, Source, String)>, user_file: Option<&Path>) -> File {
    match named {
        // Not even to say that there is none: that would switch the user's own off.
        Some((path, Source::WorkingDir, place)) => File {
            problems: vec![folders(&path, &place)],
            ..File::default()
        },
        Some((path, _, _)) if path.trim().is_empty() => File::default(),
        Some((path, source, _)) => {
            let path = PathBuf::from(path.trim());
            // The working directory must not decide which file the user's own settings mean.
            let path = match (source, user_file.and_then(Path::parent)) {
                (Source::UserFile, Some(folder)) => folder.join(path),
                _ => path,
            };
            at(&path, source, true)
        }
        None => match user_file {
            Some(path) => at(&path.with_file_name("config.toml"), Source::UserFile, false),
            None => File::default(),
        },
    }
}

/// A file with this text, trusted like the user's own.
pub(super) fn of(text: &str) -> File {
    let mut file = File::default();
    file.take(text, "CONFIG_FILE");
    file
}

impl File {
    fn take(&mut self, text: &str, name: &str) {
        match read(text.as_bytes(), built_in()) {
            Ok(says) => self.says = says,
            Err(mistakes) => {
                let told = mistakes.iter().map(|mistake| format!("{name} {mistake}"));
                self.problems = told.collect();
            }
        }
    }
}

fn at(path: &Path, source: Source, is_named: bool) -> File {
    let name = path.display().to_string();
    let mut file = File {
        at: Some(path.to_owned()),
        ..File::default()
    };
    match env_file::of_a_key(path) {
        Ok(text) => file.take(&text, &name),
        Err(_) if !is_named && !path.exists() => {}
        Err(why) if is_named => file.problems.push(format!("CONFIG_FILE={name:?} {why}")),
        Err(why) => file.problems.push(format!("{name} {why}")),
    }
    file.is = Variable {
        place: name.clone(),
        name,
        source,
    };
    file
}

/// A cloned repository must not configure us.
fn folders(path: &str, place: &str) -> String {
    format!(
        "CONFIG_FILE={} is set by {place} in this folder, which may be anyone's: it counts from a flag, \
         the environment or ~/.config/free-llm-proxy/env or, if you trust this one, with --env-file {place}",
        super::error::shown(path)
    )
}
