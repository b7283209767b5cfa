//! A JSON schema without what makes strict hosts reject a whole request.
//!
//! Many compile a `pattern` with an engine that knows no lookaround, no backreferences and no
//! `\p{...}`. A pattern is a hint to the model; the schema is useful without it.

use crate::json::{self, Kind, Raw, Reader, write};
use crate::request::Dropped;

/// What is reported for a schema that lost something.
const NOTE: &str = "pattern";

/// No schema nests deeper; one that does is left as it is.
const MAX_DEPTH: usize = 128;

/// Writes a schema without the patterns that some engines cannot read.
pub(in crate::surface) fn write_schema(schema: Raw<'_>, out: &mut Vec<u8>, dropped: &mut Dropped) {
    let text = schema.text();
    if !may_be_suspect(text) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let start = out.len();
    let mut cut = Cut {
        out,
        depth: 0,
        any: false,
    };
    let read = Reader::new(text.as_bytes(), json::MAX_DEPTH)
        .and_then(|mut reader| cut.value(Within::Schema, &mut reader));
    debug_assert!(read.is_ok(), "it has been checked");
    if cut.any {
        dropped.note(NOTE);
    } else {
        // Unchanged.
        out.truncate(start);
        out.extend_from_slice(text.as_bytes());
    }
}

/// A quick check of the whole text, since most schemas have nothing of the kind. A `<` may be
/// escaped.
fn may_be_suspect(text: &str) -> bool {
    text.contains("pattern") && (text.contains("(?") || text.contains(r"\\"))
}

/// Whether engines without backtracking and without Unicode tables reject this pattern.
fn is_suspect(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('p' | 'P') if chars.peek() == Some(&'{') => return true,
                Some('1'..='9' | 'k') if !in_class => return true,
                _ => {}
            },
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                let mut ahead = chars.clone();
                match (ahead.next(), ahead.next(), ahead.next()) {
                    (Some('?'), Some('=' | '!'), _) => return true,
                    (Some('?'), Some('<'), Some('=' | '!')) => return true,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    false
}

/// What a value in a schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// A schema, or a list of schemas.
    Schema,
    /// An object whose member names are the client's and whose values are schemas.
    Named,
    /// The same, with patterns for names.
    NamedByPattern,
}

struct Cut<'o> {
    out: &'o mut Vec<u8>,
    depth: usize,
    /// Something was left out.
    any: bool,
}

