//! The top-level names of a body, each of which may occur once.

use std::borrow::Cow;

use super::InvalidRequest;
use super::limits::MAX_FIELDS;

/// The names that have been read.
#[derive(Debug)]
pub struct Names<'a>(Vec<Cow<'a, str>>);

impl Default for Names<'_> {
    fn default() -> Self {
        Self(Vec::with_capacity(16))
    }
}

impl<'a> Names<'a> {
    /// Takes the next one; `known` is its spelling if it is one of ours, so that nothing of the
    /// client's is repeated.
    ///
    /// # Errors
    /// If it is a duplicate, or if there are more than any API has.
    pub fn add(
        &mut self,
        name: Cow<'a, str>,
        known: Option<&'static str>,
    ) -> Result<(), InvalidRequest> {
        if self.0.len() == MAX_FIELDS {
            return Err(InvalidRequest::TooManyFields);
        }
        if self.0.contains(&name) {
            return Err(known.map_or(InvalidRequest::DuplicateUnknown, InvalidRequest::Duplicate));
        }
        self.0.push(name);
        Ok(())
    }

    /// Whether it has been read.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|read| read == name)
    }
}
