//! The one place that prints. A reader that has gone away is no error.

use std::fmt::Display;
use std::io::Write as _;

/// Results, on stdout.
pub(crate) fn line(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// What goes on, on stderr, so that stdout holds the table and nothing else.
pub(crate) fn progress(text: impl Display) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
