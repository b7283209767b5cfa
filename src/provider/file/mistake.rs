//! Errors in a file, by line, and what may be shown of them. Pure.

use std::fmt;
use std::time::Duration;

use super::tree::{Member, Node, What};
use crate::spelling::distance;

/// One error in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The wrong member or value, if it may be shown.
    pub named: String,
    /// What is wrong with it, a phrase to follow its name.
    pub sentence: String,
}

impl Mistake {
    pub(super) fn new(line: usize, named: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            line,
            named: named.into(),
            sentence: sentence.into(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {} {}", self.line, self.named, self.sentence)
    }
}

/// Ten years, as everywhere (spec §6).
const MOST_SEC: u64 = 315_360_000;
/// More errors than this help no reader.
const MOST: usize = 50;

/// The errors found so far.
#[derive(Default)]
pub(super) struct Notes(Vec<Mistake>);

impl Notes {
    pub(super) fn note(&mut self, mistake: Mistake) {
        if self.0.len() < MOST {
            self.0.push(mistake);
        }
    }

    /// What was read; on an error, notes it and returns nothing.
    pub(super) fn keep<T>(&mut self, read: Result<T, Mistake>) -> Option<T> {
        read.map_err(|mistake| self.note(mistake)).ok()
    }

    /// The result if nothing was wrong; else all errors, by line.
    pub(super) fn end<T>(mut self, whole: T) -> Result<T, Vec<Mistake>> {
        if self.0.is_empty() {
            return Ok(whole);
        }
        self.0.sort_by_key(|mistake| mistake.line);
        Err(self.0)
    }
}

/// A word of the file as it may be shown: without anything that could be a key.
pub(super) fn shown(word: &str) -> String {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_. /[]".contains(&b);
    let is_word = (1..=40).contains(&word.len()) && word.bytes().all(plain);
    if is_word && digits < 4 && !word.starts_with("sk-") {
        word.to_owned()
    } else {
        "this".to_owned()
    }
}

/// The name that this one may have been meant for, as the end of a sentence.
pub(super) fn did_you_mean(name: &str, known: &[&str]) -> String {
    let most = if name.len() < 4 { 1 } else { 2 };
    let as_long = |known: &&&str| known.len().abs_diff(name.len()) <= most;
    let near = known.iter().filter(as_long);
    let near = near.map(|known| (distance(name, known), *known));
    match near.filter(|(far, _)| *far <= most).min() {
        Some((_, near)) => format!("; did you mean `{near}`?"),
        None => String::new(),
    }
}

impl Member {
    /// It has this name, but nothing reads it.
    pub(super) fn unknown(&self, of: &str, known: &[&str]) -> Mistake {
        let known_names = known.join(", ");
        let meant = did_you_mean(&self.name, known);
        let sentence = format!("is not a member of {of}: {known_names}{meant}");
        Mistake::new(self.line, shown(&self.name), sentence)
    }

    /// Its value is invalid.
    pub(super) fn wrong(&self, sentence: impl Into<String>) -> Mistake {
        Mistake::new(self.node.line, shown(&self.name), sentence)
    }

    pub(super) fn text(&self) -> Result<&str, Mistake> {
        let What::Text(text) = &self.node.what else {
            return Err(self.wrong("must be a text in quotes"));
        };
        Ok(text)
    }

    /// A text of printable characters, for people.
    pub(super) fn line_of_text(&self) -> Result<String, Mistake> {
        let text = self.text()?.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(self.wrong("must be a line of text"));
        }
        Ok(text.to_owned())
    }

    pub(super) fn switch(&self) -> Result<bool, Mistake> {
        let What::Switch(switch) = self.node.what else {
            return Err(self.wrong("must be true or false"));
        };
        Ok(switch)
    }

    /// A whole number from 1 to the most.
    pub(super) fn count(&self, most: u64) -> Result<u64, Mistake> {
        let rule = || self.wrong(format!("must be a whole number from 1 to {most}"));
        let What::Whole(number) = self.node.what else {
            return Err(rule());
        };
        let count = u64::try_from(number).ok();
        count
            .filter(|count| (1..=most).contains(count))
            .ok_or_else(rule)
    }

    /// Seconds, a decimal above 0.
    pub(super) fn seconds(&self) -> Result<Duration, Mistake> {
        let seconds = match self.node.what {
            What::Whole(number) => i32::try_from(number).ok().map(f64::from),
            What::Decimal(number) => Some(number),
            What::Text(_) | What::Switch(_) | What::Date | What::List(_) | What::Members(_) => None,
        };
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|time| !time.is_zero() && time.as_secs() <= MOST_SEC)
            .ok_or_else(|| self.wrong("must be seconds, above 0 and at most ten years"))
    }

    pub(super) fn list(&self) -> Result<&[Node], Mistake> {
        let What::List(nodes) = &self.node.what else {
            return Err(self.wrong("must be a list in [brackets]"));
        };
        Ok(nodes)
    }

    pub(super) fn members(&self) -> Result<&[Member], Mistake> {
        let What::Members(members) = &self.node.what else {
            return Err(self.wrong("must be a table"));
        };
        Ok(members)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Mistake> {
        let text = self.text()?;
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, means)| *means).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let sentence = format!(
                "is not a value of {}, which is one of {}{}",
                shown(&self.name),
                words.join(", "),
                did_you_mean(text, &words)
            );
            Mistake::new(self.node.line, shown(text), sentence)
        })
    }
}

impl Node {
    /// The members of a table in the list with this name.
    pub(super) fn members(&self, list: &str) -> Result<&[Member], Mistake> {
        let What::Members(members) = &self.what else {
            return Err(Mistake::new(self.line, list, "holds tables in {braces}"));
        };
        Ok(members)
    }

    /// A text in the list with this name.
    pub(super) fn text(&self, list: &str) -> Result<&str, Mistake> {
        let What::Text(text) = &self.what else {
            return Err(Mistake::new(self.line, list, "holds texts in quotes"));
        };
        Ok(text)
    }
}
