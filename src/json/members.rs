//! The members of one object, with their positions.

use std::borrow::Cow;

use super::scan::Scanner;
use super::{Error, Kind, MAX_DEPTH, Raw, Reader, utf8};

/// One member of an object and its position in the text.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The name, unescaped.
    pub key: Cow<'a, str>,
    /// The value.
    pub value: Raw<'a>,
    /// The offset of the name's opening quote.
    pub start: usize,
    /// The offset of the value's first byte.
    pub value_start: usize,
    /// The offset after the value.
    pub end: usize,
}

/// The members of an object, checked while they are read.
#[derive(Debug)]
pub struct Members<'a> {
    reader: Reader<'a>,
    more: bool,
    whole: bool,
}

impl<'a> Members<'a> {
    /// Opens a text that must be one object and nothing else; `None` if it is another value. The
    /// text is only known to be valid JSON once [`Members::next`] has returned `None`.
    ///
    /// # Errors
    /// Names the first byte that does not fit.
    pub fn open(bytes: &'a [u8], max_depth: usize) -> Result<Option<Self>, Error> {
        let mut scanner = Scanner::new(utf8(bytes)?, max_depth);
        scanner.space();
        if scanner.peek() != Some(b'{') {
            scanner.value(0)?;
            scanner.end()?;
            return Ok(None);
        }
        Self::enter(scanner, max_depth, true).map(Some)
    }

    pub(super) fn nested(object: Raw<'a>) -> Option<Self> {
        let scanner = (object.kind() == Kind::Object).then(|| Scanner::new(object.0, MAX_DEPTH))?;
        Self::enter(scanner, MAX_DEPTH, false).ok()
    }

    fn enter(scanner: Scanner<'a>, max_depth: usize, whole: bool) -> Result<Self, Error> {
        let mut reader = Reader::at(scanner, max_depth);
        let more = reader.enter(b'{', b'}')?;
        Ok(Self {
            reader,
            more,
            whole,
        })
    }

    /// The next member; `None` after the last one.
    ///
    /// # Errors
    /// Names the first byte that does not fit.
    #[expect(
        clippy::should_implement_trait,
        reason = "it fails, and stops at the first failure"
    )]
    pub fn next(&mut self) -> Result<Option<Member<'a>>, Error> {
        self.next_through(|_, reader| reader.value().map(drop))
    }

    /// As [`Members::next`]; `step` gets the name, and must step over the value.
    ///
    /// # Errors
    /// As above.
    pub fn next_through(
        &mut self,
        step: impl FnOnce(&str, &mut Reader<'a>) -> Result<(), Error>,
    ) -> Result<Option<Member<'a>>, Error> {
        let reader = &mut self.reader;
        if !self.more {
            if self.whole {
                reader.scanner.end()?;
            }
            return Ok(None);
        }
        let start = reader.scanner.at();
        let key = reader.scanner.name()?;
        let value_start = reader.scanner.at();
        step(&key, reader)?;
        let value = Raw(reader.scanner.since(value_start));
        let end = reader.scanner.at();
        self.more = reader.scanner.more(b'}')?;
        Ok(Some(Member {
            key,
            value,
            start,
            value_start,
            end,
        }))
    }
}
