//! `reasoning_details`, assembled from the fragments they arrive in.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::json::{Kind, Members, Raw, write};

/// A detail cannot nest deeper: no known one has more than two levels.
pub(super) const MAX_DEPTH: usize = 12;

/// The kinds that come in pieces, as they are written.
const TEXT: &str = r#""reasoning.text""#;
const SUMMARY: &str = r#""reasoning.summary""#;

/// What a detail occupies besides its text.
const OVERHEAD: usize = 256;

/// Details with more members than any known one are not assembled: each fragment's members are
/// searched for among all of them, which costs many times its text.
const MAX_MEMBERS: usize = 16;

/// More details than any model has in one answer: each costs many times its text.
const MAX_DETAILS: usize = 16_384;

/// The details of a stream's reasoning, assembled from fragments.
#[derive(Debug, Default)]
pub(in crate::surface) struct Details {
    list: Vec<Detail>,
    /// The last detail that may be continued, by its `type` and `index`.
    last: HashMap<(String, Option<String>), usize>,
    /// How many bytes it holds, roughly.
    held: usize,
    /// What surrounded the text of the last fragment.
    around: Option<(String, String)>,
    too_many: bool,
}

#[derive(Debug)]
enum Detail {
    /// One that may arrive in pieces, as its members.
    Text(Vec<(String, String)>),
    Summary(Vec<(String, String)>),
    /// Any other, as it arrived.
    Whole(String),
}

impl Details {
    /// Takes the details of the next chunk.
    pub(in crate::surface) fn add(&mut self, details: Raw<'_>) {
        if self.repeats(details.text()) {
            return;
        }
        self.around = None;
        let mut at = None;
        for fragment in details.elements().filter(|e| e.kind() == Kind::Object) {
            if self.list.len() == MAX_DETAILS {
                self.too_many = true;
                return;
            }
            at = Some(self.take(fragment));
        }
        // The next fragment's text would be appended to the last detail.
        let last = at.is_some_and(|at| at + 1 == self.list.len());
        if last && let Some(Detail::Text(_)) = self.list.last() {
            self.around = around(details.text());
        }
    }

    /// Whether there are more of them than an answer may have.
    pub(in crate::surface) fn are_too_many(&self) -> bool {
        self.too_many
    }

    /// Takes what has come so far; what comes next starts anew. That there was too much is
    /// remembered.
    pub(in crate::surface) fn taken(&mut self) -> Self {
        let too_many = self.too_many;
        let taken = std::mem::take(self);
        self.too_many = too_many;
        taken
    }

    /// Takes one fragment, and returns the index of the detail it belongs to.
    fn take(&mut self, fragment: Raw<'_>) -> usize {
        let [kind, index] = fragment.pick(["type", "index"]);
        let kind = kind.map_or("", Raw::text);
        let few = fragment.members().nth(MAX_MEMBERS).is_none();
        let detail: fn(Vec<(String, String)>) -> Detail = match kind {
            TEXT if few => Detail::Text,
            SUMMARY if few => Detail::Summary,
            _ => {
                self.held += fragment.text().len() + OVERHEAD;
                self.list.push(Detail::Whole(fragment.text().to_owned()));
                return self.list.len() - 1;
            }
        };
        let key = (kind.to_owned(), index.map(|index| index.text().to_owned()));
        let known = self.last.get(&key).copied();
        if let Some((at, detail)) = known.and_then(|at| Some((at, self.list.get_mut(at)?)))
            && detail.merge(fragment)
        {
            self.held += fragment.text().len();
            return at;
        }
        self.last.insert(key, self.list.len());
        self.held += fragment.text().len() + OVERHEAD;
        let members = fragment.members();
        let members = members.map(|(key, value)| (key.into_owned(), value.text().to_owned()));
        self.list.push(detail(members.collect()));
        self.list.len() - 1
    }

    /// Nearly every fragment differs from the one before only in its text: then it can be appended
    /// without being parsed.
    fn repeats(&mut self, details: &str) -> bool {
        let text = self.around.as_ref().and_then(|(before, after)| {
            let text = details.strip_prefix(before.as_str())?;
            text.strip_suffix(after.as_str())
        });
        // A quote might end the string, a backslash escape the character after it.
        let text = text.filter(|text| !text.contains(['"', '\\']));
        let (Some(text), Some(detail)) = (text, self.list.last_mut()) else {
            return false;
        };
        let appended = detail.append(text);
        if appended {
            self.held += text.len();
        }
        appended
    }

    pub(in crate::surface) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many bytes it holds, roughly.
    pub(in crate::surface) fn held(&self) -> usize {
        self.held
    }

