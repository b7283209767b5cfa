//! The committed counts: one line each, so that a review shows the cost of a change.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// The cost of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) instructions: u64,
    /// The bytes it reads, if those are its measure; else 0.
    pub(crate) bytes: u64,
}

/// Counts by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger(Vec<(String, u64)>);

impl Ledger {
    pub(crate) fn of(counts: &[Count]) -> Self {
        let all = counts.iter().map(|c| (c.name.clone(), c.instructions));
        Self(all.collect())
    }

    /// Reads the committed counts; there may be none yet.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let all = lines.filter_map(|line| {
            let (name, count) = line.trim().rsplit_once(' ')?;
            Some((name.trim().to_owned(), count.parse().ok()?))
        });
        Self(all.collect())
    }

    /// The text to commit.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from(
            "# Instructions per operation, written by `bench/instructions --save`. They depend on\n\
             # the compiler and on the instruction set, hardly on anything else.\n",
        );
        for (name, count) in &self.0 {
            // Writing into a String cannot fail.
            writeln!(text, "{name:42} {count:>10}").ok();
        }
        text
    }

    fn get(&self, name: &str) -> Option<u64> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1)
    }

    /// The counts beside the committed ones, as Markdown.
    pub(crate) fn table(&self, counts: &[Count]) -> String {
        let mut text = String::from(
            "| operation | instructions | a byte | committed | change |\n\
             | --- | ---: | ---: | ---: | ---: |\n",
        );
        for count in counts {
            let per_byte = match count.bytes {
                0 => String::new(),
                bytes => format!("{:.2}", count.instructions as f64 / bytes as f64),
            };
            let before = self.get(&count.name);
            let committed = before.map_or_else(|| "new".into(), |before| before.to_string());
            let change = before.map_or_else(String::new, |before| {
                format!("{:+.1} %", change(before, count.instructions) * 100.0)
            });
            let Count {
                name, instructions, ..
            } = count;
            writeln!(
                text,
                "| {name} | {instructions} | {per_byte} | {committed} | {change} |"
            )
            .ok();
        }
        text
    }

    /// The names of those that take over five per cent more than committed.
    pub(crate) fn regressions<'c>(&self, counts: &'c [Count]) -> Vec<&'c str> {
        let worse = counts.iter().filter(|count| {
            self.get(&count.name)
                .is_some_and(|before| count.instructions * 20 > before * 21)
        });
        worse.map(|count| count.name.as_str()).collect()
    }
}

fn change(before: u64, now: u64) -> f64 {
    now as f64 / before as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(name: &str, instructions: u64, bytes: u64) -> Count {
        Count {
            name: name.into(),
            instructions,
            bytes,
        }
    }

    #[test]
    fn what_is_saved_can_be_read_back() {
        let counts = [count("sse/20 events, cut", 1234, 10), count("select", 7, 0)];
        let ledger = Ledger::of(&counts);
        assert_eq!(Ledger::parse(&ledger.text()), ledger);
    }

    #[test]
    fn more_than_a_twentieth_is_a_regression() {
        let ledger = Ledger::parse("# head\na   100\nb b  1000\n");
        let counts = [
            count("a", 105, 0),
            count("b b", 1051, 500),
            count("c", 9, 0),
        ];
        assert_eq!(ledger.regressions(&counts), ["b b"]);
        let table = ledger.table(&counts);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| a | 105 |  | 100 | +5.0 % |",
                "| b b | 1051 | 2.10 | 1000 | +5.1 % |",
                "| c | 9 |  | new |  |",
            ]
        );
    }
}
