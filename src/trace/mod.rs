//! What a trace says about an attempt (`TRACE_FILE`, spec §11.8): one JSON object per line.
//!
//! Pure: only the format, shared by its writer (`telemetry`) and its reader (`replay`). It has no field for a
//! prompt, an answer or a key.

mod line;

pub use line::{Asked, Ended, Line, Rests, Whom};

/// The version of the format. A reader skips lines of other versions.
pub const VERSION: u32 = 1;

/// How a trace file begins, which tells it apart from any other file.
pub const BEGINS: &[u8] = b"{\"trace\":";

/// The longest line, in bytes; a longer one is not valid.
pub const LONGEST: usize = 16 * 1024;

/// The most files a trace has: the one being written, and `.1` to `.3`, of which the last is the oldest.
pub const FILES: usize = 4;

/// The older files of a trace, newest first.
pub fn older(file: &std::path::Path) -> impl Iterator<Item = std::path::PathBuf> {
    (1..FILES).map(|number| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    })
}
