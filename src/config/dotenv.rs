//! `NAME=value` lines, as people write them in a `.env`. Pure.
//!
//! `$NAME` is never substituted: a file that someone else wrote must not be able to get a variable
//! of this machine into a value that is sent somewhere.

/// Why a line is not an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    /// It is not `NAME=value`.
    Line,
    /// Its value has `$NAME` in it, outside single quotes.
    Variable,
}

/// A line, counted from 1, and what it assigns.
pub(crate) type Entry<'t> = (usize, Result<(&'t str, String), Odd>);

/// All assignments and all invalid lines, in order.
pub(crate) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut rest = unmarked(text);
    let mut line = 1;
    // A quote may be closed on a later line. Once one was never closed, the lines after it are read
    // one by one.
    let mut across = true;
    while !rest.is_empty() {
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let start = line;
        line += 1;
        let assigned = match assignment(first) {
            None => {
                rest = after;
                continue;
            }
            Some(assigned) => assigned,
        };
        let mut next = after;
        let read = assigned.and_then(|(name, value)| {
            let begin = first.len() - value.len();
            let text = if across {
                rest.get(begin..)
            } else {
                Some(value)
            };
            let text = text.unwrap_or_default();
            match read_value(text) {
                Ok((value, length)) => {
                    let (taken, behind) = text.split_at_checked(length).unwrap_or((text, ""));
                    if across {
                        line += taken.matches('\n').count();
                        next = behind.strip_prefix('\n').unwrap_or(behind);
                    }
                    Ok((name, value))
                }
                Err(Broken::Open) => {
                    across = false;
                    Err(Odd::Line)
                }
                Err(Broken::Odd(odd)) => Err(odd),
            }
        });
        entries.push((start, read));
        rest = next;
    }
    entries
}

/// The names that the lines seem to assign, with line numbers, whatever else is wrong with the
/// lines.
pub(crate) fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(unmarked(text).lines());
    lines.filter_map(|(number, line)| Some((number, assignment(line)?.ok()?.0)))
}

/// The text without the byte order mark that some editors put first.
fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The name, and the text from the value on; none in a blank line or a comment.
fn assignment(line: &str) -> Option<Result<(&str, &str), Odd>> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let exported = line.strip_prefix("export");
    let line = exported
        .filter(|rest| rest.starts_with([' ', '\t']) && !rest.trim_start().starts_with('='))
        .unwrap_or(line);
    let read = line
        .split_once('=')
        .map(|(name, value)| (name.trim(), value));
    let read = read.filter(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
    });
    Some(read.ok_or(Odd::Line))
}

enum Broken {
    Odd(Odd),
    /// A quote is never closed.
    Open,
}

