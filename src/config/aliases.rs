//! `MODEL_ALIASES`: other names for models, so that the names that agents have built in are known.

use super::value::Refusal;
use crate::model::{ModelId, Wish, without_latest};

/// The aliases. Exact names take precedence over patterns, and longer patterns over shorter ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(Vec<Alias>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alias {
    /// The name, or its beginning.
    name: String,
    is_prefix: bool,
    target: Target,
}

/// The target of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The proxy's own choice, by this wish.
    Wish(Wish),
    /// This model.
    Model(ModelId),
}

impl Aliases {
    /// The target of this name, if it is an alias, as it is spelt or without a trailing `:latest`
    /// (spec §10.2).
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Target> {
        let names = [name, without_latest(name)];
        let fitting = self.0.iter().filter(|alias| {
            if alias.is_prefix {
                name.starts_with(&alias.name)
            } else {
                names.contains(&alias.name.as_str())
            }
        });
        fitting
            .max_by_key(|alias| (!alias.is_prefix, alias.name.len()))
            .map(|alias| &alias.target)
    }
}

/// `name=id` or `name=auto`, comma-separated; a `*` at the end of a name matches anything but a wish,
/// which comes before all aliases (spec §10.2).
pub(super) fn aliases(text: &str) -> Result<Aliases, Refusal> {
    let mut known: Vec<Alias> = Vec::new();
    for part in text.split(',') {
        let (name, target) = part.split_once('=').ok_or("needs name=id or name=auto")?;
        let (name, target) = (name.trim(), target.trim());
        let prefix = name.strip_suffix('*');
        let alias = Alias {
            is_prefix: prefix.is_some(),
            name: prefix.unwrap_or(name).to_owned(),
            target: self::target(target)?,
        };
        if Wish::named(name).is_some() {
            return Err(
                "has a name (auto, auto:best, auto:fast or auto:rank) that always has its own meaning",
            );
        }
        if name.is_empty() || alias.name.contains('*') {
            return Err("has a name that is empty, or a * that is not at a name's end");
        }
        let twice =
            |other: &Alias| (&other.name, other.is_prefix) == (&alias.name, alias.is_prefix);
        if known.iter().any(twice) {
            return Err("has the same name twice");
        }
        known.push(alias);
    }
    Ok(Aliases(known))
}

fn target(name: &str) -> Result<Target, Refusal> {
    if let Some(wish) = Wish::named(name) {
        return Ok(Target::Wish(wish));
    }
    if Wish::is_misspelt(name) {
        return Err(
            "has a target that begins like auto, but is none of auto, auto:best, auto:fast and auto:rank",
        );
    }
    let id = ModelId::written(name).map_err(|_| "has a target that is not a model id")?;
    Ok(Target::Model(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_exact_names_come_before_patterns_and_long_patterns_before_short_ones() {
        let known = aliases(
            "gpt-5=auto, gpt-*=a/b:free,gpt-5-*=c/d:free , *=e/f:free,gpt-5-nano=auto:fast,gpt-5-nano:latest=g/h:free,auto:slow=Auto:Best",
        )
        .unwrap();
        #[rustfmt::skip]
        let rows = [
            ("gpt-5",      "auto"),
            ("gpt-5-mini", "c/d:free"),
            ("gpt-5-nano", "auto:fast"),
            ("auto:slow",  "auto:best"),
            ("gpt-4o",     "a/b:free"),
            ("gpt-",       "a/b:free"),
            ("GPT-5",      "e/f:free"),
            ("",           "e/f:free"),
            // As it is spelt, else without `:latest`; a pattern comes after both.
            ("gpt-5:latest",      "auto"),
            ("gpt-5:LATEST",      "auto"),
            ("gpt-5-nano:latest", "g/h:free"),
            ("gpt-4o:latest",     "a/b:free"),
            ("auto:slow:latest",  "auto:best"),
            ("x:latest:latest",   "e/f:free"),
        ];
        for (name, expected) in rows {
            let told = match known.target(name) {
                Some(Target::Wish(wish)) => wish.as_str(),
                Some(Target::Model(id)) => id.as_str(),
                None => "",
            };
            assert_eq!(told, expected, "{name}");
        }
        let known = aliases("a=auto").unwrap();
        assert_eq!(known.target("b"), None);
        assert_eq!(known.target("a:latest:latest"), None);
    }

    #[test]
    fn s6_meaningless_aliases_are_refused() {
        #[rustfmt::skip]
        let rows = [
            ("gpt-5",             "needs name=id"),
            ("a=auto,",           "needs name=id"),
            ("=auto",             "name that is empty"),
            ("a*b=auto",          "not at a name's end"),
            ("a=",                "not a model id"),
            ("a=b c",             "not a model id"),
            ("a=auto:slow",       "none of auto, auto:best"),
            ("auto=a/b:free",     "always has its own meaning"),
            ("auto:fast=auto",    "always has its own meaning"),
            ("Auto:Fast=auto",    "always has its own meaning"),
            ("a=auto,a=x/y:free", "twice"),
            ("a*=auto, a* =auto", "twice"),
        ];
        for (text, expected) in rows {
            let refusal = aliases(text).unwrap_err();
            assert!(refusal.contains(expected), "{text}: {refusal}");
        }
    }
}