impl Cut<'_> {
    fn value(&mut self, within: Within, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        if self.depth == MAX_DEPTH {
            return self.as_it_is(reader);
        }
        self.depth += 1;
        match reader.kind() {
            Some(Kind::Object) => self.object(within, reader)?,
            Some(Kind::Array) => {
                self.out.push(b'[');
                let mut first = true;
                reader.array(|reader| {
                    self.comma(&mut first);
                    self.value(within, reader)
                })?;
                self.out.push(b']');
            }
            Some(Kind::String | Kind::Number | Kind::Bool | Kind::Null) | None => {
                self.as_it_is(reader)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self, within: Within, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        self.out.push(b'{');
        let mut first = true;
        reader.object(|key, reader| {
            let is_pattern = match within {
                Within::Schema => key == "pattern" && reader.kind() == Some(Kind::String),
                Within::Named => false,
                Within::NamedByPattern => is_suspect(key),
            };
            if is_pattern {
                let value = reader.value()?;
                let text = value.as_str();
                if within == Within::NamedByPattern || text.is_none_or(|text| is_suspect(&text)) {
                    self.any = true;
                    return Ok(());
                }
                self.name(key, &mut first);
                self.out.extend_from_slice(value.text().as_bytes());
                return Ok(());
            }
            self.name(key, &mut first);
            match (within, key) {
                (Within::Named | Within::NamedByPattern, _) => self.value(Within::Schema, reader),
                (Within::Schema, "properties" | "$defs" | "definitions" | "dependentSchemas") => {
                    self.value(Within::Named, reader)
                }
                (Within::Schema, "patternProperties") => self.value(Within::NamedByPattern, reader),
                // These hold values, not schemas.
                (Within::Schema, "default" | "const" | "enum" | "example" | "examples") => {
                    self.as_it_is(reader)
                }
                (Within::Schema, _) => self.value(Within::Schema, reader),
            }
        })?;
        self.out.push(b'}');
        Ok(())
    }

    fn name(&mut self, key: &str, first: &mut bool) {
        self.comma(first);
        write::string(self.out, key);
        self.out.push(b':');
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.out.push(b',');
        }
    }

    fn as_it_is(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        let value = reader.value()?;
        self.out.extend_from_slice(value.text().as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(schema: &str) -> (String, bool) {
        let mut out = Vec::new();
        let mut dropped = Dropped::default();
        let schema = Raw::parse(schema.as_bytes(), 64).unwrap();
        write_schema(schema, &mut out, &mut dropped);
        let noted = dropped.names().eq([NOTE]);
        assert_eq!(noted, !dropped.is_empty());
        (String::from_utf8(out).unwrap(), noted)
    }

    #[test]
    fn only_patterns_that_some_engines_reject_are_suspect() {
        #[rustfmt::skip]
        let rows = [
            (r"^(?=.*\d).+$",       true),
            (r"^(?!\.)",            true),
            (r"(?<=a)b",            true),
            (r"(?<!a)b",            true),
            (r"^\p{L}+$",           true),
            (r"[\p{L}\P{N}]",       true),
            (r"(a)\1",              true),
            (r"(?<x>a)\k<x>",       true),
            (r"^[a-z]+$",           false),
            (r"(?:a|b)",            false),
            (r"(?<name>a)",         false),
            (r"\(?=x",              false),
            (r"[(?=]",              false),
            (r"\\p{2}",             false),
            (r"\p",                 false),
            (r"\d{1,2}\.\w",        false),
            ("",                    false),
        ];
        for (pattern, expected) in rows {
            assert_eq!(is_suspect(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_is_left_out_at_any_depth_and_nothing_else() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"type":"string","pattern":"^(?!x)"}"#,                     r#"{"type":"string"}"#),
            (r#"{"pattern":"^(?!x)","type" : "string"}"#,                   r#"{"type":"string"}"#),
            (r#"{"properties":{"a":{"items":{"anyOf":[{"pattern":"\\p{L}"},{"type":"null"}]}}}}"#,
             r#"{"properties":{"a":{"items":{"anyOf":[{},{"type":"null"}]}}}}"#),
            (r#"{"$defs":{"pattern":{"pattern":"(?\u003c=a)"}},"n":1.50}"#,  r#"{"$defs":{"pattern":{}},"n":1.50}"#),
            (r#"{"patternProperties":{"^(?!x)":{},"^a":{"pattern":"(?=a)"}}}"#, r#"{"patternProperties":{"^a":{}}}"#),
            (r#"{"properties":{"default":{"pattern":"(?=a)"}}}"#,           r#"{"properties":{"default":{}}}"#),
        ];
        for (schema, expected) in rows {
            assert_eq!(written(schema), (expected.to_owned(), true), "{schema}");
        }
        #[rustfmt::skip]
        let rows = [
            r#"{ "pattern" : "^[a-z]\\d(?:x)?$" }"#,
            // A property of that name; what is no schema.
            r#"{"properties":{"pattern":{"type":"string","description":"as in (?=x) or \\p{L}"}}}"#,
            r#"{"default":{"pattern":"(?=a)"},"enum":[{"pattern":"(?=a)"}],"const":{"pattern":"(?=a)"}}"#,
            r#"{"pattern":7,"x":"(?="}"#,
            "{}",
        ];
        for schema in rows {
            assert_eq!(written(schema), (schema.to_owned(), false));
        }
    }
}
