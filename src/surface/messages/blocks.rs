//! `system` and `messages`: blocks become the messages of a chat completion.
//!
//! `cache_control` and the like are markers for Anthropic's servers and mean nothing here. Nothing
//! in a history is refused: what is not a block, or lacks a required member, is left out and named.
//! What the user asks last has to be valid.

use super::block::{Block, part};
use crate::json::{Kind, Raw};
use crate::request::Dropped;
use crate::request::{MAX_MESSAGES, MAX_PARTS};
use crate::surface::chat::{Arguments, Body, Part, TOO_MANY, fitting, unseal};
use crate::surface::place::{Invalid, Place};
use crate::surface::unfit::Unfit;

/// Carries `messages` over. Returns the tools defined in it.
pub(super) fn carry<'a>(
    messages: Raw<'a>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<Vec<Raw<'a>>, Invalid> {
    let place = Place::top("messages");
    let mut tools = Vec::new();
    let mut unfit = Unfit::new(dropped);
    for message in place.each(place.array(messages)?, MAX_MESSAGES) {
        let (place, message) = message?;
        let [role, content] = message.pick(["role", "content"]);
        let role = match place.object(message) {
            Ok(_) => place.required("role", role),
            Err(invalid) => Err(invalid),
        };
        if let Ok("system") = role {
            system(content, body, &mut tools, &mut unfit);
            continue;
        }
        unfit.goes_on();
        let inside = place.field("content");
        let content = content.ok_or_else(|| inside.missing());
        let content = content.and_then(|content| match content.kind() {
            Kind::String | Kind::Array => Ok(content),
            Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {
                Err(inside.must_be("a string or a list of blocks"))
            }
        });
        match (role, content) {
            (Ok("user"), Ok(content)) => user(content, &inside, body, &mut unfit),
            (Ok("assistant"), Ok(content)) => assistant(content, body, &mut unfit),
            // It says nothing.
            (Ok("assistant"), Err(_)) => {}
            (Ok("user"), Err(invalid)) | (Err(invalid), _) => unfit.refuse(message, invalid),
            (Ok(_), _) => {
                let role = place.field("role");
                unfit.refuse(message, role.must_be("user, assistant or system"));
            }
        }
    }
    unfit.settle()?;
    Ok(tools)
}

/// What the system says first: a string, or text blocks.
pub(super) fn texts<'a>(content: Raw<'a>, place: &Place<'_>) -> Result<Vec<&'a str>, Invalid> {
    if let Some(text) = content.escaped() {
        return Ok(vec![text]);
    }
    let mut texts = Vec::new();
    for block in place.each(place.array(content)?, MAX_PARTS) {
        let (place, block) = block?;
        let [kind, text] = place.object(block)?.pick(["type", "text"]);
        match place.required("type", kind)? {
            "text" => texts.push(place.required("text", text)?),
            other => return Err(place.field("type").not_carried(other)),
        }
    }
    Ok(texts)
}

/// What the system says within the conversation. Tools may be defined there.
fn system<'a>(
    content: Option<Raw<'a>>,
    body: &mut Body,
    tools: &mut Vec<Raw<'a>>,
    unfit: &mut Unfit<'_>,
) {
    let Some(content) = content else {
        return;
    };
    if let Some(text) = content.escaped() {
        return body.system([text]);
    }
    let mut texts = Vec::new();
    for block in content.elements().take(TOO_MANY) {
        let [kind, text, tool] = block.pick(["type", "text", "tool"]);
        match (kind.and_then(Raw::escaped), text.and_then(Raw::escaped)) {
            (Some("text"), Some(text)) => texts.push(text),
            // A tool that is only named again is in the request's list.
            (Some("tool_addition"), _) => {
                tools.extend(tool.and_then(|tool| tool.get("definition")))
            }
            _ => unfit.leave_out(block),
        }
    }
    body.system(texts);
}

/// What the user says, and the results of tools. Results come first: chat knows no other order.
fn user(content: Raw<'_>, place: &Place<'_>, body: &mut Body, unfit: &mut Unfit<'_>) {
    if let Some(text) = content.escaped() {
        return body.user(&[Part::Text(text)]);
    }
    let mut parts = Vec::new();
    for (n, whole) in content.elements().take(TOO_MANY).enumerate() {
        let place = place.at(n);
        let before = parts.len();
        let read = Block::read(whole, &place).and_then(|block| {
            if block.is_result() {
                result(&block, body, unfit);
                return Ok(());
            }
            part(&block, &place, &mut parts, unfit)
        });
        if let Err(invalid) = read {
            parts.truncate(before);
            unfit.refuse(whole, invalid);
        }
    }
    // A message of which nothing is left says nothing.
    if !parts.is_empty() || content.is_empty() {
        body.user(&parts);
    }
}

