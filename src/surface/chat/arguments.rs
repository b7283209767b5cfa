//! A call's arguments, which a model writes as a text, as the JSON object that they have to be.

use crate::json::{Kind, Raw, Unescape};

/// No tool's input nests deeper.
const MAX_DEPTH: usize = 128;

/// Writes the object of these arguments, which are still escaped; nothing, or `null`, is an empty
/// one. What a model wrote that is none
/// goes out as Anthropic tells its own users to wrap it: the tool refuses it, and the model reads
/// why.
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
