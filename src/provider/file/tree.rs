//! A TOML text as a tree in which every member knows its line. Pure.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use super::Mistake;

/// A value and the line where it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) what: What,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum What {
    Text(String),
    Whole(i64),
    Decimal(f64),
    Switch(bool),
    Date,
    List(Vec<Node>),
    Members(Vec<Member>),
}

/// A named value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// The line of its name.
    pub(super) line: usize,
    pub(super) node: Node,
}

/// Parses the whole text. The parser's own message is kept, but not its quotation of the line,
/// which may contain a key.
pub(super) fn parse(text: &str) -> Result<Vec<Member>, Mistake> {
    let lines = Lines::of(text);
    let document = Document::parse(text).map_err(|error| {
        let line = lines.at(error.span()).unwrap_or(1);
        Mistake::new(
            line,
            "TOML",
            format!("is not valid here: {}", error.message()),
        )
    })?;
    Ok(lines.members(document.as_table(), 1))
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        Self(std::iter::once(0).chain(ends.map(|at| at + 1)).collect())
    }

    fn at(&self, span: Option<Range<usize>>) -> Option<usize> {
        span.map(|span| self.0.partition_point(|begins| *begins <= span.start))
    }

    fn members(&self, table: &dyn TableLike, line: usize) -> Vec<Member> {
        let members = table.iter().filter_map(|(name, item)| {
            let line = self
                .at(table.key(name).and_then(toml_edit::Key::span))
                .unwrap_or(line);
            Some(Member {
                name: name.to_owned(),
                line,
                node: self.item(item, line)?,
            })
        });
        members.collect()
    }

    fn item(&self, item: &Item, line: usize) -> Option<Node> {
        let line = self.at(item.span()).unwrap_or(line);
        let what = match item {
            Item::None => return None,
            Item::Value(value) => return Some(self.value(value, line)),
            Item::Table(table) => What::Members(self.members(table, line)),
            Item::ArrayOfTables(tables) => What::List(
                tables
                    .iter()
                    .map(|table| {
                        let line = self.at(table.span()).unwrap_or(line);
                        let what = What::Members(self.members(table, line));
                        Node { line, what }
                    })
                    .collect(),
            ),
        };
        Some(Node { line, what })
    }

    fn value(&self, value: &Value, line: usize) -> Node {
        let line = self.at(value.span()).unwrap_or(line);
        let what = match value {
            Value::String(text) => What::Text(text.value().clone()),
            Value::Integer(number) => What::Whole(*number.value()),
            Value::Float(number) => What::Decimal(*number.value()),
            Value::Boolean(switch) => What::Switch(*switch.value()),
            Value::Datetime(_) => What::Date,
            Value::Array(items) => {
                What::List(items.iter().map(|item| self.value(item, line)).collect())
            }
            Value::InlineTable(table) => What::Members(self.members(table, line)),
        };
        Node { line, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and texts with their lines, in order.
    fn flat(members: &[Member], out: &mut Vec<(String, usize)>) {
        for member in members {
            out.push((member.name.clone(), member.line));
            below(&member.node, out);
        }
    }

    fn below(node: &Node, out: &mut Vec<(String, usize)>) {
        match &node.what {
            What::Members(members) => flat(members, out),
            What::List(nodes) => nodes.iter().for_each(|node| below(node, out)),
            What::Text(text) => out.push((format!("={text}"), node.line)),
            What::Whole(_) | What::Decimal(_) | What::Switch(_) | What::Date => {}
        }
    }

    #[test]
    fn s10_1_every_member_knows_its_line() {
        let text = "\n[a.b]\nc = [\n  { d = \"e\" },\n \"f\"]\n[[g]]\nh = 1\n[[g]]\ni.j = 2.5\n\"k\" = true\r\nl = 2026-01-01\n";
        let mut found = Vec::new();
        flat(&parse(text).unwrap(), &mut found);
        #[rustfmt::skip]
        let expected = [
            ("a", 2), ("b", 2), ("c", 3), ("d", 4), ("=e", 4), ("=f", 5),
            ("g", 6), ("h", 7), ("i", 9), ("j", 9), ("k", 10), ("l", 11),
        ];
        let expected: Vec<_> = expected.map(|(name, line)| (name.to_owned(), line)).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn s10_1_invalid_toml_is_reported_with_its_line_and_not_quoted() {
        let deep = format!("a = {}", "[".repeat(100_000));
        #[rustfmt::skip]
        let rows = [
            ("a = 1\nb = gsk_Secret\n", 2),
            ("a = 1\na = 2\n",          2),
            ("[a]\n[a]\n",              2),
            ("a = 99999999999999999999\n", 1),
            ("\n\n\"open",              3),
            (deep.as_str(),             1),
        ];
        for (text, line) in rows {
            let mistake = parse(text).unwrap_err();
            assert_eq!(mistake.line, line, "{mistake}");
            assert!(!mistake.to_string().contains("Secret"), "{mistake}");
        }
    }
}
