//! A JSON text with pieces removed, inserted or replaced, front to back; everything else byte for
//! byte.
//!
//! Long unchanged stretches are slices of the text, so that a large body is not copied for a small
//! change.

use std::ops::Range;

use bytes::Bytes;

use super::Raw;

/// Unchanged stretches are copied up to this length; longer ones are sliced.
const SLICED: usize = 4 * 1024;

/// A text being changed. Changes must come in the order of their positions; one before the last is
/// ignored.
#[derive(Debug)]
pub struct Patch<'a> {
    text: &'a Bytes,
    at: usize,
    parts: Vec<Bytes>,
    open: Vec<u8>,
    changed: bool,
}

impl<'a> Patch<'a> {
    /// At the start of a text.
    #[must_use]
    pub fn new(text: &'a Bytes) -> Self {
        Self {
            text,
            at: 0,
            parts: Vec::new(),
            open: Vec::new(),
            changed: false,
        }
    }

    /// The range of one of its values.
    #[must_use]
    pub fn place(&self, value: Raw<'_>) -> Range<usize> {
        let start = value.text().as_ptr().addr();
        let start = start.saturating_sub(self.text.as_ptr().addr());
        start..start + value.text().len()
    }

    /// Replaces a range.
    pub fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        self.write(range, |out| out.extend_from_slice(with));
    }

    /// The same with something that is written in place.
    pub fn write(&mut self, range: Range<usize>, with: impl FnOnce(&mut Vec<u8>)) {
        let end = range.end.min(self.text.len());
        if range.start < self.at || end < range.start {
            return;
        }
        self.copy_to(range.start);
        with(&mut self.open);
        self.at = end;
        self.changed = true;
    }

    /// Inserts something.
    pub fn insert(&mut self, at: usize, text: &[u8]) {
        self.replace(at..at, text);
    }

    /// Whether anything has been changed.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// The complete changed text, in as few pieces as is cheap.
    #[must_use]
    pub fn parts(mut self) -> Vec<Bytes> {
        self.copy_to(self.text.len());
        self.close();
        self.parts
    }

    /// The same in one piece; the text itself if nothing was changed.
    #[must_use]
    pub fn whole(self) -> Bytes {
        if !self.changed {
            return self.text.clone();
        }
        let parts = self.parts();
        match parts.as_slice() {
            [one] => one.clone(),
            several => several.concat().into(),
        }
    }

    fn copy_to(&mut self, to: usize) {
        let range = self.at..to;
        if range.len() >= SLICED {
            self.close();
            self.parts.push(self.text.slice(range));
        } else {
            self.open
                .extend_from_slice(self.text.get(range).unwrap_or_default());
        }
        self.at = self.at.max(to);
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.parts.push(std::mem::take(&mut self.open).into());
        }
    }
}

/// Which members of an object, or elements of an array, stay: each one removed takes one comma
/// along.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cuts {
    /// Where the last one that stays ended.
    end: Option<usize>,
    /// Those removed before the first that stays.
    leading: Option<(usize, usize)>,
}

impl Cuts {
    /// The one that begins at `start` stays. To be called before anything in it is changed.
    pub fn keep(&mut self, patch: &mut Patch<'_>, start: usize) {
        if let Some((from, _)) = self.leading.take() {
            patch.replace(from..start, b"");
        }
    }

    /// It ended here.
    pub fn kept(&mut self, end: usize) {
        self.end = Some(end);
    }

    /// This one is removed.
    pub fn cut(&mut self, patch: &mut Patch<'_>, start: usize, end: usize) {
        match &mut self.end {
            // After one that stays: the comma before it is removed too.
            Some(before) => {
                patch.replace(*before..end, b"");
                *before = end;
            }
            None => self.leading = Some((self.leading.map_or(start, |(from, _)| from), end)),
        }
    }

    /// Nothing follows. `more` are members to be added after those that stay; `inside` is where the
    /// first goes if there are none.
    pub fn end<'m>(
        self,
        patch: &mut Patch<'_>,
        inside: usize,
        more: impl IntoIterator<Item = &'m [u8]>,
    ) {
        if let Some((from, end)) = self.leading {
            patch.replace(from..end, b"");
        }
        let gone = self.leading.map(|(_, end)| end);
        let at = self.end.or(gone).unwrap_or(inside);
        let mut any = self.end.is_some();
        for member in more {
            if any {
                patch.insert(at, b",");
            }
            patch.insert(at, member);
            any = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The object without the members whose names are in `gone`, and with `more`.
    fn edited(text: &str, gone: &[&str], more: &[&str]) -> String {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let mut patch = Patch::new(&bytes);
        let mut cuts = Cuts::default();
        let object = Raw::parse(&bytes, 9).unwrap();
        let base = patch.place(object).start;
        let mut members = object.object().unwrap();
        while let Some(member) = members.next().unwrap() {
            let (start, end) = (base + member.start, base + member.end);
            if gone.contains(&member.key.as_ref()) {
                cuts.cut(&mut patch, start, end);
            } else {
                cuts.keep(&mut patch, start);
                cuts.kept(end);
            }
        }
        cuts.end(
            &mut patch,
            base + 1,
            more.iter().map(|text| text.as_bytes()),
        );
        let whole = patch.whole();
        String::from_utf8(whole.to_vec()).unwrap()
    }

    #[test]
    fn removal_includes_the_comma() {
        #[rustfmt::skip]
        let rows: &[(&str, &[&str], &[&str], &str)] = &[
            (r#"{"a":1,"b":2,"c":3}"#,        &["a"],           &[],                r#"{"b":2,"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#,        &["b"],           &[],                r#"{"a":1,"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#,        &["c"],           &[],                r#"{"a":1,"b":2}"#),
            (r#"{"a":1,"b":2,"c":3}"#,        &["a", "b"],      &[],                r#"{"c":3}"#),
            (r#"{"a":1,"b":2,"c":3}"#,        &["a", "c"],      &[],                r#"{"b":2}"#),
            (r#"{"a":1,"b":2,"c":3}"#,        &["a", "b", "c"], &[],                r#"{}"#),
            (r#" { "a" : 1 , "b" : 2 } "#,    &["a", "b"],      &[r#""x":0"#],      r#" { "x":0 } "#),
            (r#" { "a" : 1 , "b" : 2 } "#,    &["b"],           &[r#""x":0"#],      r#" { "a" : 1,"x":0 } "#),
            (r#"{"a":1}"#,                    &[],              &[r#""x":0"#, r#""y":0"#], r#"{"a":1,"x":0,"y":0}"#),
            (r#"{ }"#,                        &[],              &[r#""x":0"#],      r#"{"x":0 }"#),
            (r#" {"a":1} "#,                  &[],              &[],                r#" {"a":1} "#),
        ];
        for (text, gone, more, expected) in rows {
            assert_eq!(edited(text, gone, more), *expected, "{text} {gone:?}");
        }
    }

    #[test]
    fn unchanged_stretches_share_memory() {
        let bytes = Bytes::from(format!("[1,\"{}\"]", "x".repeat(100_000)));
        assert_eq!(Patch::new(&bytes).whole().as_ptr(), bytes.as_ptr());
        let mut patch = Patch::new(&bytes);
        patch.replace(1..2, b"23");
        assert!(patch.is_changed());
        // A change before the last is ignored, and so is one beyond the end.
        patch.replace(0..1, b"no");
        patch.replace(200_000..200_001, b"no");
        let parts = patch.parts();
        let lengths: Vec<usize> = parts.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [3, 100_004]);
        assert_eq!(parts[1].as_ptr(), bytes[2..].as_ptr());
    }
}
