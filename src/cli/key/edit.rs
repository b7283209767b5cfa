//! Puts a key into the text of a `.env`, leaving everything else unchanged. Pure.

use crate::config::{dotenv, next_name};

/// The result of an edit.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Edit {
    /// The new text, and the name that the key has in it.
    Put { text: String, name: String },
    /// The key is already there, under this name.
    Known(String),
    /// The key cannot be added, and why.
    Impossible(&'static str),
}

/// Adds a value under this name or, if that is taken, under the next one of its kind.
pub(super) fn put(text: &str, base: &str, value: &str) -> Edit {
    let entries = dotenv::entries(text);
    let set: Vec<_> = entries
        .iter()
        .filter_map(|(line, read)| Some((*line, read.as_ref().ok()?)))
        .collect();
    let ours = |name: &str| {
        let rest = name.strip_prefix(base);
        rest.is_some_and(|rest| rest.is_empty() || rest == "S" || rest.starts_with('_'))
    };
    let between = |c: char| c == ',' || c.is_whitespace();
    let holds = |text: &str| text.split(between).any(|word| word == value);
    let known = set
        .iter()
        .find(|(_, (name, text))| ours(name) && holds(text));
    if let Some((_, (name, _))) = known {
        return Edit::Known((*name).to_owned());
    }
    let filled = |name: &str| {
        let mut last = set.iter().rev();
        last.find(|(_, (other, _))| *other == name)
            .is_some_and(|(_, (_, text))| !text.trim().is_empty())
            || set
                .iter()
                .any(|(_, (other, _))| *other == format!("{name}_FILE"))
    };
    let Some(name) = next_name(base, filled) else {
        return Edit::Impossible("already holds 99 keys of this provider");
    };
    let Some(line) = assignment(&name, value) else {
        return Edit::Impossible("cannot hold a key with a ' in it");
    };
    let new = match blank_line(text, &name, &set) {
        Some(number) => replaced(text, number, &line),
        None => appended(text, &line),
    };
    // A quote left open somewhere would swallow it.
    let reread = dotenv::entries(&new).into_iter().rev();
    let mut values = reread.filter_map(|(_, read)| read.ok());
    match values.find(|(other, _)| *other == name) {
        Some((_, read)) if read == value => Edit::Put { text: new, name },
        Some(_) | None => {
            Edit::Impossible("is written in such a way that a line added to it would not be read")
        }
    }
}

/// `NAME=value`, quoted where the value needs it.
fn assignment(name: &str, value: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=@%~,".contains(&b);
    match value {
        value if value.bytes().all(plain) => Some(format!("{name}={value}")),
        value if value.contains(['\'', '\n', '\r']) => None,
        value => Some(format!("{name}='{value}'")),
    }
}

/// The line, counted from 1, that sets this name to nothing, or that would if it were not commented
/// out.
fn blank_line(text: &str, name: &str, set: &[(usize, &(&str, String))]) -> Option<usize> {
    let mut blank = set.iter().rev();
    let blank = blank.find(|(_, (other, value))| *other == name && value.trim().is_empty());
    if let Some((line, _)) = blank {
        return Some(*line);
    }
    let sample = format!("#{name}=");
    let mut lines = (1..).zip(text.lines());
    let (number, _) = lines.find(|(_, line)| line.trim_end() == sample)?;
    Some(number)
}

fn replaced(text: &str, number: usize, line: &str) -> String {
    let lines = (1..).zip(text.split_inclusive('\n'));
    let lines = lines.map(|(at, old)| match old {
        old if at != number => old.to_owned(),
        old => {
            let end = old.trim_end_matches(['\r', '\n']).len();
            let mark = if at == 1 && old.starts_with('\u{feff}') {
                "\u{feff}"
            } else {
                ""
            };
            format!("{mark}{line}{}", old.get(end..).unwrap_or("\n"))
        }
    });
    lines.collect()
}

