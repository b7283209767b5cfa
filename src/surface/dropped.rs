//! What a translation left out although it was asked for.

/// The names of what was left out, so that the answer can say so. Short visible ASCII only: they
/// may stand in a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(Vec<String>);

/// So many are named; whatever follows is "more".
const MOST: usize = 16;

impl Dropped {
    /// Notes a field or a kind of tool, once. A name that is not plainly a name is not repeated.
    pub(super) fn note(&mut self, name: &str) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b':');
        let name = if !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) {
            name
        } else {
            "unnamed"
        };
        // A body may have a thousand fields that nobody knows.
        let name = if self.0.len() < MOST { name } else { "more" };
        if !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }

    /// The names, in the order in which they were met.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether everything was carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_repeated_and_each_once() {
        let mut dropped = Dropped::default();
        for name in ["web_search", "web_search", "a b", "x\r\ny", "", "tools.x"] {
            dropped.note(name);
        }
        let names: Vec<&str> = dropped.names().collect();
        assert_eq!(names, ["web_search", "unnamed", "tools.x"]);
        for n in 0..99 {
            dropped.note(&format!("field{n}"));
        }
        let names: Vec<&str> = dropped.names().collect();
        assert_eq!((names.len(), names.last()), (MOST + 1, Some(&"more")));
    }
}
