//! What a request may wish for where it leaves the model to the proxy (spec §11.6).

/// A wish, in place of a model's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wish {
    /// `auto`: the order that `ROUTING` sets. A request that names nothing has it too.
    #[default]
    Auto,
    /// `auto:best`: a better place counts for more than a quick answer.
    Best,
    /// `auto:fast`: a quick answer counts for more than a better place.
    Fast,
    /// `auto:rank`: by rank, whatever is known.
    Rank,
}

impl Wish {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Best, Self::Fast, Self::Rank];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Best => "auto:best",
            Self::Fast => "auto:fast",
            Self::Rank => "auto:rank",
        }
    }

    /// The wish of that name: in any case, as people type it, and with the `:latest` that Ollama's
    /// clients add (spec §10.2). A provider's name before it makes it the name of something else.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = without_latest(name);
        let mut all = Self::ALL.into_iter();
        all.find(|wish| name.eq_ignore_ascii_case(wish.as_str()))
    }

    /// Whether a name has the form of a wish, but is none: `auto:slow`.
    #[must_use]
    pub fn is_misspelt(name: &str) -> bool {
        let stem = name.split(':').next().unwrap_or_default();
        stem.eq_ignore_ascii_case(Self::Auto.as_str()) && Self::named(name).is_none()
    }
}

/// A name without the tag that stands for the usual one, in whatever case that is typed.
#[must_use]
pub fn without_latest(name: &str) -> &str {
    const LATEST: &str = ":latest";
    let ends = name.len().checked_sub(LATEST.len());
    match ends.and_then(|at| name.split_at_checked(at)) {
        Some((name, tag)) if tag.eq_ignore_ascii_case(LATEST) => name,
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s11_6_a_wish_is_told_from_a_name() {
        #[rustfmt::skip]
        let rows = [
            // name                  wish               misspelt
            ("auto",                 Some(Wish::Auto),  false),
            ("auto:best",            Some(Wish::Best),  false),
            ("auto:fast",            Some(Wish::Fast),  false),
            ("auto:rank",            Some(Wish::Rank),  false),
            ("AUTO",                 Some(Wish::Auto),  false),
            ("Auto:Fast",            Some(Wish::Fast),  false),
            ("auto:latest",          Some(Wish::Auto),  false),
            ("auto:fast:latest",     Some(Wish::Fast),  false),
            ("auto:fast:LATEST",     Some(Wish::Fast),  false),
            ("AUTO:Latest",          Some(Wish::Auto),  false),
            ("auto:latest:latest",   None,              true),
            ("auto:LATESТ",          None,              true),
            ("auto:slow",            None,              true),
            ("auto:free",            None,              true),
            ("auto:",                None,              true),
            ("auto:fast:free",       None,              true),
            ("AUTO:Slow",            None,              true),
            ("auto fast",            None,              false),
            (" auto",                None,              false),
            ("autofast",             None,              false),
            ("auto/fast",            None,              false),
            ("fast",                 None,              false),
            ("openrouter/auto",      None,              false),
            ("openrouter/auto:fast", None,              false),
            ("models/auto",          None,              false),
            ("аuto",                 None,              false),
            ("",                     None,              false),
        ];
        for (name, wish, is_misspelt) in rows {
            assert_eq!(Wish::named(name), wish, "{name:?}");
            assert_eq!(Wish::is_misspelt(name), is_misspelt, "{name:?}");
        }
    }
}
