//! The files of a trace: at most four of 64 MiB each; the oldest makes way for a new one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::trace::{BEGINS, older};

/// The longest a file becomes.
const MOST_BYTES: u64 = 64 << 20;

/// Why a trace cannot be written to a file. Displays as a phrase that follows the file's name.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// It is a directory, a device or a pipe.
    #[error("must be a file, not a directory, a device or a pipe")]
    NotAFile,
    /// It is a link, and a trace that followed it could end up anywhere.
    #[error("is a symbolic link: name the file itself")]
    Link,
    /// It is some other file: a log, a `.env`.
    #[error("holds something other than a trace, which is left as it is")]
    NotATrace,
    /// Another process is writing it, and lines would mix.
    #[error("is being written by another free-llm-proxy")]
    Taken,
    /// The folder does not exist, or is not writable.
    #[error("cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The system has no random numbers.
    #[error("cannot be written: the system has no random numbers for its sessions")]
    NoRandomness,
}

/// The file being written, and how much is in it.
#[derive(Debug)]
pub(super) struct TraceFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// It ends with half a line.
    is_torn: bool,
    most_bytes: u64,
}

/// Lines that could not be written, and why.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: io::Error,
    pub(super) lost: u64,
}

impl TraceFile {
    /// Opens a file to append to, or creates it. It and the older files must be traces, or empty.
    pub(super) fn open(path: &Path) -> Result<Self, Unwritable> {
        for older in older(path) {
            match look(&older) {
                Ok(_) => {}
                Err(Unwritable::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(why) => return Err(why),
            }
        }
        let file = match OpenOptions::new()
            .append(true)
            .create_new(true)
            .open_ours(path)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => look(path)?,
            made => made?,
        };
        lock(&file)?;
        file.set_permissions(fs::Permissions::from_mode(MODE))?;
        let bytes = file.metadata()?.len();
        let mut last = [b'\n'];
        if bytes > 0 {
            file.read_exact_at(&mut last, bytes - 1)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            // The last write may have been cut off.
            is_torn: last != [b'\n'],
            most_bytes: MOST_BYTES,
        })
    }

    /// Writes whole lines.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Failed> {
        let mut rest = lines;
        while !rest.is_empty() {
            let room = self.most_bytes.saturating_sub(self.bytes);
            let fits = match whole_lines(rest, usize::try_from(room).unwrap_or(usize::MAX)) {
                // A new file would not have more room.
                0 if self.bytes == 0 => rest.len(),
                fits => fits,
            };
            let (now, later) = rest.split_at(fits);
            let failed = |lines: &[u8], error| Failed {
                error,
                lost: memchr::memchr_iter(b'\n', lines).count() as u64,
            };
            self.write_here(now).map_err(|error| failed(rest, error))?;
            rest = later;
            if !rest.is_empty() {
                self.rotate().map_err(|error| failed(rest, error))?;
            }
        }
        Ok(())
    }

    fn write_here(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.bytes += 1;
        }
        self.is_torn = true;
        let written = self.file.write_all(lines);
        // How much was written is unknown.
        self.bytes = self.file.metadata().map_or(self.bytes, |file| file.len());
        written?;
        self.is_torn = false;
        Ok(())
    }

    /// Starts a new file; each of the others moves up one number.
    fn rotate(&mut self) -> io::Result<()> {
        let mut names: Vec<_> = std::iter::once(self.path.clone())
            .chain(older(&self.path))
            .collect();
        names.reverse();
        for pair in names.windows(2) {
            if let [to, from] = pair {
                let renamed = fs::rename(from, to);
                if let Err(error) = renamed
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(error);
                }
            }
        }
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open_ours(&self.path)?;
        lock(&file).map_err(io::Error::other)?;
        (self.file, self.bytes, self.is_torn) = (file, 0, false);
        Ok(())
    }
}

/// Readable and writable by its owner only.
const MODE: u32 = 0o600;

trait OpenOurs {
    /// Opens it without following a link or waiting for the other end of a pipe; a new file is accessible to
    /// its owner only.
    fn open_ours(&mut self, path: &Path) -> io::Result<File>;
}

impl OpenOurs for OpenOptions {
    fn open_ours(&mut self, path: &Path) -> io::Result<File> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        self.mode(MODE).custom_flags(flags).open(path)
    }
}

