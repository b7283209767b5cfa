//! The characters of an escaped string, one by one and without a copy.

/// Reads what is between a string's quotes ([`super::Raw::escaped`]). Half a surrogate pair becomes
/// U+FFFD.
#[derive(Clone, Debug)]
pub struct Unescape<'a> {
    rest: std::str::Chars<'a>,
}

impl<'a> Unescape<'a> {
    /// The characters of `escaped`, which must be part of a valid JSON text.
    #[must_use]
    pub fn new(escaped: &'a str) -> Self {
        Self {
            rest: escaped.chars(),
        }
    }

    /// What has not been read yet, escaped.
    #[must_use]
    pub fn rest(&self) -> &'a str {
        self.rest.as_str()
    }

    fn unit(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| {
            Some(unit * 16 + self.rest.next()?.to_digit(16)?)
        })
    }

    fn coded(&mut self) -> char {
        let Some(first) = self.unit() else {
            return char::REPLACEMENT_CHARACTER;
        };
        if (0xd800..0xdc00).contains(&first) {
            let mut ahead = self.clone();
            if ahead.rest.next() == Some('\\')
                && ahead.rest.next() == Some('u')
                && let Some(second @ 0xdc00..0xe000) = ahead.unit()
            {
                *self = ahead;
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
        }
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

impl Iterator for Unescape<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        if next != '\\' {
            return Some(next);
        }
        Some(match self.rest.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => self.coded(),
            itself => itself,
        })
    }
}
