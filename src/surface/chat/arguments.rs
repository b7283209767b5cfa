//! A call's arguments, which a model writes as text, as the JSON object that they have to be.

use crate::json::{Kind, Raw, Unescape};

/// No tool's input nests deeper.
const MAX_DEPTH: usize = 128;

/// Writes these arguments, which are still escaped, as an object; nothing, or `null`, becomes an
/// empty one. Anything else that is not an object is wrapped as Anthropic tells its own users to:
/// the tool then rejects it, and the model reads why.
pub(in crate::surface) fn write_object(arguments: &str, out: &mut Vec<u8>) {
    let text: String = Unescape::new(arguments).collect();
    match Raw::parse(text.as_bytes(), MAX_DEPTH) {
        Ok(input) if input.kind() == Kind::Object => {
            out.extend_from_slice(input.text().as_bytes());
        }
        _ if matches!(text.trim(), "" | "null") => out.extend_from_slice(b"{}"),
        Ok(_) | Err(_) => {
            out.extend_from_slice(br#"{"INVALID_JSON":""#);
            out.extend_from_slice(arguments.as_bytes());
            out.extend_from_slice(br#""}"#);
        }
    }
}
