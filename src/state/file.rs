//! The file: who may write it, and how it is replaced so that it can be read at any moment.
//!
//! The lock is on the file itself, not on one beside it: nothing is left lying about, and two containers that mount
//! the same file see each other. A new file is locked before it takes the old one's name; whoever gets a lock makes
//! sure that what it locked still has the name.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags};

use super::form::{MARK, MOST_BYTES};

/// Readable and writable by its owner only; and folders that are made for it.
const MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// As many links as the system follows.
const MOST_LINKS: usize = 40;

/// How often a file that was replaced in between is opened anew.
const TRIES: usize = 20;

/// Why a file cannot be used. Displays as a phrase that follows the file's name.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// It is a folder, a device or a pipe.
    #[error("is not a file")]
    NotAFile,
    /// It is some other file: a log, a `.env`.
    #[error("holds something other than our state, which is left as it is")]
    NotOurs,
    /// Another process keeps its state there.
    #[error("is being used by another free-llm-proxy: each needs its own")]
    Taken,
    /// There is a file of another kind where it would be put aside.
    #[error("cannot be read, nor put aside: {0} holds something other than our state")]
    NoPlaceAside(PathBuf),
    /// The folder cannot be made, or the file not written.
    #[error("cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The system has no random numbers.
    #[error("cannot be written: the system has no random numbers for its salt")]
    NoRandomness,
}

/// A file of ours, which no other process uses.
#[derive(Debug)]
pub(super) struct StateFile {
    /// No link.
    path: PathBuf,
    /// Locked.
    file: File,
    /// It cannot be replaced: it is mounted itself, or its folder takes no new files.
    in_place: bool,
}

impl StateFile {
    /// Opens it, or makes an empty one; and reads what is in it.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u8>), Unwritable> {
        let path = resolved(path)?;
        let file = locked(&path)?;
        let text = text(&file)?;
        if !is_ours(&text) {
            return Err(Unwritable::NotOurs);
        }
        sweep(&path);
        let in_place = false;
        Ok((
            Self {
                path,
                file,
                in_place,
            },
            text,
        ))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves what cannot be read out of the way, and returns where it is now. `None`: it can be put nowhere, as when
    /// only the file itself is mounted; it will be written over.
    pub(super) fn put_aside(&mut self) -> Result<Option<PathBuf>, Unwritable> {
        match self.moved_aside() {
            Err(Unwritable::Io(error)) if cannot_be_replaced(&error) => Ok(None),
            done => done.map(Some),
        }
    }

    fn moved_aside(&mut self) -> Result<PathBuf, Unwritable> {
        let mut name = self.path.clone().into_os_string();
        name.push(".bad");
        let aside = PathBuf::from(name);
        match look(&aside) {
            Ok((_, text)) if is_ours(&text) => {}
            Ok(_) => return Err(Unwritable::NoPlaceAside(aside)),
            Err(Unwritable::Io(error)) if error.kind() == ErrorKind::NotFound => {}
            Err(Unwritable::NotAFile) => return Err(Unwritable::NoPlaceAside(aside)),
            Err(why) => return Err(why),
        }
        match fs::rename(&self.path, &aside) {
            Ok(()) => self.file = locked(&self.path)?,
            Err(error) if cannot_be_replaced(&error) => {
                fs::copy(&self.path, &aside)?;
                drop(fs::set_permissions(&aside, Permissions::from_mode(MODE)));
                self.file.set_len(0)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(aside)
    }

    /// Puts this text in the place of what is there. If that fails, what was there stays.
    pub(super) fn write(&mut self, text: &[u8]) -> Result<(), Unwritable> {
        if !self.in_place {
            match self.replace(text) {
                Err(Unwritable::Io(error)) if cannot_be_replaced(&error) => self.in_place = true,
                done => return done,
            }
        }
        Ok(self.overwrite(text)?)
    }

    fn replace(&mut self, text: &[u8]) -> Result<(), Unwritable> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let mut new = tempfile::Builder::new()
            .prefix(&litter(&self.path))
            .suffix(LITTER)
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder)?;
        new.write_all(text)?;
        new.as_file().sync_all()?;
        lock(new.as_file())?;
        self.is_still_there()?;
        self.file = new.persist(&self.path).map_err(|failed| failed.error)?;
        // A folder that cannot be synced has the new file all the same, unless the power fails just now.
        drop(File::open(folder).and_then(|folder| folder.sync_all()));
        Ok(())
    }

