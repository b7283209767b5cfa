//! `reasoning_details`, put together from the fragments they come in.

use std::borrow::Cow;
use std::collections::HashMap;

use super::seal::MAX_DEPTH;
use crate::json::{Kind, Members, Raw, write};

/// The kinds that come in pieces, as they are written.
const TEXT: &str = r#""reasoning.text""#;
const SUMMARY: &str = r#""reasoning.summary""#;

/// What a detail takes beside its text.
const OVERHEAD: usize = 256;

/// Details with more members than any known one are not put together: each is looked for among
/// all of them.
const MAX_MEMBERS: usize = 64;

/// The details of a stream's reasoning, their fragments put together.
#[derive(Debug, Default)]
pub(in crate::surface) struct Details {
    list: Vec<Detail>,
    /// The last detail that may go on, by its `type` and `index`.
    last: HashMap<(String, Option<String>), usize>,
    /// How many bytes it holds, roughly.
    held: usize,
    /// What stood around the text of the last fragment.
    around: Option<(String, String)>,
}

#[derive(Debug)]
struct Detail {
    kind: String,
    members: Vec<(String, String)>,
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
            at = Some(self.take(fragment));
        }
        // The next fragment's text would go behind the last detail's.
        let last = at.is_some_and(|at| at + 1 == self.list.len());
        let texts = |detail: &Detail| detail.kind == TEXT;
        if last && self.list.last().is_some_and(texts) {
            self.around = around(details.text());
        }
    }

    /// Takes one fragment; answers the place of the detail that it is of.
    fn take(&mut self, fragment: Raw<'_>) -> usize {
        let [kind, index] = fragment.pick(["type", "index"]);
        let kind = kind.map_or("", Raw::text);
        let index = index.map(Raw::text);
        if matches!(kind, TEXT | SUMMARY) {
            let key = (kind.to_owned(), index.map(str::to_owned));
            let known = self.last.get(&key).copied();
            let few = fragment.members().nth(MAX_MEMBERS).is_none();
            if let Some((at, detail)) = known.and_then(|at| Some((at, self.list.get_mut(at)?)))
                && few
                && detail.members.len() <= MAX_MEMBERS
            {
                detail.merge(fragment);
                self.held += fragment.text().len();
                return at;
            }
            self.last.insert(key, self.list.len());
        }
        self.held += fragment.text().len() + OVERHEAD;
        let members = fragment.members();
        self.list.push(Detail {
            kind: kind.to_owned(),
            members: members
                .map(|(key, value)| (key.into_owned(), value.text().to_owned()))
                .collect(),
        });
        self.list.len() - 1
    }

    /// Nearly every fragment differs from the one before it in its text alone: then it needs not
    /// be read to be put behind that.
    fn repeats(&mut self, details: &str) -> bool {
        let text = self.around.as_ref().and_then(|(before, after)| {
            let text = details.strip_prefix(before.as_str())?;
            text.strip_suffix(after.as_str())
        });
        // A quote might end the string, a backslash take the one behind it.
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

    /// Writes them as JSON; the text that the client was shown stands as a 0.
    pub(super) fn write(&self, shown: &str, out: &mut Vec<u8>) {
        let is_shown = self.is_shown(shown);
        out.push(b'[');
        for (n, detail) in self.list.iter().enumerate() {
            out.extend_from_slice(if n == 0 { b"{" } else { b",{" });
            for (n, (key, value)) in detail.members.iter().enumerate() {
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
        out.push(b']');
    }

    /// The one text there is, if there is no more than that and it is what the client was shown.
    fn is_shown(&self, shown: &str) -> bool {
        let [detail] = self.list.as_slice() else {
            return false;
        };
        let text = detail.members.iter().find(|(key, _)| key == "text");
        let text = text.and_then(|(_, text)| text.strip_prefix('"')?.strip_suffix('"'));
        !shown.is_empty() && text == Some(shown)
    }
}

/// What stands before and behind the text of the only detail, if it has one.
fn around(details: &str) -> Option<(String, String)> {
    let object = details.strip_prefix('[')?.strip_suffix(']')?;
    let mut members = Members::open(object.as_bytes(), MAX_DEPTH).ok()??;
    let mut found = None;
    while let Some(member) = members.next().ok()? {
        if member.key == "text" && member.value.kind() == Kind::String {
            // Less the quotes, and behind the bracket.
            found = Some((member.value_start + 2, member.end));
        }
    }
    let (start, end) = found?;
    let (before, after) = (details.get(..start)?, details.get(end..)?);
    Some((before.to_owned(), after.to_owned()))
}

impl Detail {
    /// Puts more text behind the text; answers whether there was one.
    fn append(&mut self, more: &str) -> bool {
        let text = self.members.iter_mut().find(|(key, _)| key == "text");
        let Some((_, text)) = text.filter(|(_, text)| text.ends_with('"')) else {
            return false;
        };
        text.pop();
        text.push_str(more);
        text.push('"');
        true
    }

    fn merge(&mut self, fragment: Raw<'_>) {
        for (key, value) in fragment.members().filter(|(_, value)| !value.is_null()) {
            let known = self.members.iter_mut().find(|(known, _)| *known == key);
            match (known, value.escaped()) {
                (Some((_, text)), Some(more))
                    if matches!(&*key, "text" | "summary") && text.ends_with('"') =>
                {
                    text.pop();
                    text.push_str(more);
                    text.push('"');
                }
                (Some((_, old)), _) => value.text().clone_into(old),
                (None, _) => self
                    .members
                    .push((key.into_owned(), value.text().to_owned())),
            }
        }
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
