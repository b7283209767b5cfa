//! Questions to a person at a terminal, and stdin if it is not a terminal.

use std::io::{self, BufRead as _, Read as _, stdin};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr,
};

use super::say;

/// No answer is longer, and no key.
const MAX_BYTES: u64 = 64 << 10;

/// Whether there is a person to ask.
pub(super) fn has_person() -> bool {
    isatty(stdin()) && isatty(io::stdout())
}

/// Asks for a line that may be visible; an empty one if stdin has ended.
pub(super) fn line(question: &str) -> io::Result<String> {
    say::question(question);
    let mut line = String::new();
    stdin().lock().take(MAX_BYTES).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Asks a question whose answer is no unless it is yes.
pub(super) fn agreed(question: &str) -> io::Result<bool> {
    let answer = line(&format!("{question} [y/N]"))?.to_lowercase();
    Ok(["y", "yes"].contains(&answer.as_str()))
}

/// Asks for a line that is not shown while it is typed; `None` if the person gave up (Ctrl-C, or
/// Ctrl-D at its beginning).
pub(super) fn secret(question: &str) -> io::Result<Option<String>> {
    // What is typed ahead must not be visible either.
    let hidden = Hidden::begin()?;
    say::question(question);
    let typed = hidden.line();
    drop(hidden);
    // The key that ended the line was not shown either.
    say::line("");
    typed
}

/// All of stdin, which is not a terminal.
pub(super) fn piped() -> io::Result<String> {
    let mut text = String::new();
    stdin().lock().take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// A terminal that does not show what is typed until this is dropped. Its signals are off, too: one
/// that ended the program would leave it in that state.
struct Hidden {
    found: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let hidden = Self {
            found: tcgetattr(stdin())?,
        };
        let mut wanted = hidden.found.clone();
        wanted
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        wanted.special_codes[SpecialCodeIndex::VMIN] = 1;
        wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Flush, &wanted)?;
        Ok(hidden)
    }

    fn line(&self) -> io::Result<Option<String>> {
        let mut typed = Vec::new();
        for byte in stdin().lock().bytes() {
            match byte? {
                b'\n' | b'\r' => break,
                // Ctrl-C, and Ctrl-D on an empty line.
                3 => return Ok(None),
                4 if typed.is_empty() => return Ok(None),
                4 => break,
                // Backspace, and Ctrl-U.
                8 | 127 => drop(typed.pop()),
                21 => typed.clear(),
                byte if typed.len() as u64 <= MAX_BYTES => typed.push(byte),
                _ => {}
            }
        }
        Ok(Some(String::from_utf8_lossy(&typed).trim().to_owned()))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        tcsetattr(stdin(), OptionalActions::Now, &self.found).ok();
    }
}
