//! Calls in a history that belong to none of the client's tools: OpenAI's own tools, another
//! vendor's, and whatever is invented next. They are recognised by shape, not by name: an item
//! whose type ends in `_call` is a call, with its result in it or in an item whose type ends in
//! `_output`.

use super::parts::returned;
use super::tools::{found, joined};
use crate::json::{Kind, Raw, write};
use crate::surface::chat::{Arguments, Body, Part, Url};

/// Where a result is found, in a call or in an item of its own.
const RESULTS: [&str; 5] = ["output", "outputs", "result", "results", "error"];

/// Members that say nothing about what was called or with which arguments.
const AROUND: [&str; 12] = [
    "type",
    "id",
    "call_id",
    "status",
    "name",
    "namespace",
    "server_label",
    "caller",
    "execution",
    "fingerprint",
    "pending_safety_checks",
    "approval_request_id",
];

/// Carries over an item of this type if it is a call or the result of one.
pub(super) fn carry(kind: &str, item: Raw<'_>, body: &mut Body) -> bool {
    if kind == "tool_search_output" {
        // The tools themselves are already in the request's list.
        let names = found(item);
        let names: Vec<Part<'_>> = names.iter().map(|name| Part::Tool(name)).collect();
        body.result(id_of(item).0, &names, false);
    } else if kind.ends_with("_output") {
        let shown = item.pick(RESULTS).into_iter().flatten().next();
        body.result(
            id_of(item).0,
            &returned(shown.or(item.get("status"))),
            false,
        );
    } else if let Some(tool) = tool_of(kind) {
        call(&tool, item, body);
    } else {
        return false;
    }
    true
}

/// The name of the tool that an item of this type calls.
fn tool_of(kind: &str) -> Option<String> {
    let stem = if kind == "program" {
        kind
    } else {
        kind.strip_suffix("_call")?
    };
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = stem.chars().filter(plain).collect();
    (!name.is_empty()).then_some(name)
}

/// A result refers to its call by `call_id`; some calls have only the item's own id.
fn id_of(item: Raw<'_>) -> (&str, Option<&str>) {
    let [call, own] = item
        .pick(["call_id", "id"])
        .map(|id| id.and_then(Raw::escaped));
    (
        call.or(own).unwrap_or_default(),
        own.filter(|_| call.is_some()),
    )
}

fn call<'a>(tool: &'a str, item: Raw<'a>, body: &mut Body) {
    let [name, namespace, server, arguments, input] =
        item.pick(["name", "namespace", "server_label", "arguments", "input"]);
    let text = |value: Option<Raw<'a>>| value.and_then(Raw::escaped);
    let name = match text(name).filter(|name| !name.is_empty()) {
        Some(name) => joined(text(namespace).or_else(|| text(server)), name),
        None => joined(None, tool),
    };
    let (id, alias) = id_of(item);
    let made;
    let arguments = match (arguments, input) {
        (Some(arguments), _) if arguments.kind() == Kind::Object => {
            Arguments::Json(arguments.text())
        }
        (Some(arguments), _) if arguments.kind() == Kind::String => {
            Arguments::Text(arguments.escaped().unwrap_or_default())
        }
        (_, Some(input)) if input.kind() == Kind::String => {
            Arguments::Input(input.escaped().unwrap_or_default())
        }
        _ => {
            made = said(item);
            Arguments::Json(&made)
        }
    };
    body.call(id, alias, &name, arguments);
    let Some(result) = item.pick(RESULTS).into_iter().flatten().next() else {
        return;
    };
    let failed = RESULTS
        .iter()
        .all(|name| *name == "error" || item.get(name).is_none());
    // A result without an id answers the call without one.
    match picture(tool, item, result) {
        Some(picture) => body.result(id, &[picture], failed),
        None => body.result(id, &returned(Some(result)), failed),
    }
}

/// The arguments of a call, where they are spread over the item.
fn said(item: Raw<'_>) -> String {
    let is_said = |name: &str, value: Raw<'_>| {
        !AROUND.contains(&name) && !RESULTS.contains(&name) && !value.is_null()
    };
    write::object(item.members().filter(|(name, value)| is_said(name, *value)))
}

/// The picture that an `image_generation_call` holds in base64.
fn picture<'a>(tool: &str, item: Raw<'a>, result: Raw<'a>) -> Option<Part<'a>> {
    let base64 = result.escaped().filter(|_| tool == "image_generation")?;
    let format = item.get("output_format").and_then(Raw::escaped);
    let media_type = match format {
        None | Some("png") => "image/png",
        Some("jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("gif") => "image/gif",
        Some(_) => return Some(Part::Text("(a picture)")),
    };
    let url = Url::Data { media_type, base64 };
    Some(Part::Image { url, detail: None })
}
