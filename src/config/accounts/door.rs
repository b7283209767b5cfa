//! The keys to the proxy itself, by the rules for all keys. Pure.

use super::split;
pub(in crate::config) use super::split::Unusable;
use crate::redact::Secret;

/// What stands in a text of this variable, each a key, perhaps with a name before it.
pub(in crate::config) fn parts<'t>(text: &'t str, name: &str) -> Result<Vec<&'t str>, Unusable> {
    split::parts(text, name, None)
}

/// The keys in a text of this variable, or of this file.
pub(in crate::config) fn keys(text: &str, name: &str) -> Result<Vec<Secret>, Unusable> {
    let keys = split::keys(text, name, None)?;
    if keys.is_empty() {
        return Err(Unusable::Rule("holds no key"));
    }
    Ok(keys)
}

/// One of them.
pub(in crate::config) fn key(text: &str) -> Result<Secret, Unusable> {
    let text = split::unquoted(text);
    if text.is_empty() {
        return Err(Unusable::Rule("has a name with no key behind its colon"));
    }
    if split::is_sample(text, None) {
        return Err(Unusable::Placeholder);
    }
    split::key(text)
}
