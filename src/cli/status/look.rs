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

/// A line without special meaning.
pub(super) fn line(text: impl Into<String>) -> Line {
    vec![(Tone::Plain, text.into())]
}

/// An error, above lines that were true before it.
pub(super) fn outdated(trouble: &str, lines: &[Line]) -> Vec<Line> {
    let faint = |(_, text): &(Tone, String)| (Tone::Faint, text.clone());
    let lines = lines.iter().map(|line| line.iter().map(faint).collect());
    let trouble = [vec![(Tone::Bad, trouble.to_owned())], Line::new()];
    trouble.into_iter().chain(lines).collect()
}

/// How lines are rendered.
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

    /// Draws over what was drawn before, in this many columns and rows; `foot` goes below it.
    pub(super) fn redraw(self, lines: &[Line], foot: &Line, (columns, rows): (usize, usize)) {
        let mut kept = fitted(lines, columns);
        kept.truncate(rows.saturating_sub(1));
        kept.push(foot.clone());
        let lines = kept.iter().map(|line| {
            // From here to the end of the line nothing old remains.
            format!("{}\x1b[K", self.line(line))
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
pub(super) fn size() -> (usize, usize) {
    let size = tcgetwinsize(std::io::stdout()).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

/// All lines, wrapped.
pub(super) fn fitted(lines: &[Line], columns: usize) -> Vec<Line> {
    lines.iter().flat_map(|line| fit(line, columns)).collect()
}

/// The indentation of the second half of a wrapped line.
const INDENT: &str = "     ";

/// Wraps the line. A piece that does not fit after the others starts a new line; one that fits on
/// no line is broken between words, and a word that fits on no line is cut.
fn fit(line: &Line, columns: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    let mut used = 0;
    let mut put = |tone: Tone, text: &str| {
        let mut text = text;
        // Trailing blanks need no room.
        if used > 0 && used + text.trim_end().chars().count() > columns {
            lines.push(vec![(Tone::Plain, INDENT.to_owned())]);
            used = INDENT.len();
            text = text.trim_start();
        }
        let kept: String = text.chars().take(columns.saturating_sub(used)).collect();
        used += text.chars().count();
        if let Some(line) = lines.last_mut() {
            match line.last_mut() {
                Some((before, said)) if *before == tone => said.push_str(&kept),
                Some(_) | None => line.push((tone, kept)),
            }
        }
    };
    for (tone, text) in line {
        if text.trim_end().chars().count() + INDENT.len() <= columns {
            put(*tone, text);
        } else {
            for word in text.split_inclusive(' ') {
                put(*tone, word);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_without_colours_there_is_not_one_escape() {
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
    fn s8_a_long_line_is_wrapped_by_pieces_words_and_letters() {
        #[rustfmt::skip]
        let rows: &[(&[&str], usize, &[&str])] = &[
            (&["аб", "вг"],                   4, &["абвг"]),
            (&["  1  x  ", "awake"],         14, &["  1  x  awake"]),
            (&["  1  x  ", "rests 3 s"],     14, &["  1  x  ", "     rests 3 s"]),
            (&["one two three"],             12, &["one two ", "     three"]),
            (&["a: ", "one two three"],      12, &["a: one two ", "     three"]),
            (&["a: ", "one. ", "two"],       10, &["a: one. ", "     two"]),
            (&["abcdefghij"],                 7, &["abcdefg"]),
            (&["ab cdefghij"],                7, &["ab ", "     cd"]),
            (&[],                             7, &[""]),
            (&["ab"],                         0, &[""]),
        ];
        for (pieces, columns, expected) in rows {
            // Of two tones, so that the pieces stay separate.
            let tones = [Tone::Plain, Tone::Good, Tone::Faint].into_iter();
            let line: Line = tones
                .zip(pieces.iter().map(|text| (*text).to_owned()))
                .collect();
            let fitted = fit(&line, *columns);
            let text = |line: &Line| {
                line.iter()
                    .map(|(_, text)| text.as_str())
                    .collect::<String>()
            };
            let told: Vec<_> = fitted.iter().map(text).collect();
            assert_eq!(told, *expected, "{pieces:?} in {columns}");
        }
    }

    #[test]
    fn s3_what_was_true_before_an_error_is_greyed() {
        let lines = [vec![(Tone::Good, "well".to_owned())]];
        let shown = outdated("gone", &lines);
        assert_eq!(
            Look::new(true).paint(&shown),
            "\x1b[31mgone\x1b[0m\n\n\x1b[2mwell\x1b[0m"
        );
    }
}
