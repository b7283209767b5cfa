//! The texts of a message's content, which is a string or a list of parts.

use crate::json::Raw;

/// The text of a part that is one, still escaped.
pub(super) fn text_of(part: Raw<'_>) -> Option<&str> {
    let [kind, text] = part.pick(["type", "text"]);
    let is_text = kind.is_some_and(|kind| kind.as_str().as_deref() == Some("text"));
    text.filter(|_| is_text).and_then(Raw::escaped)
}

/// Whether each part is a text.
pub(super) fn is_all_text(content: Raw<'_>) -> bool {
    content.elements().all(|part| text_of(part).is_some())
}

/// Writes texts as one, still escaped: parts are paragraphs.
pub(super) fn join_texts<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'t str>) {
    for (n, text) in texts.enumerate() {
        if n > 0 {
            out.extend_from_slice(b"\\n\\n");
        }
        out.extend_from_slice(text.as_bytes());
    }
}
