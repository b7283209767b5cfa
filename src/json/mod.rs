//! Reads JSON (RFC 8259) without building a tree.
//!
//! Syntax and nesting are checked in one pass, and members are handed out as slices of the text
//! they came in: what is not asked for is neither copied nor rebuilt, so numbers, escapes and
//! unknown fields stay byte for byte. Requests, plain answers and events are all read here.
//!
//! Pure. No tree, no I/O. Code that needs a typed document uses serde instead.

mod members;
mod patch;
mod reader;
mod scan;
mod stops;
mod unescape;
pub mod write;

use std::borrow::Cow;
use std::fmt;

pub use members::{Member, Members};
pub use patch::{Cuts, Patch};
pub use reader::Reader;
use scan::Scanner;
pub use unescape::Unescape;

/// How deep a text from upstream may nest; requests have a setting of their own, which may not be
/// larger (the scanner recurses once per level).
pub const MAX_DEPTH: usize = 1024;

/// Where a text stops being JSON. It gives a position and never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The offset, in bytes, of the first byte that does not fit.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON.
    Syntax,
    /// It ends too early.
    CutShort,
    /// It nests deeper than allowed.
    TooDeep,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.problem {
            Problem::NotUtf8 => "not UTF-8",
            Problem::Syntax => "not valid JSON",
            Problem::CutShort => "cut short",
            Problem::TooDeep => "nested too deep",
        };
        write!(f, "{what} at byte {}", self.at)
    }
}

impl std::error::Error for Error {}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// `"..."`
    String,
    /// A number.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

impl Kind {
    /// What a value is that begins with this character.
    fn of(first: u8) -> Self {
        match first {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::String,
            b't' | b'f' => Self::Bool,
            b'n' => Self::Null,
            _ => Self::Number,
        }
    }
}

/// The text of one value, already checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// Checks that `bytes` contain one JSON value, optionally surrounded by white space, and
    /// nothing else.
    ///
    /// # Errors
    /// Names the first byte that does not fit.
    pub fn parse(bytes: &'a [u8], max_depth: usize) -> Result<Self, Error> {
        let mut scanner = Scanner::new(utf8(bytes)?, max_depth);
        scanner.space();
        let value = scanner.value(0)?;
        scanner.end()?;
        Ok(Self(value))
    }

    /// The value as written.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Its kind, judging by its first character.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.0
            .as_bytes()
            .first()
            .map_or(Kind::Null, |b| Kind::of(*b))
    }

    /// Whether it is an empty string, array or object.
    #[must_use]
    pub fn is_empty(self) -> bool {
        let inner = self.0.as_bytes().get(1..).unwrap_or_default();
        match self.kind() {
            Kind::String => inner.len() == 1,
            Kind::Array | Kind::Object => inner.trim_ascii_start().len() == 1,
            Kind::Number | Kind::Bool | Kind::Null => false,
        }
    }

    /// Whether it is `null`, which counts as absent nearly everywhere.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The string, unescaped, if it is one and valid Unicode.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// The text between the quotes, still escaped, if it is a string: it can be placed between the
    /// quotes of another text.
    #[must_use]
    pub fn escaped(self) -> Option<&'a str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }

    /// The number, if it is a whole one in range.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The number, if it is a whole one, in any spelling; one outside the range of `i64` becomes
    /// the nearest value in range.
    #[must_use]
    pub fn as_integer(self) -> Option<i64> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole, and clamped by the cast"
        )]
        let spelt_otherwise = || {
            let number = self.as_f64().filter(|number| number.fract() == 0.0)?;
            Some(number as i64)
        };
        self.0.parse().ok().or_else(spelt_otherwise)
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        (self.kind() == Kind::Number)
            .then(|| self.0.parse().ok())
            .flatten()
    }

    /// The members with their positions in [`Raw::text`], if this is an object.
    #[must_use]
    pub fn object(self) -> Option<Members<'a>> {
        Members::nested(self)
    }

    /// A reader positioned before it; offsets count from its first byte.
    #[must_use]
    pub fn reader(self) -> Reader<'a> {
        Reader::at(Scanner::new(self.0, MAX_DEPTH), MAX_DEPTH)
    }

    /// The members in order; none if this is not an object.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Raw<'a>)> {
        let mut members = Members::nested(self);
        std::iter::from_fn(move || members.as_mut()?.next().ok()?)
            .map(|member| (member.key, member.value))
    }

    /// The member with that name (the last one, if there are duplicates), unless it is null.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Raw<'a>> {
        self.members()
            .filter(|(k, _)| k == key)
            .map(|(_, v)| v)
            .last()
            .filter(|v| !v.is_null())
    }

    /// The members with these names, found in one pass; [`Raw::get`] says which of duplicates
    /// counts.
    #[must_use]
    pub fn pick<const N: usize>(self, keys: [&str; N]) -> [Option<Raw<'a>>; N] {
        let mut found = [None; N];
        for (name, value) in self.members() {
            for (slot, _) in found.iter_mut().zip(keys).filter(|(_, key)| name == *key) {
                *slot = (!value.is_null()).then_some(value);
            }
        }
        found
    }

    /// The elements in order; none if this is not an array.
    pub fn elements(self) -> impl Iterator<Item = Raw<'a>> {
        let mut scanner = (self.kind() == Kind::Array).then(|| {
            let mut scanner = Scanner::new(self.0, MAX_DEPTH);
            scanner.enter(b'[', b']').map(|more| (scanner, more))
        });
        std::iter::from_fn(move || {
            let Some(Ok((scanner, more))) = &mut scanner else {
                return None;
            };
            if !*more {
                return None;
            }
            let value = scanner.value(1).ok()?;
            *more = scanner.more(b']').ok()?;
            Some(Raw(value))
        })
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    // This takes an eighth of the standard library's time for a long prompt; if something is wrong,
    // the latter says where.
    simdutf8::basic::from_utf8(bytes).map_err(|_| Error {
        at: std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len),
        problem: Problem::NotUtf8,
    })
}

#[cfg(test)]
mod tests;
