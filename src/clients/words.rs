//! Words by which a client takes an error for a transient one, and how to keep it from matching
//! them.

/// Keeps the words of a text together, and looks like a space.
const NO_BREAK_SPACE: &str = "\u{a0}";
/// Has no width.
const WORD_JOINER: char = '\u{2060}';

/// Whether the text contains any of these, in any case.
pub(super) fn are_in(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|words| text.contains(words))
}

/// The same text for a person, with none of these in it for a program.
pub(super) fn unread(text: &str, words: &[&str]) -> String {
    let mut text = text.to_owned();
    for words in words {
        while let Some(at) = text.to_ascii_lowercase().find(words) {
            match words.find(' ') {
                Some(space) => text.replace_range(at + space..=at + space, NO_BREAK_SPACE),
                None => text.insert(at + 1, WORD_JOINER),
            }
        }
    }
    text
}