/// The value, and how many bytes it takes, without the line end.
fn read_value(text: &str) -> Result<(String, usize), Broken> {
    let mut value = String::new();
    let mut quote = None;
    let mut begun = false;
    let mut ended = false;
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        match (quote, c) {
            (None, '\n') => return Ok((value, at)),
            (None, '#') if ended || !begun => {
                let rest = text.get(at..).unwrap_or_default();
                let length = rest.find('\n').unwrap_or(rest.len());
                return Ok((value, at + length));
            }
            (None, ' ' | '\t' | '\r') => ended = begun,
            (None, _) if ended => return Err(Broken::Odd(Odd::Line)),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => match letters.next() {
                Some((_, c @ ('\\' | '\'' | '"' | '$' | ' '))) => value.push(c),
                Some((_, 'n')) => value.push('\n'),
                Some(_) | None => return Err(Broken::Odd(Odd::Line)),
            },
            (Some('"') | None, '$')
                if letters
                    .peek()
                    .is_some_and(|(_, c)| c.is_ascii_alphabetic() || "_{(".contains(*c)) =>
            {
                return Err(Broken::Odd(Odd::Variable));
            }
            (_, c) => value.push(c),
        }
        begun |= !matches!(c, ' ' | '\t' | '\r') || quote.is_some();
    }
    if quote.is_some() {
        return Err(Broken::Open);
    }
    Ok((value, text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_values_as_people_write_them() {
        #[rustfmt::skip]
        let rows: &[(&str, Result<&str, Odd>)] = &[
            ("A=1",                       Ok("1")),
            ("A=1 ",                      Ok("1")),
            ("A=1\r",                     Ok("1")),
            ("  A\t= 1\t# why not",       Ok("1")),
            ("export A=1",                Ok("1")),
            ("export\tA = 1",             Ok("1")),
            ("\u{feff}A=1",               Ok("1")),
            ("A=",                        Ok("")),
            ("A=''",                      Ok("")),
            ("A= # none",                 Ok("")),
            ("A=#none",                   Ok("")),
            ("A=a#b",                     Ok("a#b")),
            ("A=a=b",                     Ok("a=b")),
            ("A='a b # $c \\n'",          Ok("a b # $c \\n")),
            ("A=\"a b # \\$c\\n\"",       Ok("a b # $c\n")),
            ("A=\"a\"'b'c",               Ok("abc")),
            ("A='a\nb'",                  Ok("a\nb")),
            ("A=a\\ b",                   Ok("a b")),
            ("A=5$",                      Ok("5$")),
            ("A=$5",                      Ok("$5")),
            ("A=$HOME",                   Err(Odd::Variable)),
            ("A=x${HOME}",                Err(Odd::Variable)),
            ("A=\"$(id)\"",               Err(Odd::Variable)),
            ("A=a b",                     Err(Odd::Line)),
            ("A='a' b",                   Err(Odd::Line)),
            ("A='a",                      Err(Odd::Line)),
            ("A=\\d",                     Err(Odd::Line)),
            ("A",                         Err(Odd::Line)),
            ("=1",                        Err(Odd::Line)),
            ("1A=1",                      Err(Odd::Line)),
            ("A B=1",                     Err(Odd::Line)),
            ("{\"A\": 1}",                Err(Odd::Line)),
        ];
        for (text, expected) in rows {
            let expected = expected.map(|value| ("A", value.to_owned()));
            for ending in ["", "\n", "\r\n", " \r\n\n"] {
                let text = format!("{text}{ending}");
                let entries = entries(&text).into_iter().map(owned);
                let expected = (
                    1,
                    expected
                        .clone()
                        .map(|(name, value)| (name.to_owned(), value)),
                );
                assert_eq!(entries.collect::<Vec<_>>(), [expected], "{text:?}");
            }
        }
    }

    #[test]
    fn s6_lines_are_counted_across_quotes_and_odd_ones_hide_no_other() {
        #[rustfmt::skip]
        let rows: &[(&str, &[(usize, &str)])] = &[
            ("",                                 &[]),
            ("# A=1\n\n  \nB=2",                 &[(4, "B=2")]),
            ("A='1\n2\n3'\nB=4\n",               &[(1, "A=1\n2\n3"), (4, "B=4")]),
            ("A='1\nB=2\nC=3",                   &[(1, "odd"), (2, "B=2"), (3, "C=3")]),
            ("A='1\nB='2'\nC=3",                 &[(1, "odd"), (2, "B=2"), (3, "C=3")]),
            ("A=\"\n' \"\nB=2",                  &[(1, "A=\n' "), (3, "B=2")]),
            ("x\nA=1 2\nB=2\nB=3",               &[(1, "odd"), (2, "odd"), (3, "B=2"), (4, "B=3")]),
        ];
        for (text, expected) in rows {
            let entries = entries(text);
            let told: Vec<_> = entries
                .iter()
                .map(|(line, read)| match read {
                    Ok((name, value)) => (*line, format!("{name}={value}")),
                    Err(_) => (*line, "odd".to_owned()),
                })
                .collect();
            let told: Vec<_> = told.iter().map(|(n, text)| (*n, text.as_str())).collect();
            assert_eq!(told, *expected, "{text:?}");
        }
    }

    #[test]
    fn s12_1_a_file_full_of_open_quotes_is_read_once() {
        let text = format!("A='\n{}", "B=\"\n".repeat(50_000));
        assert_eq!(entries(&text).len(), 50_001);
    }

    #[test]
    fn s12_1_a_name_is_seen_whatever_is_wrong_with_its_value() {
        let text = "A=two words\nexport B='open\n#C=1\nnothing\nD =";
        let found: Vec<_> = names(text).collect();
        assert_eq!(found, [(1, "A"), (2, "B"), (5, "D")]);
    }

    fn owned((line, read): Entry<'_>) -> (usize, Result<(String, String), Odd>) {
        (line, read.map(|(name, value)| (name.to_owned(), value)))
    }
}