    /// What has taken the file's name meanwhile may be somebody's.
    fn is_still_there(&self) -> Result<(), Unwritable> {
        if is_at(&self.file.metadata()?, &self.path) {
            return Ok(());
        }
        match look(&self.path) {
            Ok((file, text)) if is_ours(&text) => lock(&file),
            Ok(_) => Err(Unwritable::NotOurs),
            Err(Unwritable::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// Writes over what is there. A crash may leave it damaged, but never without its mark.
    fn overwrite(&mut self, text: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let length = text.len() as u64;
        // A disk without room is to show before anything is lost; not every file system can tell.
        let reserved =
            rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, length.max(1));
        if let Err(rustix::io::Errno::NOSPC) = reserved {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        let mut file = &self.file;
        file.rewind()?;
        let written = file.write_all(text);
        if written.is_err() && before == 0 {
            file.set_len(0)?;
        }
        written?;
        file.set_len(length)?;
        // A mounted file may be another user's, or on a file system without modes: whoever mounted it chose its own.
        drop(file.set_permissions(Permissions::from_mode(MODE)));
        file.sync_all()
    }
}

/// Its path without links; folders that are missing are made.
fn resolved(path: &Path) -> Result<PathBuf, Unwritable> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..MOST_LINKS {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Unwritable::NotAFile);
        };
        let made = DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(folder);
        if let Err(error) = made {
            let is_taken = error.kind() == ErrorKind::AlreadyExists;
            return Err(if is_taken {
                io::Error::from(rustix::io::Errno::NOTDIR).into()
            } else {
                error.into()
            });
        }
        let at = folder.canonicalize()?.join(name);
        match fs::read_link(&at) {
            Ok(target) => path = at.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return Ok(at),
        }
    }
    Err(io::Error::from(rustix::io::Errno::LOOP).into())
}

/// Opens the file at this path, or makes it, and locks it.
fn locked(path: &Path) -> Result<File, Unwritable> {
    for _ in 0..TRIES {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => return Err(Unwritable::NotAFile),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let file = options().create(true).truncate(false).open(path)?;
        lock(&file)?;
        let opened = file.metadata()?;
        if !opened.is_file() {
            return Err(Unwritable::NotAFile);
        }
        if is_at(&opened, path) {
            return Ok(file);
        }
    }
    Err(Unwritable::Taken)
}

/// Opens an existing file, and reads how it begins.
fn look(path: &Path) -> Result<(File, Vec<u8>), Unwritable> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(Unwritable::NotAFile);
    }
    let file = options().open(path)?;
    let mut begins = Vec::new();
    (&file).take(MARK.len() as u64).read_to_end(&mut begins)?;
    Ok((file, begins))
}

/// Follows no link, and does not wait for the other end of a pipe.
fn options() -> OpenOptions {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(MODE)
        .custom_flags(flags);
    options
}

/// All of it; of one that is too large, one byte more than is read.
fn text(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().min(MOST_BYTES + 1);
    let mut text = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut text, 0)?;
    Ok(text)
}

fn is_ours(text: &[u8]) -> bool {
    text.is_empty() || text.starts_with(MARK)
}

/// Whether this is what has the name now.
fn is_at(opened: &Metadata, path: &Path) -> bool {
    let named = fs::symlink_metadata(path);
    named.is_ok_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino()))
}

fn lock(file: &File) -> Result<(), Unwritable> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Unwritable::Taken),
        // Some file systems have no locks; there, the operator must avoid having two writers.
        Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// A mount point is busy for `rename`; a folder may take no new files although this one may be written; its name may
/// leave no room for that of a file beside it.
fn cannot_be_replaced(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ResourceBusy
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidFilename
    )
}

/// How names of half-written files end, and begin.
const LITTER: &str = ".tmp";

fn litter(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    format!(".{}.", name.to_string_lossy())
}

/// Removes what was half written when an earlier process was killed. Only whoever has the lock writes such files.
fn sweep(path: &Path) {
    let prefix = litter(path);
    let folder = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in folder.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let random = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(LITTER));
        let is_random = |random: &str| {
            random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if random.is_some_and(is_random) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // It is litter, not harm.
            drop(fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests;
