//! A file that belongs to someone else: read whole, and replaced whole or not at all.

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::NamedTempFile;
use time::OffsetDateTime;
use time::macros::format_description;

/// More than any settings file holds.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A file as it was found.
pub(super) struct File {
    path: PathBuf,
    /// Its path with all links resolved.
    real: PathBuf,
    found: Option<(String, Metadata)>,
}

impl File {
    /// The first of these places that exists, or else the last.
    pub(super) fn find(places: Vec<PathBuf>) -> Result<Self, String> {
        let mut last = PathBuf::new();
        for path in places {
            last = path;
            if fs::symlink_metadata(&last).is_ok() {
                break;
            }
        }
        Self::read(last)
    }

    fn read(path: PathBuf) -> Result<Self, String> {
        let told = |why: &dyn std::fmt::Display| format!("{} {why}", path.display());
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self {
                    real: path.clone(),
                    path,
                    found: None,
                });
            }
            Err(error) => return Err(told(&format_args!("cannot be read: {error}"))),
            Ok(_) => {}
        }
        let real = fs::canonicalize(&path)
            .map_err(|error| told(&format_args!("leads nowhere: {error}")))?;
        let metadata =
            fs::metadata(&real).map_err(|error| told(&format_args!("cannot be read: {error}")))?;
        if !metadata.is_file() {
            return Err(told(&"is no file"));
        }
        if metadata.permissions().readonly() {
            return Err(told(&"is read-only, perhaps on purpose"));
        }
        if metadata.len() > MAX_BYTES {
            return Err(told(&"is larger than any settings file"));
        }
        let bytes =
            fs::read(&real).map_err(|error| told(&format_args!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| told(&"is not UTF-8 text"))?;
        Ok(Self {
            path,
            real,
            found: Some((text, metadata)),
        })
    }

    /// Where it is, as people know it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its text; `None` if there is no file yet.
    pub(super) fn text(&self) -> Option<&str> {
        self.found.as_ref().map(|(text, _)| text.as_str())
    }

    /// Its mode, if others than its owner may read it.
    pub(super) fn open_to_others(&self) -> Option<u32> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let (_, metadata) = self.found.as_ref()?;
            let mode = metadata.permissions().mode() & 0o777;
            (mode & 0o044 != 0).then_some(mode)
        }
        #[cfg(not(unix))]
        None
    }

    /// Replaces its text, at once and as a whole; the old text is kept beside it in a file whose
    /// path is returned.
    pub(super) fn replace(&self, text: &str, now: SystemTime) -> Result<Option<PathBuf>, String> {
        if Self::read(self.path.clone())?.text() != self.text() {
            let path = self.path.display();
            return Err(format!("{path} was changed meanwhile: run this again"));
        }
        self.try_replace(text, now)
            .map_err(|error| format!("{} cannot be written: {error}", self.path.display()))
    }

    fn try_replace(&self, text: &str, now: SystemTime) -> io::Result<Option<PathBuf>> {
        let folder = match self.real.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        make(folder)?;
        // Created readable only by the owner.
        let mut fresh = NamedTempFile::new_in(folder)?;
        fresh.write_all(text.as_bytes())?;
        let mut backup = None;
        if let Some((old, metadata)) = &self.found {
            backup = Some(self.keep(old, metadata, now)?);
            keep_owner(fresh.as_file(), metadata)?;
            fresh.as_file().set_permissions(metadata.permissions())?;
        }
        fresh.as_file().sync_all()?;
        fresh.persist(&self.real).map_err(|error| error.error)?;
        Ok(backup)
    }

    /// Two in the same second get a number each.
    fn keep(&self, old: &str, metadata: &Metadata, now: SystemTime) -> io::Result<PathBuf> {
        let date = OffsetDateTime::from(now)
            .format(format_description!(
                "[year]-[month]-[day]T[hour][minute][second]Z"
            ))
            .map_err(io::Error::other)?;
        for number in 1_u32.. {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".{date}"));
            if number > 1 {
                name.push(format!("-{number}"));
            }
            name.push(".bak");
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(&name) {
                Ok(mut file) => {
                    file.write_all(old.as_bytes())?;
                    keep_owner(&file, metadata)?;
                    file.set_permissions(metadata.permissions())?;
                    file.sync_all()?;
                    return Ok(PathBuf::from(name));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// When run by root, it must not take a user's file away from them.
#[cfg(unix)]
fn keep_owner(file: &fs::File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let new = file.metadata()?;
    let same = (new.uid(), new.gid()) == (old.uid(), old.gid());
    if same {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &fs::File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
