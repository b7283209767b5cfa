//! What was left out of a request although it was asked for: by a translation (spec §14), or
//! because a provider refuses it (spec §10.6).

/// The names of what was left out, so that the answer can report it. Only short visible ASCII: they
/// may go into a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(Vec<String>);

/// How many are named; the others are "more".
const MOST: usize = 16;

impl Dropped {
    /// Notes a field or a kind of tool, once. Anything that is not plainly a name is not repeated.
    pub fn note(&mut self, name: &str) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-:[]$".contains(&b);
        let name = if !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) {
            name
        } else {
            "unnamed"
        };
        // A body may have a thousand unknown fields.
        let name = if self.0.len() < MOST { name } else { "more" };
        if !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }

    /// Adds what another has noted.
    pub fn join(&mut self, other: &Self) {
        other.names().for_each(|name| self.note(name));
    }

    /// The names, in the order in which they were noted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether everything was carried over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_6_two_lists_are_joined_without_duplicates() {
        let (mut translated, mut refused) = (Dropped::default(), Dropped::default());
        translated.note("web_search");
        translated.note("seed");
        for name in ["seed", "messages[].name", "tools[].$schema"] {
            refused.note(name);
        }
        translated.join(&refused);
        let names: Vec<&str> = translated.names().collect();
        assert_eq!(
            names,
            ["web_search", "seed", "messages[].name", "tools[].$schema"]
        );
    }

    #[test]
    fn only_plain_names_are_repeated_without_duplicates() {
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
