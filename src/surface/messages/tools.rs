//! `tools` and `tool_choice`.
//!
//! A tool with a schema is a function. Those that Anthropic runs itself, or whose schema only its
//! own models know, are not available here: they are left out and reported, unless `tool_choice`
//! insists on one. A name that strict hosts reject is cut for the upstream, and restored for the
//! client.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::json::Raw;
use crate::request::Dropped;
use crate::request::MAX_TOOLS;
use crate::surface::chat::{Body, fitting, write_schema};
use crate::surface::fields::Fields;
use crate::surface::place::{Invalid, Place};

/// What a type begins with; a date follows.
const BUILT_IN: [&str; 12] = [
    "web_search",
    "web_fetch",
    "code_execution",
    "tool_search_tool",
    "mcp_toolset",
    "advisor",
    "bash_",
    "text_editor",
    "computer",
    "browser",
    "memory",
    "str_replace",
];

/// The names of tools that had to be cut: as sent upstream, and as given.
type Renamed = Vec<(String, String)>;

/// Carries the tools over, including those defined in the conversation.
pub(super) fn carry(
    fields: &mut Fields<'_>,
    more: &[Raw<'_>],
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<Renamed, Invalid> {
    let mut out = Vec::new();
    let mut left_out = Vec::new();
    let mut renamed = Vec::new();
    let mut known = HashSet::new();
    let place = Place::top("tools");
    let mut count = 0;
    let mut carry = |tool, place: &Place<'_>, again: bool, dropped: &mut Dropped| {
        count += 1;
        if count > MAX_TOOLS {
            return Err(Place::top("tools").too_many(MAX_TOOLS));
        }
        let before = out.len();
        match carry_one(tool, place, &mut out, dropped) {
            // It is already defined; many hosts reject two tools of the same name.
            Ok(Carried::As { name, .. }) if !known.insert(name) && again => out.truncate(before),
            Ok(Carried::As { name, up }) if up == name => {}
            Ok(Carried::As { name, up }) => renamed.push((up.into_owned(), name.to_owned())),
            Ok(Carried::Not(name)) => left_out.push(name),
            Err(invalid) => {
                out.truncate(before);
                return Err(invalid);
            }
        }
        Ok(())
    };
    if let Some(list) = fields.take("tools") {
        for (n, tool) in place.array(list)?.elements().enumerate() {
            carry(tool, &place.at(n), false, dropped)?;
        }
    }
    for tool in more {
        if carry(*tool, &place, true, dropped).is_err() {
            let kind = tool.get("type").and_then(Raw::escaped);
            dropped.note(kind.unwrap_or_default());
        }
    }
    let choice = fields.take("tool_choice");
    let choice = choice.map(|choice| Choice::read(choice, &left_out));
    let choice = choice.transpose()?;
    let Some(first) = out.first_mut() else {
        return match choice {
            Some(choice) if choice.forces => Err(Place::top("tool_choice")
                .cannot("demands a call, and none of the tools is carried")),
            Some(_) | None => Ok(Vec::new()),
        };
    };
    *first = b'[';
    out.push(b']');
    body.field("tools", out);
    if let Some(choice) = choice {
        body.field("tool_choice", choice.value);
        if choice.one_at_a_time {
            body.field("parallel_tool_calls", "false");
        }
    }
    Ok(renamed)
}

/// What became of a tool, by its name.
enum Carried<'a> {
    /// It was sent upstream under this name.
    As { name: &'a str, up: Cow<'a, str> },
    /// It was left out.
    Not(&'a str),
}

/// Writes one tool with a comma before it, if it can be carried.
fn carry_one<'a>(
    tool: Raw<'a>,
    place: &Place<'_>,
    out: &mut Vec<u8>,
    dropped: &mut Dropped,
) -> Result<Carried<'a>, Invalid> {
    let keys = ["type", "name", "description", "input_schema", "strict"];
    let [kind, name, description, schema, strict] = place.object(tool)?.pick(keys);
    if let Some(kind) = kind {
        let place = place.field("type");
        let kind = place.string(kind)?;
        if BUILT_IN.iter().any(|known| kind.starts_with(known)) {
            dropped.note(kind);
            let name = name.and_then(Raw::escaped);
            return Ok(Carried::Not(name.unwrap_or_default()));
        }
        if kind != "custom" {
            return Err(place.not_carried(kind));
        }
    }
    let name = place.name("name", name)?;
    let schema_place = place.field("input_schema");
    let schema = schema_place.object(schema.ok_or_else(|| schema_place.missing())?)?;
    let up = fitting(name);
    let mut piece = |text: &str| out.extend_from_slice(text.as_bytes());
    piece(r#",{"type":"function","function":{"name":""#);
    piece(&up);
    if let Some(description) = description {
        piece(r#"","description":""#);
        piece(place.field("description").string(description)?);
    }
    piece(r#"","parameters":"#);
    write_schema(schema, out, dropped);
    if let Some(strict) = strict {
        for piece in [r#","strict":"#, strict.text()] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    out.extend_from_slice(b"}}");
    Ok(Carried::As { name, up })
}

/// What `tool_choice` says.
struct Choice {
    /// For the upstream.
    value: String,
    /// A call must come of it.
    forces: bool,
    one_at_a_time: bool,
}

impl Choice {
    fn read(choice: Raw<'_>, left_out: &[&str]) -> Result<Self, Invalid> {
        let place = Place::top("tool_choice");
        let keys = ["type", "name", "disable_parallel_tool_use"];
        let [kind, name, single] = place.object(choice)?.pick(keys);
        let (value, forces) = match place.required("type", kind)? {
            "auto" => (r#""auto""#.to_owned(), false),
            "none" => (r#""none""#.to_owned(), false),
            "any" => (r#""required""#.to_owned(), true),
            "tool" => {
                let name = place.required("name", name)?;
                if left_out.contains(&name) {
                    return Err(place.field("name").not_carried(name));
                }
                let named = [
                    r#"{"type":"function","function":{"name":""#,
                    &fitting(name),
                    r#""}}"#,
                ];
                (named.concat(), true)
            }
            _ => return Err(place.field("type").must_be("auto, any, tool or none")),
        };
        let single = single.map(|s| place.field("disable_parallel_tool_use").flag(s));
        Ok(Self {
            value,
            forces,
            one_at_a_time: single.transpose()?.unwrap_or(false),
        })
    }
}