fn result(block: &Block<'_>, body: &mut Body, unfit: &mut Unfit<'_>) {
    let id = block.tool_use_id.and_then(Raw::escaped);
    let mut parts = Vec::new();
    let mut failed = block.is_error.and_then(Raw::as_bool) == Some(true);
    match block.content {
        None => {}
        Some(list) if list.kind() == Kind::Array => {
            for element in list.elements().take(TOO_MANY) {
                returned(element, &mut parts, unfit);
            }
        }
        Some(content) => {
            let kind = content.get("type").and_then(Raw::escaped);
            failed |= kind.is_some_and(|kind| kind.ends_with("_error"));
            returned(content, &mut parts, unfit);
        }
    }
    body.result(id.unwrap_or_default(), &parts, failed);
}

/// A piece of what a tool returned: what is not a part is rendered as text.
fn returned<'a>(piece: Raw<'a>, parts: &mut Vec<Part<'a>>, unfit: &mut Unfit<'_>) {
    let [kind, tool, url, inner] = piece.pick(["type", "tool_name", "url", "content"]);
    let text = |value: Option<Raw<'a>>| value.and_then(Raw::escaped);
    match (text(kind), text(tool), inner) {
        (Some("tool_reference"), Some(name), _) => parts.push(Part::Tool(name)),
        (Some("web_fetch_result"), _, Some(document)) => {
            parts.extend(text(url).map(Part::Text));
            returned(document, parts, unfit);
        }
        _ => {
            let (place, before) = (Place::top("content"), parts.len());
            let read = Block::read(piece, &place);
            if read
                .and_then(|block| part(&block, &place, parts, unfit))
                .is_err()
            {
                parts.truncate(before);
                parts.push(Part::Foreign(piece));
            }
        }
    }
}

/// What the model said, and what a server did for it meanwhile.
fn assistant(content: Raw<'_>, body: &mut Body, unfit: &mut Unfit<'_>) {
    body.end_turn();
    if let Some(text) = content.escaped() {
        return body.text(text);
    }
    for block in content.elements() {
        if body.is_too_much() {
            return;
        }
        let keys = [
            "type",
            "text",
            "id",
            "name",
            "input",
            "thinking",
            "signature",
            "data",
            "content",
        ];
        let [
            kind,
            text,
            id,
            name,
            input,
            thought,
            signature,
            data,
            content,
        ] = block.pick(keys);
        let kind = kind.and_then(Raw::escaped).unwrap_or_default();
        let name = name.and_then(Raw::escaped).filter(|name| !name.is_empty());
        let said = match kind {
            "compaction" => content.and_then(Raw::escaped),
            "text" => text.and_then(Raw::escaped),
            _ => None,
        };
        match (kind, said, name) {
            (_, Some(text), _) => body.text(text),
            ("thinking", ..) => {
                let thought = thought.and_then(Raw::escaped).unwrap_or_default();
                let signature = signature.and_then(Raw::escaped);
                thinking(thought.as_bytes(), signature, body);
            }
            ("redacted_thinking", ..) => {
                redacted(data.and_then(Raw::escaped).unwrap_or_default(), body);
            }
            // The client's tool, or one that a server ran.
            (_, _, Some(name)) if kind.ends_with("tool_use") => {
                let input = match input.map(|input| (input.kind(), input)) {
                    Some((Kind::Object, input)) => Arguments::Json(input.text()),
                    Some((_, input)) => input
                        .escaped()
                        .map_or(Arguments::Json("{}"), Arguments::Text),
                    None => Arguments::Json("{}"),
                };
                body.call(
                    id.and_then(Raw::escaped).unwrap_or_default(),
                    None,
                    &fitting(name),
                    input,
                );
            }
            _ if kind.ends_with("tool_result") => {
                match Block::read(block, &Place::top("content")) {
                    Ok(block) => result(&block, body, unfit),
                    Err(_) => unfit.leave_out(block),
                }
            }
            _ => unfit.leave_out(block),
        }
    }
}

/// One of our signatures holds the details; any other means nothing to a free model.
fn thinking(text: &[u8], signature: Option<&str>, body: &mut Body) {
    let mut details = Vec::new();
    if let Some(unsealed) = signature.and_then(unseal) {
        unsealed.write(&mut details, text);
    }
    body.reasoning(text, &details);
}

fn redacted(data: &str, body: &mut Body) {
    let mut details = Vec::new();
    match unseal(data) {
        Some(unsealed) => unsealed.write(&mut details, b""),
        None => {
            let start = r#",{"type":"reasoning.encrypted","data":""#;
            for piece in [start, data, r#"","format":"anthropic-claude-v1"}"#] {
                details.extend_from_slice(piece.as_bytes());
            }
        }
    }
    body.reasoning(b"", &details);
}
