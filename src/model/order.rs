//! `MODEL_ORDER`: the models that are asked before all others, in the user's own order (spec §10.3).
//!
//! Pure. What the names refer to is looked up with each list; see [`resolve`].

use std::collections::HashSet;
use std::sync::Arc;

use super::{ModelId, Named, Offer, Wish, resolve};

/// Canonical keys and public ids, best first. Empty if not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOrder(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Name(ModelId),
    /// A prefix of keys and public ids, in lower case.
    Beginning(String),
}

/// What an entry refers to among the offers of a list.
#[derive(Clone, Debug)]
pub struct Lifted<'a>(Stands<'a>);

#[derive(Clone, Debug)]
enum Stands<'a> {
    For(Named),
    ForAll(&'a str),
}

impl Lifted<'_> {
    /// Whether it refers to this offer. A model's name does not promote the copy on the user's own
    /// machine; an id does.
    #[must_use]
    pub fn is(&self, offer: &Offer) -> bool {
        let is_local = offer.provider.is_local();
        match &self.0 {
            Stands::For(named @ Named::Model(_)) => !is_local && named.is(offer),
            Stands::For(named) => named.is(offer),
            Stands::ForAll(beginning) => {
                let public = offer.public_id.as_str().to_ascii_lowercase();
                let key = offer.canonical.as_str();
                public.starts_with(beginning) || (!is_local && key.starts_with(beginning))
            }
        }
    }
}

/// More names than this are an accident.
const MOST: usize = 256;

impl ModelOrder {
    /// Reads comma-separated names; a `*` at the end of a name matches any continuation; alone at
    /// the end of the list it matches all others, which follow with or without it.
    ///
    /// # Errors
    /// A phrase to follow the setting's name.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let text = text.trim_end_matches(',');
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
                return Err("has a * that is not at its end, where all others belong");
            }
            if Wish::named(name).is_some() {
                return Err(
                    "has a wish in it (auto, auto:best, auto:fast, auto:rank), which is not a model",
                );
            }
            let beginning = name.strip_suffix('*');
            let name = beginning.unwrap_or(name);
            if name.contains('*') {
                return Err("has a * that is not at the end of a name");
            }
            let id = ModelId::written(name).map_err(|_| "has a name that is not a model id")?;
            let lower = name.to_ascii_lowercase();
            if !seen.insert((lower.clone(), beginning.is_some())) {
                return Err("has the same name twice");
            }
            order.push(if beginning.is_some() {
                Entry::Beginning(lower)
            } else {
                Entry::Name(id)
            });
        }
        Ok(Self(order))
    }

    /// What the entries refer to among these offers, best first.
    #[must_use]
    pub fn among(&self, offers: &[Arc<Offer>]) -> Vec<Lifted<'_>> {
        let lifted = self.0.iter().map(|entry| match entry {
            Entry::Name(name) => Stands::For(resolve(name.as_str(), offers)),
            Entry::Beginning(beginning) => Stands::ForAll(beginning),
        });
        lifted.map(Lifted).collect()
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
            ("  ",                                      Ok("")),
            (",", Err("has an empty name between its commas")),
            ("a,,b",                                  Err("has an empty name between its commas")),
            ("a,",                                    Ok("a")),
            ("groq/*, glm-4.7-flash,",                Ok("groq/* glm-4.7-flash")),
            ("GPT-*,gpt-",                            Ok("gpt-* gpt-")),
            ("*,a",                                   Err("has a * that is not at its end, where all others belong")),
            ("a,*,*",                                 Err("has a * that is not at its end, where all others belong")),
            ("gpt-*,GPT-*",                           Err("has the same name twice")),
            ("gpt-*-mini",                            Err("has a * that is not at the end of a name")),
            ("**",                                    Err("has a * that is not at the end of a name")),
            ("a b",                                   Err("has a name that is not a model id")),
            ("a,B,A",                                 Err("has the same name twice")),
            ("auto,a",                                Err("has a wish in it (auto, auto:best, auto:fast, auto:rank), which is not a model")),
            ("a,Auto:Fast",                           Err("has a wish in it (auto, auto:best, auto:fast, auto:rank), which is not a model")),
            (&many,                                   Err("has more than 256 names")),
        ];
        for (text, expected) in rows {
            let read = ModelOrder::read(text);
            let spelt = |entry: &Entry| match entry {
                Entry::Name(name) => name.to_string(),
                Entry::Beginning(beginning) => format!("{beginning}*"),
            };
            let names = read.map(|order| order.0.iter().map(spelt).collect::<Vec<_>>().join(" "));
            assert_eq!(names, expected.map(str::to_owned), "{text}");
        }
    }
}
