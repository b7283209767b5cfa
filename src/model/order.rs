//! `MODEL_ORDER`: the models that are asked before all others, in the user's own order (spec §10.3).
//!
//! Pure. What the names stand for is looked up with each list; see [`resolve`](super::resolve).

use std::collections::HashSet;

use super::ModelId;

/// Canonical keys and public ids, best first. Empty where nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOrder(Vec<ModelId>);

/// More names are an accident.
const MOST: usize = 256;

impl ModelOrder {
    /// Reads names with commas between them; a `*` at the end stands for all others, which follow
    /// with or without it.
    ///
    /// # Errors
    /// In words that follow the setting's name.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let mut names: Vec<_> = text.split(',').map(str::trim).collect();
        if names.last() == Some(&"*") {
            names.pop();
        }
        if names.len() > MOST {
            return Err("has more than 256 names");
        }
        let mut seen = HashSet::new();
        let mut order = Vec::new();
        for name in names {
            if name.is_empty() {
                return Err("has an empty name between its commas");
            }
            if name == "*" {
                return Err("has a * that is not at its end: all others stand there");
            }
            if name.contains('*') {
                return Err("has a name with a * in it: a * stands alone, at the end");
            }
            if name == "auto" {
                return Err("has the name auto, which is no model");
            }
            let id = ModelId::written(name).map_err(|_| "has a name that is no model id")?;
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err("has the same name twice");
            }
            order.push(id);
        }
        Ok(Self(order))
    }

    /// The names, best first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ModelId::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_3_the_users_own_order_is_read() {
        let many = vec!["a"; 257].join(",");
        #[rustfmt::skip]
        let rows = [
            ("gpt-oss-120b",                          Ok("gpt-oss-120b")),
            ("gpt-oss-120b, groq/qwen/qwen3.8-27b,*", Ok("gpt-oss-120b groq/qwen/qwen3.8-27b")),
            ("a/b:free , groq/auto , *",              Ok("a/b:free groq/auto")),
            ("*",                                     Ok("")),
            ("",                                      Err("has an empty name between its commas")),
            ("a,,b",                                  Err("has an empty name between its commas")),
            ("a,",                                    Err("has an empty name between its commas")),
            ("*,a",                                   Err("has a * that is not at its end: all others stand there")),
            ("a,*,*",                                 Err("has a * that is not at its end: all others stand there")),
            ("gpt-*",                                 Err("has a name with a * in it: a * stands alone, at the end")),
            ("a b",                                   Err("has a name that is no model id")),
            ("a,B,A",                                 Err("has the same name twice")),
            ("auto,a",                                Err("has the name auto, which is no model")),
            (&many,                                   Err("has more than 256 names")),
        ];
        for (text, expected) in rows {
            let read = ModelOrder::read(text);
            let names = read.map(|order| order.names().collect::<Vec<_>>().join(" "));
            assert_eq!(names, expected.map(str::to_owned), "{text}");
        }
    }
}
