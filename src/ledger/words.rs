//! How the parts of a limit are spelt in JSON, metrics and logs (spec §10.5, §10.8), and nothing else.

use std::borrow::Cow;

use super::{Counted, Ends, Per, Unit};

impl Unit {
    /// As JSON and metrics spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::TokensIn => "tokens in",
            Self::TokensOut => "tokens out",
            Self::Neurons => "neurons",
            Self::AtOnce => "at once",
        }
    }
}

impl Per {
    /// In words: `day`, or `5 hours` for several; `moment` if there is no window.
    #[must_use]
    pub fn in_words(self) -> Cow<'static, str> {
        match self {
            Self::Moment => "moment".into(),
            Self::Second => "second".into(),
            Self::Minute => "minute".into(),
            Self::Hour => "hour".into(),
            Self::Day => "day".into(),
            Self::Week => "week".into(),
            Self::Month => "month".into(),
            Self::Hours(hours) => format!("{hours} hours").into(),
        }
    }
}

impl Counted {
    /// As JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Model => "model",
            Self::Address => "address",
        }
    }
}

impl Ends {
    /// As JSON spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utc => "utc",
            Self::Pacific => "pacific",
            Self::Shanghai => "shanghai",
        }
    }
}
