//! A path to a value in a body, and what is wrong with that value.

use std::fmt;

use crate::json::{Kind, Raw};
use crate::request::InvalidRequest;

/// Longer than any tool's name.
const MAX_NAME: usize = 512;

/// A path into a body. It borrows, and is only rendered for an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    outer: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    Field(&'p str),
    At(usize),
}

impl<'p> Place<'p> {
    /// A field of the body itself.
    pub(super) fn top(name: &'p str) -> Self {
        Self {
            outer: None,
            step: Step::Field(name),
        }
    }

    pub(super) fn field(&'p self, name: &'p str) -> Place<'p> {
        Place {
            outer: Some(self),
            step: Step::Field(name),
        }
    }

    pub(super) fn at(&'p self, index: usize) -> Place<'p> {
        Place {
            outer: Some(self),
            step: Step::At(index),
        }
    }

    pub(super) fn missing(&self) -> Invalid {
        self.fault(Fault::Missing)
    }

    pub(super) fn must_be(&self, expected: &'static str) -> Invalid {
        self.fault(Fault::MustBe(expected))
    }

    /// The value is valid in the surface's own API, but chat completions cannot carry it.
    pub(super) fn not_carried(&self, found: &str) -> Invalid {
        // Long enough for every known name, too short for a prompt.
        let found = found.chars().filter(|c| !c.is_control()).take(64).collect();
        self.fault(Fault::NotCarried(found))
    }

    pub(super) fn too_many(&self, most: usize) -> Invalid {
        self.fault(Fault::TooMany(most))
    }

    pub(super) fn cannot(&self, why: &'static str) -> Invalid {
        self.fault(Fault::Cannot(why))
    }

    /// The string found here, still escaped.
    pub(super) fn string<'a>(&self, value: Raw<'a>) -> Result<&'a str, Invalid> {
        value.escaped().ok_or_else(|| self.must_be("a string"))
    }

    /// The same for a member that is required.
    pub(super) fn required<'a>(
        &self,
        name: &str,
        value: Option<Raw<'a>>,
    ) -> Result<&'a str, Invalid> {
        let place = self.field(name);
        place.string(value.ok_or_else(|| place.missing())?)
    }

    /// The name of a tool, which is kept and repeated with each call.
    pub(super) fn name<'a>(&self, name: &str, value: Option<Raw<'a>>) -> Result<&'a str, Invalid> {
        let given = self.required(name, value)?;
        if given.is_empty() || given.len() > MAX_NAME {
            return Err(self.field(name).must_be("a name of at most 512 bytes"));
        }
        Ok(given)
    }

    pub(super) fn array<'a>(&self, value: Raw<'a>) -> Result<Raw<'a>, Invalid> {
        self.of(Kind::Array, value, "an array")
    }

    pub(super) fn object<'a>(&self, value: Raw<'a>) -> Result<Raw<'a>, Invalid> {
        self.of(Kind::Object, value, "an object")
    }

    /// The elements of a list, each with its place. Their number is limited, because what is kept
    /// of each may be larger than the element itself.
    pub(super) fn each<'a>(
        &self,
        list: Raw<'a>,
        most: usize,
    ) -> impl Iterator<Item = Result<(Place<'_>, Raw<'a>), Invalid>> {
        list.elements().enumerate().map(move |(n, element)| {
            if n < most {
                Ok((self.at(n), element))
            } else {
                Err(self.too_many(most))
            }
        })
    }

    pub(super) fn flag(&self, value: Raw<'_>) -> Result<bool, Invalid> {
        value.as_bool().ok_or_else(|| self.must_be("a boolean"))
    }

    fn of<'a>(&self, kind: Kind, value: Raw<'a>, name: &'static str) -> Result<Raw<'a>, Invalid> {
        if value.kind() == kind {
            Ok(value)
        } else {
            Err(self.must_be(name))
        }
    }

    fn fault(&self, fault: Fault) -> Invalid {
        Invalid::At {
            place: self.to_string(),
            fault,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            outer.fmt(f)?;
        }
        match self.step {
            Step::Field(name) if self.outer.is_some() => write!(f, ".{name}"),
            Step::Field(name) => f.write_str(name),
            Step::At(index) => write!(f, "[{index}]"),
        }
    }
}

/// Why a body cannot be translated: a 400, in words meant for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not a request at all.
    #[error(transparent)]
    Body(#[from] InvalidRequest),
    /// It is a request, but something in it is wrong or cannot be carried over.
    #[error("\"{place}\" {fault}")]
    At {
        /// Where, as a path: `input[3].content[0].image_url`.
        place: String,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is required.
    #[error("is required")]
    Missing,
    /// It has the wrong type, or an unknown value.
    #[error("must be {0}")]
    MustBe(&'static str),
    /// It has more elements than this.
    #[error("has more than {0} entries")]
    TooMany(usize),
    /// Something that chat completions have no equivalent for.
    #[error("is \"{0}\", which a free model behind chat completions cannot be given")]
    NotCarried(String),
    /// It asks for something that is not done here.
    #[error("{0}")]
    Cannot(&'static str),
}

impl Invalid {
    /// The error's `param`.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Body(invalid) => invalid.param(),
            Self::At { place, .. } => Some(place),
        }
    }

    /// The error's `code`, as a chat completion request would have it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Body(InvalidRequest::Json(_)) => "invalid_json",
            Self::Body(_) | Self::At { .. } => "invalid_request",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_place() {
        let input = Place::top("input");
        let item = input.at(3);
        let content = item.field("content");
        let part = content.at(0);
        #[rustfmt::skip]
        let rows = [
            (input.missing(),                             "input",                     r#""input" is required"#),
            (item.field("type").not_carried("computer_call"), "input[3].type",
                r#""input[3].type" is "computer_call", which a free model behind chat completions cannot be given"#),
            (part.field("image_url").must_be("a string"), "input[3].content[0].image_url",
                r#""input[3].content[0].image_url" must be a string"#),
        ];
        for (invalid, param, text) in rows {
            assert_eq!(invalid.param(), Some(param));
            assert_eq!(invalid.to_string(), text);
            assert_eq!(invalid.code(), "invalid_request");
        }
        let Invalid::At { fault, .. } = input.not_carried(&"x\n".repeat(99)) else {
            panic!("not at a place");
        };
        assert_eq!(fault, Fault::NotCarried("x".repeat(64)));
    }
}
