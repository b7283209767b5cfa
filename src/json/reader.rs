//! Reads a text front to back, stepping into only what is asked for.

use super::scan::Scanner;
use super::{Error, Kind, Problem, Raw, utf8};

/// A position in a text. Unlike [`Raw`], which finds members by reading from the start each time,
/// it looks at every byte once; the whole text has been checked when [`Reader::end`] says so.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) scanner: Scanner<'a>,
    depth: usize,
    max_depth: usize,
}

impl<'a> Reader<'a> {
    /// At the start of a text, which may nest this deep.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn new(bytes: &'a [u8], max_depth: usize) -> Result<Self, Error> {
        let mut scanner = Scanner::new(utf8(bytes)?, max_depth);
        scanner.space();
        Ok(Self::at(scanner, max_depth))
    }

    /// Before a value outside of any container.
    pub(super) fn at(scanner: Scanner<'a>, max_depth: usize) -> Self {
        Self {
            scanner,
            depth: 0,
            max_depth,
        }
    }

    /// Steps over the next value and returns it.
    ///
    /// # Errors
    /// Names the first byte that does not fit.
    pub fn value(&mut self) -> Result<Raw<'a>, Error> {
        self.scanner.value(self.depth).map(Raw)
    }

    /// Steps through the next value if it is an object, and over it if not. `member` is called
    /// before each member's value, and must step over it.
    ///
    /// # Errors
    /// Names the first byte that does not fit.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&str, &mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.object_at(|name, _, reader| member(name, reader))
    }

    /// As [`Reader::object`]; `member` also gets the offset of the name's opening quote.
    ///
    /// # Errors
    /// As above.
    pub fn object_at(
        &mut self,
        mut member: impl FnMut(&str, usize, &mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.scanner.peek() != Some(b'{') {
            return self.value().map(drop);
        }
        let mut more = self.enter(b'{', b'}')?;
        while more {
            let start = self.scanner.at();
            let key = self.scanner.name()?;
            member(&key, start, self)?;
            more = self.scanner.more(b'}')?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Steps through the next value if it is an array, and over it if not. `element` is called
    /// before each element, and must step over it.
    ///
    /// # Errors
    /// Names the first byte that does not fit.
    pub fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.scanner.peek() != Some(b'[') {
            return self.value().map(drop);
        }
        let mut more = self.enter(b'[', b']')?;
        while more {
            element(self)?;
            more = self.scanner.more(b']')?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Steps over the next value, and counts its elements if it is an array.
    ///
    /// # Errors
    /// Names the first byte that does not fit.
    pub fn count(&mut self) -> Result<usize, Error> {
        let mut count = 0;
        self.array(|element| {
            count += 1;
            element.value().map(drop)
        })?;
        Ok(count)
    }

    /// How far it has got, in bytes from the start of the text.
    #[must_use]
    pub fn at_byte(&self) -> usize {
        self.scanner.at()
    }

    /// The kind of the next value, judging by its first character.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.scanner.peek().map(Kind::of)
    }

    /// The text must end here.
    ///
    /// # Errors
    /// When something follows.
    pub fn end(mut self) -> Result<(), Error> {
        self.scanner.end()
    }

    pub(super) fn enter(&mut self, open: u8, close: u8) -> Result<bool, Error> {
        if self.depth >= self.max_depth {
            return Err(Error {
                at: self.scanner.at(),
                problem: Problem::TooDeep,
            });
        }
        self.depth += 1;
        self.scanner.enter(open, close)
    }
}
