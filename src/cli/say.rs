//! The one place that prints for people. A reader that has gone away is no error.

use std::fmt::Display;
use std::io::Write as _;

/// One line, or several, on stdout.
pub fn line(text: impl Display) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// These very bytes on stdout.
pub fn raw(bytes: &[u8]) {
    std::io::stdout().lock().write_all(bytes).ok();
}

/// A question, on stdout, to be answered behind it in the same line.
pub fn question(text: impl Display) {
    let mut stdout = std::io::stdout().lock();
    // A terminal shows nothing of a line that has no end before it is flushed.
    write!(stdout, "{text} ").and_then(|()| stdout.flush()).ok();
}

/// What is wrong, on stderr.
pub fn problem(text: impl Display) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// Text from outside without what a terminal might obey: control characters, and those that
/// turn the direction of writing.
#[must_use]
pub fn clean(text: &str) -> String {
    let obeyed = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(|c| !obeyed(c)).collect()
}
