//! What a trace says of an attempt (`TRACE_FILE`, spec §11.8): one JSON object a line.
//!
//! Pure: the form alone, for who writes it (`telemetry`) and who reads it (`replay`). There is nowhere to
//! put a prompt, an answer or a key.

mod line;

pub use line::{Asked, Ended, Line, Rests, Whom};

/// The version of the form. A reader passes over lines of another one.
pub const VERSION: u32 = 1;

/// How a file of this form begins: by that it is told from any other file.
pub const BEGINS: &[u8] = b"{\"trace\":";

/// No line is longer, in bytes: what is longer is none.
pub const LONGEST: usize = 16 * 1024;

/// How many files a trace has at most: the one that is written, and `.1` to `.3`, of which the last is the
/// oldest.
pub const FILES: usize = 4;

/// The older files of a trace, the youngest first.
pub fn older(file: &std::path::Path) -> impl Iterator<Item = std::path::PathBuf> {
    (1..FILES).map(|number| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    })
}