    /// Writes them as JSON; a text that the client was shown is written as a 0.
    pub(super) fn write(&self, shown: &str, out: &mut Vec<u8>) {
        let is_shown = self.is_shown(shown);
        out.push(b'[');
        for (n, detail) in self.list.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            detail.write(is_shown, out);
        }
        out.push(b']');
    }

    /// The only text, if there is just one and it is what the client was shown.
    fn is_shown(&self, shown: &str) -> bool {
        let [detail] = self.list.as_slice() else {
            return false;
        };
        let text = detail.members().iter().find(|(key, _)| key == "text");
        let text = text.and_then(|(_, text)| text.strip_prefix('"')?.strip_suffix('"'));
        !shown.is_empty() && text == Some(shown)
    }
}

/// What surrounds the text of the only detail, if it has one.
fn around(details: &str) -> Option<(String, String)> {
    let object = details.strip_prefix('[')?.strip_suffix(']')?;
    let mut members = Members::open(object.as_bytes(), MAX_DEPTH).ok()??;
    let mut found = None;
    while let Some(member) = members.next().ok()? {
        if member.key == "text" && member.value.kind() == Kind::String {
            // Without the quotes, and after the bracket.
            found = Some((member.value_start + 2, member.end));
        }
    }
    let (start, end) = found?;
    let (before, after) = (details.get(..start)?, details.get(end..)?);
    Some((before.to_owned(), after.to_owned()))
}

impl Detail {
    /// The members of one that may arrive in pieces.
    fn members(&self) -> &[(String, String)] {
        match self {
            Self::Text(members) | Self::Summary(members) => members,
            Self::Whole(_) => &[],
        }
    }

    fn members_mut(&mut self) -> Option<&mut Vec<(String, String)>> {
        match self {
            Self::Text(members) | Self::Summary(members) => Some(members),
            Self::Whole(_) => None,
        }
    }

    fn write(&self, is_shown: bool, out: &mut Vec<u8>) {
        if let Self::Whole(text) = self {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(b'{');
        for (n, (key, value)) in self.members().iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            write::string(out, key);
            out.push(b':');
            let left_out = is_shown && key == "text";
            out.extend_from_slice(if left_out { b"0" } else { value.as_bytes() });
        }
        out.push(b'}');
    }

    /// Appends to the text; returns whether there was one.
    fn append(&mut self, more: &str) -> bool {
        let mut members = self.members_mut().into_iter().flatten();
        let text = members.find(|(key, _)| key == "text");
        let Some((_, text)) = text.filter(|(_, text)| text.ends_with('"')) else {
            return false;
        };
        text.pop();
        text.push_str(more);
        text.push('"');
        true
    }

    /// Merges a fragment into it, if it has few enough members.
    fn merge(&mut self, fragment: Raw<'_>) -> bool {
        let Some(members) = self.members_mut().filter(|m| m.len() <= MAX_MEMBERS) else {
            return false;
        };
        for (key, value) in fragment.members().filter(|(_, value)| !value.is_null()) {
            let known = members.iter_mut().find(|(known, _)| *known == key);
            match (known, value.escaped()) {
                (Some((_, text)), Some(more))
                    if matches!(&*key, "text" | "summary") && text.ends_with('"') =>
                {
                    text.pop();
                    text.push_str(more);
                    text.push('"');
                }
                (Some((_, old)), _) => value.text().clone_into(old),
                (None, _) => members.push((key.into_owned(), value.text().to_owned())),
            }
        }
        true
    }
}

/// The text of details that come without `reasoning` beside them, still escaped.
pub(in crate::surface) fn text_of(details: Raw<'_>) -> Option<Cow<'_, str>> {
    let mut texts = details.elements().filter_map(|detail| {
        let [text, summary] = detail.pick(["text", "summary"]);
        text.or(summary)?.escaped().filter(|text| !text.is_empty())
    });
    let first = texts.next()?;
    let mut whole = Cow::Borrowed(first);
    for text in texts {
        whole.to_mut().push_str(text);
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_have_a_text() {
        #[rustfmt::skip]
        let rows = [
            (r#"[{"text":"a"},{"summary":"b"},{"data":"c"}]"#, Some("ab")),
            (r#"[{"text":""},{"text":null}]"#,                 None),
            (r#"[{"data":"c"}, 7]"#,                           None),
        ];
        for (details, expected) in rows {
            let details = Raw::parse(details.as_bytes(), 9).unwrap();
            assert_eq!(text_of(details).as_deref(), expected);
        }
    }
}
