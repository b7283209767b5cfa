//! `system` and `messages`: blocks become the messages of a chat completion.
//!
//! `cache_control` and the like are marks for Anthropic's servers and mean nothing here.

use super::document::{document, image};
use crate::json::{Kind, Raw};
use crate::surface::chat::{Arguments, Body, Part, unseal};
use crate::surface::dropped::Dropped;
use crate::surface::place::{Invalid, Place};

/// Carries `messages` over.
pub(super) fn carry(
    messages: Raw<'_>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    let place = Place::top("messages");
    for (n, message) in place.array(messages)?.elements().enumerate() {
        let place = place.at(n);
        let [role, content] = place.object(message)?.pick(["role", "content"]);
        let role = place.required("role", role)?;
        let inside = place.field("content");
        let content = content.ok_or_else(|| inside.missing())?;
        if !matches!(content.kind(), Kind::String | Kind::Array) {
            return Err(inside.must_be("a string or a list of blocks"));
        }
        match role {
            "user" => user(content, &inside, body, dropped)?,
            "assistant" => assistant(content, &inside, body)?,
            "system" => body.system(texts(content, &inside)?),
            _ => return Err(place.field("role").must_be("user, assistant or system")),
        }
    }
    Ok(())
}

/// What a system says: a string, or text blocks.
pub(super) fn texts<'a>(content: Raw<'a>, place: &Place<'_>) -> Result<Vec<&'a str>, Invalid> {
    if let Some(text) = content.escaped() {
        return Ok(vec![text]);
    }
    let mut texts = Vec::new();
    for (n, block) in place.array(content)?.elements().enumerate() {
        let place = place.at(n);
        let [kind, text] = place.object(block)?.pick(["type", "text"]);
        match place.required("type", kind)? {
            "text" => texts.push(place.required("text", text)?),
            other => return Err(place.field("type").not_carried(other)),
        }
    }
    Ok(texts)
}

/// The results of tools come first, each as a message of its own; chat knows no other order.
fn user(
    content: Raw<'_>,
    place: &Place<'_>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    if let Some(text) = content.escaped() {
        body.user(&[Part::Text(text)]);
        return Ok(());
    }
    let mut parts = Vec::new();
    let mut results = false;
    for (n, block) in content.elements().enumerate() {
        let place = place.at(n);
        let kind = place.required("type", place.object(block)?.get("type"))?;
        if kind == "tool_result" {
            result(block, &place, body, dropped)?;
            results = true;
        } else {
            part(kind, block, &place, &mut parts, dropped)?;
        }
    }
    if !parts.is_empty() || !results {
        body.user(&parts);
    }
    Ok(())
}

fn part<'a>(
    kind: &str,
    block: Raw<'a>,
    place: &Place<'_>,
    parts: &mut Vec<Part<'a>>,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    match kind {
        "text" => parts.push(Part::Text(place.required("text", block.get("text"))?)),
        "image" => parts.push(image(block, place)?),
        "document" => document(block, place, parts, dropped)?,
        other => return Err(place.field("type").not_carried(other)),
    }
    Ok(())
}

fn result(
    block: Raw<'_>,
    place: &Place<'_>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    let [id, content, failed] = block.pick(["tool_use_id", "content", "is_error"]);
    let id = place.required("tool_use_id", id)?;
    let failed = failed.map(|failed| place.field("is_error").flag(failed));
    let failed = failed.transpose()?.unwrap_or(false);
    let mut parts = Vec::new();
    if let Some(content) = content {
        let place = place.field("content");
        if let Some(text) = content.escaped() {
            parts.push(Part::Text(text));
        } else {
            for (n, block) in place.array(content)?.elements().enumerate() {
                let place = place.at(n);
                let kind = place.required("type", place.object(block)?.get("type"))?;
                part(kind, block, &place, &mut parts, dropped)?;
            }
        }
    }
    body.result(id, &parts, failed);
    Ok(())
}

fn assistant(content: Raw<'_>, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
    body.end_turn();
    body.begin_turn();
    if let Some(text) = content.escaped() {
        body.text(text);
        return Ok(());
    }
    for (n, block) in content.elements().enumerate() {
        let place = place.at(n);
        let kind = place.required("type", place.object(block)?.get("type"))?;
        match kind {
            "text" => body.text(place.required("text", block.get("text"))?),
            "tool_use" => call(block, &place, body)?,
            "thinking" => thinking(block, &place, body)?,
            "redacted_thinking" => redacted(block, &place, body)?,
            other => return Err(place.field("type").not_carried(other)),
        }
    }
    Ok(())
}

fn call(block: Raw<'_>, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
    let [id, name, input] = block.pick(["id", "name", "input"]);
    let id = place.required("id", id)?;
    let name = place.required("name", name)?;
    let input = input.map(|input| place.field("input").object(input));
    let input = input.transpose()?.map_or("{}", Raw::text);
    body.call(id, name, Arguments::Json(input));
    Ok(())
}

/// A signature of ours holds the details; another's says nothing to a free model.
fn thinking(block: Raw<'_>, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
    let [thinking, signature] = block.pick(["thinking", "signature"]);
    let text = place.required("thinking", thinking)?.as_bytes();
    let mut details = Vec::new();
    if let Some(signature) = signature {
        let signature = place.field("signature").string(signature)?;
        if let Some(unsealed) = unseal(signature) {
            unsealed.write(&mut details, text);
        }
    }
    body.reasoning(text, &details);
    Ok(())
}

fn redacted(block: Raw<'_>, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
    let data = place.required("data", block.get("data"))?;
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
    Ok(())
}
