//! Colours, and drawing in place.

use rustix::termios::tcgetwinsize;

use crate::cli::say;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Waiting,
    Bad,
    Faint,
}

/// A line, in pieces. Their texts are clean.
pub(super) type Line = Vec<(Tone, String)>;

/// A line that means nothing special.
pub(super) fn line(text: impl Into<String>) -> Line {
    vec![(Tone::Plain, text.into())]
}

/// What is wrong, over lines that were true before it.
pub(super) fn outdated(trouble: &str, lines: &[Line]) -> Vec<Line> {
    let faint = |(_, text): &(Tone, String)| (Tone::Faint, text.clone());
    let lines = lines.iter().map(|line| line.iter().map(faint).collect());
    let trouble = [vec![(Tone::Bad, trouble.to_owned())], Line::new()];
    trouble.into_iter().chain(lines).collect()
}

/// How lines come to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    colors: bool,
}

impl Look {
    pub(super) fn new(colors: bool) -> Self {
        Self { colors }
    }

    /// The text of these lines.
    pub(super) fn paint(self, lines: &[Line]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| self.line(line)).collect();
        lines.join("\n")
    }

    /// Draws over what was drawn before, cut to the terminal's size.
    pub(super) fn redraw(self, lines: &[Line]) {
        let (columns, rows) = size();
        let kept = lines.get(..rows.min(lines.len())).unwrap_or(lines);
        let lines = kept.iter().map(|line| {
            // From here to the end of the line nothing of the old stays.
            format!("{}\x1b[K", self.line(&cut(line, columns)))
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        say::raw(format!("\x1b[H{text}\x1b[J").as_bytes());
    }

    fn line(self, line: &Line) -> String {
        line.iter()
            .map(|(tone, text)| self.piece(*tone, text))
            .collect()
    }

    fn piece(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => 32,
            Tone::Waiting => 33,
            Tone::Bad => 31,
            Tone::Faint => 2,
        };
        if self.colors {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(std::io::stdout()).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

fn cut(line: &Line, columns: usize) -> Line {
    let mut left = columns;
    let mut kept = Line::new();
    for (tone, text) in line {
        let piece: String = text.chars().take(left).collect();
        left -= piece.chars().count();
        kept.push((*tone, piece));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i6_6_without_colours_there_is_not_one_escape() {
        let lines = [vec![
            (Tone::Good, "a".to_owned()),
            (Tone::Faint, "b".to_owned()),
        ]];
        assert_eq!(Look::new(false).paint(&lines), "ab");
        assert_eq!(
            Look::new(true).paint(&lines),
            "\x1b[32ma\x1b[0m\x1b[2mb\x1b[0m"
        );
    }

    #[test]
    fn i11_what_was_true_before_a_trouble_is_greyed() {
        let lines = [vec![(Tone::Good, "well".to_owned())]];
        let shown = outdated("gone", &lines);
        assert_eq!(
            Look::new(true).paint(&shown),
            "\x1b[31mgone\x1b[0m\n\n\x1b[2mwell\x1b[0m"
        );
    }

    #[test]
    fn i6_6_a_line_is_cut_to_the_terminal_by_characters() {
        let line = vec![(Tone::Good, "аб".to_owned()), (Tone::Bad, "вг".to_owned())];
        let text: String = cut(&line, 3).into_iter().map(|(_, text)| text).collect();
        assert_eq!(text, "абв");
    }
}