fn appended(text: &str, line: &str) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        end
    };
    format!("{text}{gap}{line}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_1_a_key_is_put_into_a_file_that_keeps_all_else() {
        #[rustfmt::skip]
        let rows = [
            // before                                         after                                                    under the name
            ("",                                              "G_KEY=k1\n",                                            "G_KEY"),
            ("A=1\n",                                         "A=1\nG_KEY=k1\n",                                       "G_KEY"),
            ("A=1",                                           "A=1\nG_KEY=k1\n",                                       "G_KEY"),
            ("A=1\r\nB=2\r\n",                                "A=1\r\nB=2\r\nG_KEY=k1\r\n",                            "G_KEY"),
            ("# mine\nG_KEY=\nB=2\n",                         "# mine\nG_KEY=k1\nB=2\n",                               "G_KEY"),
            ("export G_KEY=''\r\nB=2\n",                      "G_KEY=k1\r\nB=2\n",                                     "G_KEY"),
            ("\u{feff}G_KEY=\nB=2\n",                         "\u{feff}G_KEY=k1\nB=2\n",                               "G_KEY"),
            ("A=1\n#G_KEY=\nB=2\n",                           "A=1\nG_KEY=k1\nB=2\n",                                  "G_KEY"),
            ("#G_KEY=old\n",                                  "#G_KEY=old\nG_KEY=k1\n",                                "G_KEY"),
            ("G_KEY=k0\nB=2\n",                               "G_KEY=k0\nB=2\nG_KEY_2=k1\n",                           "G_KEY_2"),
            ("G_KEY=k0\nG_KEY_2=k2\n",                        "G_KEY=k0\nG_KEY_2=k2\nG_KEY_3=k1\n",                    "G_KEY_3"),
            ("G_KEY=k0\n#G_KEY_2=\n",                         "G_KEY=k0\nG_KEY_2=k1\n",                                "G_KEY_2"),
            ("G_KEY_FILE=/run/x\n",                           "G_KEY_FILE=/run/x\nG_KEY_2=k1\n",                       "G_KEY_2"),
            ("G_KEY_OTHER=x\n",                               "G_KEY_OTHER=x\nG_KEY=k1\n",                             "G_KEY"),
            ("what is this\nA='two\nlines'\n",                "what is this\nA='two\nlines'\nG_KEY=k1\n",              "G_KEY"),
        ];
        for (before, after, expected) in rows {
            let Edit::Put { text, name } = put(before, "G_KEY", "k1") else {
                panic!("{before:?}");
            };
            assert_eq!(
                (text.as_str(), name.as_str()),
                (after, expected),
                "{before:?}"
            );
        }
    }

    #[test]
    fn s10_1_a_key_that_is_there_is_not_put_again() {
        #[rustfmt::skip]
        let rows = [
            ("G_KEY=k1\n",           "G_KEY"),
            ("G_KEY='k0, k1'\n",     "G_KEY"),
            ("G_KEYS=k0,k1\n",       "G_KEYS"),
            ("G_KEY_7=\"k1\"\n",     "G_KEY_7"),
        ];
        for (text, expected) in rows {
            assert!(
                put(text, "G_KEY", "k1") == Edit::Known(expected.to_owned()),
                "{text:?}"
            );
        }
        let put = put("G_KEY=k10\n", "G_KEY", "k1");
        assert!(
            matches!(put, Edit::Put { .. }),
            "a part of a key is not that key"
        );
    }

    #[test]
    fn s10_1_odd_keys_are_quoted_or_refused() {
        let full: String = (2..=99).map(|n| format!("G_KEY_{n}=x{n}\n")).collect();
        #[rustfmt::skip]
        let rows = [
            (String::new(),             "a#b$c\"d\\e",  "G_KEY='a#b$c\"d\\e'\n"),
            (String::new(),             "a+/b=",        "G_KEY=a+/b=\n"),
            (String::new(),             "a'b",          "cannot hold"),
            (format!("G_KEY=x\n{full}"), "k",           "99 keys"),
        ];
        for (before, key, expected) in rows {
            let told = match put(&before, "G_KEY", key) {
                Edit::Put { text, .. } => text,
                Edit::Known(name) => name,
                Edit::Impossible(why) => why.to_owned(),
            };
            assert!(told.contains(expected), "{key}");
        }
    }
}
