//! `PROVIDERS`: exactly these, or the default with additions and removals (spec §10.1). Pure.

use super::super::error::shown;
use crate::model::ProviderId;
use crate::spelling::distance;

/// What `PROVIDERS` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::config) enum Choice {
    /// Not set: the providers that have a key.
    #[default]
    Found,
    /// Exactly these, in this order.
    Exactly(Vec<ProviderId>),
    /// Those that have a key, plus and minus these.
    Changed {
        /// On in any case.
        with: Vec<ProviderId>,
        /// Off in any case.
        without: Vec<ProviderId>,
    },
}

impl Choice {
    /// Reads `PROVIDERS`, among these providers.
    ///
    /// # Errors
    ///
    /// Sentences that begin with the variable's name.
    pub(in crate::config) fn read(text: &str, known: &[ProviderId]) -> Result<Self, Vec<String>> {
        let between = |c: char| c == ',' || c.is_whitespace();
        let words: Vec<_> = text
            .split(between)
            .filter(|word| !word.is_empty())
            .collect();
        let is_change = |word: &&&str| word.starts_with(['+', '-']);
        let changes = words.iter().filter(is_change).count();
        if words.is_empty() {
            return Err(vec![
                "PROVIDERS is empty: name some, such as openrouter,groq, or leave it out to use all that \
                 have a key"
                    .to_owned(),
            ]);
        }
        if changes > 0 && changes < words.len() {
            return Err(vec![
                "PROVIDERS mixes two forms: either exactly these (openrouter,groq), or a sign before each \
                 (+kilo,-gemini)"
                    .to_owned(),
            ]);
        }
        let (mut exactly, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
        let mut problems = Vec::new();
        for word in words {
            let (list, name) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
                (Some(name), _) => (&mut with, name),
                (_, Some(name)) => (&mut without, name),
                (None, None) => (&mut exactly, word),
            };
            let name = name.to_ascii_lowercase();
            match known.iter().find(|id| id.as_str() == name) {
                Some(id) if list.contains(id) => {}
                Some(id) => list.push(id.clone()),
                None => problems.push(unknown(&name, known)),
            }
        }
        if let Some(both) = with.iter().find(|id| without.contains(id)) {
            problems.push(format!("PROVIDERS both adds and removes {both}"));
        }
        match (problems.is_empty(), changes) {
            (false, _) => Err(problems),
            (true, 0) => Ok(Self::Exactly(exactly)),
            (true, _) => Ok(Self::Changed { with, without }),
        }
    }

    /// Whether a provider is on because it is named.
    pub(in crate::config) fn names(&self, id: &ProviderId) -> bool {
        match self {
            Self::Found => false,
            Self::Exactly(ids) | Self::Changed { with: ids, .. } => ids.contains(id),
        }
    }

    /// Whether a provider is off whatever keys there are.
    pub(in crate::config) fn bars(&self, id: &ProviderId) -> bool {
        match self {
            Self::Found => false,
            Self::Exactly(ids) => !ids.contains(id),
            Self::Changed { without, .. } => without.contains(id),
        }
    }

    /// A provider's position in the order that `PROVIDERS` gives, if it gives one.
    pub(in crate::config) fn place(&self, id: &ProviderId) -> Option<usize> {
        match self {
            Self::Found | Self::Changed { .. } => None,
            Self::Exactly(ids) => ids.iter().position(|other| other == id),
        }
    }
}

/// A name that no provider has; a key given instead of a name is not repeated.
fn unknown(name: &str, known: &[ProviderId]) -> String {
    let hint = meant_provider(name, known.iter().map(ProviderId::as_str));
    format!(
        "PROVIDERS names {}, which is not a provider; {hint}",
        shown(name)
    )
}

/// What to say to a name that no provider has: the end of a sentence.
#[must_use]
pub fn meant_provider<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let near = known
        .map(|id| (distance(name, id), id))
        .filter(|(far, id)| *far <= 2 && *far < id.len())
        .min();
    match near {
        Some((_, id)) => format!("did you mean {id}?"),
        None => "`free-llm-proxy providers` lists them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &str) -> Vec<ProviderId> {
        names
            .split_whitespace()
            .map(|name| ProviderId::try_from(name).unwrap())
            .collect()
    }

    #[test]
    fn s10_1_providers_are_an_exact_list_or_additions_and_removals() {
        let known = ids("openrouter gemini groq kilo my-box");
        let exactly = |names| Ok(Choice::Exactly(ids(names)));
        let changed = |with, without| {
            Ok(Choice::Changed {
                with: ids(with),
                without: ids(without),
            })
        };
        let refused = |why: &'static str| Err(why);
        #[rustfmt::skip]
        let rows: Vec<(&str, Result<Choice, &str>)> = vec![
            ("openrouter,groq",         exactly("openrouter groq")),
            (" groq , OpenRouter ,",    exactly("groq openrouter")),
            ("groq groq\nkilo",         exactly("groq kilo")),
            ("my-box",                  exactly("my-box")),
            ("+kilo,-gemini",           changed("kilo", "gemini")),
            ("-gemini",                 changed("", "gemini")),
            ("+kilo +kilo",             changed("kilo", "")),
            ("",                        refused("PROVIDERS is empty: ")),
            (" , ",                     refused("PROVIDERS is empty: ")),
            ("groq,+kilo",              refused("PROVIDERS mixes two forms")),
            ("groq,-kilo",              refused("PROVIDERS mixes two forms")),
            ("+kilo,-kilo",             refused("PROVIDERS both adds and removes kilo")),
            ("grok",                    refused("PROVIDERS names \"grok\", which is not a provider; did you mean groq?")),
            ("+gemnii",                 refused("PROVIDERS names \"gemnii\", which is not a provider; did you mean gemini?")),
            ("llama",                   refused("PROVIDERS names \"llama\", which is not a provider; `free-llm-proxy providers`")),
            ("+",                       refused("PROVIDERS names \"\", which is not a provider; `free-llm-proxy providers`")),
            ("gsk_0123456789abcdefghij", refused("PROVIDERS names \"***\", which is not a provider")),
            ("sk-or-v1-0123456789",     refused("PROVIDERS names \"***\", which is not a provider")),
        ];
        for (text, expected) in rows {
            match (Choice::read(text, &known), expected) {
                (Ok(choice), Ok(expected)) => assert_eq!(choice, expected, "{text:?}"),
                (Err(problems), Err(expected)) => {
                    let [problem] = problems.as_slice() else {
                        panic!("{problems:?}");
                    };
                    assert!(problem.starts_with(expected), "{problem}");
                }
                (got, _) => panic!("{text:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn s10_1_named_and_barred_providers() {
        let known = ids("openrouter gemini groq kilo");
        let read = |text| Choice::read(text, &known).unwrap();
        #[rustfmt::skip]
        let rows = [
            // PROVIDERS                     named            barred
            (Choice::Found,                  "",              ""),
            (read("groq,openrouter"),        "groq openrouter", "gemini kilo"),
            (read("+kilo,-gemini"),          "kilo",          "gemini"),
        ];
        for (choice, named, barred) in rows {
            for id in &known {
                assert_eq!(choice.names(id), ids(named).contains(id), "{choice:?} {id}");
                assert_eq!(choice.bars(id), ids(barred).contains(id), "{choice:?} {id}");
            }
        }
        let choice = read("groq,openrouter");
        let places: Vec<_> = known.iter().map(|id| choice.place(id)).collect();
        assert_eq!(places, [Some(1), None, Some(0), None]);
    }
}
