//! The only place that prints. A reader that has gone away is not an error.

use std::fmt::Display;
use std::io::Write as _;

/// Results, on stdout.
pub(crate) fn line(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// Progress, on stderr, so that stdout has nothing but the table.
pub(crate) fn progress(text: impl Display) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