/// Opens an existing file to append to, if it is a trace or empty.
fn look(path: &Path) -> Result<File, Unwritable> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() {
        return Err(Unwritable::Link);
    }
    if !found.is_file() {
        return Err(Unwritable::NotAFile);
    }
    let file = OpenOptions::new().read(true).append(true).open_ours(path)?;
    if !file.metadata()?.is_file() {
        return Err(Unwritable::NotAFile);
    }
    let mut begins = Vec::new();
    (&file).take(BEGINS.len() as u64).read_to_end(&mut begins)?;
    if begins.is_empty() || begins == BEGINS {
        Ok(file)
    } else {
        Err(Unwritable::NotATrace)
    }
}

fn lock(file: &File) -> Result<(), Unwritable> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Unwritable::Taken),
        // Some file systems have no locks; there, the operator must avoid having two writers.
        Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// How many bytes the whole lines that fit into `room` bytes take.
fn whole_lines(lines: &[u8], room: usize) -> usize {
    if lines.len() <= room {
        return lines.len();
    }
    let within = lines.get(..room).unwrap_or(lines);
    memchr::memrchr(b'\n', within).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LINE: &[u8] = b"{\"trace\":1}\n";

    #[test]
    fn s11_8_a_file_is_appended_to_and_is_private_to_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let lines = [LINE, b"{\"trace\":1,\"ru"].concat();
        TraceFile::open(&path).unwrap().write(&lines).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        TraceFile::open(&path).unwrap().write(LINE).unwrap();
        let text = fs::read(&path).unwrap();
        assert_eq!(
            text,
            [&lines, &b"\n"[..], LINE].concat(),
            "half a line spoils no other"
        );
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn s11_8_the_oldest_file_makes_way_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let mut file = TraceFile::open(&path).unwrap();
        file.most_bytes = 3 * LINE.len() as u64;
        for _ in 0..5 {
            // Two lines that arrive together stay whole, wherever the end of the file falls.
            file.write(&LINE.repeat(2)).unwrap();
            file.write(LINE).unwrap();
            file.write(LINE).unwrap();
        }
        let lines = |path: &Path| fs::read(path).map_or(0, |text| text.len() / LINE.len());
        let all: Vec<_> = std::iter::once(path.clone()).chain(older(&path)).collect();
        let of_each: Vec<_> = all.iter().map(|path| lines(path)).collect();
        assert_eq!(of_each, [2, 3, 3, 3], "of 20 lines");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
        for path in all {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn s11_8_lines_that_cannot_be_written_are_counted() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("of-traces");
        fs::create_dir(&folder).unwrap();
        let mut file = TraceFile::open(&folder.join("trace")).unwrap();
        file.most_bytes = LINE.len() as u64;
        file.write(LINE).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        for _ in 0..2 {
            assert_eq!(file.write(&LINE.repeat(3)).unwrap_err().lost, 3);
        }
        fs::create_dir(&folder).unwrap();
        file.write(LINE).unwrap();
        assert_eq!(fs::read(folder.join("trace")).unwrap(), LINE);
    }

    #[test]
    fn s11_8_a_file_that_is_not_a_trace_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("env"), "PROXY_API_KEY=x\n").unwrap();
        fs::write(at("log"), "{\"ts\":\"2026-11-30T00:00:00.000Z\"}\n").unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("mine"), LINE).unwrap();
        fs::write(at("other.2"), "a letter").unwrap();
        symlink(at("mine"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        let _taken = TraceFile::open(&at("taken")).unwrap();
        #[rustfmt::skip]
        let rows = [
            ("new",        ""),
            ("empty",      ""),
            ("mine",       ""),
            ("env",        "holds something other than a trace"),
            ("log",        "holds something other than a trace"),
            ("other",      "holds something other than a trace"),
            (".",          "must be a file, not a directory, a device or a pipe"),
            ("link",       "is a symbolic link"),
            ("dangling",   "is a symbolic link"),
            ("no/trace",   "cannot be written: No such file or directory"),
            ("mine/trace", "cannot be written: Not a directory"),
            ("taken",      "is being written by another"),
        ];
        for (name, expected) in rows {
            let opened = TraceFile::open(&at(name));
            let told = opened.map_or_else(|why| why.to_string(), |_| String::new());
            assert!(told.starts_with(expected), "{name}: {told}");
            assert_eq!(told.is_empty(), expected.is_empty(), "{name}: {told}");
        }
        assert_eq!(fs::read(at("env")).unwrap(), b"PROXY_API_KEY=x\n");
        assert_eq!(fs::read(at("other.2")).unwrap(), b"a letter");
    }
}
